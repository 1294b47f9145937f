"""Numbers about what reps do: how much, for how long, and what of it sells.

What is done is dated by when it began (`occurred_at`) and is its owner's. Hours are those of the union of what an owner
did: of what overlaps, each activity counts for the time that none which began before it covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from sqlalchemy import Numeric, and_, case, false, func, literal_column, or_, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import (
    Dimension,
    Fact,
    Join,
    Measure,
    Metric,
    Population,
    Result,
    Tallies,
    divide,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import source
from app.sales.activities.models import activities
from app.sales.org import visibility
from app.sales.org.metrics import credited_to, standing
from app.sales.org.people import AVERAGE, AVERAGE_REPS_IN_REACH, LEADING_HOURS, WORKING_HOURS, leaders
from app.sales.org.working_time import scheduled
from app.sales.pipeline.metrics.populations import WON

UNCONNECTED = ("unconnected", "not_connected", "voicemail", "left_voicemail", "no_answer", "busy", "failed")
"""Outcomes of a call in which nobody was spoken to, in small letters and with `_` for what stands between words."""

SELLING = ("selling", "prospecting")
"""Purposes of the time that goes to customers, and to finding them."""


MEDIAN = Fraction(1, 2)


def _of(column: str) -> Any:
    return lambda s: s.row.c[column]


def _is(name: str, *values: str) -> Any:
    return lambda s: s.row.c[name].in_([constant(value) for value in values])


def _quoted(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _begun(activity: FromClause) -> ColumnElement[bool]:
    """What is carried back from a present record was not done before it took place."""
    return (activity.c.occurred_at <= bucket("at")).is_not(false())


# --- how much ---------------------------------------------------------------------------------------------------------

ACTIVITIES = Fact(
    name="activities",
    noun="activities",
    rows=lambda binds: source(activities, binds, "activity", tracked_only=True),
    label=_of("subject"),
    custom={"custom": ("activities", lambda s: s.row)},
    joins=standing(_of("owner_id")),
    dimensions=(
        *credited_to(_of("owner_id")),
        Dimension(name="kind", title="Kind of activity", value=_of("kind")),
        Dimension(name="purpose", title="Purpose", value=_of("purpose")),
        Dimension(name="direction", title="Direction", value=_of("direction")),
        Dimension(name="outcome", title="Outcome", value=_of("outcome")),
        Dimension(name="account", title="Account", noun="accounts", value=_of("account_id")),
        Dimension(name="opportunity", title="Deal", noun="opportunities", value=_of("opportunity_id")),
    ),
)


def _planned(s: Scope) -> ColumnElement[bool]:
    return ~s.row.c.done


def _of_reps_in_reach(activity: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Where it is divided by the reps whose work the asker sees: what it sees of somebody else's, since it is about a
    deal or an account of its own, is not theirs. What nobody owns is told as such."""
    seen, owner = visibility.activities(activity, binds), activity.c.owner_id
    return None if seen is None else and_(seen, or_(owner.is_(None), visibility.within_reach(owner, binds)))


DONE_OR_PLANNED = Population(
    name="activities",
    fact=ACTIVITIES,
    kind="flow",
    # Of what is planned, that which has its time.
    where=lambda s: case((s.row.c.done, _begun(s.row)), else_=s.row.c.occurred_at.is_not(None)),
    date=_of("occurred_at"),
    undated="undated",
    dateless=lambda s: and_(s.row.c.done, func.num_nulls(s.row.c.occurred_at) == literal_column("1")),
)

_PLANNED = ("planned", _planned)
_NO_OWNER = ("no_owner", lambda s: s.row.c.owner_id.is_(None))


def _unconnected(s: Scope) -> ColumnElement[bool]:
    outcome = func.translate(func.lower(s.row.c.outcome), literal_column("' -'"), literal_column("'__'"))
    return outcome.in_([constant(value) for value in UNCONNECTED])


DONE = Measure(name="activities", population=DONE_OR_PLANNED, exclusions=(_PLANNED,))
DONE_BY_REPS = Measure(
    name="activities",
    population=replace(DONE_OR_PLANNED, name="activities_of_reps", visible=_of_reps_in_reach),
    exclusions=(_PLANNED, _NO_OWNER),
)
CALLS = Measure(name="calls", population=DONE_OR_PLANNED, only=_is("kind", "call"), exclusions=(_PLANNED,))
TALKED = Measure(
    name="duration",
    population=DONE_OR_PLANNED,
    only=_is("kind", "call"),
    value=_of("duration_seconds"),
    quantiles=(MEDIAN,),
    exclusions=(
        _PLANNED,
        ("unconnected", _unconnected),
        ("no_duration", lambda s: s.row.c.duration_seconds.is_(None)),
    ),
)


