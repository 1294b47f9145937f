"""The rows themselves: claim their names, insert what is new, update what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.ground.database.tables import external_ids
from app.ground.errors import Forbidden
from app.language.resources import references, store
from app.language.resources.batch import Batch, Draft


class LostRace(Exception):
    """Another transaction named the same external id first; what it wrote is visible now, so begin again."""


async def store_records(batch: Batch) -> None:
    resource, session = batch.resource, batch.session
    new = [d for d in batch.standing if d.outcome == "created"]
    changed = [d for d in batch.standing if d.outcome not in ("created", "unchanged")]
    await _claim_names(batch, new + changed)
    columns = ("id", *resource.columns, "external_ids", "version", "created_at", "updated_at", "deleted_at")
    for draft in new:
        draft.after |= {"id": draft.record_id, "created_at": draft.moment, "updated_at": draft.moment}
    for draft in changed:
        draft.after["updated_at"] = draft.moment
        draft.after["deleted_at"] = draft.moment if draft.outcome == "deleted" else None
    insert_columns = tuple(
        name
        for name in columns
        if not resource.table.columns[name].info.get("untracked") and name != "deleted_at"
    )
    await store.insert(session, resource.table, insert_columns, [d.after for d in new])
    await store.update(
        session,
        resource.table,
        (*insert_columns, "deleted_at"),
        sorted((d.after for d in changed), key=lambda x: x["id"]),
    )


async def _claim_names(batch: Batch, drafts: Sequence[Draft]) -> None:
    """Write the index of external ids: sorted, so that two claims of the same names never wait in a circle."""
    rows: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    for draft in drafts:
        old = {(x["source"], x["external_id"]) for x in (draft.before or {}).get("external_ids", ())}
        new = {(x["source"], x["external_id"]) for x in draft.after.get("external_ids", ())}
        for names, target in ((new - old, rows), (old - new, dropped)):
            target += [
                {"noun": batch.resource.plural, "source": s, "external_id": e, "record_id": draft.record_id}
                for s, e in names
            ]
    if dropped:
        await batch.session.connection.execute(
            "delete from external_ids x using unnest($3::text[], $4::text[]) k(source, external_id) where "
            "x.tenant_id = $1 and x.noun = $2 and x.source = k.source and x.external_id = k.external_id",
            batch.session.tenant_id,
            batch.resource.plural,
            [x["source"] for x in dropped],
            [x["external_id"] for x in dropped],
        )
    if rows:
        rows.sort(key=lambda x: (x["source"], x["external_id"]))
        columns = ("noun", "source", "external_id", "record_id")
        claimed = await store.insert(
            batch.session, external_ids, columns, rows, "on conflict do nothing returning record_id"
        )
        if len(claimed) < len(rows):
            raise LostRace


async def refuse_out_of_reach(batch: Batch) -> None:
    """A rep or manager may not create what it could not see: a quota for somebody else's team, say."""
    new = [d.record_id for d in batch.standing if d.outcome == "created"]
    if batch.principal.sees_all or not new:
        return

    seen = await references.living(batch.session, batch.principal, batch.resource, set(filter(None, new)))
    if len(seen) < len(new):
        raise Forbidden("You may not create a record that you could not see afterwards.", code="out_of_reach")
