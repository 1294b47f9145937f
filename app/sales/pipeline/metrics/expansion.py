"""Numbers about customers: new ones, and what those we have buy besides."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import and_, func, true, tuple_
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric, Result, Tallies, divide
from app.language.metrics.scope import Scope
from app.language.query.binds import constant
from app.sales.pipeline.metrics.lines import WON_LINES
from app.sales.pipeline.metrics.populations import BOOKINGS, WON, money
from app.sales.pipeline.metrics.wording import CLOSE_RULES, UNPRICED


def _first(s: Scope) -> ColumnElement[bool]:
    """Whether no win of the account is known to be earlier."""
    first = s.join("first_win")
    row = tuple_(s.row.c.closed_at, s.row.c.id)
    return func.coalesce(tuple_(first.c.closed_at, first.c.id) >= row, true())


def _more(before: bool) -> Callable[[Scope], ColumnElement[bool]]:
    """Lines sold to customers, whose family they had bought before or not; renewals are apart."""

    def condition(s: Scope) -> ColumnElement[bool]:
        bought = s.join("win_of_family").c.closed_at
        return and_(
            s.row.c.type.is_distinct_from(constant("renewal")),
            s.row.c.amount.is_not(None),
            s.row.c.net.is_not(None),
            s.join("product").c.family.is_not(None),
            s.join("first_win").c.closed_at < s.row.c.closed_at,
            bought.is_not(None) if before else bought.is_(None),
        )

    return condition


def _share(p: Tallies) -> Result:
    sold, all_ = p["sold"], p["bookings"]
    return divide(sold.total, all_.total, all_.n, all_.undefined)


_RULES = (
    "A customer is an account with a deal won before this one's close; what is won with its first deal, or with an "
    "account unknown, is neither.",
    "Renewals (type `renewal`) are neither.",
    "What lines do not cover, and lines without a product family, count below the line only.",
    "The amounts above the line are those of lines, the ones below it those of deals: where lines exceed their deal, "
    "the share may exceed 1. Unpriced deals are out of both sides.",
    "Earlier deals count whoever may see them.",
)


def _share_of(name: str, title: str, what: str, measure: Measure, *rules: str, example: str) -> Metric:
    return Metric(
        name=name,
        title=title,
        description=f"Of the amounts won in the period, the share of {what}.",
        kind="ratio",
        unit="ratio",
        formula=f"Amounts of the lines of {what} ÷ bookings",
        date_field="closed",
        parts={"sold": measure, "bookings": BOOKINGS},
        combine=_share,
        aside=frozenset({"sold"}),
        edge_rules=(*rules, *_RULES, UNPRICED, *CLOSE_RULES),
        example=example,
    )


EXPANSION = (
    Metric(
        name="new_customers",
        title="New customers",
        description="Accounts that were won for the first time in the period.",
        kind="flow",
        unit="count",
        formula="Number of deals that are the first won ones of their accounts",
        date_field="closed",
        parts={
            "new_customers": Measure(
                name="new_customers", population=WON, only=_first,
                exclusions=(("no_account", lambda s: s.row.c.account_id.is_(None)),),
            )
        },
        edge_rules=("Credited for it is who is credited for that deal. Of two won at one moment one is the first.",
                    "Won deals without an account are excluded as `no_account`.",
                    "Earlier deals count whoever may see them. A merged account is one account.", *CLOSE_RULES),
        example="Acme's first deal is won in February, its second in March. New customers in March: 0.",
    ),
    _share_of(
        "cross_sell_share", "Cross-sell share", "product families that customers had not bought before",
        money("cross_sold", WON_LINES, only=_more(before=False)),
        "Two families that are new to the customer and won together are both cross-sold.",
        example="Acme, a customer for hardware, buys services for 300 and hardware for 200; others bring 500. "
                "Share: 300 ÷ 1,000 = 0.3.",
    ),
    _share_of(
        "upsell_share", "Upsell share", "product families that customers had bought before",
        money("upsold", WON_LINES, only=_more(before=True)),
        "More of the same family, however much was bought before.",
        example="Acme, a customer for hardware, buys services for 300 and hardware for 200; others bring 500. "
                "Share: 200 ÷ 1,000 = 0.2.",
    ),
)  # fmt: skip
