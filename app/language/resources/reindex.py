"""Words for records that were there before their noun could be searched, or came by SQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from app.ground.database import script
from app.ground.database.session import Session
from app.language.resources import words
from app.language.resources.resource import Catalogue, Resource

CHUNK = 5000


async def reindex(connection: Any, tenant_id: UUID, catalogue: Catalogue) -> int:
    """How many records of this tenant were looked at. A chunk is a transaction of its own, so writers hardly wait."""
    session, count = Session(connection, tenant_id), 0
    for resource in catalogue:
        if resource.search:
            count += await _add(session, resource)
        await _remove(session, resource)
    return count


async def _add(session: Session, resource: Resource) -> int:
    last, count = UUID(int=0), 0
    # Locked, so that no writer changes a name between our reading it and storing its words.
    chunk = (
        f"select id, {', '.join(resource.search)} from {resource.table.name} "
        f"where tenant_id = $1 and id > $2 order by id limit {CHUNK} for no key update"
    )
    while True:
        async with session.connection.transaction():
            await _enter(session)
            rows = await session.connection.fetch(chunk, session.tenant_id, last)
            if not rows:
                return count
            pairs = [(word, row["id"]) for row in rows for word in words.words_of(resource, row)]
            await script.execute(session, [words.addition(session.tenant_id, resource, pairs)])
        last, count = rows[-1]["id"], count + len(rows)


async def _remove(session: Session, resource: Resource) -> None:
    """Words that their records have not, or no longer where a noun is searched by other fields."""
    place: tuple[str, UUID] = ("", UUID(int=0))
    fields = "".join(f", r.{name}" for name in resource.search)
    chunk = (
        f"select w.word, w.record_id{fields} from search_words w "
        f"left join {resource.table.name} r on r.tenant_id = w.tenant_id and r.id = w.record_id "
        "where w.tenant_id = $1 and w.noun = $2 and (w.word, w.record_id) > ($3, $4) "
        f"order by w.word, w.record_id limit {CHUNK} for no key update of w"
    )
    while True:
        async with session.connection.transaction():
            await _enter(session)
            rows = await session.connection.fetch(chunk, session.tenant_id, resource.plural, *place)
            if not rows:
                return
            gone = [(x["word"], x["record_id"]) for x in rows if x["word"] not in words.words_of(resource, x)]
            if gone:
                await script.execute(session, [words.removal(session.tenant_id, resource, gone)])
        place = (rows[-1]["word"], rows[-1]["record_id"])


async def _enter(session: Session) -> None:
    await session.connection.execute(f"set local app.tenant_id = '{session.tenant_id}'")
