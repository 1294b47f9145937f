"""Numbers about what is expected, and how much of it is reached.

A quota spreads over the days of its period. What holds on a day is cut out of the tables as *pieces*: the version
that holds then, and of two quotas of one holder over the same days the one with the shorter period (a year's quota
does not add to the quarter's). A bucket takes from a piece its share of days, exactly.

Rolled up and assigned are never added. The value is what reps carry, summed upwards over the dated organisation. A
quota of a team, of a territory, or of a rep below whom somebody carries a quota for the same days is that level's own
number: it stands beside as `assigned`, is excluded from the sum with that reason, and so nothing counts twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from sqlalchemy import (
    CTE,
    Date,
    Integer,
    Numeric,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import DATERANGE
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
    Tally,
    Trailing,
    divide,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import held, known, source
from app.sales.org.days import day_of, days, first_day, piece, placement_by_day, reported_to_by_day
from app.sales.org.models import reps_history
from app.sales.pipeline.metrics import BOOKINGS, CLOSED_DEALS, OPEN_DUE, WON_OF_CLOSED
from app.sales.targets.models import quota_versions, quotas, quotas_history


def _pieces(binds: Binds) -> FromClause:
    stored = source(quotas, binds, "stored", tracked_only=True)
    length = stored.c.ends_on - stored.c.starts_on
    finer = func.range_agg(func.daterange(stored.c.starts_on, stored.c.ends_on)).over(
        partition_by=(
            func.coalesce(stored.c.rep_id, stored.c.team_id, stored.c.territory_id),
            stored.c.metric,
        ),
        order_by=length,
        range_=(None, -1),
    )
    quota = (
        select(*stored.c, finer.label("finer"))
        .where(
            stored.c.tenant_id == binds.tenant,
            stored.c.deleted_at.is_(None),
            stored.c.starts_on < bucket("last"),
            stored.c.ends_on > bucket("first"),
        )
        .subquery("quota")
    )
    version = source(quota_versions, binds, "version")
    step = union_all(
        select(quota.c.starts_on.label("day"), quota.c.amount, literal_column("0").label("later")).correlate(
            quota
        ),
        select(version.c.effective_from, version.c.amount, literal_column("1"))
        .where(version.c.tenant_id == binds.tenant, version.c.quota_id == quota.c.id)
        .correlate(quota),
    ).subquery("step")
    until = func.lead(step.c.day).over(order_by=(step.c.day, step.c.later))
    span = (
        select(step.c.day, func.coalesce(until, quota.c.ends_on).label("until"), step.c.amount)
        .correlate(quota)
        .lateral("span")
    )
    own = func.datemultirange(func.daterange(span.c.day, span.c.until))
    left = own.op("-")(func.coalesce(quota.c.finer, literal_column("'{}'::datemultirange")))
    piece = select(func.unnest(left, type_=DATERANGE()).label("days")).correlate(span, quota).lateral("piece")
    return (
        select(
            *(c for c in quota.c if c.name not in ("amount", "finer")),
            span.c.amount,
            func.lower(piece.c.days, type_=Date()).label("from_day"),
            func.upper(piece.c.days, type_=Date()).label("to_day"),
        )
        .select_from(quota)
        .join(span, literal_column("true"))
        .join(piece, literal_column("true"))
        .subquery("piece_of_quota")
    )


# --- who leads whom over these days ----------------------------------------------------------------------------------


def _led_days(s: Scope) -> CTE:
    """For every rep the days on which somebody who reported to it, directly or not, carries a quota for a metric."""
    place, above = reps_history.alias("carrier"), reps_history.alias("above")
    if s.binds.as_of:
        carried: FromClause = quotas_history.alias("carried")
        live = held(carried, s.binds, s.asked)
    else:
        carried = quotas.alias("carried")
        live = and_(carried.c.tenant_id == s.binds.tenant, carried.c.deleted_at.is_(None))
    since, until = first_day(s.zone, place.c.valid_from), first_day(s.zone, place.c.valid_to)
    lines = (
        select(
            place.c.manager_id.label("leader_id"),
            carried.c.metric,
            func.greatest(carried.c.starts_on, since).label("since"),
            func.least(carried.c.ends_on, until).label("until"),
        )
        .select_from(carried.join(place, place.c.record_id == carried.c.rep_id))
        .where(
            live,
            place.c.tenant_id == s.binds.tenant,
            known(place, s.binds),
            place.c.manager_id.is_not(None),
            carried.c.starts_on < s.binds.named("span_last", Date()),
            carried.c.ends_on > s.binds.named("span_first", Date()),
            since < carried.c.ends_on,
            until > carried.c.starts_on,
        )
        .cte(recursive=True)
    )
    since, until = first_day(s.zone, above.c.valid_from), first_day(s.zone, above.c.valid_to)
    lines = lines.union(
        select(
            above.c.manager_id,
            lines.c.metric,
            func.greatest(lines.c.since, since),
            func.least(lines.c.until, until),
        ).where(
            above.c.tenant_id == s.binds.tenant,
            known(above, s.binds),
            above.c.record_id == lines.c.leader_id,
            above.c.manager_id.is_not(None),
            since < lines.c.until,
            until > lines.c.since,
        )
    )
    return (
        select(
            lines.c.leader_id,
            lines.c.metric,
            func.range_agg(func.daterange(lines.c.since, lines.c.until)).label("days"),
        )
        .group_by(lines.c.leader_id, lines.c.metric)
        .cte()
    )


def _shares_days(s: Scope, led: FromClause) -> ColumnElement[bool]:
    return and_(
        led.c.leader_id == s.row.c.rep_id,
        led.c.metric == s.row.c.metric,
        led.c.days.op("&&")(func.daterange(s.row.c.starts_on, s.row.c.ends_on)),
    )


def _leads(s: Scope) -> ColumnElement[bool]:
    """Whether the holder leads somebody who carries a quota over some of the same days."""
    return s.join("led").c.leader_id.is_not(None)


def _assigned(s: Scope) -> ColumnElement[bool]:
    return or_(s.row.c.rep_id.is_(None), _leads(s))


def _assigned_to_group(s: Scope) -> ColumnElement[bool]:
    """Assigned at the very level that the question groups by; levels are never added to each other."""
    level = s.by[0] if len(s.by) == 1 else None
    if level in ("team", "territory"):
        return s.row.c[f"{level}_id"].is_not(None)
    if level in ("rep", "manager"):
        return and_(s.row.c.rep_id.is_not(None), _leads(s))
    return false()


def _holder(s: Scope) -> ColumnElement[Any]:
    return s.row.c.rep_id


QUOTAS = Fact(
    name="quotas",
    noun="quotas",
    rows=_pieces,
    label=lambda s: s.row.c.period,
    piece=piece,
    joins={
        "place": placement_by_day(_holder),
        "led": Join(rows=_led_days, on=_shares_days),
    },
    dimensions=(
        Dimension(name="rep", title="Rep", noun="reps", value=_holder),
        Dimension(
            name="manager", title="Direct manager", noun="reps", within=reported_to_by_day(_holder),
            value=lambda s: case(
                (and_(s.row.c.rep_id.is_not(None), _leads(s)), s.row.c.rep_id), else_=s.join("place").c.manager_id
            ),
        ),
        Dimension(
            name="team", title="Team", noun="teams",
            value=lambda s: func.coalesce(s.row.c.team_id, s.join("place").c.team_id),
        ),
        Dimension(
            name="territory", title="Territory", noun="territories",
            value=lambda s: func.coalesce(s.row.c.territory_id, s.join("place").c.territory_id),
        ),
    ),
)  # fmt: skip

FOR_BOOKINGS = Population(
    name="quota",
    fact=QUOTAS,
    kind="flow",
    where=lambda s: s.row.c.metric == constant("bookings"),
    date=lambda s: s.row.c.starts_on,
    within=lambda s: and_(s.row.c.from_day < bucket("last"), s.row.c.to_day > bucket("first")),
    rate_day=lambda s: s.row.c.starts_on,
)

_AMOUNT: dict[str, Any] = {
    "population": FOR_BOOKINGS,
    "money": True,
    "value": lambda s: s.amount,
    "weight": lambda s: cast(days(s), Numeric),
    "over": lambda s: cast(s.row.c.ends_on - s.row.c.starts_on, Integer),
}


def _days_begun(s: Scope) -> ColumnElement[Any]:
    return days(s, day_of(s.zone, s.asked) + 1)


QUOTA = Measure(name="quota", only=lambda s: days(s) > 0, exclusions=(("assigned", _assigned),), **_AMOUNT)
ASSIGNED = Measure(name="assigned", only=lambda s: and_(days(s) > 0, _assigned_to_group(s)), **_AMOUNT)
DUE_TO_DATE = Measure(
    name="due",
    only=lambda s: _days_begun(s) > 0,
    exclusions=(("assigned", _assigned),),
    **{**_AMOUNT, "weight": lambda s: cast(_days_begun(s), Numeric)},
)


def _no_quota(quota: Tally) -> str:
    return "missing_fx" if quota.excluded["missing_fx"] else "no_quota"


def _quota(p: Tallies) -> Result:
    quota, assigned = p["quota"], p["assigned"]
    beside = {
        "assigned": assigned.total if assigned.n else None,
        "over_assignment": share(quota.total - assigned.total, assigned.total),
    }
    if quota.n == 0:
        reason = _no_quota(quota)
        return Result(None, 0, null_reason=reason, beside=beside)
    return Result(quota.total, quota.n, beside=beside)


def _attainment(p: Tallies) -> Result:
    booked, quota, assigned = p["bookings"], p["quota"], p["assigned"]
    reason = _no_quota(quota)
    beside = {
        "assigned": assigned.total if assigned.n else None,
        "vs_assigned": share(booked.total, assigned.total),
    }
    if booked.unpriced:
        return Result(None, 0, None, quota.total, "missing_fx", beside)
    return divide(booked.total, quota.total, booked.n, reason, beside)


def _gap(p: Tallies) -> Result:
    booked, quota = p["bookings"], p["quota"]
    if quota.n == 0:
        reason = _no_quota(quota)
        return Result(None, booked.n, null_reason=reason)
    if booked.unpriced:
        return Result(None, 0, null_reason="missing_fx")
    return Result(quota.total - booked.total, booked.n)


_BANDS: tuple[tuple[str, Fraction, Fraction | None], ...] = (
    ("below_50", Fraction(-(10**30)), Fraction(1, 2)),
    ("from_50_to_70", Fraction(1, 2), Fraction(7, 10)),
    ("from_70_to_100", Fraction(7, 10), Fraction(1)),
    ("from_100_to_120", Fraction(1), Fraction(6, 5)),
    ("above_120", Fraction(6, 5), None),
)


def _of_rep(p: Tallies) -> Result:
    """A rep's attainment; who carries nothing but a level's own quota is told apart from who carries none."""
    found = _attainment({**p, "assigned": Tally()})
    if found.null_reason == "no_quota" and p["quota"].excluded["assigned"]:
        return replace(found, null_reason="assigned")
    return found


def _carriers(reps: Sequence[Result]) -> tuple[list[Fraction], dict[str, int]]:
    """The attainments of those who carry a quota, and why others have none."""
    left_out = Counter(rep.null_reason for rep in reps if rep.value is None and rep.null_reason)
    return [rep.value for rep in reps if rep.value is not None], dict(left_out)


def _participation(reps: Sequence[Result]) -> Result:
    carried, left_out = _carriers(reps)
    met = sum(attained >= 1 for attained in carried)
    beside = {"at_least_70": share(Fraction(sum(x >= Fraction(7, 10) for x in carried)), len(carried))}
    found = divide(Fraction(met), len(carried), len(carried), "no_quota", beside)
    return replace(found, excluded=left_out)


def _bands(reps: Sequence[Result]) -> Result:
    carried, left_out = _carriers(reps)
    counts: dict[str, Fraction | None] = {
        name: Fraction(sum(low <= x and (high is None or x < high) for x in carried))
        for name, low, high in _BANDS
    }
    return Result(Fraction(len(carried)), len(carried), beside=counts, excluded=left_out)


def _to_date(p: Tallies) -> Result:
    booked, due = p["bookings"], p["due"]
    if booked.unpriced:
        return Result(None, 0, None, due.total, "missing_fx")
    reason = "not_begun" if p["quota"].n and not due.n else _no_quota(due)
    return divide(booked.total, due.total, booked.n, reason, {"full_quota": p["quota"].total})


def _coverage(p: Tallies) -> Result:
    due, booked, quota, won, closed = (p[name] for name in ("due", "bookings", "quota", "won", "closed"))
    remaining = quota.total - booked.total
    beside: dict[str, Fraction | None] = {
        "vs_remaining": share(due.total, remaining) if remaining > 0 else None,
        "vs_full_quota": share(due.total, quota.total),
        "required": share(closed.total, won.total),
    }
    if quota.total <= 0:
        reason = _no_quota(quota)
        return Result(None, due.n, due.total, remaining, reason, beside)
    if remaining <= 0:
        return Result(None, due.n, due.total, remaining, "quota_met", beside)
    if due.unpriced:
        return Result(None, 0, None, remaining, "missing_fx", beside)
    return divide(due.total, remaining, due.n, beside=beside)


def _past_due(s: Scope) -> ColumnElement[bool]:
    return s.row.c.expected_close_on < cast(func.timezone(s.zone, bucket("at")), Date)


_QUOTA_RULES = (
    "A change within the period weighs each amount by the days on which it held.",
    "Of two quotas of one holder over the same days the one with the shorter period holds.",
    "The value is rolled up from what reps carry. Quotas of teams and territories, and of a rep below whom somebody "
    "carries a quota over the same days, are that level's own: excluded as `assigned`, shown beside it where the "
    "question groups by that level, never added.",
    "By manager, team and territory a quota follows its rep day by day; with `credit=current`, today's place.",
    "Converted at the rate of the first day of the quota's period.",
)  # fmt: skip
_OF_REPS = (
    "Reps without a quota are excluded as `no_quota`, those with nothing but a quota of their level as `assigned`, "
    "those of whom the amounts cannot be priced as `missing_fx`."
)
_NO_QUOTA = "No quota, or a quota of 0, is null with `no_quota`."
_ASSIGNED = "The level's own quota, where the question groups by rep, manager, team or territory."

METRICS = (
    Metric(
        name="quota",
        title="Quota",
        description="What is expected of the reps in the period, as effective day by day.",
        kind="flow",
        unit="money",
        formula="Sum over the days of the period of (the amount that holds on the day ÷ the days of its period)",
        date_field="days of the quota's period",
        parts={"quota": QUOTA, "assigned": ASSIGNED},
        aside=frozenset({"assigned"}),
        combine=_quota,
        beside={"assigned": _ASSIGNED, "over_assignment": "(Rolled up - assigned) ÷ assigned."},
        edge_rules=(*_QUOTA_RULES, "No quota at all is null with `no_quota`."),
        example="90,000 for 2026-Q1, raised to 180,000 from 15 February: (45 x 90,000 + 45 x 180,000) ÷ 90 = 135,000.",
    ),
    Metric(
        name="quota_gap",
        title="Quota gap",
        description="What is missing to the effective quota of the whole period; negative where it is exceeded.",
        kind="flow",
        unit="money",
        formula="Quota - bookings",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA},
        combine=_gap,
        edge_rules=("No quota is null with `no_quota`; a quota of 0 is a quota.", *_QUOTA_RULES),
        example="Effective quota 135,000, bookings 108,000. Gap: 27,000.",
    ),
    Metric(
        name="quota_attainment",
        title="Quota attainment",
        description="Credited bookings against the effective quota of the whole period.",
        kind="ratio",
        unit="ratio",
        formula="Bookings ÷ quota",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA, "assigned": ASSIGNED},
        aside=frozenset({"assigned"}),
        combine=_attainment,
        beside={"assigned": _ASSIGNED, "vs_assigned": "Bookings ÷ assigned."},
        edge_rules=(_NO_QUOTA, *_QUOTA_RULES),
        example="Bookings 108,000, effective quota 135,000. Attainment: 0.8.",
    ),
    Metric(
        name="quota_attainment_to_date",
        title="Attainment to date",
        description="What was booked so far, as a share of what the quota expects so far.",
        kind="ratio",
        unit="ratio",
        formula="Bookings ÷ the quota's share of the days that have begun",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA, "due": DUE_TO_DATE},
        combine=_to_date,
        aside=frozenset({"quota"}),
        beside={"full_quota": "Of the whole period."},
        edge_rules=("Every day of a quota's period counts alike, and today counts as begun; once the period is over it "
                    "is the attainment.", "A period that has not begun is null with `not_begun`.", _NO_QUOTA,
                    *_QUOTA_RULES),
        example="Quota of a quarter of 90 days: 90,000. Booked by the end of day 30: 33,000. To date: 33 ÷ 30 = 1.1.",
    ),
    Metric(
        name="quota_participation",
        title="Quota participation",
        description="Of the reps who carry a quota, the share that reached it.",
        kind="ratio",
        unit="ratio",
        formula="Reps whose attainment is at least 1 ÷ reps with a quota",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA},
        combine=_of_rep,
        each="rep",
        over=_participation,
        proportion=True,
        beside={"at_least_70": "The share that reached at least 70 % of it."},
        edge_rules=(_OF_REPS, "It is not the attainment of the team, which a single rep can carry.", *_QUOTA_RULES),
        example="Attainments of 1.8, 0.9, 0.6 and 0.3, one rep without a quota. Participation: 0.25, no_quota: 1.",
    ),
    Metric(
        name="attainment_bands",
        title="Attainment bands",
        description="How many reps carry a quota, by how much of it they reached.",
        kind="stock",
        unit="count",
        formula="Number of reps with a quota, in bands of their attainment",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA},
        combine=_of_rep,
        each="rep",
        over=_bands,
        beside={
            "below_50": "Below 50 %, also what went below 0 by reversals.",
            "from_50_to_70": "At least 50 %, below 70 %.", "from_70_to_100": "At least 70 %, below 100 %.",
            "from_100_to_120": "At least 100 %, below 120 %.", "above_120": "At least 120 %.",
        },
        edge_rules=(_OF_REPS, *_QUOTA_RULES),
        example="Attainments of 1.8, 0.9, 0.6 and 0.3: 4 reps, one each above 120, from 70, from 50, below 50.",
    ),
    Metric(
        name="pipeline_coverage",
        title="Pipeline coverage",
        description="Open pipeline that should close in the period, against what is still missing to the quota.",
        kind="ratio",
        unit="ratio",
        formula="Open pipeline with its expected close in the period ÷ (quota - bookings of the period)",
        date_field="expected_close",
        parts={
            "due": Measure(name="due", population=OPEN_DUE, value=lambda s: s.amount, money=True,
                           exclusions=(("past_due", _past_due),)),
            "bookings": BOOKINGS,
            "quota": QUOTA,
            "won": Trailing(WON_OF_CLOSED),
            "closed": Trailing(CLOSED_DEALS),
        },
        combine=_coverage,
        at_end=True,
        beside={
            "vs_remaining": "Against the quota less bookings; the same as the value.",
            "vs_full_quota": "Against the whole quota.",
            "required": "1 ÷ the win rate of the trailing twelve months: the coverage that it takes.",
        },
        edge_rules=("Nothing missing is null with `quota_met`.", _NO_QUOTA,
                    "Deals whose expected close has passed are excluded as `past_due`; those without one as "
                    "`no_expected_close`.",
                    "Pipeline, bookings and quota as they stood at the end of the bucket, or at `as_of` or now where "
                    "that is earlier.", *_QUOTA_RULES),
        example="Due 120,000, quota 135,000, booked 95,000. Coverage: 120,000 ÷ 40,000 = 3.",
    ),
)  # fmt: skip
