"""The set-based parts of a write, made from a table's own columns: for one row and for ten thousand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Boolean, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql.asyncpg import dialect as _asyncpg_dialect
from sqlalchemy.types import TypeEngine

from app.ground.database import script
from app.ground.database.script import Part
from app.ground.database.tables import MOMENT, metadata

_dialect = _asyncpg_dialect()


def _sent_as(type_: TypeEngine[Any]) -> str:
    """`unnest` would take a list of lists apart, so what is a list in itself travels as one text."""
    if isinstance(type_, JSONB | ARRAY):
        return "text"
    if isinstance(type_, TIMESTAMP):
        return "timestamptz"
    return type_.compile(_dialect).partition("(")[0].lower()


def _source(types: Mapping[str, TypeEngine[Any]], first: int, *, single: bool) -> str:
    return script.source(_all_sent_as(types), first, single=single)


def _all_sent_as(types: Mapping[str, TypeEngine[Any]]) -> dict[str, str]:
    return {name: _sent_as(type_) for name, type_ in types.items()}


def _value(name: str, type_: TypeEngine[Any]) -> str:
    """A column as it is stored; an open end of history comes as null."""
    if isinstance(type_, JSONB):
        return f"x.{name}::jsonb"
    if isinstance(type_, ARRAY):
        return f"string_to_array(x.{name}, ',')"
    if name == "valid_to":
        return "coalesce(x.valid_to, 'infinity')"
    return f"x.{name}"


def _types(table: Table, columns: Sequence[str]) -> dict[str, TypeEngine[Any]]:
    return {name: table.columns[name].type for name in columns}


@lru_cache
def _insert(table_name: str, columns: tuple[str, ...], behind: str, single: bool) -> str:
    table = metadata.tables[table_name]
    types = _types(table, columns)
    values = {name: _value(name, type_) for name, type_ in types.items()}
    if table.info["kind"] == "history" and not single:
        values["entry_id"] = script.new_id(single=False)
    return (
        f"insert into {table_name} (tenant_id, {', '.join(values)}) "
        f"select $1, {', '.join(values.values())} from {_source(types, 2, single=single)} {behind}"
    )


_SPAN = {"held_from": MOMENT, "held_inferred": Boolean(), "held_changed": ARRAY(Text)}
"""What a record's row carries beside its columns: since when its history says so (null: it says nothing), whether that
is inferred, and which fields changed."""

_FIRST = {"first_from": MOMENT, "first_inferred": Boolean()}
"""The same of the one version before it, where a new record has one."""


def first(name: str) -> str:
    """What a column in which that version differs is called in a record's row."""
    return f"first_{name}"


def _types_given(
    table: Table, columns: Sequence[str], spans: bool, differing: Sequence[str] | None
) -> dict[str, TypeEngine[Any]]:
    types = _types(table, columns)
    if spans:
        types |= _SPAN
    if differing is not None:
        types |= _FIRST | {first(name): table.columns[name].type for name in differing}
    return types


@lru_cache(maxsize=512)
def _given(
    table_name: str,
    columns: tuple[str, ...],
    spans: bool,
    single: bool,
    stamped: tuple[str, ...],
    differing: tuple[str, ...] | None,
) -> str:
    types = _types_given(metadata.tables[table_name], columns, spans, differing)
    values = [f"{'now()' if name in stamped else _value(name, x)} as {name}" for name, x in types.items()]
    place = [] if single else ["x.place"]
    sent = {name: x for name, x in types.items() if name not in stamped}
    return f"select {', '.join([*values, *place])} from {_source(sent, 1, single=single)}"


def given(
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    spans: bool,
    name: str,
    stamped: tuple[str, ...] = (),
    differing: tuple[str, ...] | None = None,
) -> Part:
    """Rows for other parts to read, so that a value travels once, however often it is stored. Those that are `stamped`
    are the moment of the statement; `differing` are the columns in which a version before them differs, if any has
    one."""
    types = _types_given(table, columns, spans, differing)
    sent = {name: x for name, x in types.items() if name not in stamped}
    text = _given(table.name, tuple(columns), spans, len(rows) == 1, stamped, differing)
    return Part(text, _arguments(sent, rows), name)


@lru_cache
def _insert_given(table_name: str, columns: tuple[str, ...], source: str, name: str) -> str:
    names = ", ".join(columns)
    returning = "returning *" if name else ""
    return f"insert into {table_name} (tenant_id, {names}) select $1, {names} from {source} {returning}"


def insert_given(tenant_id: UUID, table: Table, columns: Sequence[str], source: str, name: str) -> Part:
    return Part(_insert_given(table.name, tuple(columns), source, name), [tenant_id], name)


@lru_cache
def _update_given(table_name: str, columns: tuple[str, ...], source: str, name: str) -> str:
    settings = ", ".join(f"{column} = x.{column}" for column in columns if column != "id")
    returning = "returning t.*" if name else ""
    return f"update {table_name} t set {settings} from {source} x where t.tenant_id = $1 and t.id = x.id {returning}"


