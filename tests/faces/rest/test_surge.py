"""What is surplus is refused ahead of everything, and only that."""

from __future__ import annotations

import asyncio
import time

import httpx

from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import create_app
from tests.conftest import Company
from tests.faces.rest.conftest import code


async def test_a_crowd_is_refused_without_a_look_at_its_requests(
    settings: Settings, app_url: str, tenant: Company
) -> None:
    database = await Database.open(app_url, size=2, pool_timeout=5, statement_timeout_ms=5000)
    app = create_app(
        settings.model_copy(update={"tenant_requests_at_once": 3, "principal_cache_seconds": 60}), database
    )
    own = {"authorization": f"Bearer {await tenant.key()}"}
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://attain") as client:
            assert (await client.get("/v1/me", headers=own)).status_code == 200
            held = [await database.queue.enter(who) for who in ("one", "another")]
            waiting = [asyncio.create_task(client.get("/v1/me", headers=own)) for _ in range(3)]
            async with asyncio.timeout(5):
                while database.queue.waiting < 3:
                    await asyncio.sleep(0.001)
            for path in ("/v1/me", "/v1/nowhere", "/graphql"):
                began = time.perf_counter()
                refused = await client.get(path, headers=own)
                assert time.perf_counter() - began < 0.05
                assert code(refused) == (429, "too_many_at_once")
                assert refused.headers["retry-after"] == "1"
                assert '"at-once"' in refused.headers["ratelimit"]
            # A stranger is not refused for it: it is looked up, or told to wait.
            assert (await client.get("/v1/me", headers={"authorization": "Bearer x"})).status_code == 401
            for place in held:
                database.queue.leave(place)
            assert [x.status_code for x in await asyncio.gather(*waiting)] == [200] * 3
            assert (await client.get("/v1/me", headers=own)).status_code == 200
    finally:
        await database.close()
