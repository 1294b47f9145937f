"""How every table of a tenant is made: tenant first in each key, index and foreign key.

`record_table` makes a noun's table, `child_table` the rows that live inside a record, `history_of` the bitemporal
history of either. All of them carry `tenant_id`; `migrations/` gives them the forced row-level policy.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

MOMENT = TIMESTAMP(timezone=True)
MONEY = Numeric(19, 4)
RATIO = Numeric(9, 6)


def ref(name: str, target: str, *, nullable: bool = True, index: bool = False) -> Column[Any]:
    """A reference to `target.id` inside the same tenant; the composite foreign key is added by the table maker."""
    return Column(name, UUID(as_uuid=True), nullable=nullable, info={"target": target, "index": index})


def _foreign_keys(columns: tuple[Any, ...]) -> list[ForeignKeyConstraint]:
    return [
        ForeignKeyConstraint(
            ["tenant_id", c.name], [f"{c.info['target']}.tenant_id", f"{c.info['target']}.id"]
        )
        for c in columns
        if isinstance(c, Column) and "target" in c.info
    ]


def _identity() -> list[Column[Any]]:
    return [
        Column("tenant_id", UUID(as_uuid=True), nullable=False),
        Column("id", UUID(as_uuid=True), nullable=False, server_default=text("uuidv7()")),
    ]


def record_table(name: str, *columns: Any, custom: bool = True) -> Table:
    """A noun's current rows. Usually they can hold fields that a tenant adds, by name in `custom`: null where none is
    filled.

    `external_ids` holds `[{source, external_id, url}]` as it is read; the table of that name is its unique index.
    `version` counts writes and is the ETag; `updated_at` never runs backwards within a row.
    """
    own = [c for c in columns if isinstance(c, Column)]
    return Table(
        name,
        metadata,
        *_identity(),
        *own,
        *([Column("custom", JSONB)] if custom else []),
        Column("external_ids", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
        Column("version", Integer, nullable=False, server_default=text("1")),
        Column("created_at", MOMENT, nullable=False, server_default=text("now()")),
        Column("updated_at", MOMENT, nullable=False, server_default=text("now()")),
        Column("deleted_at", MOMENT),
        PrimaryKeyConstraint("tenant_id", "id"),
        *_foreign_keys(columns),
        *(c for c in columns if not isinstance(c, Column)),
        Index(f"ix_{name}_created_at", "tenant_id", "created_at", "id"),
        info={"kind": "record"},
    )


def child_table(name: str, parent: str, *columns: Any) -> Table:
    """Rows that live inside a record and are written with it; `parent` is the column that refers to it."""
    return Table(
        name,
        metadata,
        *_identity(),
        *columns,
        PrimaryKeyConstraint("tenant_id", "id"),
        *_foreign_keys(columns),
        Index(f"ix_{name}_{parent}", "tenant_id", parent),
        info={"kind": "child", "parent": parent},
    )


BOOKKEEPING = frozenset(
    {"tenant_id", "id", "external_ids", "version", "created_at", "updated_at", "deleted_at"}
)


def history_of(table: Table) -> Table:
    """The bitemporal history of `table`: every business column, `valid_from/valid_to` (when it was true),
    `recorded_at/superseded_at` (when we knew it); half-open, `infinity` for open ends, never NULL.

    No foreign keys: a history row repeats values that were checked when the current row was written, and checking
    them again would cost half of a bulk load. Two partial unique indexes keep one open row, and one row per start,
    in what is known now.
    """
    copies: list[Column[Any]] = [
        Column(c.name, c.type, nullable=True)
        for c in table.columns
        if c.name not in BOOKKEEPING and not c.info.get("untracked")
    ]
    name = f"{table.name}_history"
    # Children of the past are looked up by their record. Of a tenant that no statistics know the planner expects one
    # row whatever it asks, so every index that could be taken for this question must begin with the record.
    parent = [table.info["parent"]] if table.info["kind"] == "child" else []
    current = "superseded_at = 'infinity'"
    return Table(
        name,
        metadata,
        Column("tenant_id", UUID(as_uuid=True), nullable=False),
        Column("entry_id", UUID(as_uuid=True), nullable=False, server_default=text("uuidv7()")),
        Column("record_id", UUID(as_uuid=True), nullable=False),
        Column("valid_from", MOMENT, nullable=False),
        Column("valid_to", MOMENT, nullable=False, server_default=text("'infinity'")),
        Column("recorded_at", MOMENT, nullable=False),
        Column("superseded_at", MOMENT, nullable=False, server_default=text("'infinity'")),
        Column("inferred", Boolean, nullable=False, server_default=text("false")),
        Column("origin", Text, nullable=False, server_default=text("'live'")),
        Column("source", Text),
        Column("actor", UUID(as_uuid=True)),
        Column("changed", ARRAY(Text), nullable=False, server_default=text("'{}'")),
        *copies,
        PrimaryKeyConstraint("tenant_id", "entry_id"),
        Index(
            f"uq_{name}_open", "tenant_id", "record_id", unique=True,
            postgresql_where=text(f"valid_to = 'infinity' and {current}"),
        ),
        Index(
            f"uq_{name}_start", "tenant_id", *parent, "record_id", "valid_from", unique=True,
            postgresql_where=text(current),
        ),
        Index(f"ix_{name}_past", "tenant_id", "record_id", postgresql_where=text("superseded_at < 'infinity'")),
        *(Index(f"ix_{name}_{column}", "tenant_id", column, "valid_from") for column in parent),
        info={"kind": "history", "of": table.name},
    )  # fmt: skip


def tenant_table(name: str, *columns: Any, key: tuple[str, ...], **info: Any) -> Table:
    """A table of the ground (keys, events, idempotency …): tenant first, primary key `(tenant_id, *key)`."""
    return Table(
        name,
        metadata,
        Column("tenant_id", UUID(as_uuid=True), nullable=False),
        *columns,
        PrimaryKeyConstraint("tenant_id", *key),
        info={"kind": "ground", **info},
    )


external_ids = tenant_table(
    "external_ids",
    Column("noun", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("record_id", UUID(as_uuid=True), nullable=False),
    Column("source_updated_at", MOMENT),
    key=("noun", "source", "external_id"),
)
"""The unique index of every `source:external_id` that names a record; records repeat their own for reading.

`source_updated_at`: how new what the source last told of it was, by the source's own clock; null where it never said.
"""

history_points = tenant_table(
    "history_points",
    Column("record_id", UUID(as_uuid=True), nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("changes", JSONB, nullable=False),
    Column("inferred", Boolean, nullable=False),
    key=("record_id", "at"),
)
"""What sources told of a record's past (`history` of an upsert's row), by moment: fields and values."""

ids_at_source = Table(
    "ids_at_source",
    metadata,
    Column("tenant_id", UUID(as_uuid=True), nullable=False),
    Column("external_id", Text, nullable=False),
    prefixes=["UNLOGGED"],
    info={"kind": "ground"},
)
"""What a source says it has, while it is compared. Never committed: a crash loses nothing, and no index is worth it."""

__all__ = [
    "BOOKKEEPING", "MOMENT", "MONEY", "RATIO", "BigInteger", "child_table", "external_ids", "history_of",
    "history_points", "ids_at_source", "metadata", "record_table", "ref", "tenant_table",
]  # fmt: skip
