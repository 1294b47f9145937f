"""Rates of exchange by day, known as the question knows them.

A direct rate is used as stored. Where none is known yet, the inverse of the opposite one, else a cross through the
home currency, each rounded half even to `SCALE` decimals and said so in the answer. No rate on or before the day is
no price: never 1, never 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    Date,
    Text,
    any_,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    union,
    union_all,
)
from sqlalchemy.dialects.postgresql import array, distinct_on

from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import metadata
from app.language.query.binds import Binds
from app.language.query.source import source

SCALE = 12
EXACT = Context(prec=120)
"""Room for every product of an amount and a rate, and for their sums."""

_UNIT = Decimal(1).scaleb(-SCALE)


@dataclass(slots=True)
class Rates:
    target: str
    home: str
    table: dict[tuple[str, str], tuple[list[date], list[Decimal]]]
    derived: dict[str, str] = field(default_factory=dict)
    """Currencies converted by another way than a direct rate: `inverse`, or `cross`."""
    _found: dict[tuple[str, date], Decimal | None] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]], target: str, home: str) -> Rates:
        """From rows as the statements below give them, in any order, some of them twice."""
        found: dict[tuple[str, str], tuple[list[date], list[Decimal]]] = {}
        for source_, to, day, rate in sorted(rows, key=itemgetter(2)):
            days, rates = found.setdefault((source_, to), ([], []))
            days.append(day)
            rates.append(rate)
        return cls(target, home, found)

    def rate(self, currency: str, day: date, against: str | None = None) -> Decimal | None:
        """What one unit is worth in the wanted currency on a day; nothing where a second currency has no rate then."""
        if against is not None and self.rate(against, day) is None:
            return None
        if currency == self.target:
            return Decimal(1)
        key = (currency, day)
        if key not in self._found:
            self._found[key] = self._find(currency, day)
        return self._found[key]

    def _find(self, currency: str, day: date) -> Decimal | None:
        how, rate = self._pair(currency, self.target, day)
        if rate is None and self.home not in (currency, self.target):
            _, first = self._pair(currency, self.home, day)
            _, second = self._pair(self.home, self.target, day)
            if first is not None and second is not None:
                how, rate = "cross", EXACT.multiply(first, second).quantize(_UNIT, ROUND_HALF_EVEN, EXACT)
        if rate is not None and how != "direct":
            self.derived[currency] = how
        return rate

    def _pair(self, source_: str, target: str, day: date) -> tuple[str, Decimal | None]:
        if (direct := self._latest((source_, target), day)) is not None:
            return "direct", direct
        if (opposite := self._latest((target, source_), day)) is not None:
            return "inverse", EXACT.divide(Decimal(1), opposite).quantize(_UNIT, ROUND_HALF_EVEN, EXACT)
        return "none", None

    def _latest(self, pair: tuple[str, str], day: date) -> Decimal | None:
        if pair not in self.table:
            return None
        days, rates = self.table[pair]
        index = bisect_right(days, day) - 1
        return rates[index] if index >= 0 else None


_KNOWN = ("from_currency", "to_currency", "on_day", "rate")


def statement(binds: Binds) -> Statement:
    """Every rate of the days between, and for each pair the latest one on or before the first of them."""
    return _between(
        binds, binds.named("currencies", ARRAY(Text())),
        binds.named("first_day", Date()), binds.named("last_day", Date()),
    )  # fmt: skip


def behind(binds: Binds, sums: Sequence[tuple[str, bool]]) -> Statement:
    """The same, for what named sums of a script are in: those of their days, and of the days that are given. Nothing
    where all is in the wanted currency. Of each sum it is said whether a second currency needs a rate too."""
    day, currency = Date(), Text()
    keys = [
        (table(name, column("k_day", day), *(column(key, currency) for key in columns)), key)
        for name, second in sums
        for columns in [("k_currency", "k_against") if second else ("k_currency",)]
        for key in columns
    ]
    kinds = union(*(select(x.c.k_day.label("day"), x.c[key].label("currency")) for x, key in keys)).subquery()
    target, home = binds.named("target", currency), binds.named("home", currency)
    foreign = kinds.c.currency != target
    asked = (
        select(
            func.array_agg(kinds.c.currency.distinct()).op("||")(array([target, home])).label("currencies"),
            func.least(binds.named("first_day", day), func.min(kinds.c.day)).label("first_day"),
            func.greatest(binds.named("last_day", day), func.max(kinds.c.day)).label("last_day"),
        )
        .where(foreign)
        .having(func.count() > literal_column("0"))
        .cte("asked")
    )
    currencies, first, last = (select(x).scalar_subquery() for x in asked.c)
    return _between(binds, cast(currencies, ARRAY(currency)), first, last)


def _between(binds: Binds, currencies: Any, first: Any, last: Any) -> Statement:
    picked = []
    for alias in ("rate", "earlier"):
        rates = source(metadata.tables["exchange_rates"], binds, alias, tracked_only=True)
        pair = (rates.c.from_currency, rates.c.to_currency)
        rows = select(*(rates.c[name] for name in _KNOWN)).where(
            rates.c.tenant_id == binds.tenant,
            rates.c.deleted_at.is_(None),
            rates.c.from_currency == any_(currencies),
            rates.c.to_currency == any_(currencies),
        )
        if alias == "rate":
            picked.append(rows.where(rates.c.on_day > first, rates.c.on_day <= last))
        else:
            until = rows.where(rates.c.on_day <= first)
            picked.append(
                select(until.ext(distinct_on(*pair)).order_by(*pair, rates.c.on_day.desc()).subquery())
            )
    return compiled(union_all(*picked))


async def load(
    session: Session,
    text: Statement,
    wanted: Iterable[tuple[str, date]],
    target: str,
    home: str,
    values: Mapping[str, Any],
) -> Rates:
    """The rates for these currencies on these days. Asks nothing where everything is in the wanted currency."""
    foreign = [(currency, day) for currency, day in wanted if currency != target]
    if not foreign:
        return Rates.of((), target, home)
    rows = await session.fetch(
        text,
        currencies=sorted({currency for currency, _ in foreign} | {target, home}),
        first_day=min(day for _, day in foreign),
        last_day=max(day for _, day in foreign),
        **values,
    )
    return Rates.of(rows, target, home)
