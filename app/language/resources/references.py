"""From what a caller calls a record (`uuid`, `source:external_id`, `me`) to its id, set-wise."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import any_, bindparam, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement, compiled
from app.language.query.binds import Binds
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
    resource = catalogue[target]
    keys = await by_keys(session, resource.plural, {x for x in parsed.values() if isinstance(x, tuple)})
    ids = {name: keys.get(x) if isinstance(x, tuple) else x for name, x in parsed.items()}
    wanted = {x for x in ids.values() if x is not None}
    if not wanted:
        return {}
    there = await living(session, principal, resource, wanted)
    return {name: id_ for name, id_ in ids.items() if id_ is not None and id_ in there}


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
