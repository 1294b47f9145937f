"""A number that runs, or looks back, says in each bucket what it says when that stretch is asked for alone."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.ground.errors import Invalid
from tests.language.metrics import leads
from tests.language.metrics.history import invent, load, load_again
from tests.language.metrics.world import Row, World, new_world

QUARTERS = (date(2025, 1, 1), date(2025, 4, 1), date(2025, 7, 1), date(2025, 10, 1), date(2026, 1, 1))


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database, timezone="America/New_York")
    model = invent(5, datetime.now(UTC))
    await load(world, model)
    await load_again(world, model)
    await leads.load(world, leads.invented(1))
    yield world


def figures(rows: list[Row]) -> dict[Any, Any]:
    """What a row says, by its group; the groups that say nothing are those of the whole question."""
    return {
        row["dimensions"].get("rep", {}).get("id"): (row["value"], row["n"], row["excluded"], row["beside"])
        for row in rows
        if row["n"] or row["excluded"] or row["value"]
    }


async def in_buckets(firm: World, metric: str, **rest: Any) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in await firm.rows(metric, period="2025", grain="quarter", **rest):
        found.setdefault(row["period_start"], []).append(row)
    return found


@pytest.mark.parametrize("by", [[], ["rep"]], ids=["all", "by rep"])
@pytest.mark.parametrize("metric", METRIC_CATALOGUE.by_name)
async def test_a_bucket_is_its_stretch_asked_alone(firm: World, metric: str, by: list[str]) -> None:
    running = await in_buckets(firm, metric, by=by, running="period")
    year = await in_buckets(firm, metric, by=by, window="rolling_4_quarters")
    days = await in_buckets(firm, metric, by=by, window="rolling_100_days")
    for first, last in itertools.pairwise(QUARTERS):
        starts = {
            "running": (running, QUARTERS[0]),
            "year": (year, last.replace(year=last.year - 1)),
            "days": (days, last - timedelta(days=100)),
        }
        for kind, (asked, start) in starts.items():
            alone = await firm.rows(metric, period=f"{start}/{last}", by=by)
            assert figures(asked.get(first.isoformat(), [])) == figures(alone), (kind, first)


async def test_a_bucket_that_is_not_over_ends_with_today(firm: World) -> None:
    today = date(2025, 8, 20)
    asked = {"as_of": "2025-08-21T01:00:00Z"}
    rows = await firm.rows("won_deals", period="2025", grain="quarter", window="rolling_120_days", **asked)
    tomorrow = today + timedelta(days=1)
    alone = await firm.rows("won_deals", period=f"{tomorrow - timedelta(days=120)}/{tomorrow}", **asked)
    assert (rows[2]["period_start"], rows[2]["n"]) == ("2025-07-01", alone[0]["n"])
    assert alone[0]["n"] > 0
    assert rows[3]["n"] == 0, "of what is to come nothing is known"


async def test_explain_shows_the_rows_of_the_stretch(firm: World) -> None:
    for how in ({"running": "period"}, {"window": "rolling_200_days"}):
        asked: dict[str, Any] = {"period": "2025", "grain": "quarter", **how}
        rows = {row["period_start"]: row for row in await firm.rows("bookings", **asked)}
        told = dict.fromkeys(rows, Fraction(0))
        for c in await firm.contributions("bookings", **asked):
            told[c.row["period_start"]] += c.parts.get("bookings", 0)
        assert {start: row["value"] or 0 for start, row in rows.items()} == told, (
            "null where nothing has a price"
        )
    wide = await firm.one("won_deals", period="2025", window="rolling_9999_years")
    assert wide["n"] == await firm.value("won_deals", period="1900-01-01/2026-01-01")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"window": "rolling_0_days"}, "?window"),
        ({"window": "last_90_days"}, "?window"),
        ({"running": "year"}, "?running"),
        ({"running": "period", "window": "rolling_90_days"}, "?window"),
        ({"period": None, "running": "period"}, "?period"),
    ],
)
async def test_what_is_no_stretch_is_refused(firm: World, asked: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        await firm.rows("open_deals", **{"period": "2025", **asked})
    assert refused.value.errors[0].pointer == pointer
