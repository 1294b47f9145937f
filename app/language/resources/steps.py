"""The steps of a write, in order, over a whole batch. No step knows whether it holds one row or ten thousand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import any_, bindparam, select, true
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from app.ground.access.principal import Principal
from app.ground.database.session import Statement, compiled
from app.ground.errors import NotFound, VersionConflict
from app.language.query.binds import Binds
from app.language.resources import picklists, references
from app.language.resources.batch import Batch, Draft, Point
from app.language.resources.children import load_children, plan_children, store_children
from app.language.resources.outcome import record_history, write_events
from app.language.resources.payload import child_names
from app.language.resources.plan import compare, plan
from app.language.resources.records import refuse_out_of_reach, store_records
from app.language.resources.resource import Resource


async def run(batch: Batch, *, missing: str = "error") -> None:
    resource = batch.resource
    await _identify(batch)
    await _resolve(batch, missing)
    await picklists.rewrite_aliases(batch)
    if any(d.before is None for d in batch.standing):
        await load(batch)
    for draft in batch.standing:
        _begin(draft, batch)
    await resource.prepare(batch)
    for draft in batch.standing:
        if draft.is_new:
            _require(draft, resource)
    await load_children(batch)
    await plan(batch)
    for draft in batch.standing:
        plan_children(draft, batch)
        compare(draft, resource)
    await resource.check(batch)
    await store_records(batch)
    await store_children(batch)
    await record_history(batch)
    await resource.settled(batch)
    await refuse_out_of_reach(batch)
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
        elif draft.changes.get("external_ids"):
            _name(draft, batch.resource)


def _name(draft: Draft, resource: Resource) -> None:
    """Names given by the record itself, not by an upsert: judged as strictly, and stored in the same form."""
    named: dict[tuple[str, str], dict[str, Any]] = {}
    for index, given in enumerate(draft.changes["external_ids"]):
        if why := unusable(given["external_id"], resource):
            draft.refuse(f"external_ids/{index}/external_id", "invalid_value", why)
        key = (given["source"], given["external_id"])
        if key in named:
            draft.refuse(
                f"external_ids/{index}", "duplicate_row", "Another row of this list has the same name."
            )
        named[key] = {"source": key[0], "external_id": key[1], "url": given.get("url")}
    draft.changes["external_ids"] = list(named.values())


def unusable(external_id: str, resource: Resource) -> str | None:
    """An external id stands in paths, where a verb follows the last colon."""
    if "/" in external_id:
        return "An external id may not contain a slash."
    verb = external_id.rpartition(":")[2]
    if ":" in external_id and verb in {"restore", "upsert", "query", "history", *resource.actions_by_name}:
        return f'An external id may not end in ":{verb}".'
    return None


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
                values[name] = instant(value, batch.principal)

    resource = batch.resource
    for draft in batch.standing:
        collect(draft, draft.changes, resource.by_name, "")
        for name in child_names(resource, draft.changes):
            child = resource.children_by_name[name.removesuffix("_merge")]
            for index, row in enumerate(draft.changes[name]):
                collect(draft, row, child.by_name, f"{name}/{index}/")
        for index, row in enumerate(draft.changes.get("history") or ()):
            row["at"] = instant(row["at"], batch.principal)
            if row["at"] > batch.moment:
                draft.refuse(f"history/{index}/at", "in_the_future", "History cannot begin in the future.")
            collect(draft, row, resource.by_name, f"history/{index}/")
    for target, places in slots.items():
        found = await references.resolve(
            batch.session,
            batch.principal,
            batch.catalogue,
            target,
            {values[name] for _, values, name, _ in places},
        )
        for draft, values, name, path in places:
            if (id_ := found.get(values[name])) is not None or missing == "null":
                values[name] = id_
            else:
                noun = batch.catalogue[target].title.lower()
                draft.refuse(path, "reference_not_found", f"There is no such {noun}.")


def instant(value: datetime | date, principal: Principal) -> datetime:
    """A day stands for its first moment in the tenant's zone."""
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time.min, principal.tenant.zone)


async def load(batch: Batch) -> None:
    """Lock the stored rows in the order of their ids, so that two writers of the same rows queue up."""
    known = {d.record_id: d for d in batch.standing if d.record_id is not None}
    if known:
        rows = await batch.session.fetch(
            _locking_select(batch.resource, Binds.of(batch.principal).signature),
            **Binds.of(batch.principal).standing(batch.principal),
            ids=list(known),
        )
        for row in rows:
            draft = known[row["id"]]
            draft.before = row
            if not row["visible"]:
                draft.before = None
    for draft in batch.standing:
        if draft.record_id is None:
            continue
        if draft.before is None or (
            draft.before["deleted_at"] and not draft.external_key and not draft.restore
        ):
            draft.failure = NotFound(f"There is no such {batch.resource.title.lower()}.")
        elif draft.if_version is not None and draft.if_version != draft.before["version"]:
            draft.failure = VersionConflict(
                f"The record is at version {draft.before['version']}, not {draft.if_version}."
            )


@lru_cache(maxsize=512)
def _locking_select(resource: Resource, asker: tuple[Any, ...]) -> Statement:
    binds = Binds.signed(asker)
    record = resource.table.alias("record")
    visible = resource.visible(record, binds)
    ids = bindparam("ids", type_=ARRAY(postgresql.UUID(as_uuid=True)), required=True)
    return compiled(
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
    home = batch.principal.tenant.home_currency
    _fill(changes, resource, home, also_absent=draft.is_new)
    for row in changes.pop("history", None) or ():
        _fill(row, resource, home)
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


def _fill(changes: dict[str, Any], resource: Resource, home: str, *, also_absent: bool = False) -> None:
    """A null means the default where there is one, at the first write as at the tenth: so the same row is unchanged."""
    for field in resource.writable:
        default = home if field.currency and not field.required else field.default
        if default is not None and (also_absent or field.name in changes) and changes.get(field.name) is None:
            changes[field.name] = default


def _require(draft: Draft, resource: Resource) -> None:
    for field in resource.fields:
        if field.required and draft.changes.get(field.name) is None:
            draft.refuse(field.name, "required", "This field is required for a new record.")
