"""The table of what changed: written with the change, read in the order of commit."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.types import UserDefinedType

from app.ground.database.tables import MOMENT, tenant_table


class XID8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction number; it never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


events = tenant_table(
    "events",
    Column("txid", XID8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("sequence", BigInteger, Identity(always=True), nullable=False),
    Column("id", UUID(as_uuid=True), nullable=False, server_default=text("uuidv7()")),
    Column("type", Text, nullable=False),
    Column("at", MOMENT, nullable=False, server_default=text("now()")),
    Column("noun", Text, nullable=False),
    Column("record_id", UUID(as_uuid=True), nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("origin", Text, nullable=False, server_default=text("'live'")),
    Column("actor", UUID(as_uuid=True)),
    key=("txid", "sequence"),
    privileges=("select", "insert"),
)
"""`sequence` alone is no safe cursor: a transaction that took a low number may commit after one with a higher.
Ordered by `(txid, sequence)` and read only below the oldest running transaction, nothing appears behind a reader."""
Index("ix_events_record_id", events.c.tenant_id, events.c.record_id)
