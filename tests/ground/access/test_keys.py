"""Who gets in, who does not, and how soon a revoked key ends."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.ground.access.credential import credential
from app.ground.access.door import Door
from app.ground.access.keys import PrincipalCache, authenticate, create_key, hash_of, prefix_of
from app.ground.access.models import api_keys, users
from app.ground.database.session import Database
from app.ground.errors import Invalid, Unauthorized
from tests.conftest import Company


async def test_a_key_names_its_tenant_and_role(database: Database, tenant: Company) -> None:
    key = await tenant.key("analyst", scopes=["metrics:read"])
    principal = await authenticate(database, key)
    assert principal.tenant == tenant.tenant
    assert principal.role == "analyst"
    assert principal.scopes == {"metrics:read"}


async def test_basic_carries_the_key_as_password(database: Database, tenant: Company) -> None:
    key = await tenant.key()
    header = "Basic " + base64.b64encode(f"whoever:{key}".encode()).decode()
    assert (await authenticate(database, credential(header))).tenant_id == tenant.id


async def test_the_key_itself_is_nowhere_in_the_database(database: Database, tenant: Company) -> None:
    key = await tenant.key()
    async with database.transaction(tenant.id) as session:
        row = await session.fetchrow(select(api_keys).where(api_keys.c.tenant_id == tenant.id))
    assert row["key_hash"] == hash_of(key)
    assert key[46:] not in str(dict(row))
    assert row["prefix"] == prefix_of(key)


NOBODYS = f"attain_{'0' * 31}1_{'A' * 43}"


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer nonsense", "Digest x", "Basic !!!",
        "Basic " + base64.b64encode(b"a:b").decode(), "Bearer " + "a" * 5000,
        f"Bearer {NOBODYS}", f"Bearer {NOBODYS}\n", f"Bearer {NOBODYS}x", f"Bearer {NOBODYS} {NOBODYS}",
    ],
)  # fmt: skip
async def test_everything_else_is_401(database: Database, header: str | None) -> None:
    with pytest.raises(Unauthorized) as refused:
        await authenticate(database, credential(header))
    assert "WWW-Authenticate" in refused.value.headers


async def test_another_tenants_name_on_a_key_opens_nothing(
    database: Database, make_tenant: Callable[..., Awaitable[Company]]
) -> None:
    ours, theirs = await make_tenant("ours"), await make_tenant("theirs")
    key = await ours.key()
    with pytest.raises(Unauthorized):
        await authenticate(database, key.replace(ours.id.hex, theirs.id.hex))


async def test_an_expired_key_is_refused(database: Database, tenant: Company) -> None:
    async with database.transaction(tenant.id) as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        _, key = await create_key(session, name="old", role="admin", expires_at=past)
    with pytest.raises(Unauthorized):
        await authenticate(database, key)


async def test_a_revoked_key_ends_when_the_cache_does(database: Database, tenant: Company) -> None:
    key = await tenant.key()
    cache = PrincipalCache(seconds=60)
    await authenticate(database, key, cache)
    async with database.transaction(tenant.id) as session:
        await session.execute(
            update(api_keys).where(api_keys.c.tenant_id == tenant.id).values(revoked_at=datetime.now(UTC))
        )
    assert (await authenticate(database, key, cache)).tenant_id == tenant.id
    cache.forget()
    with pytest.raises(Unauthorized):
        await authenticate(database, key, cache)


async def test_a_cached_key_does_not_outlive_its_expiry(tenant: Company) -> None:
    cache = PrincipalCache(seconds=60)
    cache.put(b"k", tenant.principal(), at_most=0)
    assert cache.get(b"k") is None


async def test_many_first_requests_of_one_key_pass_the_door_together(
    database: Database, tenant: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the first of them the others find it known; none waits for a look-up of its own."""
    looked_up = 0
    transaction = database.transaction

    def counted(tenant_id: UUID) -> Any:
        nonlocal looked_up
        looked_up += 1
        return transaction(tenant_id)

    key = await tenant.key()
    monkeypatch.setattr(Database, "transaction", lambda _, tenant_id: counted(tenant_id))
    cache, door = PrincipalCache(seconds=60), Door(places=2, failures=10, seconds=5)
    await asyncio.gather(*(authenticate(database, key, cache, door, "198.51.100.7") for _ in range(50)))
    assert looked_up == 2


async def test_a_key_that_was_good_is_no_stranger_where_nothing_is_cached(
    database: Database, tenant: Company
) -> None:
    key = await tenant.key()
    cache, shut = PrincipalCache(seconds=0), Door(places=1, failures=10, seconds=0.01)
    await authenticate(database, key, cache, shut)
    async with shut.passed("198.51.100.7"):
        assert (await authenticate(database, key, cache, shut)).tenant_id == tenant.id


async def test_the_cache_is_bounded(tenant: Company) -> None:
    cache = PrincipalCache(seconds=60, size=2)
    for name in (b"a", b"b", b"c"):
        cache.put(name, tenant.principal(), at_most=None)
    assert cache.get(b"a") is None
    assert cache.get(b"c") is not None


async def test_a_persons_key_follows_the_person(database: Database, tenant: Company) -> None:
    async with database.transaction(tenant.id) as session:
        user_id = await session.fetchval(
            users.insert().values(tenant_id=tenant.id, name="Ada", role="manager").returning(users.c.id)
        )
        _, key = await create_key(session, name="laptop", role="admin", user_id=user_id)
    principal = await authenticate(database, key)
    assert (principal.role, principal.name, principal.user_id) == ("manager", "Ada", user_id)
    async with database.transaction(tenant.id) as session:
        await session.execute(update(users).where(users.c.tenant_id == tenant.id).values(active=False))
    with pytest.raises(Unauthorized):
        await authenticate(database, key)


async def test_a_used_key_says_when(database: Database, tenant: Company) -> None:
    key = await tenant.key()
    await authenticate(database, key)
    async with database.transaction(tenant.id) as session:
        statement = select(api_keys.c.last_used_at).where(api_keys.c.tenant_id == tenant.id)
        assert await session.fetchval(statement) is not None


async def test_an_unknown_role_is_refused(database: Database, tenant: Company) -> None:
    async with database.transaction(tenant.id) as session:
        with pytest.raises(Invalid):
            await create_key(session, name="x", role="root")
