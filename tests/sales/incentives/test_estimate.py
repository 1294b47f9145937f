"""What an open deal would earn, with figures worked by hand, and to whom that is told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.ground.errors import Conflict, Forbidden, NotFound
from app.main import create_app
from app.sales.incentives import inquiries
from tests.sales.incentives.conftest import Payroll
from tests.sales.incentives.test_plans import commission, tiers

D = Decimal


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiries, "_now", lambda: datetime(2026, 2, 15, 12, tzinfo=UTC))


async def estimate(payroll: Payroll, deal: str = "deal") -> list[Any]:
    return (await payroll.firm.ask("opportunities", "estimate", f"crm:{deal}"))["reps"]


async def acting(payroll: Payroll, role: str, name: str) -> Payroll:
    [rep] = await payroll.fetch("select id from reps where tenant_id = $1 and name = $2", name)
    return Payroll(payroll.firm.acting(role, rep["id"]))


def figures(earning: Any) -> list[tuple[Any, ...]]:
    return [(x["tier"], x["rate"], x["amount"]) for x in earning["lines"]]


async def test_flat(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1))
    await payroll.win("a", 50_000, "2026-01-10")
    await payroll.open("deal", 1_234.56)
    before = await payroll.posted()
    [told] = await estimate(payroll)
    assert (told["rep"]["name"], told["plan"]["name"], told["currency"]) == ("Rep 1", "Plan 1", "USD")
    assert (told["earns"], told["on_other_deals"]) == (D("123.46"), 0)
    assert (told["attainment_before"], told["attainment_after"]) == (None, None)
    assert figures(told) == [(0, D("0.1"), D("123.46"))]
    assert await payroll.posted() == before == [[], [], [], []], "nothing is written"


async def test_marginal_tiers_that_it_crosses(payroll: Payroll) -> None:
    """40,000 of 100,000 are there; 70,000 more are 10,000 at 5 %, 50,000 at 8 % and 10,000 at 12 %."""
    await payroll.plan(
        commission(tiered_by="attainment", tiering="marginal"),
        tiers=tiers((0, 0.05), (0.5, 0.08), (1, 0.12)),
        target=100_000,
    )
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.open("deal", 70_000)
    [told] = await estimate(payroll)
    assert (told["earns"], told["on_other_deals"]) == (5_700, 0)
    assert (told["attainment_before"], told["attainment_after"]) == (D("0.4"), D("1.1"))
    assert figures(told) == [(1, D("0.05"), 500), (2, D("0.08"), 4_000), (3, D("0.12"), 1_200)]


async def test_retroactive_tiers_raise_earlier_deals(payroll: Payroll) -> None:
    """At 110 % the 40,000 are paid 12 % instead of 5 %: 2,800 more, and the deal itself 8,400."""
    await payroll.plan(
        commission(tiered_by="attainment", tiering="retroactive"),
        {"code": "goal", "kind": "bonus", "amount": 1_000, "applies_when": "attainment >= 1"},
        tiers=tiers((0, 0.05), (0.5, 0.08), (1, 0.12)),
        target=100_000,
    )
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.open("deal", 70_000)
    [told] = await estimate(payroll)
    assert figures(told) == [(3, D("0.12"), 8_400)]
    assert (told["earns"], told["on_other_deals"]) == (8_400 + 2_800 + 1_000, 3_800)


async def test_it_is_what_the_deal_then_earns(payroll: Payroll) -> None:
    await payroll.plan(
        commission(tiered_by="attainment", tiering="retroactive", cap=9_000),
        tiers=tiers((0, 0.05), (0.5, 0.08), (1, 0.12)),
        target=100_000,
    )
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.open("deal", 70_000)
    await payroll.calculate()
    before = (await payroll.statement())["earned"]
    [told] = await estimate(payroll)
    await payroll.win("deal", 70_000, "2026-02-15")
    await payroll.calculate()
    assert (await payroll.statement())["earned"] - before == told["earns"] == 7_000


async def test_a_deal_that_was_won_and_reopened_is_there_once(payroll: Payroll) -> None:
    """Reopened behind its clawback window it still pays, so closing it again adds nothing."""
    await payroll.plan(commission(rate=0.1, clawback_days=10))
    await payroll.firm.taken(
        "opportunities",
        {"external_id": "deal", "name": "deal", "amount": 1_000, "currency": "USD", "owner_id": "crm:r1",
         "opened_at": "2025-12-01", "stage_id": "crm:s1", "history": [
            {"at": "2026-01-10", "stage_id": "crm:won"}, {"at": "2026-02-01", "stage_id": "crm:s1"}]},
    )  # fmt: skip
    [told] = await estimate(payroll)
    assert (told["earns"], figures(told)) == (0, [(0, D("0.1"), 100)])


async def test_another_currency(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1), currency="EUR")
    rate = {"from_currency": "USD", "to_currency": "EUR", "rate": 0.8, "on_day": "2026-02-01"}
    await payroll.firm.taken("exchange_rates", {"external_id": "x", **rate})
    await payroll.open("deal", 1_000)
    [told] = await estimate(payroll)
    assert (told["currency"], told["earns"]) == ("EUR", 80)


async def test_everyone_learns_what_they_may_see_of_pay(payroll: Payroll) -> None:
    """Half of it is another's, a third has an overlay, the manager an override; each has own terms."""
    await payroll.plan(commission(rate=0.1), rep="crm:r1")
    await payroll.plan(
        commission(rate=0.2), {"code": "overlay", "kind": "overlay", "rate": 0.07}, rep="crm:r2"
    )
    await payroll.plan(commission(rate=0.3), rep="crm:r0")
    await payroll.plan({"code": "override", "kind": "override", "rate": 0.01}, rep="crm:m")
    await payroll.open(
        "deal", 10_000,
        splits=[{"rep_id": "crm:r1", "share": 0.5}, {"rep_id": "crm:r0", "share": 0.5},
                {"rep_id": "crm:r2", "share": 0.1, "kind": "overlay"}],
    )  # fmt: skip
    everybody = {"Rep 1": 500, "Rep 0": 1_500, "Rep 2": 70, "Manager": 100}
    for role, name, sees in (
        ("admin", "Rep 1", everybody), ("manager", "Manager", everybody), ("rep", "Rep 1", {"Rep 1": 500}),
        ("rep", "Rep 2", {"Rep 2": 70}), ("manager", "Rep 0", {"Rep 0": 1_500}),
    ):  # fmt: skip
        told = await estimate(await acting(payroll, role, name))
        assert {x["rep"]["name"]: x["earns"] for x in told} == sees, (role, name)
    for role in ("analyst", "integration"):
        with pytest.raises(Forbidden):
            await estimate(await acting(payroll, role, "Manager"))
    await payroll.open("unseen", 10_000, owner="crm:r2")
    with pytest.raises(NotFound):
        await estimate(await acting(payroll, "rep", "Rep 1"), "unseen")


