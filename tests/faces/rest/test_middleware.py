"""Around the faces: ids, limits, health, counters, CORS, and nothing of the inside in an answer or a log."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.faces.rest import middleware
from app.faces.rest.health import Health, router
from app.faces.rest.observe import Shield
from app.ground import logs
from app.ground.database.session import Database
from app.ground.errors import NotFound
from app.ground.settings import Settings

CANARY = "canary-4f1d"


@dataclass
class Watched:
    app: ASGIApp
    health: Health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def service(settings: Settings, database: Database) -> Watched:
    app = FastAPI()

    @app.post("/v1/echo/{name}")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.post("/v1/opportunities:upsert")
    async def upsert(request: Request) -> int:
        return len(await request.body())

    @app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError(CANARY)

    @app.get("/v1/absent")
    async def absent() -> None:
        raise NotFound

    app.add_middleware(Shield)
    health = Health(database)
    app.include_router(router(health))
    return Watched(middleware.around(app, settings, health), health)


@pytest.fixture
def app(settings: Settings, database: Database) -> Watched:
    limits = {"max_body_bytes": 1000, "max_bulk_body_bytes": 5000}
    return service(settings.model_copy(update=limits), database)


@pytest_asyncio.fixture
async def client(app: Watched) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as opened:
        yield opened


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 129, False), ("", False)]
)
async def test_a_sane_request_id_is_kept(client: httpx.AsyncClient, given: str, kept: bool) -> None:
    answer = await client.get("/livez", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert len(answer.headers["X-Request-Id"]) >= 9


async def test_a_body_over_the_limit_is_413(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/echo/a", content=b"x" * 1000)).json() == 1000
    refused = await client.post("/v1/echo/a", content=b"x" * 1001)
    assert refused.status_code == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_large"
    assert refused.json()["request_id"] == refused.headers["X-Request-Id"]


async def test_a_body_without_a_length_is_counted(client: httpx.AsyncClient) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    refused = await client.post("/v1/echo/a", content=drip())
    assert refused.status_code == 413
    assert refused.headers["connection"] == "close"


async def test_bulk_routes_take_more(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/opportunities:upsert", content=b"x" * 5000)).json() == 5000
    assert (await client.post("/v1/opportunities:upsert", content=b"x" * 5001)).status_code == 413


@pytest.mark.parametrize(("header", "status"), [("9" * 5000, 413), ("-1", 400), ("1e3", 400)])
async def test_a_length_that_is_none(client: httpx.AsyncClient, header: str, status: int) -> None:
    assert (await client.post("/v1/echo/a", headers={"Content-Length": header})).status_code == status


async def test_a_packed_body_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/echo/a", content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


async def test_health(client: httpx.AsyncClient, app: Watched) -> None:
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
    app.health.draining = True
    draining = await client.get("/readyz")
    assert (draining.status_code, draining.json()) == (503, {"status": "draining"})
    assert (await client.get("/livez")).status_code == 200


async def test_a_full_pool_is_not_ready(settings: Settings, app_url: str) -> None:
    small = await Database.open(app_url, size=1, pool_timeout=0.05)
    transport = httpx.ASGITransport(service(settings, small))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            async with small.connection():
                answer = await client.get("/readyz")
                assert (answer.status_code, answer.json()) == (503, {"status": "pool_exhausted"})
                assert (await client.get("/livez")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
    finally:
        await small.close()


async def test_counters_carry_templates_only(client: httpx.AsyncClient) -> None:
    await client.post(f"/v1/echo/{CANARY}", content=b"x")
    await client.get(f"/{CANARY}")
    await client.request("CANARY", "/livez")
    text = (await client.get("/metrics")).text
    assert 'attain_http_requests_total{method="POST",route="/v1/echo/{name}",status="200"} 1.0' in text
    assert 'route="unmatched"' in text
    assert 'attain_database_connections{state="idle"}' in text
    assert "canary" not in text.lower()


async def test_cors_exposes_what_the_contract_names(client: httpx.AsyncClient) -> None:
    known = {"Origin": "http://localhost:3000"}
    answer = await client.get("/livez", headers=known)
    assert answer.headers["access-control-allow-origin"] == known["Origin"]
    assert "Idempotency-Replayed" in answer.headers["access-control-expose-headers"]
    assert (
        "access-control-allow-origin"
        not in (await client.get("/livez", headers={"Origin": "http://x"})).headers
    )
    # A browser must be able to read a failure too.
    assert "access-control-allow-origin" in (await client.get("/v1/broken", headers=known)).headers


async def test_a_refusal_raised_below_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/absent")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_nothing_of_the_inside_gets_out(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    before = logging.getLogger().handlers
    try:
        logs.configure("DEBUG", "json")
        answer = await client.get(
            f"/v1/broken?token={CANARY}", headers={"Authorization": f"Bearer {CANARY}", "X-Other": CANARY}
        )
        await client.get(f"/v1/attain_{'0' * 32}_{CANARY}")
    finally:
        logging.getLogger().handlers = before
    assert answer.status_code == 500
    assert CANARY not in answer.text
    printed = capsys.readouterr().err
    assert CANARY not in printed
    lines = [json.loads(line) for line in printed.splitlines()]
    assert {line["status"] for line in lines if line["event"] == "request"} == {500, 404}
    assert any("builtins.RuntimeError" in line.get("error", ()) for line in lines)
