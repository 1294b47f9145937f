"""The change feed as one caller sees it: an event is visible as its record is, by the noun's own predicate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import select, true

from app.ground.access.permissions import permits
from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement
from app.ground.events import feed
from app.language.query.binds import Binds
from app.language.resources.resource import Catalogue, Resource


async def changes(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    after: str | None,
    *,
    types: Collection[str] = (),
    limit: int = 100,
) -> feed.Batch:
    binds = Binds.of(principal)
    nouns = tuple(x.plural for x in catalogue if permits(principal, x.permission_name, "read"))
    batch = await feed.read(
        session,
        _statement(catalogue, nouns, binds.signature, bool(types)),
        after,
        types=types,
        limit=limit,
        values=binds.standing(principal),
    )
    hidden = {noun: catalogue[noun].hidden_from(principal.role) for noun in nouns}
    batch.entries[:] = [
        replace(entry, changed=[name for name in entry.changed if name not in hidden[entry.noun]])
        if hidden[entry.noun]
        else entry
        for entry in batch.entries
    ]
    return batch


@lru_cache(maxsize=256)
def _statement(
    catalogue: Catalogue, nouns: tuple[str, ...], asker: tuple[Any, ...], typed: bool
) -> Statement:
    binds = Binds.signed(asker)
    return feed.reading({noun: partial(_visible, catalogue[noun], binds) for noun in nouns}, typed=typed)


def _visible(resource: Resource, binds: Binds, events: Any) -> Any:
    """Deleted records keep who sees them."""
    record = resource.table.alias("record")
    condition = resource.visible(record, binds)
    if condition is None:
        return None
    seen = select(record.c.id).where(
        record.c.tenant_id == binds.tenant, record.c.id == events.c.record_id, condition
    )
    return true() & seen.exists()
