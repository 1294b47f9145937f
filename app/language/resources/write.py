"""The one way in: a single create and ten thousand rows pass the same steps, in one transaction of the edge's.

    parse -> identify -> resolve references -> lock and load -> rules -> store -> history -> events -> receipts

A row that is refused keeps its error and leaves; the others go on. The steps stand in `steps.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from app.ground.access.principal import Principal
from app.ground.database.script import Refused
from app.ground.database.session import Session
from app.ground.database.turns import Turns
from app.ground.errors import AttainError, Conflict, FieldError, Invalid, NotFound, Unavailable
from app.language.resources import collector, merge_rows, records, references
from app.language.resources.ahead import Ahead
from app.language.resources.batch import PIECE, Batch, Draft, Receipt, raise_first
from app.language.resources.payload import (
    SOURCE,
    checked_input,
    faults,
    instant,
    parse_moment,
    payloads,
    unusable,
)
from app.language.resources.records import LostRace
from app.language.resources.reply import Reply
from app.language.resources.resource import Action, ActionCall, Catalogue, Resource
from app.language.resources.salvage import salvage
from app.language.resources.steps import load, run

MAX_ROWS = 10_000
_AT_A_TIME = 250
"""Rows that are checked before the loop turns to something else."""


async def create(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    data: Any,
    *,
    reply: Reply | None = None,
) -> Receipt:
    """Raises Invalid, NotFound for a reference that is not there, Conflict for a name that is taken."""
    draft = Draft(0, _checked(payloads(resource).check_create, resource, data))
    if principal.role in ("rep", "manager") and principal.rep_id and "owner_id" in resource.by_name:
        draft.changes.setdefault("owner_id", str(principal.rep_id))
    return await _single(Batch(session, principal, catalogue, resource, [draft]), reply)


async def update(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str,
    data: Any,
    *,
    if_version: int | None = None,
    reply: Reply | None = None,
) -> Receipt:
    """A merge patch: absent leaves, null clears, a list that is present replaces the list."""
    changes = _checked(payloads(resource).check_patch, resource, data)
    draft = Draft(0, changes, record_id=await _id_of(session, resource, reference), if_version=if_version)
    return await _single(Batch(session, principal, catalogue, resource, [draft]), reply)


async def delete(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str,
    *,
    if_version: int | None = None,
    reply: Reply | None = None,
) -> Receipt:
    id_ = await _id_of(session, resource, reference)
    draft = Draft(0, {}, record_id=id_, if_version=if_version, delete=True, called=reference)
    return await _single(Batch(session, principal, catalogue, resource, [draft]), reply)


async def restore(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str,
    *,
    if_version: int | None = None,
    reply: Reply | None = None,
) -> Receipt:
    id_ = await _id_of(session, resource, reference)
    draft = Draft(0, {}, record_id=id_, if_version=if_version, restore=True)
    return await _single(Batch(session, principal, catalogue, resource, [draft]), reply)


async def act(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    action: Action,
    reference: str,
    data: Any,
    *,
    if_version: int | None = None,
    reply: Reply | None = None,
) -> Receipt:
    """Run a verb: it says what changes, and the change takes the same way as any other."""
    input_ = checked_input(action.input, data)
    draft = Draft(
        0, {}, record_id=await _id_of(session, resource, reference), if_version=if_version, intent=action.name
    )
    batch = Batch(session, principal, catalogue, resource, [draft])
    if action.ends:
        named = await references.named(session, principal, catalogue, action.references, input_)
        ended = [id_ for name in action.ends for id_ in named[name]]
        await records.hold(session, resource, [draft.record_id, *ended])
    await load(batch)
    raise_first(draft)
    assert draft.before is not None
    found = await references.named(session, principal, catalogue, action.references, input_)
    changes = await action.run(ActionCall(session, principal, catalogue, draft.before, input_, found))
    at = changes.pop("at", None)
    # What may not be told, and ids that a verb has read itself, are no caller's words to be checked.
    derived = {
        k: v
        for k, v in changes.items()
        if isinstance(v, UUID) or (k in resource.by_name and resource.by_name[k].write == "never")
    }
    told = {k: v for k, v in changes.items() if k not in derived}
    draft.changes = _checked(payloads(resource).check_patch, resource, told) | derived
    if isinstance(at, str):
        draft.since = _moment(at, principal)
    return await _single(batch, reply)


def _moment(at: str, principal: Principal) -> datetime:
    """Since when a change holds: in the past, it rewrites what was believed from there on."""
    try:
        return instant(parse_moment(at), principal)
    except PydanticCustomError:
        raise Invalid.field("/at", "not_a_moment", "Must be a moment with its offset, or a day.") from None


async def upsert(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    source: str,
    rows: Sequence[Any],
    *,
    atomic: bool = False,
    dry_run: bool = False,
    missing: str = "error",
    origin: str = "live",
) -> list[Receipt]:
    """Create or update by external id; a receipt for every row, in order.

    `atomic` refuses all when one is refused (Invalid, with a pointer into `/rows`). `dry_run` takes the whole way and
    then takes it back. `missing` is `error`, `null` or `stub`: what becomes of a reference that
    is not there (`stubs.py`).
    """
    if not SOURCE.fullmatch(source):
        raise Invalid.field("/source", "invalid_value", "A source is 1 to 60 characters of a-z, 0-9 and _.")
    if len(rows) > MAX_ROWS:
        raise Invalid.field("/rows", "too_long", f"At most {MAX_ROWS:,} rows a request.")
    await session.connection.execute("savepoint upsert")
    with collector.at_rest():
        receipts = await _upsert(session, principal, catalogue, resource, source, rows, missing, origin)
    failed = [r for r in receipts if r.outcome == "failed"]
    if dry_run or (atomic and failed):
        await session.connection.execute("rollback to savepoint upsert")
    if atomic and failed:
        errors = [
            FieldError(f"/rows/{r.index}{e.pointer}", e.code, e.message) for r in failed for e in r.errors
        ]  # fmt: skip
        raise Invalid(
            "Nothing was written: some rows are refused.", code="atomic_refused", errors=errors[:1000]
        )
    return receipts


async def _upsert(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    source: str,
    rows: Sequence[Any],
    missing: str,
    origin: str,
) -> list[Receipt]:
    ahead: Ahead | None = None
    async with Turns[None](session) as turns:
        if len(rows) > PIECE:
            ahead = Ahead(session, principal, catalogue, resource, source, rows)
            await turns.send(ahead.run())
        drafts = await _drafts(principal, catalogue, resource, source, rows)
        await turns.done()

    async def attempt(part: list[Draft]) -> None:
        nonlocal ahead
        batch = Batch(
            session, principal, catalogue, resource, part, origin=origin, source=source, ahead=ahead
        )
        ahead = None
        await run(batch, missing=missing)

    await salvage(session, [d for d in drafts if not d.failed and d.into is None], attempt)
    # Behind the others: the survivor may be one of them.
    merging = [d for d in drafts if not d.failed and d.into is not None]
    await merge_rows.apply(
        session, principal, catalogue, resource, merging, source=source, missing=missing, origin=origin
    )
    return [_receipt(d) for d in drafts]


async def _drafts(
    principal: Principal, catalogue: Catalogue, resource: Resource, source: str, rows: Sequence[Any]
) -> list[Draft]:
    """A draft of each row, those that are not valid with their errors."""
    verbs = catalogue.verbs[resource.plural]
    validate = payloads(resource).check_row.validator.validate_python
    drafts: list[Draft] = []
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        if not index % _AT_A_TIME:
            # Others are heard meanwhile, and the socket sends on.
            await asyncio.sleep(0)
        draft = Draft(index, {}, live=False)
        drafts.append(draft)
        try:
            draft.changes = validate(row)
        except ValidationError as error:
            draft.refuse_all(faults(error, resource.by_name))
            if isinstance(row, dict) and isinstance(row.get("external_id"), str):
                draft.external_key = (source, row["external_id"])
            continue
        external_id = draft.changes.pop("external_id")
        draft.external_key = (source, external_id)
        draft.if_version = draft.changes.pop("if_version", None)
        if (told := draft.changes.pop("source_updated_at", None)) is not None:
            draft.source_updated_at = instant(told, principal)
        draft.delete = draft.changes.pop("deleted", False)
        draft.into = draft.changes.pop("merged_into", None)
        if draft.into is not None:
            # Sources also call deleted what they have merged.
            draft.delete, draft.changes = False, {k: v for k, v in draft.changes.items() if k == "url"}
        elif draft.delete:
            draft.changes = {}
        if why := unusable(external_id, verbs):
            draft.refuse("external_id", "invalid_value", why)
        elif external_id in first:
            draft.refuse(
                "external_id", "duplicate_row", f"Row {first[external_id]} has the same external_id."
            )
        else:
            first[external_id] = index
    return drafts


def _checked(adapter: Any, resource: Resource, data: Any) -> dict[str, Any]:
    try:
        return adapter.validator.validate_python(data)
    except ValidationError as error:
        raise Invalid("The body is not valid.", errors=faults(error, resource.by_name)) from None


async def _id_of(session: Session, resource: Resource, reference: str) -> UUID:
    found = references.parse(reference)
    if isinstance(found, tuple):
        found = (await references.by_keys(session, resource.plural, [found])).get(found)
    if found is None:
        raise NotFound(f"There is no such {resource.title.lower()}.")
    return found


async def _single(batch: Batch, reply: Reply | None) -> Receipt:
    draft = batch.drafts[0]
    try:
        json = await run(batch, reply=reply)
    except AttainError as error:
        if batch.presumed is None or isinstance(error, Unavailable):
            raise
        raise Refused(presumed=True) from None
    except LostRace:
        raise Conflict("Another record has just taken this external id.", code="duplicate") from None
    raise_first(draft)
    return _receipt(draft, json)


def _receipt(draft: Draft, json: str | None = None) -> Receipt:
    key = draft.external_key[1] if draft.external_key else None
    if draft.failed:
        errors = draft.errors or [_as_error(draft.failure)]
        return Receipt(
            draft.index, "failed", draft.record_id, key, None, (), None, tuple(errors), draft.failure
        )
    return Receipt(
        draft.index,
        draft.outcome,
        draft.record_id,
        key,
        draft.after.get("version"),
        tuple(draft.changed),
        draft.reason,
        json=json,
    )


def _as_error(failure: Exception | None) -> FieldError:
    if isinstance(failure, AttainError):
        return FieldError("", failure.code, failure.detail)
    return FieldError("", "refused", "This row was refused.")
