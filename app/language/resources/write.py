"""The one way in: a single create and ten thousand rows pass the same steps, in one transaction of the edge's.

    parse -> identify -> resolve references -> lock and load -> rules -> store -> history -> events -> receipts

Every step works on the whole batch with one statement a table. A row that is refused keeps its error and leaves; the
others go on. What the database itself refuses (a key that two rows claim) is found again by halving the batch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from app.ground.access.principal import Principal
from app.ground.database.ids import new_id
from app.ground.database.session import Session
from app.ground.database.tables import external_ids
from app.ground.errors import AttainError, Conflict, FieldError, Forbidden, Invalid, NotFound, VersionConflict
from app.language.query.binds import Binds
from app.language.resources import references, store
from app.language.resources.batch import Batch, Draft, Point, Receipt
from app.language.resources.children import load_children, plan_children, store_children
from app.language.resources.outcome import record_history, same_history, write_events
from app.language.resources.payload import SOURCE, child_names, faults, payloads
from app.language.resources.resource import Action, ActionCall, Catalogue, Resource
from app.language.resources.timeline import fold, points_of
from app.language.resources.versions import stored_versions

MAX_ROWS = 10_000


# -- single records ---------------------------------------------------------------------------------------------------


async def create(
    session: Session, principal: Principal, catalogue: Catalogue, resource: Resource, data: Any
) -> Receipt:
    """Raises Invalid, NotFound for a reference that is not there, Conflict for a name that is taken."""
    draft = Draft(0, _checked(payloads(resource).check_create, resource, data))
    if principal.role in ("rep", "manager") and principal.rep_id and "owner_id" in resource.by_name:
        draft.changes.setdefault("owner_id", str(principal.rep_id))
    batch = await _batch(session, principal, catalogue, resource, [draft])
    return await _single(batch)


async def update(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str,
    data: Any,
    *,
    if_version: int | None = None,
) -> Receipt:
    """A merge patch: absent leaves, null clears, a list that is present replaces the list."""
    changes = _checked(payloads(resource).check_patch, resource, data)
    draft = Draft(0, changes, record_id=await _id_of(session, resource, reference), if_version=if_version)
    batch = await _batch(session, principal, catalogue, resource, [draft])
    return await _single(batch)


async def delete(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str,
    *,
    if_version: int | None = None,
) -> Receipt:
    id_ = await _id_of(session, resource, reference)
    draft = Draft(0, {}, record_id=id_, if_version=if_version, delete=True)
    return await _single(await _batch(session, principal, catalogue, resource, [draft]))


async def restore(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str,
    *,
    if_version: int | None = None,
) -> Receipt:
    id_ = await _id_of(session, resource, reference)
    draft = Draft(0, {}, record_id=id_, if_version=if_version, restore=True)
    return await _single(await _batch(session, principal, catalogue, resource, [draft]))


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
) -> Receipt:
    """Run a verb: it says what changes, and the change takes the same way as any other."""
    try:
        input_ = action.input.model_validate(data if data is not None else {})
    except ValidationError as error:
        raise Invalid("The input is not valid.", errors=faults(error, action.input.model_fields)) from None
    draft = Draft(0, {}, record_id=await _id_of(session, resource, reference), if_version=if_version, intent=action.name)
    batch = await _batch(session, principal, catalogue, resource, [draft])
    await _load(batch)
    _raise_first(draft)
    assert draft.before is not None
    changes = await action.run(ActionCall(session, principal, draft.before, input_))
    at = changes.pop("at", None)
    draft.changes = _checked(payloads(resource).check_patch, resource, changes)
    if at is not None:
        _backdate(draft, at, batch)
    return await _single(batch)


def _backdate(draft: Draft, at: str, batch: Batch) -> None:
    """A change that holds since a moment of the past is a piece of history."""
    from app.language.resources.payload import parse_moment

    try:
        moment = _moment(parse_moment(at), batch.principal)
    except Exception:
        raise Invalid.field("/at", "not_a_moment", "Must be a moment with its offset, or a day.") from None
    if moment > batch.moment:
        raise Invalid.field("/at", "in_the_future", "A change cannot hold from the future on.")
    draft.history = [Point(moment, draft.changes)]
    draft.changes = {}


# -- many records -----------------------------------------------------------------------------------------------------


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
    then takes it back. `missing` is `error` or `null`: what becomes of a reference that is not there.
    """
    if not SOURCE.fullmatch(source):
        raise Invalid.field("/source", "invalid_value", "A source is 1 to 60 characters of a-z, 0-9 and _.")
    if len(rows) > MAX_ROWS:
        raise Invalid.field("/rows", "too_long", f"At most {MAX_ROWS:,} rows a request.")
    await session.connection.execute("savepoint upsert")
    receipts = await _upsert(session, principal, catalogue, resource, source, rows, missing, origin)
    failed = [r for r in receipts if r.outcome == "failed"]
    if dry_run or (atomic and failed):
        await session.connection.execute("rollback to savepoint upsert")
    if atomic and failed:
        errors = [
            FieldError(f"/rows/{r.index}{e.pointer}", e.code, e.message) for r in failed for e in r.errors
        ]  # fmt: skip
        raise Invalid("Nothing was written: some rows are refused.", code="atomic_refused", errors=errors[:1000])
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
    validate = payloads(resource).check_row.validator.validate_python
    drafts: list[Draft] = []
    first: dict[str, int] = {}
    for index, row in enumerate(rows):
        draft = Draft(index, {}, live=False)
        drafts.append(draft)
        try:
            draft.changes = validate(row)
        except ValidationError as error:
            draft.errors = faults(error, resource.by_name)
            if isinstance(row, dict) and isinstance(row.get("external_id"), str):
                draft.external_key = (source, row["external_id"])
            continue
        external_id = draft.changes.pop("external_id")
        draft.external_key = (source, external_id)
        draft.if_version = draft.changes.pop("if_version", None)
        if why := _unusable(external_id, resource):
            draft.refuse("external_id", "invalid_value", why)
        elif external_id in first:
            draft.refuse("external_id", "duplicate_row", f"Row {first[external_id]} has the same external_id.")
        else:
            first[external_id] = index

    async def attempt(part: list[Draft]) -> None:
        batch = await _batch(session, principal, catalogue, resource, part, origin=origin, source=source)
        await _run(batch, missing=missing)

    await _halving(session, [d for d in drafts if not d.failed], attempt)
    return [_receipt(d) for d in drafts]


