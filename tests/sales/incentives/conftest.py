"""`payroll`: a firm with pay periods, and short words for plans, deals and what comes of them; `office`: over HTTP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import Service, create_app
from tests.sales.conftest import Firm
from tests.sales.incentives.office import Office

QUARTERS = ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")


@dataclass
class Payroll:
    firm: Firm
    plans: int = 0

    async def plan(
        self, *components: dict[str, Any], tiers: list[dict[str, Any]] | None = None, currency: str = "USD",
        rep: str = "crm:r1", start: str = "2026-01-01", **assignment: Any,
    ) -> str:  # fmt: skip
        """A published plan, and somebody who is paid by it; its id."""
        self.plans += 1
        made = await self.firm.create("comp_plans", {"name": f"Plan {self.plans}", "currency": currency})
        plan = str(made.id)
        await self.version(plan, *components, tiers=tiers, start="2025-01-01")
        await self.assign(plan, rep, start, **assignment)
        return plan

    async def version(
        self, plan: str, *components: dict[str, Any], tiers: list[dict[str, Any]] | None = None, start: str
    ) -> str:
        data = {"plan_id": plan, "effective_from": start, "components": [*components], "tiers": tiers or []}
        made = await self.firm.create("comp_plan_versions", data)
        await self.firm.act("comp_plan_versions", "publish", made.id)
        return str(made.id)

    async def assign(self, plan: str, rep: str, start: str = "2026-01-01", **rest: Any) -> str:
        made = await self.firm.create(
            "plan_assignments", {"plan_id": plan, "rep_id": rep, "starts_on": start, **rest}
        )
        return str(made.id)

    async def win(
        self, name: str, amount: float | None, day: str, owner: str = "crm:r1", **rest: Any
    ) -> None:
        await self.firm.taken(
            "opportunities",
            {"external_id": name, "name": name, "amount": amount, "currency": "USD", "owner_id": owner,
             "stage_id": "crm:won", "closed_at": day, "opened_at": "2025-12-01", **rest},
        )  # fmt: skip

    async def period(self, name: str) -> str:
        rows = await self.fetch("select id from comp_periods where tenant_id = $1 and period = $2", name)
        return str(rows[0]["id"])

    async def calculate(self, name: str = "2026-Q1", **rest: Any) -> None:
        await self.firm.act("comp_periods", "calculate", await self.period(name), rest or None)

    async def close(self, name: str = "2026-Q1") -> None:
        id_ = await self.period(name)
        for verb in ("calculate", "approve", "close"):
            await self.firm.act("comp_periods", verb, id_)

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        tenant = self.firm.principal.tenant_id
        async with self.firm.database.transaction(tenant) as session:
            return await session.connection.fetch(sql, tenant, *arguments)

    async def lines(self, name: str = "2026-Q1", rep: str = "Rep 1") -> list[Any]:
        return await self.fetch(
            """select l.*, o.name as deal from statement_lines l
               join comp_periods p on p.tenant_id = $1 and p.id = l.period_id
               join reps r on r.tenant_id = $1 and r.id = l.rep_id
               left join opportunities o on o.tenant_id = $1 and o.id = l.opportunity_id
               where l.tenant_id = $1 and p.period = $2 and r.name = $3
               order by l.on_day, deal, l.component, l.tier, l.account""",
            name, rep,
        )  # fmt: skip

    async def paid(self, name: str = "2026-Q1", rep: str = "Rep 1") -> dict[str, Decimal]:
        """By deal, or by component where it is of none."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for line in await self.lines(name, rep):
            found[line["deal"] or line["component"]] += line["amount"]
        return dict(found)

    async def statement(self, name: str = "2026-Q1", rep: str = "Rep 1") -> Any:
        [row] = await self.fetch(
            """select s.* from statements s join comp_periods p on p.tenant_id = $1 and p.id = s.period_id
               join reps r on r.tenant_id = $1 and r.id = s.rep_id
               where s.tenant_id = $1 and p.period = $2 and r.name = $3""",
            name, rep,
        )  # fmt: skip
        return row


@pytest_asyncio.fixture
async def payroll(firm: Firm) -> Payroll:
    for name in QUARTERS:
        await firm.create("comp_periods", {"period": name})
    return Payroll(firm)


@pytest.fixture(scope="session")
def pay_service(settings: Settings, database: Database) -> Service:
    return create_app(settings, database)


@pytest_asyncio.fixture
async def office(pay_service: Service, tenant: Any) -> AsyncIterator[Office]:
    transport = httpx.ASGITransport(pay_service)
    async with httpx.AsyncClient(transport=transport, base_url="http://attain", timeout=60) as client:
        yield await Office.opened(client, tenant)
