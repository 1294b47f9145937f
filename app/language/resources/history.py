"""Every version of a record, or of all records of a noun: when it was so, when we knew it, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Select, Text, bindparam, cast, func, literal, literal_column, select, true
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import NotFound
from app.language.query import paging
from app.language.query.binds import Binds
from app.language.resources import references
from app.language.resources.read import Page
from app.language.resources.resource import Catalogue, Resource

_FOREVER = literal_column("'infinity'::timestamptz", DateTime(timezone=True))
_EVER_SINCE = literal_column("'-infinity'::timestamptz", DateTime(timezone=True))


async def history(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str | None,
    *,
    limit: int = 50,
    after: str | None = None,
    recorded_since: datetime | None = None,
) -> Page:
    """In the order in which it was recorded. Without a `reference`: of every record that the principal sees.

    Who may look is a matter of today, and a deleted record keeps its history. NotFound for a record that is not
    visible.
    """
    binds = Binds.of(principal)
    values: dict[str, Any] = binds.standing(principal) | {"page_size": limit + 1}
    record_id: UUID | None = None
    if reference is not None:
        record_id = await _visible_id(session, principal, resource, reference)
    mark = paging.fingerprint(("history", resource.plural, record_id, recorded_since))
    statement = _statement(resource, principal.role, binds)
    assert resource.history is not None  # noqa: S101 - only tracked nouns are asked
    entry = statement.selected_columns["entry_id"]
    h = statement.get_final_froms()[0]
    del h
    if record_id is not None:
        statement = statement.where(literal_column("h.record_id") == bindparam("record_id", type_=PgUUID(as_uuid=True)))
        values["record_id"] = record_id
    if recorded_since is not None:
        statement = statement.where(literal_column("h.recorded_at") >= bindparam("since", type_=DateTime(timezone=True)))
        values["since"] = recorded_since
    if after is not None:
        cursor = paging.decode(after, mark, 1)
        statement = statement.where(entry > cast(bindparam("k0", type_=Text()), PgUUID(as_uuid=True)))
        values["k0"] = cursor.values[0]
    rows = await session.fetch(statement.limit(bindparam("page_size")), **values)
    shown = rows[:limit]
    return Page(
        rows=[row["json"] for row in shown],
        keys=[(str(row["entry_id"]),) for row in shown],
        has_more=len(rows) > limit,
        has_previous=False,
        question=mark,
    )
