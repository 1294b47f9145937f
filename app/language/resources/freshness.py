"""How new a source's word of a record is: an older one changes nothing, whatever order they come in.

The moment stands with the name that the source gave the record. It is read once the record is locked, since another
writer of the same row may have moved it while this one waited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.ground.database.script import Part
from app.language.resources import aliases
from app.language.resources.batch import Batch, Draft

STALE, UNKNOWN, DELETED, MERGED = "stale", "unknown", "already_deleted", "merged"

_TOLD = """
select k.place, x.source_updated_at from unnest($3::text[], $4::text[]) with ordinality k(source, external_id, place)
join external_ids x on x.tenant_id = $1 and x.noun = $2 and x.source = k.source and x.external_id = k.external_id
where x.source_updated_at is not null
"""
_REMEMBER = """
update external_ids x set source_updated_at = k.at
from unnest((select $3::text[]), (select $4::text[]), (select $5::timestamptz[])) k(source, external_id, at)
where x.tenant_id = $1 and x.noun = $2 and x.source = k.source and x.external_id = k.external_id
"""
_NEWER = "newer_at_source"


async def leave_stale(batch: Batch) -> None:
    """Take out what is older than what is stored."""
    dated = [
        (d, d.external_key) for d in batch.standing if d.source_updated_at and d.external_key and d.before
    ]
    newer: list[Draft] = batch.facts.setdefault(_NEWER, [])
    # A name that is heard of for the first time has no clock yet; a new record brings its own.
    newer += (d for d in batch.standing if d.source_updated_at and d.into and not d.before)
    if dated:
        keys = [key for _, key in dated]
        rows = await batch.session.connection.fetch(
            _TOLD, batch.session.tenant_id, batch.resource.plural, [x[0] for x in keys], [x[1] for x in keys]
        )
        told = {row["place"] - 1: row["source_updated_at"] for row in rows}
        for place, (draft, _) in enumerate(dated):
            assert draft.source_updated_at is not None
            stored = told.get(place)
            if stored is None or draft.source_updated_at > stored:
                newer.append(draft)
            elif draft.source_updated_at < stored:
                _leave(draft, STALE)


async def set_aside(batch: Batch) -> None:
    """Take out what is older than what is stored, deletions of what is not there, and what a source tells of a record
    that is part of another one here."""
    await leave_stale(batch)
    for draft in batch.standing:
        if draft.stub and draft.before is not None:
            # Somebody else was quicker, or it was deleted: it is not made anew.
            _leave(draft, None)
        elif draft.delete and draft.external_key and draft.before is None:
            _leave(draft, UNKNOWN)
        elif draft.external_key and draft.before and _of_a_duplicate(draft.before, draft):
            _leave(draft, MERGED)
        elif draft.delete and draft.external_key and draft.before and draft.before["deleted_at"] is not None:
            _leave(draft, DELETED)
    _refuse_twice(batch)


def _of_a_duplicate(before: Mapping[str, Any], draft: Draft) -> bool:
    """The source has deleted what is one of several names here, or goes on changing it under its own name for it."""
    assert draft.external_key is not None
    alike = aliases.is_alias if draft.delete else aliases.is_mute
    return alike(before["external_ids"], draft.external_key)


def _refuse_twice(batch: Batch) -> None:
    """Two names of one record in one request would change it in turn."""
    first: dict[UUID, int] = {}
    for draft in batch.standing:
        if draft.record_id is not None and first.setdefault(draft.record_id, draft.index) != draft.index:
            draft.refuse(
                "external_id", "duplicate_row", f"Row {first[draft.record_id]} names the same record."
            )


def _leave(draft: Draft, reason: str | None) -> None:
    draft.leave(reason)
    draft.after = dict(draft.before or {})


def remember(batch: Batch) -> None:
    """Also of rows that changed nothing: what comes later may be older than they are."""
    newer = [d for d in batch.facts[_NEWER] if not d.failed]
    if newer:
        newer.sort(key=lambda draft: draft.external_key or ("", ""))
        keys = [d.external_key or ("", "") for d in newer]
        batch.storing.append(
            Part(
                _REMEMBER,
                [
                    batch.session.tenant_id, batch.resource.plural, [x[0] for x in keys], [x[1] for x in keys],
                    [d.source_updated_at for d in newer],
                ],
            )
        )  # fmt: skip
