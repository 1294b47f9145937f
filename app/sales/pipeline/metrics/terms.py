"""Numbers about what contracts are worth a year: the amounts of won deals over their terms."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Integer, Numeric, Text, cast, func, literal_column
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Metric
from app.language.metrics.scope import Scope
from app.language.query.binds import constant
from app.sales.pipeline.metrics.populations import WON, money
from app.sales.pipeline.metrics.wording import CLOSE_RULES, UNPRICED

_A_YEAR = literal_column("12", Integer())


def _term(s: Scope) -> ColumnElement[int]:
    return s.row.c.term_months


def _months_of_the_first_year(s: Scope) -> ColumnElement[int]:
    return func.least(_term(s), _A_YEAR)


def _of_the_amount(name: str, months: Callable[[Scope], ColumnElement[int]]) -> Measure:
    """Amounts x months ÷ term: divided when those of one term are added up, so exactly."""

    def in_words(s: Scope) -> ColumnElement[str]:
        return cast(months(s), Text) + constant(" of ") + cast(_term(s), Text) + constant(" months")

    return money(
        name,
        WON,
        weight=lambda s: cast(months(s), Numeric),
        over=_term,
        weight_source=in_words,
        exclusions=(("no_term", lambda s: _term(s).is_(None)),),
    )


_RULES = (
    "The term is the deal's `term_months`; deals without one are excluded as `no_term`, never taken for a year's.",
    "Of the whole amount: what is paid once is in it, since the amount does not tell it apart.",
    UNPRICED,
    *CLOSE_RULES,
)

TERMS = (
    Metric(
        name="acv",
        title="Annual contract value",
        description="What the deals won in the period are worth a year.",
        kind="flow",
        unit="money",
        formula="Sum of amount x 12 ÷ term in months over won deals, each converted at its rate",
        date_field="closed",
        parts={"acv": _of_the_amount("acv", lambda s: _A_YEAR)},
        edge_rules=("A shorter term is made a year's too: 1,000 for three months are 4,000 a year. What is due within "
                    "the first year is `first_year_value`.", *_RULES),
        example="Won in March: 3,600 for 36 months, 500 for 6 months and 900 without a term. ACV: 1,200 + 1,000 = "
        "2,200, no_term: 1.",
    ),
    Metric(
        name="first_year_value",
        title="First-year value",
        description="What the deals won in the period bring within the first year of their terms.",
        kind="flow",
        unit="money",
        formula="Sum of amount x (12, or the term where it is shorter) ÷ term in months over won deals, each converted "
        "at its rate",
        date_field="closed",
        parts={"first_year_value": _of_the_amount("first_year_value", _months_of_the_first_year)},
        edge_rules=("Every month of a term brings the same.", "A term within a year is in it with the whole amount.",
                    *_RULES),
        example="Won in March: 3,600 for 36 months, 500 for 6 months and 900 without a term. First-year value: 1,200 + "
        "500 = 1,700, no_term: 1.",
    ),
)  # fmt: skip
