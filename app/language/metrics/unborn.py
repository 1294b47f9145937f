"""Records that began to exist, as far as anyone knows, after the moment that is asked for."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Table, false, func, select
from sqlalchemy.sql.selectable import FromClause

from app.language.query.binds import Binds
from app.language.query.source import halves, history_table, known


def recorded_later(table: Table, opened: str, alias: str) -> Callable[[Binds], FromClause]:
    """Those without an opening date (the column `opened`) whose first version begins after the moment: they may have
    existed unseen.

    Asked as a minimum, which is one look into an index of a record's versions. As NOT EXISTS it is a join, and of a
    tenant that no statistics know yet the planner joined every record with the whole history.
    """

    def rows(binds: Binds) -> FromClause:
        history = history_table(table)
        assert history is not None
        h, before = history.alias(f"{alias}_h"), history.alias("before")
        own = [h.c[c.name] for c in table.columns if c.name in h.c and c.name != "tenant_id"]
        earliest = (
            select(func.min(before.c.valid_from))
            .where(before.c.tenant_id == binds.tenant, before.c.record_id == h.c.record_id, half)
            .correlate(h)
            .scalar_subquery()
            for half in halves(before, binds)
        )
        return (
            select(h.c.tenant_id, h.c.record_id.label("id"), false().label("inferred"), *own)
            .where(
                h.c.tenant_id == binds.tenant, h.c[opened].is_(None), h.c.valid_from > binds.moment, known(h, binds),
                h.c.valid_from == func.least(*earliest),
            )
            .subquery(alias)
        )  # fmt: skip

    return rows
