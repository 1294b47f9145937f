"""`empty`: the whole service over a tenant without rows; `api`: the same with a small company in it.

`await api.get("/v1/reps", role="rep", rep="r1")` asks with a key of that role which acts as that rep.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import Service, create_app
from tests.faces.rest.rows import ROWS


@dataclass
class Api:
    client: httpx.AsyncClient
    company: Any
    keys: dict[Any, str] = field(default_factory=dict)
    reps: dict[str, Any] = field(default_factory=dict)

    async def send(
        self,
        method: str,
        path: str,
        *,
        role: str = "admin",
        rep: str | None = None,
        scopes: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        who = role, rep, scopes
        if who not in self.keys:
            self.keys[who] = await self.company.key(role, self.reps.get(rep or ""), scopes)
        sent = {"authorization": f"Bearer {self.keys[who]}"} | (headers or {})
        return await self.client.request(method, path, headers=sent, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.send("GET", path, **more)

    async def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return await self.send("POST", path, json=json, **more)

    async def patch(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return await self.send("PATCH", path, json=json, **more)

    async def delete(self, path: str, **more: Any) -> httpx.Response:
        return await self.send("DELETE", path, **more)

    async def data(self, path: str, **more: Any) -> Any:
        """The records of a list that must be answered."""
        response = await self.get(path, **more)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    async def upsert(self, plural: str, rows: list[dict[str, Any]], **more: Any) -> Any:
        response = await self.post(f"/v1/{plural}:upsert", {"source": "crm", "rows": rows}, **more)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="session")
def service(settings: Settings, database: Database) -> Service:
    return create_app(settings, database)


@pytest_asyncio.fixture
async def empty(service: Service, tenant: Any) -> AsyncIterator[Api]:
    transport = httpx.ASGITransport(service)
    async with httpx.AsyncClient(transport=transport, base_url="http://attain") as client:
        yield Api(client, tenant)


@pytest_asyncio.fixture
async def api(empty: Api) -> Api:
    for plural, rows in ROWS:
        report = await empty.upsert(plural, rows)
        assert report["counts"]["created"] == len(rows), report
        if plural == "reps":
            empty.reps |= {x["external_id"]: x["id"] for x in report["rows"]}
    return empty


def code(response: httpx.Response) -> tuple[int, str]:
    """What kind of refusal it is."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert body["status"] == response.status_code
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body["code"]
