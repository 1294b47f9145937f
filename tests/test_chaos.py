"""Callers who go away, tasks that are cancelled, a pool that is full: nothing of another tenant, nothing left open.

A thousand requests by default; `make chaos` sends ten thousand.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import uvicorn
from uvicorn.server import ServerState

from app.areas import found
from app.ground.database.session import Database, Session, connect
from app.ground.settings import Settings
from app.main import create_app
from app.wire import Wire
from tests.conftest import Company

REQUESTS = int(os.environ.get("ATTAIN_CHAOS_REQUESTS", "1000"))
TENANTS = 20
AT_ONCE = 40
CHANCE = random.Random(11)


@dataclass
class Caller:
    mark: str
    company: Company
    key: str
    ids: list[str]


@asynccontextmanager
async def listening(app: Any) -> AsyncIterator[int]:
    """The service on a real socket, in this process, so that its pool can be looked into afterwards."""
    config = uvicorn.Config(app, http=Wire, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Wire(config, state, {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        async with asyncio.timeout(20):
            while state.tasks or state.connections:
                for connection in list(state.connections):
                    connection.shutdown()
                await asyncio.sleep(0.02)


async def moved_in(
    make_tenant: Callable[..., Awaitable[Company]], client: httpx.AsyncClient, n: int
) -> Caller:
    company = await make_tenant(f"tenant {n}", seed=found)
    key = await company.key()
    mark = f"mark-{n:02}-"
    rows = [{"external_id": f"a{i}", "name": f"{mark}{i}", "industry": mark} for i in range(30)]
    answer = await client.post(
        "/v1/accounts:upsert",
        json={"source": "crm", "rows": rows},
        headers={"authorization": f"Bearer {key}"},
    )
    assert answer.status_code == 200, answer.text
    return Caller(mark, company, key, [x["id"] for x in answer.json()["rows"]])


def asked(caller: Caller, others: list[Caller]) -> tuple[str, str, dict[str, str], Any]:
    """Method, path, headers, body: reads and writes of every kind, now and then of another tenant's record."""
    theirs = CHANCE.choice(others).ids[CHANCE.randrange(30)]
    own = CHANCE.choice(caller.ids)
    name = f"{caller.mark}{CHANCE.random()}"
    return CHANCE.choice(
        [
            ("GET", "/v1/accounts?limit=20&include=total", {}, None),
            ("GET", "/v1/accounts", {"accept": "application/x-ndjson"}, None),
            ("GET", f"/v1/accounts/{own}", {}, None),
            ("GET", f"/v1/accounts/{theirs}", {}, None),
            ("PATCH", f"/v1/accounts/{theirs}", {}, {"industry": caller.mark}),
            ("PATCH", f"/v1/accounts/{own}", {}, {"industry": name}),
            ("POST", "/v1/accounts", {"idempotency-key": name}, {"name": name}),
            ("POST", "/v1/accounts:upsert", {}, {"source": "x", "rows": [
                {"external_id": f"{i}", "name": name} for i in range(CHANCE.randrange(1, 20))]}),
            ("POST", "/graphql", {}, {"query": "{ a: accounts { totalCount nodes { name industry } } me { name } }"}),
            ("GET", "/v1/metrics/query?metric=bookings&metric=win_rate&period=2026&grain=month", {}, None),
            ("GET", "/v1/events?limit=50", {}, None),
        ]
    )  # fmt: skip


