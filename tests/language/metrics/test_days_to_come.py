"""What was known of days still to come: who changes place later changes nothing of what was answered before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import Row, World, new_world

NOW = datetime.now(UTC)
NEXT_YEAR = str(NOW.year + 1)
SOON = NOW + timedelta(days=2)
THESE_DAYS = f"{(NOW - timedelta(days=1)).date()}/{(NOW + timedelta(days=5)).date()}"

QUESTIONS: tuple[tuple[str, Row], ...] = (
    ("quota", {"period": NEXT_YEAR, "by": ["team"]}),
    ("quota", {"period": NEXT_YEAR, "by": ["manager"]}),
    ("quota", {"period": NEXT_YEAR, "filters": {"manager": "t:boss"}}),
    ("activities", {"period": THESE_DAYS, "by": ["team"]}),
    ("activities", {"period": THESE_DAYS, "filters": {"manager": "t:boss"}}),
    ("coaching_time_share", {"period": THESE_DAYS}),
)
"""A quota of next year, and a meeting planned for the day after tomorrow, by those who have them."""


def known(moment: datetime) -> dict[str, Any]:
    return {"as_of": moment.isoformat(), "known_at": moment.isoformat()}


@pytest_asyncio.fixture(scope="module")
async def told(owner_url: str, database: Database) -> AsyncIterator[tuple[World, datetime, list[list[Row]]]]:
    """A firm that was asked, and changed since: when, and what it answered."""
    world = await new_world(owner_url, database)
    await world.put("teams", *({"external_id": x, "name": x} for x in ("red", "blue")))
    await world.put("reps", {"external_id": "boss", "name": "boss", "team_id": "t:red"})
    await world.put("reps", {"external_id": "ann", "name": "ann", "team_id": "t:red", "manager_id": "t:boss"})
    for rep in ("boss", "ann"):
        await world.put(
            "quotas", {"external_id": rep, "rep_id": f"t:{rep}", "period": NEXT_YEAR, "amount": 36_500}
        )
        await world.put("activities", {
            "external_id": rep, "kind": "meeting", "purpose": "coaching", "done": False, "owner_id": f"t:{rep}",
            "occurred_at": SOON.isoformat(), "duration_seconds": 60,
        })  # fmt: skip
    now = datetime.now(UTC)
    answers = [await world.rows(metric, now=now, **asked) for metric, asked in QUESTIONS]
    await world.put("reps", {"external_id": "ann", "manager_id": None, "team_id": "t:blue"}, origin="live")
    yield world, now, answers


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
async def test_who_moves_later_has_not_moved(
    told: tuple[World, datetime, list[list[Row]]], number: int
) -> None:
    world, then, answers = told
    metric, asked = QUESTIONS[number]
    assert await world.rows(metric, **asked, **known(then)) == answers[number]
    assert await world.rows(metric, **asked) != answers[number], "now it is otherwise"


async def test_live_says_what_is_inferred_as_later_on(owner_url: str, database: Database) -> None:
    """Days at work before a rep was recorded are carried back, also where nobody asks for another moment."""
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "old", "name": "old", "hired_on": "2020-01-01"})
    now = datetime.now(UTC)
    live = await world.one("rep_turnover", period="2024", now=now)
    assert live["inferred"] == 1
    assert live == await world.one("rep_turnover", period="2024", **known(now))
