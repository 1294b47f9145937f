"""The feed shows every event once, in the order of commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.ground.database.session import Database, Session
from app.ground.errors import BadCursor
from app.ground.events import feed, outbox
from app.ground.events.feed import Batch
from app.ground.events.models import events
from tests.conftest import Company


def event(number: int, noun: str = "opportunity", **rest: object) -> outbox.Event:
    return outbox.Event(
        type=f"{noun}.updated",
        noun=noun,
        record_id=uuid4(),
        version=number,
        changed=("amount", "stage_id"),
        **rest,  # type: ignore[arg-type]
    )


EVERYTHING = {"opportunity": lambda _: None, "account": lambda _: None}


async def read(
    session: Session, after: str | None, *, nouns: Mapping[str, feed.Visible] = EVERYTHING, **rest: Any
) -> Batch:
    return await feed.read(session, feed.reading(nouns, typed="types" in rest), after, **rest)


async def settle(database: Database, tenant_id: UUID, after: str | None, **rest: Any) -> Batch:
    """Other tests' transactions hold the feed back for the moment that they last."""
    deadline = time.monotonic() + 10
    while True:
        async with database.transaction(tenant_id) as session:
            batch = await read(session, after, **rest)
        if batch.entries or time.monotonic() > deadline:
            return batch
        await asyncio.sleep(0.02)


async def test_written_together_read_in_order(database: Database, tenant: Company) -> None:
    actor = uuid4()
    written = [event(n, actor=actor) for n in range(1, 251)]
    async with database.transaction(tenant.id) as session:
        await outbox.write(session, written)
    first = await settle(database, tenant.id, None, limit=100)
    assert first.has_more
    second = await settle(database, tenant.id, first.cursor, limit=200)
    assert not second.has_more
    entries = first.entries + second.entries
    assert [entry.version for entry in entries] == list(range(1, 251))
    assert entries[0].changed == ["amount", "stage_id"]
    assert entries[0].actor == actor
    assert entries[0].as_dict()["sequence"] == entries[0].cursor


async def test_nothing_to_change_is_an_empty_list(database: Database, tenant: Company) -> None:
    async with database.transaction(tenant.id) as session:
        await outbox.write(session, [])
        await outbox.write(
            session, [outbox.Event(type="account.deleted", noun="account", record_id=uuid4(), version=2)]
        )
    assert (await settle(database, tenant.id, None)).entries[0].changed == []


async def test_what_is_rolled_back_was_never_there(database: Database, tenant: Company) -> None:
    async def fail() -> None:
        async with database.transaction(tenant.id) as session:
            await outbox.write(session, [event(1)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction(tenant.id) as session:
        await outbox.write(session, [event(2)])
    assert [entry.version for entry in (await settle(database, tenant.id, None)).entries] == [2]


async def test_a_running_transaction_holds_back_whatever_began_after_it(
    database: Database, tenant: Company
) -> None:
    async with database.transaction(tenant.id) as slow:
        await outbox.write(slow, [event(1)])
        async with database.transaction(tenant.id) as fast:
            await outbox.write(fast, [event(2)])
        async with database.transaction(tenant.id) as reader:
            assert (await read(reader, None)).entries == []
    seen: list[int] = []
    cursor: str | None = None
    while len(seen) < 2:
        batch = await settle(database, tenant.id, cursor)
        seen += [entry.version for entry in batch.entries]
        cursor = batch.cursor
    assert seen == [1, 2]


async def test_types_nouns_and_visibility(database: Database, tenant: Company) -> None:
    mine = event(1)
    async with database.transaction(tenant.id) as session:
        await outbox.write(session, [mine, event(2), event(3, noun="account"), event(4, noun="user")])
    everything = await settle(database, tenant.id, None)
    assert [entry.version for entry in everything.entries] == [1, 2, 3]
    assert [
        e.version for e in (await settle(database, tenant.id, None, types=["account.updated"])).entries
    ] == [3]
    own = {"opportunity": lambda _: events.c.record_id == mine.record_id}
    assert [e.version for e in (await settle(database, tenant.id, None, nouns=own)).entries] == [1]


async def test_tenants_do_not_see_each_other(
    database: Database, make_tenant: Callable[..., Awaitable[Company]]
) -> None:
    ours, theirs = await make_tenant(), await make_tenant()
    async with database.transaction(ours.id) as session:
        await outbox.write(session, [event(1)])
    await settle(database, ours.id, None)
    async with database.transaction(theirs.id) as session:
        assert (await read(session, None)).entries == []


async def test_the_latest_cursor_is_behind_everything_settled(database: Database, tenant: Company) -> None:
    async with database.transaction(tenant.id) as session:
        await outbox.write(session, [event(1)])
    await settle(database, tenant.id, None)
    async with database.transaction(tenant.id) as session:
        assert (await read(session, await feed.latest(session))).entries == []


@pytest.mark.parametrize("cursor", ["x", "1", "1.", ".1", "1.2.3", "-1.0", "²." + "1", "9" * 30 + ".1"])
async def test_a_made_up_cursor_is_400(cursor: str) -> None:
    with pytest.raises(BadCursor):
        feed.parse_cursor(cursor)
