"""A number put together again from the rows that explain it, by its own formula: that is the answer, and to the last
row what the answer says it left out, and how much of it is inferred."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from app.areas import METRIC_CATALOGUE
from app.ground.access.principal import Principal
from app.language.metrics.answer import decimal
from app.language.metrics.explain import Contribution
from app.language.metrics.metric import Metric, Result, Tally
from tests.language.metrics.model import quantile
from tests.language.metrics.world import Row, World

Key = tuple[Any, ...]
"""A bucket's first day, and the ids of the group."""


@dataclass
class Cell:
    """What the rows of one bucket and group come to."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    values: dict[str, list[Fraction]] = field(default_factory=lambda: defaultdict(list))
    excluded: Counter[str] = field(default_factory=Counter)
    inferred: int = 0

    def add(self, metric: Metric, c: Contribution) -> None:
        assert c.parts or c.left_out, "a row that neither counts nor says why"
        assert not c.parts.keys() & c.left_out.keys(), c.row
        for name, worth in c.parts.items():
            self.values[name].append(worth)
            self.tallies[name].total += worth
            self.tallies[name].n += 1
            self.tallies[name].inferred += c.row["inferred"]
        for name, reason in c.left_out.items():
            self.tallies[name].leave_out(reason, 1)
        # A row that is left out of two sums for one reason is one row.
        self.excluded.update({reason for name, reason in c.left_out.items() if name not in metric.aside})
        self.inferred += c.row["inferred"] and bool(c.parts.keys() - metric.aside)

    def evaluate(self, metric: Metric) -> Result:
        told = {name: self.tallies.get(name, Tally()) for name in metric.parts}
        for name, measure in metric.measures.items():
            for wanted in measure.quantiles if self.values.get(name) else ():
                told[name].quantiles[wanted] = quantile(self.values[name], wanted)
        return metric.evaluate(told)


def together(
    metric: Metric, by: Sequence[str], contributions: Sequence[Contribution]
) -> dict[Key, tuple[Result, Counter[str], int]]:
    """Of every cell that has rows: the formula over them, what is left out by reason, and how many are inferred."""
    cells: dict[Key, Cell] = defaultdict(Cell)
    for c in contributions:
        key = (c.row["period_start"], *(group["id"] for group in c.row["dimensions"].values()))
        cells[key].add(metric, c)
    if metric.each is None or metric.over is None:
        return {key: (cell.evaluate(metric), cell.excluded, cell.inferred) for key, cell in cells.items()}
    place = 1 + metric.level(tuple(by)).index(metric.each)
    below: dict[Key, list[Cell]] = defaultdict(list)
    for key, cell in cells.items():
        if key[place] is not None:
            below[key[: len(by) + 1]].append(cell)
    return {
        key: (
            over := metric.over([cell.evaluate(metric) for cell in each]),
            Counter(over.excluded),
            sum(cell.inferred for cell in each),
        )
        for key, each in below.items()
    }


async def explained(
    world: World, metric: str, rows: Sequence[Row], *, page: int = 7, principal: Principal | None = None, **asked: Any
) -> None:  # fmt: skip
    """That the rows behind each of these numbers are it; `asked` is the question that was answered with them."""
    declared = METRIC_CATALOGUE.by_name[metric]
    contributions = await world.contributions(metric, page=page, principal=principal, **asked)
    found = together(declared, asked.get("by") or (), contributions)
    for row in rows:
        key = (row["period_start"], *(group["id"] for group in row["dimensions"].values()))
        none = Cell().evaluate(declared)
        if declared.over is not None:
            none = declared.over([])
        result, excluded, inferred = found.pop(key, (none, Counter(), 0))
        again = {
            "value": decimal(result.value), "numerator": decimal(result.numerator),
            "denominator": decimal(result.denominator), "n": result.n, "null_reason": result.null_reason,
            "beside": {name: decimal(beside) for name, beside in result.beside.items()},
            "excluded": {reason: n for reason, n in sorted(excluded.items()) if n}, "inferred": inferred,
        }  # fmt: skip
        differ = {name: (row[name], value) for name, value in again.items() if row[name] != value}
        assert not differ, (metric, key, differ)
    assert not found, (metric, "rows of groups that the answer does not know", found)
