"""Where rows come from: the current table, or its history at a moment. The same expressions run over either."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, Select, Table, and_, case, func, literal_column, null, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import MOMENT, metadata
from app.language.query.binds import Binds

_NEVER = literal_column("'infinity'::timestamptz", MOMENT)


def history_table(table: Table) -> Table | None:
    return metadata.tables.get(f"{table.name}_history")


def known(history: FromClause, binds: Binds) -> ColumnElement[bool]:
    """What was known at `binds.known`, in the words of the partial indexes: one holds the versions of a record that are
    known now, another those that are not any more."""
    superseded = history.c.superseded_at
    if binds.known_now:
        return superseded == _NEVER
    return and_(
        history.c.recorded_at <= binds.known,
        superseded > binds.known,
        or_(superseded == _NEVER, superseded < _NEVER),
    )


def halves(history: FromClause, binds: Binds) -> list[ColumnElement[bool]]:
    """`known` in parts that no version is in two of, each within one of the partial indexes by record: what is known
    now, and what was. A look for both at once could use neither."""
    if binds.known_now:
        return [known(history, binds)]
    now = history.c.superseded_at == _NEVER
    return [and_(known(history, binds), now), and_(known(history, binds), history.c.superseded_at < _NEVER)]


def held(history: FromClause, binds: Binds, at: ColumnElement[Any]) -> ColumnElement[bool]:
    """The version that held at a moment, by what was known; at a later one than that, the one that held last."""
    return and_(
        history.c.tenant_id == binds.tenant,
        history.c.valid_from <= at,
        history.c.valid_to > (at if binds.known_now else func.least(at, binds.known)),
        known(history, binds),
    )


def known_until(history: FromClause, binds: Binds) -> ColumnElement[Any]:
    """The end of a version, by what was known. Nothing ends in the future, and what ends now is closed in its row: so
    an end behind `binds.known` was no end yet."""
    if binds.known_now:
        return history.c.valid_to
    return case((history.c.valid_to > binds.known, _NEVER), else_=history.c.valid_to)


def versions(table: Table) -> Select[Any] | CompoundSelect[Any]:
    """Every version of every record that was ever stored, by the names of `table`; of one without history the record.

    In two parts, since each of the history's indexes holds what is known now, or what was.
    """
    history = history_table(table)
    if history is None:
        return select(*table.columns)
    columns = [
        null().cast(column.type).label(column.name)
        if column.name not in history.c
        else history.c[column.name]
        for column in table.columns
        if column.name not in ("id", "tenant_id")
    ]
    every = select(history.c.tenant_id, history.c.record_id.label("id"), *columns)
    return every.where(history.c.superseded_at == _NEVER).union_all(
        every.where(history.c.superseded_at < _NEVER)
    )


def rows(table: Table, binds: Binds) -> FromClause:
    """`table` as a condition asks it: as it is, or all that it ever held."""
    return versions(table).subquery() if binds.ever else table.alias()


def source(table: Table, binds: Binds, alias: str, *, tracked_only: bool = False) -> FromClause:
    """`table` as it is now, or as it was at `binds.moment` by what was known at `binds.known`.

    The as-of form has the same column names, so filters, visibility and expressions need not know which it is.
    Columns that history does not repeat (version, timestamps, external ids) come from the current row; with
    `tracked_only` they are left out, and so is the join. `inferred` says that a value of that moment was told later.
    """
    history = history_table(table)
    if not binds.as_of or history is None:
        return table.alias(alias)
    h, now = history.alias(f"{alias}_h"), table.alias(f"{alias}_c")
    needs_current = table.info["kind"] == "record" and not tracked_only
    columns: list[ColumnElement[Any]] = [and_(h.c.inferred, h.c.recorded_at > binds.moment).label("inferred")]
    for column in table.columns:
        if column.name == "id":
            columns.append(h.c.record_id.label("id"))
        elif column.name == "tenant_id":
            columns.append(h.c.tenant_id)
        elif column.name == "deleted_at":
            columns.append(null().cast(MOMENT).label("deleted_at"))
        elif column.name in h.c:
            columns.append(h.c[column.name])
        elif needs_current:
            columns.append(now.c[column.name])
    origin = (
        h.join(now, and_(now.c.tenant_id == h.c.tenant_id, now.c.id == h.c.record_id)) if needs_current else h
    )
    return select(*columns).select_from(origin).where(held(h, binds, binds.moment)).subquery(alias)
