"""Finding one rep by what a person at a terminal calls them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, func, or_, select

from app.ground.database.session import Session
from app.ground.database.tables import external_ids
from app.ground.errors import Invalid
from app.sales.org.models import reps


@dataclass(frozen=True, slots=True)
class Found:
    id: UUID
    name: str
    has_reports: bool


async def find_rep(session: Session, reference: str) -> Found:
    """By id, `source:external_id`, e-mail or full name; several that fit are as good as none."""
    source, _, external_id = reference.partition(":")
    reports = reps.alias("reports")
    by_source = select(external_ids.c.record_id).where(
        external_ids.c.tenant_id == bindparam("tenant"),
        external_ids.c.noun == "reps",
        external_ids.c.source == source,
        external_ids.c.external_id == external_id,
    )
    fits = [reps.c.id.in_(by_source), func.lower(reps.c.email) == reference.lower(), reps.c.name == reference]
    with suppress(ValueError):
        fits.append(reps.c.id == UUID(reference))
    has_reports = exists().where(
        and_(
            reports.c.tenant_id == bindparam("tenant"),
            reports.c.manager_id == reps.c.id,
            reports.c.deleted_at.is_(None),
        )
    )
    statement = (
        select(reps.c.id, reps.c.name, has_reports.label("has_reports"))
        .where(reps.c.tenant_id == bindparam("tenant"), reps.c.deleted_at.is_(None), or_(*fits))
        .limit(2)
    )
    rows = await session.fetch(statement)
    if len(rows) != 1:
        raise Invalid.field(
            "/rep", "unknown", f'{"No rep is" if not rows else "Several reps are"} "{reference}".'
        )
    return Found(*rows[0])
