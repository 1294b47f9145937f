"""What numbers need of a company beyond its deals: careers, quotas, lines, leads and activities, each with its past.

Five versions to a deal, four activities to each, a lead to two, two lines to two of five. Indexes are taken away while
a customer's rows are written and made again behind them, which is several times faster than keeping them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from app.ground.database.tables import metadata
from benchmarks import histories
from benchmarks.company import BLOCK, Filling, Say

VERSIONS = 5

_LARGE = (
    "opportunities", "opportunities_history", "opportunity_line_items", "opportunity_line_items_history",
    "leads", "leads_history", "activities", "activities_history",
)  # fmt: skip


async def fill_one(writer: asyncpg.Connection, tenant_id: UUID, reps: int, deals: int, say: Say) -> None:
    async with _unindexed(writer):
        await writer.execute(_SCRATCH)
        await Filling(writer, tenant_id, reps, deals, say, versions=VERSIONS, spread=True).run()
        for title, statements in _GROWTH.items():
            for statement in statements:
                await writer.execute(statement, tenant_id)
            await writer.execute("analyze")
            say(f"  {title}")


_SCRATCH = """
drop table if exists bench_leads;
create temp table bench_leads (n int primary key, id uuid, owner_id uuid)
"""


@asynccontextmanager
async def _unindexed(writer: asyncpg.Connection) -> AsyncIterator[None]:
    indexes = await writer.fetch(_INDEXES, list(_LARGE))
    for index in indexes:
        await writer.execute(f"drop index {index['name']}")
    try:
        yield
    finally:
        await writer.execute("set maintenance_work_mem = '512MB'")
        for index in indexes:
            await writer.execute(index["definition"])


_INDEXES = """
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
from pg_index i where i.indrelid = any($1::text[]::regclass[]) and not i.indisprimary
"""


def _dice(number: str, seed: int, sides: int) -> str:
    """A whole number below `sides` that follows from an integer expression."""
    return f"((hashint4extended({number}, {seed}) & 1073741823) % {sides})::int"


def _past(table: str, since: str, recorded: str | None = None) -> str:
    return histories.of_records(metadata.tables[table], since, recorded or since).replace(
        ", true,", ", false,"
    )


# --- ways through the stages ------------------------------------------------------------------------------------------

_WAY = _dice("hashtext(h.name)", 51, 100)

# Of a hundred deals that have a day of opening: one of which nobody knows where it stood before, one that left a stage
# out, one that stepped back, two that were closed and reopened, one that had no day of closing at first, seven whose
# day was put back to the first one, and forty that were due on the last day of a quarter and stayed open.
_WAYS = f"""
update opportunities_history h set
    stage_id = case {_WAY} when 1 then first.id when 2 then first.id when 3 then lost.id when 4 then won.id
        else nullif(h.stage_id, case when {_WAY} = 0 then h.stage_id end) end,
    stage_entered_at = case {_WAY} when 0 then null when 1 then h.opened_at else h.stage_entered_at end,
    inferred = h.inferred or {_WAY} = 0,
    category = case {_WAY} when 3 then 'lost' when 4 then 'won' else h.category end,
    closed_at = case when {_WAY} in (3, 4) then h.stage_entered_at end,
    credited_owner_id = case when {_WAY} in (3, 4) then h.owner_id end,
    expected_close_on = case when {_WAY} = 5 then null when {_WAY} between 8 and 14 then h.opened_at::date + 25
        when {_WAY} > 21 then (date_trunc('quarter', h.valid_to) - interval '1 day')::date
        else h.expected_close_on end
from stages s, stages first, stages won, stages lost
where h.tenant_id = $1 and {_WAY} < 62 and h.valid_to < 'infinity' and h.opened_at is not null
    and s.tenant_id = $1 and s.id = h.stage_id
    and first.tenant_id = $1 and first.name = 'Lead' and won.tenant_id = $1 and won.name = 'Won'
    and lost.tenant_id = $1 and lost.name = 'Lost'
    and case when {_WAY} = 0 then true when {_WAY} in (1, 4) then s.position = 1 when {_WAY} = 3 then s.position = 3
        when {_WAY} = 5 then h.valid_from = h.opened_at when {_WAY} = 2 or {_WAY} between 8 and 14 then s.position = 2
        when {_WAY} > 21 then date_trunc('quarter', h.valid_from) < date_trunc('quarter', h.valid_to) end
