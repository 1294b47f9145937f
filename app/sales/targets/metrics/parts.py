"""What of a quota is expected when, where that is not the same every day: by its seasons, and by a rep's ramp.

Both cut a quota's days where another part begins. Nothing is rounded: a season's part of a day is a whole number over
a whole number, and a month's of a ramp has a few decimals.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import TIMESTAMP, Date, Integer, Numeric, and_, case, cast, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause, LateralFromClause

from app.language.query.binds import Binds
from app.language.query.source import source
from app.sales.org.models import reps
from app.sales.targets.models import ramp_schedules

_FINE = literal_column("10000", Numeric())
"""Weights have four decimals, so so many times a weight is a whole number."""
_MONTH = literal_column("interval '1 month'")
_FIRST, _LAST = literal_column("'-infinity'::date", Date()), literal_column("'infinity'::date", Date())


def seasons(quota: FromClause) -> LateralFromClause:
    """Days from `begins` to `ends` with their `weight`, and what a day's part of all weights is divided by; none where
    every day counts alike."""
    weights = (
        func.jsonb_array_elements_text(quota.c.seasonality)
        .table_valued("weight", with_ordinality="number")
        .render_derived(name="weighed")
    )
    number = cast(weights.c.number, Integer)
    begins = cast(_element(quota.c.seasons, number - 1), Date)
    ends = func.coalesce(cast(_element(quota.c.seasons, number), Date), quota.c.ends_on)
    weight = func.trunc(cast(weights.c.weight, Numeric) * _FINE)
    return (
        select(
            begins.label("begins"),
            ends.label("ends"),
            weight.label("weight"),
            (func.sum(weight).over() * (ends - begins)).label("of"),
        )
        .where(quota.c.seasonality.is_not(None), _few(number))
        .correlate(quota)
        .lateral("season")
    )


def ramp(quota: FromClause, binds: Binds) -> LateralFromClause:
    """Days from `begins` to `ends` and the `share` that is expected of a rep in them: nothing before its first day,
    all behind the schedule's last month. None without a schedule, or without a first day."""
    schedule = source(ramp_schedules, binds, "schedule", tracked_only=True)
    rep = source(reps, binds, "newcomer", tracked_only=True)
    months = func.jsonb_array_length(schedule.c.months)
    counted = func.generate_series(0, months + 1).table_valued("number").render_derived(name="career")
    number = cast(counted.c.number, Integer)
    hired = cast(rep.c.hired_on, TIMESTAMP)

    def since_hired(passed: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(hired + passed * _MONTH, Date)

    return (
        select(
            case((number == 0, _FIRST), else_=since_hired(number - 1)).label("begins"),
            case((number > months, _LAST), else_=since_hired(number)).label("ends"),
            case(
                (number == 0, literal_column("0", Numeric())),
                (number > months, literal_column("1", Numeric())),
                else_=cast(_element(schedule.c.months, number - 1), Numeric),
            ).label("share"),
        )
        .select_from(schedule.join(rep, rep.c.id == quota.c.rep_id).join(counted, literal_column("true")))
        .where(
            schedule.c.tenant_id == binds.tenant,
            schedule.c.id == quota.c.ramp_schedule_id,
            schedule.c.deleted_at.is_(None),
            rep.c.tenant_id == binds.tenant,
            rep.c.hired_on.is_not(None),
            quota.c.ramp_schedule_id.is_not(None),
            _few(number),
        )
        # Kept apart, so that without a schedule it is not even begun.
        .offset(literal_column("0"))
        .correlate(quota)
        .lateral("ramp")
    )


def _few(number: ColumnElement[Any]) -> ColumnElement[bool]:
    """Always true. PostgreSQL expects a hundred elements of a list and a thousand of a series, for every quota, and
    would plan all that is done with the pieces for so many; of an equation it expects one row in two hundred."""
    return number - number == 0


def overlap(part: FromClause, first: ColumnElement[Any], last: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(part.c.begins < last, part.c.ends > first)


def _element(list_: ColumnElement[Any], index: ColumnElement[Any]) -> ColumnElement[Any]:
    return list_.op("->>")(index)
