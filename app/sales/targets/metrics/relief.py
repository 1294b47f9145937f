"""What of their quotas reps are let off, as what is counted: each relief beside each quota some of whose days it has.

A share takes from what of a quota falls into the bucket the part that its days are of those days. An amount spreads
over the relief's own days, of which those without a quota relieve of nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Numeric, and_, case, cast, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import Join, Measure
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import source
from app.sales.org.days import Span, days, length, piece, span
from app.sales.targets.metrics.fact import FOR_BOOKINGS, NOT_ITS_LEVEL, QUOTAS, expected, pieces, whole
from app.sales.targets.metrics.working import ONE, part_of
from app.sales.targets.models import quota_reliefs


def _here(relief: FromClause, binds: Binds) -> ColumnElement[bool]:
    return and_(
        relief.c.tenant_id == binds.tenant,
        relief.c.deleted_at.is_(None),
        relief.c.starts_on < bucket("last"),
        relief.c.ends_on > bucket("first"),
    )


def _relieved(binds: Binds) -> FromClause:
    relief, let_off = (source(quota_reliefs, binds, x, tracked_only=True) for x in ("relief", "let_off"))
    quota = pieces(binds, select(let_off.c.rep_id).where(_here(let_off, binds)))
    of_quota = ("team_id", "territory_id", "starts_on", "ends_on", "leads", "weight", "of", "ramped")
    first, last = (
        func.greatest(quota.c.from_day, relief.c.starts_on),
        func.least(quota.c.to_day, relief.c.ends_on),
    )
    shared = relief.c.share.is_not(None)
    told_later = [or_(relief.c.inferred, quota.c.inferred).label("inferred")] if binds.as_of else []
    return (
        select(
            *(
                c
                for c in relief.c
                if c.name not in ("starts_on", "ends_on", "amount", "currency", "inferred")
            ),
            *(quota.c[name] for name in of_quota),
            case((shared, quota.c.amount), else_=relief.c.amount).label("amount"),
            case((shared, quota.c.currency), else_=relief.c.currency).label("currency"),
            relief.c.starts_on.label("relief_from"),
            relief.c.ends_on.label("relief_to"),
            quota.c.id.label("quota_id"),
            quota.c.from_day.label("quota_from"),
            quota.c.to_day.label("quota_to"),
            first.label("from_day"),
            last.label("to_day"),
            *told_later,
        )
        .select_from(relief)
        .join(
            quota,
            and_(
                quota.c.rep_id == relief.c.rep_id,
                quota.c.metric == relief.c.metric,
                quota.c.from_day < relief.c.ends_on,
                quota.c.to_day > relief.c.starts_on,
            ),
        )
        .where(_here(relief, binds))
        .subquery("relieved")
    )


def _of_quota(s: Scope) -> Span:
    """What of the quota falls into the bucket."""
    return func.greatest(s.row.c.quota_from, bucket("first")), func.least(s.row.c.quota_to, bucket("last"))


def _shared(s: Scope, share: ColumnElement[Any], amount: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((s.row.c.share.is_not(None), share), else_=amount)


def _part(s: Scope) -> FromClause:
    first, last = _of_quota(s)
    days_of = _shared(s, first, s.row.c.relief_from), _shared(s, last, s.row.c.relief_to)
    return part_of(s, span(s), days_of)


def _weight(s: Scope) -> ColumnElement[Any]:
    days_of_quota = cast(length(_of_quota(s)), Numeric)
    return _shared(s, s.row.c.share * days_of_quota * expected(s), ONE) * s.join("part_of_days").c.some


def _over(s: Scope) -> ColumnElement[Any]:
    return _shared(s, whole(s), ONE) * s.join("part_of_days").c.of


def _state(name: str) -> tuple[str, Any]:
    return name, lambda s: s.row.c.state == constant(name)


RELIEFS = replace(
    QUOTAS,
    name="quota_reliefs",
    noun="quota_reliefs",
    rows=_relieved,
    joins={**QUOTAS.joins, "part_of_days": Join(rows=_part, on=lambda s, part: true())},
    label=lambda s: s.row.c.reason,
    piece=lambda s: func.concat_ws("|", s.row.c.quota_id, piece(s)),
)
RELIEF = Measure(
    name="relief",
    population=replace(FOR_BOOKINGS, name="relief", fact=RELIEFS),
    money=True,
    value=lambda s: s.amount,
    weight=_weight,
    over=_over,
    only=lambda s: days(s) > 0,
    exclusions=(_state("requested"), _state("rejected"), NOT_ITS_LEVEL),
)
