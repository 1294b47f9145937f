"""Numbers about how many of the deals are won."""

from __future__ import annotations

from sqlalchemy import and_
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Result, Tallies, divide, share
from app.language.metrics.scope import Scope
from app.sales.pipeline.metrics.populations import (
    ABANDONED,
    CLOSED,
    CLOSED_DEALS,
    OPENED,
    WON_OF_CLOSED,
    is_,
    money,
)
from app.sales.pipeline.metrics.wording import CLOSE_RULES, CREDIT, PRODUCTS, REOPENED, UNPRICED


def _win_rate(p: Tallies) -> Result:
    return divide(p["won"].total, p["closed"].total, p["closed"].n)


def _win_rate_value(p: Tallies) -> Result:
    won, closed = p["won"], p["closed"]
    return divide(won.total, closed.total, closed.n, closed.undefined)


def _close_rate(p: Tallies) -> Result:
    created = p["created"].total
    return divide(
        p["won"].total, created, p["created"].n, beside={"open_share": share(p["open"].total, created)}
    )


def _contested(s: Scope) -> ColumnElement[bool]:
    return s.row.c.competitor.is_not(None)


CONVERSION = (
    Metric(
        name="win_rate",
        title="Win rate",
        description="Of the deals decided in the period, the share that was won, by count.",
        kind="ratio",
        unit="ratio",
        formula="Won ÷ (won + lost)",
        date_field="closed",
        parts={"won": WON_OF_CLOSED, "closed": CLOSED_DEALS},
        combine=_win_rate,
        proportion=True,
        edge_rules=("Closed deals only; abandoned ones are excluded and counted.", "Nothing decided is null, not 0.",
                    *CLOSE_RULES),
        example="Closed in March: 3 won, 1 lost, 1 abandoned. Win rate: 3 ÷ 4 = 0.75.",
    ),
    Metric(
        name="win_rate_value",
        title="Win rate by value",
        description="Of the amounts decided in the period, the share that was won.",
        kind="ratio",
        unit="ratio",
        formula="Amounts of won deals ÷ amounts of won and lost deals",
        date_field="closed",
        parts={
            "won": money("won_amount", CLOSED, only=is_("won")),
            "closed": money("closed_amount", CLOSED, exclusions=(ABANDONED,)),
        },
        combine=_win_rate_value,
        edge_rules=("What a lost deal would have brought is an estimate.",
                    "Unpriced deals are out of both sides.", "Abandoned deals are excluded and counted.", UNPRICED,
                    *CLOSE_RULES),
        example="Closed in March: 1,000 and 500 won, 3,000 lost. Win rate by value: 1,500 ÷ 4,500 = 0.333.",
    ),
    Metric(
        name="competitive_win_rate",
        title="Competitive win rate",
        description="The win rate of the deals in which a competitor was named, by count.",
        kind="ratio",
        unit="ratio",
        formula="Won ÷ (won + lost) of the deals with a competitor",
        date_field="closed",
        parts={
            "won": Measure(
                name="contested_won", population=CLOSED, only=lambda s: and_(is_("won")(s), _contested(s))
            ),
            "closed": Measure(
                name="contested_closed", population=CLOSED, only=_contested, exclusions=(ABANDONED,)
            ),
        },
        combine=_win_rate,
        proportion=True,
        edge_rules=("Deals without a competitor are no part of it; by competitor it says against whom.",
                    "Closed deals only; abandoned ones are excluded and counted.", *CLOSE_RULES),
        example="Closed in March against Globex: 1 won, 3 lost; 5 others without a competitor. Rate: 1 ÷ 4 = 0.25.",
    ),
    Metric(
        name="close_rate",
        title="Close rate",
        description="Of the deals opened in the period, the share that has been won by now.",
        kind="cohort",
        unit="ratio",
        formula="Won ÷ all deals opened in the period",
        date_field="opened",
        parts={
            "won": Measure(name="won", population=OPENED, only=is_("won")),
            "open": Measure(name="open", population=OPENED, only=is_("open")),
            "created": Measure(name="created", population=OPENED),
        },
        combine=_close_rate,
        proportion=True,
        beside={"open_share": "Share of the cohort that is still open: while it is high, the rate will grow."},
        edge_rules=("A cohort: by the day of opening, not of closing. It is not the win rate.",
                    "Deals without an opening date are excluded as `no_open_date`.", REOPENED, CREDIT, PRODUCTS),
        example="Opened in March: 4 deals, 1 won in May, 2 still open. Close rate: 0.25, open share: 0.5.",
    ),
)  # fmt: skip
