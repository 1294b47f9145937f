"""Reading what changed, in the order of commit and without a gap.

A reader is shown only transactions older than every one still running: whatever commits later sorts behind what was
read. So a cursor is a place that nothing is ever inserted before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    bindparam,
    cast,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.session import Session
from app.ground.errors import BadCursor
from app.ground.events.models import XID8, events

Visible = Callable[[FromClause], ColumnElement[bool] | None]
"""`events` to the condition under which the asking principal sees the event's record; None means every one."""


@dataclass(frozen=True, slots=True)
class Entry:
    txid: int
    sequence: int
    id: UUID
    type: str
    at: datetime
    noun: str
    record_id: UUID
    version: int
    changed: list[str]
    origin: str
    actor: UUID | None

    @property
    def cursor(self) -> str:
        return f"{self.txid}.{self.sequence}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "sequence": self.cursor,
            "type": self.type,
            "at": self.at,
            "noun": self.noun,
            "record_id": self.record_id,
            "version": self.version,
            "changed": self.changed,
            "origin": self.origin,
            "actor": self.actor,
        }


@dataclass(frozen=True, slots=True)
class Batch:
    entries: list[Entry]
    cursor: str
    """Where to go on, also when nothing was found."""
    has_more: bool


BEGINNING = "0.0"
_LARGEST = 2**63 - 1


async def read(
    session: Session,
    after: str | None,
    *,
    types: Collection[str] = (),
    nouns: Mapping[str, Visible],
    limit: int = 100,
    values: Mapping[str, Any] | None = None,
) -> Batch:
    """Events behind `after` of the nouns given, each noun with its visibility.

    `values` fills the named parameters that the visibility conditions hold.
    """
    place = parse_cursor(after or BEGINNING)
    settled = func.pg_snapshot_xmin(func.pg_current_snapshot(type_=Text), type_=XID8)
    statement = (
        select(*_COLUMNS)
        .where(
            events.c.tenant_id == bindparam("tenant"),
            tuple_(events.c.txid, events.c.sequence)
            > tuple_(
                cast(cast(bindparam("after_txid"), Text), XID8), cast(bindparam("after_sequence"), BigInteger)
            ),
            events.c.txid < settled,
            or_(false(), *(_seen(noun, visible) for noun, visible in nouns.items())),
        )
        .order_by(events.c.txid, events.c.sequence)
        .limit(bindparam("page_size", type_=BigInteger))
    )
    if types:
        statement = statement.where(events.c.type == func.any(bindparam("types", type_=ARRAY(Text))))
    rows = await session.fetch(
        statement,
        after_txid=str(place[0]),
        after_sequence=place[1],
        page_size=limit + 1,
        types=list(types),
        **(values or {}),
    )
    entries = [Entry(*row) for row in rows[:limit]]
    cursor = entries[-1].cursor if entries else f"{place[0]}.{place[1]}"
    return Batch(entries, cursor, len(rows) > limit)


async def latest(session: Session) -> str:
    """The cursor behind everything that is settled now: where a listener starts who wants only what comes."""
    return f"{await session.connection.fetchval('select pg_snapshot_xmin(pg_current_snapshot())::text')}.0"


def parse_cursor(cursor: str) -> tuple[int, int]:
    txid, dot, sequence = cursor.partition(".")
    if not dot or not (txid.isascii() and txid.isdecimal() and sequence.isascii() and sequence.isdecimal()):
        raise BadCursor("A cursor of the event feed looks like 742.1083; it comes from an earlier answer.")
    if len(cursor) > 40 or int(txid) > _LARGEST or int(sequence) > _LARGEST:
        raise BadCursor("This cursor is beyond any event.")
    return int(txid), int(sequence)


def _seen(noun: str, visible: Visible) -> ColumnElement[bool]:
    condition = visible(events)
    return and_(events.c.noun == noun, true() if condition is None else condition)


# The driver knows xid8 as an integer already; the cast keeps that independent of its version.
_COLUMNS = (
    cast(cast(events.c.txid, Text), BigInteger),
    events.c.sequence,
    events.c.id,
    events.c.type,
    events.c.at,
    events.c.noun,
    events.c.record_id,
    events.c.version,
    events.c.changed,
    events.c.origin,
    events.c.actor,
)
