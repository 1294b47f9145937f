"""Numbers about how long open deals have been in their stage."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, Numeric, cast, func, literal_column, or_
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Result, Tallies, divide
from app.language.metrics.scope import Scope, bucket
from app.language.metrics.wording import STOCK
from app.sales.pipeline.metrics.populations import MEDIAN, OPEN, THREE_QUARTERS
from app.sales.pipeline.metrics.wording import PRODUCTS, UNBORN

_A_DAY = literal_column("86400", Integer())


def _age(s: Scope) -> ColumnElement[Any]:
    return func.extract("epoch", bucket("at") - s.row.c.stage_entered_at)


def _limit(s: Scope) -> ColumnElement[Any]:
    own = cast(s.join("stage").c.stalled_after_days, Numeric) * _A_DAY
    return func.coalesce(own, s.join("usual").c.seconds)


def _unknown(s: Scope) -> ColumnElement[bool]:
    return s.row.c.stage_entered_at.is_(None)


def _stalled(s: Scope) -> ColumnElement[bool]:
    """Also those of which it cannot be said: they are counted with their reason. What was recorded later has entered
    its stage, as far as anyone knows, after the moment."""
    limit, age = _limit(s), _age(s)
    return or_(_unknown(s), limit.is_(None), age > limit, age < 0)


AGES = Measure(
    name="ages",
    population=OPEN,
    value=_age,
    over=86_400,
    exclusions=(("unknown_stage", _unknown),),
    quantiles=(MEDIAN, THREE_QUARTERS),
)
STALLED = Measure(
    name="stalled",
    population=OPEN,
    only=_stalled,
    exclusions=(("unknown_stage", _unknown), ("no_limit", lambda s: _limit(s).is_(None))),
)


def _stage_age(p: Tallies) -> Result:
    ages = p["ages"]
    beside = {"median": ages.quantiles.get(MEDIAN), "p75": ages.quantiles.get(THREE_QUARTERS)}
    return divide(ages.total, ages.n, ages.n, beside=beside)


_UNKNOWN = (
    "A deal of which nobody knows since when it has been in its stage, as one pushed without its history before that "
    "day, is excluded as `unknown_stage`."
)

AGEING = (
    Metric(
        name="stage_age",
        title="Age in the stage",
        description="The mean time that the open deals have been in their stage by a moment, in days.",
        kind="ratio",
        unit="days",
        formula="Sum of (moment - entered the stage) of open deals ÷ their number",
        date_field="moment",
        parts={"ages": AGES},
        combine=_stage_age,
        beside={"median": "Half of them have been there no longer.",
                "p75": "Three quarters have been there no longer."},
        edge_rules=(STOCK, "Days by the calendar, as a real number.",
                    "A deal that came back to a stage has been there since it last came.", _UNKNOWN, UNBORN, PRODUCTS),
        example="Open at the end of March, in their stage since 1 and 11 March. Age: (31 + 21) ÷ 2 = 26 days.",
    ),
    Metric(
        name="stalled_deals",
        title="Stalled deals",
        description="Open deals that have been longer in their stage than deals usually are that are won.",
        kind="stock",
        unit="count",
        formula="Number of open deals in their stage for longer than its `stalled_after_days`, or else than three "
        "quarters of the stays there of the deals won in the twelve months before",
        date_field="moment",
        parts={"stalled": STALLED},
        edge_rules=(STOCK, "Where a stage has no limit of its own and no won deal stood in it within a year, nobody "
                    "can say: excluded as `no_limit`.",
                    "What is usual is told by all deals of the tenant, whoever asks.", _UNKNOWN, UNBORN, PRODUCTS),
        example="Won deals stood 2, 4, 6 and 20 days in Proposal: three quarters within 13 days. Open there: since 10 "
        "and since 15 days. Stalled: 1.",
    ),
)  # fmt: skip
