"""The rows themselves: claim their names, insert what is new, update what changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.ground.database.ids import new_id
from app.ground.database.script import Part
from app.ground.database.session import Session
from app.ground.database.tables import external_ids
from app.ground.errors import Forbidden
from app.language.resources import references, single, store
from app.language.resources.batch import Batch, Draft
from app.language.resources.resource import Resource

STORED = "stored"
"""What the rows are called in the statement that stores them."""
CLAIMED = "claimed"


class LostRace(Exception):
    """Another transaction named the same external id first; what it wrote is visible now, so begin again."""


def store_records(batch: Batch) -> None:
    """With each record the version of its history that begins with it."""
    resource = batch.resource
    new = [d for d in batch.standing if d.outcome == "created"]
    changed = [d for d in batch.standing if d.outcome not in ("created", "unchanged")]
    for draft in new:
        draft.after |= {"id": draft.record_id, "created_at": draft.moment, "updated_at": draft.moment}
    for draft in changed:
        draft.after["updated_at"] = draft.moment
        draft.after["deleted_at"] = draft.moment if draft.outcome == "deleted" else None
    columns = ("id", *resource.own_columns, "external_ids", "version", "created_at", "updated_at")
    # What is stored is named where somebody will look at it: rows that are new, and the one that is answered.
    if len(new) == 1:
        _store_one(batch, new[0])
    elif new:
        named = STORED if batch.presumed or not batch.principal.sees_all else ""
        moments = stamped(new[0], resource) if batch.presumed else ()
        _store(
            batch, columns, [d.after for d in new], "given", store.insert_given, named, moments, batch.firsts
        )
    if changed:
        rows = sorted((d.after for d in changed), key=lambda x: x["id"])
        named = STORED if len(rows) == 1 and not new else ""
        _store(batch, (*columns, "deleted_at"), rows, "altered", store.update_given, named)


def stamped(draft: Draft, resource: Resource) -> tuple[str, ...]:
    """What of a new record is the moment of its write, and so the statement's where that is only presumed."""
    moment = draft.moment
    begins = draft.versions is None or draft.versions[-1].valid_from is moment
    names = (name for name in resource.own_columns if draft.after.get(name) is moment)
    return (*names, "created_at", "updated_at", *(("held_from",) if begins else ()))


def _store_one(batch: Batch, draft: Draft) -> None:
    resource, after = batch.resource, draft.after
    moment = draft.moment if batch.presumed else None
    batch.storing.append(single.row(batch.session.tenant_id, resource, after, moment=moment, name=STORED))
    if resource.history is not None and after["held_from"] is not None:
        by = (batch.origin, batch.source, batch.principal.user_id)
        batch.storing.append(single.version(resource, after, by, moment=moment, stored=STORED))


def _store(
    batch: Batch,
    columns: Sequence[str],
    rows: list[dict[str, Any]],
    source: str,
    write: Any,
    name: str,
    moments: tuple[str, ...] = (),
    firsts: tuple[str, ...] | None = None,
) -> None:
    resource, tenant_id = batch.resource, batch.session.tenant_id
    history = resource.history
    given = store.given(
        resource.table,
        columns,
        rows,
        spans=history is not None,
        name=source,
        stamped=moments,
        differing=firsts,
    )
    batch.storing += [given, write(tenant_id, resource.table, columns, source, name)]
    if history is not None:
        by = (batch.origin, batch.source, batch.principal.user_id)
        begun = store.begin_given(tenant_id, history, resource.own_columns, source, by, single=len(rows) == 1)
        batch.storing.append(begun)
        if firsts is not None:
            batch.storing.append(
                store.begin_first(tenant_id, history, resource.own_columns, source, by, firsts)
            )


def claim_names(batch: Batch, *, claimed: bool = False) -> None:
    """Write the index of external ids: sorted, so that two claims of the same names never wait in a circle. `claimed`
    where `claim_new` has been there."""
    rows: list[dict[str, Any]] = []
    dropped: list[tuple[str, str]] = []
    for draft in batch.standing:
        if draft.outcome == "unchanged":
            continue
        old = {(x["source"], x["external_id"]) for x in (draft.before or {}).get("external_ids", ())}
        new = {(x["source"], x["external_id"]) for x in draft.after.get("external_ids", ())}
        if claimed and draft.is_new and draft.external_key is not None:
            new.discard(draft.external_key)
        rows += (_name(batch, draft, key, draft.record_id) for key in new - old)
        dropped += old - new
    _drop(batch, dropped)
    _claim(batch, rows)


