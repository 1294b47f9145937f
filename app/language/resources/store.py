"""The set-based statements of a write, made from a table's own columns: one text for one row and for ten thousand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql.asyncpg import dialect as _asyncpg_dialect

from app.ground.database.session import Session
from app.ground.database.tables import metadata

_dialect = _asyncpg_dialect()


def _array_type(table: Table, name: str) -> str:
    """`unnest` would take a list of lists apart, so what is a list in itself travels as one text."""
    type_ = table.columns[name].type
    if isinstance(type_, JSONB | ARRAY):
        return "text[]"
    if isinstance(type_, TIMESTAMP):
        return "timestamptz[]"
    return f"{type_.compile(_dialect).partition('(')[0].lower()}[]"


def _types(table: Table, columns: Sequence[str]) -> str:
    """`$2::uuid[], $3::text[] …`: one array for each column; the tenant is `$1`."""
    return ", ".join(f"${i}::{_array_type(table, name)}" for i, name in enumerate(columns, start=2))


def _value(table: Table, name: str) -> str:
    """A column of `unnest` as it is stored; an open end of history comes as null."""
    type_ = table.columns[name].type
    if isinstance(type_, JSONB):
        return f"x.{name}::jsonb"
    if isinstance(type_, ARRAY):
        return f"string_to_array(x.{name}, ',')"
    if name == "valid_to":
        return "coalesce(x.valid_to, 'infinity')"
    return f"x.{name}"


@lru_cache
def _insert(table_name: str, columns: tuple[str, ...], on_conflict: str) -> str:
    table = metadata.tables[table_name]
    names = ", ".join(columns)
    values = ", ".join(_value(table, name) for name in columns)
    return (
        f"insert into {table_name} (tenant_id, {names}) "
        f"select $1, {values} from unnest({_types(table, columns)}) x({names}) {on_conflict}"
    )


@lru_cache
def _update(table_name: str, columns: tuple[str, ...], key: str) -> str:
    table = metadata.tables[table_name]
    settings = ", ".join(f"{name} = {_value(table, name)}" for name in columns if name != key)
    return (
        f"update {table_name} t set {settings} from unnest({_types(table, columns)}) x({', '.join(columns)}) "
        f"where t.tenant_id = $1 and t.{key} = x.{key}"
    )


def _arrays(table: Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    arrays: list[list[Any]] = []
    for name in columns:
        values = [row.get(name) for row in rows]
        type_ = table.columns[name].type
        if isinstance(type_, JSONB):
            values = [None if x is None else orjson.dumps(x).decode() for x in values]
        elif isinstance(type_, ARRAY):
            values = [None if x is None else ",".join(x) for x in values]
        arrays.append(values)
    return arrays


async def insert(
    session: Session,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    on_conflict: str = "",
) -> list[Any]:
    if not rows:
        return []
    sql = _insert(table.name, tuple(columns), on_conflict)
    return await session.connection.fetch(sql, session.tenant_id, *_arrays(table, columns, rows))


async def update(
    session: Session, table: Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], key: str = "id"
) -> None:
    if rows:
        sql = _update(table.name, tuple(columns), key)
        await session.connection.execute(sql, session.tenant_id, *_arrays(table, columns, rows))


async def close_open_versions(session: Session, history: Table, rows: Sequence[tuple[Any, Any]]) -> None:
    """End what is known to hold now: `rows` are `(record_id, until)`.

    Ending an open interval at the moment of writing loses nothing of what was known before: a question may not look
    further ahead than it knows.
    """
    if rows:
        await session.connection.execute(
            f"update {history.name} h set valid_to = x.until from unnest($2::uuid[], $3::timestamptz[]) x(id, until) "
            "where h.tenant_id = $1 and h.record_id = x.id and h.valid_to = 'infinity' "
            "and h.superseded_at = 'infinity'",
            session.tenant_id,
            [row[0] for row in rows],
            [row[1] for row in rows],
        )


async def supersede(session: Session, history: Table, rows: Sequence[tuple[Any, Any]]) -> None:
    """Keep what was believed, and when it ceased to be: `rows` are `(entry_id, superseded_at)`."""
    if rows:
        await session.connection.execute(
            f"update {history.name} h set superseded_at = x.at from unnest($2::uuid[], $3::timestamptz[]) x(id, at) "
            "where h.tenant_id = $1 and h.entry_id = x.id",
            session.tenant_id,
            [row[0] for row in rows],
            [row[1] for row in rows],
        )


HISTORY_COLUMNS = (
    "entry_id", "record_id", "valid_from", "valid_to", "recorded_at", "inferred", "origin", "source", "actor",
    "changed",
)  # fmt: skip


async def insert_history(
    session: Session, history: Table, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    await insert(session, history, (*HISTORY_COLUMNS, *columns), rows)
