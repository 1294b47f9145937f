"""What every test may ask for.

    server          the embedded PostgreSQL of this run, shared by all workers, with a migrated template database
    owner_url       this worker's database, as the owner (migrations, tenants)
    app_url         the same, as the service's role
    database        app.ground.database.session.Database on app_url: what the service runs on
    settings        Settings that point to this worker's database
    make_tenant     `await make_tenant(name="Acme", timezone="UTC", home_currency="USD", seed=None)` -> Company
    tenant          a fresh Company
    settled         `await settled()`: until the feed shows what was committed so far, whatever other tests have open
    new_database    `new_database()` -> (owner_url, app_url) of one more migrated database, for what a test would spoil

A Company has `.tenant`, `.id`, `.principal(role="admin", rep_id=None, scopes=())` and
`await .key(role="admin", rep_id=None, scopes=())`, an API key that works. Tenants are never cleaned up: each test has
its own, which is what tenants are for. One event loop serves the whole run, so pools may be shared between tests.
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from app.ground.access.keys import create_key
from app.ground.access.principal import Principal, Tenant
from app.ground.access.tenants import Seed, create_tenant
from app.ground.database import embedded, migrate
from app.ground.database.embedded import DATABASE, OWNER, SUPERUSER, Embedded
from app.ground.database.session import Database, connect
from app.ground.settings import Settings

_FOLDER = "ATTAIN_TEST_FOLDER"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


def pytest_configure(config: pytest.Config) -> None:
    # The controlling process makes the folder, its workers inherit the name and share one server in it.
    if not hasattr(config, "workerinput"):
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="attain-test-")


def pytest_collection_finish() -> None:
    # The modules of the whole catalogue stay for ever: a collector that walks them anew every few requests takes an
    # eighth of the run. What serves does the same (`app/server.py`).
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ.pop(_FOLDER))
        embedded.stop(folder)
        shutil.rmtree(folder)


def in_thread(work: Callable[[], Any]) -> Any:
    """Run blocking work that has an event loop of its own, away from the tests' loop."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _as_superuser(server: Embedded, work: Callable[[asyncpg.Connection], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(server.url(SUPERUSER, "postgres"))
        try:
            # One worker makes the template, the others wait and find it.
            await connection.execute("select pg_advisory_lock(1)")
            await work(connection)
        finally:
            await connection.close()

    in_thread(lambda: asyncio.run(main()))


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    running = embedded.start(Path(os.environ[_FOLDER]), settings=_FAST)

    async def template(_: asyncpg.Connection) -> None:
        await asyncio.to_thread(migrate.upgrade, running.owner_url)

    _as_superuser(running, template)
    yield running
    running.leave()


@pytest.fixture(scope="session")
def new_database(server: Embedded) -> Callable[[], tuple[str, str]]:
    def make() -> tuple[str, str]:
        name = f"test_{uuid4().hex[:12]}"

        async def copy(connection: asyncpg.Connection) -> None:
            await connection.execute(f"create database {name} template {DATABASE} owner {OWNER}")
            # A template's privileges are not copied.
            await connection.execute(embedded.privileges(name))

        _as_superuser(server, copy)
        return server.url(OWNER, name), server.url(embedded.APP, name)

    return make


@pytest.fixture(scope="session")
def _urls(new_database: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    return new_database()


@pytest.fixture(scope="session")
def owner_url(_urls: tuple[str, str]) -> str:
    return _urls[0]


@pytest.fixture(scope="session")
def app_url(_urls: tuple[str, str]) -> str:
    return _urls[1]


@pytest.fixture(scope="session")
def settings(owner_url: str, app_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        database_url=owner_url,
        app_database_url=app_url,
        data_dir=tmp_path_factory.mktemp("data"),
        principal_cache_seconds=0,
        cors_origins=["http://localhost:3000"],
        log_level="WARNING",
    )


@pytest_asyncio.fixture(scope="session")
async def database(app_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(app_url, size=10, pool_timeout=10)
    yield opened
    await opened.close()


@dataclass(frozen=True)
class Company:
    """A tenant made for a test."""

    tenant: Tenant
    database: Database

    @property
    def id(self) -> UUID:
        return self.tenant.id

    def principal(
        self, role: str = "admin", rep_id: UUID | None = None, scopes: Iterable[str] = ()
    ) -> Principal:
        return Principal(self.tenant, role, rep_id=rep_id, name=f"the {role}", scopes=frozenset(scopes))

    async def key(self, role: str = "admin", rep_id: UUID | None = None, scopes: Iterable[str] = ()) -> str:
        async with self.database.transaction(self.id) as session:
            _, key = await create_key(session, name=f"test {role}", role=role, rep_id=rep_id, scopes=scopes)
        return key


@pytest.fixture(scope="session")
def make_tenant(owner_url: str, database: Database) -> Callable[..., Awaitable[Company]]:
    async def make(
        name: str = "Acme", *, timezone: str = "UTC", home_currency: str = "USD", seed: Seed | None = None
    ) -> Company:
        connection = await connect(owner_url)
        try:
            tenant = await create_tenant(
                connection, name=name, timezone=timezone, home_currency=home_currency, seed=seed
            )
        finally:
            await connection.close()
        return Company(tenant, database)

    return make


@pytest_asyncio.fixture
async def tenant(make_tenant: Callable[..., Awaitable[Company]]) -> Company:
    return await make_tenant()


@pytest.fixture
def settled(database: Database) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        async with database.connection() as connection:
            mine = await connection.fetchval("select pg_current_xact_id()::text::bigint")
            while (
                await connection.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
                <= mine
            ):
                await asyncio.sleep(0.02)

    return wait
