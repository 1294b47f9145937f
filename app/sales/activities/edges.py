"""The last and the next activity of a deal, kept with it so that a list can sort by them."""

from __future__ import annotations

from app.language.resources.batch import Batch

_REFRESH = """
with edges as (
    select d.id,
        max(a.occurred_at) filter (where a.done) as last_at,
        min(a.due_at) filter (where not a.done) as next_at
    from unnest($2::uuid[]) d(id)
    left join activities a on a.tenant_id = $1 and a.opportunity_id = d.id and a.deleted_at is null
    group by d.id
), locked as (
    select o.id from opportunities o join edges on edges.id = o.id
    where o.tenant_id = $1 order by o.id for no key update of o
)
update opportunities o set last_activity_at = edges.last_at, next_activity_at = edges.next_at
from edges join locked on locked.id = edges.id
where o.tenant_id = $1 and o.id = edges.id
    and (o.last_activity_at, o.next_activity_at) is distinct from (edges.last_at, edges.next_at)
"""


async def refresh_deals(batch: Batch) -> None:
    touched = set()
    for draft in batch.standing:
        if draft.outcome != "unchanged":
            touched.add(draft.after.get("opportunity_id"))
            touched.add((draft.before or {}).get("opportunity_id"))
    touched.discard(None)
    if touched:
        await batch.session.connection.execute(_REFRESH, batch.session.tenant_id, sorted(touched))
