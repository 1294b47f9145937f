"""Firms of 2,000 reps that are paid: written by set-based SQL, every value following from its row's number.

Each has as many credits in each of its periods; of ten deals one is split in two. The plan pays commissions by tiers
of attainment up to a cap, and a spiff of February; a target is what its rep's deals come to, more or less.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.areas import found
from app.ground.access.principal import Principal
from app.ground.access.tenants import create_tenant
from app.ground.database.embedded import Embedded
from app.ground.database.session import connect
from app.ground.database.tables import metadata
from benchmarks import histories
from benchmarks.company import writing

REPS = 2_000
QUARTERS = tuple((f"{year}-Q{q}", date(year, 3 * q - 2, 1)) for year in (2024, 2025) for q in (1, 2, 3, 4))
"""Those that are over when the one that is measured begins."""
MEASURED, FIRST, LAST = "2026-Q1", date(2026, 1, 1), date(2026, 4, 1)


@dataclass(frozen=True, slots=True)
class Firm:
    principal: Principal
    credits: int
    version_id: UUID
    period_id: UUID
    earlier: tuple[UUID, ...]
    """Its periods before that one, the oldest first."""

    @property
    def tenant_id(self) -> UUID:
        return self.principal.tenant.id


async def fill(server: Embedded, credits: int, earlier: int, reps: int = REPS) -> Firm:
    owner = await connect(server.owner_url)
    try:
        tenant = await create_tenant(owner, name=f"Pays of {credits}, {earlier} before", seed=found)
    finally:
        await owner.close()
    named = [*QUARTERS[len(QUARTERS) - earlier :], (MEASURED, FIRST)]
    deals = credits * 10 // 11
    async with writing(server) as writer:
        await writer.execute(_SCRATCH)
        for statement in (_STAGES, _RATES):
            await writer.execute(statement, tenant.id)
        await writer.execute(_REPS, tenant.id, reps)
        version: Any = await writer.fetchval(_PLAN, tenant.id)
        for name, first in named:
            await writer.execute(_DEALS, tenant.id, first, deals, reps, name)
            await writer.execute(_PERIOD, tenant.id, name, first)
        await writer.execute("analyze opportunities")
        await writer.execute(_SPLITS, tenant.id, reps)
        await writer.execute(_ASSIGNMENTS, tenant.id, FIRST, LAST)
        for name in ("reps", "stages", "pipelines", "exchange_rates"):
            await writer.execute(histories.of_records(metadata.tables[name]), tenant.id)
        for statement in histories.of_deals(2):
            await writer.execute(statement, tenant.id)
        await writer.execute("vacuum (analyze)")
        await writer.execute("checkpoint")
        periods = await writer.fetch(
            "select id from comp_periods where tenant_id = $1 order by starts_on", tenant.id
        )
    *before, measured = (row["id"] for row in periods)
    return Firm(
        Principal(tenant=tenant, role="admin", name="bench"), credits, version, measured, tuple(before)
    )


_SCRATCH = """
drop table if exists bench_reps;
create temp table bench_reps (n int primary key, id uuid)
"""

_STAGES = """
with pipeline as (
    insert into pipelines (tenant_id, name, is_default) values ($1, 'New business', true) returning id
)
insert into stages (tenant_id, pipeline_id, name, position, category, probability, forecast_category)
select $1, p.id, s.name, s.position, s.category, s.probability, s.forecast
from pipeline p, (values ('Lead', 0, 'open', 0.1, 'pipeline'), ('Won', 1, 'won', 1, 'closed'))
  s (name, position, category, probability, forecast)