"""

# A second pipeline, in which nothing was ever won; a stage with a limit of its own; and open deals without a day.
_TENDERS = """
with tenders as (
    insert into pipelines (tenant_id, name) values ($1, 'Tenders') returning id
)
insert into stages (tenant_id, pipeline_id, name, position, category, probability, forecast_category)
select $1, id, 'Tender', 0, 'open', 0.2, 'pipeline' from tenders
"""

_TENDERS_KNOWN = tuple(
    histories.of_records(metadata.tables[table]) + f" and {column} = '{name}'"
    for table, column, name in (("pipelines", "name", "Tenders"), ("stages", "name", "Tender"))
)

_LIMIT = "update stages set stalled_after_days = 200 where tenant_id = $1 and name = 'Negotiation'"
_LIMIT_KNOWN = _LIMIT.replace("update stages", "update stages_history")

_PRESENT = f"""
update opportunities h set
    stage_id = case when {_WAY} = 6 then h.stage_id else s.id end,
    pipeline_id = case when {_WAY} = 6 then h.pipeline_id else s.pipeline_id end,
    expected_close_on = case when {_WAY} <> 6 then h.expected_close_on end
from stages s
where h.tenant_id = $1 and {_WAY} in (6, 20, 21) and h.category = 'open' and h.stage_entered_at = h.updated_at
    and s.tenant_id = $1 and s.name = 'Tender'
"""
_PRESENT_KNOWN = _PRESENT.replace("update opportunities", "update opportunities_history").replace(
    "h.updated_at", "h.valid_from and h.valid_to = 'infinity'"
)

# --- careers ----------------------------------------------------------------------------------------------------------

# A twentieth and a few who sell much are new, of whom some leave soon; a seventh goes by a calendar of its own.
_CAREERS = """
update reps r set
    hired_on = case when b.n % 50 = 9 then null when b.n % 20 = 3 or b.n % 500 = 10 then current_date - 20 - b.n % 700
        else r.hired_on end,
    left_on = case when b.n % 25 = 4 then current_date - 30 - b.n % 500
        when b.n % 100 = 83 then current_date + 180 - b.n % 700 end,
    status = case when b.n % 100 = 63 then 'inactive' else r.status end,
    working_calendar_id = case when b.n % 7 = 2 then c.id end
from bench_reps b, working_calendars c
where r.tenant_id = $1 and b.id = r.id and c.tenant_id = $1 and not c.is_default
"""

_CAREERS_KNOWN = """
update reps_history h set hired_on = r.hired_on, left_on = r.left_on, status = r.status,
    working_calendar_id = r.working_calendar_id,
    recorded_at = case when r.hired_on is null then now() - interval '200 days' else h.recorded_at end
from reps r where h.tenant_id = $1 and r.tenant_id = $1 and r.id = h.record_id
"""

# A fifth have come from another team and territory, and some of them from below a colleague.
_MOVED = """
update reps_history h set valid_from = now() - interval '1 day' * (100 + b.n % 400),
    recorded_at = now() - interval '1 day' * (100 + b.n % 400), inferred = false,
    changed = array['manager_id', 'team_id', 'territory_id']
from bench_reps b where h.tenant_id = $1 and h.record_id = b.id and b.n % 5 = 1
"""

_MOVED_FROM = f"""
insert into reps_history (tenant_id, record_id, valid_from, valid_to, recorded_at, inferred,
    name, email, title, function, manager_id, team_id, territory_id, working_calendar_id, hired_on, left_on, status)
select h.tenant_id, h.record_id, '-infinity', h.valid_from, {histories.LONG_AGO}, true, h.name, h.email, h.title,
    h.function, coalesce(c.id, h.manager_id), t.id, y.id, h.working_calendar_id, h.hired_on, h.left_on, h.status
