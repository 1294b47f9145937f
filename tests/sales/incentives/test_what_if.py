"""What a version would have paid, with figures worked by hand, and that asking leaves no trace."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.ground.errors import Forbidden, Invalid, NotFound
from app.main import create_app
from tests.sales.incentives.conftest import Payroll
from tests.sales.incentives.test_plans import commission, tiers

D = Decimal


async def simulate(payroll: Payroll, version: str, **data: Any) -> Any:
    return await payroll.firm.ask("comp_plan_versions", "simulate", version, data or {"period": "2026-Q1"})


def by_name(rows: list[Any], key: str) -> dict[str, tuple[Any, ...]]:
    return {x[key]["name"]: (x["now"], x["would"], x["difference"]) for x in rows}


async def two_reps(payroll: Payroll, **target: Any) -> str:
    plan = await payroll.plan(commission(rate=0.1), **target)
    await payroll.assign(plan, "crm:r2", **target)
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.win("b", 70_000, "2026-02-10")
    await payroll.win("c", 10_000, "2026-03-10", owner="crm:r2")
    await payroll.win("later", 99_000, "2026-04-10")
    return plan


async def test_a_draft_instead_of_what_is_published(payroll: Payroll) -> None:
    """10 % was paid; the draft pays 5 % to half of 100,000, 8 % to all of it and 12 % above."""
    plan = await two_reps(payroll, target=100_000)
    await payroll.calculate()
    draft = await payroll.draft(
        plan, commission(tiered_by="attainment", tiering="marginal"), tiers=tiers((0, 0.05), (0.5, 0.08), (1, 0.12))
    )  # fmt: skip
    before = await payroll.posted()
    told = await simulate(payroll, draft, period_id=await payroll.period("2026-Q1"))
    assert by_name(told["deals"], "opportunity") == {
        "a": (4_000, 2_000, -2_000), "b": (7_000, 500 + 4_000 + 1_200, -1_300), "c": (1_000, 500, -500),
    }  # fmt: skip
    assert [x["opportunity"]["name"] for x in told["deals"]] == ["a", "b", "c"], "by how much they differ"
    assert by_name(told["reps"], "rep") == {"Rep 1": (11_000, 7_700, -3_300), "Rep 2": (1_000, 500, -500)}
    assert [x["attainment"] for x in told["reps"]] == [D("1.1"), D("0.1")]
    assert told["totals"] == {
        "paid_now": 12_000, "would_pay": 8_200, "difference": -3_800, "credited": 120_000,
        "cost_share": D("0.068333"), "reps": 2,
    }  # fmt: skip
    assert told["distribution"] == {"p10": 500, "p25": 500, "median": 500, "p75": 7_700, "p90": 7_700}
    assert (told["currency"], told["has_more"]) == ("USD", False)
    assert await payroll.posted() == before, "nothing is written"
    await payroll.calculate()
    assert await payroll.paid() == {"a": 4_000, "b": 7_000}, "nor does the draft pay"


async def test_retroactive_tiers_raise_what_was_earned_before(payroll: Payroll) -> None:
    plan = await two_reps(payroll, target=100_000)
    await payroll.calculate()
    draft = await payroll.draft(
        plan, commission(tiered_by="attainment", tiering="retroactive"), tiers=tiers((0, 0.05), (1, 0.12))
    )
    told = await simulate(payroll, draft)
    assert by_name(told["deals"], "opportunity")["a"] == (4_000, 4_800, 800)
    assert told["period"]["id"] is not None, "the named days are those of a pay period"


async def test_what_is_posted_itself_differs_by_nothing(payroll: Payroll) -> None:
    plan = await two_reps(payroll)
    await payroll.calculate()
    rows = await payroll.fetch(
        "select id from comp_plan_versions where tenant_id = $1 and plan_id = $2", plan
    )
    told = await simulate(payroll, str(rows[0]["id"]))
    assert told["totals"]["difference"] == 0
    assert all(x["difference"] == 0 for x in (*told["reps"], *told["deals"]))
    assert [x["attainment"] for x in told["reps"]] == [None, None], "without a target"


async def test_other_plans_and_adjustments(payroll: Payroll) -> None:
    """What another plan pays the same rep is no part of it; what was adjusted later is."""
    plan = await two_reps(payroll)
    await payroll.plan(commission(rate=0.5))
    await payroll.close()
    await payroll.win("a", 50_000, "2026-01-10")
    await payroll.calculate("2026-Q2")
    draft = await payroll.draft(plan, commission(rate=0.2))
    told = await simulate(payroll, draft, period="2026-Q1", rep_id="crm:r1")
    assert by_name(told["deals"], "opportunity") == {"a": (5_000, 10_000, 5_000), "b": (7_000, 14_000, 7_000)}
    assert by_name(told["reps"], "rep") == {"Rep 1": (12_000, 24_000, 12_000)}


async def test_a_plan_that_never_paid_over_days_that_nobody_is_paid_for(payroll: Payroll) -> None:
    made = await payroll.firm.create("comp_plans", {"name": "Next year", "currency": "USD"})
    draft = await payroll.draft(str(made.id), commission(rate=0.03), start="2027-01-01")
    await payroll.assign(str(made.id), "crm:r1")
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.win("b", 70_000, "2026-05-10")
    told = await simulate(payroll, draft, period="2026")
    assert told["totals"]["would_pay"] == 3_300
    assert (told["totals"]["paid_now"], told["period"]["id"]) == (0, None)


async def test_nobody_on_the_plan(payroll: Payroll) -> None:
    made = await payroll.firm.create("comp_plans", {"name": "Empty", "currency": "EUR"})
    draft = await payroll.draft(str(made.id), commission(rate=0.03))
    told = await simulate(payroll, draft)
    assert (told["currency"], told["reps"], told["totals"]["reps"]) == ("EUR", [], 0)
    assert told["totals"]["cost_share"] is None
    assert set(told["distribution"].values()) == {None}


async def test_refusals(payroll: Payroll) -> None:
    plan = await two_reps(payroll)
    draft = await payroll.draft(plan, commission(rate=0.2))
    for data, code in (
        ({"period": "nonsense"}, "unknown_period"),
        ({"period": "2026-Q1", "period_id": await payroll.period("2026-Q1")}, "contradiction"),
        ({"rep_id": "crm:r1"}, "required"),
    ):
        with pytest.raises(Invalid) as refusal:
            await simulate(payroll, draft, **data)
        assert refusal.value.code == code
    with pytest.raises(NotFound):
        await simulate(payroll, draft, period="2026-Q1", rep_id="crm:nobody")
    rows = await payroll.fetch(
        "select id from comp_plan_versions where tenant_id = $1 and state = 'published'"
    )
    [rep] = await payroll.fetch("select id from reps where tenant_id = $1 and name = 'Rep 1'")
    acting = Payroll(payroll.firm.acting("rep", rep["id"]))
    with pytest.raises(NotFound):
        await simulate(acting, draft)
    with pytest.raises(Forbidden) as forbidden:
        await simulate(acting, str(rows[0]["id"]))
    assert forbidden.value.code == "admins_only"


async def test_through_both_faces(payroll: Payroll, settings: Any) -> None:
    plan = await two_reps(payroll)
    await payroll.calculate()
    draft = await payroll.draft(plan, commission(rate=0.125))
    transport = httpx.ASGITransport(create_app(settings, payroll.firm.database))
    headers = {"authorization": f"Bearer {await payroll.firm.company.key()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://attain", headers=headers) as client:
        path = f"/v1/comp_plan_versions/{draft}:simulate"
        answer = await client.post(path, json={"period": "2026-Q1"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["totals"]["would_pay"] == 15_000
        exact = await client.post(f"{path}?money=string", json={"period": "2026-Q1"})
        assert D(exact.json()["totals"]["would_pay"]) == 15_000
        assert isinstance(exact.json()["deals"][0]["now"], str)
        assert exact.json()["totals"]["cost_share"] == 0.125
        document = """query ($id: ID!) { simulateCompPlanVersion(id: $id, input: {period: "2026-Q1"}) {
            totals { wouldPay costShare reps } reps { rep { name } difference } period { startsOn } } }"""
        told = await client.post("/graphql", json={"query": document, "variables": {"id": draft}})
        assert told.json()["data"]["simulateCompPlanVersion"] == {
            "totals": {"wouldPay": 15_000, "costShare": 0.125, "reps": 2},
            "reps": [
                {"rep": {"name": "Rep 1"}, "difference": 2_750}, {"rep": {"name": "Rep 2"}, "difference": 250},
            ],
            "period": {"startsOn": "2026-01-01"},
        }  # fmt: skip
