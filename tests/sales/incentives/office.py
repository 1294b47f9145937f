"""An office that is paid, asked over HTTP: two branches, and somebody of every role."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

MANAGERS = {"top": None, "bea": "top", "r1": "bea", "r2": "bea", "otto": "top", "r3": "otto"}
ROLES = {
    "top": "manager", "bea": "manager", "otto": "manager", "r1": "rep", "r2": "rep", "r3": "rep", "ada": "admin",
    "ann": "analyst", "ina": "integration",
}  # fmt: skip


@dataclass
class Office:
    """`ids` of what is made, by external id. Everybody has a key under their name; `ada` is no rep."""

    client: httpx.AsyncClient
    company: Any
    keys: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def opened(cls, client: httpx.AsyncClient, company: Any) -> Office:
        office = cls(client, company)
        office.keys["ada"] = await company.key()
        for rep, manager in MANAGERS.items():
            await office.put(
                "reps", {"external_id": rep, "name": f"Rep {rep}", "manager_id": manager and f"x:{manager}"}
            )
        for who, role in ROLES.items():
            await office.key(who, role, who if who in MANAGERS else None)
        await office.put("pipelines", {"external_id": "p", "name": "Main", "is_default": True})
        await office.put(
            "stages", {"external_id": "won", "pipeline_id": "x:p", "name": "Won", "category": "won"}
        )
        return office

    async def key(self, name: str, role: str, rep: str | None = None) -> None:
        self.keys[name] = await self.company.key(role, UUID(self.ids[rep]) if rep else None)

    async def ask(self, who: str, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.keys[who]}"} | headers
        return await self.client.request(method, path, json=json, headers=sent)

    async def must(self, who: str, method: str, path: str, json: Any = None, **headers: str) -> Any:
        response = await self.ask(who, method, path, json, **headers)
        assert response.status_code < 300, response.text
        return response.json()

    async def refusal(
        self, who: str, method: str, path: str, json: Any = None, **headers: str
    ) -> tuple[int, str]:
        response = await self.ask(who, method, path, json, **headers)
        assert response.status_code >= 400, response.text
        return response.status_code, response.json()["code"]

    async def act(self, who: str, path: str, json: Any = None, **headers: str) -> Any:
        return await self.must(who, "POST", f"/v1/{path}", json, **headers)

    async def refused(self, who: str, path: str, json: Any = None, **headers: str) -> tuple[int, str]:
        return await self.refusal(who, "POST", f"/v1/{path}", json, **headers)

    async def put(self, plural: str, *rows: dict[str, Any]) -> None:
        body = await self.must("ada", "POST", f"/v1/{plural}:upsert", {"source": "x", "rows": rows})
        assert body["counts"]["failed"] == 0, body
        self.ids |= {row["external_id"]: row["id"] for row in body["rows"]}

    async def plan(self, name: str, *components: dict[str, Any], **given: Any) -> None:
        """A published plan `name` with the version `<name>-terms`."""
        await self.put("comp_plans", {"external_id": name, "name": name, "currency": "USD", **given})
        terms = {"external_id": f"{name}-terms", "plan_id": f"x:{name}", "effective_from": "2025-01-01"}
        await self.put("comp_plan_versions", {**terms, "components": components})
        await self.act("ada", f"comp_plan_versions/x:{name}-terms:publish")

    async def assign(self, plan: str, rep: str, **given: Any) -> None:
        await self.put(
            "plan_assignments",
            {"external_id": f"{plan}-{rep}", "plan_id": f"x:{plan}", "rep_id": f"x:{rep}",
             "starts_on": "2026-01-01", **given},
        )  # fmt: skip

    async def win(self, name: str, owner: str, amount: float, **given: Any) -> None:
        await self.put(
            "opportunities",
            {"external_id": name, "name": name, "owner_id": f"x:{owner}", "stage_id": "x:won", "amount": amount,
             "currency": "USD", "opened_at": "2026-01-02", "closed_at": "2026-02-03", **given},
        )  # fmt: skip

    async def period(self, name: str) -> str:
        await self.put("comp_periods", {"external_id": name, "period": name})
        return self.ids[name]

    async def statement(self, rep: str, period: str) -> dict[str, Any]:
        path = f"/v1/statements?rep_id=x:{rep}&period_id=x:{period}"
        [found] = (await self.must("ada", "GET", path))["data"]
        return found
