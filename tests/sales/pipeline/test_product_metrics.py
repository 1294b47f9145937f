"""Numbers about what was sold and to whom, over rows that fit on a page, each against a figure worked out by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.ground.errors import Forbidden
from tests.language.metrics.world import World, new_world

D = Decimal

PRODUCTS = (
    {"external_id": "saw", "name": "Saw", "family": "tools", "cost": 60, "currency": "USD",
     "history": [{"at": "2024-01-01", "cost": 40}, {"at": "2025-04-10", "cost": 60}]},
    {"external_id": "axe", "name": "Axe", "family": "tools", "cost": 50, "currency": "EUR"},
    {"external_id": "care", "name": "Care", "family": "service", "currency": "USD"},
    {"external_id": "tea", "name": "Tea", "family": "food", "cost": 3, "currency": "GBP"},
    {"external_id": "odd", "name": "Odd", "cost": 1},
)  # fmt: skip


def line(product: str | None, amount: float | None, quantity: float = 1, price: float | None = None) -> Any:
    found: dict[str, Any] = {"amount": amount, "quantity": quantity, "list_price": price}
    return {**found, "product_id": f"t:{product}"} if product else {**found, "description": "By hand"}


def won(
    key: str, day: str | None, amount: float | None, *lines: Any, account: str | None = "acme", **rest: Any
) -> dict[str, Any]:
    owner = {"account_id": f"t:{account}"} if account else {}
    return {
        "external_id": key, "name": key, "owner_id": "t:ann", "stage_id": "t:won", "amount": amount,
        "opened_at": "2024-06-01", "closed_at": day, "line_items": list(lines), **owner, **rest,
    }  # fmt: skip


DEALS = (
    won("first", "2025-02-10", 100, line("saw", 100, 2, 100)),
    won("second", "2025-03-05", 1000, line("saw", 450, 5, 100), line("care", 300, 1.5, 200), line(None, 50),
        owner_id="t:bob"),
    won("again", "2025-03-06", 400, line("saw", 400, 4, 100), type="renewal"),
    won("other", "2025-03-10", 600, line("axe", 600, 6, 90), account="globex", currency="EUR"),
    won("bare", "2025-03-12", 80, account=None),
    won("strange", "2025-03-20", 90, line("odd", 90, 1, 0), line("tea", None, 7, 5)),
    won("tea", "2025-04-20", 270, line("tea", 200, 10, 25), line("saw", 70, 1, 60)),
    won("undated", None, 10, line("saw", 10)),
)  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def shop(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "ann", "name": "Ann"}, {"external_id": "bob", "name": "Bob"})
    await world.put("accounts", *(
        {"external_id": x, "name": x.title(), "industry": x} for x in ("acme", "globex")
    ))  # fmt: skip
    await world.put("products", *PRODUCTS)
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": x, "name": x, "pipeline_id": "t:p", "category": category}
        for x, category in (("talk", "open"), ("won", "won"))
    ))  # fmt: skip
    await world.put("exchange_rates", {
        "external_id": "r", "from_currency": "EUR", "to_currency": "USD", "on_day": "2025-01-01", "rate": 1.1,
    })  # fmt: skip
    await world.put("opportunities", *DEALS)
    yield world


MARCH: dict[str, Any] = {"period": "2025-03"}
APRIL: dict[str, Any] = {"period": "2025-04"}


async def test_units_sold(shop: World) -> None:
    row = await shop.one("units_sold", **MARCH)
    assert (row["value"], row["n"]) == (D("25.5"), 7), "5, 1.5, 1, 4, 6, 1 and 7: an amount it needs not"
    assert row["excluded"] == {"no_close_date": 1, "no_lines": 1}
    assert await shop.grouped("units_sold", "product", **MARCH) == {
        "Saw": 9, "Care": D("1.5"), "Axe": 6, "Odd": 1, "Tea": 7, "unallocated": 1,
    }  # fmt: skip
    assert await shop.grouped("units_sold", "product_family", **MARCH, filters={"industry": "acme"}) == {
        "tools": 9, "service": D("1.5"), "food": 7, "unallocated": 2,
    }  # fmt: skip
    assert await shop.value("units_sold", **MARCH, filters={"product": ["Saw", "Axe"]}) == 15
    assert await shop.grouped("units_sold", "rep", **MARCH) == {"Ann": 18, "Bob": D("7.5")}


async def test_a_line_is_one_contribution(shop: World) -> None:
    rows = [c.row for c in await shop.contributions("units_sold", **MARCH, filters={"rep": ["Bob"]}, page=1)]
    assert {row["label"]: row["amount"] for row in rows} == {
        "second: Saw": 5, "second: Care": D("1.5"), "second: By hand": 1,
    }  # fmt: skip
    assert {row["noun"] for row in rows} == {"opportunities"}


async def test_discount_rate(shop: World) -> None:
    row = await shop.one("discount_rate", **MARCH)
    net, list_ = 450 + 300 + 400 + D(660), 500 + 300 + 400 + D(594)
    assert (row["numerator"], row["denominator"], row["n"]) == (list_ - net, list_, 4)
    assert row["value"] < 0, "the axes went for more than their list price"
    assert row["beside"]["average"] == pytest.approx((D("0.1") + 0 + 0 - D(1) / 9) / 4)
    assert row["excluded"] == {"no_amount": 1, "no_close_date": 1, "no_lines": 1, "no_list_price": 2}
    assert await shop.value("discount_rate", **MARCH, filters={"product": "Saw"}) == D(50) / 900
    empty = await shop.one("discount_rate", period="2024")
    assert (empty["value"], empty["null_reason"]) == (None, "zero_denominator")


async def test_gross_margin(shop: World) -> None:
    row = await shop.one("gross_margin", **MARCH)
    net, cost = 450 + 400 + D(660) + 90, (5 + 4) * 40 + 6 * D(55) + 1
    assert (row["numerator"], row["denominator"], row["n"]) == (net - cost, net, 4), "what a saw cost then"
    assert row["excluded"] == {"no_amount": 1, "no_close_date": 1, "no_cost": 2, "no_lines": 1}
    assert await shop.value("gross_margin", **MARCH, filters={"product": "Axe"}) == D("0.5"), "all in EUR"
    care = await shop.one("gross_margin", **MARCH, filters={"product": "Care"})
    assert (care["value"], care["null_reason"], care["excluded"]) == (
        None, "zero_denominator", {"no_cost": 1},
    ), "no cost is not all margin"  # fmt: skip


async def test_a_cost_without_a_rate_is_no_margin(shop: World) -> None:
    row = await shop.one("gross_margin", **APRIL)
    assert (row["numerator"], row["denominator"], row["n"]) == (10, 70, 1), (
        "tea costs pounds: on neither side"
    )
    assert row["excluded"] == {"missing_fx": 1, "no_close_date": 1}
    tea = await shop.one("gross_margin", **APRIL, filters={"product": "Tea"})
    assert (tea["value"], tea["null_reason"]) == (None, "missing_fx")
    assert await shop.value("discount_rate", **APRIL, filters={"product": "Tea"}) == D("0.2"), (
        "which needs no cost"
    )


async def test_what_a_product_costs_is_not_for_reps(shop: World) -> None:
    with pytest.raises(Forbidden):
        await shop.value("gross_margin", principal=shop.company.principal("rep"), **MARCH)


async def test_new_customers(shop: World) -> None:
    months = await shop.bucketed("new_customers", period="2025-Q1", grain="month")
    assert months == {"2025-01-01": 0, "2025-02-01": 1, "2025-03-01": 1}
    row = await shop.one("new_customers", **MARCH)
    assert (row["n"], row["excluded"]) == (1, {"no_account": 1, "no_close_date": 1})
    assert await shop.grouped("new_customers", "account", **MARCH) == {"Acme": 0, "Globex": 1, None: 0}


async def test_cross_sell_and_upsell(shop: World) -> None:
    bookings = D(1000 + 400 + 660 + 80 + 90)
    cross = await shop.one("cross_sell_share", **MARCH)
    assert (cross["numerator"], cross["denominator"], cross["n"]) == (300, bookings, 5), (
        "Acme's first service"
    )
    assert cross["excluded"] == {"no_close_date": 1}
    upsell = await shop.one("upsell_share", **MARCH)
    assert (upsell["numerator"], upsell["denominator"]) == (450, bookings), (
        "saws, but not those of the renewal"
    )
    assert await shop.grouped("cross_sell_share", "product_family", **MARCH, filters={"account": "Acme"}) == {
        "service": 1, "tools": 0, "food": None, "unallocated": 0,
    }  # fmt: skip
    assert await shop.value("cross_sell_share", **APRIL) == 0
    assert await shop.value("upsell_share", **APRIL) == 1, (
        "there was tea in March, if nobody knows for how much"
    )


async def test_what_was_sold_as_it_stood(shop: World) -> None:
    """Lines that are put in later do not reach a question of before."""
    before = datetime.now(UTC).isoformat()
    june = {"period": "2025-06"}
    await shop.put("opportunities", won("late", "2025-06-02", 10, line("axe", 10, 2)))
    between = datetime.now(UTC).isoformat()
    await shop.put("opportunities", {"external_id": "late", "line_items": [line("axe", 10, 3)]})
    assert await shop.value("units_sold", **june) == 3
    assert await shop.value("units_sold", **june, as_of=between) == 2
    assert await shop.value("units_sold", **june, as_of=before, known_at=before) == 0
    assert await shop.value("upsell_share", **june, as_of=between) == 1
    await shop.delete("opportunities", "t:late")
    assert await shop.value("units_sold", **june) == 0
