"""Rates, requests at once, and what strangers may cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from uuid import uuid4

import pytest

from app.ground.access.admission import Admission
from app.ground.access.door import Door
from app.ground.access.gate import Gate
from app.ground.access.principal import Limits, Tenant
from app.ground.access.tenants import find_tenant, set_limits
from app.ground.database.session import Database, connect
from app.ground.errors import Invalid, TooManyRequests, Unauthorized, Unavailable
from app.ground.settings import Settings
from tests.conftest import Company

ACME = Tenant(uuid4(), "Acme")


def admission(quota: int = 10, window: int = 10, each: int = 3, everybody: int = 5) -> Admission:
    return Admission(quota=quota, window=window, each_at_once=each, at_once=everybody)


def test_a_bucket_empties_and_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("app.ground.access.admission.time", SimpleNamespace(monotonic=lambda: now))
    door = admission()
    for _ in range(10):
        door.leave(door.enter(ACME))
    with pytest.raises(TooManyRequests) as refused:
        door.enter(ACME)
    assert refused.value.headers == {"Retry-After": "1"}
    now += 2
    door.leave(door.enter(ACME))
    allowance = door.enter(ACME)
    door.leave(allowance)
    with pytest.raises(TooManyRequests):
        door.enter(ACME)
    assert dict(allowance.headers()) == {
        b"ratelimit-policy": b'"requests";q=10;w=10, "at-once";q=3;qu="concurrent-requests"',
        b"ratelimit": b'"requests";r=0;t=10, "at-once";r=3',
    }
    now += 1000
    door.leave(door.enter(ACME))
    assert b"r=9;t=1" in allowance.headers()[1][1]


def test_at_once_of_one_tenant_and_of_all() -> None:
    door = admission()
    mine = [door.enter(ACME) for _ in range(3)]
    with pytest.raises(TooManyRequests) as refused:
        door.enter(ACME)
    assert (refused.value.code, refused.value.headers) == ("too_many_at_once", {"Retry-After": "1"})
    other = Tenant(uuid4(), "Other")
    theirs = [door.enter(other) for _ in range(2)]
    with pytest.raises(Unavailable) as full:
        door.enter(other)
    assert (full.value.code, full.value.headers) == ("overloaded", {"Retry-After": "1"})
    for allowance in (*mine, *theirs):
        door.leave(allowance)
    assert door.in_flight == 0
    assert [door.enter(ACME).in_flight for _ in range(3)] == [1, 2, 3]


async def test_heads_of_one_turn_count_before_they_are_in_flight() -> None:
    door = admission(each=5)
    held = [door.enter(ACME), door.enter(ACME)]
    other = Tenant(uuid4(), "Other")
    door.leave(door.enter(other))
    seen = [door.surplus(who.id) for who in (ACME, ACME, other, ACME, ACME, ACME, other)]
    assert [x is not None for x in seen] == [False, False, False, False, True, True, False]
    await asyncio.sleep(0)
    held.append(door.enter(ACME))
    assert [door.surplus(ACME.id) is not None for _ in range(4)] == [False, False, True, True]
    for allowance in held:
        door.leave(allowance)
    # What never entered, since its path was wrong perhaps, is not counted for ever.
    await asyncio.sleep(0)
    assert [door.surplus(ACME.id) is not None for _ in range(6)] == [False] * 5 + [True]


def test_a_tenants_own_limits_count_from_the_next_request() -> None:
    door = admission()
    held = door.enter(ACME)
    wider = Tenant(ACME.id, "Acme", limits=Limits(requests=1000, at_once=4, weight=2))
    assert [door.enter(wider) for _ in range(3)] == [held] * 3
    assert (held.quota, held.at_once, held.in_flight) == (1000, 4, 4)
    with pytest.raises(TooManyRequests):
        door.enter(wider)


async def test_an_operator_gives_a_tenant_more(
    owner_url: str, database: Database, settings: Settings, make_tenant: Callable[..., Awaitable[Company]]
) -> None:
    company = await make_tenant("wide")
    connection = await connect(owner_url)
    try:
        await set_limits(connection, company.tenant, Limits(requests=7, weight=2.5))
        assert (await find_tenant(connection, str(company.id))).limits == Limits(requests=7, weight=2.5)
        with pytest.raises(Invalid):
            await set_limits(connection, company.tenant, Limits(at_once=0))
    finally:
        await connection.close()
    gate = Gate(database, settings)
    principal = await gate.authenticate(f"Bearer {await company.key()}", None)
    gate.leave(gate.enter(principal))
    assert gate.enter(principal).quota == 7
    assert database.queue.lane(company.id).weight == 2.5


async def test_wrong_keys_end_in_429_for_that_address_only() -> None:
    door = Door(places=1, failures=5, seconds=1)

    async def knock(address: str, *, wrong: bool) -> None:
        async with door.passed(address):
            if wrong:
                raise Unauthorized

    for _ in range(5):
        with pytest.raises(Unauthorized):
            await knock("a", wrong=True)
    with pytest.raises(TooManyRequests) as refused:
        await knock("a", wrong=False)
    assert refused.value.headers["Retry-After"] == "12"
    await knock("b", wrong=False)


async def test_a_flood_of_guesses_waits_in_its_own_lane(
    database: Database, settings: Settings, tenant: Company
) -> None:
    """While one address guesses as fast as it can, another's first request is looked up, and known keys do not wait."""
    gate = Gate(
        database, settings.model_copy(update={"principal_cache_seconds": 5, "wrong_keys_per_minute": 100})
    )
    known, fresh = f"Bearer {await tenant.key()}", f"Bearer {await tenant.key()}"
    await gate.authenticate(known, "good")
    guess = f"Bearer attain_{tenant.id.hex}_{'A' * 43}"
    outcomes: list[type] = []

    async def flood() -> None:
        try:
            await gate.authenticate(guess, "bad")
        except (Unauthorized, TooManyRequests, Unavailable) as error:
            outcomes.append(type(error))

    flooding = [asyncio.create_task(flood()) for _ in range(300)]
    await asyncio.sleep(0)
    assert (await gate.authenticate(known, "bad")).tenant_id == tenant.id
    async with asyncio.timeout(1):
        assert (await gate.authenticate(fresh, "good")).tenant_id == tenant.id
    await asyncio.gather(*flooding)
    assert outcomes.count(Unauthorized) <= 100
    assert len(outcomes) == 300
