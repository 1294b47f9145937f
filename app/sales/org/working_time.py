"""What `ground/working.py` says, in PostgreSQL: how much is worked in a span of days, for the numbers.

No rows per day are kept. How often each weekday comes is arithmetic, and from that the few holidays of the span are
taken, so a year costs what a day costs, a changed holiday counts at once, and no calendar has a last year.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, Select, cast, exists, extract, func, or_, select, true
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import LateralFromClause

from app.language.query.binds import Binds
from app.language.query.source import source
from app.sales.org.models import HOURS, holidays, reps, working_calendars


def of_rep(binds: Binds, rep_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """The calendar that a rep itself refers to; null where it goes by the default."""
    rep = source(reps, binds, "worker", tracked_only=True)
    own = select(rep.c.working_calendar_id).where(rep.c.tenant_id == binds.tenant, rep.c.id == rep_id)
    return own.correlate_except(rep).scalar_subquery()


def worked(
    binds: Binds, calendar_id: ColumnElement[Any], first: ColumnElement[Any], last: ColumnElement[Any]
) -> LateralFromClause:
    """Of the days `[first, last)` one row of `working_days` and `working_hours`, exact, to be left-joined on true.

    Where `calendar_id` is null or was deleted, the default calendar holds. Without a row nobody has said when people
    work, and only calendar days can be told. `first` and `last` are best a bucket's, a level above the rows: days of
    each row's own make it add up every calendar for every row.
    """
    # Of a tenant that no statistics know the planner expects one rep, and would add up a calendar for each of a
    # thousand. Materialised, all calendars are added up once for a bucket, and a rep looks among the few results.
    every = _calendars(binds, first, last).cte("every_calendar", nesting=True).prefix_with("materialized")
    return (
        select(every.c.working_days, every.c.working_hours)
        .where(or_(every.c.id == calendar_id, every.c.is_default))
        # Its own before the default one.
        .order_by(every.c.is_default)
        .limit(1)
        .correlate_except(every)
        .lateral("worked")
    )


def scheduled(binds: Binds) -> Select[Any]:
    """The reps of whom somebody has said when they work."""
    rep = source(reps, binds, "scheduled", tracked_only=True)
    calendar = source(working_calendars, binds, "schedule", tracked_only=True)
    says = select(1).where(
        calendar.c.tenant_id == binds.tenant,
        calendar.c.deleted_at.is_(None),
        or_(calendar.c.id == rep.c.working_calendar_id, calendar.c.is_default),
    )
    return select(rep.c.id).where(rep.c.tenant_id == binds.tenant, exists(says))


def working_days(
    binds: Binds, rep_id: ColumnElement[Any], first: ColumnElement[Any], last: ColumnElement[Any]
) -> ColumnElement[Any]:
    """How many of the days `[first, last)` a rep works, exact; null where nobody has said. For days of each row's own:
    no other calendar than the rep's and the default one is added up."""
    return _own(binds, rep_id, first, last, "working_days")


def working_hours(
    binds: Binds, rep_id: ColumnElement[Any], first: ColumnElement[Any], last: ColumnElement[Any]
) -> ColumnElement[Any]:
    """The same in hours."""
    return _own(binds, rep_id, first, last, "working_hours")


def _own(
    binds: Binds, rep_id: ColumnElement[Any], first: ColumnElement[Any], last: ColumnElement[Any], what: str
) -> ColumnElement[Any]:
    found = _calendars(binds, first, last)
    calendar = found.selected_columns
    return (
        found.with_only_columns(calendar[what])
        .where(or_(calendar.id == of_rep(binds, rep_id), calendar.is_default))
        .order_by(calendar.is_default)
        .limit(1)
        .scalar_subquery()
    )


def _calendars(binds: Binds, first: ColumnElement[Any], last: ColumnElement[Any]) -> Select[Any]:
    calendar = source(working_calendars, binds, "working_calendar", tracked_only=True)
    week = array([calendar.c[hours] for hours in HOURS])
    weekday = func.unnest(week).table_valued("hours", with_ordinality="number").render_derived(name="weekday")
    length = func.greatest(last - first, 0, type_=Integer())
    until = (cast(weekday.c.number, Integer) + 7 - cast(extract("isodow", first), Integer)) % 7
    count = (length + 6 - until) // 7
    whole = (
        select(
            func.coalesce(func.sum(count).filter(weekday.c.hours > 0), 0).label("days"),
            func.sum(count * weekday.c.hours).label("hours"),
        )
        .correlate_except(weekday)
        .lateral("whole")
    )
    holiday = source(holidays, binds, "holiday")
    hours = week[cast(extract("isodow", holiday.c.day), Integer)]
    off = (
        select(
            func.coalesce(func.sum(holiday.c.share).filter(hours > 0), 0).label("days"),
            func.coalesce(func.sum(holiday.c.share * hours), 0).label("hours"),
        )
        .where(
            holiday.c.tenant_id == binds.tenant,
            holiday.c.calendar_id == calendar.c.id,
            holiday.c.day >= first,
            holiday.c.day < last,
        )
        .correlate_except(holiday)
        .lateral("off")
    )
    return (
        select(
            calendar.c.id,
            calendar.c.is_default,
            (whole.c.days - off.c.days).label("working_days"),
            (whole.c.hours - off.c.hours).label("working_hours"),
        )
        .select_from(calendar.join(whole, true()).join(off, true()))
        .where(calendar.c.tenant_id == binds.tenant, calendar.c.deleted_at.is_(None))
        .correlate_except(calendar, whole, off)
    )