async def over_the_wire(port: int, request: bytes, patience: float | None) -> tuple[int, bytes]:
    """Status and body; a caller without patience closes the connection wherever the answer is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        try:
            async with asyncio.timeout(patience):
                answer = await reader.read()
        except TimeoutError:
            if CHANCE.random() < 0.5:
                writer.transport.abort()
            return 0, b""
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def cancelled(
    app: Any, method: str, path: str, headers: list[Any], body: bytes, patience: float
) -> None:
    """The application's own task, ended where it stands."""
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": headers, "http_version": "1.1", "scheme": "http", "server": None, "client": ("127.0.0.1", 1),
        "root_path": "", "state": {},
    }  # fmt: skip
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.sleep(3600)
        raise AssertionError

    async def send(_: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    task = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait([task], timeout=patience)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_nothing_leaks_when_callers_go_away(
    settings: Settings, app_url: str, owner_url: str, make_tenant: Callable[..., Awaitable[Company]]
) -> None:
    database = await Database.open(app_url, size=6, pool_timeout=10)
    app = create_app(settings.model_copy(update={"principal_cache_seconds": 1}), database)
    outcomes: Counter[int] = Counter()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://attain") as client:
        callers = [await moved_in(make_tenant, client, n) for n in range(TENANTS)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(port: int) -> None:
        caller = CHANCE.choice(callers)
        others = [x for x in callers if x is not caller]
        method, path, headers, body = asked(caller, others)
        sent = b"" if body is None else json.dumps(body).encode()
        lines = {"host": "attain", "authorization": f"Bearer {caller.key}", "connection": "close", **headers}
        if sent:
            lines |= {"content-type": "application/json", "content-length": str(len(sent))}
        fate = CHANCE.random()
        patience = CHANCE.uniform(0, 0.08)
        async with gate:
            if fate < 0.25:
                raw = [(name.encode(), value.encode()) for name, value in lines.items()]
                await cancelled(app, method, path, raw, sent, patience)
                outcomes[-1] += 1
                return
            head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
            status, answer = await over_the_wire(
                port, head.encode() + b"\r\n" + sent, patience if fate < 0.5 else None
            )
        outcomes[status] += 1
        assert status < 500, answer
        assert set(re.findall(rb"mark-\d\d-", answer)) <= {caller.mark.encode()}, (method, path)
        if any(x in path for other in others for x in other.ids):
            assert status in (0, 404), (method, path, answer)

    try:
        async with listening(app) as port:
            await asyncio.gather(*(one(port) for _ in range(REQUESTS)))
        assert (database.queue.held, database.queue.waiting) == (0, 0)
        assert await _left_open(owner_url) == []
        async with AsyncExitStack() as stack:
            held = [await stack.enter_async_context(database.connection(uuid4())) for _ in range(6)]
            assert not any(connection.is_in_transaction() for connection in held)
        for caller in callers:
            async with caller.company.database.transaction(caller.company.id) as session:
                await _only_its_own(session, caller.mark)
    finally:
        await database.close()
    print(f"\nchaos: {REQUESTS} requests, {dict(sorted(outcomes.items()))}")  # noqa: T201
    assert sum(outcomes.values()) == REQUESTS
    assert outcomes[200] > REQUESTS // 8
    assert outcomes[0] > REQUESTS // 50


async def _left_open(owner_url: str) -> list[Any]:
    """Connections that stand in a transaction without doing anything, asked twice: one moment of it is no leak."""
    sql = (
        "select pid from pg_stat_activity where datname = current_database() and usename = 'attain_app'"
        " and state like 'idle in transaction%' and state_change < now() - interval '1 second'"
    )
    connection = await connect(owner_url)
    try:
        await asyncio.sleep(1.2)
        return await connection.fetch(sql)
    finally:
        await connection.close()


async def _only_its_own(session: Session, mark: str) -> None:
    names = await session.connection.fetch(
        "select name, industry from accounts where tenant_id = $1", session.tenant_id
    )
    assert len(names) >= 30
    assert all((row["name"] + (row["industry"] or mark)).startswith(mark) for row in names)
    assert all(mark in (row["industry"] or mark) for row in names)


async def test_a_full_pool_refuses_in_its_time_and_recovers(
    settings: Settings, app_url: str, make_tenant: Callable[..., Awaitable[Company]]
) -> None:
    database = await Database.open(app_url, size=3, pool_timeout=0.5, statement_timeout_ms=2000)
    app = create_app(settings.model_copy(update={"principal_cache_seconds": 60}), database)
    company = await make_tenant("full")
    own = {"authorization": f"Bearer {await company.key()}"}

    async def sleeper() -> None:
        async with database.transaction(company.id) as session:
            await session.connection.execute("select pg_sleep(30)")

    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://attain") as client:
            assert (await client.get("/v1/me", headers=own)).status_code == 200
            began = time.monotonic()
            sleepers = [asyncio.create_task(sleeper()) for _ in range(3)]
            await asyncio.sleep(0.1)
            asked_at = time.monotonic()
            answers = await asyncio.gather(
                *(client.get("/v1/me", headers=own) for _ in range(5)),
                client.get("/readyz"),
                client.get("/livez"),
            )
            assert time.monotonic() - asked_at < 2.5
            assert [x.status_code for x in answers] == [503] * 6 + [200]
            assert {x.json()["code"] for x in answers[:5]} == {"pool_exhausted"}
            assert all(x.headers["retry-after"] == "1" for x in answers[:6])
            ended = await asyncio.gather(*sleepers, return_exceptions=True)
            assert {type(x).__name__ for x in ended} == {"QueryCanceledError"}
            assert time.monotonic() - began < 10
            assert (await client.get("/v1/me", headers=own)).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
        assert database.queue.held == 0
    finally:
        await database.close()
