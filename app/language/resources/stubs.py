"""A record of which only its name at the source is known: made when a row refers to it before it came itself.

`external_ids` marks the name by which it was made with `stub`, until a row of that name completes it. It has what such
a record must have and nothing else: its name is its external id. Nouns that need more than a name have no stubs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import UUID

from app.ground.access.permissions import permits
from app.language.resources import references
from app.language.resources.batch import Batch, Draft
from app.language.resources.payload import unusable
from app.language.resources.resource import Resource
from app.language.resources.salvage import salvage

Run = Callable[[Batch], Awaitable[Any]]


def possible(resource: Resource) -> bool:
    """Whether a name is all that a record of this noun needs."""
    required = [x for x in resource.fields if x.required]
    return "upsert" in resource.operations and all(
        x.name == resource.label and x.kind == "text" and not x.currency for x in required
    )


def owned(batch: Batch, resource: Resource) -> dict[str, Any]:
    """Whose it is: that of a rep or manager who writes it, as with everything that they create."""
    principal = batch.principal
    mine = principal.role in ("rep", "manager") and principal.rep_id and "owner_id" in resource.by_name
    return {"owner_id": str(principal.rep_id)} if mine else {}


async def make(batch: Batch, target: str, words: Iterable[str], run: Run) -> dict[str, UUID]:
    """By the caller's word for it (`salesforce:003`), the record that was made; one for many rows.

    What must not be made is left out: without the right to write that noun, where the name is a record's that is
    deleted or out of sight, and where the writer would not see what it made.
    """
    resource, verbs = batch.catalogue[target], batch.catalogue.verbs[target]
    if not possible(resource) or not permits(batch.principal, resource.permission_name, "write"):
        return {}
    drafts: list[Draft] = []
    for index, word in enumerate(sorted(set(words))):
        if isinstance(key := references.parse(word), tuple) and not unusable(key[1], verbs):
            changes = {resource.label: key[1], **owned(batch, resource)}
            drafts.append(Draft(index, changes, external_key=key, live=False, stub=True))

    async def attempt(part: list[Draft]) -> None:
        await run(
            Batch(
                batch.session, batch.principal, batch.catalogue, resource, part,
                moment=batch.moment, origin=batch.origin, source=batch.source,
            )
        )  # fmt: skip

    await salvage(batch.session, drafts, attempt)
    made: dict[str, UUID] = {}
    for draft in drafts:
        if not draft.failed and draft.external_key and draft.record_id and not draft.after.get("deleted_at"):
            made[":".join(draft.external_key)] = draft.record_id
    return made


def completes(draft: Draft) -> bool:
    """Whether the stored record waits for this very row."""
    before = draft.before
    return (
        before is not None
        and before["deleted_at"] is None
        and not draft.delete
        and any(
            x.get("stub") and (x["source"], x["external_id"]) == draft.external_key
            for x in before["external_ids"]
        )
    )
