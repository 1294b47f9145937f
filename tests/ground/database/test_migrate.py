"""Migrations on a server of one's own: as its owner, once, and with a service that is less than the owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from app.ground.database import locate, migrate
from app.ground.database.address import normalised, shown
from app.ground.database.embedded import APP, SUPERUSER, Embedded
from app.ground.database.session import Database
from app.ground.errors import Unavailable


@pytest_asyncio.fixture
async def empty(server: Embedded) -> AsyncIterator[str]:
    """An empty database that belongs to an ordinary role, as a provider hands it out."""
    name = f"given_{uuid4().hex[:10]}"
    connection = await asyncpg.connect(server.url(SUPERUSER, "postgres"))
    await connection.execute(f"create role {name} login")
    await connection.execute(f"create database {name} owner {name}")
    yield server.url(name, name)
    await connection.execute(f"drop database {name} with (force)")
    await connection.execute(f"revoke {APP} from {name}")
    await connection.execute(f"drop role {name}")
    await connection.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgres://a:b@h/d",
        "postgresql+asyncpg://a:b@h/d",
        "postgresql+psycopg://a:b@h/d",
        " postgresql://a:b@h/d",
    ],
)
def test_every_form_of_an_address(url: str) -> None:
    assert normalised(url) == "postgresql://a:b@h/d"


@pytest.mark.parametrize("url", ["mysql://a@h/d", "host=h dbname=d", ""])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(Unavailable):
        normalised(url)


def test_a_shown_address_has_no_password() -> None:
    assert shown("postgresql://me:secret@h:1/d?password=secret") == "postgresql://me@h:1/d"


async def test_a_migrated_database_is_current(owner_url: str) -> None:
    assert await migrate.is_current(owner_url)
    assert not await asyncio.to_thread(migrate.upgrade, owner_url)


async def test_an_empty_database_is_brought_up(empty: str) -> None:
    assert not await migrate.is_current(empty)
    assert await asyncio.to_thread(migrate.upgrade, empty)
    assert await migrate.is_current(empty)


async def test_two_that_migrate_at_once_take_turns(empty: str) -> None:
    results = await asyncio.gather(*(asyncio.to_thread(migrate.upgrade, empty) for _ in range(3)))
    assert sorted(results) == [False, False, True]


async def test_the_service_becomes_less_than_the_owner(server: Embedded, empty: str) -> None:
    """An administrator let the owner become the service's role; that is all the service then is."""
    owner = empty.split("@")[0].rpartition("/")[2]
    administrator = await asyncpg.connect(server.url(SUPERUSER, "postgres"))
    await administrator.execute(f"grant {APP} to {owner} with inherit false, set true")
    await administrator.close()
    await asyncio.to_thread(migrate.upgrade, empty)
    location = locate.given(empty, None)
    database = await Database.open(location.app_url, role=location.role, size=2)
    try:
        async with database.transaction(uuid4()) as session:
            assert await session.connection.fetchval("select current_user::text") == APP
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction(uuid4()) as session:
                await session.connection.execute(
                    "insert into users (tenant_id, name, role) values ($1, 'x', 'rep')", uuid4()
                )
    finally:
        await database.close()


async def test_an_owner_who_may_make_roles_makes_it(server: Embedded) -> None:
    """The whole server has that role already, so the statements are tried on one where it has another name."""
    administrator = await asyncpg.connect(server.url(SUPERUSER, "postgres"))
    transaction = administrator.transaction()
    await transaction.start()
    try:
        await administrator.execute(f"alter role {APP} rename to attain_hidden")
        await administrator.execute("create role creator createrole; set local role creator")
        await migrate.ensure_app_role(administrator)
        await migrate.ensure_app_role(administrator)
        row = await administrator.fetchrow(
            "select rolcanlogin, rolsuper, rolbypassrls, pg_has_role(oid, 'set') as ours from pg_roles"
            " where rolname = $1",
            APP,
        )
        assert row is not None
        assert tuple(row) == (False, False, False, True)
    finally:
        await transaction.rollback()
        await administrator.close()


async def test_an_owner_who_may_not_is_told_what_to_run(server: Embedded) -> None:
    administrator = await asyncpg.connect(server.url(SUPERUSER, "postgres"))
    transaction = administrator.transaction()
    await transaction.start()
    try:
        await administrator.execute(f"alter role {APP} rename to attain_hidden")
        await administrator.execute("create role powerless; set local role powerless")
        with pytest.raises(Unavailable, match="create role attain_app"):
            await migrate.ensure_app_role(administrator)
    finally:
        await transaction.rollback()
        await administrator.close()


async def test_the_services_role_does_not_migrate(app_url: str) -> None:
    connection = await asyncpg.connect(app_url)
    try:
        with pytest.raises(Unavailable):
            await migrate.ensure_app_role(connection)
    finally:
        await connection.close()
