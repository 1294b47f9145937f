"""The tree of managers: no cycles, and its closure kept beside it in `rep_reach`."""

from __future__ import annotations

from app.language.resources.batch import Batch

_CLOSE = """
with recursive above as (
    select r.id as manager_id, r.id as rep_id, 0 as depth from reps r where r.tenant_id = $1
    union all
    select m.manager_id, above.rep_id, above.depth + 1
    from above join reps m on m.tenant_id = $1 and m.id = above.manager_id
    where m.manager_id is not null
), gone as (
    delete from rep_reach x where x.tenant_id = $1
    and not exists (select 1 from above a where a.manager_id = x.manager_id and a.rep_id = x.rep_id)
)
insert into rep_reach (tenant_id, manager_id, rep_id, depth)
select $1, manager_id, rep_id, depth from above
on conflict (tenant_id, manager_id, rep_id) do update set depth = excluded.depth
where rep_reach.depth <> excluded.depth
"""

_LOCK = "select pg_advisory_xact_lock(hashtextextended('rep_reach:' || $1, 0))"


async def refuse_cycles(batch: Batch) -> None:
    """Two moves that are each fine can close a cycle together, so changes of the tree of one tenant stand in line."""
    moved = [d for d in batch.standing if d.is_new or "manager_id" in d.changed]
    if not moved:
        return
    connection = batch.session.connection
    await connection.execute(_LOCK, str(batch.session.tenant_id))
    stored = await connection.fetch(
        "select id, manager_id from reps where tenant_id = $1", batch.session.tenant_id
    )
    manager_of = {row["id"]: row["manager_id"] for row in stored}
    manager_of |= {d.record_id: d.after.get("manager_id") for d in moved}
    for draft in moved:
        above, seen = draft.after.get("manager_id"), {draft.record_id}
        while above is not None:
            if above in seen:
                draft.refuse(
                    "manager_id", "hierarchy_cycle", "A rep cannot report to itself or to someone below it."
                )
                break
            seen.add(above)
            above = manager_of.get(above)


async def close(batch: Batch) -> None:
    if any(d.outcome in ("created", "restored") or "manager_id" in d.changed for d in batch.standing):
        await batch.session.connection.execute(_CLOSE, batch.session.tenant_id)
