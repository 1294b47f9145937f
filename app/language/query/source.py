"""Where rows come from: the current table, or its history at a moment. The same expressions run over either."""

from __future__ import annotations

from sqlalchemy import Table, and_, null, select
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import MOMENT, metadata
from app.language.query.binds import Binds


def history_table(table: Table) -> Table | None:
    return metadata.tables.get(f"{table.name}_history")


def source(table: Table, binds: Binds, alias: str) -> FromClause:
    """`table` as it is now, or as it was at `binds.moment` by what was known at `binds.known`.

    The as-of form has the same column names, so filters, visibility and expressions need not know which it is.
    Columns that history does not repeat (version, timestamps, external ids) come from the current row.
    """
    history = history_table(table)
    if not binds.as_of or history is None:
        return table.alias(alias)
    h, now = history.alias(f"{alias}_h"), table.alias(f"{alias}_c")
    columns = []
    for column in table.columns:
        if column.name == "id":
            columns.append(h.c.record_id.label("id"))
        elif column.name == "tenant_id":
            columns.append(h.c.tenant_id)
        elif column.name == "deleted_at":
            columns.append(null().cast(MOMENT).label("deleted_at"))
        elif column.name in h.c:
            columns.append(h.c[column.name])
        elif column.name in now.c:
            columns.append(now.c[column.name])
    needs_current = table.info["kind"] == "record"
    origin = (
        h.join(now, and_(now.c.tenant_id == h.c.tenant_id, now.c.id == h.c.record_id)) if needs_current else h
    )
    return (
        select(*columns)
        .select_from(origin)
        .where(
            h.c.tenant_id == binds.tenant,
            h.c.valid_from <= binds.moment,
            h.c.valid_to > binds.moment,
            h.c.recorded_at <= binds.known,
            h.c.superseded_at > binds.known,
        )
        .subquery(alias)
    )
