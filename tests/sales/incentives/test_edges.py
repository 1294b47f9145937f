"""What an auditor would try: amounts, rates, terms and assignments that come late, are undone, or are nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sales.incentives.conftest import Payroll
from tests.sales.incentives.test_plans import commission, tiers

D = Decimal


async def _reopened(payroll: Payroll, deal: str, at: str) -> None:
    await payroll.firm.taken(
        "opportunities", {"external_id": deal, "history": [{"at": at, "stage_id": "crm:s1"}]}
    )


async def test_an_amount_that_is_known_later(payroll: Payroll) -> None:
    """Of two tiers: nothing is in one as long as it is not known; what comes after it moves up once it is."""
    await payroll.plan(
        commission(tiered_by="credited", tiering="marginal"), tiers=tiers((0, 0.1), (10_000, 0.2))
    )
    await payroll.win("a", 8_000, "2026-01-10")
    await payroll.win("unknown", None, "2026-01-11")
    await payroll.win("b", 4_000, "2026-01-12")
    await payroll.close()
    assert await payroll.paid() == {"a": 800, "unknown": 0, "b": 200 + 400}
    [line] = [x for x in await payroll.lines() if x["deal"] == "unknown"]
    assert (line["tier"], line["reason"]) == (0, "no_amount")
    await payroll.win("unknown", 3_000, "2026-01-11")
    await payroll.calculate("2026-Q2")
    assert await payroll.paid("2026-Q2") == {"unknown": 200 + 200, "b": 800 - 600}


async def test_a_price_that_is_known_later(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1))
    await payroll.win("a", 1_000, "2026-01-10", currency="EUR")
    await payroll.close()
    [line] = await payroll.lines()
    assert (line["amount"], line["reason"]) == (0, "missing_fx")
    await payroll.firm.create(
        "exchange_rates", {"from_currency": "EUR", "to_currency": "USD", "on_day": "2026-01-01", "rate": 1.1}
    )
    await payroll.calculate("2026-Q2")
    assert await payroll.paid("2026-Q2") == {"a": 110}


async def test_two_plans_in_two_currencies(payroll: Payroll) -> None:
    """A statement for each; neither end of an assignment being told is no fault."""
    await payroll.plan(commission(rate=0.1))
    await payroll.plan(commission(rate=0.1), currency="JPY")
    await payroll.firm.create(
        "exchange_rates",
        {"from_currency": "USD", "to_currency": "JPY", "on_day": "2026-01-01", "rate": 155.5},
    )
    await payroll.win("a", 100.05, "2026-01-10")
    await payroll.close()
    lines = {x["currency"]: x["amount"] for x in await payroll.lines()}
    assert lines == {"USD": D("10.01"), "JPY": 1556}
    payouts = await payroll.fetch("select currency, amount from payouts where tenant_id = $1")
    assert {x["currency"]: x["amount"] for x in payouts} == lines


async def test_half_a_period_has_half_the_target(payroll: Payroll) -> None:
    """45 of 90 days of 100,000; the day on which it ends is not one of them."""
    await payroll.plan(
        commission(formula="amount * attainment"), target=100_000, start="2026-01-01", ends_on="2026-02-15"
    )
    await payroll.win("in", 50_000, "2026-02-14")
    await payroll.win("out", 50_000, "2026-02-15")
    await payroll.calculate()
    assert await payroll.paid() == {"in": 50_000}


@pytest.mark.parametrize("terms", [
    (commission(rate=0.1, threshold=0.5), None),
    (commission(tiered_by="attainment", tiering="marginal"), tiers((0, 0.1), (1, 0.2))),
    (commission(tiered_by="attainment", tiering="retroactive"), tiers((0, 0.1), (1, 0.2))),
], ids=["threshold", "marginal", "retroactive"])  # fmt: skip
async def test_a_target_of_nothing_is_none(payroll: Payroll, terms: Any) -> None:
    """Nobody has reached all of it, nor has anybody missed it."""
    goal = {"code": "goal", "kind": "bonus", "amount": 1, "applies_when": "attainment >= 1"}
    await payroll.plan(terms[0], goal, tiers=terms[1], target=0)
    await payroll.win("a", 1_000, "2026-01-10")
    await payroll.calculate()
    [line] = await payroll.lines()
    assert (line["amount"], line["reason"]) == (0, "no_quota")


async def test_a_credit_note_goes_back_through_the_tiers(payroll: Payroll) -> None:
    """It takes back at the rates at which the money above it was paid, and the cap has room again."""
    await payroll.plan(
        commission(tiered_by="credited", tiering="marginal", cap=1_300), tiers=tiers((0, 0.1), (10_000, 0.2))
    )
    await payroll.win("a", 12_000, "2026-01-10")
    await payroll.win("credit note", -4_000, "2026-01-11")
    await payroll.win("b", 1_000, "2026-01-12")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 1_300, "credit note": -500, "b": 100}, "1,400 of 1,300; down to 800"


async def test_an_assignment_that_is_deleted_after_the_close(payroll: Payroll) -> None:
    """All is taken back, and what was paid out already is carried as a debt."""
    plan = await payroll.plan(commission(rate=0.1))
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.win("b", 4_000, "2026-07-10")
    await payroll.close("2026-Q1")
    rows = await payroll.fetch("select id from plan_assignments where tenant_id = $1")
    await payroll.firm.delete("plan_assignments", rows[0]["id"])
    await payroll.close("2026-Q2")
    assert await payroll.paid("2026-Q2") == {"a": -1_000}
    await payroll.assign(plan, "crm:r1", "2026-07-01")
    await payroll.close("2026-Q3")
    assert await payroll.paid("2026-Q3") == {"b": 400}
    payouts = await payroll.fetch("select amount from payouts where tenant_id = $1")
    assert [x["amount"] for x in payouts] == [1_000], "600 are still owed back"


async def test_terms_that_are_published_for_a_closed_period(payroll: Payroll) -> None:
    """What a component was before, its line says of the period in which it was that."""
    plan = await payroll.plan(commission(rate=0.1))
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.win("b", 10_000, "2026-04-10")
    await payroll.close("2026-Q1")
    await payroll.calculate("2026-Q2")
    version = await payroll.version(
        plan, {"code": "commission", "kind": "spiff", "rate": 0.12}, start="2026-01-01"
    )
    await payroll.calculate("2026-Q2")
    lines = await payroll.lines("2026-Q2")
    assert [(x["deal"], x["amount"], x["kind"], str(x["version_id"])) for x in lines] == [
        ("a", 200, "spiff", version), ("b", 1_200, "spiff", version),
    ]  # fmt: skip
    assert [x["kind"] for x in await payroll.lines("2026-Q1")] == ["commission"]


async def test_of_a_deal_that_was_won_twice_the_last_win_is_paid(payroll: Payroll) -> None:
    """Won in January, lost too late to be taken back, won again in May, and lost too late again: it is paid once."""
    await payroll.plan(commission(rate=0.1, clawback_days=30))
    await payroll.win("a", 10_000, "2026-01-10")
    await _reopened(payroll, "a", "2026-03-20")
    await payroll.close("2026-Q1")
    assert await payroll.paid("2026-Q1") == {"a": 1_000}
    await payroll.firm.taken("opportunities", {"external_id": "a", "history": [
        {"at": "2026-03-20", "stage_id": "crm:s1"}, {"at": "2026-05-10", "stage_id": "crm:won"},
    ]})  # fmt: skip
    await payroll.calculate("2026-Q2")
    lines = await payroll.lines("2026-Q2")
    assert [(x["posting"], x["amount"]) for x in lines] == [("clawback", -1_000), ("earning", 1_000)]
    await _reopened(payroll, "a", "2026-08-10")
    await payroll.calculate("2026-Q2")
    assert [(x["posting"], x["amount"]) for x in await payroll.lines("2026-Q2")] == [
        ("clawback", -1_000), ("earning", 1_000),
    ]  # fmt: skip


async def test_a_draw_that_is_not_needed_any_more_says_so(payroll: Payroll) -> None:
    await payroll.plan(commission(rate=0.1), {"code": "draw", "kind": "draw", "amount": 3_000})
    await payroll.win("a", 10_000, "2026-01-10")
    await payroll.calculate()
    assert await payroll.paid() == {"a": 1_000, "draw": 2_000}
    await payroll.win("a", 90_000, "2026-01-10")
    await payroll.calculate()
    [line] = [x for x in await payroll.lines() if x["kind"] == "draw"]
    assert (line["amount"], line["trace"]["earned"]) == (0, 9_000)