def _average_duration(p: Tallies) -> Result:
    duration = p["duration"]
    return divide(duration.total, duration.n, duration.n, beside={"median": duration.quantiles.get(MEDIAN)})


def _per_rep(p: Tallies) -> Result:
    return divide(p["activities"].total, p["average_reps"].total, p["activities"].n)


# --- on the way to a won deal -----------------------------------------------------------------------------------------


def _done_before_the_close(s: Scope) -> ColumnElement[Any]:
    done = s.source(activities, "done_on_it")
    count = select(func.count()).where(
        done.c.tenant_id == s.binds.tenant, done.c.opportunity_id == s.row.c.id, done.c.deleted_at.is_(None),
        done.c.done, done.c.occurred_at < s.row.c.closed_at,
    )  # fmt: skip
    return count.correlate(s.row, *s.joined).scalar_subquery()


DONE_ON_WON_DEALS = Measure(name="activities", population=WON, value=_done_before_the_close)


def _per_won_deal(p: Tallies) -> Result:
    return divide(p["activities"].total, p["activities"].n, p["activities"].n)


# --- for how long -----------------------------------------------------------------------------------------------------


def _timed(binds: Binds) -> FromClause:
    """What took place in the bucket, each with the time that it adds to what its owner had done before: of all, and of
    some purposes. Of the reps by whose hours it is divided, what the asker sees: what it does not see covers nothing.
    """
    a = source(activities, binds, "a", tracked_only=True)
    ends = case((a.c.done, a.c.occurred_at + a.c.duration_seconds * literal_column("interval '1 second'")))

    def adds(*purposes: str) -> ColumnElement[Any]:
        counted = a.c.purpose.in_([constant(x) for x in purposes]) if purposes else true()
        covered = func.max(ends).filter(counted).over(
            partition_by=a.c.owner_id, order_by=(a.c.occurred_at, a.c.id), rows=(None, -1)
        )  # fmt: skip
        more = func.extract("epoch", ends - func.greatest(a.c.occurred_at, covered))
        return case((counted, func.greatest(more, 0)))

    seen = _of_reps_in_reach(a, binds)
    return (
        select(
            *a.c,
            adds().label("logged"),
            adds(*SELLING).label("selling"),
            adds(*SELLING, "preparation").label("with_preparation"),
            adds("coaching").label("coaching"),
        )
        .where(
            a.c.tenant_id == binds.tenant,
            a.c.deleted_at.is_(None),
            a.c.occurred_at >= bucket("starts"),
            a.c.occurred_at < bucket("ends"),
            or_(~a.c.done, _begun(a)),
            *([] if seen is None else [seen]),
        )
        .subquery("timed")
    )


TIME = Fact(
    name="time",
    noun="activities",
    rows=_timed,
    label=_of("subject"),
    joins={
        **standing(_of("owner_id")),
        "leader": Join(
            rows=leaders,
            on=lambda s, leader: and_(
                leader.c.rep_id == s.row.c.owner_id, leader.c.while_leading.op("@>")(s.at)
            ),
        ),
    },
    dimensions=credited_to(_of("owner_id")),
)

TIMED = Population(
    name="time",
    fact=TIME,
    kind="flow",
    where=lambda s: true(),
    date=_of("occurred_at"),
    # `_timed` has asked both already, and needs what lies before a page to know what the page's rows add.
    within=lambda s: true(),
    visible=lambda rows, binds: None,
)


def _hours(name: str, *conditions: Any, of: str) -> Measure:
    """The hours that a column of `_timed` tells; it is null of what is for other purposes."""

    def only(s: Scope) -> ColumnElement[bool]:
        return and_(s.row.c[of].is_not(None), *(condition(s) for condition in conditions))

    return Measure(
        name=name,
        population=TIMED,
        value=lambda s: s.row.c[of].cast(Numeric),
        only=only,
        over=3600,
        exclusions=(
            _PLANNED, _NO_OWNER, ("no_duration", lambda s: s.row.c.duration_seconds.is_(None)),
        ),
    )  # fmt: skip


