"""Two who amend and reckon at once: what passes a cap alone does not pass it twice, and nothing is posted twice."""

from __future__ import annotations

import asyncio
import os
from decimal import Decimal
from typing import Any

from app.areas import CATALOGUE
from app.language.resources import write
from tests.sales.incentives.conftest import Payroll

ROUNDS = int(os.environ.get("ATTAIN_TEST_ROUNDS", "50"))
CAP = 1_000


async def _win_and_calculate(payroll: Payroll, deal: str, rep: str, period: str, *, alone: bool) -> None:
    """In one transaction."""
    firm = payroll.firm
    row = {
        "external_id": deal, "name": deal, "amount": 8_000, "currency": "USD", "owner_id": f"crm:{rep}",
        "stage_id": "crm:won", "closed_at": "2026-01-10", "opened_at": "2025-12-01",
    }  # fmt: skip
    noun, periods = CATALOGUE["opportunities"], CATALOGUE["comp_periods"]
    async with firm.database.transaction(firm.principal.tenant_id) as session:
        [receipt] = await write.upsert(session, firm.principal, CATALOGUE, noun, "crm", [row])
        assert receipt.outcome == "created", receipt.errors
        await write.act(
            session, firm.principal, CATALOGUE, periods, periods.actions_by_name["calculate"], period,
            {"rep_id": f"crm:{rep}"} if alone else None,
        )  # fmt: skip


_PAID = """
select r.name, sum(e.amount) as amount
from ledger_entries e join reps r on r.tenant_id = $1 and r.id = e.rep_id where e.tenant_id = $1 group by 1
"""


async def test_two_that_pass_a_cap_alone_never_both(payroll: Payroll) -> None:
    """Each earns 800 of at most 1,000."""
    plan = await payroll.plan(
        {"code": "commission", "kind": "commission", "rate": 0.1, "cap": CAP}, rep="crm:r0"
    )
    period = await payroll.period("2026-Q1")
    for number in range(ROUNDS):
        rep = f"x{number}"
        await payroll.firm.taken("reps", {"external_id": rep, "name": rep})
        await payroll.assign(plan, f"crm:{rep}")
        await asyncio.gather(*(
            _win_and_calculate(payroll, f"{rep} {side}", rep, period, alone=number % 2 == 0) for side in "ab"
        ))  # fmt: skip
    paid = {x["name"]: x["amount"] for x in await payroll.fetch(_PAID)}
    assert paid == {f"x{i}": CAP for i in range(ROUNDS)}


_TWICE = """
select l.line_key, count(e.id) as entries, l.amount, sum(e.amount) as posted
from statement_lines l left join ledger_entries e on e.tenant_id = $1 and e.line_id = l.id
where l.tenant_id = $1 group by l.id, l.line_key, l.amount
"""


async def test_two_who_calculate_post_nothing_twice(payroll: Payroll) -> None:
    await payroll.plan({"code": "commission", "kind": "commission", "rate": 0.1})
    for number in range(ROUNDS // 5):
        await payroll.win(f"d{number}", 1_000 + number, "2026-01-10")
        await asyncio.gather(*(payroll.calculate() for _ in range(4)))
    found: list[Any] = await payroll.fetch(_TWICE)
    assert len(found) == ROUNDS // 5
    assert all((x["entries"], x["posted"]) == (1, x["amount"]) for x in found)


async def test_a_period_closed_meanwhile_takes_nothing_more(payroll: Payroll) -> None:
    """Who reckons while another closes comes before the close, or is told that nothing is open."""
    await payroll.plan({"code": "commission", "kind": "commission", "rate": 0.1})
    await payroll.win("a", 1_000, "2026-01-10")
    await payroll.calculate()
    period = await payroll.period("2026-Q1")
    await payroll.firm.act("comp_periods", "approve", period)
    await payroll.win("b", 1_000, "2026-01-11")
    await asyncio.gather(
        payroll.firm.act("comp_periods", "close", period), payroll.calculate(), return_exceptions=True
    )
    closed = (
        await payroll.fetch("select state from comp_periods where tenant_id = $1 and id::text = $2", period)
    )[0]
    statement = await payroll.statement()
    owed = await payroll.fetch("select amount from payouts where tenant_id = $1 and state = 'due'")
    if closed["state"] == "closed":
        assert [x["amount"] for x in owed] == [statement["total"]]
    assert statement["total"] in (Decimal(100), Decimal(200))