def _unusable(external_id: str, resource: Resource) -> str | None:
    """An external id stands in paths, where a verb follows the last colon."""
    if "/" in external_id:
        return "An external id may not contain a slash."
    verb = external_id.rpartition(":")[2]
    if ":" in external_id and verb in {"restore", "upsert", "query", "history", *resource.actions_by_name}:
        return f'An external id may not end in ":{verb}".'
    return None


async def _halving(
    session: Session, drafts: list[Draft], attempt: Callable[[list[Draft]], Awaitable[None]]
) -> None:
    """Run a batch; where the database refuses it, run its halves, down to the row at fault."""
    if not drafts:
        return
    pristine = [dict(d.changes) for d in drafts]
    await session.connection.execute("savepoint part")
    try:
        await attempt(drafts)
    except (asyncpg.PostgresError, _LostRace) as error:
        # Classes 22 and 23: the values are at fault. Everything else is the edge's business, a deadlock for one.
        if isinstance(error, asyncpg.PostgresError) and error.sqlstate[:2] not in ("22", "23"):
            raise
        await session.connection.execute("rollback to savepoint part")
        if len(drafts) == 1 and not isinstance(error, _LostRace):
            _reset(drafts, pristine)
            drafts[0].refuse("", *_database_refusal(error))
            return
        _reset(drafts, pristine)
        if isinstance(error, _LostRace):
            await _halving(session, drafts, attempt)
            return
        middle = len(drafts) // 2
        await _halving(session, drafts[:middle], attempt)
        await _halving(session, drafts[middle:], attempt)
    else:
        await session.connection.execute("release savepoint part")


def _reset(drafts: list[Draft], pristine: list[dict[str, Any]]) -> None:
    for draft, changes in zip(drafts, pristine, strict=True):
        fresh = Draft(
            draft.index, changes, external_key=draft.external_key, if_version=draft.if_version, live=draft.live,
            intent=draft.intent,
        )  # fmt: skip
        for name in Draft.__slots__:
            setattr(draft, name, getattr(fresh, name))


def _database_refusal(error: Exception) -> tuple[str, str]:
    if isinstance(error, asyncpg.UniqueViolationError):
        return "duplicate", "Another record already has these values."
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return "reference_not_found", "A record that this row refers to does not exist."
    if isinstance(error, asyncpg.CheckViolationError):
        return "refused", f"The values break the rule {error.constraint_name}."
    return "refused", "The database refuses these values."


class _LostRace(Exception):
    """Another transaction named the same external id first; what it wrote is visible now, so begin again."""


# -- the steps --------------------------------------------------------------------------------------------------------


