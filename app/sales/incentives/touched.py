"""Of a period that was calculated before: whose pay in it may have become another since, by what the feed tells.

A calculation takes in what was committed before the oldest transaction that still ran; what is written from that one on
is looked at again. A deal touches those credited for it, then and now, and everyone above them; a change of terms,
targets, rates or of the hierarchy touches everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.sales.incentives.asked import Period

_OF_EVERYBODY = (
    "comp_plan_versions", "comp_plans", "exchange_rates", "fiscal_calendars", "plan_assignments", "products",
    "quota_reliefs", "quotas", "ramp_schedules", "reps", "working_calendars",
)  # fmt: skip

_TOUCHED = """
with since as materialized (
  select e.noun, e.record_id from events e
  where e.tenant_id = $1 and e.txid >= (select txid from pay_settlements where tenant_id = $1 and period_id = $2)
    and (e.noun = 'opportunities' or e.noun = any($5))
    and not (e.type = 'rep.updated' and not e.changed && '{manager_id,hired_on,working_calendar_id}')
    and not (e.type = 'product.updated' and not e.changed && '{cost,currency}')
),
deals as materialized (
  select distinct s.record_id as id from since s
  where s.noun = 'opportunities' and exists (
    select 1 from opportunities_history h
    where h.tenant_id = $1 and h.record_id = s.record_id and h.closed_at >= $3 and h.closed_at < $4
  )
),
credited as (
  select unnest(array[d.credited_owner_id, d.owner_id]) as rep_id
  from opportunities d where d.tenant_id = $1 and d.id in (select id from deals)
  union
  select s.rep_id from opportunity_splits s where s.tenant_id = $1 and s.opportunity_id in (select id from deals)
  union
  select l.rep_id from statement_lines l
  where l.tenant_id = $1 and l.opportunity_id in (select id from deals) and l.earned_period_id = $2
),
above as (
  with recursive up(rep_id) as (
    select rep_id from credited where rep_id is not null
    union
    select h.manager_id from up join reps_history h on h.tenant_id = $1 and h.record_id = up.rep_id
    where h.manager_id is not null
  )
  select rep_id from up
)
select not exists (select 1 from pay_settlements where tenant_id = $1 and period_id = $2)
         or exists (select 1 from since where noun <> 'opportunities') as everybody,
       (select array_agg(rep_id) from above) as reps
"""

_SETTLE = """
insert into pay_settlements (tenant_id, period_id, txid) values ($1, $2, $3::text::xid8)
on conflict (tenant_id, period_id) do update set txid = excluded.txid
"""

_SEEN = "select pg_snapshot_xmin(pg_current_snapshot())::text"


async def touched(session: Any, period: Period) -> Sequence[UUID] | None:
    """Those reps; None for everybody."""
    row = await session.connection.fetchrow(
        _TOUCHED, session.tenant_id, period.id, period.starts, period.ends, _OF_EVERYBODY
    )
    return None if row["everybody"] else row["reps"] or []


async def seen(session: Any) -> str:
    """To be asked before what is then said to be `settled` is read."""
    return await session.connection.fetchval(_SEEN)


async def settle(session: Any, period: Period, txid: str) -> None:
    await session.connection.execute(_SETTLE, session.tenant_id, period.id, txid)
