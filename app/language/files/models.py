"""Tables of what takes longer than a request: operations, what they were given, and what they made.

Content stands in the database, in blocks: every process of every machine finds it there, it is under its tenant's
policy, and it is there after a crash or is not.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from app.ground.access.principal import ROLES
from app.ground.database.tables import MOMENT, tenant_table

KINDS = ("import", "export")
STATES = ("pending", "running", "succeeded", "failed", "cancelled")
FINAL = ("succeeded", "failed", "cancelled")
BLOCK = 1024 * 1024
"""Bytes of content in one row."""


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} in ({', '.join(map(repr, values))})", name=column)


operations = tenant_table(
    "operations",
    Column("id", UUID(as_uuid=True), nullable=False, server_default=text("uuidv7()")),
    Column("kind", Text, _one_of("kind", KINDS), nullable=False),
    Column("state", Text, _one_of("state", STATES), nullable=False, server_default=text("'pending'")),
    Column("noun", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    # Who asked, as far as the work has to be done in that name.
    Column("caller", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, _one_of("role", ROLES), nullable=False),
    Column("user_id", UUID(as_uuid=True)),
    Column("rep_id", UUID(as_uuid=True)),
    Column("key_id", UUID(as_uuid=True)),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    # How far it is.
    Column("bytes_total", BigInteger),
    Column("bytes_received", BigInteger, nullable=False, server_default=text("0")),
    Column("bytes_read", BigInteger, nullable=False, server_default=text("0")),
    Column("rows_read", BigInteger, nullable=False, server_default=text("0")),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("place", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("cancel_requested", Boolean, nullable=False, server_default=text("false")),
    Column("result", JSONB),
    Column("problem", JSONB),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("updated_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("started_at", MOMENT),
    Column("finished_at", MOMENT),
    key=("id",),
)
"""`place` is where an import goes on: bytes, line, row and header; it moves in the transaction that merges a chunk."""
Index("ix_operations_created_at", operations.c.tenant_id, operations.c.created_at)

operation_errors = tenant_table(
    "operation_errors",
    Column("operation_id", UUID(as_uuid=True), nullable=False),
    Column("row_number", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("column_name", Text),
    Column("external_id", Text),
    Column("pointer", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    key=("operation_id", "row_number", "ordinal"),
)
"""Why rows of an import were refused: the row counted from 1, the line of the file on which it begins, the column."""

import_blocks = tenant_table(
    "import_blocks",
    Column("operation_id", UUID(as_uuid=True), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    key=("operation_id", "start"),
)
"""What was uploaded, by its first byte."""

import_chunks = tenant_table(
    "import_chunks",
    Column("operation_id", UUID(as_uuid=True), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("merged_at", MOMENT, nullable=False, server_default=text("now()")),
    key=("operation_id", "sequence"),
    privileges=("select", "insert", "delete"),
)
"""The ledger: a chunk's line is written with its rows, so it is merged once, whoever tries again."""

export_blocks = tenant_table(
    "export_blocks",
    Column("operation_id", UUID(as_uuid=True), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    key=("operation_id", "start"),
)

signing_keys = tenant_table(
    "signing_keys",
    Column("purpose", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", MOMENT, nullable=False, server_default=text("now()")),
    key=("purpose",),
)
"""What links are signed with: 32 random bytes a tenant, made when the first link is."""
