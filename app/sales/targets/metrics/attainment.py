"""Numbers about what is expected, and how much of it is reached."""

from __future__ import annotations

from fractions import Fraction

from sqlalchemy import Date, cast, func
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Result, Tallies, Tally, Trailing, divide, share
from app.language.metrics.scope import Scope, bucket
from app.sales.pipeline.metrics import BOOKINGS, CLOSED_DEALS, OPEN_DUE, WON_OF_CLOSED
from app.sales.targets.metrics.fact import ASSIGNED, BEFORE_RAMP, DAYS, DAYS_BEGUN, DUE_TO_DATE, QUOTA
from app.sales.targets.metrics.relief import RELIEF
from app.sales.targets.metrics.wording import ASSIGNED as ASSIGNED_RULE
from app.sales.targets.metrics.wording import (
    BEGUN_RULES,
    LET_OFF,
    LET_OFF_RULES,
    NO_QUOTA,
    QUOTA_RULES,
    RELIEF_RULES,
)


def _no_quota(quota: Tally) -> str:
    return "missing_fx" if quota.excluded.get("missing_fx") else "no_quota"


def _let_off(p: Tallies) -> Fraction | None:
    """None where it cannot be priced."""
    return None if p["relief"].excluded.get("missing_fx") else p["relief"].total


def _after_relief(p: Tallies) -> Fraction | None:
    """What is left of the quota, where there is one."""
    let_off = _let_off(p)
    return None if let_off is None or not p["quota"].n else p["quota"].total - let_off


def _quota(p: Tallies) -> Result:
    quota, assigned = p["quota"], p["assigned"]
    beside = {
        "assigned": assigned.total if assigned.n else None,
        "over_assignment": share(quota.total - assigned.total, assigned.total),
        "relief": _let_off(p),
        "after_relief": _after_relief(p),
        "before_ramp": p["before_ramp"].total if quota.n else None,
    }
    if quota.n == 0:
        reason = _no_quota(quota)
        return Result(None, 0, null_reason=reason, beside=beside)
    return Result(quota.total, quota.n, beside=beside)


def _relief(p: Tallies) -> Result:
    let_off, quota = p["relief"], p["quota"]
    beside = {"after_relief": _after_relief(p)}
    if let_off.unpriced:
        return Result(None, 0, None, quota.total, "missing_fx", beside)
    return divide(let_off.total, quota.total, let_off.n, _no_quota(quota), beside)


