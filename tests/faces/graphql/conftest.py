"""`api`: the GraphQL face over a company with deals. `await api(document, role="rep", rep="r1", variables={…})`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest_asyncio

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql.router import GraphQL
from app.ground.database.session import Database
from app.ground.settings import Settings
from tests.faces.graphql.rows import ROWS, upsert


@dataclass
class Api:
    """Answers are whole: `data`, `errors`, `extensions`. `keys` are made once for each role and rep."""

    client: httpx.AsyncClient
    company: Any
    keys: dict[Any, str] = field(default_factory=dict)
    reps: dict[str, Any] = field(default_factory=dict)

    async def post(
        self,
        body: Any,
        *,
        role: str = "admin",
        rep: str | None = None,
        scopes: tuple[str, ...] = (),
        **more: Any,
    ) -> httpx.Response:
        who = role, rep, scopes
        if who not in self.keys:
            self.keys[who] = await self.company.key(role, self.reps.get(rep or ""), scopes)
        headers = {"authorization": f"Bearer {self.keys[who]}", **more.pop("headers", {})}
        return await self.client.post("/graphql", json=body, headers=headers, **more)

    async def __call__(
        self, document: str, variables: dict[str, Any] | None = None, **who: Any
    ) -> dict[str, Any]:
        response = await self.post({"query": document, "variables": variables}, **who)
        return response.json()

    async def data(self, document: str, variables: dict[str, Any] | None = None, **who: Any) -> Any:
        answer = await self(document, variables, **who)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    async def refusal(
        self, document: str, variables: dict[str, Any] | None = None, **who: Any
    ) -> dict[str, Any]:
        answer = await self(document, variables, **who)
        [error] = answer["errors"]
        return error


@pytest_asyncio.fixture
async def empty(database: Database, settings: Settings, tenant: Any) -> AsyncIterator[Api]:
    app = GraphQL(database, settings, CATALOGUE, METRIC_CATALOGUE)
    transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://attain") as client:
        yield Api(client, tenant)


@pytest_asyncio.fixture
async def api(empty: Api) -> Api:
    for plural, rows in ROWS:
        receipts = await upsert(empty, plural, rows)
        if plural == "reps":
            empty.reps |= {x["externalId"]: x["id"] for x in receipts}
    return empty