def _checked(adapter: Any, resource: Resource, data: Any) -> dict[str, Any]:
    try:
        return adapter.validator.validate_python(data)
    except ValidationError as error:
        raise Invalid("The body is not valid.", errors=faults(error, resource.by_name)) from None


async def _batch(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    drafts: list[Draft],
    *,
    origin: str = "live",
    source: str | None = None,
) -> Batch:
    moment = await session.connection.fetchval("select clock_timestamp()")
    return Batch(session, principal, catalogue, resource, drafts, moment, origin, source)


async def _id_of(session: Session, resource: Resource, reference: str) -> UUID:
    found = references.parse(reference)
    if isinstance(found, tuple):
        found = (await references.by_keys(session, resource.plural, [found])).get(found)
    if found is None:
        raise NotFound(f"There is no such {resource.title.lower()}.")
    return found


async def _single(batch: Batch) -> Receipt:
    draft = batch.drafts[0]
    await batch.session.connection.execute("savepoint single")
    try:
        await _run(batch)
    except _LostRace:
        raise Conflict("Another record has just taken this external id.", code="duplicate") from None
    _raise_first(draft)
    return _receipt(draft)


def _raise_first(draft: Draft) -> None:
    if draft.failure is not None:
        raise draft.failure
    if draft.errors:
        missing = [e for e in draft.errors if e.code == "reference_not_found"]
        if missing:
            raise NotFound(missing[0].message, code="reference_not_found", errors=missing)
        raise Invalid(draft.errors[0].message, code=draft.errors[0].code, errors=draft.errors)


def _receipt(draft: Draft) -> Receipt:
    key = draft.external_key[1] if draft.external_key else None
    if draft.failed:
        errors = draft.errors or [_as_error(draft.failure)]
        return Receipt(draft.index, "failed", draft.record_id, key, None, (), None, tuple(errors), draft.failure)
    return Receipt(
        draft.index,
        draft.outcome,
        draft.record_id,
        key,
        draft.after.get("version"),
        tuple(draft.changed),
        draft.reason,
    )


def _as_error(failure: Exception | None) -> FieldError:
    if isinstance(failure, AttainError):
        return FieldError("", failure.code, failure.detail)
    return FieldError("", "refused", "This row was refused.")


async def _run(batch: Batch, *, missing: str = "error") -> None:
    resource = batch.resource
    await _identify(batch)
    await _resolve(batch, missing)
    if any(d.before is None for d in batch.standing):
        await _load(batch)
    for draft in batch.standing:
        _begin(draft, batch)
    await resource.prepare(batch)
    for draft in batch.standing:
        if draft.is_new:
            _require(draft, resource)
    await load_children(batch)
    await _plan(batch)
    for draft in batch.standing:
        plan_children(draft, batch)
        _compare(draft, resource)
    await resource.check(batch)
    await _store(batch)
    await store_children(batch)
    await record_history(batch)
    await resource.settled(batch)
    await _refuse_out_of_reach(batch)
    await write_events(batch)


async def _identify(batch: Batch) -> None:
    """Which rows name a record that is there; the others will be new. A source's address goes with its id."""
    keys = [d.external_key for d in batch.standing if d.external_key and d.record_id is None]
    known = await references.by_keys(batch.session, batch.resource.plural, keys)
    for draft in batch.standing:
        if draft.external_key and draft.record_id is None:
            draft.record_id = known.get(draft.external_key)
            name = {"source": draft.external_key[0], "external_id": draft.external_key[1]}
            draft.changes["external_ids"] = [{**name, "url": draft.changes.pop("url", None)}]


async def _resolve(batch: Batch, missing: str) -> None:
    """Put ids in the place of what callers call records, with one look-up for each noun referred to."""
    slots: dict[str, list[tuple[Draft, dict[str, Any], str, str]]] = {}

    def collect(draft: Draft, values: dict[str, Any], fields: Mapping[str, Any], path: str) -> None:
        for name, value in values.items():
            field = fields.get(name)
            if field is None:
                continue
            if field.kind == "reference" and isinstance(value, str):
                slots.setdefault(field.target, []).append((draft, values, name, f"{path}{name}"))
            elif field.kind == "moment" and value is not None:
                values[name] = _moment(value, batch.principal)

    resource = batch.resource
    for draft in batch.standing:
        collect(draft, draft.changes, resource.by_name, "")
        for name in child_names(resource, draft.changes):
            child = resource.children_by_name[name.removesuffix("_merge")]
            for index, row in enumerate(draft.changes[name]):
                collect(draft, row, child.by_name, f"{name}/{index}/")
        for index, row in enumerate(draft.changes.get("history") or ()):
            row["at"] = _moment(row["at"], batch.principal)
            if row["at"] > batch.moment:
                draft.refuse(f"history/{index}/at", "in_the_future", "History cannot begin in the future.")
            collect(draft, row, resource.by_name, f"history/{index}/")
    for target, places in slots.items():
        found = await references.resolve(
            batch.session, batch.principal, batch.catalogue, target, {values[name] for _, values, name, _ in places}
        )
        for draft, values, name, path in places:
            if (id_ := found.get(values[name])) is not None or missing == "null":
                values[name] = id_
            else:
                noun = batch.catalogue[target].title.lower()
                draft.refuse(path, "reference_not_found", f"There is no such {noun}.")


