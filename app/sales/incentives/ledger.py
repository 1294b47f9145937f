"""What is reckoned, posted: the difference to what stands, and nothing else.

A line stands at the sum of its entries. Reckoned anew, a line that comes to something else gets an entry of the
difference: in its own period while that is open, else in the first open one behind it, as an adjustment that points to
the first entry. So no entry is ever changed, and of what a closed period has earned the entries of all periods sum to
what a reckoning from nothing gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.ground.errors import Conflict
from app.language.query import periods
from app.sales.incentives import calculation
from app.sales.incentives.asked import Asked, Period, by_sets
from app.sales.incentives.assigned import Assigned, assigned
from app.sales.incentives.draws import draw
from app.sales.incentives.lock import lock
from app.sales.incentives.rates import rates
from app.sales.incentives.told import TOLD
from app.sales.incentives.touched import seen, settle, touched

_PERIOD = "select id, starts_on, ends_on, state from comp_periods where tenant_id = $1 and id = $2"
_OPEN = """
select id, starts_on, ends_on from comp_periods
where tenant_id = $1 and starts_on >= $2 and state in ('open', 'calculated') and deleted_at is null
order by starts_on limit 1
"""
_ADJUSTED_IN = """
select c.id, c.starts_on, c.ends_on from comp_periods c
where c.tenant_id = $1 and c.starts_on < $2 and c.state = 'closed' and c.deleted_at is null
  and not exists (
    select 1 from comp_periods o
    where o.tenant_id = $1 and o.starts_on >= c.ends_on and o.starts_on < $2
      and o.state in ('open', 'calculated') and o.deleted_at is null
  )
