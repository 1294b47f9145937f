"""A row by which a source says that it has merged the record of this name into another one.

It takes the way of the verb. What the source told before of the duplicate is kept; nothing else of such a row is
stored. A name that was never heard of becomes one of the survivor's, for other rows may refer to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import AttainError
from app.language.resources import freshness, merge, records, references, stubs
from app.language.resources.batch import Batch, Draft, raise_first
from app.language.resources.records import now
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.salvage import salvage
from app.language.resources.steps import load, run, store


async def apply(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    drafts: Sequence[Draft],
    *,
    source: str,
    missing: str,
    origin: str,
) -> None:
    """One after the other, since one may lead on where another leads. Each draft is told what became of it."""

    async def attempt(part: list[Draft]) -> None:
        [draft] = part
        batch = Batch(session, principal, catalogue, resource, [draft], origin=origin, source=source)
        await session.connection.execute("savepoint merging")
        try:
            await _apply(batch, draft, missing)
        except AttainError as error:
            await session.connection.execute("rollback to savepoint merging")
            draft.fail(error)

    for draft in drafts:
        await salvage(session, [draft], attempt)


async def _apply(batch: Batch, draft: Draft, missing: str) -> None:
    session, resource = batch.session, batch.resource
    assert draft.into is not None
    assert draft.external_key is not None
    names = await references.by_keys(session, resource.plural, [draft.external_key])
    draft.record_id = names.get(draft.external_key)
    survivor = await _survivor(batch, draft.into, missing)
    if survivor is None or references.parse(draft.into) == draft.external_key:
        noun = resource.title.lower()
        code, why = ("reference_not_found", f"There is no such {noun}.") if survivor is None else (
            "merged_with_itself", f"A {noun} cannot be merged with itself.",
        )  # fmt: skip
        draft.refuse("merged_into", code, why)
        return
    await records.hold(session, resource, [draft.record_id, survivor])
    batch.moment = await now(session)
    await load(batch)
    raise_first(draft)
    await freshness.leave_stale(batch)
    if draft.aside:
        return
    taker = Draft(draft.index, {}, record_id=survivor, intent="merge", live=False)
    whole = Batch(
        session, batch.principal, batch.catalogue, resource, [taker], batch.moment, batch.origin, batch.source
    )
    await load(whole)
    raise_first(taker)
    assert taker.before is not None
    taker.changes = await _changes(whole, draft, taker.before)
    if taker.changes:
        await run(whole)
        raise_first(taker)
        draft.outcome, draft.changed = taker.outcome, taker.changed
    freshness.remember(batch)
    await store(batch, None)
    draft.record_id, draft.after = taker.record_id, taker.after or dict(taker.before)
    draft.reason = freshness.MERGED


async def _survivor(batch: Batch, word: str, missing: str) -> UUID | None:
    plural = batch.resource.plural
    found = await references.resolve(batch.session, batch.principal, batch.catalogue, plural, [word])
    if not found and missing == "stub":
        found = await stubs.make(batch, plural, {word}, run)
    return found.get(word)


async def _changes(whole: Batch, draft: Draft, survivor: Mapping[str, Any]) -> dict[str, Any]:
    names, key = survivor["external_ids"], draft.external_key
    assert key is not None
    if draft.record_id is None:
        told = {"source": key[0], "external_id": key[1], "url": draft.changes.get("url")}
        return {"external_ids": merge.together(names, [told])}
    if draft.record_id != survivor["id"]:
        return await merge.absorb(whole, survivor, [draft.record_id], deleted=True)
    turned = _turned(names, key, references.parse(draft.into or ""))
    return {"external_ids": turned} if turned != names else {}


def _turned(names: merge.Names, gone: tuple[str, str], kept: Any) -> merge.Names:
    """They are one already, but the source has ended the name under which we hear it: from now on it speaks under the
    one that it kept."""
    marks = {(x["source"], x["external_id"]): bool(x.get("merged")) for x in names}
    if marks[gone] or not marks.get(kept, False):
        return names
    marks |= {gone: True, kept: False}
    return [
        {k: v for k, v in x.items() if k != "merged"}
        | ({"merged": True} if marks[x["source"], x["external_id"]] else {})
        for x in names
    ]