from reps_history h join bench_reps b on b.id = h.record_id
left join bench_reps c on c.n = b.n - 1 and b.n % 50 = 16
join (select id, row_number() over (order by name) as n from teams where tenant_id = $1) t on t.n = 1 + (b.n + 3) % 8
join (select id, row_number() over (order by name) as n from territories where tenant_id = $1) y
    on y.n = 1 + (b.n + 3) % 8
where h.tenant_id = $1 and b.n % 5 = 1
"""

_CALENDAR = """
with calendar as (
    insert into working_calendars (tenant_id, name, monday_hours, friday_hours, saturday_hours, is_default)
    values ($1, 'Weekdays', 8, 7.5, 0, true), ($1, 'To Saturday', 0, 8, 4.25, false) returning id
)
insert into holidays (tenant_id, calendar_id, day, name, share)
select $1, calendar.id, make_date(year, month, 1 + month * 2), 'Holiday ' || month,
    case when month % 4 = 0 then 0.5 else 1 end
from calendar, generate_series(2020, 2030) year, generate_series(1, 12) month
"""

_HOLIDAYS_KNOWN = f"""
insert into holidays_history (tenant_id, record_id, valid_from, recorded_at, calendar_id, day, name, share)
select tenant_id, id, '-infinity', {histories.LONG_AGO}, calendar_id, day, name, share from holidays
where tenant_id = $1
"""

# --- quotas -----------------------------------------------------------------------------------------------------------

# Each seller's of every quarter, and of every tenth that of the year besides; each manager's; each team's of the year.
_QUOTAS = f"""
with quarters as (
    select extract(year from day)::int as year, extract(quarter from day)::int as quarter,
        day::date as starts_on, (day + interval '3 months')::date as ends_on
    from generate_series(date_trunc('year', now()) - interval '2 years', now() + interval '1 year', '3 months') day
), years as (
    select year, min(starts_on) as starts_on, max(ends_on) as ends_on from quarters group by year having count(*) = 4
), carriers as (
    select id, n, n > 0 and (n - 1) % {BLOCK} > 8 as sells from bench_reps
)
insert into quotas (tenant_id, rep_id, team_id, metric, period, starts_on, ends_on, amount, currency, created_at)
select $1::uuid, r.id, null::uuid, 'bookings', q.year || '-Q' || q.quarter, q.starts_on, q.ends_on,
    (case when r.sells then 50000 else 900000 end) + (r.n % 40) * 2500,
    case when r.n % 10 = 0 then 'EUR' when r.n % 40 = 23 and r.n % 100 <> 83 then 'GBP' else 'USD' end,
    q.starts_on - interval '40 days'
from carriers r, quarters q where r.n % 30 <> 17
union all
select $1::uuid, r.id, null, 'bookings', y.year::text, y.starts_on, y.ends_on, 220000, 'USD',
    y.starts_on - interval '40 days'
from carriers r, years y where r.sells and r.n % 10 = 5
union all
select $1::uuid, null, t.id, 'bookings', y.year::text, y.starts_on, y.ends_on, 30000000, 'USD',
    y.starts_on - interval '40 days'
from teams t, years y where t.tenant_id = $1
"""

_QUOTA_VERSIONS = """
insert into quota_versions (tenant_id, quota_id, effective_from, amount)
select tenant_id, id, starts_on + 40, round(amount * 1.2, 4) from quotas
where tenant_id = $1 and rep_id is not null and hashtext(rep_id::text || period) % 10 = 0
"""

_QUOTA_VERSIONS_KNOWN = """
insert into quota_versions_history (tenant_id, record_id, valid_from, recorded_at, quota_id, effective_from, amount)
select v.tenant_id, v.id, q.created_at, q.created_at, v.quota_id, v.effective_from, v.amount
from quota_versions v join quotas q on q.tenant_id = v.tenant_id and q.id = v.quota_id where v.tenant_id = $1
"""

# Some reps' shares and some amounts, in managers' and in no quotas as well: asked for before they begin, and most
# decided soon after or before.
_RELIEFS = """
with asked as (
    select r.id, n, k, current_date - 690 + k * 200 + n % 190 as first,
        now() + interval '1 day' * (k * 200 + n % 190 - 715 + n % 45) as decided
    from bench_reps r, generate_series(0, 3) k where n % 6 in (1, 3)
)
insert into quota_reliefs (tenant_id, rep_id, metric, starts_on, ends_on, reason, share, amount, currency, state,
    decided_at, created_at, updated_at)
