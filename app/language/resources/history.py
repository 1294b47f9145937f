"""Reading history: every version of a record, or of all of them in the order in which they were written."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Integer, Text, and_, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ColumnElement

from app.ground.access.principal import Principal
from app.ground.database.ids import first_id_at
from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import MOMENT
from app.ground.errors import NotFound
from app.language.query import paging
from app.language.query.binds import Binds, constant
from app.language.query.paging import Key
from app.language.resources import custom
from app.language.resources.read import Page, one
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.shape import Leaf, Shape

_SKEW = timedelta(minutes=10)
"""How far the clocks of two servers may lie apart before an entry is missed."""


async def page(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str | None = None,
    *,
    limit: int = 50,
    after: str | None = None,
    recorded_since: datetime | None = None,
) -> Page:
    """Versions as JSON texts: of one record by `valid_from`, of all as they were written; superseded ones too.

    Each has `valid_from, valid_to, recorded_at, superseded_at` (null for an open end), `is_current`, `inferred`,
    `changed`, `actor`, `origin`, `source` and the record's tracked fields as they were. Who may look is a matter of
    today; a deleted record keeps its history. NotFound as for the record.
    """
    if resource.history is None:
        raise NotFound(f"No history is kept of {resource.plural.replace('_', ' ')}.")
    record_id: UUID | None = None
    if reference is not None:
        label = Shape((("id", Leaf("id")),))
        found = await one(session, principal, catalogue, resource, reference, label, deleted=True)
        record_id = UUID(orjson.loads(found)["id"])
    mark = paging.fingerprint((principal.tenant_id, resource.plural, "history", record_id, recorded_since))
    cursor = paging.decode(after, mark, 2 if record_id else 1) if after is not None else None
    statement = _statement(
        resource,
        Binds.of(principal).signature,
        record_id is not None,
        recorded_since is not None,
        cursor is not None,
    )
    values: dict[str, Any] = Binds.of(principal).standing(principal)
    if cursor is not None:
        values |= {f"k{i}": value for i, value in enumerate(cursor.values)}
    rows = await session.fetch(
        statement,
        **values,
        record_id=record_id,
        recorded_since=recorded_since,
        first_entry=first_id_at(recorded_since - _SKEW) if recorded_since else None,
        page_size=limit + 1,
    )
    more, rows = len(rows) > limit, rows[:limit]
    return Page(
        rows=[row["json"] for row in rows],
        keys=[tuple(row)[1:] for row in rows],
        has_more=more,
        has_previous=False,
        question=mark,
    )


@lru_cache(maxsize=512)
def _statement(
    resource: Resource, asker: tuple[Any, ...], single: bool, since: bool, continued: bool
) -> Statement:
    binds = Binds.signed(asker)
    assert resource.history is not None
    h = resource.history.alias("h")
    body = select(*_columns(resource, h, binds)).correlate(h).subquery("j")
    json = (
        select(func.row_to_json(literal_column("j"), type_=postgresql.JSON))
        .select_from(body)
        .scalar_subquery()
    )
    # Entry ids rise with the time of writing, so the primary key serves the order in which things were written.
    keys = [Key(h.c.valid_from, False, False)] if single else []
    keys.append(Key(h.c.entry_id, False, False))
    wheres: list[ColumnElement[bool]] = [h.c.tenant_id == binds.tenant]
    if single:
        wheres.append(
            h.c.record_id == bindparam("record_id", type_=postgresql.UUID(as_uuid=True), required=True)
        )
    if since:
        wheres.append(h.c.recorded_at >= bindparam("recorded_since", type_=MOMENT, required=True))
        wheres.append(
            h.c.entry_id >= bindparam("first_entry", type_=postgresql.UUID(as_uuid=True), required=True)
        )
    today = resource.table.alias("today")
    if not single and (seen := resource.visible(today, binds)) is not None:
        wheres.append(h.c.record_id.in_(select(today.c.id).where(today.c.tenant_id == binds.tenant, seen)))
    if continued:
        wheres.append(paging.beyond(keys, (False,) * len(keys)))
    return compiled(
        select(json.label("json"), *(cast(key.expression, Text).label(f"k{i}") for i, key in enumerate(keys)))
        .select_from(h)
        .where(*wheres)
        .order_by(*(key.expression for key in keys))
        .limit(bindparam("page_size", type_=Integer(), required=True))
    )


def _columns(resource: Resource, h: Any, binds: Binds) -> list[ColumnElement[Any]]:
    def end(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.nullif(column, literal_column("'infinity'::timestamptz", MOMENT))

    changed = h.c.changed
    for name in resource.hidden_from(binds.role):
        changed = func.array_remove(changed, constant(name))
    columns: list[ColumnElement[Any]] = [
        h.c.record_id.label("id"),
        h.c.valid_from,
        end(h.c.valid_to).label("valid_to"),
        h.c.recorded_at,
        end(h.c.superseded_at).label("superseded_at"),
        and_(end(h.c.valid_to).is_(None), end(h.c.superseded_at).is_(None)).label("is_current"),
        h.c.inferred,
        func.to_json(changed).label("changed"),
        h.c.actor,
        h.c.origin,
        h.c.source,
    ]
    for field in resource.fields:
        if field.kind == "custom":
            columns.append(custom.shown(resource, h, binds).label(field.name))
        elif field.name in h.c and field.readable_by(binds.role):
            column = h.c[field.name]
            columns.append(
                (func.trim_scale(column) if field.kind in ("money", "number") else column).label(field.name)
            )
    return columns
