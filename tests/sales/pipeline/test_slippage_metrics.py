"""What was due as a month began and had not closed by its end, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import World, new_world

D = Decimal


def deal(
    key: str, amount: int, due: str | None, *later: dict[str, Any], opened: str = "2026-02-01"
) -> dict[str, Any]:
    """Open and due on a day, and what was changed afterwards."""
    first = {"at": opened, "stage_id": "t:talk", "amount": amount, "expected_close_on": due}
    state = {k: v for point in (first, *later) for k, v in point.items() if k != "at"}
    return {"external_id": key, "name": key, "opened_at": opened, "history": [first, *later]} | state


@pytest_asyncio.fixture(scope="module")
async def shop(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put(
        "stages",
        {"external_id": "talk", "name": "talk", "pipeline_id": "t:p"},
        {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"},
        {"external_id": "lost", "name": "lost", "pipeline_id": "t:p", "category": "lost"},
    )
    await world.put(
        "opportunities",
        deal("won", 100, "2026-03-20", {"at": "2026-03-25", "stage_id": "t:won", "amount": 900}),
        deal("lost", 200, "2026-03-20", {"at": "2026-03-25", "stage_id": "t:lost"}),
        deal("pushed", 300, "2026-03-31", {"at": "2026-03-10", "expected_close_on": "2026-04-05"},
             {"at": "2026-04-05", "stage_id": "t:won"}),
        deal("forgotten", 400, "2026-03-02"),
        deal("pulled in", 500, "2026-04-10", {"at": "2026-03-12", "stage_id": "t:won"}),
        deal("undated", 600, None),
        deal("new", 700, "2026-03-20", {"at": "2026-03-21", "stage_id": "t:won"}, opened="2026-03-05"),
    )  # fmt: skip
    yield world


async def test_slippage(shop: World) -> None:
    row = await shop.one("slippage_rate", period="2026-03")
    assert (row["value"], row["numerator"], row["denominator"]) == (D("0.5"), 2, 4)
    assert row["excluded"] == {"no_expected_close": 1}
    assert row["beside"] == {
        "by_value": D("0.7"), "won_share": D("0.25"), "lost_share": D("0.25"), "pending_share": 0, "pulled_in": 1,
    }, "at the amounts of 1 March: 700 of 1,000"  # fmt: skip
    months = await shop.bucketed("slippage_rate", period="2026-03-01/2026-05-01", grain="month")
    assert months == {"2026-03-01": D("0.5"), "2026-04-01": 0}, (
        "in April only what was pushed was due, and won"
    )


async def test_a_month_that_is_not_over(shop: World) -> None:
    row = await shop.one("slippage_rate", period="2026-03", as_of="2026-03-15")
    assert (row["value"], row["partial"]) == (D("0.25"), True), "pushed out of the month already"
    assert row["beside"]["pending_share"] == D("0.75"), "the forgotten one may still be won in March"
    ahead = await shop.one("slippage_rate", period="2026-04", as_of="2026-03-15")
    assert (ahead["value"], ahead["null_reason"], ahead["n"]) == (None, "zero_denominator", 0)


async def test_the_rows_behind_it(shop: World) -> None:
    rows = await shop.contributions("slippage_rate", period="2026-03")
    assert {c.row["label"] for c in rows if "slipped" in c.parts} == {"pushed", "forgotten"}
    assert {c.row["label"] for c in rows if "pulled_in" in c.parts} == {"pulled in"}
