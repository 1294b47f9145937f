"""Adding up: each fact to (bucket, dimensions) by a select, all of them in one message.

With the sums comes what hangs on them: the rates of exchange that price them, and what their groups are called. Prices
are joined to the few groups, so that a converted sum is the sum of exact products.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial
from operator import itemgetter
from typing import Any

from app.ground.database import script
from app.ground.database.session import Session, Statement
from app.language.metrics import compile as compiler
from app.language.metrics import nouns as naming
from app.language.metrics import rates as pricing
from app.language.metrics.metric import Measure, MetricCatalogue, Tally
from app.language.metrics.nouns import Names, Nouns
from app.language.metrics.plan import Asked, Slot, Window, window_of
from app.language.metrics.rates import EXACT, Rates
from app.language.metrics.spread import Wanted, exactly, halfway, quantiles

Group = tuple[Any, ...]
Cells = dict[tuple[int, Group], Tally]
Part = tuple[Measure, Window]
Level = tuple[str | None, tuple[str, ...]]
"""Grain and dimensions."""


@dataclass(slots=True)
class Sums:
    cells: dict[Level, dict[Part, Cells]]
    rates: Rates
    names: Names


@dataclass(frozen=True, slots=True)
class _Sum:
    """One population in one window at one level: what one select adds up, whichever metrics share it."""

    asked: Asked
    level: Level
    window: Window
    measures: tuple[Measure, ...]
    slots: list[Slot]
    shape: compiler.Shape
    statement: Statement
    part: script.Part

    @property
    def named(self) -> dict[str, list[str]]:
        """The columns that hold records whose names are shown, by their noun."""
        question, by = self.asked.question, self.level[1]
        found: dict[str, list[str]] = defaultdict(list)
        for dimension in map(question.dimension, question.by):
            if dimension.noun is not None and dimension.name in by:
                found[dimension.noun].append(f"d_{by.index(dimension.name)}")
        return found


def _sums(metrics: MetricCatalogue, asked: Asked, levels: Iterable[Level]) -> list[_Sum]:
    parts: dict[tuple[Level, Any, Window], dict[Measure, None]] = defaultdict(dict)
    for grain, by in levels:
        for metric in asked.question.metrics:
            for part in metric.parts.values():
                measure, window = window_of(metric, part)
                parts[(grain, metric.level(by)), measure.population, window][measure] = None
    found: list[_Sum] = []
    for (level, population, window), measures in parts.items():
        slots = asked.slots(level[0], window)
        shape = asked.shape(population, tuple(measures), level[1], slots)
        text = metrics.statement(
            shape, partial(compiler.value, shape, asked.binds, asked.visible(population))
        )
        part = script.Part(text.sql, text.arguments(asked.values(slots)))
        found.append(_Sum(asked, level, window, tuple(measures), slots, shape, text, part))
    return found


@dataclass(slots=True)
class _Found:
    """What came back for one question: the rows of each of its sums, and what hangs on them."""

    sums: list[Sequence[Any]] = field(default_factory=list)
    rates: list[Sequence[Any]] = field(default_factory=list)
    names: Names = field(default_factory=Names)


async def add_up(
    session: Session,
    nouns: Nouns,
    metrics: MetricCatalogue,
    questions: Sequence[tuple[Asked, Iterable[Level]]],
) -> list[Sums]:
    """Everything that all questions add up is asked at once."""
    plans = [_sums(metrics, asked, levels) for asked, levels in questions]
    added: list[Sums] = []
    spread: list[Wanted] = []
    gathered = await _gather(session, nouns, metrics, plans)
    for (asked, _), plan, found in zip(questions, plans, gathered, strict=True):
        rates = Rates.of(found.rates, asked.question.currency, asked.home)
        cells: dict[Level, dict[Part, Cells]] = defaultdict(dict)
        for each, rows in zip(plan, found.sums, strict=True):
            for measure, found_cells in zip(each.measures, _tally(each, rows, rates), strict=True):
                cells[each.level][measure, each.window] = found_cells
                if measure.quantiles and not compiler.spreads(each.shape, measure):
                    prices = _prices(each, rows, rates) if measure.money else {}
                    spread.append(Wanted(asked, measure, each.level[1], each.slots, prices, found_cells))
        added.append(Sums(cells, rates, found.names))
    await quantiles(session, metrics, spread)
    return added


async def _gather(
    session: Session, nouns: Nouns, metrics: MetricCatalogue, plans: Sequence[Sequence[_Sum]]
) -> list[_Found]:
    """What is too much for one message is asked in several, each with what hangs on its own sums."""
    found = [_Found() for _ in plans]
    every = [(of, each) for of, plan in zip(found, plans, strict=True) for each in plan]
    done = 0
    for batch in script.batches([each.part for _, each in every]):
        parts: list[script.Part] = []
        takers: list[Callable[[Sequence[Any]], None]] = []
        behind: dict[int, tuple[_Found, dict[str, _Sum]]] = {}
        for place, (of, each) in enumerate(every[done : done + len(batch)]):
            name = f"sum_{place}" if each.shape.money or each.named else ""
            parts.append(replace(each.part, name=name))
            takers.append(of.sums.append)
            if name:
                behind.setdefault(id(of), (of, {}))[1][name] = each
        for of, sums in behind.values():
            for part, take in (*_rates_of(metrics, of, sums), *_names_of(nouns, metrics, of, sums)):
                parts.append(part)
                takers.append(take)
        for take, rows in zip(takers, await script.together(session, parts), strict=True):
            take(rows)
        done += len(batch)
    return found


_Behind = Iterator[tuple[script.Part, Callable[[Sequence[Any]], None]]]


def _rates_of(metrics: MetricCatalogue, of: _Found, sums: Mapping[str, _Sum]) -> _Behind:
    priced = {name: each for name, each in sums.items() if each.shape.money}
    if not priced:
        return
    asked = next(iter(priced.values())).asked
    shape = tuple((name, each.shape.population.against is not None) for name, each in priced.items())
    text = metrics.statement(
        ("rates", asked.rate_binds.signature, shape), partial(pricing.behind, asked.rate_binds, shape)
    )
    days = [
        asked.rate_day(each.shape.population, slot, None)
        for each in priced.values()
        if not each.shape.daily_rates
        for slot in each.slots
    ]
    values = {
        **asked.values(()),
        "first_day": min(days, default=None),
        "last_day": max(days, default=None),
    }
    yield script.Part(text.sql, text.arguments(values)), of.rates.extend


def _names_of(nouns: Nouns, metrics: MetricCatalogue, of: _Found, sums: Mapping[str, _Sum]) -> _Behind:
    columns: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, each in sums.items():
        for noun, own in each.named.items():
            columns[noun] += [(name, column) for column in own]
    for noun, where in columns.items():
        asked = next(iter(sums.values())).asked
        for text, then in naming.behind(nouns[noun], metrics, asked, where):
            part = script.Part(text.sql, text.arguments(asked.values(())))
            yield part, partial(of.names.take, noun, then)


def _prices(each: _Sum, rows: Sequence[Any], rates: Rates) -> dict[tuple[int, str, date | None], Decimal]:
    """The rates that price the rows behind these sums: one a currency and day, or a currency and bucket."""
    currency, day, i = (each.statement.places[name] for name in ("k_currency", "k_day", "i"))
    found: dict[tuple[int, str, date | None], Decimal] = {}
    for row, rate in zip(rows, _rate_of_each(each, rows, rates), strict=True):
        if rate is not None and row[currency] != rates.target:
            found[0 if row[day] else row[i], row[currency], row[day]] = rate
    return found


def _tally(each: _Sum, rows: Sequence[Any], rates: Rates) -> list[Cells]:
    at, width = each.statement.places, len(each.level[1])
    i, first = at["i"], at.get("d_0", 0)
    groups = [(row[i], row[first : first + width]) for row in rows]
    prices = _rate_of_each(each, rows, rates)
    found: list[Cells] = []
    for k, measure in enumerate(each.measures):
        exclusions = [(reason, at[f"x_{k}_{x}"]) for x, reason in enumerate(each.asked.reasons(measure))]
        found.append(_cells(measure, exclusions, at, k, rows, groups, prices))
    return found


def _rate_of_each(each: _Sum, rows: Sequence[Any], rates: Rates) -> Sequence[Decimal | None]:
    if not each.shape.money:
        return [None] * len(rows)
    population = each.shape.population
    kinds = itemgetter(*(each.statement.places[x] for x in ("i", "k_currency", "k_day")),
                       each.statement.places["k_against" if population.against else "i"])  # fmt: skip
    found: dict[tuple[Any, ...], Decimal | None] = {}
    prices: list[Decimal | None] = []
    for kind in map(kinds, rows):
        if kind not in found:
            i, currency, day, against = kind
            on = each.asked.rate_day(population, each.slots[i], day)
            found[kind] = (
                None
                if currency is None
                else rates.rate(currency, on, against if population.against else None)
            )
        prices.append(found[kind])
    return prices


def _cells(
    measure: Measure,
    exclusions: Sequence[tuple[str, int]],
    at: Mapping[str, int],
    index: int,
    rows: Sequence[Any],
    groups: Sequence[tuple[int, Group]],
    prices: Sequence[Decimal | None],
) -> Cells:
    reason_at, n_at, sum_at, inferred_at = (
        at[name] for name in ("reason", f"n_{index}", f"s_{index}", f"inferred_{index}")
    )
    fixed = measure.over if isinstance(measure.over, int) else 1
    over_at = at["k_over"] if callable(measure.over) else None
    spread = [
        (quantile, at[low], at[f"high_{index}_{k}"])
        for k, quantile in enumerate(measure.quantiles)
        if (low := f"low_{index}_{k}") in at
    ]
    found: Cells = {}
    sums: dict[tuple[Any, int], Decimal | int] = {}
    for row, group, rate in zip(rows, groups, prices, strict=True):
        n = row[n_at]
        left_out = [(reason, x) for reason, place in exclusions if (x := row[place])] if exclusions else None
        if not n and not left_out:
            continue
        if (tally := found.get(group)) is None:
            tally = found[group] = Tally()
        for reason, x in left_out or ():
            tally.leave_out(reason, x)
        if not n:
            continue
        if (reason := row[reason_at]) is not None:
            tally.leave_out(reason, n)
            continue
        total: Decimal | int = n if measure.value is None else row[sum_at]
        if measure.money:
            if rate is None:
                tally.leave_out("missing_fx", n)
                continue
            total = EXACT.multiply(total, rate)
        tally.n += n
        tally.inferred += row[inferred_at]
        for quantile, low_at, high_at in spread:
            if row[low_at] is not None:
                tally.quantiles[quantile] = halfway(row[low_at], row[high_at], fixed)
        key = (group, fixed if over_at is None else row[over_at])
        sums[key] = EXACT.add(sums[key], total) if key in sums else total
    for (group, over), total in sums.items():
        tally = found[group]
        part = exactly(total) if over == 1 else exactly(total) / over
        tally.total = tally.total + part if tally.total else part
    return found
