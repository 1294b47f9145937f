"""What a number was when its period ended stands beside what it is by now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.ground.errors import Invalid
from tests.language.metrics import leads
from tests.language.metrics.history import invent, load, load_again
from tests.language.metrics.model import midnight
from tests.language.metrics.world import Row, World, new_world


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database, timezone="America/New_York")
    model = invent(6, datetime.now(UTC))
    await load(world, model)
    await load_again(world, model)
    await leads.load(world, leads.invented(1))
    yield world


def told(rows: list[Row]) -> dict[Any, Row]:
    return {row["dimensions"]["rep"]["id"]: row for row in rows}


@pytest.mark.parametrize("metric", METRIC_CATALOGUE.by_name)
async def test_it_is_the_number_as_of_the_end_of_its_period(firm: World, metric: str) -> None:
    rows = await firm.rows(metric, period="2025-Q2", grain="month", by=["rep"], restated=True)
    for first, last in ((4, 5), (5, 6), (6, 7)):
        end = midnight(date(2025, last, 1))
        if metric != "slippage_rate":
            # In its last instant a period is not over, and what is still open there has not slipped yet.
            end -= timedelta(microseconds=1)
        then = told(await firm.rows(metric, period=f"2025-{first:02}", by=["rep"], as_of=end.isoformat()))
        for rep, row in told([r for r in rows if r["period_start"] == f"2025-{first:02}-01"]).items():
            restated, expected = row["restated"], then.get(rep)
            if expected is None:
                assert (restated["n"], restated["value"] or 0) == (0, 0), row
                continue
            assert (restated["value"], restated["n"]) == (expected["value"], expected["n"]), row
            assert (restated["period_start"], restated["period_end"]) == (
                row["period_start"], row["period_end"],
            )  # fmt: skip
            if row["value"] is not None and restated["value"] is not None:
                assert restated["change"] == pytest.approx(row["value"] - restated["value"])
        assert {rep for rep, row in then.items() if row["n"]} <= {*told(rows)}


async def test_a_deal_won_reopened_and_lost(tenant: Any) -> None:
    world = World(tenant)
    await world.put("reps", {"external_id": "r", "name": "r"})
    await world.put("pipelines", {"external_id": "p", "name": "p", "is_default": True})
    await world.put("stages", *(
        {"external_id": name, "name": name, "category": name, "position": i, "pipeline_id": "t:p"}
        for i, name in enumerate(("open", "won", "lost"))
    ))  # fmt: skip
    steps = (("2025-01-10", "open"), ("2025-02-10", "won"), ("2025-05-05", "open"), ("2025-08-20", "lost"))
    await world.put("opportunities", {
        "external_id": "d", "name": "d", "owner_id": "t:r", "amount": 1000, "currency": "USD",
        "opened_at": "2025-01-10", "stage_id": "t:lost",
        "history": [{"at": at, "stage_id": f"t:{stage}"} for at, stage in steps],
    })  # fmt: skip
    asked: dict[str, Any] = {"period": "2025-01/2025-10", "grain": "quarter", "restated": True}
    asked["period"] = "2025-01-01/2025-10-01"
    won = [
        (r["value"], r["restated"]["value"], r["restated"]["change"])
        for r in await world.rows("bookings", **asked)
    ]
    assert won == [(0, 1000, -1000), (0, 0, 0), (0, 0, 0)]
    lost = [(r["value"], r["restated"]["value"]) for r in await world.rows("lost_deals", **asked)]
    assert lost == [(0, 0), (0, 0), (1, 1)]
    # As of the end of March it was won, and as of the end of June open; nothing of that was restated yet.
    [march] = await world.rows("bookings", period="2025-Q1", as_of="2025-03-31", restated=True)
    assert (march["value"], march["restated"]["change"]) == (1000, 0)
    assert [r["restated"] for r in await world.rows("bookings", period="2025-Q1")] == [None]


async def test_it_takes_a_period(firm: World) -> None:
    with pytest.raises(Invalid) as refusal:
        await firm.rows("open_deals", restated=True)
    assert refusal.value.code == "period_required" or refusal.value.errors[0].code == "period_required"