select $1, id, 'bookings', first, first + 5 + n % 70, (array['leave', 'ramp', 'territory_change', 'other'])[1 + n % 4],
    case when n % 6 = 1 then 0.2 * (1 + n % 5) end, case when n % 6 = 3 then 4000 + n * 2.5 end,
    case when n % 6 = 3 then (array['USD', 'USD', 'EUR', 'GBP'])[1 + n % 4] end,
    case when decided > now() or (n + k) % 9 = 2 then 'requested' when (n + k) % 9 = 5 then 'rejected'
        else 'approved' end,
    case when decided <= now() and (n + k) % 9 <> 2 then decided end, first - interval '30 days',
    case when decided <= now() and (n + k) % 9 <> 2 then decided else first - interval '30 days' end
from asked
"""

_RELIEFS_BEFORE = """
insert into quota_reliefs_history (tenant_id, record_id, valid_from, valid_to, recorded_at, rep_id, metric, starts_on,
    ends_on, reason, share, amount, currency, state)
select tenant_id, id, created_at, decided_at, created_at, rep_id, metric, starts_on, ends_on, reason, share, amount,
    currency, 'requested'
from quota_reliefs where tenant_id = $1 and decided_at > created_at
"""

# --- lines ------------------------------------------------------------------------------------------------------------

_PRODUCTS = """
insert into products (tenant_id, name, family, code, list_price, cost, currency)
select $1, 'Product ' || n, case when n % 13 <> 0 then 'Family ' || n % 5 end, 'P' || n, 100 + n * 10,
    case when n % 9 <> 0 then 40 + n * 6 end, case when n % 7 = 3 then 'EUR' when n % 20 <> 6 then 'USD' end
from generate_series(1, 40) n
"""

# A quarter cost less until ten months ago, or nobody knew what.
_DEARER = """
update products_history set valid_from = now() - interval '300 days', recorded_at = now() - interval '300 days',
    inferred = false, changed = array['cost']
where tenant_id = $1 and list_price::int / 10 % 4 = 1
"""

_CHEAPER = f"""
insert into products_history (tenant_id, record_id, valid_from, valid_to, recorded_at, inferred, name, family, code,
    list_price, cost, currency, active)
select tenant_id, record_id, '-infinity', valid_from, {histories.LONG_AGO}, true, name, family, code, list_price,
    case when list_price::int / 10 % 10 <> 7 then cost * 0.8 end, currency, active
from products_history where tenant_id = $1 and list_price::int / 10 % 4 = 1
"""

_LINES = f"""
insert into opportunity_line_items (
    tenant_id, opportunity_id, product_id, position, quantity, list_price, unit_price, amount
)
select $1, o.id, p.id, k, d.quantity, case when d.dice % 50 <> 3 then p.list_price end, p.list_price * d.share,
    case when d.dice % 50 <> 7 then round(p.list_price * d.share * d.quantity, 4) end
from (select id, hashtext(name) as h from opportunities where tenant_id = $1) o
cross join generate_series(0, 1) k
cross join lateral (
    select {_dice("o.h + k", 21, 1_000_000)} as dice, 1 + {_dice("o.h + k", 22, 9)} as quantity,
        1 - 0.01 * {_dice("o.h + k", 23, 30)} as share
) d
join (select id, list_price, row_number() over (order by code) as n from products where tenant_id = $1) p
    on p.n = 1 + d.dice % 40
