"""Rows of a large upsert that say nothing new: they are compared with what is stored before anything is locked.

A source that sends all it has sends mostly what is here already. To say of a row that it changes nothing takes neither
its lock nor its rules: what it says is so at a moment of this request. Only what is plain is told apart here. A row
with lists, history or a clock of its own goes the whole way, and so does whatever differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import any_, bindparam, select, true
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from app.ground.database.session import Statement, compiled
from app.language.query.binds import Binds
from app.language.query.merged import LINK
from app.language.resources.batch import PIECE, Batch, Draft
from app.language.resources.fields import CUSTOM
from app.language.resources.resource import Resource, defaults

_NAMES = "external_ids"


async def set_aside(batch: Batch) -> None:
    """Take out what is as it is told. Where nothing of the first piece is, the rest is not asked for."""
    resource = batch.resource
    home = batch.principal.tenant.home_currency
    fill = dict(defaults(resource, home))
    twice = {id_ for id_, n in Counter(d.record_id for d in batch.drafts).items() if n > 1}
    plain = [
        draft
        for draft in batch.standing
        if draft.record_id is not None and draft.record_id not in twice and _is_plain(draft, resource)
    ]
    for drafts in (plain[:PIECE], plain[PIECE:]):
        rows = await _rows(batch, drafts)
        for draft in drafts:
            row = rows.get(draft.record_id)
            if row is not None and _says_nothing_new(draft, row, fill):
                draft.before, draft.after = row, row
                draft.leave()
        if not any(draft.aside for draft in drafts):
            break
    batch.drafts = [draft for draft in batch.drafts if not draft.aside]


def _is_plain(draft: Draft, resource: Resource) -> bool:
    return not (
        draft.delete
        or draft.stub
        or draft.if_version is not None
        or draft.source_updated_at is not None
        or not draft.changes.keys() <= resource.stored_names
    )


async def _rows(batch: Batch, drafts: list[Draft]) -> dict[Any, Any]:
    """The records that are visible and there, in the columns that any of the rows tells."""
    if not drafts:
        return {}
    told: set[str] = set().union(*{frozenset(draft.changes) for draft in drafts})
    binds = Binds.of(batch.principal)
    rows = await batch.session.fetch(
        _select(batch.resource, tuple(sorted(told - {"id", "version"})), binds.signature),
        **binds.standing(batch.principal),
        ids=[draft.record_id for draft in drafts],
    )
    return {row["id"]: row for row in rows}


@lru_cache(maxsize=512)
def _select(resource: Resource, names: tuple[str, ...], asker: tuple[Any, ...]) -> Statement:
    binds = Binds.signed(asker)
    record = resource.table.alias("record")
    visible = resource.visible(record, binds)
    ids = bindparam("ids", type_=ARRAY(postgresql.UUID(as_uuid=True)), required=True)
    return compiled(
        select(record.c.id, record.c.version, *(record.c[name] for name in names)).where(
            record.c.tenant_id == binds.tenant,
            record.c.id == any_(ids),
            record.c.deleted_at.is_(None),
            record.c[LINK].is_(None) if LINK in record.c else true(),
            true() if visible is None else visible,
        )
    )


def _says_nothing_new(draft: Draft, row: Mapping[str, Any], fill: Mapping[str, Any]) -> bool:
    for name, value in draft.changes.items():
        stored = row[name]
        if value is None:
            value = fill.get(name)
        if name == _NAMES:
            if not _is_its_name(draft, draft.changes[name][0], stored):
                return False
        elif name == CUSTOM:
            if value is None or any(stored.get(key) != x for key, x in value.items()):
                return False
        elif stored != value:
            return False
    return True


def _is_its_name(draft: Draft, told: Mapping[str, Any], stored: list[dict[str, Any]]) -> bool:
    """A name that another record brought with it when it was merged is not its own."""
    for name in stored:
        if (name["source"], name["external_id"]) == draft.external_key:
            is_own = not (name.get("merged") or name.get("stub"))
            return is_own and told["url"] in (None, name.get("url"))
    return False
