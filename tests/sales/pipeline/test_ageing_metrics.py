"""How long open deals have stood, and which of them too long, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import World, new_world

D = Decimal
THEN: dict[str, Any] = {"as_of": "2026-03-31"}


def deal(key: str, *steps: tuple[str, str]) -> dict[str, Any]:
    points = [{"at": day, "stage_id": f"t:{stage}"} for day, stage in steps]
    return {"external_id": key, "name": key, "opened_at": steps[0][0], "stage_id": points[-1]["stage_id"],
            "history": points}  # fmt: skip


def won(key: str, days: int, closed: date = date(2026, 2, 1)) -> dict[str, Any]:
    """Won after so many days of talk."""
    return deal(key, (str(closed - timedelta(days=days)), "talk"), (str(closed), "won"))


@pytest_asyncio.fixture(scope="module")
async def shop(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put(
        "stages",
        {"external_id": "talk", "name": "talk", "pipeline_id": "t:p", "position": 1},
        {
            "external_id": "offer",
            "name": "offer",
            "pipeline_id": "t:p",
            "position": 2,
            "stalled_after_days": 7,
        },
        {"external_id": "rare", "name": "rare", "pipeline_id": "t:p", "position": 3},
        {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won", "position": 8},
        {"external_id": "lost", "name": "lost", "pipeline_id": "t:p", "category": "lost", "position": 9},
    )
    await world.put(
        "opportunities",
        *(won(f"won {days}", days) for days in (2, 4, 6, 20)),
        won("long ago", 300, date(2025, 3, 1)),
        deal("lost", ("2025-06-01", "talk"), ("2026-02-01", "lost")),
        deal("fresh", ("2026-03-21", "talk")),
        deal("stuck", ("2026-03-16", "talk")),
        deal("offered", ("2026-01-01", "talk"), ("2026-03-23", "offer")),
        deal("just offered", ("2026-01-01", "talk"), ("2026-03-25", "offer")),
        deal("odd", ("2026-03-01", "rare")),
    )
    yield world


async def test_age(shop: World) -> None:
    row = await shop.one("stage_age", **THEN)
    assert (row["value"], row["n"]) == ((D(10) + 15 + 8 + 6 + 30) / 5, 5)
    assert row["beside"] == {"median": 10, "p75": 15}
    assert await shop.grouped("stage_age", "stage", **THEN) == {"talk": D("12.5"), "offer": 7, "rare": 30}
    ends = await shop.bucketed(
        "stage_age", period="2026-01-01/2026-03-01", grain="month", filters={"stage": "talk"}
    )
    assert round(ends["2026-02-01"], 6) == 59, "both that were offered in March, in talk since New Year"


async def test_stalled(shop: World) -> None:
    row = await shop.one("stalled_deals", **THEN)
    assert (row["value"], row["excluded"]) == (2, {"no_limit": 1}), "of `rare` nobody can say"
    labels = {c.row["label"] for c in await shop.contributions("stalled_deals", **THEN) if c.parts}
    assert labels == {"stuck", "offered"}, "longer than (6 + 20) ÷ 2 = 13 days of talk, than 7 days of offer"
    assert await shop.grouped("stalled_deals", "stage", **THEN) == {"talk": 1, "offer": 1, "rare": 0}


async def test_what_is_usual_is_that_of_the_year_before(shop: World) -> None:
    """A year later no won deal is left to compare with."""
    row = await shop.one("stalled_deals", as_of="2025-12-31", filters={"stage": "talk"})
    assert (row["value"], row["excluded"]) == (0, {}), "214 days, where the one deal won in the year took 300"
    assert await shop.value("stalled_deals", as_of="2026-01-31", filters={"stage": "talk"}) == 0
    assert await shop.value("stalled_deals", as_of="2026-02-02", filters={"stage": "talk"}) == 2
