"""From what a caller calls a record (`uuid`, `source:external_id`, `me`) to its id, set-wise."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Text, and_, any_, bindparam, column, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import external_ids
from app.language.query.binds import Binds, constant
from app.language.resources.payload import SOURCE
from app.language.resources.resource import Catalogue, Resource


def parse(reference: str) -> UUID | tuple[str, str] | None:
    """A UUID, a `(source, external_id)` pair, or None where it is neither."""
    if len(reference) == 36:
        try:
            return UUID(reference)
        except ValueError:
            pass
    source, colon, external_id = reference.partition(":")
    if colon and external_id and "\x00" not in external_id and SOURCE.fullmatch(source):
        return source, external_id
    return None


_KEYS = """
select k.source, k.external_id, x.record_id from unnest($3::text[], $4::text[]) k(source, external_id)
join external_ids x on x.tenant_id = $1 and x.noun = $2 and x.source = k.source and x.external_id = k.external_id
"""


async def by_keys(
    session: Session, noun: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], UUID]:
    keys = list(keys)
    if not keys:
        return {}
    rows = await session.connection.fetch(
        _KEYS, session.tenant_id, noun, [key[0] for key in keys], [key[1] for key in keys]
    )
    return {(row["source"], row["external_id"]): row["record_id"] for row in rows}


async def resolve(
    session: Session, principal: Principal, catalogue: Catalogue, target: str, references: Iterable[str]
) -> dict[str, UUID]:
    """Those of `references` that name a living record of `target` which the principal sees. The rest is left out:
    a foreign, an invisible and a missing record look the same."""
    parsed: dict[str, UUID | tuple[str, str]] = {}
    for reference in references:
        if reference == "me" and target == "reps":
            if principal.rep_id is not None:
                parsed[reference] = principal.rep_id
        elif (found := parse(reference)) is not None:
            parsed[reference] = found
    if not parsed:
        return {}
    resource = catalogue[target]
    binds = Binds.of(principal)
    keys = [x if isinstance(x, tuple) else (None, None) for x in parsed.values()]
    rows = await session.fetch(
        _resolving(resource, binds.signature),
        **binds.standing(principal),
        names=list(parsed),
        ids=[None if isinstance(x, tuple) else x for x in parsed.values()],
        sources=[source for source, _ in keys],
        externals=[external for _, external in keys],
    )
    return {row["name"]: row["id"] for row in rows}


@lru_cache(maxsize=512)
def _resolving(resource: Resource, asker: tuple[Any, ...]) -> Statement:
    """From names to the living records they mean, in one statement however they are named."""
    binds, record, x = Binds.signed(asker), resource.table.alias("record"), external_ids
    types = {"name": Text(), "id": postgresql.UUID(as_uuid=True), "source": Text(), "external": Text()}
    arrays = (bindparam(f"{name}s", type_=ARRAY(type_), required=True) for name, type_ in types.items())
    given = (
        func.unnest(*arrays)
        .table_valued(*(column(name, type_) for name, type_ in types.items()))
        .render_derived(name="given")
    )
    named = and_(
        x.c.tenant_id == binds.tenant,
        x.c.noun == constant(resource.plural),
        x.c.source == given.c.source,
        x.c.external_id == given.c.external,
    )
    meant = and_(record.c.tenant_id == binds.tenant, record.c.id == func.coalesce(given.c.id, x.c.record_id))
    statement = (
        select(given.c.name, record.c.id)
        .select_from(given.outerjoin(x, named).join(record, meant))
        .where(record.c.deleted_at.is_(None))
    )
    if (visible := resource.visible(record, binds.for_few())) is not None:
        statement = statement.where(visible)
    return compiled(statement)


@lru_cache(maxsize=512)
def _living(resource: Resource, asker: tuple[Any, ...]) -> Statement:
    binds = Binds.signed(asker)
    record = resource.table.alias("record")
    wanted = bindparam("ids", type_=ARRAY(postgresql.UUID(as_uuid=True)), required=True)
    statement = select(record.c.id).where(
        record.c.tenant_id == binds.tenant, record.c.id == any_(wanted), record.c.deleted_at.is_(None)
    )
    if (visible := resource.visible(record, binds.for_few())) is not None:
        statement = statement.where(visible)
    return compiled(statement)


async def living(session: Session, principal: Principal, resource: Resource, ids: set[UUID]) -> set[Any]:
    binds = Binds.of(principal)
    statement = _living(resource, binds.signature)
    rows = await session.fetch(statement, **binds.standing(principal), ids=list(ids))
    return {row["id"] for row in rows}
