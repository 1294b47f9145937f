"""What a number was, it stays. A company's life is played day by day, every number recorded as it is answered live, and
asked again later, as of that moment and as was known then."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.language.metrics.answer import Answer
from app.language.metrics.metric import Metric
from app.language.metrics.question import MOST_METRICS, needs_no_period
from tests.language.metrics.clock import Clock, with_clock
from tests.language.metrics.life import EVENTS, Life
from tests.language.metrics.world import Row, World, new_world

NEW_YORK = ZoneInfo("America/New_York")
MORNING = datetime(2025, 2, 17, 9, tzinfo=NEW_YORK)
DAYS, EVERY = 24, 6
"""So many days with something going on, and after how many of them everything is recorded."""

WAYS: tuple[Row, ...] = (
    {"period": "this_quarter", "grain": "month"},
    {"period": "this_month", "by": ["rep"]},
    {"period": "this_month", "by": ["team"], "compare": "previous", "totals": True},
    {"period": "this_year", "by": ["manager"], "credit": "current", "currency": "EUR"},
    {"period": "this_quarter", "grain": "month", "running": "period", "filters": {"manager": "t:m2"}},
    {},
    {"by": ["rep"], "fx": "period_end", "currency": "EUR"},
)

Recorded = tuple[datetime, list[str], Row, Answer]
"""When, which numbers, asked in which way, and what the answer was."""


@pytest_asyncio.fixture(scope="module")
async def clock(new_database: Callable[[], tuple[str, str]]) -> AsyncIterator[Clock]:
    async with with_clock(*new_database()) as running:
        yield running


def fits(metric: Metric, way: Row) -> bool:
    own = {d.name for d in metric.dimensions}
    return own.issuperset(way.get("by", [])) and ("period" in way or needs_no_period(metric))


def questions(turn: int) -> Iterator[tuple[list[str], Row]]:
    """Every number in every way that it knows, and in the course of the turns by each dimension that there is."""
    dimensions = sorted(METRIC_CATALOGUE.dimensions)[turn :: DAYS // EVERY]
    for way in (*WAYS, *({"period": "this_quarter", "by": [name]} for name in dimensions)):
        names = [metric.name for metric in METRIC_CATALOGUE if fits(metric, way)]
        for first in range(0, len(names), MOST_METRICS):
            yield names[first : first + MOST_METRICS], way


async def recorded_live(clock: Clock, world: World, turn: int) -> list[Recorded]:
    now = await clock.now()
    return [(now, names, way, await world.answer(*names, now=now, **way)) for names, way in questions(turn)]


async def differences(clock: Clock, world: World, recorded: list[Recorded], *axes: str) -> list[Any]:
    """What is answered otherwise now: when and how it was asked, which row, and its fields then and now."""
    found: list[Any] = []
    for at, names, way, then in recorded:
        moments: Row = dict.fromkeys(axes, at.isoformat())
        now = await world.answer(*names, now=await clock.now(), **way, **moments)
        before, after = ({row["row_key"]: row for row in answer.data} for answer in (then, now))
        for key in before.keys() | after.keys():
            was, is_ = before.get(key, {}), after.get(key, {})
            fields = {
                name: (was.get(name), is_.get(name)) for name in was | is_ if was.get(name) != is_.get(name)
            }
            if fields:
                found.append((at, way, key, fields))
        if axes == ("as_of", "known_at"):
            assert found or (then.data, then.meta) == (now.data, now.meta), (at, way)
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_was_answered_live_is_answered_ever_after(clock: Clock, seed: int) -> None:
    await clock.turn_to(MORNING)
    world = await new_world(clock.owner_url, clock.database, timezone="America/New_York")
    life = Life(world, random.Random(seed), MORNING)
    await life.begin()
    recorded: list[Recorded] = []
    for number in range(DAYS):
        await life.pass_day()
        if number % EVERY == 0:
            await clock.turn_to(life.today.replace(hour=life.dice.choice([17, 23])))
            recorded += await recorded_live(clock, world, number // EVERY)
        life.today += timedelta(days=life.dice.randint(1, 3))
        await clock.turn_to(life.today)
    assert await differences(clock, world, recorded, "as_of", "known_at") == []

    for name in EVENTS:
        await life.happen(name)
    assert life.happened.keys() == EVENTS.keys(), "nothing is left out"
    assert await differences(clock, world, recorded, "as_of", "known_at") == []

    counted = {row["metric"] for _, _, _, answer in recorded for row in answer.data if row["n"]}
    assert set(METRIC_CATALOGUE.by_name) - counted == set(), "every number had something to count"
    assert await differences(clock, world, recorded[:20], "as_of"), "the past was told otherwise"
