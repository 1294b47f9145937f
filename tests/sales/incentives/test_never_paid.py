"""What closed before pay begins here, and what a backfill tells, was paid elsewhere."""

from __future__ import annotations

from app.ground.access.tenants import set_pay_start
from app.ground.database.session import connect
from tests.sales.incentives.conftest import Payroll

TERMS = {"code": "commission", "kind": "commission", "rate": 0.1, "clawback_days": 30}


async def test_before_pay_starts(payroll: Payroll, owner_url: str) -> None:
    owner = await connect(owner_url)
    try:
        await set_pay_start(owner, payroll.firm.company.tenant, "2026-02-01")
    finally:
        await owner.close()
    await payroll.plan(TERMS)
    await payroll.win("before", 10_000, "2026-01-31T23:59:59Z")
    await payroll.win("after", 10_000, "2026-02-01T00:00:00Z")
    await payroll.calculate()
    assert await payroll.paid() == {"after": 1_000}
    await payroll.win("of somebody without a plan", 10_000, "2026-02-01", owner="crm:r2")
    await payroll.calculate()
    period = await payroll.firm.get("comp_periods", await payroll.period("2026-Q1"))
    assert period["left_out"] == {"before_pay_starts": 1, "no_plan": 1}


async def test_a_backfill(payroll: Payroll) -> None:
    """Also where its deal is reopened and would be kept, and once it is won anew it is a deal like any other."""
    await payroll.plan(TERMS)
    for name in ("told", "again"):
        row = {"external_id": name, "name": name, "amount": 10_000, "currency": "USD", "owner_id": "crm:r1",
               "stage_id": "crm:won", "closed_at": "2026-01-10", "opened_at": "2025-12-01"}  # fmt: skip
        await payroll.firm.taken("opportunities", row, origin="backfill")
    await payroll.win("live", 10_000, "2026-01-10")
    await payroll.calculate()
    assert await payroll.paid() == {"live": 1_000}
    await payroll.firm.taken("opportunities", {"external_id": "told", "amount": 20_000})
    await payroll.firm.taken("opportunities", {"external_id": "again", "stage_id": "crm:s1"})
    await payroll.calculate()
    assert await payroll.paid() == {"live": 1_000}
    await payroll.win("again", 10_000, "2026-03-10")
    await payroll.calculate()
    assert await payroll.paid() == {"live": 1_000, "again": 1_000}
