"""Whatever happens, in whatever order: the ledger is what a reckoning from nothing gives, and what is posted stays."""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from tests.sales.conftest import Firm
from tests.sales.incentives import oracle
from tests.sales.incentives.lives import Life

AMENDMENTS = int(os.environ.get("ATTAIN_TEST_AMENDMENTS", "40"))
LIVES = (("UTC", False, 1), ("America/New_York", True, 2))

_POSTED = """
select count(*) as n, md5(coalesce(string_agg(md5(e::text), '' order by e.id), '')) as seal, max(e.created_at) as last
from ledger_entries e where e.tenant_id = $1 and ($2::timestamptz is null or e.created_at <= $2)
"""
_CLOSED = """
select p.id, md5(coalesce(string_agg(s.row, '' order by s.row), '')) as seal
from comp_periods p left join (
  select period_id, s::text as row from statements s where s.tenant_id = $1
  union all
  select period_id, l::text from statement_lines l where l.tenant_id = $1
) s on s.period_id = p.id
where p.tenant_id = $1 and p.state = 'closed' group by p.id
"""
_SUMS = """
select coalesce(s.rep_id, l.rep_id, e.rep_id) as rep_id, s.total, s.held, s.earned + s.adjusted + s.drawn as stated,
       coalesce(l.amount, 0) as lines, coalesce(e.amount, 0) as entries, s.id as statement
from statements s
full join (select rep_id, period_id, currency, sum(amount) as amount from statement_lines where tenant_id = $1
           group by 1, 2, 3) l using (rep_id, period_id, currency)
full join (select rep_id, period_id, currency, sum(amount) as amount from ledger_entries
           where tenant_id = $1 and kind <> 'payment' group by 1, 2, 3) e using (rep_id, period_id, currency)
where s.tenant_id is null or s.tenant_id = $1
"""
_BALANCES = """
select currency, account, sum(amount) as amount from (
  select currency, credit as account, amount from ledger_entries where tenant_id = $1
  union all
  select currency, debit, -amount from ledger_entries where tenant_id = $1
) x group by 1, 2
"""
_OWED = """
select currency, sum(total) as payable, sum(held) as held, -sum(earned + adjusted) as expense, -sum(drawn) as draw
from statements where tenant_id = $1 group by 1
"""
_EARNED = """
select l.earned_period_id, e.rep_id, e.currency, l.component, e.opportunity_id, l.credited_rep_id, l.tier,
       e.credit as account, sum(e.amount) as amount
from ledger_entries e join statement_lines l on l.tenant_id = $1 and l.id = e.line_id
where e.tenant_id = $1 and e.kind not in ('draw', 'payment')
group by 1, 2, 3, 4, 5, 6, 7, 8 having sum(e.amount) <> 0
"""
_LINES = """
select l.rep_id, l.currency, p.id as period, p.starts_on, l.posting, l.account, l.trace, l.amount
from statement_lines l join comp_periods p on p.tenant_id = $1 and p.id = l.period_id where l.tenant_id = $1
"""

Earned = dict[Any, dict[oracle.Key, Fraction]]


