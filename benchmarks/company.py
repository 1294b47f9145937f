"""The rows that are measured on: two customers, of which the larger one has four fifths.

Written by set-based SQL as the superuser, with the foreign-key triggers off: the rows are right by construction, and a
million of them are there within minutes. Every value follows from the row's number, so two fills are alike.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from app.areas import CATALOGUE, found
from app.ground.access.keys import create_key
from app.ground.access.tenants import create_tenant
from app.ground.database.embedded import SUPERUSER, Embedded
from app.ground.database.session import Session, connect
from app.ground.database.tables import metadata
from app.language.resources.reindex import reindex
from benchmarks import histories

LARGER, SMALLER = "Bench larger", "Bench smaller"
SOURCE = "crm"
REPS = {LARGER: 1600, SMALLER: 400}
BLOCK = 250
"""Reps under one head of sales and himself: 8 managers, and 241 who sell."""

_CHUNK = 100_000

Say = Callable[[str], None]
FillOne = Callable[[asyncpg.Connection, UUID, int, int, Say], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Company:
    """The larger customer, and who asks."""

    tenant_id: UUID
    manager_id: UUID
    manager_key: str
    admin_key: str
    opportunities: int
    accounts: int
    stages: int
    owners: tuple[UUID, ...]
    """Below the manager, each with enough deals in the stage that is asked for to fill a page."""
    stage_id: UUID
    pipeline_id: UUID


def _dice(number: str, seed: int, sides: int) -> str:
    """A whole number below `sides` that follows from the row's number."""
    return f"((hashint4extended({number}, {seed}) & 1073741823) % {sides})::int"


