"""What a closed period leaves to be paid: the balance of each rep's account, never less than nothing.

A balance below 0, after a clawback, is carried on: the next period's payout is the less for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

_OWE = """
with owed as (
insert into payouts (tenant_id, period_id, rep_id, statement_id, currency, amount)
select $1, $2, s.rep_id, s.id, s.currency, b.amount - coalesce(o.amount, 0)
from statements s
join comp_periods this on this.tenant_id = $1 and this.id = $2
join lateral (
  select sum(t.total) as amount
  from statements t join comp_periods p on p.tenant_id = $1 and p.id = t.period_id and p.starts_on <= this.starts_on
   and (p.state = 'closed' or p.id = this.id)
  where t.tenant_id = $1 and t.rep_id = s.rep_id and t.currency = s.currency
) b on true
left join lateral (
  select sum(x.amount) as amount from payouts x
  where x.tenant_id = $1 and x.rep_id = s.rep_id and x.currency = s.currency and x.state <> 'void'
) o on true
where s.tenant_id = $1 and s.period_id = $2 and b.amount - coalesce(o.amount, 0) > 0
returning id, version
)
insert into events (tenant_id, type, noun, record_id, version)
select $1, 'payout.created', 'payouts', id, version from owed
"""

_WITHDRAW = """
with withdrawn as (
update payouts set state = 'void', version = version + 1, updated_at = greatest(now(), updated_at)
where tenant_id = $1 and period_id = $2 and state = 'due'
returning id, version
)
insert into events (tenant_id, type, noun, record_id, version, changed)
select $1, 'payout.updated', 'payouts', id, version, '{state}' from withdrawn
"""

_PAID = """
with entered as (
insert into ledger_entries (
  tenant_id, kind, period_id, earned_period_id, rep_id, statement_id, payout_id, debit, credit, on_day, currency,
  amount, created_at
)
select $1, 'payment', p.period_id, p.period_id, p.rep_id, p.statement_id, p.id, 'payable', 'cash', $3, p.currency,
       p.amount, now()
from payouts p where p.tenant_id = $1 and p.id = $2
returning id
)
insert into events (tenant_id, type, noun, record_id, version)
select $1, 'ledger_entry.created', 'ledger_entries', id, 1 from entered
"""


async def owe(session: Any, period_id: UUID) -> None:
    """A payout for every rep and currency with something left; of earlier periods too, where it was carried on."""
    await session.connection.execute(_OWE, session.tenant_id, period_id)


async def withdraw(session: Any, period_id: UUID) -> None:
    await session.connection.execute(_WITHDRAW, session.tenant_id, period_id)


async def pay(session: Any, payout: Mapping[str, Any], day: date) -> None:
    await session.connection.execute(_PAID, session.tenant_id, payout["id"], day)
