"""The lines of deals, as what is counted: what was sold, each with the deal that it is a part of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Text, and_, case, cast, false, func, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import Dimension, Join, Population
from app.language.metrics.scope import Scope
from app.language.query.binds import Binds, constant
from app.language.query.source import held, source
from app.sales.pipeline.metrics.customers import win_of_family
from app.sales.pipeline.metrics.fact import DEALS
from app.sales.pipeline.metrics.populations import WON
from app.sales.pipeline.models import opportunity_line_items
from app.sales.pricing.models import products, products_history


def _with_lines(deal: FromClause, line: FromClause, on: ColumnElement[bool]) -> FromClause:
    """One row a line, and one for a deal without any, with all that the deal says of itself."""
    own = ("product_id", "description", "quantity", "list_price")
    return (
        select(
            *deal.c,
            line.c.id.label("line_id"),
            line.c.amount.label("net"),
            *(line.c[name] for name in own),
        )
        .select_from(deal.outerjoin(line, on))
        .subquery("sold")
    )


def _rows(binds: Binds) -> FromClause:
    deal = DEALS.rows(binds)
    line = source(opportunity_line_items, binds, "line")
    return _with_lines(deal, line, and_(line.c.tenant_id == binds.tenant, line.c.opportunity_id == deal.c.id))


def _unborn(binds: Binds) -> FromClause:
    """A deal that was not recorded yet had no lines of which anything is known."""
    assert DEALS.unborn is not None
    return _with_lines(DEALS.unborn(binds), opportunity_line_items.alias("line"), false())


def _label(s: Scope) -> ColumnElement[Any]:
    return func.concat_ws(
        constant(": "), s.row.c.name, func.coalesce(s.join("product").c.name, s.row.c.description)
    )


def _net(s: Scope) -> ColumnElement[Any]:
    """A deal without lines is left out for that, and not because it has no amount."""
    return case((s.row.c.line_id.is_(None), 0), else_=s.row.c.net)


def _product(s: Scope) -> FromClause:
    return s.source(products, "product")


def _family(s: Scope) -> ColumnElement[Any]:
    return s.join("product").c.family


def _win_of_family(s: Scope) -> FromClause:
    return win_of_family(s, _family(s), s.join("product"))


_ONE_EACH = {
    "product": Dimension(
        name="product", title="Product", noun="products", value=lambda s: s.row.c.product_id, nobody="unallocated"
    ),
    "product_family": Dimension(
        name="product_family", title="Product family", value=_family, nobody="unallocated"
    ),
}  # fmt: skip

LINES = replace(
    DEALS,
    name="lines",
    rows=_rows,
    unborn=_unborn,
    parts=None,
    piece=lambda s: cast(s.row.c.line_id, Text),
    label=_label,
    amount=_net,
    joins={
        **DEALS.joins,
        "product": Join(
            rows=_product,
            on=lambda s, product: and_(
                product.c.tenant_id == s.binds.tenant, product.c.id == s.row.c.product_id
            ),
        ),
        # What it cost when it was sold: dearer since, it was not dearer then.
        "sold": Join(
            rows=lambda s: products_history.alias("product_sold"),
            on=lambda s, sold: and_(
                held(sold, s.binds, s.row.c.closed_at), sold.c.record_id == s.row.c.product_id
            ),
        ),
        "win_of_family": Join(rows=_win_of_family, on=lambda s, win: true()),
    },
    dimensions=tuple(_ONE_EACH.get(d.name, d) for d in DEALS.dimensions),
)


def cost(s: Scope) -> ColumnElement[Any]:
    return s.join("sold").c.cost * s.row.c.quantity


def _currency_of_cost(s: Scope) -> ColumnElement[Any]:
    return func.coalesce(s.join("sold").c.currency, s.binds.named("home", Text()))


WON_LINES = replace(WON, name="won_lines", fact=LINES)
WON_AT_COST = replace(WON_LINES, name="won_at_cost", against=_currency_of_cost)
"""The same, where a rate for the cost is needed as well."""
COST_OF_WON: Population = replace(
    WON_LINES, name="cost_of_won", amount=cost, currency=_currency_of_cost, against=LINES.currency
)
NO_LINES = ("no_lines", lambda s: s.row.c.line_id.is_(None))
