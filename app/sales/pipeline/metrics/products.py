"""Numbers about what was sold: how much of it, and for how much less and more than it might have been."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Result, Tallies, divide, share
from app.language.metrics.scope import Scope
from app.sales.pipeline.metrics.lines import COST_OF_WON, NO_LINES, WON_AT_COST, WON_LINES, cost
from app.sales.pipeline.metrics.populations import money
from app.sales.pipeline.metrics.wording import LINE_RULES
from app.sales.pricing.models import COST_ROLES


def _list(s: Scope) -> ColumnElement[Any]:
    return s.row.c.list_price * s.row.c.quantity


def _discount(s: Scope) -> ColumnElement[Any]:
    return _list(s) - s.row.c.net


def _no_list_price(s: Scope) -> ColumnElement[bool]:
    return _list(s).is_(None) | (_list(s) == 0)


def _no_net(s: Scope) -> ColumnElement[bool]:
    return WON_LINES.fact.amount(s).is_(None)


def _own_rate(s: Scope) -> ColumnElement[Any]:
    # Explain reckons it of excluded lines too.
    return _discount(s) / func.nullif(_list(s), 0)


_LISTED = (NO_LINES, ("no_list_price", _no_list_price))


def _discount_rate(p: Tallies) -> Result:
    whole, each = p["list"], p["each"]
    beside = {"average": share(each.total, each.n)}
    return divide(p["discount"].total, whole.total, whole.n, whole.undefined, beside)


def _gross_margin(p: Tallies) -> Result:
    net = p["net"]
    return divide(net.total - p["cost"].total, net.total, net.n, net.undefined)


UNPRICED_LINES = (
    "A line without an amount (`no_amount`), or without a rate of exchange on or before its day (`missing_fx`), is "
    "counted there and out of both sides."
)

PRODUCTS = (
    Metric(
        name="units_sold",
        title="Units sold",
        description="How much was sold with the deals won in the period.",
        kind="flow",
        unit="count",
        formula="Sum of the quantities of the lines of won deals",
        date_field="closed",
        parts={
            "units_sold": Measure(
                name="units_sold", population=WON_LINES, value=lambda s: s.row.c.quantity, exclusions=(NO_LINES,)
            )
        },
        edge_rules=("Quantities are exact decimals, and those of lines without an amount count too.", *LINE_RULES),
        example="Won in March: a deal with 2 and 1.5 of one product, another without lines. Units: 3.5, no_lines: 1.",
    ),
    Metric(
        name="discount_rate",
        title="Discount rate",
        description="By how much the lines of the deals won in the period stayed below their list prices.",
        kind="ratio",
        unit="ratio",
        formula="Sum of (list - net) ÷ sum of list; list is list price x quantity, net the line's amount",
        date_field="closed",
        parts={
            "discount": Measure(
                name="discount", population=WON_LINES, value=_discount, money=True, exclusions=_LISTED
            ),
            "list": Measure(name="list", population=WON_LINES, value=_list, money=True, exclusions=_LISTED),
            "each": Measure(
                name="each_discount", population=WON_LINES, value=_own_rate,
                exclusions=(("no_amount", _no_net), *_LISTED),
            ),
        },
        combine=_discount_rate,
        beside={"average": "The plain mean of the lines' own rates, each to sixteen digits or more: far above the "
                           "discount rate, small lines are discounted more."},
        edge_rules=("The list price is the one that the line was quoted at, from the price book of that day: a later "
                    "list changes nothing.",
                    "Lines without a list price, or with a list of 0, are excluded as `no_list_price`.",
                    "What was sold above its list price counts against the discounts, below 0.",
                    UNPRICED_LINES, "The mean of the rates needs no rate of exchange.", *LINE_RULES),
        example="Sold for 80 of 100, and for 900 of 900. Discount rate: 20 ÷ 1,000 = 0.02, average 0.1.",
    ),
    Metric(
        name="gross_margin",
        title="Gross margin",
        description="What of the amounts of the lines won in the period is left when their cost is paid.",
        kind="ratio",
        unit="ratio",
        formula="(Net - cost) ÷ net; net is the line's amount, cost what the product cost at the close x quantity",
        date_field="closed",
        parts={
            "net": money(
                "net", WON_AT_COST, exclusions=(NO_LINES, ("no_cost", lambda s: cost(s).is_(None)))
            ),
            "cost": Measure(
                name="cost", population=COST_OF_WON, value=cost, money=True,
                only=lambda s: and_(s.row.c.net.is_not(None), cost(s).is_not(None)),
            ),
        },
        combine=_gross_margin,
        aside=frozenset({"cost"}),
        read_roles=COST_ROLES,
        edge_rules=("A line without a product, or whose product has no cost, is excluded as `no_cost`: it is not all "
                    "margin.",
                    "The cost is the one known to have held at the close: a later one changes nothing.",
                    "Amount and cost are converted each from its own currency at the rate of the same day; without "
                    "either rate the line is out of both sides, as `missing_fx`.",
                    "Lines of no amount in sum are null, not 0. Sold below cost, the margin is below 0.",
                    "For those who may read what products cost.", UNPRICED_LINES, *LINE_RULES),
        example="Sold 2 for 500 USD that cost 100 EUR each, at 1.10: (500 - 220) ÷ 500 = 0.56.",
    ),
)  # fmt: skip
