"""A line item takes its list price from the deal's price book, and is held against the floor there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from app.language.resources.batch import Batch, Draft
from app.sales.pipeline import lines
from app.sales.pricing import floors
from app.sales.pricing.floors import Price

_FACTS = "prices"

_PRICES = """
select p.product_id, p.price_book_id, p.currency, b.is_default, p.starts_on, p.ends_on, p.list_price, p.floor_price,
    b.below_floor = 'refuse' as refuses
from prices p join price_books b on b.tenant_id = p.tenant_id and b.id = p.price_book_id
where p.tenant_id = $1 and p.product_id = any($2) and p.deleted_at is null and b.deleted_at is null
"""


async def load(batch: Batch) -> None:
    """The prices of every product that the batch sells, by product, book and currency; None is the default book."""
    products = {
        line.get("product_id") for draft in batch.standing for line in draft.children.get("line_items", ())
    }
    found: dict[tuple[UUID, UUID | None, str], list[Price]] = {}
    if products:
        rows = await batch.session.connection.fetch(
            _PRICES, batch.session.tenant_id, sorted(filter(None, products))
        )
        for product, book, currency, is_default, *price in rows:
            for name in (book, None) if is_default else (book,):
                found.setdefault((product, name, currency), []).append(Price(*price))
    batch.facts[_FACTS] = found


_JUDGED_BY = ("product_id", "quantity", "unit_price", "amount")


def refine(
    line: dict[str, Any], old: Mapping[str, Any] | None, index: int, draft: Draft, batch: Batch
) -> None:
    """What was priced stays priced: a line that is sent again keeps its list price, and is not judged anew."""
    if old is not None and old["product_id"] == line.get("product_id") and line.get("list_price") is None:
        line["list_price"] = old["list_price"]
    price = _price_of(line, draft, batch)
    if line.get("list_price") is None and price is not None:
        line["list_price"] = price.list_price
    if price is not None and line.get("unit_price") is None and line.get("amount") is None:
        line["unit_price"] = line["list_price"]
        lines.complete_line(line, index)
    if old is not None and all(old[name] == line.get(name) for name in _JUDGED_BY):
        line["below_floor"] = old["below_floor"]
        return
    line["below_floor"] = price is not None and floors.is_below(
        price.floor_price, line["quantity"], line.get("unit_price"), line.get("amount")
    )
    if line["below_floor"] and price is not None and price.refuses and batch.origin != "backfill":
        draft.refuse(
            f"line_items/{index}/unit_price",
            "below_floor",
            "The price lies below the floor that the price book sets for this product.",
        )


def _price_of(line: Mapping[str, Any], draft: Draft, batch: Batch) -> Price | None:
    deal = draft.after
    known = batch.facts[_FACTS].get((line.get("product_id"), deal.get("price_book_id"), deal["currency"]), ())
    return floors.holding(known, _day(deal.get("closed_at") or batch.moment, batch)) if known else None


def _day(moment: Any, batch: Batch) -> date:
    return moment.astimezone(batch.principal.tenant.zone).date()
