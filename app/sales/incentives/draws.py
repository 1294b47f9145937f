"""Draws: what a period pays at least, and how it is taken back.

A draw looks at what is posted in its period, adjustments of earlier ones included, since that is what would be paid. So
a closed period's draw never changes, and a later one recovers what earlier ones have advanced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_precision

from app.sales.incentives.asked import Period, by_sets
from app.sales.incentives.told import TOLD

_DRAW = """
with offered as (
  select a.id as assignment_id, a.rep_id, v.id as version_id, p.currency, k.code, k.recoverable, m.digits,
         round(k.amount * (least(coalesce(a.ends_on, 'infinity'), $4::date) - greatest(a.starts_on, $3::date))
               / ($4::date - $3::date), m.digits) as amount
  from plan_assignments a
  join comp_plans p on p.tenant_id = $1 and p.id = a.plan_id and p.deleted_at is null
  join unnest($6::text[], $7::integer[]) as m(currency, digits) on m.currency = p.currency
  join lateral (
    select v.id from comp_plan_versions v
    where v.tenant_id = $1 and v.plan_id = a.plan_id and v.state = 'published' and v.deleted_at is null
      and v.effective_from <= greatest(a.starts_on, $3::date) order by v.effective_from desc limit 1
  ) v on true
  join comp_plan_components k on k.tenant_id = $1 and k.version_id = v.id and k.kind = 'draw'
  where a.tenant_id = $1 and a.deleted_at is null and a.starts_on < $4 and coalesce(a.ends_on, 'infinity') > $3
    and ($5::uuid[] is null or a.rep_id = any($5))
),
drawn as (
  select distinct on (rep_id, currency) * from offered order by rep_id, currency, amount desc, assignment_id
),
posted as (
  select l.rep_id, l.currency, sum(l.amount) as amount from statement_lines l
  where l.tenant_id = $1 and l.posting <> 'draw' and l.account = 'payable'
    and l.statement_id = any(array(
      select s.id from statements s
      where s.tenant_id = $1 and s.period_id = $2 and s.rep_id = any(array(select rep_id from drawn))
    ))
  group by 1, 2
),
advanced as (
  select l.rep_id, l.currency, sum(l.amount) as amount
  from statement_lines l join comp_periods p on p.tenant_id = $1 and p.id = l.period_id and p.starts_on < $3
  where l.tenant_id = $1 and l.posting = 'draw' and l.trace->>'recoverable' = 'true'
    and l.earned_period_id = any(array(select id from comp_periods where tenant_id = $1 and starts_on < $3))
    and l.rep_id = any(array(select rep_id from drawn))
  group by 1, 2
),
reckoned as (
  select d.*, coalesce(o.amount, 0) as earned, coalesce(a.amount, 0) as balance,
         case when coalesce(o.amount, 0) < d.amount then d.amount - coalesce(o.amount, 0)
              when d.recoverable then -least(greatest(coalesce(a.amount, 0), 0), coalesce(o.amount, 0) - d.amount)
              else 0 end as pays
  from drawn d
  left join posted o on o.rep_id = d.rep_id and o.currency = d.currency
  left join advanced a on a.rep_id = d.rep_id and a.currency = d.currency
),
computed as (
  select md5(concat_ws('|', assignment_id, $2::uuid, code))::uuid as line_key, r.*,
         jsonb_build_object('draw', amount, 'earned', earned, 'advanced_before', balance,
                            'recoverable', recoverable, 'digits', digits) as trace
  from reckoned r
),
standing as (
  select l.* from statement_lines l
  where l.tenant_id = $1 and l.period_id = $2 and l.earned_period_id = $2 and l.posting = 'draw'
    and ($5::uuid[] is null or l.rep_id = any($5))
),
changed as materialized (
  select coalesce(c.line_key, s.line_key) as line_key, coalesce(c.rep_id, s.rep_id) as rep_id,
         coalesce(c.assignment_id, s.assignment_id) as assignment_id,
         coalesce(c.version_id, s.version_id) as version_id, coalesce(c.code, s.component) as component,
         coalesce(c.currency, s.currency) as currency, coalesce(c.pays, 0) - coalesce(s.amount, 0) as difference,
         coalesce(c.trace, s.trace || '{"amount_now": 0}') as trace
  from computed c full join standing s on s.line_key = c.line_key
  where coalesce(c.pays, 0) <> coalesce(s.amount, 0) or s.line_key is not null and c.trace is distinct from s.trace
),
written as (
  insert into statement_lines as l (
    tenant_id, statement_id, period_id, earned_period_id, rep_id, assignment_id, version_id, component, kind, posting,
    account, on_day, currency, amount, trace, line_key
  )
  select $1, t.id, $2, $2, x.rep_id, x.assignment_id, x.version_id, x.component, 'draw', 'draw', 'payable', $4 - 1,
         x.currency, x.difference, x.trace, x.line_key
  from changed x
  join statements t on t.tenant_id = $1 and t.period_id = $2 and t.rep_id = x.rep_id and t.currency = x.currency
  on conflict (tenant_id, period_id, line_key) do update set
    amount = l.amount + excluded.amount, trace = excluded.trace, version_id = excluded.version_id,
    version = l.version + 1, updated_at = greatest(now(), l.updated_at)
  returning id, line_key, statement_id, version
),
entered as (
insert into ledger_entries (
  tenant_id, kind, period_id, earned_period_id, rep_id, statement_id, line_id, debit, credit, on_day, currency, amount,
  created_at
)
select $1, 'draw', $2, $2, x.rep_id, w.statement_id, w.id, 'draw', 'payable', $4 - 1, x.currency, x.difference,
       now()
from changed x join written w on w.line_key = x.line_key where x.difference <> 0
returning id
)"""
_PAID_IN = """
select distinct p.currency from comp_plan_components k
join comp_plan_versions v on v.tenant_id = $1 and v.id = k.version_id
join comp_plans p on p.tenant_id = $1 and p.id = v.plan_id
where k.tenant_id = $1 and k.kind = 'draw'
"""


async def draw(session: Any, period: Period, reps: Sequence[UUID] | None) -> None:
    """Post the period's draws. Of several that a rep has in one currency the highest holds."""
    rows = await session.connection.fetch(_PAID_IN, session.tenant_id)
    currencies = [row["currency"] for row in rows]
    if not currencies:
        return
    digits = [get_currency_precision(x) for x in currencies]
    await by_sets(
        session, _DRAW + TOLD.format(tenant="$1"),
        session.tenant_id, period.id, period.first, period.last, reps, currencies, digits,
    )  # fmt: skip
