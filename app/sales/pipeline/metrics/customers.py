"""What the account of a deal had bought before it.

Of the whole company, whoever asks: whether an account is a customer does not depend on whose deals one may see.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.scope import Scope
from app.language.query.binds import constant
from app.sales.pipeline.models import opportunities, opportunity_line_items
from app.sales.pricing.models import products


def _wins(s: Scope, alias: str, *columns: str) -> tuple[FromClause, Select[Any]]:
    """The won deals of the row's account, as of the same moment."""
    win = s.source(opportunities, alias)
    won = select(*(win.c[name] for name in columns)).where(
        win.c.tenant_id == s.binds.tenant,
        win.c.account_id == s.row.c.account_id,
        win.c.category == constant("won"),
        win.c.deleted_at.is_(None),
    )
    return win, won


def first_win(s: Scope) -> FromClause:
    """The first of them; of several closed at one moment that with the smallest id."""
    win, won = _wins(s, "win", "closed_at", "id")
    return won.order_by(win.c.closed_at, win.c.id).limit(1).correlate(s.row).lateral("first_win")


def win_of_family(s: Scope, family: ColumnElement[Any], *joined: FromClause) -> FromClause:
    """One of them, whichever, that was closed before the row and has a product of a family; none where it is new."""
    win, won = _wins(s, "earlier", "closed_at")
    line, product = s.source(opportunity_line_items, "earlier_line"), s.source(products, "earlier_product")
    return (
        won.where(
            win.c.closed_at < s.row.c.closed_at,
            line.c.tenant_id == s.binds.tenant,
            line.c.opportunity_id == win.c.id,
            product.c.tenant_id == s.binds.tenant,
            product.c.id == line.c.product_id,
            product.c.family == family,
        )
        .limit(1)
        .correlate(s.row, *joined)
        .lateral("win_of_family")
    )
