"""What is surplus is refused by its head, and only that."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn

from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import Service, create_app
from app.wire import Wire
from tests.conftest import Company
from tests.faces.rest.conftest import code

ORIGIN = "https://app.example.com"


@asynccontextmanager
async def crowded(
    settings: Settings, app_url: str, tenant: Company
) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    """A service on the loopback where three requests of the tenant wait, as many as it may have; then all is freed,
    and they are answered."""
    database = await Database.open(app_url, size=2, pool_timeout=5, statement_timeout_ms=5000)
    changes = {"tenant_requests_at_once": 3, "principal_cache_seconds": 60, "cors_origins": [ORIGIN]}
    app = create_app(settings.model_copy(update=changes), database)
    own = {"authorization": f"Bearer {await tenant.key()}"}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, http=Wire, lifespan="off", log_config=None, server_header=False)
        )
        running = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=address, headers=own, trust_env=False) as client:
                assert (await client.get("/v1/me")).status_code == 200
                held = [await database.queue.enter(who) for who in ("one", "another")]
                waiting = [asyncio.create_task(client.get("/v1/me")) for _ in range(3)]
                async with asyncio.timeout(5):
                    while database.queue.waiting < 3:
                        await asyncio.sleep(0.001)
                yield app, client
                for place in held:
                    database.queue.leave(place)
                assert [x.status_code for x in await asyncio.gather(*waiting)] == [200] * 3
                assert (await client.get("/v1/me")).status_code == 200
        finally:
            server.should_exit = True
            await running
            await database.close()


async def test_a_crowd_is_refused_without_a_look_at_its_requests(
    settings: Settings, app_url: str, tenant: Company
) -> None:
    async with crowded(settings, app_url, tenant) as (app, client):
        for path in ("/v1/me", "/v1/nowhere", "/v1/me"):
            began = time.perf_counter()
            refused = await client.get(path)
            assert time.perf_counter() - began < 0.8
            assert code(refused) == (429, "too_many_at_once")
            assert refused.headers["retry-after"] == "1"
            assert refused.headers["content-type"] == "application/problem+json"
            assert '"at-once"' in refused.headers["ratelimit"]
            assert refused.json()["request_id"] == refused.headers["x-request-id"]
            assert "date" in refused.headers
        counted = app.health.registry.get_sample_value(
            "attain_http_requests_total", {"method": "GET", "route": "unmatched", "status": "429"}
        )
        assert counted == 3
        # A stranger is not refused for it: it is looked up, or told to wait.
        assert (await client.get("/v1/me", headers={"authorization": "Bearer x"})).status_code == 401


@pytest.mark.parametrize("headers", [{"origin": ORIGIN}, {"connection": "close"}])
async def test_what_needs_more_than_a_line_is_refused_like_any_request(
    settings: Settings, app_url: str, tenant: Company, headers: dict[str, str]
) -> None:
    async with crowded(settings, app_url, tenant) as (_, client):
        refused = await client.get("/v1/me", headers=headers)
        assert code(refused) == (429, "too_many_at_once")
        assert refused.headers.get("connection") == headers.get("connection")
        assert refused.headers.get("access-control-allow-origin") == headers.get("origin")


@pytest.mark.parametrize("at_once", [True, False])
async def test_requests_on_one_wire_are_answered_in_their_order(
    settings: Settings, app_url: str, tenant: Company, at_once: bool
) -> None:
    async with crowded(settings, app_url, tenant) as (app, client):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        authorization = client.headers["authorization"]
        own = f"GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\n\r\n".encode()
        with_body = own.replace(b"GET /v1/me", b"POST /graphql").replace(
            b"host", b"content-length: 7\r\nhost"
        )
        other = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"

        async def answered() -> int:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r", 1)[0]))
            return int(head[9:12])

        found: list[int] = []
        requests = [own, other, with_body + b"no JSON", own[:30], own[30:], other]
        if at_once:
            writer.write(b"".join(requests))
            found = [await answered() for _ in range(5)]
        else:
            for request in requests:
                writer.write(request)
                if request != own[:30]:
                    found.append(await answered())
                await asyncio.sleep(0.02)
        writer.close()
        await writer.wait_closed()
        assert found == [429, 200, 429, 429, 200]
        refused = app.health.registry.get_sample_value(
            "attain_http_requests_total", {"method": "POST", "route": "unmatched", "status": "429"}
        )
        assert refused == (None if at_once else 1)


async def test_a_length_beyond_all_numbers_is_read_by_the_parser(
    settings: Settings, app_url: str, tenant: Company
) -> None:
    async with crowded(settings, app_url, tenant) as (_, client):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        own = f"POST /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: {client.headers['authorization']}\r\n"
        writer.write(own.encode() + b"content-length: " + b"9" * 5_000 + b"\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
        await writer.wait_closed()
        assert head.startswith(b"HTTP/1.1 400 ")


async def test_of_another_protocol_nothing_is_refused_by_the_head(
    settings: Settings, app_url: str, tenant: Company
) -> None:
    """Else a body that comes later would be taken for the next request."""
    async with crowded(settings, app_url, tenant) as (app, client):
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        own = f"Via: x HTTP/1.1\r\nauthorization: {client.headers['authorization']}\r\n\r\n"
        writer.write(b"POST /v1/me HTTP/1.0\r\nhost: x\r\ncontent-length: 4\r\n" + own.encode())
        await asyncio.sleep(0.05)
        writer.write(b"body")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
        await writer.wait_closed()
        assert b"connection: close" in head.lower()
        refused = app.health.registry.get_sample_value(
            "attain_http_requests_total", {"method": "POST", "route": "unmatched", "status": "429"}
        )
        assert refused is None