def claim_new(batch: Batch) -> tuple[Batch, dict[int, UUID]]:
    """The claim of the names that rows of an upsert bring for new records, before anybody has judged them, and the
    records' ids by the rows' indices."""
    claim = replace(batch, drafts=[], clearing=[], storing=[], unheld=[], claims=0)
    new = [(d, d.external_key) for d in batch.standing if d.is_new and d.external_key is not None]
    ids = {draft.index: draft.record_id or new_id() for draft, _ in new}
    rows = [_name(batch, draft, key, ids[draft.index]) for draft, key in new]
    if rows:
        # No record of theirs is there, so whoever has one of them by now has won a race: no need to ask whether it
        # leads here, which takes a third longer.
        claim.storing.append(_naming(claim, rows))
    return claim, ids


def unclaim(batch: Batch, drafts: Iterable[Draft]) -> None:
    """Give the names of rows that were refused back."""
    _drop(batch, [d.external_key for d in drafts if d.external_key is not None])


def _name(batch: Batch, draft: Draft, key: tuple[str, str], record_id: UUID | None) -> dict[str, Any]:
    told = draft.source_updated_at if key == draft.external_key else None
    return {"noun": batch.resource.plural, "source": key[0], "external_id": key[1], "record_id": record_id,
            "source_updated_at": told}  # fmt: skip


def _drop(batch: Batch, names: Sequence[tuple[str, str]]) -> None:
    if names:
        batch.clearing.append(
            Part(
                "delete from external_ids x using unnest($3::text[], $4::text[]) k(source, external_id) where "
                "x.tenant_id = $1 and x.noun = $2 and x.source = k.source and x.external_id = k.external_id",
                [
                    batch.session.tenant_id,
                    batch.resource.plural,
                    [x[0] for x in names],
                    [x[1] for x in names],
                ],
            )
        )


def _claim(batch: Batch, rows: list[dict[str, Any]]) -> None:
    if rows:
        # One that leads here already, since the record that it named was merged into this one, is claimed as well.
        claim = (
            "on conflict (tenant_id, noun, source, external_id) do update set record_id = excluded.record_id "
            "where external_ids.record_id = excluded.record_id returning record_id"
        )
        batch.storing.append(_naming(batch, rows, behind=claim, name=CLAIMED))
        batch.claims = len(rows)


def _naming(batch: Batch, rows: list[dict[str, Any]], *, behind: str = "", name: str = "") -> Part:
    rows.sort(key=lambda x: (x["source"], x["external_id"]))
    columns = ("noun", "source", "external_id", "record_id", "source_updated_at")
    return store.insertion(batch.session.tenant_id, external_ids, columns, rows, behind=behind, name=name)


async def now(session: Session) -> Any:
    """By the database's clock, which runs on while a transaction waits."""
    return await session.connection.fetchval("select clock_timestamp()")


async def hold(session: Session, resource: Resource, ids: Iterable[UUID | None]) -> None:
    """Lock records in the order of their ids, also against whoever is about to refer to them."""
    await session.connection.execute(
        f"select from {resource.table.name} where tenant_id = $1 and id = any($2) order by id for update",
        session.tenant_id, sorted({x for x in ids if x is not None}),
    )  # fmt: skip


async def refuse_out_of_reach(batch: Batch) -> None:
    """A rep or manager may not create what it could not see: a quota for somebody else's team, say."""
    new = [d.record_id for d in batch.standing if d.outcome == "created"]
    if batch.principal.sees_all or not new:
        return

    seen = await references.living(batch.session, batch.principal, batch.resource, set(filter(None, new)))
    if len(seen) < len(new):
        raise Forbidden("You may not create a record that you could not see afterwards.", code="out_of_reach")
