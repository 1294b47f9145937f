"""How deals get through the stages, by hand: stages left out, steps back, another pipeline, unknown pasts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import World, new_world

D = Decimal
STAGES = ("lead", "talk", "offer", "sign")


def deal(key: str, *steps: tuple[str, str], **rest: Any) -> dict[str, Any]:
    points = [{"at": day, "stage_id": f"t:{stage}"} for day, stage in steps]
    return {"external_id": key, "name": key, "owner_id": "t:ann", "amount": 100, "opened_at": steps[0][0],
            "stage_id": points[-1]["stage_id"], "history": points} | rest  # fmt: skip


DEALS = (
    deal("straight", ("2026-03-01", "lead"), ("2026-03-03", "talk"), ("2026-03-06", "offer"), ("2026-03-16", "sign"),
         ("2026-03-20", "won")),
    deal("leaps", ("2026-03-02", "lead"), ("2026-03-10", "offer"), ("2026-04-02", "lost")),
    deal("back", ("2026-03-04", "talk"), ("2026-03-08", "offer"), ("2026-03-12", "talk"), ("2026-03-20", "offer")),
    deal("stays", ("2026-03-05", "talk")),
    deal("moves", ("2026-03-05", "talk"), ("2026-03-09", "other")),
    {"external_id": "told", "name": "told", "owner_id": "t:ann", "amount": 1, "stage_id": "t:won",
     "opened_at": "2026-02-01", "closed_at": "2026-03-09"},
)  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def shop(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "ann", "name": "Ann"})
    await world.put(
        "pipelines", {"external_id": "p", "name": "P", "is_default": True}, {"external_id": "q", "name": "Q"}
    )
    await world.put(
        "stages",
        *({"external_id": name, "name": name, "pipeline_id": "t:p", "position": i} for i, name in enumerate(STAGES)),
        {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won", "position": 8},
        {"external_id": "lost", "name": "lost", "pipeline_id": "t:p", "category": "lost", "position": 9},
        {"external_id": "other", "name": "other", "pipeline_id": "t:q"},
    )  # fmt: skip
    await world.put("opportunities", *DEALS)
    yield world


MARCH: dict[str, Any] = {"period": "2026-03"}


async def funnel(world: World, **rest: Any) -> dict[str, tuple[Any, ...]]:
    names = ("advanced", "dropped", "still_there", "left_out", "median_days")
    return {
        row["dimensions"]["stage"]["name"]: (row["value"], *(row["beside"][name] for name in names))
        for row in await world.rows("funnel", **MARCH, by=["stage"], **rest)
        if row["n"]
    }


async def test_funnel(shop: World) -> None:
    assert await funnel(shop) == {
        # `back`, `stays` and `moves` began beyond it and passed it then.
        "lead": (5, 5, 0, 0, 3, D("5")),
        "talk": (5, 3, 0, 2, 1, D("3.5")),
        "offer": (3, 1, 1, 1, 0, D("10")),
        "sign": (1, 1, 0, 0, 0, D("4")),
        "other": (1, 0, 0, 1, 0, None),
    }


async def test_funnel_as_it_stood(shop: World) -> None:
    assert await funnel(shop, as_of="2026-03-08T12:00:00Z") == {
        "lead": (5, 4, 0, 1, 3, D("2")),
        "talk": (4, 2, 0, 2, 0, D("3.5")),
        "offer": (2, 0, 0, 2, 0, None),
    }, "leaps had not leapt, nor had moves moved"


async def test_conversion(shop: World) -> None:
    rows = {
        r["dimensions"]["stage"]["name"]: r
        for r in await shop.rows("stage_conversion", **MARCH, by=["stage"])
    }
    assert (rows["talk"]["value"], rows["talk"]["n"]) == (D("0.6"), 5)
    assert rows["talk"]["beside"] == {"open_share": D("0.4"), "dropped_share": 0, "left_out_share": D("0.2")}
    assert rows["talk"]["excluded"] == {"unknown_stages": 1}, "nobody told where it stood before it was won"
    assert rows["offer"]["beside"]["dropped_share"] == D(1) / 3
    assert rows["offer"]["small_sample"]
    whole = await shop.one("stage_conversion", **MARCH)
    assert (whole["numerator"], whole["denominator"]) == (10, 15)
    assert await shop.value("stage_conversion", **MARCH, filters={"stage": "offer", "rep": "Ann"}) == D(1) / 3
    april = await shop.one("stage_conversion", period="2026-04")
    assert (april["value"], april["null_reason"]) == (None, "zero_denominator")


async def test_the_rows_behind_it(shop: World) -> None:
    rows = await shop.contributions("stage_conversion", **MARCH, filters={"stage": ["offer"]})
    assert {(c.row["label"], c.row["date"][:10], tuple(c.parts)) for c in rows} == {
        ("straight, offer", "2026-03-06", ("entered", "advanced")),
        ("leaps, offer", "2026-03-10", ("entered", "dropped")),
        ("back, offer", "2026-03-08", ("entered", "still_there")),
        ("told, offer", "2026-03-09", ()),
    }
