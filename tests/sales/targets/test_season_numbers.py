"""The examples of `docs/quotas.md`, and what seasons and ramps do to the numbers over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import World, new_world

D = Decimal
Q1: dict[str, Any] = {"period": "2026-Q1"}


@pytest_asyncio.fixture(scope="module")
async def world(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("ramp_schedules", {"external_id": "three", "name": "Three", "months": [0.25, 0.5, 0.75]})
    await world.put("reps", *(
        {"external_id": name.lower(), "name": name, "hired_on": hired}
        for name, hired in {
            "Season": None, "Raised": None, "New": "2026-01-15", "Late": "2026-01-31", "Unknown": None,
        }.items()
    ))  # fmt: skip
    await world.put("quotas", *(
        {"external_id": name.lower(), "rep_id": f"t:{name.lower()}", "amount": 90_000, "period": "2026-Q1", **more}
        for name, more in {
            "Season": {"seasonality": [25, 25, 50]},
            "Raised": {"seasonality": [1, 1, 2], "versions": [{"effective_from": "2026-02-15", "amount": 180_000}]},
            "New": {"ramp_schedule_id": "t:three"},
            "Late": {"ramp_schedule_id": "t:three", "period": "2026", "amount": 365},
            "Unknown": {"ramp_schedule_id": "t:three"},
        }.items()
    ))  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    deal = {"stage_id": "t:won", "opened_at": "2026-01-02", "closed_at": "2026-01-20"}
    await world.put("opportunities", *(
        {"external_id": rep, "name": rep, "owner_id": f"t:{rep}", "amount": amount, **deal}
        for rep, amount in {"season": 22_500, "new": 4_250}.items()
    ))  # fmt: skip
    yield world


async def months(world: World, rep: str, **asked: Any) -> list[Any]:
    return [*(await world.bucketed("quota", grain="month", filters={"rep": rep}, **asked)).values()]


async def test_weights_divide_the_amount_and_days_each_of_its_parts(world: World) -> None:
    assert await months(world, "Season", **Q1) == [22_500, 22_500, 45_000]
    assert await months(world, "Raised", **Q1) == [22_500, 33_750, 90_000]
    half = await world.value("quota", period="2026-03-01/2026-03-02", filters={"rep": "Season"})
    assert round(half or 0, 2) == D("1451.61")


async def test_a_ramp_counts_months_from_the_first_day(world: World) -> None:
    days = await world.bucketed("quota", period="2026", grain="day", filters={"rep": "Late"})
    told = [("", None), *days.items()]
    change = {day: value for (_, before), (day, value) in pairwise(told) if value != before}
    assert change == {
        "2026-01-01": 0, "2026-01-31": D("0.25"), "2026-02-28": D("0.5"), "2026-03-31": D("0.75"), "2026-04-30": 1,
    }  # fmt: skip
    new = await world.one("quota", **Q1, filters={"rep": "New"})
    assert new["value"] == 31 * 250 + 28 * 500 + 17 * 750
    assert new["beside"]["before_ramp"] == 90_000
    assert await world.value("quota", **Q1, filters={"rep": "Unknown"}) == 90_000, "nobody knows its months"


async def test_what_is_due_goes_by_season_and_ramp(world: World) -> None:
    row = await world.one(
        "quota_attainment_to_date", **Q1, as_of="2026-01-31T12:00:00Z", filters={"rep": "Season"}
    )
    assert (row["value"], row["denominator"], row["beside"]) == (1, 22_500, {"full_quota": 90_000})
    row = await world.one(
        "quota_attainment_to_date", **Q1, as_of="2026-01-31T12:00:00Z", filters={"rep": "New"}
    )
    assert (row["value"], row["denominator"]) == (1, 17 * 250)
    pace = await world.one("pacing", **Q1, as_of="2026-01-31T12:00:00Z", filters={"rep": "Season"})
    assert pace["beside"]["elapsed"] == D(31) / 90, "days are days"


async def test_ramp_time_is_of_the_full_quota_of_the_season(world: World) -> None:
    asked = {"period": "2026-01", "as_of": "2026-03-02T12:00:00Z", "filters": {"rep": "New"}}
    row = await world.one("ramp_time", **asked)
    assert row["beside"]["ramped"] == 0, "4,250 of a January's 31,000"


async def test_rows_say_what_a_day_counts_for(world: World) -> None:
    rows = await world.contributions("quota", **Q1, filters={"rep": ["Season", "New"]})
    counted = [x for x in rows if "quota" in x.parts]
    assert sum(x.parts["quota"] for x in counted) == 90_000 + 31 * 250 + 28 * 500 + 17 * 750
    assert {x.row["amount"] for x in counted} == {90_000}
    assert sorted(x.row["weight"] for x in counted if x.parts["quota"] == 22_500) == [D("0.25"), D("0.25")]
