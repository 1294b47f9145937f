"""One effect, one answer, whatever is sent again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import func, select

from app.ground.access.idempotency import (
    Answer,
    Answered,
    Claim,
    any_taken,
    claim,
    purge,
    take,
)
from app.ground.access.models import users
from app.ground.access.principal import Principal
from app.ground.database.retry import in_transaction
from app.ground.database.session import Database, Session
from app.ground.errors import AttainError, Conflict, Invalid
from tests.conftest import Company

BODY = b"\x01" * 32


async def ask(
    database: Database, principal: Principal, key: str, *, route: str = "POST /v1/users", body: bytes = BODY,
    pause: float = 0, outside: bool = False,
) -> Answer:  # fmt: skip
    """Makes a user per run, so that effects can be counted in the database. `outside` asks before the transaction."""

    async def work(session: Session) -> Answer:
        held = claim(principal, key, route, body)
        try:
            if outside:
                assert session.alone
                [row] = await session.look(held.question.sql, *held.question.arguments)
                held.hear(row[0])
                await session.connection.fetch(held.hold.sql, *held.hold.arguments)
            else:
                await take(session, held)
        except Answered as before:
            return before.answer
        made = (
            users.insert().values(tenant_id=session.tenant_id, name="Ada", role="rep").returning(users.c.id)
        )
        user_id = await session.fetchval(made)
        await asyncio.sleep(pause)
        answer = Answer(201, {"Location": f"/v1/users/{user_id}"}, str(user_id).encode())
        await held.keep(session, answer.status, answer.headers, answer.body)
        return answer

    return await in_transaction(database, principal.tenant_id, work, opening=outside)


async def count(database: Database, tenant: Company) -> int:
    async with database.transaction(tenant.id) as session:
        return await session.fetchval(
            select(func.count()).select_from(users).where(users.c.tenant_id == tenant.id)
        )


async def test_a_retry_gets_the_frozen_answer(database: Database, tenant: Company) -> None:
    principal = tenant.principal()
    first = await ask(database, principal, "k")
    second = await ask(database, principal, "k")
    assert not first.replayed
    assert second.replayed
    assert second[:3] == first[:3]
    assert await count(database, tenant) == 1


async def test_another_body_or_route_is_refused(database: Database, tenant: Company) -> None:
    principal = tenant.principal()
    await ask(database, principal, "k")
    with pytest.raises(Invalid) as another_body:
        await ask(database, principal, "k", body=b"\x02" * 32)
    with pytest.raises(Invalid) as another_route:
        await ask(database, principal, "k", route="POST /v1/teams")
    assert another_body.value.code == another_route.value.code == "idempotency_key_reused"
    assert await count(database, tenant) == 1


async def test_callers_do_not_meet(database: Database, tenant: Company) -> None:
    for _ in range(2):
        caller = Principal(tenant.tenant, "admin", user_id=uuid4())
        assert not (await ask(database, caller, "k")).replayed
    assert await count(database, tenant) == 2


async def test_a_failed_run_leaves_nothing(database: Database, tenant: Company) -> None:
    principal = tenant.principal()

    async def fail() -> None:
        async with database.transaction(tenant.id) as session:
            await take(session, claim(principal, "k", "POST /v1/users", BODY))
            raise Conflict("no")

    with pytest.raises(Conflict):
        await fail()
    assert not (await ask(database, principal, "k")).replayed


async def test_old_answers_are_forgotten_and_young_ones_kept(database: Database, tenant: Company) -> None:
    principal = tenant.principal()
    await ask(database, principal, "k")
    async with database.transaction(tenant.id) as session:
        assert await purge(session, timedelta(hours=1)) == 0
    assert (await ask(database, principal, "k")).replayed
    async with database.transaction(tenant.id) as session:
        assert await purge(session, timedelta(0)) == 1
    assert not (await ask(database, principal, "k")).replayed


@pytest.mark.parametrize("outside", [False, True])
async def test_many_retries_at_once_have_one_effect(
    database: Database, tenant: Company, outside: bool
) -> None:
    principal = tenant.principal()
    retries = (ask(database, principal, "k", pause=0.01, outside=outside) for _ in range(200))
    outcomes = await asyncio.gather(*retries, return_exceptions=True)
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, AttainError)]
    assert len(answers) + len(refusals) == 200
    assert {refusal.code for refusal in refusals} <= {"idempotency_in_flight"}
    assert all(refusal.headers["Retry-After"] for refusal in refusals)
    assert len({answer.body for answer in answers}) == 1
    assert await count(database, tenant) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\nb"])
async def test_a_key_that_is_none_is_refused(database: Database, tenant: Company, key: str) -> None:
    with pytest.raises(Invalid):
        await ask(database, tenant.principal(), key)


async def test_of_several_keys_one_that_is_not_free_is_told(database: Database, tenant: Company) -> None:
    principal = tenant.principal()
    await ask(database, principal, "used")
    free, used, others = ([claim(principal, x, "POST /v1/users", BODY)] for x in ("free", "used", "other"))

    async def taken(session: Session, claims: list[Claim]) -> bool:
        part = any_taken(claims)
        return bool(await session.connection.fetchval(f"select {part.sql}", *part.arguments))

    async with database.transaction(tenant.id) as session, database.transaction(tenant.id) as other:
        await take(other, others[0])
        assert [await taken(session, x) for x in (free, used, others)] == [False, True, True]
        assert await taken(session, [*free, *used])
        assert await taken(session, [*free, *others])
        with pytest.raises(Conflict) as refused:
            await take(other, free[0])
        assert refused.value.code == "idempotency_in_flight", "what was free is held from then on"


async def test_a_day_without_keys_leaves_them_to_be_looked_up(
    database: Database, tenant: Company, owner_url: str
) -> None:
    """PostgreSQL takes a table of no pages for one that is best read through, and keeps such a plan while it fills."""
    owner = await asyncpg.connect(owner_url)
    try:
        async with database.transaction(tenant.id) as session:
            await session.connection.execute(
                "insert into idempotency_keys (tenant_id, caller, key, route, body_hash, status, headers, body) "
                "select $1, 'c', n::text, 'r', '', 200, '{}', '' from generate_series(1, 5000) n", tenant.id,
            )  # fmt: skip
            assert await purge(session, timedelta(days=-1)) == 5000
        await owner.execute("vacuum analyze idempotency_keys")
        pages = await owner.fetchval("select pg_relation_size('idempotency_keys') / 8192")
        assert pages > 20
        async with database.transaction(tenant.id) as session:
            plan = await session.connection.fetch(
                "explain select from idempotency_keys where tenant_id = $1 and caller = 'c' and key = 'k'",
                tenant.id,
            )
        assert not any("Seq Scan" in line for (line,) in plan)
    finally:
        await owner.close()
