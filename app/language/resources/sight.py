"""Who sees a record when the question is about the past."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.query.binds import Binds
from app.language.resources.resource import Resource


def visible(resource: Resource, record: FromClause, binds: Binds) -> ColumnElement[bool] | None:
    """Who may look is a matter of today: a question about the past is answered for the records one sees now."""
    if not binds.as_of:
        return resource.visible(record, binds)
    today = resource.table.alias("today")
    now = Binds(role=binds.role, sees_all=binds.sees_all, sees_unowned=binds.sees_unowned)
    seen = resource.visible(today, now)
    if seen is None:
        return None
    return record.c.id.in_(select(today.c.id).where(today.c.tenant_id == binds.tenant, seen))
