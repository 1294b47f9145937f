"""What is closed stays closed, whatever way a late change comes in: the difference is posted in the open period."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from app.main import Service, create_app
from tests.sales.incentives.conftest import Payroll

WRITES = 500
REVERSED, DELETED = range(400, 450), range(450, WRITES)
"""The others get another amount."""

Change = tuple[int, float | None, bool]
"""Of which deal: another amount, or its end, by reopening it or by deleting it."""
Surface = Callable[[Payroll, list[Change]], Awaitable[None]]


def _changes() -> list[Change]:
    return [
        (i, None if i in REVERSED or i in DELETED else 1_000 + 7.13 * (i % 9 + 1), i in DELETED)
        for i in range(WRITES)
    ]


@pytest.fixture(scope="session")
def service(settings: Any, database: Any) -> Service:
    return create_app(settings, database)


@pytest_asyncio.fixture
async def client(service: Service, payroll: Payroll) -> Any:
    key = await payroll.firm.company.key("admin")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service),
        base_url="http://attain",
        headers={"authorization": f"Bearer {key}"},
    ) as opened:
        yield opened


async def _rest(client: httpx.AsyncClient, changes: list[Change]) -> None:
    for index, amount, deleted in changes:
        path = f"/v1/opportunities/crm:d{index}"
        if amount is not None:
            answer = await client.patch(path, json={"amount": amount})
        elif deleted:
            answer = await client.delete(path)
        else:
            answer = await client.post(f"{path}:reopen", json={})
        assert answer.status_code in (200, 204), answer.text


_MUTATIONS = {
    "amount": (
        "mutation ($id: ID!, $input: OpportunityPatch!) { updateOpportunity(id: $id, input: $input) { outcome } }"
    ),
    "delete": "mutation ($id: ID!) { deleteOpportunity(id: $id) { outcome } }",
    "reopen": "mutation ($id: ID!) { reopenOpportunity(id: $id, input: {}) { outcome } }",
}


async def _graphql(client: httpx.AsyncClient, changes: list[Change]) -> None:
    for index, amount, deleted in changes:
        variables: dict[str, Any] = {"id": f"crm:d{index}"}
        what = "amount" if amount is not None else "delete" if deleted else "reopen"
        if amount is not None:
            variables["input"] = {"amount": amount}
        answer = await client.post("/graphql", json={"query": _MUTATIONS[what], "variables": variables})
        assert "errors" not in answer.json(), answer.text


async def _bulk(client: httpx.AsyncClient, changes: list[Change]) -> None:
    rows: list[dict[str, Any]] = []
    for index, amount, deleted in changes:
        row: dict[str, Any] = {"external_id": f"d{index}"}
        if amount is not None:
            row["amount"] = amount
        elif deleted:
            row["deleted"] = True
        else:
            row["stage_id"] = "crm:s1"
        rows.append(row)
    answer = await client.post("/v1/opportunities:upsert", json={"source": "crm", "rows": rows})
    assert answer.json()["counts"].get("failed", 0) == 0, answer.text


async def _sql(payroll: Payroll, changes: list[Change]) -> None:
    """As the service's own role, past every rule of the service."""
    for index, amount, deleted in changes:
        given: list[Any] = [f"d{index}"]
        if amount is not None:
            change = "amount = $3"
            given.append(Decimal(str(amount)))
        elif deleted:
            change = "deleted_at = now()"
        else:
            change = "category = 'open', closed_at = null, credited_owner_id = null"
        await payroll.fetch(f"update opportunities set {change} where tenant_id = $1 and name = $2", *given)


_SEAL = """
select md5(string_agg(x.row, '' order by x.row)) as seal, count(*) as n from (
  select s::text as row from statements s where s.tenant_id = $1 and s.period_id = $2
  union all
  select l::text from statement_lines l where l.tenant_id = $1 and l.period_id = $2
  union all
  select e::text from ledger_entries e where e.tenant_id = $1 and e.period_id = $2
) x
"""
_POSTED = """
select o.name, e.kind, e.amount, first.opportunity_id = e.opportunity_id and first.period_id = $3 as points_to_the_first
from ledger_entries e join opportunities o on o.tenant_id = $1 and o.id = e.opportunity_id
left join ledger_entries first on first.tenant_id = $1 and first.id = e.adjusts_id
where e.tenant_id = $1 and e.period_id = $2
"""


@pytest.mark.parametrize("surface", ["rest", "graphql", "bulk", "sql"])
async def test_late_writes_become_adjustments(
    payroll: Payroll, client: httpx.AsyncClient, surface: str
) -> None:
    await payroll.plan({"code": "commission", "kind": "commission", "rate": 0.1})
    await payroll.firm.taken("opportunities", *(
        {"external_id": f"d{i}", "name": f"d{i}", "amount": 1_000, "currency": "USD", "owner_id": "crm:r1",
         "stage_id": "crm:won", "closed_at": "2026-01-10", "opened_at": "2025-12-01"}
        for i in range(WRITES)
    ))  # fmt: skip
    await payroll.close("2026-Q1")
    first, second = await payroll.period("2026-Q1"), await payroll.period("2026-Q2")
    [before] = await payroll.fetch(_SEAL, first)
    assert before["n"] == 1 + 2 * WRITES

    changes = _changes()
    if surface == "sql":
        await _sql(payroll, changes)
    else:
        await {"rest": _rest, "graphql": _graphql, "bulk": _bulk}[surface](client, changes)
    # The feed knows nothing of SQL: then the closed period is calculated by its name, and posts in the open one.
    await payroll.calculate("2026-Q1" if surface == "sql" else "2026-Q2")

    assert [before] == await payroll.fetch(_SEAL, first)
    posted = await payroll.fetch(_POSTED, second, first)
    assert all(x["points_to_the_first"] for x in posted)
    wanted = {
        f"d{i}": ("clawback", Decimal(-100)) if amount is None
        else ("adjustment", (Decimal(str(amount)) / 10).quantize(Decimal("0.01"), ROUND_HALF_UP) - 100)
        for i, amount, _ in changes
    }  # fmt: skip
    assert {x["name"]: (x["kind"], x["amount"]) for x in posted} == wanted
    statement = await payroll.statement("2026-Q2")
    assert (statement["earned"], statement["adjusted"]) == (0, sum(x for _, x in wanted.values()))


@pytest.mark.parametrize("sql", [
    "update ledger_entries set amount = 0 where tenant_id = $1",
    "delete from ledger_entries where tenant_id = $1",
])  # fmt: skip
async def test_the_service_cannot_change_what_is_posted(payroll: Payroll, sql: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await payroll.fetch(sql)
