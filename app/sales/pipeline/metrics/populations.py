"""Which deals, and the sums over them that several numbers share."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from sqlalchemy import and_, func, literal_column, true
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Measure, Population
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import constant
from app.sales.pipeline.metrics.fact import DEALS, of


def is_(category: str) -> Any:
    return lambda s: s.row.c.category == constant(category)


def _closed_meanwhile(category: str | None) -> Any:
    """Of deals not yet recorded at the moment: those that closed in the bucket, by what they said later."""

    def condition(s: Scope) -> ColumnElement[bool]:
        kind = (
            s.row.c.category != constant("open")
            if category is None
            else s.row.c.category == constant(category)
        )
        closed = s.row.c.closed_at
        return and_(kind, closed >= bucket("starts"), closed < bucket("ends"), closed <= bucket("at"))

    return condition


def _closed(name: str, category: str | None) -> Population:
    return Population(
        name=name,
        fact=DEALS,
        kind="flow",
        where=(lambda s: s.row.c.category != constant("open")) if category is None else is_(category),
        date=of("closed_at"),
        undated="no_close_date",
        dateless=lambda s: func.num_nulls(s.row.c.closed_at) == literal_column("1"),
        unborn=_closed_meanwhile(category),
    )


WON, LOST, CLOSED = _closed("won", "won"), _closed("lost", "lost"), _closed("closed", None)


def _still_open_by_its_close(s: Scope) -> ColumnElement[bool]:
    return s.row.c.closed_at.is_(None) | (s.row.c.closed_at > bucket("at"))


OPEN = Population(
    name="open",
    fact=DEALS,
    kind="stock",
    where=is_("open"),
    date=of("opened_at"),
    unborn=_still_open_by_its_close,
)
OPEN_DUE = Population(
    name="open_due",
    fact=DEALS,
    kind="stock",
    where=is_("open"),
    date=of("expected_close_on"),
    within=lambda s: and_(
        s.row.c.expected_close_on >= bucket("first"), s.row.c.expected_close_on < bucket("last")
    ),
    undated="no_expected_close",
)  # fmt: skip
OPENED = Population(
    name="opened",
    fact=DEALS,
    kind="flow",
    where=lambda s: true(),
    date=of("opened_at"),
    undated="no_open_date",
    unborn=lambda s: true(),
)
CREATED = Population(
    name="created",
    fact=DEALS,
    kind="flow",
    where=lambda s: true(),
    date=of("opened_at"),
    undated="no_open_date",
    unborn=lambda s: true(),
    amount=lambda s: s.join("first_version").c.amount,
    currency=lambda s: s.join("first_version").c.currency,
)


def money(name: str, population: Population, **more: Any) -> Measure:
    """The sum of the deals' amounts."""
    return Measure(name=name, population=population, value=lambda s: s.amount, money=True, **more)


ABANDONED = ("abandoned", is_("abandoned"))

BOOKINGS = money("bookings", WON)
WON_DEALS = Measure(name="won_deals", population=WON)
WON_OF_CLOSED = Measure(name="won", population=CLOSED, only=is_("won"))
CLOSED_DEALS = Measure(name="closed", population=CLOSED, exclusions=(ABANDONED,))
SIZED_DEALS = money("sized", WON, exclusions=(("zero_amount", lambda s: s.whole == 0),))
CYCLES = Measure(
    name="cycles",
    population=WON,
    value=lambda s: func.extract("epoch", s.row.c.closed_at - s.row.c.opened_at),
    over=86_400,
    exclusions=(
        ("no_open_date", lambda s: s.row.c.opened_at.is_(None)),
        ("negative_cycle", lambda s: s.row.c.closed_at < s.row.c.opened_at),
    ),
)
MEDIAN, THREE_QUARTERS, NINE_TENTHS = Fraction(1, 2), Fraction(3, 4), Fraction(9, 10)
SIZES = replace(SIZED_DEALS, name="sizes", quantiles=(MEDIAN,))
CYCLE_LENGTHS = replace(CYCLES, name="cycle_lengths", quantiles=(MEDIAN, THREE_QUARTERS, NINE_TENTHS))
OPEN_DEALS = Measure(name="open_deals", population=OPEN)
