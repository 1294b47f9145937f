"""What a tenant may send, as both faces say it; and what is too much, refused at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import create_app
from tests.conftest import Company
from tests.faces.rest.conftest import code

ASK = {"query": "{ me { role } }"}


@asynccontextmanager
async def serving(
    settings: Settings, database: Database, **changes: object
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings.model_copy(update=changes), database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://attain") as client:
        yield client


async def test_every_answer_says_what_is_left(
    settings: Settings, database: Database, tenant: Company
) -> None:
    own = {"authorization": f"Bearer {await tenant.key('analyst')}"}
    async with serving(settings, database, rate_limit=50, tenant_requests_at_once=7) as client:
        policy = '"requests";q=50;w=60, "at-once";q=7;qu="concurrent-requests"'
        answers = [
            await client.get("/v1/me", headers=own),
            await client.get("/v1/reps/salesforce:1", headers=own),
            await client.post("/v1/accounts", headers=own, json={}),
            await client.get("/v1/reps", headers={**own, "accept": "text/csv"}),
            await client.post("/graphql", headers=own, json=ASK),
        ]
        assert [x.status_code for x in answers] == [200, 404, 403, 200, 200]
        assert [x.headers["ratelimit-policy"] for x in answers] == [policy] * 5
        left = [int(x.headers["ratelimit"].removeprefix('"requests";r=').partition(";")[0]) for x in answers]
        assert left == [49, 48, 47, 46, 45]
        assert "ratelimit" not in (await client.get("/livez")).headers
        assert "ratelimit" not in (await client.get("/v1/me")).headers


async def test_what_is_over_the_rate_is_429_in_both_faces(
    settings: Settings, database: Database, tenant: Company
) -> None:
    own = {"authorization": f"Bearer {await tenant.key()}"}
    async with serving(settings, database, rate_limit=2) as client:
        for _ in range(2):
            assert (await client.get("/v1/me", headers=own)).status_code == 200
        refused = await client.get("/v1/me", headers=own)
        assert code(refused) == (429, "too_many_requests")
        assert refused.headers["retry-after"] == "30"
        over = await client.post("/graphql", headers=own, json=ASK)
        assert over.status_code == 429
        assert over.json()["errors"][0]["extensions"]["code"] == "too_many_requests"
        assert over.headers["retry-after"] == "30"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tenant_requests_at_once": 3}, (429, "too_many_at_once")),
        ({"requests_at_once": 3}, (503, "overloaded")),
    ],
)
async def test_the_surplus_is_refused_at_once_and_all_is_given_back(
    settings: Settings,
    database: Database,
    tenant: Company,
    changes: dict[str, int],
    expected: tuple[int, str],
) -> None:
    own = {"authorization": f"Bearer {await tenant.key()}"}
    places = [await database.queue.enter("another") for _ in range(2)]
    held = [await database.queue.enter(tenant.id) for _ in range(8)]
    async with serving(settings, database, principal_cache_seconds=60, **changes) as client:
        database.queue.leave(held.pop())
        assert (await client.get("/v1/me", headers=own)).status_code == 200
        held.append(await database.queue.enter(tenant.id))
        waiting = [asyncio.create_task(client.get("/v1/me", headers=own)) for _ in range(3)]
        await asyncio.sleep(0.1)
        for path, body in (("/v1/me", None), ("/graphql", ASK)):
            began = time.perf_counter()
            refused = await client.request("POST" if body else "GET", path, headers=own, json=body)
            assert time.perf_counter() - began < 0.5
            assert refused.status_code == expected[0]
            assert refused.headers["retry-after"] == "1"
            if not body:
                assert code(refused) == expected
        for place in (*places, *held):
            database.queue.leave(place)
        assert [x.status_code for x in await asyncio.gather(*waiting)] == [200] * 3
        again = await asyncio.gather(*(client.get("/v1/me", headers=own) for _ in range(3)))
        assert [x.status_code for x in again] == [200] * 3


async def test_bulk_requests_wait_for_their_place_before_they_are_read(
    settings: Settings, database: Database, tenant: Company
) -> None:
    own = {"authorization": f"Bearer {await tenant.key()}"}
    now = most = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        yield b'{"source":"crm","rows":[]}'
        now -= 1

    async with serving(settings, database, bulk_at_once=4) as client:
        headers = {**own, "content-type": "application/json"}
        sent = [client.post("/v1/accounts:upsert", headers=headers, content=body()) for _ in range(6)]
        answers = await asyncio.gather(*sent)
    assert {x.status_code for x in answers} <= {200, 422}
    assert most == 2


async def test_a_wrong_method_on_a_page_is_405(settings: Settings, database: Database) -> None:
    async with serving(settings, database) as client:
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/", "/openapi.json"):
            for method in ("POST", "DELETE", "PATCH"):
                refused = await client.request(method, path)
                assert code(refused) == (405, "method_not_allowed")
                assert refused.headers["allow"] == "GET, OPTIONS"
            assert (await client.options(path)).headers["allow"] == "GET, OPTIONS"
        assert code(await client.post("/nowhere")) == (404, "no_such_path")
