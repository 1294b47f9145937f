"""Reading what changed, in the order of commit and without a gap.

A reader is shown only transactions older than every one still running: whatever commits later sorts behind what was
read. So a cursor is a place that nothing is ever inserted before.

"Running" means every transaction that has a number, also one of another tenant or database. Reading takes no number,
so only writers hold a feed back, and only while they write. To wait for those alone that write events is not possible
without slowing them: a transaction has its number from its first write, and nobody can tell before its end whether it
will write events with it.
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

from app.ground.database.session import Session, Statement, compiled
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


def settled() -> ColumnElement[Any]:
    """The number below which every transaction has ended."""
    return func.pg_snapshot_xmin(func.pg_current_snapshot(type_=Text), type_=XID8)


def place(name: str) -> ColumnElement[Any]:
    """The parameters `<name>_txid` (as text) and `<name>_sequence`, to be compared with `(txid, sequence)`."""
    return tuple_(
        cast(cast(bindparam(f"{name}_txid", required=True), Text), XID8),
        cast(bindparam(f"{name}_sequence", required=True), BigInteger),
    )


def reading(nouns: Mapping[str, Visible], *, typed: bool) -> Statement:
    """The statement of `read` for these nouns, each with its visibility; `typed` where types are asked for."""
    statement = (
        select(*_COLUMNS)
        .where(
            events.c.tenant_id == bindparam("tenant", required=True),
            tuple_(events.c.txid, events.c.sequence) > place("after"),
            events.c.txid < settled(),
            or_(false(), *(_seen(noun, visible) for noun, visible in nouns.items())),
        )
        .order_by(events.c.txid, events.c.sequence)
        .limit(bindparam("page_size", type_=BigInteger, required=True))
    )
    if typed:
        wanted = bindparam("types", type_=ARRAY(Text), required=True)
        statement = statement.where(events.c.type == func.any(wanted))
    return compiled(statement)


async def read(
    session: Session,
    statement: Statement,
    after: str | None,
    *,
    types: Collection[str] = (),
    limit: int = 100,
    values: Mapping[str, Any] | None = None,
) -> Batch:
    """Events behind `after`. `values` fills the parameters that the visibility conditions of the statement hold."""
    txid, sequence = parse_cursor(after or BEGINNING)
    rows = await session.fetch(
        statement,
        after_txid=str(txid),
        after_sequence=sequence,
        page_size=limit + 1,
        types=list(types),
        **(values or {}),
    )
    entries = [Entry(*row) for row in rows[:limit]]
    cursor = entries[-1].cursor if entries else f"{txid}.{sequence}"
    return Batch(entries, cursor, len(rows) > limit)


async def latest(session: Session) -> str:
    """The cursor behind everything that is settled now: where a listener starts who wants only what comes."""
    return f"{await session.connection.fetchval('select pg_snapshot_xmin(pg_current_snapshot())::text')}.0"


_HEAD = """
select txid::text || '.' || sequence from events
where tenant_id = $1 and txid < pg_snapshot_xmin(pg_current_snapshot()) order by txid desc, sequence desc limit 1
"""


async def head(session: Session) -> str:
    """The cursor of the tenant's last settled event: it stands still while nothing happens to the tenant."""
    return await session.connection.fetchval(_HEAD, session.tenant_id) or BEGINNING


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
