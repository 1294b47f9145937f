"""What an open deal would earn if it closed now: the period reckoned with it, less the period reckoned without it.

So a tier that it reaches counts for earlier deals as well, and a cap that it meets takes from it. Whose pay the asker
may not see is not reckoned at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.sales.incentives.asked import Period
from app.sales.incentives.assigned import Assigned, assigned
from app.sales.incentives.earnings import attained_by
from app.sales.incentives.ledger import Pay, prepared

_ABOVE = """
select distinct m.manager_id from (
  select owner_id as rep_id from opportunities where tenant_id = $1 and id = $2
  union all
  select rep_id from opportunity_splits where tenant_id = $1 and opportunity_id = $2
) h
join rep_reach m on m.tenant_id = $1 and m.rep_id = h.rep_id
where $3 or exists (select 1 from rep_reach s where s.tenant_id = $1 and s.manager_id = $4 and s.rep_id = m.manager_id)
"""


async def concerned(session: Any, asker: Principal, deal_id: UUID) -> list[UUID]:
    """Who has credit of a deal, and those above them: of these the ones whose pay the asker may see."""
    rows = await session.connection.fetch(
        _ABOVE, session.tenant_id, deal_id, asker.role == "admin", asker.rep_id
    )
    return [row["manager_id"] for row in rows]


async def estimated(
    pay: Pay, period: Period, assumed: Mapping[str, Any], reps: Sequence[UUID]
) -> list[dict[str, Any]]:
    """One for each assignment that the deal would have credit in."""
    day: date = assumed["day"]
    days = period.first, period.last
    everything = await assigned(pay.session, pay.catalogue, pay.principal, days, reps) if reps else []
    found = [x for x in everything if x.first <= day < x.last]
    if not found:
        return []
    before = {x["assignment_id"]: x for x in await _reckoned(pay, period, found, assumed["id"], None)}
    told: dict[UUID, dict[str, Any]] = {}
    for row in await _reckoned(pay, period, found, assumed["id"], assumed):
        if not row["credited"]:
            continue
        id_, less = row["assignment_id"], before[row["assignment_id"]]
        if id_ not in told:
            told[id_] = {
                "rep": {"id": row["rep_id"], "name": row["rep"]},
                "plan": {"id": row["plan_id"], "name": row["plan"]},
                "currency": row["currency"],
                "earns": row["earns"] - less["earns"],
                "on_other_deals": row["earns"] - less["earns"] - row["of_it"],
                "attainment_before": less["attainment"],
                "attainment_after": row["attainment"],
                "lines": [],
            }
        if row["component"] is not None:
            names = ("component", "kind", "tier", "rate", "amount", "account", "reason")
            told[id_]["lines"].append({name: row[name] for name in names})
    return list(told.values())


async def _reckoned(
    pay: Pay, period: Period, found: Sequence[Assigned], deal_id: UUID, assumed: Mapping[str, Any] | None
) -> list[Any]:
    """By assignment what it earns, with a row for each line that is the deal's."""
    asked, text = await prepared(pay, period, found, only=True, assumed=assumed)
    tenant, deal = asked.give(pay.session.tenant_id, "uuid"), asked.give(deal_id, "uuid")
    sql = f"""with {text}
select a.assignment_id, a.rep_id, r.name as rep, p.id as plan_id, p.name as plan, a.currency, e.earns, e.of_it,
       round(t.attained / nullif(a.target, 0), 6) as attainment, t.credited, c.component, c.kind, c.tier,
       (c.trace->>'rate')::numeric as rate, c.amount, c.account, c.reason
from assigned a
join plan_assignments s on s.tenant_id = {tenant} and s.id = a.assignment_id
join comp_plans p on p.tenant_id = {tenant} and p.id = s.plan_id
join reps r on r.tenant_id = {tenant} and r.id = a.rep_id
cross join lateral (
  select coalesce(sum(amount), 0) as earns, coalesce(sum(amount) filter (where opportunity_id = {deal}), 0) as of_it
  from computed where assignment_id = a.assignment_id
) e
cross join lateral (
  select coalesce(sum(c.amount) filter (where c.via = {attained_by("a.version_id")}), 0) as attained,
         coalesce(bool_or(c.opportunity_id = {deal} and c.via in (
           select k.via from components k where k.version_id = a.version_id)), false) as credited
  from credited c where c.assignment_id = a.assignment_id
) t
left join computed c on c.assignment_id = a.assignment_id and c.opportunity_id = {deal}
order by r.name, a.assignment_id, c.component, c.tier, c.credited_rep_id
"""
    return await asked.of(pay.session, sql)
