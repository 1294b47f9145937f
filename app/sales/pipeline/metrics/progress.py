"""Numbers about how deals get through the stages."""

from __future__ import annotations

from sqlalchemy import and_, func, not_, true
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Population, Result, Tallies, divide, share
from app.language.metrics.scope import Scope
from app.language.query.binds import constant
from app.sales.pipeline.metrics.fact import of
from app.sales.pipeline.metrics.journey import STEPS
from app.sales.pipeline.metrics.populations import MEDIAN
from app.sales.pipeline.metrics.wording import CREDIT, REOPENED

REACHED = Population(name="reached", fact=STEPS, kind="flow", where=lambda s: true(), date=of("reached_at"))
_UNKNOWN = (("unknown_stages", of("unknown")),)


def _passed(s: Scope) -> ColumnElement[bool]:
    return s.row.c.passed_at.is_not(None)


def _still_there(s: Scope) -> ColumnElement[bool]:
    return and_(not_(_passed(s)), s.row.c.category == constant("open"))


def _dropped(s: Scope) -> ColumnElement[bool]:
    return and_(not_(_passed(s)), s.row.c.category != constant("open"))


def _steps(name: str, only: object = None) -> Measure:
    return Measure(name=name, population=REACHED, only=only, exclusions=_UNKNOWN)  # type: ignore[arg-type]


ENTERED, ADVANCED = _steps("entered"), _steps("advanced", _passed)
DROPPED, STILL_THERE = _steps("dropped", _dropped), _steps("still_there", _still_there)
LEFT_OUT = _steps("left_out", of("left_out"))
STAYS = Measure(
    name="stays",
    population=REACHED,
    value=lambda s: func.extract("epoch", s.row.c.passed_at - s.row.c.reached_at),
    over=86_400,
    only=lambda s: and_(_passed(s), not_(s.row.c.left_out)),
    exclusions=_UNKNOWN,
    quantiles=(MEDIAN,),
)
_OUTCOMES = {
    "entered": ENTERED, "advanced": ADVANCED, "dropped": DROPPED, "still_there": STILL_THERE, "left_out": LEFT_OUT,
}  # fmt: skip


def _conversion(p: Tallies) -> Result:
    entered = p["entered"].total
    names = {"still_there": "open_share", "dropped": "dropped_share", "left_out": "left_out_share"}
    beside = {told: share(p[name].total, entered) for name, told in names.items()}
    return divide(p["advanced"].total, entered, p["entered"].n, beside=beside)


def _funnel(p: Tallies) -> Result:
    beside = {name: p[name].total for name in _OUTCOMES if name != "entered"}
    return Result(
        p["entered"].total, p["entered"].n, beside=beside | {"median_days": p["stays"].quantiles.get(MEDIAN)}
    )


_RULES = (
    "A deal reaches a stage when it first stands in it or beyond it, or is won: a stage left out counts as passed, one "
    "entered twice counts once, and a step back takes nothing away.",
    "A deal of which nobody knows where it stood before (pushed without its history, or won as it was told) is "
    "excluded as `unknown_stages`.",
    "Stages and their order are those of the moment asked for; another pipeline begins anew.", REOPENED, CREDIT,
)  # fmt: skip

PROGRESS = (
    Metric(
        name="stage_conversion",
        title="Stage conversion",
        description="Of the deals that reached a stage in the period, the share that has gone beyond it by now.",
        kind="cohort",
        unit="ratio",
        formula="Deals that reached a later stage, or were won ÷ deals that reached the stage in the period",
        date_field="stage_entered",
        parts={"entered": ENTERED, "advanced": ADVANCED, "dropped": DROPPED, "still_there": STILL_THERE,
               "left_out": LEFT_OUT},
        combine=_conversion,
        proportion=True,
        beside={
            "open_share": "Share that is open and has not gone beyond: while it is high, the rate will grow.",
            "dropped_share": "Share that was lost or abandoned without going beyond.",
            "left_out_share": "Share that never stood in the stage, but went past it.",
        },
        edge_rules=("Ask by stage; without it, all steps of all stages are one rate.", *_RULES),
        example="Reached Proposal in March: 4 deals; 1 was won, 1 moved on to Commit, 1 was lost, 1 is still there. "
        "Stage conversion: 2 ÷ 4 = 0.5, open share 0.25.",
    ),
    Metric(
        name="funnel",
        title="Funnel",
        description="How many deals reached a stage in the period, and what became of them there.",
        kind="cohort",
        unit="count",
        formula="Number of deals that reached the stage in the period, with those that advanced, dropped or are there",
        date_field="stage_entered",
        parts={**_OUTCOMES, "stays": STAYS},
        combine=_funnel,
        beside={
            "advanced": "Went beyond the stage, or were won.",
            "dropped": "Were lost or abandoned without going beyond.",
            "still_there": "Are open and have not gone beyond.",
            "left_out": "Never stood in the stage, but went past it.",
            "median_days": "How long half of those that stood in it and went on took at most.",
        },
        edge_rules=("Ask by stage. Entered = advanced + dropped + still there, at every stage.", *_RULES),
        example="Reached Proposal in March: 4 deals; 2 advanced after 3 and 9 days, 1 dropped, 1 still there. "
        "Funnel: 4, median 6 days.",
    ),
)  # fmt: skip