async def fill(server: Embedded, rows: int, say: Say, one: FillOne | None = None) -> None:
    """Both customers, with `rows` opportunities in all; `one` fills each. Nothing where they are there already."""
    one = one or fill_one
    owner = await connect(server.owner_url)
    try:
        if await owner.fetchval("select exists (select from control.tenants where name = $1)", SMALLER):
            return
        larger = await create_tenant(owner, name=LARGER, seed=found)
        smaller = await create_tenant(owner, name=SMALLER, seed=found)
    finally:
        await owner.close()
    async with writing(server) as writer:
        for tenant, share in ((larger, rows * 4 // 5), (smaller, rows - rows * 4 // 5)):
            began = time.perf_counter()
            await one(writer, tenant.id, REPS[tenant.name], max(share, 100), say)
            say(f"{tenant.name}: {share:,} opportunities in {time.perf_counter() - began:.0f} s")
        await tidy(writer)


@asynccontextmanager
async def writing(server: Embedded) -> AsyncIterator[asyncpg.Connection]:
    writer = await connect(server.url(SUPERUSER))
    try:
        await writer.execute(
            "set session_replication_role = replica; set synchronous_commit = off; set work_mem = '128MB'"
        )
        yield writer
    finally:
        await writer.close()


async def fill_one(writer: asyncpg.Connection, tenant_id: UUID, reps: int, deals: int, say: Say) -> None:
    """A customer that has nothing yet."""
    await Filling(writer, tenant_id, reps, deals, say).run()
    await reindex(writer, tenant_id, CATALOGUE)


async def tidy(writer: asyncpg.Connection) -> None:
    """What a day of use and autovacuum would have done: keys with their answers, all rows marked visible, statistics
    there, pages written."""
    await writer.execute("delete from idempotency_keys where caller <> $1", _YESTERDAY)
    await writer.execute(_KEYS, _YESTERDAY)
    await writer.execute("vacuum (analyze)")
    await writer.execute("checkpoint")


_YESTERDAY = "yesterday"
_KEYS = """
insert into idempotency_keys (tenant_id, caller, key, route, body_hash, status, headers, body)
select tenant_id, $1, id::text, 'POST /v1/opportunities', sha256(id::text::bytea), 201, '{}',
    convert_to(to_json(o)::text, 'UTF8')
from (select * from opportunities order by id limit 20000) o on conflict do nothing
"""
"""An empty table is read from end to end, by a plan that a connection keeps while the table grows."""


class Filling:
    """`versions`: of each deal's history. `spread`: whether few sellers, of few deals, are of all blocks."""

    def __init__(
        self,
        writer: asyncpg.Connection,
        tenant: UUID,
        reps: int,
        deals: int,
        say: Say,
        *,
        versions: int = 2,
        spread: bool = False,
    ) -> None:
        self.writer = writer
        self.tenant = tenant
        self.reps = reps
        self.deals = deals
        self.versions = versions
        self.spread = spread
        self.accounts = max(deals // 5, 20)
        self.say = say

    async def run(self) -> None:
        await self.writer.execute(_SCRATCH)
        for statement in (_TERRITORIES, _TEAMS, _PIPELINE, _STAGES, _RATES):
            await self.writer.execute(statement, self.tenant)
        await self.writer.execute(_REPS, self.tenant, self.reps, self.spread)
        await self.writer.execute(_REACH, self.tenant)
        sellers = min(self.reps - 1 - 9 * -(-(self.reps - 1) // BLOCK), max(self.deals // 500, 4))
        await self.writer.execute(_ACCOUNTS, self.tenant, self.accounts, sellers)
        for table in (
            "reps", "accounts", "stages", "pipelines", "teams", "territories", "exchange_rates",
        ):  # fmt: skip
            await self.writer.execute(histories.of_records(metadata.tables[table]), self.tenant)
        for first in range(0, self.deals, _CHUNK):
            last = min(first + _CHUNK, self.deals)
            await self.writer.execute(_OPPORTUNITIES, self.tenant, first, last, self.accounts, sellers)
            if self.deals > _CHUNK:
                self.say(f"  {last:,} opportunities")
        # Else the second customer's joins are planned as of a handful of rows, and never end.
        await self.writer.execute("analyze")
        for statement in (*histories.of_deals(self.versions), _SPLITS, _TEAM, _NAMES, _EVENTS):
            await self.writer.execute(statement, self.tenant)


_SCRATCH = """
drop table if exists bench_reps, bench_sellers, bench_accounts;
create temp table bench_reps (n int primary key, id uuid);
create temp table bench_sellers (n int primary key, id uuid);
create temp table bench_accounts (n int primary key, id uuid, seller int)
"""

_TERRITORIES = """
insert into territories (tenant_id, name) select $1, 'Territory ' || n from generate_series(1, 8) n
"""

_TEAMS = "insert into teams (tenant_id, name) select $1, 'Team ' || n from generate_series(1, 8) n"

_PIPELINE = "insert into pipelines (tenant_id, name, is_default) values ($1, 'New business', true)"

_STAGES = """
insert into stages (tenant_id, pipeline_id, name, position, category, probability, forecast_category)
select $1, p.id, s.name, s.position, s.category, s.probability, s.forecast
from pipelines p, (values
    ('Lead', 0, 'open', 0.1, 'pipeline'), ('Qualified', 1, 'open', 0.25, 'pipeline'),
    ('Proposal', 2, 'open', 0.5, 'best_case'), ('Negotiation', 3, 'open', 0.75, 'commit'),
    ('Won', 4, 'won', 1, 'closed'), ('Lost', 5, 'lost', 0, 'omitted'), ('Abandoned', 6, 'abandoned', 0, 'omitted')
) s (name, position, category, probability, forecast) where p.tenant_id = $1
"""

_RATES = """
insert into exchange_rates (tenant_id, from_currency, to_currency, on_day, rate)
select $1::uuid, 'EUR', 'USD', (current_date - n * 30), 1.05 + n * 0.002 from generate_series(0, 35) n
union all
select $1::uuid, 'GBP', 'USD', (current_date - n * 30), 1.25 + n * 0.002 from generate_series(0, 13) n
"""

_REPS = f"""
with made as (
    insert into bench_reps select n, uuidv7() from generate_series(0, $2::int - 1) n returning n, id
), placed as (
    select n, id, case
        when n = 0 then null
        when (n - 1) % {BLOCK} = 0 then 0
        when (n - 1) % {BLOCK} <= 8 then n - (n - 1) % {BLOCK}
        else n - (n - 1) % {BLOCK} + 1 + (n - 1) % 8
    end as manager from made
), sellers as (
    insert into bench_sellers
    select row_number() over (order by case when $3 then (n - 1) % {BLOCK} end, n) - 1, id from placed
    where n > 0 and (n - 1) % {BLOCK} > 8
), teams_ as (
    select id, row_number() over (order by name) as n from teams where tenant_id = $1
), territories_ as (
    select id, row_number() over (order by name) as n from territories where tenant_id = $1
)
insert into reps (tenant_id, id, name, email, title, function, manager_id, team_id, territory_id, hired_on,
                  external_ids)
select $1, p.id, 'Rep ' || p.n, 'rep' || p.n || '@example.com',
       case when p.n = 0 then 'Chief Revenue Officer' when (p.n - 1) % {BLOCK} <= 8 then 'Sales Manager'
            else 'Account Executive' end,
       case when p.n = 0 or (p.n - 1) % {BLOCK} <= 8 then 'manager' else 'field' end,
       m.id, t.id, y.id, date '2020-01-01' + p.n,
       jsonb_build_array(jsonb_build_object('source', '{SOURCE}', 'external_id', 'rep-' || p.n, 'url', null))
from placed p left join made m on m.n = p.manager
join teams_ t on t.n = 1 + p.n % 8 join territories_ y on y.n = 1 + p.n % 8
"""

_REACH = """
with recursive above as (
    select r.id as manager_id, r.id as rep_id, 0 as depth from reps r where r.tenant_id = $1
    union all
    select m.manager_id, above.rep_id, above.depth + 1
    from above join reps m on m.tenant_id = $1 and m.id = above.manager_id where m.manager_id is not null
)
insert into rep_reach (tenant_id, manager_id, rep_id, depth) select $1, manager_id, rep_id, depth from above
"""

_ACCOUNTS = f"""
with made as (
    insert into bench_accounts select n, uuidv7(), {_dice("n", 1, 1_000_000)} % $3::int
    from generate_series(0, $2::int - 1) n returning n, id, seller
), territories_ as (
    select id, row_number() over (order by name) as n from territories where tenant_id = $1
)
insert into accounts (tenant_id, id, name, owner_id, territory_id, industry, segment, employees, country, website,
                      external_ids)
select $1, a.id, 'Account ' || a.n, s.id, y.id,
       (array['retail', 'software', 'health', 'energy', 'finance', 'logistics'])[1 + a.n % 6],
       (array['enterprise', 'mid_market', 'small'])[1 + a.n % 3], 10 + {_dice("a.n", 2, 20_000)},
       (array['United States', 'Germany', 'France', 'Japan', 'Brazil'])[1 + a.n % 5],
       'https://account-' || a.n || '.example.com',
       jsonb_build_array(jsonb_build_object('source', '{SOURCE}', 'external_id', 'account-' || a.n, 'url', null))
from made a join bench_sellers s on s.n = a.seller join territories_ y on y.n = 1 + a.n % 8
"""

# The third stage has a fifth of all deals. Four of five deals belong to the owner of their account. A few have no
# amount, no day of opening or of closing, or a currency without a rate in older days.
_OPPORTUNITIES = f"""
with stages_ as (select id, pipeline_id, position, category from stages where tenant_id = $1),
rolled as (
    select n, {_dice("n", 3, 1_000_000)} % $4::int as account, {_dice("n", 4, 1_000_000)} % $5::int as other,
           case when n % 40 = 21 then 6
               else (array[0, 1, 2, 2, 3, 4, 4, 4, 5, 5])[1 + {_dice("n", 5, 10)}] end as position,
           now() - interval '1 day' * (40 + {_dice("n", 6, 690)}) as opened,
           1 + {_dice("n", 7, 39)} as days, {_dice("n", 8, 180)} as close_in, {_dice("n", 9, 10_000)} as cents
    from generate_series($2::int, $3::int - 1) n
)
insert into opportunities (
    tenant_id, name, account_id, owner_id, pipeline_id, stage_id, category, amount, currency, term_months, type,
    sales_channel, lead_source, opened_at, expected_close_on, closed_at, probability, forecast_category, loss_reason,
    competitor, next_step, credited_owner_id, stage_entered_at, push_count, external_ids, created_at, updated_at
)
select $1, 'Deal ' || r.n || ' with account ' || r.account, a.id, o.id, s.pipeline_id, s.id, s.category,
       case when r.n % 50 = 7 then null when r.n % 100 = 9 then 0 else 500 + r.cents * 7.25 end,
       case when r.n % 10 = 0 then 'EUR' when r.n % 200 = 3 then 'GBP' else 'USD' end,
       (array[12, 24, null, 36, 6, 12, 7])[1 + r.n % 7],
       (array['new_business', 'expansion', 'renewal'])[1 + r.n % 3],
       (array['direct', 'partner', 'online'])[1 + r.n % 3],
       (array['referral', 'event', 'web', 'outbound'])[1 + r.n % 4],
       case when not (r.n < 20000 and r.n % 200 = 11) then r.opened end,
       case when s.category = 'open' then current_date + r.close_in
            else (r.opened + interval '1 day' * r.days)::date end,
       case when s.category <> 'open' and not (r.n < 20000 and r.n % 200 = 13)
            then r.opened + interval '1 day' * r.days end,
       case when r.n % 4 = 0 then 0.35 end,
       case when r.n % 8 = 0 then 'best_case' when r.n % 16 = 4 then 'most_likely' end,
       case when s.category = 'lost' then (array['price', 'timing', 'competitor'])[1 + r.n % 3] end,
       case when r.n % 5 = 0 then 'Globex' end, case when s.category = 'open' then 'Send the revised quote' end,
       case when s.category <> 'open' then o.id end,
       case when s.position = 0 then r.opened else r.opened + interval '1 day' * r.days end, r.n % 3,
       jsonb_build_array(jsonb_build_object('source', '{SOURCE}', 'external_id', 'deal-' || r.n, 'url', null)),
       r.opened, r.opened + interval '1 day' * r.days
from rolled r join bench_accounts a on a.n = r.account
join bench_sellers o on o.n = case when r.n % 5 = 0 then r.other else a.seller end
join stages_ s on s.position = r.position
"""


_SPLITS = f"""
insert into opportunity_splits (tenant_id, opportunity_id, rep_id, kind, share)
select o.tenant_id, o.id, o.owner_id, 'revenue', 1 from opportunities o
where o.tenant_id = $1 and {_dice("hashtext(o.name)", 10, 20)} = 0
"""

_TEAM = f"""
insert into opportunity_team (tenant_id, opportunity_id, rep_id, role)
select o.tenant_id, o.id, a.owner_id, 'Account team' from opportunities o
join accounts a on a.tenant_id = o.tenant_id and a.id = o.account_id
where o.tenant_id = $1 and {_dice("hashtext(o.name)", 11, 20)} = 0
"""

_NAMES = """
insert into external_ids (tenant_id, noun, source, external_id, record_id)
select tenant_id, 'opportunities', external_ids->0->>'source', external_ids->0->>'external_id', id
from opportunities where tenant_id = $1
union all
select tenant_id, 'accounts', external_ids->0->>'source', external_ids->0->>'external_id', id
from accounts where tenant_id = $1
union all
select tenant_id, 'reps', external_ids->0->>'source', external_ids->0->>'external_id', id
from reps where tenant_id = $1
union all
select tenant_id, 'stages', 'crm', 'stage-' || position, id from stages where tenant_id = $1
"""

_EVENTS = """
insert into events (tenant_id, type, noun, record_id, version, at)
select tenant_id, 'opportunity.created', 'opportunities', id, 1, created_at from opportunities where tenant_id = $1
"""


async def company(server: Embedded) -> Company:
    """The larger customer with fresh keys: an admin's, and a manager's who leads a block of reps."""
    reader = await asyncpg.connect(server.url(SUPERUSER))
    try:
        tenant_id = await reader.fetchval("select id from control.tenants where name = $1", LARGER)
        manager = await reader.fetchval(
            "select id from reps where tenant_id = $1 and external_ids->0->>'external_id' = 'rep-1'",
            tenant_id,
        )
        stage: Any = await reader.fetchrow(
            "select id, pipeline_id from stages where tenant_id = $1 and position = 2", tenant_id
        )
        owners = await reader.fetch(_BUSY, tenant_id, manager, stage["id"])
        counts = [
            await reader.fetchval(f"select count(*) from {name} where tenant_id = $1", tenant_id)
            for name in ("opportunities", "accounts", "stages")
        ]
        async with reader.transaction():
            await reader.execute(f"set local app.tenant_id = '{tenant_id}'")
            session = Session(reader, tenant_id)
            _, manager_key = await create_key(session, name="bench", role="manager", rep_id=manager)
            _, admin_key = await create_key(session, name="bench", role="integration")
    finally:
        await reader.close()
    return Company(
        tenant_id, manager, manager_key, admin_key, *counts,
        owners=tuple(row["owner_id"] for row in owners), stage_id=stage["id"], pipeline_id=stage["pipeline_id"],
    )  # fmt: skip


_BUSY = """
select o.owner_id from opportunities o
where o.tenant_id = $1 and o.stage_id = $3 and o.deleted_at is null
and o.owner_id in (select rep_id from rep_reach where tenant_id = $1 and manager_id = $2 and depth > 0)
group by o.owner_id having count(*) > 50 order by o.owner_id
"""


async def forget_since(server: Embedded, first: UUID) -> None:
    """Take out what a run has written: the ids of its rows are all behind `first`."""
    writer = await asyncpg.connect(server.url(SUPERUSER))
    try:
        await writer.execute("set session_replication_role = replica; set synchronous_commit = off")
        for table, column in (
            ("events", "record_id"), ("external_ids", "record_id"), ("opportunities_history", "record_id"),
            ("search_words", "record_id"),
            ("opportunities", "id"), ("api_keys", "id"),
        ):  # fmt: skip
            await writer.execute(f"delete from {table} where {column} >= $1", first)
        await tidy(writer)
    finally:
        await writer.close()