def _moment(value: datetime | date, principal: Principal) -> datetime:
    """A day stands for its first moment in the tenant's zone."""
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time.min, principal.tenant.zone)


async def _load(batch: Batch) -> None:
    """Lock the stored rows in the order of their ids, so that two writers of the same rows queue up."""
    known = {d.record_id: d for d in batch.standing if d.record_id is not None}
    if known:
        rows = await batch.session.fetch(
            _locking_select(batch), **Binds.of(batch.principal).standing(batch.principal), ids=list(known)
        )
        for row in rows:
            draft = known[row["id"]]
            draft.before = row
            if not row["visible"]:
                draft.before = None
    for draft in batch.standing:
        if draft.record_id is None:
            continue
        if draft.before is None or (draft.before["deleted_at"] and not draft.external_key and not draft.restore):
            draft.failure = NotFound(f"There is no such {batch.resource.title.lower()}.")
        elif draft.if_version is not None and draft.if_version != draft.before["version"]:
            draft.failure = VersionConflict(
                f"The record is at version {draft.before['version']}, not {draft.if_version}."
            )


def _locking_select(batch: Batch) -> Any:
    from sqlalchemy import any_, bindparam, select, true
    from sqlalchemy.dialects.postgresql import ARRAY
    from sqlalchemy.dialects.postgresql import UUID as PgUUID

    binds = Binds.of(batch.principal)
    record = batch.resource.table.alias("record")
    visible = batch.resource.visible(record, binds)
    ids = bindparam("ids", type_=ARRAY(PgUUID(as_uuid=True)), required=True)
    return (
        select(record, (true() if visible is None else visible).label("visible"))
        .where(record.c.tenant_id == binds.tenant, record.c.id == any_(ids))
        .order_by(record.c.id)
        .with_for_update(key_share=True, of=record)
    )


def _begin(draft: Draft, batch: Batch) -> None:
    """Take apart what a row says: children and history apart from the record's own fields."""
    changes, resource = draft.changes, batch.resource
    for name in child_names(resource, changes):
        rows = changes.pop(name)
        child = name.removesuffix("_merge")
        draft.children[child] = rows
        if name != child:
            draft.merged_children.add(child)
    for row in changes.pop("history", None) or ():
        draft.history.append(Point(row["at"], {k: v for k, v in row.items() if k != "at"}))
    draft.history.sort(key=lambda point: point.at)
    draft.moment = batch.moment
    if draft.before is not None:
        draft.moment = max(batch.moment, draft.before["updated_at"] + timedelta(microseconds=1))
        if draft.before["deleted_at"] is not None and not draft.delete:
            draft.restore = True
        names = {(x["source"], x["external_id"]): x for x in draft.before["external_ids"]}
        if draft.external_key and "external_ids" in changes:
            given = changes["external_ids"][0]
            stored = names.get(draft.external_key)
            names[draft.external_key] = {**given, "url": given["url"] or (stored or {}).get("url")}
            changes["external_ids"] = list(names.values())
    else:
        for field in resource.writable:
            if field.default is not None and changes.get(field.name) is None:
                changes[field.name] = field.default


def _require(draft: Draft, resource: Resource) -> None:
    for field in resource.fields:
        if field.required and draft.changes.get(field.name) is None:
            draft.refuse(field.name, "required", "This field is required for a new record.")