class Watch:
    """What was seen at the step before."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.posted: Any = None
        self.closed: dict[Any, str] = {}

    async def nothing_posted_has_changed(self) -> None:
        [now] = await self.life.fetch(_POSTED, None)
        if self.posted is not None:
            [then] = await self.life.fetch(_POSTED, self.posted["last"])
            assert (then["n"], then["seal"]) == (self.posted["n"], self.posted["seal"])
        self.posted = now if now["n"] else None

    async def nothing_closed_has_changed(self) -> None:
        now = {x["id"]: x["seal"] for x in await self.life.fetch(_CLOSED)}
        assert {k: v for k, v in now.items() if k in self.closed} == {
            k: v for k, v in self.closed.items() if k in now
        }
        self.closed = now


async def agrees(life: Life) -> None:
    for row in await life.fetch(_SUMS):
        assert row["statement"] is not None
        assert row["entries"] == row["lines"] == row["stated"] == row["total"] + row["held"]


async def balances(life: Life) -> None:
    """Each amount leaves one account for another, and what the accounts hold is what the statements say."""
    held: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in await life.fetch(_BALANCES):
        held[row["currency"]][row["account"]] = row["amount"]
    for accounts in held.values():
        assert sum(accounts.values()) == 0
    for row in await life.fetch(_OWED):
        accounts = held[row["currency"]]
        assert accounts["payable"] + accounts["cash"] == row["payable"]
        assert [accounts[x] for x in ("held", "expense", "draw")] == [
            row[x] for x in ("held", "expense", "draw")
        ]


async def earned(life: Life) -> Earned:
    """Over all periods that have posted it."""
    found: Earned = defaultdict(dict)
    for row in await life.fetch(_EARNED):
        period, *key, amount = row
        found[period][oracle.Key(*key)] = Fraction(amount)
    return found


async def reckoned(life: Life) -> Earned:
    """From nothing, what each closed period and the first open one have earned: the ledger has no word on others."""
    world, found = await life.world(), {}
    for row in await life.periods():
        found[row["id"]] = oracle.earned(world, (row["starts_on"], row["ends_on"]))
        if row["state"] != "closed":
            break
    return found


async def is_what_a_reckoning_gives(life: Life) -> None:
    posted = await earned(life)
    for period, wanted in (await reckoned(life)).items():
        if posted[period] != wanted:
            keys = [k for k in {*posted[period], *wanted} if posted[period].get(k) != wanted.get(k)]
            pytest.fail("\n".join(
                [f"after {life.told}"]
                + [f"{k}: posted {posted[period].get(k)}, reckoned {wanted.get(k)}" for k in keys[:5]]
            ))  # fmt: skip


def _offered(world: oracle.World, days: tuple[date, date]) -> dict[Any, tuple[Fraction, bool]]:
    """The highest draw of each rep and currency, for the days of the assignment."""
    found: dict[Any, tuple[Fraction, bool]] = {}
    for one in world.assignments:
        first, last = max(one.starts_on, days[0]), min(one.ends_on or date.max, days[1])
        plan = world.plans[one.plan]
        version = oracle.in_force(plan, first) if first < last else None
        for component in version.components if version else ():
            if component.kind == "draw" and component.amount is not None:
                part = component.amount * (last - first).days / (days[1] - days[0]).days
                amount = oracle.rounded(part, world.digits[plan.currency])
                key = one.rep, plan.currency
                found[key] = max(found.get(key, (amount, True)), (amount, True))
    return found


async def draws(life: Life) -> None:
    """What the first open period draws is told by what it posts, and by what earlier ones have drawn."""
    world = await life.world()
    now = next(x for x in await life.periods() if x["state"] != "closed")
    offered = _offered(world, (now["starts_on"], now["ends_on"]))
    posted: dict[Any, Fraction] = defaultdict(Fraction)
    advanced: dict[Any, Fraction] = defaultdict(Fraction)
    drawn: dict[Any, Fraction] = defaultdict(Fraction)
    for row in await life.fetch(_LINES):
        key = row["rep_id"], row["currency"]
        if row["posting"] == "draw" and row["starts_on"] < now["starts_on"]:
            advanced[key] += Fraction(row["amount"])
        elif row["period"] == now["id"] and row["posting"] == "draw":
            drawn[key] += Fraction(row["amount"])
        elif row["period"] == now["id"] and row["account"] == "payable":
            posted[key] += Fraction(row["amount"])
    for key in {*drawn, *offered}:
        told = offered.get(key)
        wanted = oracle.drawn(told[0], posted[key], advanced[key], recoverable=told[1]) if told else 0
        assert drawn[key] == wanted, key


def _named(names: dict[Any, str], found: dict[oracle.Key, Fraction]) -> dict[oracle.Key, Fraction]:
    return {
        key._replace(**{x: names.get(getattr(key, x)) for x in ("rep", "deal", "credited")}): amount
        for key, amount in found.items()
    }


async def told(life: Life) -> dict[str, dict[oracle.Key, Fraction]]:
    """What is earned by closed periods and the first open one, in names that another firm has as well."""
    names = {
        x["record_id"]: x["external_id"]
        for x in await life.fetch("select record_id, external_id from external_ids where tenant_id = $1")
    }
    found, posted = {}, await earned(life)
    for row in await life.periods():
        found[row["period"]] = _named(names, posted[row["id"]])
        if row["state"] != "closed":
            break
    return found


async def another(life: Life, company: Any, *, shuffled: bool) -> Life:
    """A firm that has come to the same state: at once, or in another order, with pay reckoned and closed between."""
    other = Life(Firm(company, company.principal(), life.firm.database), Random(7), life.zone, life.ties)
    await other.begin()
    writes = await other.retell(life, await life.world(), shuffled=shuffled)
    closed = sum(x["state"] == "closed" for x in await life.periods())
    pieces = closed + 1 if shuffled else 1
    for piece in range(pieces):
        for write in writes[piece::pieces]:
            await write()
        if piece < closed:
            await other.close_period()
    for row in (await other.periods())[: closed + 1]:
        await other.firm.act("comp_periods", "calculate", row["id"])
        if row["state"] != "closed" and sum(x["state"] == "closed" for x in await other.periods()) < closed:
            await other.close_period()
    return other


@pytest.mark.parametrize(("zone", "ties", "seed"), LIVES)
async def test_a_life(make_tenant: Any, database: Any, zone: str, ties: bool, seed: int) -> None:
    company = await make_tenant(timezone=zone)
    life = Life(Firm(company, company.principal(), database), Random(seed), zone, ties)
    await life.begin()
    await life.hire()
    watch = Watch(life)
    for _ in range(5):
        await life.win()
    for _ in range(AMENDMENTS):
        await life.step()
        await life.calculate()
        await watch.nothing_posted_has_changed()
        await watch.nothing_closed_has_changed()
        await agrees(life)
        await balances(life)
        await draws(life)
        await is_what_a_reckoning_gives(life)
    other = await another(life, await make_tenant(timezone=zone), shuffled=not ties)
    await is_what_a_reckoning_gives(other)
    assert await told(other) == await told(life)
