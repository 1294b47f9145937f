"""Closed and opened again: where a change is posted, and what its line says of itself."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.sales.incentives.ledger import Pay
from app.sales.incentives.touched import touched
from tests.sales.incentives.conftest import Payroll

TERMS = {"code": "commission", "kind": "commission", "rate": 0.1}
D = Decimal


async def test_an_adjustment_says_what_it_was_and_is(payroll: Payroll) -> None:
    await payroll.plan(TERMS)
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.close("2026-Q1")
    for amount in (12_000, 15_000, 9_000):
        await payroll.win("a", amount, "2026-01-10")
        await payroll.calculate("2026-Q2")
    [line] = await payroll.lines("2026-Q2")
    assert (line["amount"], line["posting"]) == (-100, "adjustment")
    assert (line["trace"]["amount_now"], line["trace"]["amount_before"]) == (900, 1_000)
    entries = await payroll.fetch(
        "select amount, adjusts_id from ledger_entries where tenant_id = $1 order by id"
    )
    assert [x["amount"] for x in entries] == [1_000, 200, 300, -600]
    assert len({x["adjusts_id"] for x in entries[1:]}) == 1


async def test_what_was_adjusted_elsewhere_stays_there(payroll: Payroll) -> None:
    """The period is opened again after a later one has adjusted it: it posts what is new, and no more."""
    await payroll.plan(TERMS)
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.close("2026-Q1")
    await payroll.win("a", 12_000, "2026-01-10")
    await payroll.calculate("2026-Q2")
    await payroll.firm.act("comp_periods", "reopen", await payroll.period("2026-Q1"))
    await payroll.win("a", 15_000, "2026-01-10")
    await payroll.calculate("2026-Q1")
    [first], [second] = await payroll.lines("2026-Q1"), await payroll.lines("2026-Q2")
    assert (first["amount"], second["amount"]) == (1_300, 200)
    assert (first["trace"]["amount_now"], first["trace"]["amount_before"]) == (1_500, 200)
    await payroll.calculate("2026-Q1")
    assert len(await payroll.fetch("select 1 from ledger_entries where tenant_id = $1")) == 3


async def test_a_period_adjusts_those_closed_right_before_it(payroll: Payroll) -> None:
    """Q1 stays open: what Q2, which is closed, earns otherwise is Q3's to pay."""
    await payroll.plan(TERMS)
    await payroll.win("a", 10_000, "2026-04-10")
    await payroll.close("2026-Q2")
    await payroll.win("a", 20_000, "2026-04-10")
    await payroll.calculate("2026-Q1")
    assert await payroll.paid("2026-Q1") == {}
    await payroll.calculate("2026-Q3")
    assert await payroll.paid("2026-Q3") == {"a": 1_000}


async def test_what_is_approved_takes_no_late_change(payroll: Payroll) -> None:
    """It goes to the next period; calculated again by its name, the approved one takes it and is approved no more."""
    await payroll.plan(TERMS)
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.close("2026-Q1")
    second = await payroll.period("2026-Q2")
    for verb in ("calculate", "approve"):
        await payroll.firm.act("comp_periods", verb, second)
    await payroll.win("a", 20_000, "2026-01-10")
    await payroll.calculate("2026-Q1")
    assert await payroll.paid("2026-Q2") == {}
    assert await payroll.paid("2026-Q3") == {"a": 1_000}
    await payroll.win("a", 30_000, "2026-01-10")
    await payroll.calculate("2026-Q2")
    assert await payroll.paid("2026-Q2") == {"a": 1_000}
    assert (await payroll.firm.get("comp_periods", second))["state"] == "calculated"


async def test_a_balance_below_nothing_is_carried_on(payroll: Payroll) -> None:
    """Q2 claws back 1,000 and earns 400: nothing is paid. Q3 earns 2,000, of which 600 were paid already."""
    await payroll.plan(TERMS)
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.close("2026-Q1")
    await payroll.firm.taken("opportunities", {"external_id": "a", "stage_id": "crm:s1"})
    await payroll.win("b", 4_000, "2026-04-10")
    await payroll.close("2026-Q2")
    await payroll.win("c", 20_000, "2026-07-10")
    await payroll.close("2026-Q3")
    owed = await payroll.fetch(
        """select p.period, x.amount from payouts x join comp_periods p on p.tenant_id = $1 and p.id = x.period_id
           where x.tenant_id = $1 order by p.starts_on"""
    )
    assert [tuple(x) for x in owed] == [("2026-Q1", 1_000), ("2026-Q3", 1_400)]


async def test_a_closed_period_is_looked_at_again_where_something_of_it_has_changed(
    payroll: Payroll, settled: Any
) -> None:
    """By what the feed tells: a deal touches those credited for it, then and now, and everyone above."""
    await payroll.plan(TERMS)
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.win("b", 10_000, "2026-04-10", owner="crm:r2")
    await payroll.close("2026-Q1")
    await settled()
    await payroll.calculate("2026-Q2")
    names = {
        x["id"]: x["name"] for x in await payroll.fetch("select id, name from reps where tenant_id = $1")
    }

    async def those() -> list[str] | None:
        await settled()
        row = await payroll.firm.get("comp_periods", await payroll.period("2026-Q1"))
        tenant = payroll.firm.principal.tenant_id
        async with payroll.firm.database.transaction(tenant) as session:
            days = {x: date.fromisoformat(row[x]) for x in ("starts_on", "ends_on")}
            period = Pay.of(session, payroll.firm.catalogue, payroll.firm.principal).period(
                {"id": UUID(row["id"]), **days}
            )
            found = await touched(session, period)
        return None if found is None else sorted(names[x] for x in found)

    assert await those() == []
    await payroll.win("b", 20_000, "2026-04-10", owner="crm:r2")
    assert await those() == [], "a deal of another period"
    await payroll.win("a", 20_000, "2026-01-10", owner="crm:r0")
    assert await those() == ["Manager", "Rep 0", "Rep 1"]
    await payroll.calculate("2026-Q2")
    assert await those() == []
    await payroll.firm.taken("reps", {"external_id": "r1", "title": "AE"})
    assert await those() == []
    await payroll.firm.taken(
        "quotas", {"external_id": "q", "rep_id": "crm:r1", "period": "2026-Q1", "amount": 1}
    )
    assert await those() is None
