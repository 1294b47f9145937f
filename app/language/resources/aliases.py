"""What the names of records that were merged mean today.

A source's name for a duplicate is looked up as ever: it stands in the index of names as the survivor's, and in the
survivor's own list with `merged`. An id that finds nothing living is followed along the links (`query/merged.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql

from app.ground.database.session import Session, Statement, compiled
from app.language.query import merged
from app.language.query.binds import Binds
from app.language.query.merged import LINK
from app.language.resources.resource import Resource


def mergeable(resource: Resource) -> bool:
    return merged.mergeable(resource.table)


def is_alias(external_ids: Iterable[Mapping[str, Any]], key: tuple[str, str]) -> bool:
    """Whether a record has this name because one of that name was merged into it."""
    return any(x.get("merged") and (x["source"], x["external_id"]) == key for x in external_ids)


def is_mute(external_ids: Iterable[Mapping[str, Any]], key: tuple[str, str]) -> bool:
    """Whether what a source tells under this name changes nothing. It is heard under one name: a record's own, else the
    first of its duplicates'. Two rows, which the source still takes for two records, would change it in turn."""
    if not is_alias(external_ids, key):
        return False
    of_source = [x for x in external_ids if x["source"] == key[0]]
    heard = next((x for x in of_source if not x.get("merged")), of_source[0])
    return heard["external_id"] != key[1]


@lru_cache
def _following(noun: Resource) -> Statement:
    first = bindparam("id", type_=postgresql.UUID(as_uuid=True), required=True)
    links = merged.links(noun.table, Binds(role="", sees_all=True), lambda id_: id_ == first)
    return compiled(select(links.c.id, links.c.deleted_at).where(links.c.id != first))


async def survivor(
    session: Session, noun: Resource, id_: UUID, *, as_of: datetime | None = None
) -> UUID | None:
    """The record that took over the one of this id: today, or the first that was there at the moment. None where it
    was never merged."""
    if not mergeable(noun):
        return None
    rows = await session.fetch(_following(noun), id=id_)
    there = (
        row["id"] for row in rows
        if row["deleted_at"] is None or (as_of is not None and row["deleted_at"] > as_of)
    )  # fmt: skip
    return next(there, rows[-1]["id"] if rows else None)


async def survivors(session: Session, noun: Resource, ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """By the id of each that was merged, the record that it leads to today."""
    if not mergeable(noun):
        return {}
    rows = await session.connection.fetch(_ALL.format(table=noun.table.name), session.tenant_id, list(ids))
    return {row["asked"]: row["id"] for row in rows}


_ALL = f"""
with recursive led (asked, id, next) as (
    select id, id, {LINK} from {{table}} where tenant_id = $1 and id = any($2) and {LINK} is not null
    union all
    select led.asked, taker.id, taker.{LINK}
    from led join {{table}} taker on taker.tenant_id = $1 and taker.id = led.next
)
select asked, id from led where next is null
"""
