"""What terms must be, each fault with its place, and that they stay once they pay."""

from __future__ import annotations

from typing import Any

import pytest

from app.ground.errors import Conflict, Invalid
from app.sales.incentives.plans import faults
from tests.sales.incentives.conftest import Payroll

EMPTY: dict[str, Any] = dict.fromkeys(
    ("measure", "applies_when", "rate", "formula", "amount", "tiered_by", "tiering", "threshold", "cap", "starts_on",
     "ends_on", "hold_until", "clawback_days")
)  # fmt: skip
TIER = {"component": "c", "above": 0, "rate": 0.1}


@pytest.mark.parametrize(
    ("component", "tiers", "told"),
    [
        ({"rate": 0.1}, [], []),
        ({"rate": 0.1, "amount": 5}, [], [("/components/0/rate", "one_way")]),
        ({}, [], [("/components/0/rate", "one_way")]),
        ({"tiered_by": "attainment", "tiering": "marginal"}, [TIER], []),
        ({"tiered_by": "attainment"}, [TIER], [("/components/0/tiering", "with_tiers")]),
        ({"rate": 0.1, "tiering": "marginal"}, [], [("/components/0/tiering", "with_tiers")]),
        ({"tiered_by": "credited", "tiering": "marginal"}, [TIER | {"above": 5}],
         [("/components/0/code", "tiers_begin_at_0")]),
        ({"rate": 0.1}, [TIER | {"component": "d"}], [("/tiers/0/component", "unknown")]),
        ({"formula": "amount *"}, [], [("/components/0/formula", "syntax")]),
        ({"formula": "sum(amount)"}, [], [("/components/0/formula", "no_aggregates")]),
        ({"formula": "attainment"}, [], [("/components/0/formula", "type_mismatch")]),
        ({"rate": 0.1, "applies_when": "typ = 'x'"}, [], [("/components/0/applies_when", "unknown_name")]),
        ({"formula": "amount", "measure": "margin"}, [], [("/components/0/measure", "not_with_formula")]),
        ({"measure": "deal", "rate": 0.1}, [], [("/components/0/measure", "needs_amount")]),
        ({"kind": "draw", "amount": 5}, [], []),
        ({"kind": "draw", "amount": 5, "cap": 5}, [], [("/components/0/cap", "not_of_this_kind")]),
        ({"kind": "draw", "formula": "target"}, [], [("/components/0/amount", "one_way")]),
        ({"kind": "bonus", "formula": "sum(amount) * 0.1", "applies_when": "attainment >= 1"}, [], []),
        ({"kind": "bonus", "formula": "amount * 0.1"}, [], [("/components/0/formula", "outside_aggregate")]),
        ({"kind": "bonus", "amount": 5, "applies_when": "type = 'x'"}, [],
         [("/components/0/applies_when", "outside_aggregate")]),
    ],
)  # fmt: skip
def test_faults(component: dict[str, Any], tiers: list[Any], told: list[Any]) -> None:
    one = EMPTY | {"code": "c", "kind": "commission"} | component
    assert [(x.pointer, x.code) for x in faults([one], tiers)] == told


def test_a_code_is_of_one_component() -> None:
    one = EMPTY | {"code": "c", "kind": "commission", "rate": 0.1}
    assert [x.code for x in faults([one, one], [])] == ["repeated"] * 2


async def test_what_is_published_stays(payroll: Payroll) -> None:
    firm = payroll.firm
    plan = await payroll.plan({"code": "c", "kind": "commission", "rate": 0.1})
    [version] = await payroll.fetch("select id from comp_plan_versions where tenant_id = $1")
    for changes in ({"effective_from": "2026-05-01"}, {"components": []}, {"tiers": [TIER]}):
        with pytest.raises(Conflict, match="write another version"):
            await firm.patch("comp_plan_versions", version["id"], changes)
    with pytest.raises(Conflict, match="write another version"):
        await firm.delete("comp_plan_versions", version["id"])
    with pytest.raises(Conflict, match="published terms"):
        await firm.delete("comp_plans", plan)
    await firm.patch("comp_plan_versions", version["id"], {"note": "The first one."})
    told_again = {
        "components": [{"code": "c", "kind": "commission", "rate": 0.1}],
        "effective_from": "2025-01-01",
    }
    assert (await firm.patch("comp_plan_versions", version["id"], told_again)).outcome == "unchanged"


async def test_a_version_without_components_is_not_published(payroll: Payroll) -> None:
    firm = payroll.firm
    plan = await firm.create("comp_plans", {"name": "Empty"})
    made = await firm.create("comp_plan_versions", {"plan_id": str(plan.id), "effective_from": "2026-01-01"})
    with pytest.raises(Invalid, match="without components"):
        await firm.act("comp_plan_versions", "publish", made.id)


async def test_nobody_is_paid_by_a_plan_twice_at_once(payroll: Payroll) -> None:
    plan = await payroll.plan({"code": "c", "kind": "commission", "rate": 0.1}, start="2026-02-01")
    for start, end in (("2026-01-01", None), ("2026-03-01", "2026-04-01"), ("2026-01-01", "2026-02-02")):
        with pytest.raises(Invalid, match="paid by this plan"):
            await payroll.assign(plan, "crm:r1", start, ends_on=end)
    await payroll.assign(plan, "crm:r1", "2026-01-01", ends_on="2026-02-01")


async def test_periods_share_no_day(payroll: Payroll) -> None:
    with pytest.raises(Invalid, match="has some of these days"):
        await payroll.firm.create("comp_periods", {"period": "2026-05"})
