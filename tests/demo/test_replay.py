"""What the demo's numbers were on a day, they are ever after: its two years lived through day by day, every number
recorded live, and asked again as of then and as was known then.

`ATTAIN_TEST_REPLAY_DAYS=60` records on so many days of a larger demo.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from itertools import starmap
from typing import Any

import pytest_asyncio

from app.demo.calendar import NOW, QUARTERS, TODAY
from app.demo.company import SOURCE
from app.demo.generate import generate
from app.demo.load import load
from app.demo.pay import settle
from tests.demo.lived import FOUNDED, evening, told
from tests.demo.oracle import quarter
from tests.language.metrics.clock import Clock, with_clock
from tests.language.metrics.recorder import Recorder
from tests.language.metrics.world import new_world

DAYS = int(os.environ.get("ATTAIN_TEST_REPLAY_DAYS", "3"))
FULLY = DAYS > 9
SIZE: dict[str, Any] = (
    {"opportunities": 1_000, "accounts": 150, "internal_activities": 400}
    if FULLY
    else {"opportunities": 120, "accounts": 40, "internal_activities": 60}
)
FIRST, LAST = date(2024, 12, 31), TODAY - timedelta(days=1)
RECORDED = {FIRST + (LAST - FIRST) * n // (DAYS - 1) for n in range(DAYS)}
"""Evenly over the two years, first and last day included."""
PAID = {ends for _, ends in starmap(quarter, QUARTERS) if ends <= LAST}
"""The day after each quarter, on which it is paid."""


@pytest_asyncio.fixture
async def clock(new_database: Callable[[], tuple[str, str]]) -> AsyncIterator[Clock]:
    async with with_clock(*new_database()) as running:
        yield running


async def test_the_demo_lived_through_says_ever_after_what_it_said_then(clock: Clock) -> None:
    await clock.turn_to(FOUNDED)
    world = await new_world(clock.owner_url, clock.database)
    demo = generate(**SIZE)
    # Of the dimensions a part will do here: of an invented company each is asked for.
    recorder = Recorder(clock, world, f"{SOURCE}:rep-05", turns=DAYS if FULLY else 4 * DAYS)
    days = told(demo)
    for day in sorted(days.keys() | RECORDED | PAID):
        await clock.turn_to(evening(day))
        for plural, rows in days.get(day, ()):
            await world.put(plural, *rows, origin="live", source=SOURCE)
        if day in PAID:
            await settle(clock.database, world.admin, day)
        if day in RECORDED:
            await clock.turn_to(evening(day) + timedelta(hours=1))
            await recorder.record()
    assert recorder.never_counted() == {"coaching_time_share", "most_likely_pipeline", "quota_relief"}, (
        "what the demo has none of"
    )

    # The same past told at once and to the minute, as everybody gets the demo.
    await clock.turn_to(NOW)
    await load(clock.database, world.admin, demo)
    assert await recorder.differences("as_of", "known_at") == []
    assert await recorder.differences("as_of", of=recorder.kept[-20:]), "the past was told otherwise"
