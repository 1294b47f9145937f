"""Who is credited for a deal besides its owner: the holders of its splits, or its whole team.

Splits say themselves whose the credit is, so they are those that stand at the moment asked for, and not those of the
close: an amended split is an amended credit.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, Select, func, literal_column, select, union, union_all
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Expression
from app.language.metrics.scope import Scope
from app.language.query.binds import constant
from app.sales.pipeline.models import opportunity_splits, opportunity_team

_ALL_OF_IT = literal_column("1::numeric")


def holders(owner: Expression) -> Any:
    """For `Fact.holders`. What revenue splits leave of a deal is its owner's: so they always sum to the whole."""

    def rows(s: Scope) -> Select[Any, Any] | CompoundSelect[Any, Any]:
        match s.attribution:
            case "team":
                return union(_of_owner(s, owner, _ALL_OF_IT), _members(s))
            case "overlay":
                return _splits(s, "overlay")
            case _:
                return union_all(_splits(s, "revenue"), _rest(s, owner))

    return rows


def _of_owner(s: Scope, owner: Expression, share: ColumnElement[Any]) -> Select[Any, Any]:
    mine = owner(s)
    return select(mine.label("rep_id"), share.label("share")).correlate(s.row, *s.joined)


def _members(s: Scope) -> Select[Any, Any]:
    member = s.source(opportunity_team, "member")
    return (
        select(member.c.rep_id, _ALL_OF_IT)
        .where(member.c.tenant_id == s.binds.tenant, member.c.opportunity_id == s.row.c.id)
        .correlate(s.row, *s.joined)
    )


def _splits(s: Scope, kind: str) -> Select[Any, Any]:
    split = s.source(opportunity_splits, "split")
    return (
        select(split.c.rep_id.label("rep_id"), split.c.share.label("share"))
        .where(
            split.c.tenant_id == s.binds.tenant,
            split.c.opportunity_id == s.row.c.id,
            split.c.kind == constant(kind),
        )
        .correlate(s.row, *s.joined)
    )


def _rest(s: Scope, owner: Expression) -> Select[Any, Any]:
    split = s.source(opportunity_splits, "rest_of_split")
    left = 1 - func.coalesce(func.sum(split.c.share), 0)
    mine = owner(s)
    return (
        select(mine.label("rep_id"), left.label("share"))
        .select_from(split)
        .where(
            split.c.tenant_id == s.binds.tenant,
            split.c.opportunity_id == s.row.c.id,
            split.c.kind == constant("revenue"),
        )
        .having(left != 0)
        .correlate(s.row, *s.joined)
    )
