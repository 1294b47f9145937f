"""What a version of a plan would have paid, beside what is posted. Nothing is written.

The calculation's own statement, with the version put in the plan's place, is added up by rep and by deal; what stands
is the posted lines that the same assignments have earned. Draws are left out on both sides: they hang on what other
plans and periods leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from app.sales.incentives.asked import Asked, Period
from app.sales.incentives.assigned import assigned
from app.sales.incentives.earnings import attained_by
from app.sales.incentives.ledger import Pay, prepared

MOST_REPS = 1_000
MOST_DEALS = 200
_FEW = 50
"""Up to so many reps it is cheaper to look up their deals than to read all of a period."""

_QUANTILES = {"p10": "0.1", "p25": "0.25", "median": "0.5", "p75": "0.75", "p90": "0.9"}


async def simulated(
    pay: Pay, period: Period, plan_id: UUID, version_id: UUID, reps: Sequence[UUID] | None
) -> dict[str, Any]:
    session = pay.session
    found = await assigned(
        session, pay.catalogue, pay.principal, (period.first, period.last), reps, (plan_id, version_id)
    )
    few = reps is not None or len({x.rep_id for x in found}) <= _FEW
    asked, text = await prepared(pay, period, found, only=few)
    sql = "with " + text + _compared(asked, session.tenant_id, period, plan_id, version_id, reps)
    rows = await asked.of(session, sql)
    parts: dict[str, list[Any]] = {"total": [], "rep": [], "deal": []}
    for row in rows:
        parts[row["part"]].append(row)
    [total] = parts["total"]
    by_rep = parts["rep"]
    return {
        "totals": {
            "paid_now": total["now"], "would_pay": total["would"], "difference": total["difference"],
            "credited": total["credited"], "cost_share": total["ratio"], "reps": total["reps"],
        },
        "reps": [
            {"rep": _named(x), **_sums(x), "attainment": x["ratio"]} for x in by_rep[:MOST_REPS]
        ],
        "has_more": len(by_rep) > MOST_REPS,
        "deals": [{"opportunity": _named(x), **_sums(x)} for x in parts["deal"]],
        "distribution": dict(zip(_QUANTILES, total["quantiles"] or [None] * len(_QUANTILES), strict=True)),
    }  # fmt: skip


def _named(row: Any) -> dict[str, Any]:
    return {"id": row["id"], "name": row["name"]}


def _sums(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in ("now", "would", "difference")}


def _compared(
    asked: Asked,
    tenant_id: UUID,
    period: Period,
    plan_id: UUID,
    version_id: UUID,
    reps: Sequence[UUID] | None,
) -> str:
    """Behind the calculation: a row of totals, then reps and deals by how much they differ."""
    give = asked.give
    tenant, earned = give(tenant_id, "uuid"), give(period.id, "uuid")
    plan, version = give(plan_id, "uuid"), give(version_id, "uuid")
    some = "" if reps is None else f"and l.rep_id = any({give(reps, 'uuid[]')})"
    return f""",
beside as materialized (
  select rep_id, opportunity_id, sum(now) as now, sum(would) as would from (
    select l.rep_id, l.opportunity_id, l.amount as now, 0::numeric as would
    from statement_lines l
    join plan_assignments a on a.tenant_id = {tenant} and a.id = l.assignment_id and a.plan_id = {plan}
    where l.tenant_id = {tenant} and l.earned_period_id = {earned} and l.posting <> 'draw' {some}
    union all
    select rep_id, opportunity_id, 0, amount from computed
    union all
    select rep_id, null, 0, 0 from assigned
  ) x
  group by rep_id, opportunity_id
),
attained as (
  select a.rep_id, coalesce(sum(c.amount), 0) as credited,
         coalesce(sum(c.amount), 0)
           / nullif(case when count(a.target) = count(*) then sum(a.target) end, 0) as attainment
  from assigned a
  left join (
    select assignment_id, sum(amount) as amount from credited
    where via = {attained_by(version)} group by assignment_id
  ) c on c.assignment_id = a.assignment_id
  group by a.rep_id
),
by_rep as materialized (
  select b.rep_id, sum(b.now) as now, sum(b.would) as would from beside b group by b.rep_id
)
select * from (
  select 'total' as part, 0 as place, null::uuid as id, null::text as name, coalesce(sum(b.now), 0) as now,
         coalesce(sum(b.would), 0) as would, coalesce(sum(b.would - b.now), 0) as difference,
         round(coalesce(sum(b.would), 0) / nullif(sum(t.credited), 0), 6) as ratio,
         round(coalesce(sum(t.credited), 0), 4) as credited, count(t.rep_id)::integer as reps,
         percentile_disc(array[{", ".join(_QUANTILES.values())}]) within group (order by b.would)
           filter (where t.rep_id is not null) as quantiles
  from by_rep b left join attained t on t.rep_id = b.rep_id
) totals
union all
select * from (
  select 'rep', (row_number() over (order by abs(b.would - b.now) desc, r.name, b.rep_id))::integer as place, b.rep_id,
         r.name, b.now, b.would, b.would - b.now, round(t.attainment, 6), t.credited, null::integer, null::numeric[]
  from by_rep b
  join reps r on r.tenant_id = {tenant} and r.id = b.rep_id
  left join attained t on t.rep_id = b.rep_id
  order by place limit {MOST_REPS + 1}
) reps
union all
select * from (
  select 'deal', (row_number() over (order by abs(d.would - d.now) desc, d.opportunity_id))::integer as place,
         d.opportunity_id, o.name, d.now, d.would, d.would - d.now, null::numeric, null::numeric, null::integer,
         null::numeric[]
  from (
    select opportunity_id, sum(now) as now, sum(would) as would from beside
    where opportunity_id is not null group by opportunity_id
    order by abs(sum(would - now)) desc, opportunity_id limit {MOST_DEALS}
  ) d
  join opportunities o on o.tenant_id = {tenant} and o.id = d.opportunity_id
) deals
order by part, place
"""
