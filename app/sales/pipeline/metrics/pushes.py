"""The days on which the expected close of an open deal was put off, as what is counted: one row a deal and day.

Compared is what was expected as a day began and as it ended, so that what is put right within a day is no move, and
several steps of one day are one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import TIMESTAMP, Numeric, Text, and_, cast, func, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import (
    Condition,
    Dimension,
    Fact,
    Measure,
    Metric,
    Population,
    Result,
    Tallies,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import known, source
from app.sales.org.days import day_of
from app.sales.org.metrics import credited_to, standing
from app.sales.pipeline.metrics.fact import DEALS, credited, of
from app.sales.pipeline.metrics.holders import holders
from app.sales.pipeline.models import opportunities, opportunities_history

_OF_THE_MOVE = ("stage_id", "pipeline_id", "forecast_category")
"""What of a deal is that of the move, beside its owner; all else is as of the moment asked for."""


def _moves(binds: Binds) -> FromClause:
    """Rows of the deal's columns, and `pushed_at, pushed_by, was_expected_on, now_expected_on, first`, which says that
    it is the deal's first of the bucket.

    Of the open versions that end in the bucket that one is taken with which the deal came into the day.
    """
    zone = binds.named("zone", Text())
    deal = source(opportunities, binds, "deal", tracked_only=True)
    begun, change = opportunities_history.alias("begun"), opportunities_history.alias("change")
    day = day_of(zone, begun.c.valid_to)
    begins, ends = (func.timezone(zone, cast(d, TIMESTAMP)) for d in (day, day + 1))
    in_order: Any = {"order_by": change.c.valid_from}
    of_the_day = (
        select(
            change.c.valid_from, change.c.expected_close_on, change.c.owner_id,
            *(change.c[name] for name in _OF_THE_MOVE),
            func.lag(change.c.expected_close_on).over(**in_order).label("before"),
            func.last_value(change.c.category).over(**in_order, rows=(None, None)).label("ends_as"),
        )
        .where(
            change.c.tenant_id == binds.tenant, change.c.record_id == begun.c.record_id, known(change, binds),
            change.c.valid_from >= begins, change.c.valid_from < ends, change.c.valid_from <= bucket("at"),
        )
        .correlate(begun)
        .subquery("of_the_day")
    )  # fmt: skip
    move = (
        select(*of_the_day.c)
        .where(of_the_day.c.expected_close_on.is_distinct_from(of_the_day.c.before))
        .order_by(of_the_day.c.valid_from.desc())
        .limit(1)
        .lateral("move")
    )
    first = func.row_number().over(partition_by=begun.c.record_id, order_by=move.c.valid_from)
    own = [move.c[c.name] if c.name in _OF_THE_MOVE else c for c in deal.c if c.name != "inferred"]
    return (
        select(
            *own,
            move.c.valid_from.label("pushed_at"),
            move.c.owner_id.label("pushed_by"),
            begun.c.expected_close_on.label("was_expected_on"),
            move.c.expected_close_on.label("now_expected_on"),
            (first == 1).label("first"),
        )
        .select_from(begun)
        .join(move, true())
        .join(deal, and_(deal.c.tenant_id == binds.tenant, deal.c.id == begun.c.record_id))
        .where(
            begun.c.tenant_id == binds.tenant, known(begun, binds), begun.c.category == constant("open"),
            begun.c.valid_to >= bucket("starts"), begun.c.valid_to < bucket("ends"),
            begun.c.valid_to <= bucket("at"), begun.c.valid_from < begins,
            move.c.ends_as == constant("open"), move.c.expected_close_on > begun.c.expected_close_on,
        )
        .subquery("push")
    )  # fmt: skip


def _pusher(s: Scope) -> ColumnElement[Any]:
    return s.row.c.pushed_by if s.credit == "at_close" else credited(s)


def _label(s: Scope) -> ColumnElement[Any]:
    return func.concat(
        s.row.c.name, constant(", from "), s.row.c.was_expected_on, constant(" to "), s.row.c.now_expected_on
    )


def _dimensions() -> tuple[Dimension, ...]:
    who = {d.name: d for d in credited_to(_pusher)}
    return tuple(who.get(d.name, d) for d in DEALS.dimensions)


MOVES: Fact = replace(
    DEALS,
    name="moves",
    rows=_moves,
    unborn=None,
    holders=holders(_pusher),
    joins={**DEALS.joins, **standing(_pusher)},
    dimensions=_dimensions(),
    label=_label,
    piece=lambda s: cast(s.row.c.pushed_at, Text),
)
PUSHED = Population(
    name="pushed",
    fact=MOVES,
    kind="flow",
    where=lambda s: true(),
    date=of("pushed_at"),
    # `_moves` has asked it already, of whole days.
    within=lambda s: true(),
)


def _leaves(unit: str) -> Condition:
    def condition(s: Scope) -> ColumnElement[bool]:
        was, becomes = (
            func.date_trunc(constant(unit), cast(day, TIMESTAMP))
            for day in (s.row.c.was_expected_on, s.row.c.now_expected_on)
        )
        return becomes > was

    return condition


DAYS_PUT_OFF = Measure(
    name="days",
    population=PUSHED,
    value=lambda s: cast(s.row.c.now_expected_on - s.row.c.was_expected_on, Numeric),
)


def _pushes(p: Tallies) -> Result:
    days = p["days"]
    beside = {
        **{name: p[name].total for name in ("pushed_deals", "slips", "quarter_slips")},
        "average_days": share(days.total, days.n),
    }
    return Result(p["pushes"].total, p["pushes"].n, beside=beside)


PUSHES = (
    Metric(
        name="push_count",
        title="Pushes",
        description="How often in the period the expected close of an open deal was put off.",
        kind="flow",
        unit="count",
        formula="Number of days on which an open deal's expected close ended later than it began",
        date_field="pushed",
        parts={
            "pushes": Measure(name="pushes", population=PUSHED),
            "pushed_deals": Measure(name="pushed_deals", population=PUSHED, only=of("first")),
            "slips": Measure(name="slips", population=PUSHED, only=_leaves("month")),
            "quarter_slips": Measure(name="quarter_slips", population=PUSHED, only=_leaves("quarter")),
            "days": DAYS_PUT_OFF,
        },
        combine=_pushes,
        beside={
            "pushed_deals": "Deals that were pushed, each where it first was in the period, so that groups add up to "
            "the whole.",
            "slips": "Pushes out of the calendar month in which the deal was expected; others stay within it.",
            "quarter_slips": "Pushes out of its calendar quarter.",
            "average_days": "By how many days the expected close was put off, on average.",
        },
        edge_rules=(
            "Days are those of the time zone asked for. What is changed several times on one day is one push, or none "
            "where the day ends with the date with which it began; of today, as it stands at the moment.",
            "The deal is open as the day begins and as it ends: a date that comes with the close is no push.",
            "To give a deal its first date is no push, nor to take it away, nor to pull it in.",
            "Dated by the last change of the date on that day; the deal's owner, stage and forecast category are those "
            "of that change, all else is as of the moment asked for.",
            "A deal that came without its past has no pushes before it came. The field `push_count` of a deal counts "
            "every change to a later date.",
            "By product, a deal counts in each of its groups and once in the total.",
        ),
        example="Expected on 20 March, put off on 10 March to the 25th and on the 24th to 8 April, which was corrected "
        "to the 10th that day. Pushes in March: 2 of 1 deal, slips 1, average days 10.5.",
    ),
)  # fmt: skip
