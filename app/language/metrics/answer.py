"""Numbers: a question in, rows that explain themselves out.

Each fact is added up to (bucket, dimensions) by a select, all of them in one statement; prices and names are joined
to the few groups, and the formulas run on exact sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache, cached_property, partial
from typing import Any

from app.ground.access.principal import Principal
from app.ground.database import script
from app.ground.database.session import Session, Statement
from app.language.metrics import compile as compiler
from app.language.metrics import wide
from app.language.metrics.interval import CONFIDENCE, FEW, wilson
from app.language.metrics.metric import Measure, Metric, MetricCatalogue, Over, Result, Tally
from app.language.metrics.nouns import Nouns, labels
from app.language.metrics.plan import Asked, Slot, Window, beside, prepare, restated, window_of
from app.language.metrics.question import MetricQuery
from app.language.metrics.rates import EXACT, SCALE, Rates, load, statement
from app.language.metrics.spread import Wanted, halfway, quantiles

Group = tuple[Any, ...]
Cells = dict[tuple[int, Group], Tally]
Part = tuple[Measure, Window]


@dataclass(frozen=True, slots=True)
class Answer:
    """As `api.md` shapes it. Values are Decimals: whole sums are exact, quotients have 28 digits."""

    data: list[dict[str, Any]]
    meta: dict[str, Any]


async def query(
    session: Session,
    principal: Principal,
    catalogue: Nouns,
    metrics: MetricCatalogue,
    question: MetricQuery,
    *,
    now: datetime | None = None,
) -> Answer:
    [found] = await queries(session, principal, catalogue, metrics, [question], now=now)
    return found


async def queries(
    session: Session,
    principal: Principal,
    catalogue: Nouns,
    metrics: MetricCatalogue,
    questions: Sequence[MetricQuery],
    *,
    now: datetime | None = None,
) -> list[Answer]:
    """All of one moment, which is `now` where a question names no other."""
    now = now or datetime.now(UTC)
    asked = [await prepare(session, principal, catalogue, question, now) for question in questions]
    levels = [_levels(question) for question in questions]
    others = [(beside(each), restated(each)) for each in asked]
    wanted = [
        *zip(asked, levels, strict=True),
        *((o, level) for pair, level in zip(others, levels, strict=True) for o in pair if o),
    ]
    sums = iter(await _add_up(session, metrics, wanted))
    own = [next(sums) for _ in asked]
    besides = [Beside(*(Other(o, next(sums)) if o else None for o in pair)) for pair in others]
    return [
        await _told(session, catalogue, metrics, *each)
        for each in zip(asked, levels, own, besides, strict=True)
    ]


Level = tuple[str | None, tuple[str, ...]]
"""Grain and dimensions."""


def _levels(question: MetricQuery) -> dict[Level, bool]:
    """What to add up to, and whether it is shown."""
    levels: dict[Level, bool] = {(question.grain, question.by): True}
    if question.totals:
        levels |= dict.fromkeys([(None, question.by), (question.grain, ()), (None, ())], True)
    if question.sort or question.limit:
        levels.setdefault((None, question.by), False)
    return levels


async def _told(
    session: Session,
    catalogue: Nouns,
    metrics: MetricCatalogue,
    asked: Asked,
    levels: Mapping[Level, bool],
    sums: Sums,
    others: Beside,
) -> Answer:
    question = asked.question
    wanted = (question.grain, question.by)
    there = [sums, *(other.sums for other in (others.compared, others.restated) if other)]
    kept = _groups(asked, sums, there, wanted, (None, question.by))
    dimensions = [question.dimension(name) for name in question.by]
    names = await labels(session, catalogue, metrics, asked, dimensions, kept)
    rows: list[dict[str, Any]] = []
    for level, shown in levels.items():
        if shown:
            groups = kept if level[1] else [()]
            told = _rows(asked, sums, others, level, groups, names, total=level != wanted)
            rows += wide.rows(told) if question.wide else told
    if question.sort and question.by:
        rank = {group: index for index, group in enumerate(kept, start=1)}
        for row in rows:
            row["rank"] = rank.get(row.pop("_group"))
    for row in rows:
        row.pop("_group", None)
    return Answer(rows, _meta(asked, others.compared, sums.rates))


# --- adding up --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sums:
    cells: dict[Level, dict[Part, Cells]]
    rates: Rates


@dataclass(frozen=True, slots=True)
class Other:
    """The same question of another period, or of another moment."""

    asked: Asked
    sums: Sums


@dataclass(frozen=True, slots=True)
class Beside:
    """What is told beside each number, where that was asked for."""

    compared: Other | None
    restated: Other | None


@dataclass(frozen=True, slots=True)
class _Sum:
    """One population in one window at one level: what one select adds up, whichever metrics share it."""

    level: Level
    window: Window
    measures: tuple[Measure, ...]
    slots: list[Slot]
    shape: compiler.Shape
    statement: Statement
    part: script.Part


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
        values = {"tenant": asked.principal.tenant_id, **asked.values(slots)}
        part = script.Part(text.sql, text.arguments(values))
        found.append(_Sum(level, window, tuple(measures), slots, shape, text, part))
    return found


async def _add_up(
    session: Session, metrics: MetricCatalogue, questions: Sequence[tuple[Asked, Mapping[Level, bool]]]
) -> list[Sums]:
    """Everything that all questions add up is asked at once."""
    plans = [_sums(metrics, asked, levels) for asked, levels in questions]
    answers = iter(await script.gather(session, [each.part for plan in plans for each in plan]))
    found: list[Sums] = []
    spread: list[Wanted] = []
    for (asked, _), plan in zip(questions, plans, strict=True):
        gathered = [(each, next(answers)) for each in plan]
        rates = await rates_for(session, metrics, asked, _foreign(asked, gathered))
        cells: dict[Level, dict[Part, Cells]] = defaultdict(dict)
        for each, rows in gathered:
            for measure, found_cells in zip(each.measures, _tally(asked, each, rows, rates), strict=True):
                cells[each.level][measure, each.window] = found_cells
                if measure.quantiles and not compiler.spreads(each.shape, measure):
                    prices = _prices(asked, each, rows, rates) if measure.money else {}
                    spread.append(Wanted(asked, measure, each.level[1], each.slots, prices, found_cells))
        found.append(Sums(cells, rates))
    await quantiles(session, metrics, spread)
    return found


def _foreign(asked: Asked, gathered: Iterable[tuple[_Sum, Sequence[Any]]]) -> Iterator[tuple[str, date]]:
    for each, rows in gathered:
        if each.shape.money:
            places, population = each.statement.places, each.shape.population
            day, i = places["k_day"], places["i"]
            for name in ("k_currency", "k_against"):
                if (currency := places.get(name)) is not None:
                    for foreign, on, bucket in {(row[currency], row[day], row[i]) for row in rows}:
                        if foreign is not None:
                            yield foreign, asked.rate_day(population, each.slots[bucket], on)


def _prices(
    asked: Asked, each: _Sum, rows: Sequence[Any], rates: Rates
) -> dict[tuple[int, str, date | None], Decimal]:
    """The rates that price the rows behind these sums: one a currency and day, or a currency and bucket."""
    currency, day, i = (each.statement.places[name] for name in ("k_currency", "k_day", "i"))
    population = each.shape.population
    found: dict[tuple[int, str, date | None], Decimal] = {}
    for row in rows:
        if row[currency] is not None and row[currency] != asked.question.currency:
            rate = rates.rate(row[currency], asked.rate_day(population, each.slots[row[i]], row[day]))
            if rate is not None:
                found[0 if row[day] else row[i], row[currency], row[day]] = rate
    return found


async def rates_for(
    session: Session, metrics: MetricCatalogue, asked: Asked, wanted: Iterable[tuple[str, date]]
) -> Rates:
    text = metrics.statement(("rates", asked.rate_binds.signature), partial(statement, asked.rate_binds))
    return await load(session, text, set(wanted), asked.question.currency, asked.home, asked.values(()))


def _tally(asked: Asked, asked_for: _Sum, rows: Sequence[Any], rates: Rates) -> list[Cells]:
    at, width = asked_for.statement.places, len(asked_for.level[1])
    i, first = at["i"], at.get("d_0", 0)
    groups = [(row[i], tuple(row[first : first + width])) for row in rows]
    prices = _rate_of_each(asked, asked_for, rows, rates)
    found: list[Cells] = []
    for k, measure in enumerate(asked_for.measures):
        exclusions = [(reason, at[f"x_{k}_{x}"]) for x, reason in enumerate(asked.reasons(measure))]
        found.append(_cells(measure, exclusions, at, k, rows, groups, prices))
    return found


def _rate_of_each(
    asked: Asked, asked_for: _Sum, rows: Sequence[Any], rates: Rates
) -> Sequence[Decimal | None]:
    if not asked_for.shape.money:
        return [None] * len(rows)
    at, slots, population = asked_for.statement.places, asked_for.slots, asked_for.shape.population
    i, currency, day = (at[name] for name in ("i", "k_currency", "k_day"))
    against = at["k_against"] if population.against else None

    @cache
    def rate(i: int, currency: str | None, day: date | None, against: str | None) -> Decimal | None:
        if currency is None:
            return None
        return rates.rate(currency, asked.rate_day(population, slots[i], day), against)

    return [rate(row[i], row[currency], row[day], None if against is None else row[against]) for row in rows]


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
        left_out = [(reason, x) for reason, place in exclusions if (x := row[place])]
        if not n and not left_out:
            continue
        if (tally := found.get(group)) is None:
            tally = found[group] = Tally()
        for reason, x in left_out:
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
        part = Fraction(total) if over == 1 else Fraction(total) / over
        tally.total = tally.total + part if tally.total else part
    return found


# --- rows -------------------------------------------------------------------------------------------------------------


def _groups(asked: Asked, sums: Sums, there: Sequence[Sums], wanted: Level, ranked: Level) -> list[Group]:
    """Every group that any metric of the question has in any bucket, or had in one that it is compared with: those to
    show, in their order."""
    question = asked.question
    if not question.by:
        return [()]
    grain, by = wanted
    found = {
        group[: len(by)]
        for each in there
        for metric in question.metrics
        for cells in each.cells[grain, metric.level(by)].values()
        for _, group in cells
    }
    order = sorted(found, key=lambda group: tuple((value is None, str(value)) for value in group))
    if question.sort or question.limit:
        name, largest_first = question.sort or (question.metrics[0].name, True)
        metric = next(m for m in question.metrics if m.name == name)
        formula = _formula(metric, sums, ranked)
        worth = {group: formula.at(0, group).result.value for group in order}
        undefined = [group for group in order if worth[group] is None]
        defined = [group for group in order if worth[group] is not None]
        defined.sort(key=lambda group: worth[group] or Fraction(0), reverse=largest_first)
        order = [*defined, *undefined]
    return order[: question.limit] if question.limit else order


@dataclass(slots=True)
class _Evaluated:
    """The formula over one cell, what all its parts left out, and how much of them is inferred."""

    result: Result
    excluded: Mapping[str, int]
    inferred: int


class _Formula:
    """A metric over what its parts came to at one level."""

    def __init__(self, metric: Metric, cells: Mapping[Part, Cells]) -> None:
        self._metric = metric
        self._parts = [
            (name, cells[part], (part[0].population, part[1]), name not in metric.aside)
            for name, part in ((name, window_of(metric, part)) for name, part in metric.parts.items())
        ]

    @cached_property
    def _empty(self) -> _Evaluated:
        return _Evaluated(self._metric.evaluate({name: Tally() for name, *_ in self._parts}), {}, 0)

    def at(self, i: int, group: Group) -> _Evaluated:
        """Parts of one population count the same rows, so of them the largest count is taken; others add."""
        key = (i, group)
        there = False
        tallies: dict[str, Tally] = {}
        largest: dict[Any, dict[str, int]] = {}
        inferred: dict[Any, int] = {}
        for name, cells, where, counts in self._parts:
            if (tally := cells.get(key)) is None:
                tallies[name] = Tally()
                continue
            there = True
            tallies[name] = tally
            if not counts:
                continue
            if tally.excluded:
                known = largest.get(where, {})
                largest[where] = known | {r: max(n, known.get(r, 0)) for r, n in tally.excluded.items()}
            if tally.inferred:
                inferred[where] = max(inferred.get(where, 0), tally.inferred)
        if not there:
            return self._empty
        excluded: dict[str, int] = {}
        for left_out in largest.values():
            for reason, n in left_out.items():
                excluded[reason] = excluded.get(reason, 0) + n
        return _Evaluated(self._metric.evaluate(tallies), excluded, sum(inferred.values()))


class _Over:
    """A number over those of the groups that stand below one: the results of each, made into one."""

    def __init__(
        self, metric: Metric, over: Over, cells: Mapping[Part, Cells], place: int, width: int
    ) -> None:
        self._over, self._each = over, _Formula(metric, cells)
        self._below: dict[tuple[int, Group], set[Group]] = defaultdict(set)
        for found in cells.values():
            for i, group in found:
                if group[place] is not None:
                    self._below[i, group[:width]].add(group)

    def at(self, i: int, group: Group) -> _Evaluated:
        each = [self._each.at(i, below) for below in sorted(self._below.get((i, group), ()), key=str)]
        result = self._over([cell.result for cell in each])
        return _Evaluated(result, result.excluded, sum(cell.inferred for cell in each))


def _formula(metric: Metric, sums: Sums, level: Level) -> _Formula | _Over:
    grain, by = level
    deep = metric.level(by)
    cells = sums.cells[grain, deep]
    if metric.each is None or metric.over is None:
        return _Formula(metric, cells)
    return _Over(metric, metric.over, cells, deep.index(metric.each), len(by))


def _rows(
    asked: Asked,
    sums: Sums,
    others: Beside,
    level: Level,
    groups: Sequence[Group],
    names: Mapping[tuple[str, Any], str | None],
    *,
    total: bool,
) -> list[dict[str, Any]]:
    grain, by = level
    buckets = asked.buckets(grain)
    told = {group: _named(by, group, names) for group in groups}
    rows = []
    for metric in asked.question.metrics:
        formula = _formula(metric, sums, level)
        compared = _Comparison(metric, others.compared, level) if others.compared else None
        settled = _Comparison(metric, others.restated, level) if others.restated else None
        for i, bucket in enumerate(buckets):
            start, end = (bucket.first.isoformat(), bucket.last.isoformat()) if bucket else (None, None)
            for group in groups:
                cell = formula.at(i, group)
                result = cell.result
                dimensions, suffix = told[group]
                rows.append({
                    "row_key": f"{metric.name}|{start or 'now'}|{end or 'now'}{suffix}",
                    "metric": metric.name,
                    "period_start": start,
                    "period_end": end,
                    "dimensions": dimensions,
                    "value": decimal(result.value),
                    "numerator": decimal(result.numerator),
                    "denominator": decimal(result.denominator),
                    "n": result.n,
                    "excluded": {reason: n for reason, n in sorted(cell.excluded.items()) if n},
                    "inferred": cell.inferred,
                    "unit": metric.unit,
                    "null_reason": result.null_reason,
                    **_sure(metric, result),
                    "beside": {name: decimal(value) for name, value in result.beside.items()},
                    "compare": compared.told(i, group, result.value) if compared else None,
                    "restated": settled.told(i, group, result.value) if settled else None,
                    "partial": bucket is not None and bucket.starts <= asked.moment < bucket.ends,
                    "total": total,
                    "_group": group,
                })  # fmt: skip
    return rows


def _named(
    by: Sequence[str], group: Group, names: Mapping[tuple[str, Any], str | None]
) -> tuple[dict[str, dict[str, str | None]], str]:
    """A group in words, and what it adds to the key of a row."""
    dimensions = {
        name: {"id": None if value is None else str(value), "name": names[name, value]}
        for name, value in zip(by, group, strict=True)
    }
    return dimensions, "".join(f"|{name}={value['id']}" for name, value in dimensions.items())


def _sure(metric: Metric, result: Result) -> dict[str, Any]:
    """How sure a share of counted rows is; nothing of any other number."""
    if not metric.proportion or result.numerator is None or result.denominator is None:
        return {"interval": None, "small_sample": metric.proportion}
    bounds = wilson(result.numerator, result.denominator)
    return {
        "interval": {"low": bounds[0], "high": bounds[1], "confidence": CONFIDENCE} if bounds else None,
        "small_sample": result.denominator < FEW,
    }


class _Comparison:
    """What a metric came to in another period, or at the end of the same, bucket by bucket in their order."""

    def __init__(self, metric: Metric, other: Other, level: Level) -> None:
        self._formula = _formula(metric, other.sums, level)
        self._buckets = other.asked.buckets(level[0])

    def told(self, i: int, group: Group, value: Fraction | None) -> dict[str, Any]:
        """Null throughout where the other period has no such bucket."""
        bucket = self._buckets[i] if i < len(self._buckets) else None
        cell = self._formula.at(i, group) if bucket else None
        before = cell.result.value if cell else None
        change = None if value is None or before is None else value - before
        # Of what was nothing, or less, no share can be said.
        ratio = change / before if change is not None and before is not None and before > 0 else None
        return {
            "period_start": bucket.first.isoformat() if bucket else None,
            "period_end": bucket.last.isoformat() if bucket else None,
            "value": decimal(before),
            "n": cell.result.n if cell else None,
            "null_reason": cell.result.null_reason if cell else "no_such_bucket",
            "change": decimal(change),
            "change_ratio": decimal(ratio),
        }


_QUOTIENT = Context(prec=28)


def decimal(number: Fraction | None) -> Decimal | None:
    """Exact where the number has an end, else to 28 digits."""
    if number is None:
        return None
    below = number.denominator
    if below == 1:
        return Decimal(number.numerator)
    for prime in (2, 5):
        while below % prime == 0:
            below //= prime
    exact = (EXACT if below == 1 else _QUOTIENT).divide(
        Decimal(number.numerator), Decimal(number.denominator)
    )
    plain = exact.normalize(EXACT)
    return plain.quantize(Decimal(1), context=EXACT) if plain == plain.to_integral_value() else plain


def _meta(asked: Asked, compared: Other | None, rates: Rates) -> dict[str, Any]:
    question = asked.question
    return {
        "timezone": question.timezone,
        "currency": question.currency,
        "fx": question.fx,
        "rates": {"derived": dict(sorted(rates.derived.items())), "scale": SCALE},
        "credit": question.credit,
        "attribution": question.attribution,
        "compare": question.compare,
        "compare_start": compared.asked.days[0].isoformat() if compared and compared.asked.days else None,
        "compare_end": compared.asked.days[1].isoformat() if compared and compared.asked.days else None,
        "running": "period" if question.running else None,
        "window": f"rolling_{question.window[0]}_{question.window[1]}s" if question.window else None,
        "as_of": asked.moment.isoformat(),
        "known_at": (question.known_at or asked.now).isoformat(),
        "data_through": (question.known_at or asked.now).isoformat(),
        "period": question.period,
        "period_start": asked.days[0].isoformat() if asked.days else None,
        "period_end": asked.days[1].isoformat() if asked.days else None,
        "grain": question.grain,
        "definitions": {m.name: m.version for m in question.metrics},
    }
