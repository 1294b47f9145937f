"""Numbers: a question in, rows that explain themselves out.

What is added up comes with its rates and names from `adding`; the formulas run on exact sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.language.metrics import wide
from app.language.metrics.adding import Cells, Group, Level, Part, Sums, add_up
from app.language.metrics.interval import CONFIDENCE, FEW, wilson
from app.language.metrics.metric import Dimension, Metric, MetricCatalogue, Over, Result, Tally
from app.language.metrics.nouns import Names, Nouns
from app.language.metrics.plan import Asked, beside, prepare, restated, window_of
from app.language.metrics.question import MetricQuery
from app.language.metrics.rates import EXACT, SCALE, Rates


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
    sums = iter(await add_up(session, catalogue, metrics, wanted))
    own = [next(sums) for _ in asked]
    besides = [Beside(*(Other(o, next(sums)) if o else None for o in pair)) for pair in others]
    return [_told(*each) for each in zip(asked, levels, own, besides, strict=True)]


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


def _levels(question: MetricQuery) -> dict[Level, bool]:
    """What to add up to, and whether it is shown."""
    levels: dict[Level, bool] = {(question.grain, question.by): True}
    if question.totals:
        levels |= dict.fromkeys([(None, question.by), (question.grain, ()), (None, ())], True)
    if question.sort or question.limit:
        levels.setdefault((None, question.by), False)
    return levels


def _told(asked: Asked, levels: Mapping[Level, bool], sums: Sums, others: Beside) -> Answer:
    question = asked.question
    wanted = (question.grain, question.by)
    kept = _groups(asked, sums, _there(sums, others), wanted, (None, question.by))
    rows: list[dict[str, Any]] = []
    for level, shown in levels.items():
        if shown:
            groups = kept if level[1] else [()]
            told = _rows(asked, sums, others, level, groups, total=level != wanted)
            rows += wide.rows(told) if question.wide else told
    if question.sort and question.by:
        rank = {group: index for index, group in enumerate(kept, start=1)}
        for row in rows:
            row["rank"] = rank.get(row.pop("_group"))
    for row in rows:
        row.pop("_group", None)
    return Answer(rows, _meta(asked, others.compared, sums.rates))


# --- rows -------------------------------------------------------------------------------------------------------------


def _there(sums: Sums, others: Beside) -> list[Sums]:
    return [sums, *(other.sums for other in (others.compared, others.restated) if other)]


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
        if len(self._parts) == 1:
            name, cells, _, counts = self._parts[0]
            if (tally := cells.get(key)) is None:
                return self._empty
            result = self._metric.evaluate({name: tally})
            return _Evaluated(result, tally.excluded, tally.inferred) if counts else _Evaluated(result, {}, 0)
        there = [cells.get(key) for _, cells, _, _ in self._parts]
        if all(tally is None for tally in there):
            return self._empty
        tallies: dict[str, Tally] = {}
        largest: dict[Any, dict[str, int]] = {}
        inferred: dict[Any, int] = {}
        for (name, _, where, counts), tally in zip(self._parts, there, strict=True):
            if tally is None:
                tallies[name] = Tally()
                continue
            tallies[name] = tally
            if not counts:
                continue
            if tally.excluded:
                known = largest.setdefault(where, {})
                for reason, n in tally.excluded.items():
                    known[reason] = max(n, known.get(reason, 0))
            if tally.inferred:
                inferred[where] = max(inferred.get(where, 0), tally.inferred)
        return _Evaluated(self._metric.evaluate(tallies), _added(largest.values()), sum(inferred.values()))


def _added(several: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for left_out in several:
        for reason, n in left_out.items():
            found[reason] = found.get(reason, 0) + n
    return found


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
    *,
    total: bool,
) -> list[dict[str, Any]]:
    grain, by = level
    buckets = asked.buckets(grain)
    dimensions = [asked.question.dimension(name) for name in by]
    names = Names.all(x.names for x in _there(sums, others))
    told = {group: _named(dimensions, group, names) for group in groups}
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
                    "excluded": {r: n for r, n in sorted(cell.excluded.items()) if n} if cell.excluded else {},
                    "inferred": cell.inferred,
                    "unit": metric.unit,
                    "null_reason": result.null_reason,
                    **_sure(metric, result),
                    "beside": {x: decimal(value) for x, value in result.beside.items()} if result.beside else {},
                    "compare": compared.told(i, group, result.value) if compared else None,
                    "restated": settled.told(i, group, result.value) if settled else None,
                    "partial": bucket is not None and bucket.starts <= asked.moment < bucket.ends,
                    "total": total,
                    "_group": group,
                })  # fmt: skip
    return rows


def _named(
    by: Sequence[Dimension], group: Group, names: Names
) -> tuple[dict[str, dict[str, str | None]], str]:
    """A group in words, and what it adds to the key of a row."""
    dimensions = {
        dimension.name: {
            "id": None if value is None else str(value), "name": names.name(dimension, value)
        }
        for dimension, value in zip(by, group, strict=True)
    }  # fmt: skip
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
    above, below = number.numerator, number.denominator
    if below == 1:
        return Decimal(above)
    end = below
    for prime in (2, 5):
        while end % prime == 0:
            end //= prime
    exact = (EXACT if end == 1 else _QUOTIENT).divide(Decimal(above), Decimal(below))
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