def _leads(s: Scope) -> ColumnElement[bool]:
    return s.join("leader").c.rep_id.is_not(None)


def _unscheduled(s: Scope) -> ColumnElement[bool]:
    """Whether nobody has said when the owner works."""
    return s.row.c.owner_id.not_in(scheduled(s.binds))


def _share_of_time(p: Tallies, hours: str) -> Result:
    """Of working hours; of those who have no calendar, of the hours that they logged."""
    logged, working, unscheduled = (p[name] for name in ("logged", "working", "unscheduled"))
    of = working.total + unscheduled.total
    beside = {
        "of_logged": share(p[hours].total, logged.total),
        "working_hours": working.total,
        "logged_hours": unscheduled.total,
    }
    if "with_preparation" in p:
        beside["with_preparation"] = share(p["with_preparation"].total, of)
    return divide(p[hours].total, of, logged.n, beside=beside)


def _selling_share(p: Tallies) -> Result:
    return _share_of_time(p, "selling")


def _coaching_share(p: Tallies) -> Result:
    return _share_of_time(p, "coaching")


# --- in words ---------------------------------------------------------------------------------------------------------

_DONE = (
    "What is planned is excluded as `planned` where it has a time (`occurred_at`); what only is due then belongs to no "
    "period."
)
_UNDATED = "What is done but has no time belongs to no period: excluded as `undated`."
_OWNER = (
    "By rep, manager, team, territory and function an activity is its owner's, with the place that the owner had when "
    "it took place; `credit=current` follows today's. Others who took part are not recorded."
)
_CONNECTED = (
    f"A call counts as connected unless its outcome says otherwise: {_quoted(UNCONNECTED)}, however it is spelt, are "
    "excluded as `unconnected`."
)
_OVERLAP = (
    "Time in which somebody did two things at once counts once, for what began first: overlapping activities are the "
    "union of their times."
)
_WHOLE = "An activity is its bucket's in which it begins, with all of its time."
_NO_DURATION = "What has no duration is excluded as `no_duration`, what nobody owns as `no_owner`."
_BASIS = (
    "Divided by the working hours of the calendars by which the reps go, on the days that they were at work and that "
    "have begun: so time that nobody logs counts as spent otherwise. Of reps without a calendar it is the hours that "
    "they logged; `working_hours` and `logged_hours` say which."
)
_SAME_REPS = "Both sides are of the reps whose work the asker sees: its own and those below."
_AT_WORK = (
    "All reps at work count, whatever their function; name one to count those alone. One of whom nobody knows since "
    "when it was there is excluded as `no_hire_date` for as long."
)
_IN_HOURS = {
    "working_hours": "The denominator as far as it is working hours.",
    "logged_hours": "As far as it is hours that were logged, for want of a calendar.",
}

