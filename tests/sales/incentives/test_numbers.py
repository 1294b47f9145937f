"""Numbers about pay, held against SQL written by hand over the ledger, and against figures worked by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.ground.errors import Forbidden
from tests.language.metrics.world import World, new_world

METRICS = ("earnings", "payout", "commission_rate", "cost_of_sales_pay", "earnings_to_target")
D = Decimal
Q1: dict[str, Any] = {"period": "2026-Q1"}


@dataclass
class Firm:
    world: World
    before: datetime
    """After the first quarter was closed and paid, before one of its deals was reopened."""


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[Firm]:
    """Ann and Bob under Lead: 10 %, a bonus of 500 for whoever is credited more than 50,000 in the quarter, and a draw
    of 1,000. Ann is paid in dollars, Bob in euros, of which one is worth 1.25 dollars."""
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "lead", "name": "Lead"})
    await world.put(
        "reps",
        *({"external_id": x.lower(), "name": x, "manager_id": "t:lead"} for x in ("Ann", "Bob", "Zoe")),
    )
    await world.put("exchange_rates", {"external_id": "e", "from_currency": "EUR", "to_currency": "USD",
                                       "on_day": "2025-01-01", "rate": 1.25})  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put(
        "stages",
        {"external_id": "talk", "name": "talk", "pipeline_id": "t:p"},
        {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"},
    )
    components = [
        {"code": "commission", "kind": "commission", "rate": 0.1},
        {"code": "bonus", "kind": "bonus", "amount": 500, "applies_when": "credited > 50000"},
        {"code": "draw", "kind": "draw", "amount": 1_000},
    ]
    for currency, rep in (("USD", "ann"), ("EUR", "bob")):
        await world.put("comp_plans", {"external_id": rep, "name": rep, "currency": currency})
        await world.put("comp_plan_versions", {"external_id": rep, "plan_id": f"t:{rep}",
                                               "effective_from": "2026-01-01", "components": components})  # fmt: skip
        await world.act("comp_plan_versions", "publish", f"t:{rep}")
        await world.put("plan_assignments", {
            "external_id": rep, "plan_id": f"t:{rep}", "rep_id": f"t:{rep}", "starts_on": "2026-01-01",
            "on_target_earnings": 146_000, "variable_share": 0.5,
        })  # fmt: skip
    await world.put("comp_periods", *({"external_id": x, "period": x} for x in ("2026-Q1", "2026-Q2")))
    won = {"stage_id": "t:won", "opened_at": "2026-01-02"}
    await world.put(
        "opportunities",
        {"external_id": "1", "name": "1", "owner_id": "t:ann", "amount": 40_000, "closed_at": "2026-01-20", **won},
        {"external_id": "2", "name": "2", "owner_id": "t:ann", "amount": 20_000, "closed_at": "2026-03-05", **won},
        {"external_id": "3", "name": "3", "owner_id": "t:bob", "amount": 8_000, "currency": "EUR",
         "closed_at": "2026-02-10", **won},
        {"external_id": "4", "name": "4", "owner_id": "t:zoe", "amount": 30_000, "closed_at": "2026-02-11", **won},
        origin="live",
    )  # fmt: skip
    for verb in ("calculate", "approve", "close"):
        await world.act("comp_periods", verb, "t:2026-Q1")
    for payout in await world.listed("payouts", world.admin):
        await world.act("payouts", "pay", payout["id"], {"paid_on": "2026-04-25"})
    await asyncio.sleep(0.01)
    before = datetime.now(UTC)
    await asyncio.sleep(0.01)
    await world.put("opportunities", {"external_id": "2", "stage_id": "t:talk"}, origin="live")
    await world.act("comp_periods", "calculate", "t:2026-Q2")
    yield Firm(world, before)


async def by_hand(firm: Firm, kinds: list[str], group: str, until: datetime | None = None) -> dict[Any, D]:
    """In dollars, by what `group` says."""
    world = firm.world
    async with world.company.database.transaction(world.company.id) as session:
        rows = await session.connection.fetch(
            f"""select {group} as key, sum(e.amount * case e.currency when 'EUR' then 1.25 else 1 end) as amount
                from ledger_entries e join reps r on r.tenant_id = e.tenant_id and r.id = e.rep_id
                left join reps m on m.tenant_id = e.tenant_id and m.id = r.manager_id
                where e.tenant_id = $1 and e.kind = any($2) and e.created_at <= coalesce($3::timestamptz, 'infinity')
                group by 1""",
            world.company.id, kinds, until,
        )  # fmt: skip
    return {row["key"]: row["amount"] for row in rows}


EARNED = ["earning", "adjustment", "clawback"]


async def test_earnings(firm: Firm) -> None:
    world, half = firm.world, {"period": "2026-01-01/2026-07-01"}
    assert await world.grouped("earnings", "rep", **Q1) == {"Ann": 6_500, "Bob": 1_000}
    assert await world.value("earnings", **Q1) == 7_500, "4,000 + 2,000 + 500 of Ann, 800 euros of Bob"
    assert await world.grouped("earnings", "rep", **half) == await by_hand(firm, EARNED, "r.name")
    assert await world.grouped("earnings", "manager", **half) == await by_hand(firm, EARNED, "m.name")
    months = await world.bucketed("earnings", **half, grain="month")
    told = await by_hand(firm, EARNED, "date_trunc('month', e.on_day)::date::text")
    assert {month: value for month, value in months.items() if value} == told
    assert months["2026-04-01"] == -2_500, "the deal of 20,000, and the bonus that it had made"


async def test_as_of(firm: Firm) -> None:
    world, half = firm.world, {"period": "2026-01-01/2026-07-01"}
    then = {**half, "as_of": firm.before.isoformat()}
    assert await world.grouped("earnings", "rep", **then) == await by_hand(
        firm, EARNED, "r.name", firm.before
    )
    assert await world.value("earnings", **then) == 7_500


async def test_payout(firm: Firm) -> None:
    world, q2 = firm.world, {"period": "2026-Q2"}
    assert await world.grouped("payout", "rep", **q2) == await by_hand(firm, ["payment"], "r.name")
    assert await world.grouped("payout", "rep", **q2) == {"Ann": 6_500, "Bob": 1_250}, "Bob's draw was higher"
    assert await world.grouped("payout", "manager", **q2) == {"Lead": 7_750}
    assert (await world.bucketed("payout", **q2, grain="month"))["2026-04-01"] == 7_750
    assert await world.value("payout", **q2, as_of="2026-01-01") == 0


async def test_rates_of_pay(firm: Firm) -> None:
    world = firm.world
    row = await world.one("commission_rate", **Q1, filters={"rep": "Bob"})
    assert (row["value"], row["numerator"], row["denominator"]) == (D("0.1"), 1_000, 10_000)
    row = await world.one("cost_of_sales_pay", **Q1, filters={"rep": "Bob"})
    assert row["numerator"] == 1_250, "200 euros of the draw beside the 800"
    managers = await world.grouped("commission_rate", "manager", **Q1)
    assert managers["Lead"] == D(7_000) / 80_000, (
        "the reopened deal is booked no more, but earned it was in March"
    )
    assert (await world.one("commission_rate", **Q1, as_of=firm.before.isoformat()))["denominator"] == 100_000
    months = await world.bucketed("cost_of_sales_pay", **Q1, grain="month")
    assert months["2026-01-01"] == D("0.1")
    none = await world.one("commission_rate", period="2027", filters={"rep": "Ann"})
    assert (none["value"], none["null_reason"]) == (None, "zero_denominator")


async def test_earnings_to_target(firm: Firm) -> None:
    world = firm.world
    row = await world.one("earnings_to_target", **Q1, filters={"rep": "Ann"})
    assert (row["value"], row["denominator"]) == (D(6_500) / 18_000, 18_000), "200 a day, for 90 days"
    reps = {
        r["dimensions"]["rep"]["name"]: r for r in await world.rows("earnings_to_target", **Q1, by=["rep"])
    }
    assert reps["Bob"]["denominator"] == 22_500, "in euros: 18,000"
    months = await world.bucketed("earnings_to_target", **Q1, grain="month", filters={"rep": "Ann"})
    assert months["2026-02-01"] == 0
    managers = await world.grouped("earnings_to_target", "manager", **Q1)
    assert managers == {"Lead": D(7_500) / 40_500}


@pytest.mark.parametrize("name", METRICS)
async def test_for_whom(firm: Firm, name: str) -> None:
    world = firm.world
    rows = {row["name"]: row["id"] for row in await world.listed("reps", world.admin)}

    def acting(role: str, rep: str) -> Any:
        return world.company.principal(role, rep_id=rows[rep])

    for role in ("analyst", "integration"):
        with pytest.raises(Forbidden):
            await world.value(name, period="2026", principal=world.company.principal(role))
    own = await world.rows(name, period="2026", by=["rep"], principal=acting("rep", "Ann"))
    seen = {row["dimensions"]["rep"]["name"] for row in own if row["numerator"] or row["value"]}
    assert seen <= {"Ann"}
    await world.value(name, period="2026", principal=acting("manager", "Lead"))
