"""What a number was, it stays. A company's life is played day by day, every number recorded as it is answered live, and
asked again later, as of that moment and as was known then."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from app.sales.incentives import metrics as incentives
from tests.language.metrics.clock import Clock, with_clock
from tests.language.metrics.life import EVENTS, Life
from tests.language.metrics.recorder import Recorder
from tests.language.metrics.world import new_world

NEW_YORK = ZoneInfo("America/New_York")
MORNING = datetime(2025, 2, 17, 9, tzinfo=NEW_YORK)
LIVES = [*range(1, 1 + int(os.environ.get("ATTAIN_TEST_LIVES", "1")))]
FULLY = len(LIVES) > 1
DAYS, EVERY = 24, 6 if FULLY else 12
"""So many days with something going on, and after how many of them everything is recorded: by all dimensions
where it is lived fully (`make replay`), else by a quarter of them."""
PAY = {metric.name for metric in incentives.METRICS}
"""This company pays nobody; the demo does (`tests/demo/test_replay.py`)."""


@pytest_asyncio.fixture(scope="module")
async def clock(new_database: Callable[[], tuple[str, str]]) -> AsyncIterator[Clock]:
    async with with_clock(*new_database()) as running:
        yield running


@pytest.mark.parametrize("seed", LIVES)
async def test_what_was_answered_live_is_answered_ever_after(clock: Clock, seed: int) -> None:
    await clock.turn_to(MORNING)
    world = await new_world(clock.owner_url, clock.database, timezone="America/New_York")
    life = Life(world, random.Random(seed), MORNING)
    await life.begin()
    recorder = Recorder(clock, world, "t:m2", turns=DAYS // EVERY if FULLY else 8)
    for number in range(DAYS):
        await life.pass_day()
        if number % EVERY == 0:
            await clock.turn_to(life.today.replace(hour=life.dice.choice([17, 23])))
            await recorder.record()
        life.today += timedelta(days=life.dice.randint(1, 3))
        await clock.turn_to(life.today)
    if FULLY:
        assert await recorder.differences("as_of", "known_at") == []

    for name in EVENTS:
        await life.happen(name)
    assert life.happened.keys() == EVENTS.keys(), "nothing is left out"
    assert await recorder.differences("as_of", "known_at") == []

    assert recorder.never_counted() == PAY, "every number had something to count"
    assert await recorder.differences("as_of", of=recorder.kept[:20]), "the past was told otherwise"