order by c.starts_on
"""
"""The closed periods before a day whose first open one begins on it."""
_PAY_STARTS = "select (settings->>'pay_starts_on')::date from control.tenants where id = $1"

_STATEMENTS = """
with made as (
insert into statements (tenant_id, period_id, rep_id, currency)
select $1, $2, x.rep_id, x.currency from (
  select distinct * from unnest($3::uuid[], $4::text[]) as a(rep_id, currency)
  union
  select l.rep_id, l.currency from statement_lines l
  where l.tenant_id = $1 and l.earned_period_id = $5 and ($6::uuid[] is null or l.rep_id = any($6))
) x
order by x.rep_id, x.currency
on conflict (tenant_id, rep_id, period_id, currency) do nothing
returning id, version
)
insert into events (tenant_id, type, noun, record_id, version)
select $1, 'statement.created', 'statements', id, version from made
"""

_TOTALS = """
with changed as (
update statements s set
  earned = x.earned, adjusted = x.adjusted, drawn = x.drawn, held = x.held, total = x.total,
  state = case when s.state = 'approved' and s.total <> x.total then 'draft' else s.state end,
  approved_at = case when s.total = x.total then s.approved_at end,
  approved_by_id = case when s.total = x.total then s.approved_by_id end,
  version = s.version + 1, updated_at = greatest(now(), s.updated_at)
from (
  select t.id,
         coalesce(sum(l.amount) filter (where l.posting = 'earning'), 0) as earned,
         coalesce(sum(l.amount) filter (where l.posting in ('adjustment', 'clawback')), 0) as adjusted,
         coalesce(sum(l.amount) filter (where l.posting = 'draw'), 0) as drawn,
         coalesce(sum(l.amount) filter (where l.account = 'held'), 0) as held,
         coalesce(sum(l.amount) filter (where l.account = 'payable'), 0) as total
  from statements t
  left join statement_lines l on l.tenant_id = $1 and l.statement_id = t.id and l.statement_id = any(array(
    select id from statements where tenant_id = $1 and period_id = $2 and ($3::uuid[] is null or rep_id = any($3))
  ))
  where t.tenant_id = $1 and t.period_id = $2 and ($3::uuid[] is null or t.rep_id = any($3))
  group by t.id
) x
where s.tenant_id = $1 and s.id = x.id
  and (s.earned, s.adjusted, s.drawn, s.held, s.total) is distinct from (x.earned, x.adjusted, x.drawn, x.held, x.total)
returning s.id, s.version
)
insert into events (tenant_id, type, noun, record_id, version, changed)
select $1, 'statement.calculated', 'statements', id, version, '{earned,adjusted,drawn,held,total}' from changed
"""


@dataclass(frozen=True, slots=True)
class Pay:
    """Who calculates, for which tenant: sees every deal, whoever asked for it."""

    session: Any
    catalogue: Any
    principal: Principal

    @classmethod
    def of(cls, session: Any, catalogue: Any, principal: Principal) -> Pay:
        everything = replace(
            principal, role="admin", rep_id=None, user_id=None, key_id=None, scopes=frozenset()
        )
        return cls(session, catalogue, everything)

    def period(self, row: Any) -> Period:
        zone = self.principal.tenant.zone
        first, last = row["starts_on"], row["ends_on"]
        return Period(row["id"], first, last, periods.midnight(first, zone), periods.midnight(last, zone))

    async def pay_starts_on(self) -> date | None:
        return await self.session.connection.fetchval(_PAY_STARTS, self.session.tenant_id)


async def calculate(pay: Pay, period_id: UUID, reps: Sequence[UUID] | None = None) -> None:
    """Post what a period has earned; of an open one also what closed periods before it have earned otherwise since, as
    far as the feed tells of it. A closed one is reckoned anew whatever the feed tells.

    Raises Conflict where a closed period has no open one behind it.
    """
    session = pay.session
    await lock(session)
    row = await session.connection.fetchrow(_PERIOD, session.tenant_id, period_id)
    period = pay.period(row)
    if row["state"] == "closed":
        behind = await session.connection.fetchrow(_OPEN, session.tenant_id, period.last)
        if behind is None:
            raise Conflict(
                "The period is closed, and there is no open one behind it to adjust in.",
                code="no_open_period",
            )
        into = pay.period(behind)
        await _reckon(pay, period, into, reps)
    else:
        into = period
        for earlier in await session.connection.fetch(_ADJUSTED_IN, session.tenant_id, period.first):
            await _take_in(pay, pay.period(earlier), into, reps)
        await _reckon(pay, period, into, reps)
    await draw(session, into, reps)
    await by_sets(session, _TOTALS, session.tenant_id, into.id, reps)


async def _reckon(pay: Pay, period: Period, into: Period, reps: Sequence[UUID] | None) -> None:
    txid = await seen(pay.session)
    await post(pay, period, into, reps)
    if reps is None:
        await settle(pay.session, period, txid)


async def _take_in(pay: Pay, period: Period, into: Period, reps: Sequence[UUID] | None) -> None:
    """Of a closed period, those whose pay may have changed since it was last looked at."""
    txid = await seen(pay.session)
    some = await touched(pay.session, period)
    wanted = reps if some is None else some if reps is None else [x for x in reps if x in set(some)]
    if wanted is None or wanted:
        await post(pay, period, into, wanted)
    if reps is None:
        await settle(pay.session, period, txid)


async def prepared(
    pay: Pay, period: Period, found: Sequence[Assigned], *, only: bool, assumed: Any = None
) -> tuple[Asked, str]:
    """The statement's beginning, with what it is given."""
    session = pay.session
    terms = await calculation.components(session, (x.version_id for x in found))
    also = [] if assumed is None else [(assumed["currency"], assumed["day"])]
    priced = await rates(session, pay.principal, period, (x.currency for x in found), also=also)
    asked = Asked()
    text = calculation.lines(
        asked, session.tenant_id, pay.principal.tenant.timezone, period, found, terms, priced,
        pay_starts_on=await pay.pay_starts_on(), only=only, assumed=assumed,
    )  # fmt: skip
    return asked, text


async def post(pay: Pay, period: Period, into: Period, reps: Sequence[UUID] | None) -> None:
    """What `period` has earned, as entries in `into`."""
    session = pay.session
    days = period.first, period.last
    found = await assigned(session, pay.catalogue, pay.principal, days, reps)
    await session.connection.execute(
        _STATEMENTS, session.tenant_id, into.id, [x.rep_id for x in found], [x.currency for x in found],
        period.id, reps,
    )  # fmt: skip
    asked, text = await prepared(pay, period, found, only=reps is not None)
    await asked.of(session, "with " + text + _posting(asked, session.tenant_id, period, into, reps))


