"""Numbers about what those sell who carry a quota."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import and_, true
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Condition, Metric, Result, Tallies, divide
from app.language.metrics.scope import Scope
from app.sales.org.visibility import within_reach
from app.sales.pipeline.metrics import BOOKINGS, credited
from app.sales.pipeline.metrics.wording import CREDIT, REOPENED, UNBORN, UNDATED, UNPRICED
from app.sales.targets.metrics.carriers import AVERAGE_CARRIERS


def _by_reps_in_reach(condition: Condition) -> Condition:
    """What the asker sees through a split or team of somebody else's deal is not by the reps it is divided by."""

    def narrowed(s: Scope) -> ColumnElement[bool]:
        own = true() if s.binds.sees_all else within_reach(credited(s), s.binds)
        return and_(condition(s), own)

    return narrowed


_WON = BOOKINGS.population
assert _WON.unborn is not None
BOOKED_BY_REPS = replace(
    BOOKINGS,
    population=replace(
        _WON,
        name="won_by_reps",
        # Shares may be of those whom it is not divided by.
        fact=replace(_WON.fact, holders=None),
        where=_by_reps_in_reach(_WON.where),
        unborn=_by_reps_in_reach(_WON.unborn),
    ),
)


def _per_rep(p: Tallies) -> Result:
    booked, reps = p["bookings"], p["average_reps"]
    if booked.unpriced:
        return Result(None, 0, None, reps.total, "missing_fx")
    return divide(booked.total, reps.total, booked.n, "no_quota")


PRODUCTIVITY = (
    Metric(
        name="revenue_per_rep",
        title="Revenue per rep",
        description="What was booked in the period, by the reps who were at work and carried a quota.",
        kind="ratio",
        unit="money",
        formula="Bookings ÷ average number of reps at work with a quota",
        date_field="closed",
        parts={"bookings": BOOKED_BY_REPS, "average_reps": AVERAGE_CARRIERS},
        combine=_per_rep,
        edge_rules=(
            "The average is the mean, over the days of the period that have begun, of how many reps were at work and "
            "carried a quota as the day began: the headcount whose `quota_carrying` is yes.",
            "A rep carries a quota on the days of its period, for whatever number it is set. Managers with quotas "
            "count as well; name a function to count its reps alone.",
            "Nobody at work with a quota is null with `no_quota`.",
            "All bookings of these groups count, also those of reps without a quota.",
            "Both sides are of the reps whose work the asker sees: its own and those below. A deal is its owner's "
            "here, whoever shares it.",
            "Of the period as long as it is: not made a year's.",
            "A rep of whom nobody knows since when it was there is excluded as `no_hire_date` for as long.",
            UNPRICED, UNDATED, UNBORN, REOPENED, CREDIT,
        ),
        example="Booked in April: 45,000. One rep carries a quota all month, another for its last fifteen days, a "
        "third has none. 45,000 ÷ 1.5 = 30,000.",
    ),
)  # fmt: skip
