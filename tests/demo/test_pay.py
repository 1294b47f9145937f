"""The demo is paid by its plans: what is posted is what plain Python makes of the rows, and stays so."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.areas import CATALOGUE, found
from app.demo import pay
from app.demo.generate import generate
from app.demo.load import load
from app.ground.access.principal import Principal
from app.ground.access.tenants import create_tenant
from app.ground.database.session import Database, connect
from app.language.resources import write
from app.sales.incentives.assigned import assigned
from app.sales.incentives.ledger import Pay, prepared
from tests.demo.oracle import Oracle
from tests.demo.pay import QUARTERS, Payroll


@dataclass(frozen=True)
class Paid:
    database: Database
    principal: Principal
    payroll: Payroll

    async def fetch(self, sql: str, *given: Any) -> list[Any]:
        async with self.database.transaction(self.principal.tenant_id) as session:
            return await session.connection.fetch(sql, self.principal.tenant_id, *given)

    async def closed(self) -> list[Any]:
        return await self.fetch(
            "select * from comp_periods where tenant_id = $1 and state = 'closed' order by starts_on"
        )


@pytest_asyncio.fixture(scope="module")
async def paid(database: Database, owner_url: str) -> Paid:
    owner = await connect(owner_url)
    try:
        principal = Principal(await create_tenant(owner, name="Demo, paid", seed=found), "admin")
        demo = generate(opportunities=3_000, accounts=300, internal_activities=50)
        await load(database, principal, demo)
        await owner.execute("analyze opportunities, opportunities_history, reps_history")
    finally:
        await owner.close()
    await pay.settle(database, principal)
    return Paid(database, principal, Payroll(Oracle(demo)))


async def test_every_quarter_that_is_over_is_closed_and_all_but_the_last_paid(paid: Paid) -> None:
    assert [x["starts_on"] for x in await paid.closed()] == [first for first, _ in QUARTERS]
    assert all(x["left_out"] == {} for x in await paid.closed())
    rows = await paid.fetch(
        """select p.starts_on, array_agg(distinct o.state) as states from payouts o
           join comp_periods p on p.tenant_id = $1 and p.id = o.period_id
           where o.tenant_id = $1 group by p.starts_on order by p.starts_on"""
    )
    assert [row["states"] for row in rows] == [["paid"]] * 6 + [["due"]]


@pytest.mark.parametrize("place", range(len(QUARTERS)), ids=lambda x: str(QUARTERS[x][0]))
async def test_each_rep_is_paid_what_plain_python_reckons(paid: Paid, place: int) -> None:
    first, _ = QUARTERS[place]
    rows = await paid.fetch(
        """select r.name, s.total from statements s
           join comp_periods p on p.tenant_id = $1 and p.id = s.period_id
           join reps r on r.tenant_id = $1 and r.id = s.rep_id
           where s.tenant_id = $1 and p.starts_on = $2 and s.total <> 0""",
        first,
    )
    payroll = paid.payroll
    expected = {payroll.oracle.reps[rep]["name"]: x for rep, x in payroll.by_rep(first).items()}
    assert {row["name"]: row["total"] for row in rows} == expected
    assert len(expected) > 20


async def test_the_parts_are_there(paid: Paid) -> None:
    """A quarter without a bonus, a spiff or a draw would show none of them."""
    rows = await paid.fetch(
        "select kind, count(*) as n from statement_lines where tenant_id = $1 and amount <> 0 group by kind"
    )
    assert {row["kind"] for row in rows} == {"commission", "spiff", "overlay", "override", "bonus", "draw"}


async def test_a_replay_of_a_closed_quarter_with_its_own_plan_is_the_ledger(paid: Paid) -> None:
    for row in await paid.closed():
        async with paid.database.transaction(paid.principal.tenant_id) as session:
            reckoning = Pay.of(session, CATALOGUE, paid.principal)
            period = reckoning.period(row)
            who = await assigned(session, CATALOGUE, reckoning.principal, (period.first, period.last), None)
            asked, text = await prepared(reckoning, period, who, only=False)
            computed = await session.connection.fetch(
                f"with {text} select line_key, amount from computed", *asked.arguments
            )
        posted = await paid.fetch(
            """select l.line_key, sum(e.amount) as amount from ledger_entries e
               join statement_lines l on l.tenant_id = $1 and l.id = e.line_id
               where e.tenant_id = $1 and e.earned_period_id = $2 and e.kind <> 'draw' group by l.line_key""",
            row["id"],
        )
        assert len(posted) > 200
        assert {x["line_key"]: x["amount"] for x in computed if x["amount"]} == {
            x["line_key"]: x["amount"] for x in posted
        }


async def test_calculated_again_nothing_is_posted(paid: Paid) -> None:
    async def entries() -> int:
        return len(await paid.fetch("select 1 from ledger_entries where tenant_id = $1"))

    before = await entries()
    noun = CATALOGUE["comp_periods"]
    for row in await paid.closed():
        async with paid.database.transaction(paid.principal.tenant_id) as session:
            verb = noun.actions_by_name["calculate"]
            await write.act(session, paid.principal, CATALOGUE, noun, verb, str(row["id"]), None)
    assert await entries() == before


async def test_what_was_paid_is_what_was_owed(paid: Paid) -> None:
    """Each rep's account: what was posted to it, less what was paid, is what is due."""
    accounts: dict[Any, Decimal] = defaultdict(Decimal)
    for row in await paid.fetch(
        "select rep_id, debit, credit, amount from ledger_entries where tenant_id = $1"
    ):
        if row["credit"] == "payable":
            accounts[row["rep_id"]] += row["amount"]
        if row["debit"] == "payable":
            accounts[row["rep_id"]] -= row["amount"]
    due = await paid.fetch(
        "select rep_id, sum(amount) as amount from payouts where tenant_id = $1 and state = 'due' group by rep_id"
    )
    assert {rep: x for rep, x in accounts.items() if x} == {row["rep_id"]: row["amount"] for row in due}
    [money] = await paid.fetch(
        """select (select sum(amount) from payouts where tenant_id = $1 and state = 'paid') as payouts,
                  (select sum(amount) from ledger_entries where tenant_id = $1 and kind = 'payment') as payments,
                  (select sum(total) from statements s join comp_periods p on p.tenant_id = $1 and p.id = s.period_id
                   where s.tenant_id = $1 and p.starts_on < $2) as statements""",
        QUARTERS[-1][0],
    )  # fmt: skip
    assert money["payouts"] == money["payments"] == money["statements"] > 0


async def test_settled_again_nothing_happens(paid: Paid) -> None:
    tables = ("ledger_entries", "statement_lines", "payouts", "comp_periods", "comp_plan_versions")
    before = [await paid.fetch(f"select t::text from {x} t where tenant_id = $1 order by id") for x in tables]
    await pay.settle(paid.database, paid.principal)
    again = [await paid.fetch(f"select t::text from {x} t where tenant_id = $1 order by id") for x in tables]
    assert before == again