async def test_refusals(payroll: Payroll, monkeypatch: pytest.MonkeyPatch) -> None:
    await payroll.win("won", 1_000, "2026-01-10")
    with pytest.raises(Conflict) as refusal:
        await estimate(payroll, "won")
    assert refusal.value.code == "not_open"
    await payroll.open("deal", None)
    assert await estimate(payroll) == [], "nobody is on a plan"
    await payroll.plan(commission(rate=0.1))
    [told] = await estimate(payroll)
    assert [x["reason"] for x in told["lines"]] == ["no_amount"]
    monkeypatch.setattr(inquiries, "_now", lambda: datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(Conflict) as refusal:
        await estimate(payroll)
    assert refusal.value.code == "no_period"


async def test_through_both_faces(payroll: Payroll, settings: Any) -> None:
    await payroll.plan(commission(rate=0.1))
    await payroll.open("deal", 1_234.56)
    transport = httpx.ASGITransport(create_app(settings, payroll.firm.database))
    headers = {"authorization": f"Bearer {await payroll.firm.company.key()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://attain", headers=headers) as client:
        answer = await client.post("/v1/opportunities/crm:deal:estimate")
        assert answer.status_code == 200, answer.text
        assert answer.json()["reps"][0]["earns"] == 123.46
        exact = await client.post("/v1/opportunities/crm:deal:estimate?money=string", json={})
        assert exact.json()["reps"][0]["lines"][0]["amount"] == "123.46"
        assert exact.json()["reps"][0]["lines"][0]["rate"] == 0.1
        told = await client.post(
            "/graphql",
            json={
                "query": '{ estimateOpportunity(id: "crm:deal") { day reps { earns lines { component } } } }'
            },
        )
        assert told.json()["data"]["estimateOpportunity"] == {
            "day": "2026-02-15", "reps": [{"earns": 123.46, "lines": [{"component": "commission"}]}],
        }  # fmt: skip
        refused = await client.post("/v1/opportunities/crm:deal:estimate", json={"amount": 1})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
        taken = await client.patch(
            "/v1/opportunities/crm:deal",
            json={"external_ids": [{"source": "crm", "external_id": "deal:estimate"}]},
        )
        assert taken.status_code == 422, "no name may end as an inquiry's path does"
