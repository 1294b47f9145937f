"""Numbers about what was won, and lost."""

from __future__ import annotations

from app.language.metrics.metric import Before, Measure, Metric, Result, Tallies, divide, middle, share
from app.language.metrics.wording import PRECEDING
from app.language.query.binds import constant
from app.sales.pipeline.metrics.populations import (
    BOOKINGS,
    LOST,
    MEDIAN,
    SIZED_DEALS,
    SIZES,
    WON,
    WON_DEALS,
    money,
)
from app.sales.pipeline.metrics.wording import CLOSE_RULES, UNPRICED


def _average_deal_size(p: Tallies) -> Result:
    deals = p["deals"]
    return divide(deals.total, deals.n, deals.n, deals.undefined)


def _median_deal_size(p: Tallies) -> Result:
    deals = p["deals"]
    return middle(deals, MEDIAN, mean=share(deals.total, deals.n))


def _new_business_share(p: Tallies) -> Result:
    new, all_ = p["new"], p["bookings"]
    return divide(new.total, all_.total, all_.n, all_.undefined)


def _growth(p: Tallies) -> Result:
    now, before = p["bookings"], p["before"]
    beside = {
        "bookings": None if now.unpriced else now.total,
        "before": None if before.unpriced else before.total,
    }
    if now.unpriced or before.total <= 0:
        reason = "missing_fx" if now.unpriced or before.unpriced else "zero_denominator"
        return Result(None, now.n, null_reason=reason, beside=beside)
    return divide(now.total - before.total, before.total, now.n, beside=beside)


REVENUE = (
    Metric(
        name="bookings",
        title="Bookings",
        description="Total contract value of the deals won in the period.",
        kind="flow",
        unit="money",
        formula="Sum of the amounts of won deals, each converted at its rate",
        date_field="closed",
        parts={"bookings": BOOKINGS},
        edge_rules=(UNPRICED, *CLOSE_RULES),
        example="Won in March: 1,000 USD and 500 EUR at 1.10. Bookings in USD: 1,550.",
    ),
    Metric(
        name="won_deals",
        title="Won deals",
        description="Deals won in the period.",
        kind="flow",
        unit="count",
        formula="Number of deals whose category is won",
        date_field="closed",
        parts={"won_deals": WON_DEALS},
        edge_rules=CLOSE_RULES,
        example="Two deals closed as won in March, one as lost. Won deals: 2.",
    ),
    Metric(
        name="lost_deals",
        title="Lost deals",
        description="Deals lost in the period.",
        kind="flow",
        unit="count",
        formula="Number of deals whose category is lost",
        date_field="closed",
        parts={"lost_deals": Measure(name="lost_deals", population=LOST)},
        edge_rules=(*CLOSE_RULES, "Abandoned deals are not lost."),
        example="Two deals closed as won in March, one as lost. Lost deals: 1.",
    ),
    Metric(
        name="lost_amount",
        title="Lost amount",
        description="The amount of the deals lost in the period.",
        kind="flow",
        unit="money",
        formula="Sum of the amounts of lost deals, each converted at its rate",
        date_field="closed",
        parts={"lost_amount": money("lost_amount", LOST)},
        edge_rules=("What a lost deal would have brought is an estimate.", "Abandoned deals are not lost.", UNPRICED,
                    *CLOSE_RULES),
        example="Lost in March: 3,000 and a deal without an amount. Lost amount: 3,000, no_amount: 1.",
    ),
    Metric(
        name="average_deal_size",
        title="Average deal size",
        description="The mean amount of the deals won in the period.",
        kind="ratio",
        unit="money",
        formula="Sum of won amounts ÷ number of won deals with a price",
        date_field="closed",
        parts={"deals": SIZED_DEALS},
        combine=_average_deal_size,
        edge_rules=("Deals of amount 0 are excluded as `zero_amount`.",
                    "Unpriced deals are out of both sides.", *CLOSE_RULES),
        example="Won in March: 1,000, 3,000 and 0. Average deal size: 2,000, zero_amount: 1.",
    ),
    Metric(
        name="median_deal_size",
        title="Median deal size",
        description="The amount that half of the deals won in the period do not reach.",
        kind="ratio",
        unit="money",
        formula="The middle of the amounts of won deals with a price, or of the two in the middle their mean",
        date_field="closed",
        parts={"deals": SIZES},
        combine=_median_deal_size,
        beside={"mean": "The average deal size: far above the median, a few large deals make it."},
        edge_rules=("Each amount is converted before they are put in order.",
                    "Deals of amount 0 are excluded as `zero_amount`.", "Unpriced deals are left out.", *CLOSE_RULES),
        example="Won in March: 1,000, 2,000 and 9,000. Median deal size: 2,000, mean 4,000.",
    ),
    Metric(
        name="bookings_growth",
        title="Growth of bookings",
        description="By how much the bookings of the period exceed those of the period before, as a share of these.",
        kind="ratio",
        unit="ratio",
        formula="(Bookings - bookings of the period before) ÷ bookings of the period before",
        date_field="closed",
        parts={"bookings": BOOKINGS, "before": Before(BOOKINGS)},
        combine=_growth,
        beside={"bookings": "Of the period.", "before": "Of the period before."},
        edge_rules=(PRECEDING, "Where nothing was booked before there is no growth: null, not 0 and not 100 %.",
                    "For constant currency ask with `fx=constant:<date>`.", UNPRICED, *CLOSE_RULES),
        example="Booked in February: 1,000, in March: 1,250. Growth in March: 250 ÷ 1,000 = 0.25.",
    ),
    Metric(
        name="new_business_share",
        title="Share of new business",
        description="Of the amounts won in the period, the share of the deals of type `new_business`.",
        kind="ratio",
        unit="ratio",
        formula="Bookings of type new_business ÷ bookings",
        date_field="closed",
        parts={
            "new": money("new", WON, only=lambda s: s.row.c.type == constant("new_business")),
            "bookings": BOOKINGS,
        },
        combine=_new_business_share,
        edge_rules=("A deal without a type counts below the line only.", UNPRICED, *CLOSE_RULES),
        example="Won in March: 1,000 of new business and 550 of a renewal. Share: 1,000 ÷ 1,550 = 0.645.",
    ),
)  # fmt: skip
