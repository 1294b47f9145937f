"""Numbers about what is open, and how fast it moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Result, Tallies, Trailing, divide, middle, share
from app.language.metrics.scope import Scope
from app.language.metrics.wording import STOCK
from app.language.query.binds import constant
from app.sales.pipeline.metrics.fact import forecast_category
from app.sales.pipeline.metrics.populations import (
    BOOKINGS,
    CLOSED_DEALS,
    CREATED,
    CYCLE_LENGTHS,
    CYCLES,
    MEDIAN,
    NINE_TENTHS,
    OPEN,
    OPEN_DEALS,
    SIZED_DEALS,
    THREE_QUARTERS,
    WON_OF_CLOSED,
    money,
)
from app.sales.pipeline.metrics.wording import CLOSE_RULES, CREDIT, PRODUCTS, UNBORN, UNPRICED


def _probability(s: Scope) -> ColumnElement[Any]:
    return func.coalesce(s.row.c.probability, s.join("stage").c.probability)


def _probability_source(s: Scope) -> ColumnElement[Any]:
    return case((s.row.c.probability.is_not(None), constant("deal")), else_=constant("stage"))


def _forecast(name: str, categories: Sequence[str]) -> Measure:
    """The open amounts of these categories; a deal of none is in none of them, and counted."""

    def only(s: Scope) -> ColumnElement[bool]:
        wanted = [constant(category) for category in categories]
        return func.coalesce(forecast_category(s), wanted[0]).in_(wanted)

    return money(
        name,
        OPEN,
        only=only,
        exclusions=(("no_forecast_category", lambda s: forecast_category(s).is_(None)),),
    )


def _with_cumulative(p: Tallies) -> Result:
    own, cumulative = p["own"], p["cumulative"]
    beside = {"cumulative": cumulative.total}
    if own.unpriced:
        return Result(None, 0, null_reason="missing_fx", beside=beside)
    return Result(own.total, own.n, beside=beside)


def _by_forecast(category: str, title: str, at_least: Sequence[str], example: str) -> Metric:
    others = " and ".join(at_least)
    return Metric(
        name=f"{category}_pipeline",
        title=f"{title} pipeline",
        description=f"The amount of the open deals in the forecast category `{category}` at a moment.",
        kind="stock",
        unit="money",
        formula=f"Sum of the amounts of open deals whose forecast category, or else their stage's, is {category}",
        date_field="moment",
        parts={
            "own": _forecast(f"{category}_pipeline", [category]),
            "cumulative": _forecast(f"{category}_or_better", [category, *at_least]),
        },
        combine=_with_cumulative,
        aside=frozenset({"cumulative"}),
        beside={
            "cumulative": f"With the surer categories: {category}, {others}."
            if at_least
            else "The same: no category is surer."
        },
        edge_rules=(
            STOCK, "Open deals only: what is won is no pipeline.",
            "A deal without a category, in a stage without one or an unknown stage, is excluded as "
            "`no_forecast_category`.", UNPRICED, UNBORN, PRODUCTS,
        ),
        example=example,
    )  # fmt: skip


def _sales_cycle(p: Tallies) -> Result:
    return divide(p["cycles"].total, p["cycles"].n, p["cycles"].n)


def _median_cycle(p: Tallies) -> Result:
    cycles = p["cycles"]
    return middle(
        cycles, MEDIAN, mean=share(cycles.total, cycles.n), p75=cycles.quantiles.get(THREE_QUARTERS),
        p90=cycles.quantiles.get(NINE_TENTHS),
    )  # fmt: skip


def _pipeline_velocity(p: Tallies) -> Result:
    opened, won, closed, sized, cycles = (p[name] for name in ("open", "won", "closed", "sized", "cycles"))
    win_rate, size = share(won.total, closed.total), share(sized.total, sized.n)
    cycle = share(cycles.total, cycles.n)
    beside = {"win_rate": win_rate, "average_deal_size": size, "sales_cycle": cycle}
    if win_rate is None or size is None or cycle is None:
        reason = sized.undefined if size is None else "zero_denominator"
        return Result(None, opened.n, null_reason=reason, beside=beside)
    return divide(opened.total * win_rate * size, cycle, opened.n, beside=beside)


def _realised_velocity(p: Tallies) -> Result:
    booked, cycles = p["bookings"], p["cycles"]
    cycle = share(cycles.total, cycles.n)
    beside = {"sales_cycle": cycle}
    if booked.unpriced:
        return Result(None, 0, None, cycle, "missing_fx", beside)
    return divide(booked.total, cycle or 0, booked.n, beside=beside)


PIPELINE = (
    Metric(
        name="open_deals",
        title="Open deals",
        description="Deals that are open at a moment.",
        kind="stock",
        unit="count",
        formula="Number of deals whose category is open",
        date_field="moment",
        parts={"open_deals": OPEN_DEALS},
        edge_rules=(STOCK, UNBORN, PRODUCTS),
        example="Opened in January, closed on 2 April: open at the end of March. Open deals: 1.",
    ),
    Metric(
        name="open_pipeline",
        title="Open pipeline",
        description="The amount of the deals that are open at a moment.",
        kind="stock",
        unit="money",
        formula="Sum of the amounts of open deals, converted at the rate of the moment",
        date_field="moment",
        parts={"open_pipeline": money("open_pipeline", OPEN)},
        edge_rules=(STOCK, UNPRICED, UNBORN, PRODUCTS),
        example="Open at the end of March: 3,000 USD and a deal without an amount. Open pipeline: 3,000, no_amount: 1.",
    ),
    Metric(
        name="weighted_pipeline",
        title="Weighted pipeline",
        description="The amount of the open deals, each times its chance of winning.",
        kind="stock",
        unit="money",
        formula="Sum of amount times probability of open deals: the deal's own probability, else its stage's",
        date_field="moment",
        parts={
            "weighted_pipeline": Measure(
                name="weighted_pipeline", population=OPEN, value=lambda s: s.amount, money=True,
                exclusions=(("no_probability", lambda s: _probability(s).is_(None)),), weight=_probability,
                weight_source=_probability_source,
            )
        },
        edge_rules=(
            STOCK, "Lost deals weigh nothing and won deals are not pipeline.",
            "A deal whose stage at that moment is unknown and that has no probability of its own is excluded as "
            "`no_probability`.", UNPRICED, UNBORN, PRODUCTS,
        ),
        example="Open: 1,000 at its own 50 %, 2,000 in a stage of 10 %. Weighted pipeline: 700.",
    ),
    _by_forecast(
        "commit", "Commit", [],
        "Open: 2,000 in commit, 3,000 in best case. Commit pipeline: 2,000, cumulative 2,000.",
    ),
    _by_forecast(
        "most_likely", "Most likely", ["commit"],
        "Open: 2,000 in commit, 1,000 in most likely. Most likely pipeline: 1,000, cumulative 3,000.",
    ),
    _by_forecast(
        "best_case", "Best case", ["most_likely", "commit"],
        "Open: 2,000 in commit, 3,000 in best case. Best case pipeline: 3,000, cumulative 5,000.",
    ),
    Metric(
        name="pipeline_created",
        title="Pipeline created",
        description="The pipeline opened in the period, at the first amount that each deal was given.",
        kind="flow",
        unit="money",
        formula="Sum of the first amounts of the deals opened in the period, whatever became of them",
        date_field="opened",
        parts={"pipeline_created": money("pipeline_created", CREATED)},
        edge_rules=(
            "Later growth does not count.", "Deals without an opening date are excluded as `no_open_date`.", UNPRICED,
            CREDIT, "By product, the lines are today's; the remainder of the first amount is `unallocated`.",
        ),
        example="Opened in March at 1,000, grown to 1,500 in April. Pipeline created in March: 1,000.",
    ),
    Metric(
        name="sales_cycle",
        title="Sales cycle",
        description="The mean time from opening to winning, in days.",
        kind="ratio",
        unit="days",
        formula="Sum of (closed - opened) of won deals ÷ their number, in days as a real number",
        date_field="closed",
        parts={"cycles": CYCLES},
        combine=_sales_cycle,
        edge_rules=("Deals that closed before they opened are excluded as `negative_cycle`, never made positive.",
                    "Deals without an opening date are excluded as `no_open_date`.",
                    "A reopened deal runs from its opening to its last close.", *CLOSE_RULES),
        example="Won after 10 days and after 15.5 days. Sales cycle: 12.75.",
    ),
    Metric(
        name="sales_cycle_median",
        title="Median sales cycle",
        description="The time from opening to winning that half of the won deals did not need, in days.",
        kind="ratio",
        unit="days",
        formula="The middle of (closed - opened) of won deals, or of the two in the middle their mean",
        date_field="closed",
        parts={"cycles": CYCLE_LENGTHS},
        combine=_median_cycle,
        beside={"mean": "The sales cycle.", "p75": "Three quarters were won within it.",
                "p90": "Nine tenths were won within it."},
        edge_rules=("Deals that closed before they opened are excluded as `negative_cycle`, never made positive.",
                    "Deals without an opening date are excluded as `no_open_date`.",
                    "A reopened deal runs from its opening to its last close.", *CLOSE_RULES),
        example="Won after 10, 12 and 50 days. Median sales cycle: 12, mean 24.",
    ),
    Metric(
        name="pipeline_velocity",
        title="Pipeline velocity",
        description="What the open pipeline yields per day at the rates of the last four quarters.",
        kind="ratio",
        unit="money_per_day",
        formula="Open deals x win rate x average deal size ÷ sales cycle, the rates over the trailing twelve months",
        date_field="moment",
        parts={
            "open": OPEN_DEALS,
            "won": Trailing(WON_OF_CLOSED),
            "closed": Trailing(CLOSED_DEALS),
            "sized": Trailing(SIZED_DEALS),
            "cycles": Trailing(CYCLES),
        },
        combine=_pipeline_velocity,
        at_end=True,
        beside={
            "win_rate": "Over the trailing twelve months.",
            "average_deal_size": "Over the trailing twelve months.",
            "sales_cycle": "Over the trailing twelve months, in days.",
        },
        edge_rules=(STOCK, "The trailing rates are those known at the same moment, so a past value does not move.",
                    "A cycle of 0, or nothing decided or won in the twelve months, is null."),
        example="10 open, win rate 0.5, size 2,000, cycle 20 days. Velocity: 500 a day.",
    ),
    Metric(
        name="realised_velocity",
        title="Realised velocity",
        description="What was won in the period, per day that it took to win a deal.",
        kind="ratio",
        unit="money_per_day",
        formula="Closed deals x win rate x average deal size ÷ sales cycle, which is bookings ÷ sales cycle",
        date_field="closed",
        parts={"bookings": BOOKINGS, "cycles": CYCLES},
        combine=_realised_velocity,
        beside={"sales_cycle": "The mean time from opening to winning, in days."},
        edge_rules=("Nothing won, or a cycle of 0, is null.",
                    "Deals without an opening date, or that closed before it, count with their amount and are excluded "
                    "from the cycle.", UNPRICED, *CLOSE_RULES),
        example="Won in March: 30,000 with a mean cycle of 20 days. Realised velocity: 1,500 a day.",
    ),
)  # fmt: skip
