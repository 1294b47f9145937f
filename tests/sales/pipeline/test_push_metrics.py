"""How often a deal's close was put off, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import Row, World, new_world

D = Decimal
MARCH: dict[str, Any] = {"period": "2026-03"}


def deal(key: str, due: str | None, *later: Row) -> Row:
    """Opened in February and expected on a day, and what was changed afterwards."""
    first = {
        "at": "2026-02-01T09:00:00Z",
        "stage_id": "t:talk",
        "expected_close_on": due,
        "owner_id": "t:ann",
    }
    state = {k: v for point in (first, *later) for k, v in point.items() if k != "at"}
    past = {"opened_at": first["at"], "history": [first, *later]}
    return {"external_id": key, "name": key, **past, **state}


def due(at: str, day: str | None, **more: Any) -> Row:
    return {"at": at, "expected_close_on": day, **more}


@pytest_asyncio.fixture
async def shop(owner_url: str, database: Database) -> World:
    world = await new_world(owner_url, database)
    await world.put("reps", *({"external_id": x, "name": x.title()} for x in ("ann", "bob")))
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": x, "name": x, "pipeline_id": "t:p", "category": category}
        for x, category in (("talk", "open"), ("offer", "open"), ("won", "won"))
    ))  # fmt: skip
    return world


async def pushes(world: World, *deals: Row, **asked: Any) -> dict[str, Any]:
    await world.put("opportunities", *deals)
    return await world.one("push_count", **{**MARCH, **asked})


async def test_the_worked_example(shop: World) -> None:
    row = await pushes(shop, deal(
        "a", "2026-03-20", due("2026-03-10T10:00:00Z", "2026-03-25"), due("2026-03-24T10:00:00Z", "2026-04-08"),
        due("2026-03-24T15:00:00Z", "2026-04-10"),
    ))  # fmt: skip
    assert (row["value"], row["n"], row["unit"]) == (2, 2, "count")
    assert row["beside"] == {"pushed_deals": 1, "slips": 1, "quarter_slips": 1, "average_days": D("10.5")}
    rows = await shop.contributions("push_count", **MARCH, page=1)
    assert [(c.row["label"], c.row["date"][:16], c.parts["days"]) for c in rows] == [
        ("a, from 2026-03-20 to 2026-03-25", "2026-03-10T10:00", 5),
        ("a, from 2026-03-25 to 2026-04-10", "2026-03-24T15:00", 16),
    ]
    assert await shop.bucketed("push_count", period="2026-03-09/2026-03-12", grain="day") == {
        "2026-03-09": 0, "2026-03-10": 1, "2026-03-11": 0,
    }  # fmt: skip


NO_PUSHES = {
    "there and back": [due("2026-03-10T10:00:00Z", "2026-06-01"), due("2026-03-10T11:00:00Z", "2026-03-20")],
    "pulled in": [due("2026-03-10T10:00:00Z", "2026-03-15")],
    "taken away, then given": [due("2026-03-10T10:00:00Z", None), due("2026-03-12T10:00:00Z", "2026-06-01")],
    "with its close": [due("2026-03-25T10:00:00Z", "2026-03-25", stage_id="t:won")],
    "on the day of its close": [due("2026-03-25T10:00:00Z", "2026-03-25"),
                                {"at": "2026-03-25T12:00:00Z", "stage_id": "t:won"}],
    "after its close": [{"at": "2026-03-01T10:00:00Z", "stage_id": "t:won"}, due("2026-03-10T10:00:00Z", "2026-06-01")],
    "as it is reopened": [{"at": "2026-03-01T10:00:00Z", "stage_id": "t:won"},
                          due("2026-03-10T10:00:00Z", "2026-06-01", stage_id="t:talk")],
    "in another month": [due("2026-02-28T23:59:59Z", "2026-06-01"), due("2026-04-01T00:00:00Z", "2026-07-01")],
}  # fmt: skip


@pytest.mark.parametrize("what", NO_PUSHES)
async def test_what_is_no_push(shop: World, what: str) -> None:
    row = await pushes(shop, deal("a", "2026-03-20", *NO_PUSHES[what]))
    assert (row["value"], row["n"]) == (0, 0)
    assert row["beside"] == {"pushed_deals": 0, "slips": 0, "quarter_slips": 0, "average_days": None}


async def test_first_dates_are_no_pushes(shop: World) -> None:
    """Nor what changes on the day on which the deal is opened; nor anything of a deal that came without its past."""
    opened = deal("a", "2026-02-20", due("2026-02-01T15:00:00Z", "2026-05-01"))
    plain = {"external_id": "c", "name": "c", "stage_id": "t:talk", "opened_at": "2026-02-01",
             "expected_close_on": "2026-09-01"}  # fmt: skip
    row = await pushes(shop, opened, deal("b", None, due("2026-02-10T10:00:00Z", "2026-04-01")), plain,
                       period="2026-02")  # fmt: skip
    assert row["value"] == 0


async def test_a_push_at_midnight_is_of_the_day_that_begins(shop: World) -> None:
    row = await pushes(shop, deal("a", "2026-03-20", due("2026-03-01T00:00:00Z", "2026-04-20")))
    assert row["value"] == 1
    assert await shop.value("push_count", period="2026-02") == 0


async def test_days_are_those_of_the_zone(shop: World) -> None:
    """Late on the 10th and early on the 11th in UTC are one afternoon in New York."""
    row = await pushes(shop, deal(
        "a", "2026-03-20", due("2026-03-10T23:00:00Z", "2026-04-01"), due("2026-03-11T01:00:00Z", "2026-05-01"),
    ))  # fmt: skip
    assert row["value"] == 2
    there = await shop.one("push_count", **MARCH, timezone="America/New_York")
    assert (there["value"], there["beside"]["average_days"]) == (1, 42)


async def test_whose_push_it_is(shop: World) -> None:
    row = await pushes(
        shop,
        deal("a", "2026-03-20", due("2026-03-10T10:00:00Z", "2026-03-25"),
             {"at": "2026-03-10T12:00:00Z", "owner_id": "t:bob", "stage_id": "t:offer"},
             due("2026-03-20T10:00:00Z", "2026-04-10")),
        deal("b", "2026-03-20", due("2026-03-10T10:00:00Z", "2026-03-27"),
             {"at": "2026-03-30T12:00:00Z", "owner_id": "t:bob", "stage_id": "t:won"}),
    )  # fmt: skip
    assert (row["value"], row["beside"]["pushed_deals"]) == (3, 2)
    assert await shop.grouped("push_count", "rep", **MARCH) == {"Ann": 2, "Bob": 1}
    assert await shop.grouped("push_count", "rep", **MARCH, credit="current") == {"Bob": 3}
    assert await shop.grouped("push_count", "stage", **MARCH) == {"talk": 2, "offer": 1}
    reps = {
        r["dimensions"]["rep"]["name"]: r["beside"] for r in await shop.rows("push_count", **MARCH, by="rep")
    }
    assert [reps[x]["pushed_deals"] for x in ("Ann", "Bob")] == [2, 0], "each where it was pushed first"
    current = {"as_of": "2026-03-22", "credit": "current"}
    assert await shop.grouped("push_count", "rep", **MARCH, **current) == {"Bob": 2, "Ann": 1}


async def test_as_of_a_day_that_is_not_over(shop: World) -> None:
    await pushes(shop, deal("a", "2026-03-20", due("2026-03-10T10:00:00Z", "2026-04-20"),
                            due("2026-03-10T15:00:00Z", "2026-03-20")))  # fmt: skip
    assert await shop.value("push_count", **MARCH, as_of="2026-03-10T12:00:00Z") == 1
    assert await shop.value("push_count", **MARCH, as_of="2026-03-10T09:00:00Z") == 0
    assert await shop.value("push_count", **MARCH, as_of="2026-03-10T16:00:00Z") == 0


async def test_as_it_was_known(shop: World) -> None:
    told = deal("a", "2026-03-20", due("2026-03-10T10:00:00Z", "2026-04-20"))
    await pushes(shop, told)
    before = datetime.now(UTC).isoformat()
    again = {
        "external_id": "a",
        "history": [due("2026-03-20T10:00:00Z", "2026-05-20")],
        "expected_close_on": "2026-05-20",
    }
    assert (await pushes(shop, again))["value"] == 2
    later: dict[str, Any] = {**MARCH, "as_of": "2026-03-31"}
    assert await shop.value("push_count", **later, known_at=before) == 1
    assert await shop.value("push_count", **later) == 2
    await shop.delete("opportunities", "t:a")
    assert await shop.value("push_count", **MARCH) == 0
    assert await shop.value("push_count", **later) == 2, "it was there then"
