"""A number is one message where one is enough, and the same number where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from app.ground.database.session import Database, connect
from tests.conftest import Company
from tests.language.metrics.world import World, new_world

DEALS = ("bookings", "win_rate", "open_pipeline")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of what goes to PostgreSQL."""
    texts: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        asked = getattr(asyncpg.Connection, name)

        async def noted(connection: Any, sql: str, *given: Any, _asked: Any = asked, **more: Any) -> Any:
            texts.append(sql)
            return await _asked(connection, sql, *given, **more)

        monkeypatch.setattr(asyncpg.Connection, name, noted)
    return texts


async def a_company(owner_url: str, database: Database) -> World:
    """Three deals of 100: one won, one lost, one open."""
    world = await new_world(owner_url, database)
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": c, "name": c, "pipeline_id": "t:p", "category": c} for c in ("open", "won", "lost")
    ))  # fmt: skip
    await world.put("reps", {"external_id": "r", "name": "Anna"})
    await world.put("opportunities", *(
        {"external_id": stage, "name": stage, "owner_id": "t:r", "stage_id": f"t:{stage}", "amount": 100,
         "opened_at": "2026-01-05", "closed_at": closed}
        for stage, closed in (("won", "2026-02-03"), ("lost", "2026-02-04"), ("open", None))
    ))  # fmt: skip
    return world


@pytest_asyncio.fixture
async def world(owner_url: str, database: Database) -> World:
    return await a_company(owner_url, database)


async def test_numbers_of_several_facts_are_one_message(world: World, sent: list[str]) -> None:
    found = await world.rows(*DEALS, period="2026-Q1")
    assert {x["metric"]: x["value"] for x in found} == {
        "bookings": 100, "win_rate": pytest.approx(0.5), "open_pipeline": 100,
    }  # fmt: skip
    assert len(sent) == 1, sent


@pytest.mark.parametrize(("metric", "value"), [("bookings", 100), ("won_deals", 1)])
async def test_what_groups_are_called_comes_with_their_sums(
    world: World, sent: list[str], metric: str, value: int
) -> None:
    assert await world.grouped(metric, "rep", period="2026-Q1") == {"Anna": value}
    assert len(sent) == 1, sent


async def test_what_is_looked_up_beforehand_is_of_one_transaction(world: World, sent: list[str]) -> None:
    assert await world.value("bookings", period="2026-Q1", filters={"rep": ["Anna"]}) == 100
    assert [text.split()[0] for text in sent] == ["BEGIN", "SELECT", "with", "COMMIT"], sent


async def test_the_rates_come_with_the_sums(world: World, sent: list[str]) -> None:
    await world.put("exchange_rates", {
        "external_id": "e", "from_currency": "USD", "to_currency": "EUR", "on_day": "2026-01-01", "rate": 0.5,
    })  # fmt: skip
    sent.clear()
    assert await world.value("bookings", period="2026-Q1", currency="EUR") == 50
    assert len(sent) == 1, sent


async def test_a_median_of_amounts_is_asked_for_again_and_then_no_more(world: World, sent: list[str]) -> None:
    assert await world.value("median_deal_size", period="2026-Q1") == 100
    assert [text.split()[0] for text in sent] == ["SELECT", "BEGIN", "with", "SELECT", "COMMIT"]
    sent.clear()
    assert await world.value("median_deal_size", period="2026-Q1") == 100
    assert [text.split()[0] for text in sent] == ["BEGIN", "with", "SELECT", "COMMIT"]


@pytest_asyncio.fixture
async def hasty(app_url: str) -> AsyncIterator[Database]:
    """A pool whose statements have a quarter of a second where they are given no other time."""
    opened = await Database.open(app_url, size=2, pool_timeout=10, statement_timeout_ms=250)
    yield opened
    await opened.close()


async def test_what_takes_longer_than_other_statements_may_has_its_own_time(
    owner_url: str, world: World, hasty: Database, sent: list[str]
) -> None:
    slow = World(Company(world.company.tenant, hasty))
    owner = await connect(owner_url)
    try:
        async with owner.transaction():
            await owner.execute("lock table opportunities in access exclusive mode")
            sent.clear()
            asked = asyncio.create_task(slow.value("bookings", period="2026-Q1"))
            while not any(text.startswith("BEGIN") for text in sent):
                await asyncio.sleep(0.01)
                assert not asked.done()
            await asyncio.sleep(0.5)
            assert not asked.done()
        assert await asked == 100
        sent.clear()
        assert await slow.value("bookings", period="2026-Q1") == 100
        assert sent[0].startswith("BEGIN")
    finally:
        await owner.close()
