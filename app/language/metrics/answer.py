"""Numbers: a question in, rows that explain themselves out.

Each fact is added up to (bucket, dimensions) by one statement, prices and names are joined to the few groups, and the
formulas run on exact sums. Whoever asks several questions at once opens the transaction with `SNAPSHOT`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.language.metrics import compile as compiler
from app.language.metrics.metric import Measure, Metric, MetricCatalogue, Tally
from app.language.metrics.nouns import Nouns, labels
from app.language.metrics.plan import Asked, Slot, Window, prepare, window_of
from app.language.metrics.question import MetricQuery
from app.language.metrics.rates import EXACT, SCALE, Rates, load, statement

SNAPSHOT = "repeatable read read only"
"""The isolation under which every number of an answer is of one moment."""

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
    asked = await prepare(session, principal, catalogue, question, now)
    wanted = (question.grain, question.by)
    levels = {wanted: True}
    if question.totals:
        levels |= dict.fromkeys([(None, question.by), (question.grain, ()), (None, ())], True)
    ranked = (None, question.by)
    if question.sort or question.limit:
        levels.setdefault(ranked, False)
    sums = await _add_up(session, metrics, asked, list(levels))
    rates = sums.rates
    kept = _groups(asked, sums, wanted, ranked)
    names = await labels(session, catalogue, asked, [question.dimension(n) for n in question.by], kept)
    rows: list[dict[str, Any]] = []
    for level, shown in levels.items():
        if shown:
            rows += _rows(
                asked, sums.cells[level], level, kept if level[1] else [()], names, total=level != wanted
            )
    if question.sort and question.by:
        rank = {group: index for index, group in enumerate(kept, start=1)}
        for row in rows:
            row["rank"] = rank.get(row.pop("_group"))
    for row in rows:
        row.pop("_group", None)
    return Answer(rows, _meta(asked, rates))


# --- adding up --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sums:
    cells: dict[tuple[str | None, tuple[str, ...]], dict[Part, Cells]]
    rates: Rates


async def _add_up(
    session: Session,
    metrics: MetricCatalogue,
    asked: Asked,
    levels: Sequence[tuple[str | None, tuple[str, ...]]],
) -> Sums:
    """One statement for each population, window and level, whichever metrics of the question share it."""
    parts: dict[tuple[Any, Window], dict[Measure, None]] = defaultdict(dict)
    for metric in asked.question.metrics:
        for part in metric.parts.values():
            measure, window = window_of(metric, part)
            parts[measure.population, window][measure] = None
    gathered: list[tuple[Any, Window, tuple[Measure, ...], list[Slot], list[Any]]] = []
    for grain, by in levels:
        for (population, window), measures in parts.items():
            slots = asked.slots(grain, window)
            shape = asked.shape(population, tuple(measures), by, slots)
            text = metrics.statement(
                shape, partial(compiler.value, shape, asked.binds, asked.visible(population))
            )
            rows = await session.fetch(text, **asked.values(slots))
            gathered.append(((grain, by), window, tuple(measures), slots, rows))
    rates = await rates_for(session, metrics, asked, (
        (row["k_currency"], asked.rate_day(population_of(measures), slots[row["i"]], row["k_day"]))
        for _, _, measures, slots, rows in gathered
        if any(m.money for m in measures)
        for row in rows
        if row["k_currency"] is not None
    ))  # fmt: skip
    cells: dict[Any, dict[Part, Cells]] = {level: {} for level in levels}
    for level, window, measures, slots, rows in gathered:
        for measure, found in zip(
            measures, _tally(asked, measures, slots, rows, len(level[1]), rates), strict=True
        ):
            cells[level][measure, window] = found
    return Sums(cells, rates)


def population_of(measures: Sequence[Measure]) -> Any:
    return measures[0].population


async def rates_for(
    session: Session, metrics: MetricCatalogue, asked: Asked, wanted: Iterable[tuple[str, date]]
) -> Rates:
    text = metrics.statement(("rates", asked.rate_binds.signature), partial(statement, asked.rate_binds))
    return await load(session, text, set(wanted), asked.question.currency, asked.home, asked.values(()))


def _tally(
    asked: Asked,
    measures: Sequence[Measure],
    slots: Sequence[Slot],
    rows: Sequence[Any],
    width: int,
    rates: Rates,
) -> list[Cells]:
    population = population_of(measures)
    reasons = [asked.reasons(measure) for measure in measures]
    found: list[Cells] = [{} for _ in measures]
    sums: list[dict[tuple[Any, int], Decimal]] = [{} for _ in measures]
    for row in rows:
        key = (row["i"], tuple(row[f"d_{k}"] for k in range(width)))
        for index, measure in enumerate(measures):
            n = row[f"n_{index}"]
            left_out = {r: x for k, r in enumerate(reasons[index]) if (x := row[f"x_{index}_{k}"])}
            if not n and not left_out:
                continue
            tally = found[index].setdefault(key, Tally())
            tally.excluded.update(left_out)
            if row["reason"] is not None:
                tally.excluded[row["reason"]] += n
                continue
            total = row[f"s_{index}"]
            if measure.money and n:
                rate = rates.rate(
                    row["k_currency"], asked.rate_day(population, slots[row["i"]], row["k_day"])
                )
                if rate is None:
                    tally.excluded["missing_fx"] += n
                    continue
                total = EXACT.multiply(total, rate)
            elif measure.value is None:
                total = Decimal(n)
            tally.n += n
            tally.inferred += row[f"inferred_{index}"]
            if n:
                over = measure.over if isinstance(measure.over, int) else row["k_over"] if measure.over else 1
                sums[index][key, over] = EXACT.add(sums[index].get((key, over), Decimal(0)), total)
    for index, totals in enumerate(sums):
        for (key, over), total in totals.items():
            found[index][key].total += Fraction(total) / over
    return found


# --- rows -------------------------------------------------------------------------------------------------------------


def _groups(asked: Asked, sums: Sums, wanted: Any, ranked: Any) -> list[Group]:
    """Every group that any metric of the question has in any bucket: those to show, in their order."""
    question = asked.question
    if not question.by:
        return [()]
    found = {group for cells in sums.cells[wanted].values() for _, group in cells}
    order = sorted(found, key=lambda group: tuple((value is None, str(value)) for value in group))
    if question.sort or question.limit:
        name, largest_first = question.sort or (question.metrics[0].name, True)
        metric = next(m for m in question.metrics if m.name == name)
        worth = {group: _evaluate(metric, sums.cells[ranked], 0, group)[0].value for group in order}
        undefined = [group for group in order if worth[group] is None]
        defined = [group for group in order if worth[group] is not None]
        defined.sort(key=lambda group: worth[group] or Fraction(0), reverse=largest_first)
        order = [*defined, *undefined]
    return order[: question.limit] if question.limit else order


def _evaluate(
    metric: Metric, cells: Mapping[Part, Cells], i: int, group: Group
) -> tuple[Any, Counter[str], int]:
    """The formula over one cell, what all its parts left out, and how much of them is inferred.

    Parts of one population count the same rows, so of them the largest count is taken; others add.
    """
    tallies: dict[str, Tally] = {}
    excluded: dict[Any, Counter[str]] = defaultdict(Counter)
    inferred: dict[Any, int] = defaultdict(int)
    for name, part in metric.parts.items():
        measure, window = window_of(metric, part)
        tally = tallies[name] = cells[measure, window].get((i, group)) or Tally()
        where = (measure.population, window)
        excluded[where] |= tally.excluded
        inferred[where] = max(inferred[where], tally.inferred)
    return metric.evaluate(tallies), sum(excluded.values(), Counter()), sum(inferred.values())


def _rows(
    asked: Asked,
    cells: Mapping[Part, Cells],
    level: tuple[str | None, tuple[str, ...]],
    groups: Sequence[Group],
    names: Mapping[tuple[str, Any], str | None],
    *,
    total: bool,
) -> list[dict[str, Any]]:
    grain, by = level
    buckets = asked.buckets(grain)
    rows = []
    for metric in asked.question.metrics:
        for i, bucket in enumerate(buckets):
            start, end = (bucket.first.isoformat(), bucket.last.isoformat()) if bucket else (None, None)
            for group in groups:
                result, excluded, inferred = _evaluate(metric, cells, i, group)
                dimensions = {
                    name: {"id": None if value is None else str(value), "name": names[name, value]}
                    for name, value in zip(by, group, strict=True)
                }
                key = (
                    metric.name,
                    start or "now",
                    end or "now",
                    *(f"{n}={d['id']}" for n, d in dimensions.items()),
                )
                rows.append({
                    "row_key": "|".join(key),
                    "metric": metric.name,
                    "period_start": start,
                    "period_end": end,
                    "dimensions": dimensions,
                    "value": decimal(result.value),
                    "numerator": decimal(result.numerator),
                    "denominator": decimal(result.denominator),
                    "n": result.n,
                    "excluded": {reason: n for reason, n in sorted(excluded.items()) if n},
                    "inferred": inferred,
                    "unit": metric.unit,
                    "null_reason": result.null_reason,
                    "beside": {name: decimal(value) for name, value in result.beside.items()},
                    "total": total,
                    "_group": group,
                })  # fmt: skip
    return rows


_QUOTIENT = Context(prec=28)


def decimal(number: Fraction | None) -> Decimal | None:
    """Exact where the number has an end, else to 28 digits."""
    if number is None:
        return None
    below = number.denominator
    for prime in (2, 5):
        while below % prime == 0:
            below //= prime
    exact = (EXACT if below == 1 else _QUOTIENT).divide(
        Decimal(number.numerator), Decimal(number.denominator)
    )
    plain = exact.normalize(EXACT)
    return plain.quantize(Decimal(1), context=EXACT) if plain == plain.to_integral_value() else plain


def _meta(asked: Asked, rates: Rates) -> dict[str, Any]:
    question = asked.question
    return {
        "timezone": question.timezone,
        "currency": question.currency,
        "fx": question.fx,
        "rates": {"derived": dict(sorted(rates.derived.items())), "scale": SCALE},
        "credit": question.credit,
        "as_of": asked.moment.isoformat(),
        "known_at": (question.known_at or asked.now).isoformat(),
        "data_through": (question.known_at or asked.now).isoformat(),
        "period": question.period,
        "period_start": asked.days[0].isoformat() if asked.days else None,
        "period_end": asked.days[1].isoformat() if asked.days else None,
        "grain": question.grain,
        "definitions": {m.name: m.version for m in question.metrics},
    }