"""

_RATES = """
insert into exchange_rates (tenant_id, from_currency, to_currency, on_day, rate)
select $1, c.code, 'USD', date '2023-12-01' + n * 7, c.rate * (1 + n % 13 * 0.002)
from generate_series(0, 130) n, (values ('EUR', 1.05), ('JPY', 0.0065)) c (code, rate)
"""

_REPS = """
with made as (
    insert into bench_reps select n, uuidv7() from generate_series(0, $2::int - 1) n returning n, id
)
insert into reps (tenant_id, id, name, email, function, manager_id, hired_on)
select $1, r.id, 'Rep ' || r.n, 'rep' || r.n || '@example.com', 'field', m.id, date '2020-01-01' + r.n % 1000
from made r left join made m on r.n > 0 and m.n = (r.n - 1) / 10
"""

_PLAN = """
with plan as (
    insert into comp_plans (tenant_id, name, currency) values ($1, 'Field', 'USD') returning id
), version as (
    insert into comp_plan_versions (tenant_id, plan_id, effective_from, state, published_at)
    select $1, id, date '2023-01-01', 'published', now() from plan returning id
), components as (
    insert into comp_plan_components (tenant_id, version_id, code, kind, amount, tiered_by, tiering, cap,
                                      applies_when, starts_on, ends_on)
    select $1, v.id, c.* from version v, (values
        ('commission', 'commission', null, 'attainment', 'marginal', 30000, null, null::date, null::date),
        ('february', 'spiff', 250, null, null, null, 'type = ''new_business''', date '2026-02-01', date '2026-03-01')
    ) c
), tiers as (
    insert into comp_plan_tiers (tenant_id, version_id, component, above, rate)
    select $1, v.id, 'commission', t.above, t.rate
    from version v, (values (0, 0.04), (0.5, 0.06), (0.8, 0.08), (1, 0.11), (1.25, 0.14)) t (above, rate)
)
select id from version
"""

_DEALS = """
with rolled as (
    select n, (hashint4extended(n, 1) & 1073741823) % $4::int as rep,
           (hashint4extended(n, 2) & 1073741823) % 7776000 as second,
           (hashint4extended(n, 3) & 1073741823) % 900000 as cents
    from generate_series(1, $3::int) n
)
insert into opportunities (
    tenant_id, name, owner_id, credited_owner_id, pipeline_id, stage_id, category, amount, currency, term_months, type,
    sales_channel, lead_source, opened_at, expected_close_on, closed_at, stage_entered_at, created_at, updated_at
)
select $1, $5 || ' deal ' || r.n, b.id, b.id, s.pipeline_id, s.id, 'won',
       case when r.n % 10 = 1 then 50000 + r.cents else 1000 + r.cents / 100.0 end,
       case when r.n % 10 = 1 then 'JPY' when r.n % 10 < 4 then 'EUR' else 'USD' end, 12,
       (array['new_business', 'expansion', 'renewal'])[1 + r.n % 3], 'direct', 'web',
       x.at - interval '40 days', x.at::date, x.at, x.at, x.at - interval '40 days', x.at
from rolled r
join bench_reps b on b.n = r.rep
join stages s on s.tenant_id = $1 and s.category = 'won'
cross join lateral (select $2::date::timestamptz + r.second * interval '1 second' as at) x
"""

_PERIOD = """
insert into comp_periods (tenant_id, period, starts_on, ends_on)
values ($1, $2, $3, $3::date + interval '3 months')
"""

_SPLITS = """
insert into opportunity_splits (tenant_id, opportunity_id, rep_id, kind, share)
select $1, o.id, case s.place when 0 then o.owner_id else n.id end, 'revenue',
       case s.place when 0 then 0.65 else 0.35 end
from opportunities o
join bench_reps b on b.id = o.owner_id
join bench_reps n on n.n = (b.n + 1) % $2::int
cross join generate_series(0, 1) s (place)
where o.tenant_id = $1 and (hashtextextended(o.name, 4) & 1073741823) % 10 = 0
"""

_ASSIGNMENTS = """
insert into plan_assignments (tenant_id, plan_id, rep_id, starts_on, target)
select $1, p.id, b.id, date '2023-01-01',
       round(greatest(sum(o.amount * case o.currency when 'JPY' then 0.0065 when 'EUR' then 1.05 else 1 end), 1000)
             * (0.7 + b.n % 9 * 0.1), 2)
from bench_reps b
join comp_plans p on p.tenant_id = $1
left join opportunities o on o.tenant_id = $1 and o.owner_id = b.id and o.closed_at >= $2 and o.closed_at < $3
group by p.id, b.id, b.n
"""
