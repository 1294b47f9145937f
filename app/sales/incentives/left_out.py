"""Deals of a period that earn nobody anything, counted by reason: what is not paid is said, not passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.sales.incentives.ledger import Pay

_COUNTED = """
with paid as (
  select distinct rep_id from plan_assignments
  where tenant_id = $1 and deleted_at is null and starts_on < $6 and coalesce(ends_on, 'infinity') > $5
)
select coalesce(jsonb_object_agg(reason, n), '{}') from (
  select reason, count(*) as n from (
    select case
      when (d.closed_at at time zone $4)::date < $7 then 'before_pay_starts'
      when exists (
        select 1 from opportunities_history h
        where h.tenant_id = $1 and h.record_id = d.id and h.origin = 'backfill' and h.category = 'won'
          and h.closed_at = d.closed_at and h.superseded_at = 'infinity'
      ) then 'backfill'
      when coalesce(d.credited_owner_id, d.owner_id) in (select rep_id from paid) then null
      when exists (
        select 1 from opportunity_splits s
        where s.tenant_id = $1 and s.opportunity_id = d.id and s.rep_id in (select rep_id from paid)
      ) then null
      when coalesce(d.credited_owner_id, d.owner_id) is null then 'no_owner'
      else 'no_plan' end as reason
    from opportunities d
    where d.tenant_id = $1 and d.category = 'won' and d.closed_at >= $2 and d.closed_at < $3 and d.deleted_at is null
  ) each where reason is not null group by reason
) counted
"""


async def left_out(pay: Pay, row: Mapping[str, Any]) -> dict[str, int]:
    period = pay.period(row)
    return await pay.session.connection.fetchval(
        _COUNTED, pay.session.tenant_id, period.starts, period.ends, pay.principal.tenant.timezone, period.first,
        period.last, await pay.pay_starts_on(),
    )  # fmt: skip