where {_dice("o.h", 24, 5)} < 2
"""

_LINES_KNOWN = """
insert into opportunity_line_items_history (
    tenant_id, record_id, valid_from, recorded_at, opportunity_id, product_id, position, quantity, list_price,
    unit_price, amount, below_floor
)
select l.tenant_id, l.id, o.created_at, o.created_at, l.opportunity_id, l.product_id, l.position, l.quantity,
    l.list_price, l.unit_price, l.amount, l.below_floor
from opportunity_line_items l join opportunities o on o.tenant_id = l.tenant_id and o.id = l.opportunity_id
where l.tenant_id = $1
"""

# --- leads ------------------------------------------------------------------------------------------------------------

_QUEUES = "insert into lead_queues (tenant_id, name) select $1, 'Queue ' || n from generate_series(1, 3) n"

_LEADS = f"""
with size as (select count(*)::int / 2 as leads, (select count(*) from bench_sellers)::int as sellers
    from opportunities where tenant_id = $1),
rolled as (
    select n, now() - interval '1 minute' * (1440 + {_dice("n", 31, 1_036_800)}) as at, {_dice("n", 32, 10)} as owned,
        {_dice("n", 33, 100)} as fate, {_dice("n", 34, 3000)} as minutes, {_dice("n", 35, 20)} as days,
        {_dice("n", 36, 1_000_000)} % size.sellers as seller
    from size, generate_series(0, size.leads - 1) n
), dated as (
    select r.*, case when n % 5 <> 0 then at + interval '1 minute' * (minutes - 5) end as answered,
        case when fate < 40 then least(at + interval '1 day' * days, now()) end as qualified,
        case when fate < 15 then least(at + interval '1 day' * (days + 10), now()) end as converted,
        case when fate between 30 and 69 then least(at + interval '1 day' * (days + 5), now()) end as disqualified
    from rolled r
)
insert into leads (
    tenant_id, name, company, country, industry, lead_source, status, owner_id, queue_id, received_at,
    first_response_at, qualified_at, disqualified_at, converted_at, converted_opportunity_id,
    created_at, updated_at
)
select $1, 'Lead ' || d.n, 'Company ' || d.n, (array['United States', 'Germany', 'Japan'])[1 + d.n % 3],
    (array['retail', 'software', 'health'])[1 + d.n % 3], (array['referral', 'event', 'web'])[1 + d.n % 3],
    case when converted is not null then 'converted' when disqualified is not null then 'disqualified'
        else 'working' end,
    case when d.owned < 7 then s.id end, case when d.owned in (7, 8) then q.id end,
    case when d.n % 1000 <> 11 then d.at end, least(answered, now()), qualified, disqualified, converted, o.id, d.at,
    least(greatest(d.at + interval '1 hour', answered, qualified, converted, disqualified), now())
from dated d join bench_sellers s on s.n = d.seller
join (select id, row_number() over (order by name) as n from lead_queues where tenant_id = $1) q on q.n = 1 + d.n % 3
left join (select id, row_number() over (order by id) - 1 as n from opportunities where tenant_id = $1) o
    on o.n = d.n * 2 and d.converted is not null and d.n % 6 <> 5
"""

# As it came in, and since the last that happened to it.
_LEADS_BEFORE = """
insert into leads_history (tenant_id, record_id, valid_from, valid_to, recorded_at, name, company, country, industry,
    lead_source, status, owner_id, queue_id, received_at)
select tenant_id, id, created_at, updated_at, created_at, name, company, country, industry, lead_source, 'new',
    owner_id, queue_id, received_at
from leads where tenant_id = $1
"""

# --- activities -------------------------------------------------------------------------------------------------------

_LEADS_NUMBERED = """
insert into bench_leads select row_number() over (order by id) - 1, id, owner_id from leads where tenant_id = $1
"""

_ACTIVITIES = f"""
with deals as (
    select id, account_id, owner_id, hashtext(name) as h, coalesce(opened_at, created_at) as at
    from opportunities where tenant_id = $1
), rolled as (
    select o.*, k, {_dice("o.h + k", 41, 1_000_000)} as x, {_dice("o.h + k", 42, 1_000_000)} as y,
        {_dice("o.h + k", 43, 57_000)} as minutes
    from deals o cross join generate_series(0, 3) k
), dated as (
    select r.*, r.at + interval '1 minute' * r.minutes as happened,
        case when k < 3 or y % 4 = 3 then 'deal' when y % 4 = 0 then 'account' when y % 4 = 1 then 'lead' end as about,
        x % 20 <> 0 as is_done
    from rolled r
)
insert into activities (tenant_id, kind, purpose, subject, direction, duration_seconds, outcome, occurred_at, due_at,
    done, owner_id, opportunity_id, account_id, lead_id, created_at, updated_at)