def _posting(asked: Asked, tenant_id: UUID, period: Period, into: Period, reps: Sequence[UUID] | None) -> str:
    give = asked.give
    tenant, earned, paid = give(tenant_id, "uuid"), give(period.id, "uuid"), give(into.id, "uuid")
    some = "" if reps is None else f"and {{0}}.rep_id = any({give(reps, 'uuid[]')})"
    late = period.id != into.id
    if late:
        day = give(into.first, "date")
        posting = "case when c.line_key is null then 'clawback' else 'adjustment' end"
        traced = "false"
    else:
        day = "coalesce(c.on_day, s.on_day)"
        posting = "'earning'"
        traced = (
            "c.trace is distinct from s.trace - '{amount_now,amount_before}'::text[]"
            " or c.reason is distinct from s.reason"
        )
    return f""",
standing as materialized (
  select distinct on (l.line_key) l.*, sum(l.amount) over (partition by l.line_key) as stands,
         coalesce(sum(l.amount) filter (where l.period_id <> {paid}) over (partition by l.line_key), 0) as elsewhere,
         array_agg(l.id) over (partition by l.line_key) as line_ids
  from statement_lines l
  where l.tenant_id = {tenant} and l.earned_period_id = {earned} and l.posting <> 'draw' {some.format("l")}
  order by l.line_key, l.period_id <> {earned}, l.id
),
changed as materialized (
  select coalesce(c.line_key, s.line_key) as line_key, coalesce(c.rep_id, s.rep_id) as rep_id,
         coalesce(c.assignment_id, s.assignment_id) as assignment_id,
         coalesce(c.version_id, s.version_id) as version_id, coalesce(c.component, s.component) as component,
         coalesce(c.kind, s.kind) as kind, coalesce(c.opportunity_id, s.opportunity_id) as opportunity_id,
         coalesce(c.credited_rep_id, s.credited_rep_id) as credited_rep_id, coalesce(c.tier, s.tier) as tier,
         coalesce(c.account, s.account) as account, {day} as on_day, coalesce(c.currency, s.currency) as currency,
         coalesce(c.amount, 0) - coalesce(s.stands, 0) as difference,
         case when c.line_key is null then 'no_longer_credited' else c.reason end as reason,
         case when {"true" if late else "c.line_key is null or s.elsewhere <> 0"}
              then coalesce(c.trace, s.trace) || jsonb_build_object(
                'amount_now', coalesce(c.amount, 0), 'amount_before', coalesce(s.elsewhere, 0))
              else c.trace end as trace,
         {posting} as posting, s.line_ids
  from computed c full join standing s on s.line_key = c.line_key
  where coalesce(c.amount, 0) <> coalesce(s.stands, 0)
     or {"false" if late else "s.line_key is null"}
     or c.line_key is not null and ({traced})
),
written as (
  insert into statement_lines as l (
    tenant_id, statement_id, period_id, earned_period_id, rep_id, assignment_id, version_id, component, kind, posting,
    opportunity_id, credited_rep_id, tier, account, on_day, currency, amount, reason, trace, line_key
  )
  select {tenant}, t.id, {paid}, {earned}, x.rep_id, x.assignment_id, x.version_id, x.component, x.kind, x.posting,
         x.opportunity_id, x.credited_rep_id, x.tier, x.account, x.on_day, x.currency, x.difference, x.reason, x.trace,
         x.line_key
  from changed x
  join statements t on t.tenant_id = {tenant} and t.period_id = {paid} and t.rep_id = x.rep_id
   and t.currency = x.currency {some.format("t")}
  on conflict (tenant_id, period_id, line_key) do update set
    amount = l.amount + excluded.amount, reason = excluded.reason, on_day = excluded.on_day,
    version_id = excluded.version_id, kind = excluded.kind,
    trace = excluded.trace,
    version = l.version + 1, updated_at = greatest(now(), l.updated_at)
  returning id, line_key, statement_id, version
),
amended as (
  select x.line_key, l.id from changed x cross join lateral unnest(x.line_ids) as l(id) where x.difference <> 0
),
adjusted as (
  select distinct on (a.line_key) a.line_key, e.id
  from amended a join ledger_entries e on e.line_id = a.id
  where e.tenant_id = {tenant} and e.line_id = any(array(select id from amended))
  order by a.line_key, e.id
),
entered as (
insert into ledger_entries (
  tenant_id, kind, period_id, earned_period_id, rep_id, statement_id, line_id, opportunity_id, adjusts_id, debit,
  credit, on_day, currency, amount, created_at
)
select {tenant}, x.posting, {paid}, {earned}, x.rep_id, w.statement_id, w.id, x.opportunity_id,
       a.id, 'expense', x.account, x.on_day, x.currency, x.difference, now()
from changed x join written w on w.line_key = x.line_key left join adjusted a on a.line_key = x.line_key
where x.difference <> 0
returning id
)
{TOLD.format(tenant=tenant)}"""