def attainment(p: Tallies) -> Result:
    booked, quota, assigned = p["bookings"], p["quota"], p["assigned"]
    reason, left = _no_quota(quota), _after_relief(p)
    beside = {
        "assigned": assigned.total if assigned.n else None,
        "vs_assigned": share(booked.total, assigned.total),
        "after_relief": booked.total / left
        if left is not None and left > 0 and not booked.unpriced
        else None,
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


def _due_reason(p: Tallies, due: Tally) -> str:
    """Why nothing is due yet, where nothing is."""
    return "not_begun" if p["quota"].total and not due.total else _no_quota(p["quota"])


def _to_date(p: Tallies) -> Result:
    booked, due = p["bookings"], p["due"]
    if booked.unpriced:
        return Result(None, 0, None, due.total, "missing_fx")
    return divide(booked.total, due.total, booked.n, _due_reason(p, due), {"full_quota": p["quota"].total})


def _pacing(p: Tallies) -> Result:
    booked, quota, begun = p["bookings"], p["quota"], p["days_begun"]
    elapsed = share(begun.total, p["days"].total)
    if booked.unpriced:
        return Result(None, 0, None, quota.total, "missing_fx", {"elapsed": elapsed})
    if not elapsed or not quota.total:
        return Result(None, booked.n, None, quota.total, _due_reason(p, begun), {"elapsed": elapsed})
    return divide(booked.total / elapsed, quota.total, booked.n, beside={"elapsed": elapsed})


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


BESIDE_ATTAINMENT = {
    "assigned": ASSIGNED_RULE,
    "vs_assigned": "What was reached ÷ assigned.",
    "after_relief": "What was reached ÷ (quota - approved relief); null where nothing is left of the quota.",
}

ATTAINMENT = (
    Metric(
        name="quota",
        title="Quota",
        description="What is expected of the reps in the period, as effective day by day.",
        kind="flow",
        unit="money",
        formula="Sum over the days of the period of (the amount that holds on the day x the day's part of it)",
        date_field="days of the quota's period",
        parts={"quota": QUOTA, "assigned": ASSIGNED, "relief": RELIEF, "before_ramp": BEFORE_RAMP},
        aside=frozenset({"assigned", "relief", "before_ramp"}),
        combine=_quota,
        beside={"assigned": ASSIGNED_RULE, "over_assignment": "(Rolled up - assigned) ÷ assigned.", **LET_OFF,
                "before_ramp": "What it were if every rep had ramped."},
        edge_rules=(*QUOTA_RULES, "No quota at all is null with `no_quota`.", *LET_OFF_RULES),
        example="90,000 for 2026-Q1, raised to 180,000 from 15 February: (45 x 90,000 + 45 x 180,000) ÷ 90 = 135,000. "
                "Without the raise and with a seasonality of 1, 1, 2 March has 45,000. Of a rep hired on 1 March who "
                "ramps with 0.5 in its first month 22,500 is expected.",
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
        parts={"bookings": BOOKINGS, "quota": QUOTA, "assigned": ASSIGNED, "relief": RELIEF},
        aside=frozenset({"assigned", "relief"}),
        combine=attainment,
        beside=BESIDE_ATTAINMENT,
        edge_rules=(NO_QUOTA, *QUOTA_RULES, *LET_OFF_RULES),
        example="Bookings 108,000, effective quota 135,000. Attainment: 0.8. With an approved relief of 15,000 it is "
                "108 ÷ 120 = 0.9 after relief.",
    ),
    Metric(
        name="quota_relief",
        title="Quota relief",
        description="What reps are let off, by leave, ramp or a change of territory, as a share of their quota.",
        kind="ratio",
        unit="ratio",
        formula="Approved relief ÷ quota",
        date_field="days of the relief",
        parts={"relief": RELIEF, "quota": QUOTA},
        combine=_relief,
        beside={"after_relief": LET_OFF["after_relief"]},
        edge_rules=(*RELIEF_RULES, NO_QUOTA, *QUOTA_RULES),
        example="Quota of March, with its 22 working days: 88,000. On leave for five of them, and approved: "
                "5 ÷ 22 x 88,000 = 20,000. Relief: 20 ÷ 88 = 0.2273.",
    ),
    Metric(
        name="quota_attainment_to_date",
        title="Attainment to date",
        description="What was booked so far, as a share of what the quota expects so far.",
        kind="ratio",
        unit="ratio",
        formula="Bookings ÷ what the quota expects of its days that have begun",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA, "due": DUE_TO_DATE},
        combine=_to_date,
        aside=frozenset({"quota"}),
        beside={"full_quota": "Of the whole period."},
        edge_rules=(*BEGUN_RULES, NO_QUOTA, *QUOTA_RULES),
        example="Quota of a quarter with 60 working days: 90,000. Booked by the end of the 20th: 33,000. To date: "
                "33 ÷ 30 = 1.1.",
    ),
    Metric(
        name="pacing",
        title="Pacing",
        description="Where bookings end at the pace so far, as a share of the full quota.",
        kind="ratio",
        unit="ratio",
        formula="(Bookings ÷ the share of the quota's days that have begun) ÷ quota",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA, "days_begun": DAYS_BEGUN, "days": DAYS},
        combine=_pacing,
        aside=frozenset({"days_begun", "days"}),
        beside={"elapsed": "The share of the quota's days that have begun."},
        edge_rules=("Each day counts alike whatever is expected on it, as each rep's days do: where the quota is the "
                    "same all along, it is the attainment to date.", *BEGUN_RULES, NO_QUOTA, *QUOTA_RULES),
        example="Quota of a quarter with 60 working days: 45,000 for its first half, 90,000 for its second. Booked by "
                "the end of the 20th: 33,000. At this pace it ends with 99,000: 99 ÷ 135 = 0.7333.",
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
