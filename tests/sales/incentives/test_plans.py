"""Each classic plan, with its figures worked by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.sales.incentives.conftest import Payroll

D = Decimal


def commission(**rest: Any) -> dict[str, Any]:
    return {"code": "commission", "kind": "commission", **rest}


def tiers(*rows: tuple[float, float], component: str = "commission") -> list[dict[str, Any]]:
    return [{"component": component, "above": above, "rate": rate} for above, rate in rows]


async def test_flat(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1))
    await payroll.win("a", 1_234.56, "2026-01-10")
    await payroll.win("b", 50_000, "2026-03-31")
    await payroll.win("later", 50_000, "2026-04-01")
    await payroll.win("another's", 50_000, "2026-02-01", owner="crm:r2")
    await payroll.calculate()
    assert await payroll.paid() == {"a": D("123.46"), "b": 5_000}
    statement = await payroll.statement()
    assert (statement["earned"], statement["total"]) == (D("5123.46"), D("5123.46"))


async def test_tiers_marginal(payroll: Payroll) -> None:
    """Target 100,000: 5 % to half of it, 8 % to all of it, 12 % above. The second deal crosses two bounds."""
    await payroll.plan(
        commission(tiered_by="attainment", tiering="marginal"),
        tiers=tiers((0, 0.05), (0.5, 0.08), (1, 0.12)),
        target=100_000,
    )
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.win("b", 70_000, "2026-02-10")
    await payroll.win("c", 10_000, "2026-03-10")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 2_000, "b": 500 + 4_000 + 1_200, "c": 1_200}


async def test_tiers_retroactive(payroll: Payroll) -> None:
    """At 110 % all of it is paid at the highest rate, the first deal too."""
    await payroll.plan(
        commission(tiered_by="attainment", tiering="retroactive"),
        tiers=tiers((0, 0.05), (0.5, 0.08), (1, 0.12)),
        target=100_000,
    )
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 2_000}
    await payroll.win("b", 70_000, "2026-02-10")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 4_800, "b": 8_400}


async def test_accelerator_by_a_formula(payroll: Payroll) -> None:
    await payroll.plan(
        commission(formula="if(attainment >= 1, amount * 0.1 * min(attainment, 1.5), amount * 0.07)"),
        target=50_000,
    )
    await payroll.win("a", 60_000, "2026-01-10")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 7_200}, "60,000 x 0.1 x 1.2"


async def test_threshold(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1, threshold=0.5), target=100_000)
    await payroll.win("a", 49_999, "2026-01-10")
    await payroll.calculate()
    [line] = await payroll.lines()
    assert (line["amount"], line["reason"]) == (0, "below_threshold")
    await payroll.win("b", 1, "2026-01-11")
    await payroll.calculate()
    assert await payroll.paid() == {"a": D("4999.90"), "b": D("0.10")}


async def test_cap(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1, cap=6_000))
    await payroll.win("a", 40_000, "2026-01-10")
    await payroll.win("b", 40_000, "2026-01-11")
    await payroll.win("c", 40_000, "2026-01-12")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 4_000, "b": 2_000, "c": 0}
    assert [x["reason"] for x in await payroll.lines()] == [None, None, "capped"]


async def test_spiff_in_its_window(payroll: Payroll) -> None:
    """500 for each new customer of February; half of it for half of a deal."""
    await payroll.plan(
        {"code": "february", "kind": "spiff", "amount": 500, "starts_on": "2026-02-01", "ends_on": "2026-03-01",
         "applies_when": "type = 'new_business'"},
    )  # fmt: skip
    await payroll.win("early", 9_000, "2026-01-31", type="new_business")
    await payroll.win("new", 9_000, "2026-02-01", type="new_business")
    await payroll.win("old", 9_000, "2026-02-02", type="renewal")
    await payroll.win("half", 9_000, "2026-02-28", type="new_business",
                      splits=[{"rep_id": "crm:r2", "share": 0.5}, {"rep_id": "crm:r1", "share": 0.5}])  # fmt: skip
    await payroll.calculate()
    assert await payroll.paid() == {"new": 500, "half": 250}


async def test_bonus_on_a_goal(payroll: Payroll) -> None:
    await payroll.plan(
        {"code": "goal", "kind": "bonus", "amount": 5_000, "applies_when": "attainment >= 1"},
        {"code": "breadth", "kind": "bonus", "formula": "if(count(amount) >= 2, 300, 0)"},
        target=100_000,
    )
    await payroll.win("a", 60_000, "2026-01-10")
    await payroll.calculate()
    assert await payroll.paid() == {"breadth": 0}
    await payroll.win("b", 40_000, "2026-01-11")
    await payroll.calculate()
    assert await payroll.paid() == {"goal": 5_000, "breadth": 300}


async def test_draw_is_taken_back(payroll: Payroll) -> None:
    """Q1 earns 1,000 of a draw of 3,000; Q2 earns 4,500, of which 1,500 go back, and Q3 500 more."""
    await payroll.plan(commission(rate=0.1), {"code": "draw", "kind": "draw", "amount": 3_000})
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.win("b", 45_000, "2026-04-10")
    await payroll.win("c", 90_000, "2026-07-10")
    for name in ("2026-Q1", "2026-Q2", "2026-Q3"):
        await payroll.close(name)
    assert await payroll.paid("2026-Q1") == {"a": 1_000, "draw": 2_000}
    assert await payroll.paid("2026-Q2") == {"b": 4_500, "draw": -1_500}
    assert await payroll.paid("2026-Q3") == {"c": 9_000, "draw": -500}


async def test_clawback_within_sixty_days(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1, clawback_days=60))
    await payroll.win("soon", 10_000, "2026-01-10")
    await payroll.win("late", 20_000, "2026-01-10")
    await payroll.close("2026-Q1")
    assert await payroll.paid("2026-Q1") == {"soon": 1_000, "late": 2_000}
    await payroll.firm.taken(
        "opportunities",
        {"external_id": "soon", "history": [{"at": "2026-02-20", "stage_id": "crm:s1"}]},
        {"external_id": "late", "history": [{"at": "2026-05-20", "stage_id": "crm:s1"}]},
    )
    await payroll.calculate("2026-Q2")
    assert await payroll.paid("2026-Q1") == {"soon": 1_000, "late": 2_000}, "what is closed stays"
    [line] = await payroll.lines("2026-Q2")
    assert (line["deal"], line["amount"], line["posting"]) == ("soon", -1_000, "clawback")


async def test_overlay_is_paid_beside(payroll: Payroll) -> None:
    """The specialist's overlay takes nothing from the owner."""
    plan = await payroll.plan(
        commission(rate=0.1),
        {"code": "overlay", "kind": "overlay", "rate": 0.02},
    )
    await payroll.assign(plan, "crm:r2")
    await payroll.win(
        "a", 10_000, "2026-01-10",
        splits=[{"rep_id": "crm:r2", "share": 0.5, "kind": "overlay"}],
    )  # fmt: skip
    await payroll.calculate()
    assert await payroll.paid() == {"a": 1_000}
    assert await payroll.paid(rep="Rep 2") == {"a": 100}