METRICS = (
    Metric(
        name="activities",
        title="Activities",
        description="Calls, e-mails, meetings, tasks and notes that were done in the period.",
        kind="flow",
        unit="count",
        formula="Number of activities done, by the moment at which they took place",
        date_field="occurred",
        parts={"activities": DONE},
        edge_rules=(_DONE, _UNDATED, _OWNER),
        example="In March two calls and a meeting were done, another meeting is planned for the 30th. Activities in "
                "March: 3, planned: 1.",
    ),
    Metric(
        name="calls",
        title="Calls",
        description="Calls that were made or taken in the period, whether anybody was reached or not.",
        kind="flow",
        unit="count",
        formula="Number of activities of the kind call done, by the moment at which they took place",
        date_field="occurred",
        parts={"calls": CALLS},
        edge_rules=(_DONE, _UNDATED, _OWNER),
        example="In March one call was connected, another went to voicemail. Calls in March: 2.",
    ),
    Metric(
        name="average_call_duration",
        title="Average call duration",
        description="The mean length of the calls in which somebody was reached, in seconds.",
        kind="ratio",
        unit="seconds",
        formula="Sum of the durations of connected calls ÷ their number",
        date_field="occurred",
        parts={"duration": TALKED},
        combine=_average_duration,
        beside={"median": "What half of these calls did not exceed: one that nobody hung up does not move it."},
        edge_rules=(_CONNECTED, "A call without a duration is excluded as `no_duration`; one of 0 seconds counts.",
                    "No such call is null, not 0.", _DONE, _UNDATED, _OWNER),
        example="Calls of 240, 300 and 630 seconds, one of 20 to a voicemail, one whose length nobody noted. Average: "
                "390, median: 300.",
    ),
    Metric(
        name="activities_per_rep",
        title="Activities per rep",
        description="Activities done in the period, by the reps who were at work.",
        kind="ratio",
        unit="count",
        formula="Activities ÷ average headcount of the period",
        date_field="occurred",
        parts={"activities": DONE_BY_REPS, "average_reps": AVERAGE_REPS_IN_REACH},
        combine=_per_rep,
        edge_rules=(AVERAGE, "Nobody at work is null, not 0.",
                    _SAME_REPS,
                    "All reps count, whatever their function; name one to count those alone.",
                    "What nobody owns is excluded as `no_owner`.",
                    "A rep of whom nobody knows since when it was there is excluded as `no_hire_date` for as long.",
                    _DONE, _UNDATED, _OWNER),
        example="45 activities in April; one rep at work all month, another for its last fifteen days. 45 ÷ 1.5 = 30.",
    ),
    Metric(
        name="activities_per_won_deal",
        title="Activities per won deal",
        description="What was done on the deals won in the period, before each was won.",
        kind="ratio",
        unit="count",
        formula="Activities done on won deals before their close ÷ won deals",
        date_field="closed",
        parts={"activities": DONE_ON_WON_DEALS},
        combine=_per_won_deal,
        edge_rules=("The deals are those closed in the period; their activities may be older.",
                    "What was done at the close or later, what is planned and what has no time does not count.",
                    "A deal on which nothing was done counts with 0; no won deal is null.",
                    "Activities of the deal itself; those of its account alone are no part of it.",
                    "Deals without a close date are excluded as `no_close_date`.",
                    "By product, a deal counts with all its activities in each of its groups."),
        example="Won in March: one deal after 5 activities and with 2 more since, one after 1. (5 + 1) ÷ 2 = 3.",
    ),
    Metric(
        name="selling_time_share",
        title="Selling time",
        description="Of the hours that reps work, the share that goes to selling.",
        kind="ratio",
        unit="ratio",
        formula=f"Hours of activities for {_quoted(SELLING)} ÷ working hours",
        date_field="occurred",
        parts={
            "selling": _hours("selling", of="selling"),
            "with_preparation": _hours("with_preparation", of="with_preparation"),
            "logged": _hours("logged", of="logged"),
            "unscheduled": _hours("unscheduled", _unscheduled, of="logged"),
            "working": WORKING_HOURS,
        },
        combine=_selling_share,
        aside=frozenset({"with_preparation"}),
        beside={
            "with_preparation": f"With `preparation`, as some studies count: {_quoted(SELLING)}, `preparation`.",
            "of_logged": "Of the hours that were logged, calendar or not.", **_IN_HOURS,
        },
        edge_rules=(_BASIS, _AT_WORK, _SAME_REPS, _OVERLAP, _WHOLE, _NO_DURATION, "No hours are null, not 0.", _DONE,
                    _OWNER),
        example="A meeting to sell from 9 to 11, a call to sell from 10 to 12, and an hour of administration from 13, "
                "in a week of 40 working hours: 3 of 40, 0.075; of the hours logged 3 of 4.",
    ),
    Metric(
        name="coaching_time_share",
        title="Coaching time",
        description="Of the hours that managers work, the share in which they coach.",
        kind="ratio",
        unit="ratio",
        formula="Hours of managers' activities for `coaching` ÷ their working hours",
        date_field="occurred",
        parts={
            "coaching": _hours("coaching", _leads, of="coaching"),
            "logged": _hours("logged_by_managers", _leads, of="logged"),
            "unscheduled": _hours("unscheduled_managers", _leads, _unscheduled, of="logged"),
            "working": LEADING_HOURS,
        },
        combine=_coaching_share,
        beside={"of_logged": "Of the hours that managers logged, calendar or not.", **_IN_HOURS},
        edge_rules=("A manager is whoever somebody reports to when the activity takes place; for working hours, when "
                    "the day begins.",
                    "A session with several reps, logged once or once for each of them, counts once.",
                    _BASIS, _AT_WORK, _SAME_REPS, _OVERLAP, _WHOLE, _NO_DURATION, "No hours are null, not 0.", _DONE,
                    _OWNER),
        example="A session of an hour with two reps, logged for each of them, in a week of 40 working hours: "
                "1 ÷ 40 = 0.025. Without a calendar, beside three hours of administration: 1 ÷ 4.",
    ),
)  # fmt: skip
