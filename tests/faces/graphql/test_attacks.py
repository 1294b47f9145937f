"""Twenty attacks, each refused shortly, soon, and without a word in the log beyond the request's own line."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
import structlog

from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import create_app
from benchmarks.attacks import ATTACKS, Attack

MOST_BYTES = 16_384
MOST_LOGGED = 2_048


@pytest_asyncio.fixture(scope="module")
async def key(make_tenant: Any) -> str:
    return await (await make_tenant()).key()


@pytest_asyncio.fixture(scope="module")
async def service(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The whole service as in production: no introspection, no page for people."""
    production = settings.model_copy(
        update={"allow_introspection": False, "graphiql": False, "log_level": "INFO"}
    )
    transport = httpx.ASGITransport(create_app(production, database))  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://attain") as client:
        yield client


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_attacks_are_refused(
    service: httpx.AsyncClient, key: str, attack: Attack, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"authorization": f"Bearer {key}", **attack.headers}
    caplog.set_level(logging.DEBUG)

    async def send() -> tuple[httpx.Response, float]:
        began = time.process_time()
        response = await service.request(
            attack.method, f"/graphql?{attack.query}", content=attack.body, headers=headers
        )
        return response, time.process_time() - began

    with structlog.testing.capture_logs() as logged:
        response, _ = await send()

    assert response.status_code == attack.status
    answer = response.json()
    assert "data" not in answer
    [error] = answer["errors"]
    assert error["extensions"]["code"] == attack.code
    assert "Did you mean" not in error["message"]
    assert len(response.content) < MOST_BYTES
    lines = [orjson.dumps(x, default=str).decode() for x in logged]
    lines += [x.getMessage() for x in caplog.records if not x.name.startswith(("httpx", "asyncio"))]
    assert lines
    assert sum(map(len, lines)) < MOST_LOGGED, lines
    assert min([(await send())[1] for _ in range(5)]) < 0.05


async def test_the_abandoned_protocol_of_subscriptions_is_refused(service: httpx.AsyncClient) -> None:
    app: Any = service._transport.app  # pyright: ignore[reportAttributeAccessIssue]
    for protocol in ("graphql-ws", "subscriptions-transport-ws"):
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        await app(
            {
                "type": "websocket", "path": "/graphql", "raw_path": b"/graphql", "root_path": "", "scheme": "ws",
                "query_string": b"", "headers": [], "subprotocols": [protocol], "state": {},
                "extensions": {},
            },
            receive,
            send,
        )  # fmt: skip
        assert [x["type"] for x in sent] == ["websocket.close"]


async def test_a_document_of_many_faults_is_told_one(service: httpx.AsyncClient, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    document = "{ me { " + " ".join(f"n{i}" for i in range(200)) + " } }"
    answer = (await service.post("/graphql", json={"query": document}, headers=headers)).json()
    assert len(answer["errors"]) == 1


async def test_many_refused_fields_are_counted(service: httpx.AsyncClient, key: str) -> None:
    headers = {"authorization": f"Bearer {key}"}
    document = "{ " + " ".join(f'a{i}: account(id: "{"x" * 200}:y") {{ id }}' for i in range(50)) + " }"
    response = await service.post("/graphql", json={"query": document}, headers=headers)
    assert len(response.content) < MOST_BYTES
    answer = response.json()
    assert list(answer["data"].values()) == [None] * 50
    last = answer["errors"][-1]
    assert last["extensions"]["code"] == "more_errors"
    assert last["message"] == f"{50 - len(answer['errors']) + 1} more fields were refused."
