"""Bytes of a file in the database, block by block: taken in as they come, given out from any place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal
from uuid import UUID

from app.ground.database.session import Database, Session
from app.language.files.models import BLOCK

Side = Literal["import_blocks", "export_blocks"]


async def put(session: Session, side: Side, operation_id: UUID, start: int, body: bytes) -> None:
    await session.connection.execute(
        f"insert into {side} (tenant_id, operation_id, start, body) values ($1, $2, $3, $4)",
        session.tenant_id, operation_id, start, body,
    )  # fmt: skip


async def clear(session: Session, side: Side, operation_id: UUID) -> None:
    await session.connection.execute(
        f"delete from {side} where tenant_id = $1 and operation_id = $2", session.tenant_id, operation_id
    )


async def block_at(database: Database, tenant_id: UUID, side: Side, operation_id: UUID, byte: int) -> bytes:
    """From `byte` to the end of its block; empty behind the end. A transaction of its own: a reader may be slow."""
    async with database.transaction(tenant_id) as session:
        row: Any = await session.connection.fetchrow(
            f"select start, body from {side} where tenant_id = $1 and operation_id = $2 and start <= $3"
            " order by start desc limit 1",
            tenant_id, operation_id, byte,
        )  # fmt: skip
    return b"" if row is None else row["body"][byte - row["start"] :]


async def spans(
    database: Database, tenant_id: UUID, side: Side, operation_id: UUID, first: int, last: int
) -> AsyncIterator[bytes]:
    """The bytes from `first` to `last`, both included."""
    at = first
    while at <= last:
        body = await block_at(database, tenant_id, side, operation_id, at)
        if not body:
            return
        yield body[: last - at + 1]
        at += len(body)


class Blocks:
    """Cuts what is written into blocks, and says when one is full."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.held = bytearray()

    def add(self, data: bytes) -> bool:
        self.held += data
        return len(self.held) >= BLOCK

    def take(self) -> tuple[int, bytes]:
        """The next block and where it begins; shorter than the others only where no more is held."""
        body = bytes(self.held[:BLOCK])
        del self.held[:BLOCK]
        start, self.start = self.start, self.start + len(body)
        return start, body
