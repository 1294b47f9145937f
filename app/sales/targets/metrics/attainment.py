"""Numbers about what is expected, and how much of it is reached."""

from __future__ import annotations

from fractions import Fraction

from sqlalchemy import Date, cast, func
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Result, Tallies, Tally, Trailing, divide, share
from app.language.metrics.scope import Scope, bucket
from app.sales.pipeline.metrics import BOOKINGS, CLOSED_DEALS, OPEN_DUE, WON_OF_CLOSED
from app.sales.targets.metrics.fact import ASSIGNED, DUE_TO_DATE, QUOTA
from app.sales.targets.metrics.wording import ASSIGNED as ASSIGNED_RULE
from app.sales.targets.metrics.wording import NO_QUOTA, QUOTA_RULES


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


def attainment(p: Tallies) -> Result:
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


ATTAINMENT = (
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
        beside={"assigned": ASSIGNED_RULE, "over_assignment": "(Rolled up - assigned) ÷ assigned."},
        edge_rules=(*QUOTA_RULES, "No quota at all is null with `no_quota`."),
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
        edge_rules=("No quota is null with `no_quota`; a quota of 0 is a quota.", *QUOTA_RULES),
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
        combine=attainment,
        beside={"assigned": ASSIGNED_RULE, "vs_assigned": "Bookings ÷ assigned."},
        edge_rules=(NO_QUOTA, *QUOTA_RULES),
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
                    "is the attainment.", "A period that has not begun is null with `not_begun`.", NO_QUOTA,
                    *QUOTA_RULES),
        example="Quota of a quarter of 90 days: 90,000. Booked by the end of day 30: 33,000. To date: 33 ÷ 30 = 1.1.",
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
        edge_rules=("Nothing missing is null with `quota_met`.", NO_QUOTA,
                    "Deals whose expected close has passed are excluded as `past_due`; those without one as "
                    "`no_expected_close`.",
                    "Pipeline, bookings and quota as they stood at the end of the bucket, or at `as_of` or now where "
                    "that is earlier.", *QUOTA_RULES),
        example="Due 120,000, quota 135,000, booked 95,000. Coverage: 120,000 ÷ 40,000 = 3.",
    ),
)  # fmt: skip
