"""Telling what changed, in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.ground.database import script
from app.ground.database.script import Part
from app.ground.database.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`type` names what happened (`opportunity.won`), `noun` and `record_id` to what, `changed` the fields."""

    type: str
    noun: str
    record_id: UUID
    version: int
    changed: tuple[str, ...] = ()
    at: datetime | None = None
    origin: str = "live"
    actor: UUID | None = None


# `changed` travels as one text per event: unnest would take an array of arrays apart to its last element, and field
# names hold no comma.
_COLUMNS = {
    "type": "text", "noun": "text", "record_id": "uuid", "version": "int", "changed": "text", "at": "timestamptz",
    "origin": "text", "actor": "uuid",
}  # fmt: skip
_WRITE = """
insert into events (tenant_id, id, type, noun, record_id, version, changed, at, origin, actor)
select $1, {id}, x.type, x.noun, x.record_id, x.version,
       case x.changed when '' then '{{}}' else string_to_array(x.changed, ',') end,
       coalesce(x.at, now()), x.origin, x.actor
from {rows}
"""
_ONE, _MANY = (
    _WRITE.format(rows=script.source(_COLUMNS, 2, single=single), id=script.new_id(single=single))
    for single in (True, False)
)


async def write(session: Session, events: Sequence[Event]) -> None:
    """One statement for any number of events; they are read back in the order given."""
    if events:
        await script.execute(session, [part(session.tenant_id, events)])


def part(tenant_id: UUID, events: Sequence[Event]) -> Part:
    """The same as a part of another's statement."""
    columns = [
        [event.type for event in events],
        [event.noun for event in events],
        [event.record_id for event in events],
        [event.version for event in events],
        [",".join(event.changed) for event in events],
        [event.at for event in events],
        [event.origin for event in events],
        [event.actor for event in events],
    ]
    return Part(_ONE if len(events) == 1 else _MANY, [tenant_id, *script.values(_COLUMNS, columns)])