async def _plan(batch: Batch) -> None:
    """What each record will be. Where only the present changes that is one step; where the past does, its whole
    history is folded anew."""
    resource = batch.resource
    columns = [name for name in resource.columns if not resource.table.columns[name].info.get("untracked")]
    rewriting: list[tuple[Draft, datetime | None]] = []
    for draft in batch.standing:
        own = {k: v for k, v in draft.changes.items() if k in resource.table.columns}
        if draft.before is None:
            draft.record_id = draft.record_id or new_id()
            draft.changes = own
            points = resource.infer(draft, batch) if resource.infer else _carried_back(draft, batch)
            draft.versions = fold(points, columns, _advance(batch))
            draft.after = dict(draft.versions[-1].values)
            draft.after["external_ids"] = own.get("external_ids", [])
            continue
        draft.changes = own
        since = resource.since(draft, batch) if resource.since else None
        if draft.history or since is not None:
            rewriting.append((draft, since))
            continue
        draft.after = {**draft.before, **own}
        if draft.after != dict(draft.before):
            _advance(batch)(draft.before, draft.after, draft.moment)
    if rewriting:
        await _rewrite(batch, rewriting, columns)


def _advance(batch: Batch) -> Any:
    rule = batch.resource.advance
    if rule is None:
        return lambda before, after, at: None
    return lambda before, after, at: rule(before, after, at, batch)


def _carried_back(draft: Draft, batch: Batch) -> list[Point]:
    """A record of which we only know the present: its values are carried back, and marked as inferred."""
    from app.language.resources.batch import BEGINNING

    first: dict[str, Any] = {}
    state: dict[str, Any] = {}
    for point in draft.history:
        for name, value in point.changes.items():
            first.setdefault(name, value)
            state[name] = value
    base = {**draft.changes, **first}
    rest = {k: v for k, v in draft.changes.items() if {**base, **state}.get(k) != v}
    last = [Point(batch.moment, rest)] if rest else []
    return [Point(BEGINNING, base, inferred=True), *draft.history, *last]


async def _rewrite(batch: Batch, drafts: list[tuple[Draft, datetime | None]], columns: list[str]) -> None:
    resource = batch.resource
    told = [f.name for f in resource.writable]
    stored = await stored_versions(batch, [d for d, _ in drafts], columns)
    for draft, since in drafts:
        assert draft.before is not None
        versions = stored[draft.record_id]
        points = points_of(versions, told) if versions else []
        first = points[0].at if points else draft.moment
        state = fold([*points, *draft.history], columns, _advance(batch))[-1].values if points else {}
        changes = {k: v for k, v in draft.changes.items() if k in columns and state.get(k) != v}
        at = max(since, first) if since is not None else draft.moment
        points += draft.history
        if changes:
            points.append(Point(at, changes))
        if points[0].at > min(p.at for p in points):
            points[0] = Point(min(p.at for p in points), points[0].changes, points[0].inferred)
        draft.versions = fold(points, columns, _advance(batch))
        if same_history(batch, draft):
            draft.versions = None
        draft.after = {**draft.before, **draft.changes, **(draft.versions[-1].values if draft.versions else state)}


_NOT_COMPARED = frozenset({"version", "created_at", "updated_at", "deleted_at", "visible", "tenant_id", "id"})


def _compare(draft: Draft, resource: Resource) -> None:
    """Name what changed, and with it the outcome."""
    changed_children = draft.changed
    if draft.before is None:
        draft.outcome = "created"
        draft.changed = [f.name for f in resource.fields if draft.after.get(f.name) is not None] + changed_children
        draft.after["version"] = 1
        return
    before, after = draft.before, draft.after
    draft.changed = [
        name for name in after if name not in _NOT_COMPARED and after[name] != before[name]
    ] + changed_children
    if draft.delete:
        draft.outcome, draft.changed = "deleted", []
    elif draft.restore and before["deleted_at"] is not None:
        draft.outcome = "restored"
    elif draft.changed or draft.versions is not None:
        draft.outcome = "updated"
        draft.changed = draft.changed or ["history"]
    after["version"] = before["version"] + (draft.outcome != "unchanged")


async def _store(batch: Batch) -> None:
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
        name for name in columns if not resource.table.columns[name].info.get("untracked") and name != "deleted_at"
    )
    await store.insert(session, resource.table, insert_columns, [d.after for d in new])
    await store.update(
        session, resource.table, (*insert_columns, "deleted_at"), sorted((d.after for d in changed), key=lambda x: x["id"])
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
            raise _LostRace


async def _refuse_out_of_reach(batch: Batch) -> None:
    """A rep or manager may not create what it could not see: a quota for somebody else's team, say."""
    new = [d.record_id for d in batch.standing if d.outcome == "created"]
    if batch.principal.sees_all or not new:
        return
    from app.language.resources.references import _living

    seen = await _living(batch.session, batch.principal, batch.resource, set(filter(None, new)))
    if len(seen) < len(new):
        raise Forbidden("You may not create a record that you could not see afterwards.", code="out_of_reach")