async def test_override_of_everyone_below(payroll: Payroll) -> None:
    await payroll.plan({"code": "override", "kind": "override", "rate": 0.01}, rep="crm:m")
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.win("b", 30_000, "2026-01-11", owner="crm:r2")
    await payroll.win("own", 99_000, "2026-01-12", owner="crm:m")
    await payroll.calculate()
    assert await payroll.paid(rep="Manager") == {"a": 100, "b": 300}


async def test_hold_until_paid(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1, hold_until="paid"))
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.close("2026-Q1")
    statement = await payroll.statement()
    assert (statement["earned"], statement["held"], statement["total"]) == (1_000, 1_000, 0)
    await payroll.win("a", 10_000, "2026-01-10", paid_on="2026-04-20")
    await payroll.calculate("2026-Q2")
    statement = await payroll.statement("2026-Q2")
    assert (statement["adjusted"], statement["held"], statement["total"]) == (0, -1_000, 1_000)


async def test_margin(payroll: Payroll) -> None:
    await payroll.firm.taken(
        "products", {"external_id": "p1", "name": "P1", "list_price": 100, "cost": 60, "currency": "USD"}
    )
    await payroll.plan(commission(rate=0.2, measure="margin"))
    line = {"product_id": "crm:p1", "quantity": 10, "unit_price": 90, "amount": 900}
    await payroll.win("a", 900, "2026-11-10", line_items=[line])
    await payroll.calculate("2026-Q4")
    assert await payroll.paid("2026-Q4") == {"a": 60}, "(900 - 10 x 60) x 0.2"


async def test_a_formula_that_comes_to_nothing_or_too_much(payroll: Payroll) -> None:
    await payroll.plan(
        commission(formula="amount * attainment"),
        {"code": "mad", "kind": "commission", "formula": "amount * 999999999999999"},
        {"code": "huge", "kind": "bonus", "formula": "sum(amount) * 999999999999999"},
    )
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.calculate()
    told = {x["component"]: (x["amount"], x["reason"]) for x in await payroll.lines()}
    assert told == {"commission": (0, "undefined"), "mad": (0, "too_large"), "huge": (0, "too_large")}


async def test_without_a_target_a_rate_or_an_amount_nothing_is_paid_and_it_is_said(payroll: Payroll) -> None:
    await payroll.plan(
        commission(tiered_by="attainment", tiering="marginal"),
        {"code": "flat", "kind": "commission", "rate": 0.1},
        tiers=tiers((0, 0.05)),
    )
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.win("foreign", 10_000, "2026-01-11", currency="EUR")
    await payroll.win("unpriced", None, "2026-01-12")
    await payroll.calculate()
    told = {(x["deal"], x["component"]): (x["amount"], x["reason"]) for x in await payroll.lines()}
    assert told == {
        ("a", "commission"): (0, "no_quota"), ("a", "flat"): (1_000, None),
        ("foreign", "commission"): (0, "missing_fx"), ("foreign", "flat"): (0, "missing_fx"),
        ("unpriced", "commission"): (0, "no_amount"), ("unpriced", "flat"): (0, "no_amount"),
    }  # fmt: skip


async def test_the_target_is_the_effective_quota_of_the_days(payroll: Payroll) -> None:
    """A quota of 90,000 for the quarter; from 15 February on it is 44 + 1 of its 90 days."""
    await payroll.firm.taken(
        "quotas", {"external_id": "q", "rep_id": "crm:r1", "period": "2026-Q1", "amount": 90_000}
    )
    await payroll.plan(commission(formula="amount * attainment"), start="2026-02-15")
    await payroll.win("a", 45_000, "2026-03-10")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 45_000}
    await payroll.plan(
        commission(formula="amount * attainment"), rep="crm:r2", target=90_000, start="2026-02-15"
    )
    await payroll.win("b", 4_500, "2026-03-10", owner="crm:r2")
    await payroll.calculate()
    assert await payroll.paid(rep="Rep 2") == {"b": 450}, "of a target for the quarter, half"