def update_given(tenant_id: UUID, table: Table, columns: Sequence[str], source: str, name: str) -> Part:
    return Part(_update_given(table.name, tuple(columns), source, name), [tenant_id], name)


@lru_cache
def _begin_given(history_name: str, columns: tuple[str, ...], source: str, single: bool) -> str:
    names = ", ".join(columns)
    entry_id, entry = ("", "") if single else ("entry_id, ", f"{script.new_id(single=False)}, ")
    return (
        f"insert into {history_name} (tenant_id, record_id, valid_from, recorded_at, inferred, origin, source, actor, "
        f"changed, {entry_id}{names}) "
        f"select $1, id, held_from, updated_at, held_inferred, $2, $3, $4, held_changed, {entry}{names} from {source} "
        "where held_from is not null"
    )


def begin_given(
    tenant_id: UUID, history: Table, columns: Sequence[str], source: str, by: Sequence[Any], *, single: bool
) -> Part:
    """The versions that hold from now on are the rows themselves. `by` is origin, source and actor."""
    return Part(_begin_given(history.name, tuple(columns), source, single), [tenant_id, *by])


@lru_cache(maxsize=512)
def _begin_first(history_name: str, columns: tuple[str, ...], source: str, differing: tuple[str, ...]) -> str:
    values = (first(name) if name in differing else name for name in columns)
    entry = script.new_id(single=False)
    return (
        f"insert into {history_name} (tenant_id, record_id, valid_from, valid_to, recorded_at, inferred, origin, "
        f"source, actor, entry_id, {', '.join(columns)}) select $1, id, first_from, held_from, updated_at, "
        f"first_inferred, $2, $3, $4, {entry}, {', '.join(values)} from {source} where first_from is not null"
    )


def begin_first(
    tenant_id: UUID,
    history: Table,
    columns: Sequence[str],
    source: str,
    by: Sequence[Any],
    differing: tuple[str, ...],
) -> Part:
    """The versions before those, which are the rows but for the columns that differ."""
    return Part(_begin_first(history.name, tuple(columns), source, differing), [tenant_id, *by])


@lru_cache
def _update(table_name: str, columns: tuple[str, ...], single: bool) -> str:
    types = _types(metadata.tables[table_name], columns)
    settings = ", ".join(f"{name} = {_value(name, type_)}" for name, type_ in types.items() if name != "id")
    return (
        f"update {table_name} t set {settings} from {_source(types, 2, single=single)} "
        f"where t.tenant_id = $1 and t.id = x.id"
    )


def _arguments(types: Mapping[str, TypeEngine[Any]], rows: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
    arrays: list[list[Any]] = []
    for name, type_ in types.items():
        values = [row.get(name) for row in rows]
        if isinstance(type_, JSONB):
            values = [None if x is None else orjson.dumps(x).decode() for x in values]
        elif isinstance(type_, ARRAY):
            values = [None if x is None else ",".join(x) for x in values]
        arrays.append(values)
    return script.values(_all_sent_as(types), arrays)


def insertion(
    tenant_id: UUID,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    behind: str = "",
    name: str = "",
) -> Part:
    """`behind` is `on conflict …` or `returning …`."""
    text = _insert(table.name, tuple(columns), behind, len(rows) == 1)
    return Part(text, [tenant_id, *_arguments(_types(table, columns), rows)], name)


def change(
    tenant_id: UUID,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
) -> Part:
    """Overwrite rows by their id."""
    text = _update(table.name, tuple(columns), len(rows) == 1)
    return Part(text, [tenant_id, *_arguments(_types(table, columns), rows)])


def removal(tenant_id: UUID, table: Table, ids: Sequence[UUID]) -> Part:
    return Part(f"delete from {table.name} where tenant_id = $1 and id = any($2::uuid[])", [tenant_id, ids])


def closing(tenant_id: UUID, history: Table, rows: Sequence[tuple[Any, Any]]) -> Part:
    """End what is known to hold now: `rows` are `(record_id, until)`.

    Ending an open interval at the moment of writing loses nothing of what was known before: a question may not look
    further ahead than it knows.
    """
    return Part(
        f"update {history.name} h set valid_to = x.until from unnest($2::uuid[], $3::timestamptz[]) x(id, until) "
        "where h.tenant_id = $1 and h.record_id = x.id and h.valid_to = 'infinity' "
        "and h.superseded_at = 'infinity'",
        [tenant_id, [row[0] for row in rows], [row[1] for row in rows]],
    )


def supersession(tenant_id: UUID, history: Table, rows: Sequence[tuple[Any, Any]]) -> Part:
    """Keep what was believed, and when it ceased to be: `rows` are `(entry_id, superseded_at)`."""
    return Part(
        f"update {history.name} h set superseded_at = x.at from unnest($2::uuid[], $3::timestamptz[]) x(id, at) "
        "where h.tenant_id = $1 and h.entry_id = x.id",
        [tenant_id, [row[0] for row in rows], [row[1] for row in rows]],
    )


HISTORY_COLUMNS = (
    "record_id", "valid_from", "valid_to", "recorded_at", "inferred", "origin", "source", "actor",
    "changed",
)  # fmt: skip
