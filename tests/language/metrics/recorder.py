"""Every number as it is answered live, kept, and asked again later as of that moment and as was known then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.areas import METRIC_CATALOGUE
from app.language.metrics.answer import Answer
from app.language.metrics.metric import Metric
from app.language.metrics.question import MOST_METRICS, needs_no_period
from tests.language.metrics.clock import Clock
from tests.language.metrics.world import Row, World

WAYS: tuple[Row, ...] = (
    {"period": "this_quarter", "grain": "month"},
    {"period": "this_month", "by": ["rep"]},
    {"period": "this_month", "by": ["team"], "compare": "previous", "totals": True},
    {"period": "this_year", "by": ["manager"], "credit": "current", "currency": "EUR"},
    {},
    {"by": ["rep"], "fx": "period_end", "currency": "EUR"},
)

Recorded = tuple[datetime, list[str], Row, Answer]
"""When, which numbers, asked in which way, and what the answer was."""


def fits(metric: Metric, way: Row) -> bool:
    own = {d.name for d in metric.dimensions}
    return own.issuperset(way.get("by", [])) and ("period" in way or needs_no_period(metric))


@dataclass
class Recorder:
    clock: Clock
    world: World
    manager: str
    """Of whom it is asked what those below bring."""
    turns: int
    """How often it will be recorded."""
    kept: list[Recorded] = field(default_factory=list)
    _turn: int = 0

    def _questions(self) -> Iterator[tuple[list[str], Row]]:
        """Every number in every way that it knows, and in the course of the turns by each dimension that there is."""
        below: Row = {
            "period": "this_quarter", "grain": "month", "running": "period", "filters": {"manager": self.manager}
        }  # fmt: skip
        dimensions = sorted(METRIC_CATALOGUE.dimensions)[self._turn % self.turns :: self.turns]
        for way in (*WAYS, below, *({"period": "this_quarter", "by": [name]} for name in dimensions)):
            names = [metric.name for metric in METRIC_CATALOGUE if fits(metric, way)]
            for first in range(0, len(names), MOST_METRICS):
                yield names[first : first + MOST_METRICS], way

    async def record(self) -> None:
        now = await self.clock.now()
        for names, way in self._questions():
            self.kept.append((now, names, way, await self.world.answer(*names, now=now, **way)))
        self._turn += 1

    async def differences(self, *axes: str, of: Sequence[Recorded] | None = None) -> list[Any]:
        """What is answered otherwise now: when and how it was asked, which row, and its fields then and now."""
        found: list[Any] = []
        for at, names, way, then in self.kept if of is None else of:
            moments: Row = dict.fromkeys(axes, at.isoformat())
            now = await self.world.answer(*names, now=await self.clock.now(), **way, **moments)
            before, after = ({row["row_key"]: row for row in answer.data} for answer in (then, now))
            for key in before.keys() | after.keys():
                was, is_ = before.get(key, {}), after.get(key, {})
                fields = {
                    name: (was.get(name), is_.get(name))
                    for name in was | is_
                    if was.get(name) != is_.get(name)
                }
                if fields:
                    found.append((at, way, key, fields))
            if axes == ("as_of", "known_at"):
                assert found or (then.data, then.meta) == (now.data, now.meta), (at, way)
        return found

    def never_counted(self) -> set[str]:
        counted = {row["metric"] for _, _, _, answer in self.kept for row in answer.data if row["n"]}
        return set(METRIC_CATALOGUE.by_name) - counted