select $1, (array['call', 'call', 'email', 'meeting', 'task', 'note'])[1 + x % 6],
    (array['selling', 'selling', 'prospecting', 'preparation', 'admin', 'learning', 'coaching'])[1 + y % 7],
    'About ' || k, case when x % 6 < 3 then (array['inbound', 'outbound'])[1 + y % 2] end,
    case when x % 6 in (0, 1, 3) and y % 20 <> 0 then x % 3600 end,
    case when x % 6 < 2 then (array['Connected', 'Voicemail', 'No answer'])[1 + y % 3] end,
    case when is_done and x % 997 <> 5 or x % 40 = 0 then happened end, case when not is_done then happened end,
    is_done,
    case when x % 100 <> 7 then case about when 'lead' then coalesce(l.owner_id, d.owner_id) else d.owner_id end end,
    case about when 'deal' then d.id end, case about when 'account' then d.account_id end,
    case about when 'lead' then l.id end, happened, happened
from dated d left join bench_leads l on l.n = (d.x + d.y) % (select count(*) from bench_leads)
"""

# A manager's week, also of those who led somebody once: often two things at a time.
_TEAM_TIME = f"""
with rolled as (
    select r.id, {_dice("r.n * 1000 + k", 51, 1_000_000)} as x, {_dice("r.n * 1000 + k", 52, 1_000_000)} as y,
        now() - interval '1 minute' * ((k / 2 + 1) * 10_080 - {_dice("r.n * 1000 + k", 53, 240)}) as happened
    from bench_reps r, generate_series(0, 199) k
    where r.n = 0 or (r.n - 1) % {BLOCK} <= 8 or r.n % 50 = 15
)
insert into activities (tenant_id, kind, purpose, subject, duration_seconds, occurred_at, due_at, done, owner_id,
    created_at, updated_at)
select $1, (array['meeting', 'meeting', 'call', 'task'])[1 + x % 4],
    (array['coaching', 'coaching', 'coaching', 'selling', 'preparation', 'admin'])[1 + y % 6], 'In the team',
    case when y % 20 <> 0 then x % 9000 end, happened, case when x % 30 = 0 then happened end, x % 30 <> 0, id,
    happened, happened
from rolled
"""

_GROWTH: dict[str, tuple[str, ...]] = {
    "ways": (_WAYS, _TENDERS, *_TENDERS_KNOWN, _LIMIT, _LIMIT_KNOWN, _PRESENT, _PRESENT_KNOWN),
    "careers": (
        _CALENDAR, _CAREERS, _CAREERS_KNOWN, _MOVED, _MOVED_FROM,
        _past("working_calendars", "'-infinity'", histories.LONG_AGO),
        _HOLIDAYS_KNOWN,
    ),
    "quotas": (
        _QUOTAS, _QUOTA_VERSIONS, _past("quotas", "created_at"), _QUOTA_VERSIONS_KNOWN,
        _RELIEFS, _RELIEFS_BEFORE, _past("quota_reliefs", "updated_at"),
    ),
    "lines": (_PRODUCTS, _past("products", "'-infinity'", histories.LONG_AGO), _DEARER, _CHEAPER, _LINES, _LINES_KNOWN),
    "leads": (_QUEUES, _LEADS, _LEADS_BEFORE, _past("leads", "updated_at")),
    "activities": (
        _LEADS_NUMBERED, _ACTIVITIES, _TEAM_TIME, _past("activities", "created_at"),
    ),
}  # fmt: skip
