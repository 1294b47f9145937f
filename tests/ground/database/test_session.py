"""One place sets the tenant: what it lets be seen, and that nothing of it stays behind on a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import select, text

from app.ground.database import session as session_module
from app.ground.database.session import Database, Session, compiled
from app.sales.accounts.models import accounts
from tests.conftest import Company

# Without the explicit tenant: what stands between these rows and everybody is the policy alone.
NAMES = "select name from accounts order by name"
SETTING = "select current_setting('app.tenant_id')"
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest_asyncio.fixture
async def narrow(app_url: str) -> AsyncIterator[Database]:
    """A pool of one connection, so that whatever one leaves behind the next one finds."""
    opened = await Database.open(app_url, size=1, pool_timeout=10, statement_timeout_ms=300)
    yield opened
    await opened.close()


async def _with_account(company: Company, name: str) -> Company:
    async with company.database.transaction(company.id) as session:
        await session.connection.execute(
            "insert into accounts (tenant_id, name) values ($1, $2)", company.id, name
        )
    return company


@pytest_asyncio.fixture
async def companies(make_tenant: Callable[..., Awaitable[Company]]) -> tuple[Company, Company]:
    return (
        await _with_account(await make_tenant(), "Isdom"),
        await _with_account(await make_tenant(), "Zencorporation"),
    )


async def test_a_statement_alone_sees_its_tenant_and_leaves_no_trace(
    narrow: Database, companies: tuple[Company, Company]
) -> None:
    # Often enough that PostgreSQL weighs a plan for every tenant and keeps it.
    for _ in range(8):
        for company, name in zip(companies, ("Isdom", "Zencorporation"), strict=True):
            async with narrow.reading(company.id) as session:
                assert [x["name"] for x in await session.connection.fetch(NAMES)] == [name]
                assert await session.connection.fetchval(SETTING) == str(company.id)
            async with narrow.connection() as connection:
                assert await connection.fetchval(SETTING) == NOBODY
                assert await connection.fetch(NAMES) == []


async def test_a_plan_made_for_no_value_waits_for_the_tenant_too(
    narrow: Database, companies: tuple[Company, Company]
) -> None:
    async with narrow.connection() as connection:
        await connection.execute("set plan_cache_mode = force_generic_plan")
    statement = compiled(select(accounts.c.name).where(accounts.c.tenant_id == text("$1::uuid")))
    for company, name in zip(companies, ("Isdom", "Zencorporation"), strict=True):
        async with narrow.reading(company.id) as session:
            assert await session.connection.fetchval(NAMES) == name
            assert await session.connection.fetchval(statement.sql, company.id) == name


async def test_the_rows_keep_their_order_and_names(
    narrow: Database, companies: tuple[Company, Company]
) -> None:
    company = companies[0]
    await asyncio.gather(*(_with_account(company, f"A{n:03}") for n in (5, 3, 8, 1)))
    async with narrow.reading(company.id) as session:
        query = select(accounts.c.name, accounts.c.version).order_by(accounts.c.name.desc()).limit(4)
        rows = await session.fetch(query)
    assert [dict(row) for row in rows] == [
        {"name": name, "version": 1} for name in ("Isdom", "A008", "A005", "A003")
    ]


async def test_a_statement_alone_can_only_read(narrow: Database, companies: tuple[Company, Company]) -> None:
    async with narrow.reading(companies[0].id) as session:
        for sql in (
            "delete from accounts returning 1",
            "with x as (delete from accounts returning 1) select 1",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await session.connection.fetch(sql)
        with pytest.raises(AttributeError):
            await session.connection.execute("delete from accounts")
        assert await session.connection.fetchval(NAMES) == "Isdom"


async def test_statements_end_in_time(narrow: Database, companies: tuple[Company, Company]) -> None:
    async def sleeps(session: Session) -> None:
        await session.connection.fetchval("select pg_sleep(1)")

    tenant = companies[0].id
    with pytest.raises(asyncpg.QueryCanceledError):
        async with narrow.reading(tenant) as session:
            await sleeps(session)
    with pytest.raises(asyncpg.QueryCanceledError):
        async with narrow.transaction(tenant) as session:
            await sleeps(session)
    async with narrow.transaction(tenant, timeout_ms=5000) as session:
        await sleeps(session)
    async with narrow.reading(tenant) as session:
        assert await session.connection.fetchval("select current_setting('statement_timeout')") == "300ms"


async def test_a_statement_that_was_prepared_for_nobody_strikes_nobody_later(
    narrow: Database, companies: tuple[Company, Company]
) -> None:
    """Its clock has run since it was prepared, by somebody who was cancelled before it ran."""

    async def cancelled() -> None:
        async with narrow.connection() as connection:
            await connection.prepare("select 1 as prepared_and_left")
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await cancelled()
    await asyncio.sleep(0.5)
    async with narrow.transaction(companies[0].id) as session:
        assert await session.connection.fetchval(SETTING) == str(companies[0].id)


async def test_a_wide_statement_is_prepared_once(
    narrow: Database, companies: tuple[Company, Company]
) -> None:
    """A page of deals with all that hangs on them, as a manager sees it, is 30,000 characters."""
    wide = f"select count(*), '{'x' * 30_000}' from accounts"
    for company in companies:
        async with narrow.reading(company.id) as session:
            await session.connection.fetch(wide)
    async with narrow.connection() as connection:
        kept = "select count(*) from pg_prepared_statements where length(statement) > 30000"
        assert await connection.fetchval(kept) == 1


async def test_a_caller_that_goes_away_leaves_no_transaction_open(
    narrow: Database, companies: tuple[Company, Company]
) -> None:
    async def work(seconds: float) -> None:
        async with narrow.transaction(companies[0].id) as session:
            await session.connection.fetchval("select pg_sleep($1)", seconds)

    for number in range(40):
        task = asyncio.create_task(work(0.001))
        await asyncio.sleep(number * 0.0001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with narrow.connection() as connection:
            assert not connection.is_in_transaction()
            assert await connection.fetchval(SETTING) == NOBODY


async def test_a_connection_that_is_not_given_back_keeps_nobody_from_ending(
    app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_FAREWELL_SECONDS", 0.05)
    opened = await Database.open(app_url, size=2)
    kept = (await opened.pool.acquire())._con
    async with asyncio.timeout(5):
        await opened.close()
    assert kept is not None
    assert kept.is_closed()
