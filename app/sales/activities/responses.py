"""When a lead was first answered: kept with it, since the time until then decides what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.language.resources.batch import Batch
from app.language.resources.follow import follow

_LATER = """
select l.id, answered.at from unnest($2::uuid[], $3::timestamptz[]) answered (id, at)
join leads l on l.tenant_id = $1 and l.id = answered.id
where l.deleted_at is null and answered.at >= coalesce(l.received_at, l.created_at)
    and (l.first_response_at is null or answered.at < l.first_response_at)
"""

_REACHES_OUT = ("call", "email", "meeting")


async def note_responses(batch: Batch) -> None:
    """The first outgoing activity since the lead came in. A later one never moves it, an earlier one that is told
    late does; what was done before the lead came in answers nothing."""
    first: dict[UUID, datetime] = {}
    for draft in batch.standing:
        if draft.outcome in ("created", "updated", "restored") and answers(draft.after):
            lead, at = draft.after["lead_id"], draft.after["occurred_at"]
            first[lead] = min(at, first.get(lead, at))
    if first:
        rows = await batch.session.connection.fetch(
            _LATER, batch.session.tenant_id, list(first), list(first.values())
        )
        await follow(batch, "leads", {row["id"]: {"first_response_at": row["at"]} for row in rows})


def answers(activity: Mapping[str, Any]) -> bool:
    return (
        activity["lead_id"] is not None
        and activity["done"]
        and activity["occurred_at"] is not None
        and activity["kind"] in _REACHES_OUT
        and activity["direction"] == "outbound"
    )
