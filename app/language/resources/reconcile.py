"""A source's full list of ids against what is here: what each has that the other lacks.

The list goes into a table, and two anti-joins answer from it, so that a million ids are never in memory. It is taken
back afterwards and never committed: nobody else sees it, and a process that ends leaves nothing of it behind.

Here means what the caller sees: a living record that has come itself. One that is deleted, out of sight, or only known
by its name (`stubs.py`) is lacking. A name whose record was merged into another is here, and no source need have it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import Text, bindparam, func, select, true, type_coerce
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ColumnElement

from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import external_ids, ids_at_source
from app.language.query.binds import Binds, constant
from app.language.resources.resource import Resource

MOST_IDS = 1_000_000
_CHUNK = 1_000
_TOLD_AT_ONCE = 5_000

_TELL = "insert into ids_at_source (tenant_id, external_id) select $1, unnest($2::text[])"
_BEGIN = """
savepoint told;
set local enable_nestloop = off;
set local plan_cache_mode = force_custom_plan
"""
"""No statistics know how many were told, and a plan for few takes hours for many. Hash joins are right for both."""


@asynccontextmanager
async def telling(session: Session, ids: Iterable[str]) -> AsyncIterator[int]:
    """The list, where the questions find it, until the block ends; gives how many ids it has."""
    connection, left, count = session.connection, iter(ids), 0
    await connection.execute(_BEGIN)
    while chunk := list(islice(left, _TOLD_AT_ONCE)):
        await connection.execute(_TELL, session.tenant_id, chunk)
        count += len(chunk)
    yield count
    await connection.execute("rollback to savepoint told")


@dataclass(frozen=True, slots=True)
class Difference:
    """Both in chunks, by external id: JSON texts of `{id, external_id}`, and of the ids themselves."""

    missing_at_source: AsyncIterator[list[str]]
    missing_here: AsyncIterator[list[str]]


def difference(session: Session, principal: Principal, resource: Resource, source: str) -> Difference:
    """Of the list that is being told."""
    binds = Binds.of(principal)
    lost, more = _statements(resource, binds.signature)
    values = {"tenant": session.tenant_id, "source": source, **binds.standing(principal)}
    return Difference(_chunks(session, lost, values), _chunks(session, more, values))


async def _chunks(session: Session, statement: Statement, values: dict[str, Any]) -> AsyncIterator[list[str]]:
    cursor = await session.connection.cursor(statement.sql, *statement.arguments(values))
    while rows := await cursor.fetch(_CHUNK):
        yield [row[0] for row in rows]


@lru_cache(maxsize=512)
def _statements(resource: Resource, asker: tuple[Any, ...]) -> tuple[Statement, Statement]:
    binds = Binds.signed(asker)
    x, record, told = external_ids.alias("x"), resource.table.alias("record"), ids_at_source.alias("told")
    source = bindparam("source", type_=Text(), required=True)
    seen = resource.visible(record, binds)

    def marked(mark: str) -> ColumnElement[bool]:
        name = func.jsonb_build_object("source", x.c.source, "external_id", x.c.external_id, mark, true())
        return record.c.external_ids.contains(type_coerce(func.jsonb_build_array(name), postgresql.JSONB))

    here = [
        x.c.tenant_id == binds.tenant, x.c.noun == constant(resource.plural), x.c.source == source,
        record.c.tenant_id == binds.tenant, record.c.id == x.c.record_id, record.c.deleted_at.is_(None),
        *([] if seen is None else [seen]),
    ]  # fmt: skip
    mine = told.c.tenant_id == binds.tenant
    listed = select(told.c.external_id).where(mine, told.c.external_id == x.c.external_id)
    named = func.json_build_object("id", record.c.id, "external_id", x.c.external_id)
    lost = (
        select(named.cast(Text)).where(*here, ~listed.exists(), ~marked("merged")).order_by(x.c.external_id)
    )
    known = select(x.c.record_id).where(*here, x.c.external_id == told.c.external_id, ~marked("stub"))
    more = (
        select(func.to_json(told.c.external_id).cast(Text))
        .where(mine, ~known.correlate(told).exists())
        .group_by(told.c.external_id)
        .order_by(told.c.external_id)
    )
    return compiled(lost), compiled(more)
