"""`house`: a company of two branches, everybody with a user and a key, and short words to ask as any of them.

Deals are won for powers of ten, so that a sum tells which of them are in it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from app.ground.access.keys import create_key
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import Service, create_app

MANAGERS: dict[str, str | None] = {
    "top": None, "bea": "top", "r1": "bea", "r2": "bea", "otto": "top", "r3": "otto", "lone": None,
}  # fmt: skip
TEAMS = {"r1": "east", "r2": "west", "r3": "west"}
TERRITORIES = {"r1": "north", "r3": "north", "lone": "south"}
ROLES = {
    "top": "manager", "bea": "manager", "otto": "manager", "r1": "rep", "r2": "rep", "r3": "rep", "lone": "rep",
    "ada": "admin", "ann": "analyst", "ina": "integration",
}  # fmt: skip
WON = {"bea": 1, "r1": 10, "r2": 100, "otto": 1_000, "r3": 10_000, "lone": 100_000}
LEADERBOARD = {"metrics": ["bookings", "won_deals"], "period": "2026-Q1", "by": ["rep"], "sort": "-bookings"}


def above(rep: str | None) -> set[str]:
    """The rep and everyone above."""
    found: set[str] = set()
    while rep is not None:
        found.add(rep)
        rep = MANAGERS[rep]
    return found


@dataclass
class House:
    client: httpx.AsyncClient
    company: Any
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    async def ask(self, who: str, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.keys[who]}"} | headers
        return await self.client.request(method, path, json=json, headers=sent)

    async def must(self, who: str, method: str, path: str, json: Any = None, **headers: str) -> Any:
        response = await self.ask(who, method, path, json, **headers)
        assert response.status_code < 300, response.text
        return response.json() if response.headers["content-type"] == "application/json" else response

    async def put(self, plural: str, rows: list[dict[str, Any]]) -> None:
        body = await self.must("ada", "POST", f"/v1/{plural}:upsert", {"source": "x", "rows": rows})
        assert body["counts"]["failed"] == 0, body
        self.ids |= {row["external_id"]: row["id"] for row in body["rows"]}

    async def draft(self, who: str, question: Any = None, **board: Any) -> str:
        data = {"name": "Board", "question": question or LEADERBOARD} | board
        return (await self.must(who, "POST", "/v1/boards", data))["id"]

    async def published(self, who: str, question: Any = None, **board: Any) -> str:
        id_ = await self.draft(who, question, **board)
        assert (await self.must(who, "POST", f"/v1/boards/{id_}:publish"))["state"] == "published"
        return id_

    async def numbers(self, who: str, board: str) -> Any:
        return await self.must(who, "GET", f"/v1/boards/{board}/numbers")

    async def refusal(
        self, who: str, method: str, path: str, json: Any = None, **headers: str
    ) -> tuple[int, str]:
        response = await self.ask(who, method, path, json, **headers)
        assert response.headers["content-type"] == "application/problem+json", response.text
        return response.status_code, response.json()["code"]

    async def graph(self, who: str, document: str, **variables: Any) -> Any:
        body = {"query": document, "variables": variables}
        return (await self.ask(who, "POST", "/graphql", body)).json()

    async def key(self, name: str, role: str, rep: str | None = None, **more: Any) -> UUID:
        """A key of nobody, under a name to ask by."""
        rep_id = UUID(self.ids[rep]) if rep else None
        async with self.company.database.transaction(self.company.id) as session:
            id_, key = await create_key(session, name=name, role=role, rep_id=rep_id, **more)
        self.keys[name] = key
        return id_

    async def user(self, who: str, **changes: Any) -> None:
        await self.must("ada", "PATCH", f"/v1/users/x:user-{who}", changes)


@pytest.fixture(scope="session")
def service(settings: Settings, database: Database) -> Service:
    return create_app(settings.model_copy(update={"principal_cache_seconds": 0.0}), database)


@pytest_asyncio.fixture
async def house(service: Service, tenant: Any) -> AsyncIterator[House]:
    transport = httpx.ASGITransport(service)
    async with httpx.AsyncClient(transport=transport, base_url="http://attain") as client:
        made = House(client, tenant)
        await made.key("ada", "admin")
        await _fill(made)
        yield made


async def _fill(made: House) -> None:
    await made.put("teams", [{"external_id": x, "name": x.title()} for x in ("east", "west")])
    await made.put("territories", [{"external_id": x, "name": x.title()} for x in ("north", "south")])
    for rep, manager in MANAGERS.items():
        place = {
            "manager_id": manager and f"x:{manager}",
            "team_id": f"x:{TEAMS[rep]}" if rep in TEAMS else None,
            "territory_id": f"x:{TERRITORIES[rep]}" if rep in TERRITORIES else None,
        }
        await made.put("reps", [{"external_id": rep, "name": rep.title(), **place}])
    users = [
        {
            "external_id": f"user-{who}", "name": f"{who.title()} User", "role": role,
            "rep_id": f"x:{who}" if who in MANAGERS else None,
        }
        for who, role in ROLES.items()
    ]  # fmt: skip
    await made.put("users", users)
    async with made.company.database.transaction(made.company.id) as session:
        for who, role in ROLES.items():
            user = UUID(made.ids[f"user-{who}"])
            _, made.keys[who] = await create_key(session, name=who, role=role, user_id=user)
    await made.put("pipelines", [{"external_id": "p", "name": "Main", "is_default": True}])
    await made.put("stages", [
        {"external_id": "won", "pipeline_id": "x:p", "name": "Won", "position": 1, "category": "won"},
    ])  # fmt: skip
    await made.put("accounts", [{"external_id": "secret", "name": "Secret Account", "owner_id": "x:bea"}])
    await made.put("opportunities", [
        {
            "external_id": f"deal-{rep}", "name": f"Secret Deal of {rep}", "owner_id": f"x:{rep}",
            "account_id": "x:secret", "stage_id": "x:won", "amount": amount, "currency": "USD",
            "opened_at": "2026-01-02T09:00:00Z", "closed_at": "2026-02-03T09:00:00Z",
        }
        for rep, amount in WON.items()
    ])  # fmt: skip
