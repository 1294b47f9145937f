"""Each way to the same pay, in turns."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from app.areas import CATALOGUE
from app.ground.database.embedded import SUPERUSER, Embedded
from app.ground.database.session import Database
from app.sales.incentives.assigned import assigned
from app.sales.incentives.ledger import Pay, calculate, prepared
from benchmarks.pay import firm
from benchmarks.pay.firm import FIRST, LAST, Firm

_BY_HAND = (Path(__file__).parent / "by_hand.sql").read_text()
_CHANGES = 5
"""Deals that change in a round, one after the other."""


@dataclass(slots=True)
class Measured:
    """Seconds, a figure for each round; `one_deal` has some for each."""

    credits: int
    earlier: int
    by_hand: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    what_if: list[float] = field(default_factory=list)
    one_deal: list[float] = field(default_factory=list)
    lines: int = 0
    entries: int = 0


async def _timed(into: list[float], work: Callable[[], Awaitable[Any]]) -> Any:
    began = time.perf_counter()
    found = await work()
    into.append(time.perf_counter() - began)
    return found


@dataclass(slots=True)
class Paying:
    firm: Firm
    database: Database
    bare: asyncpg.Connection

    async def by_hand(self) -> list[Any]:
        zone = self.firm.principal.tenant.timezone
        return await self.bare.fetch(_BY_HAND, self.firm.tenant_id, zone, FIRST, LAST, self.firm.version_id)

    async def calculate(self, period_id: UUID, rep_id: UUID | None = None) -> None:
        async with self.database.transaction(self.firm.tenant_id) as session:
            pay = Pay.of(session, CATALOGUE, self.firm.principal)
            await calculate(pay, period_id, None if rep_id is None else [rep_id])

    async def what_if(self) -> list[Any]:
        """What each rep would get; nothing is written."""
        async with self.database.transaction(self.firm.tenant_id) as session:
            pay = Pay.of(session, CATALOGUE, self.firm.principal)
            row = await session.connection.fetchrow(
                "select id, starts_on, ends_on from comp_periods where tenant_id = $1 and id = $2",
                self.firm.tenant_id, self.firm.period_id,
            )  # fmt: skip
            period = pay.period(row)
            found = await assigned(session, CATALOGUE, pay.principal, (period.first, period.last), None)
            asked, text = await prepared(pay, period, found, only=False)
            return await asked.of(
                session, f"with {text} select rep_id, sum(amount) as pays from computed group by rep_id"
            )

    async def close(self, period_id: UUID) -> None:
        await self.calculate(period_id)
        await self.bare.execute(
            "update comp_periods set state = 'closed', calculated_at = now(), closed_at = now()"
            " where tenant_id = $1 and id = $2",
            self.firm.tenant_id, period_id,
        )  # fmt: skip

    async def forget(self) -> None:
        """Of the period that is measured, so that the next calculation is its first again."""
        for table in ("ledger_entries", "statement_lines", "statements"):
            if self.firm.earlier:
                await self.bare.execute(
                    f"delete from {table} where tenant_id = $1 and period_id = $2",
                    self.firm.tenant_id,
                    self.firm.period_id,
                )
            else:
                await self.bare.execute(f"truncate {table} cascade")
        await self.bare.execute("vacuum ledger_entries, statement_lines, statements")
        await self.bare.execute("checkpoint")

    async def change(self, number: int) -> UUID:
        """One deal is worth more; whose."""
        row: Any = await self.bare.fetchrow(_CHANGE, self.firm.tenant_id, number, FIRST, LAST)
        return row["owner_id"]

    async def demand_same(self, rows: list[Any]) -> None:
        """By rep and tier what is credited and earned, but for the minor units that splits leave to one of two."""
        lines = await self.bare.fetch(_LINES, self.firm.tenant_id, self.firm.period_id)
        ours = {(x["rep_id"], x["tier"]): x for x in lines}
        theirs = {(x["rep_id"], x["tier"]): x for x in rows}
        if not ours or ours.keys() != theirs.keys():
            raise AssertionError(f"{len(ours)} sums by rep and tier, {len(theirs)} by hand")
        for key, one in ours.items():
            for name in ("credited", "earned"):
                if abs(one[name] - theirs[key][name]) > Decimal("0.02") * one["lines"]:
                    raise AssertionError(f"{key}: {name} {one[name]}, by hand {theirs[key][name]}")


_LINES = """
select rep_id, tier, count(*) as lines, sum((trace->'tier'->>'piece')::numeric) as credited,
       sum((trace->>'exact')::numeric) as earned
from statement_lines where tenant_id = $1 and period_id = $2 and component = 'commission' and tier > 0
group by rep_id, tier
"""

_CHANGE = """
update opportunities set amount = amount + 100, version = version + 1, updated_at = now()
where tenant_id = $1 and id = (
  select id from opportunities
  where tenant_id = $1 and closed_at >= $3::date and closed_at < $4::date and category <> 'open'
  order by closed_at limit 1 offset $2
)
returning owner_id
"""


async def measure(
    server: Embedded, credits: int, earlier: int, reps: int, rounds: int, say: Callable[[str], None]
) -> Measured:
    filled = await firm.fill(server, credits, earlier, reps)
    found = Measured(credits, earlier)
    database = await Database.open(server.app_url, size=2, statement_timeout_ms=3_600_000)
    bare = await asyncpg.connect(server.url(SUPERUSER), server_settings={"jit": "off"})
    paying = Paying(filled, database, bare)
    try:
        for period_id in filled.earlier:
            await paying.close(period_id)
            say("  closed one before")
        for round_ in range(rounds):
            await paying.forget()
            rows = await _timed(found.by_hand, paying.by_hand)
            await _timed(found.first, lambda: paying.calculate(filled.period_id))
            await paying.demand_same(rows)
            [counts] = await paying.bare.fetch(_COUNTS, filled.tenant_id, filled.period_id)
            found.lines, found.entries = counts["lines"], counts["entries"]
            await _timed(found.again, lambda: paying.calculate(filled.period_id))
            await _timed(found.what_if, paying.what_if)
            for number in range(_CHANGES):
                rep_id = await paying.change(round_ * _CHANGES + number)
                await _timed(found.one_deal, lambda rep=rep_id: paying.calculate(filled.period_id, rep))
            say(
                f"  by hand {found.by_hand[-1]:.2f} s, first {found.first[-1]:.2f}, again {found.again[-1]:.2f},"
                f" what-if {found.what_if[-1]:.2f}, one deal {found.one_deal[-1]:.3f}"
            )
    finally:
        await bare.close()
        await database.close()
    return found


_COUNTS = """
select (select count(*) from statement_lines where tenant_id = $1 and period_id = $2) as lines,
       (select count(*) from ledger_entries where tenant_id = $1 and period_id = $2) as entries
"""
