"""A pay period's days, by the tenant's calendar; no two of them share one."""

from __future__ import annotations

from app.language.resources.batch import Batch
from app.sales.incentives.lock import lock
from app.sales.targets import periods as named

_OTHERS = "select id, starts_on, ends_on from comp_periods where tenant_id = $1 and deleted_at is null"

prepare = named.prepare


async def check(batch: Batch) -> None:
    drafts = [d for d in batch.standing if d.is_new or d.changed or d.delete or d.restore]
    if not drafts:
        return
    await lock(batch.session)
    rows = await batch.session.connection.fetch(_OTHERS, batch.session.tenant_id)
    written = {d.record_id for d in drafts if d.record_id is not None}
    taken = [(r["starts_on"], r["ends_on"]) for r in rows if r["id"] not in written]
    for draft in drafts:
        days = draft.after["starts_on"], draft.after["ends_on"]
        if draft.delete:
            if draft.before is not None and draft.before["calculated_at"] is not None:
                draft.refuse("", "already_calculated", "A period with statements is not deleted.")
        elif any(days[0] < end and begin < days[1] for begin, end in taken):
            draft.refuse("period", "overlaps", "Another pay period has some of these days.")
        else:
            taken.append(days)
