"""The rows inside a record: recognised by their key, so that what stays keeps its id and its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.ground.database.ids import new_id
from app.language.resources import store
from app.language.resources.batch import Batch, Draft
from app.language.resources.resource import Child

_STORED = "children"


async def load_children(batch: Batch) -> None:
    """The stored children of those records whose lists the request touches, one statement a table."""
    stored: dict[str, dict[UUID, list[Mapping[str, Any]]]] = {}
    touched = [d for d in batch.standing if d.children and not d.is_new]
    for child in batch.resource.children:
        parents = [d.record_id for d in touched if child.name in d.children]
        rows = (
            await batch.session.connection.fetch(
                f"select * from {child.table.name} where tenant_id = $1 and {child.parent} = any($2) order by id",
                batch.session.tenant_id,
                parents,
            )
            if parents
            else []
        )
        of_parent = stored.setdefault(child.name, {})
        for row in rows:
            of_parent.setdefault(row[child.parent], []).append(row)
    batch.facts[_STORED] = stored


def _columns(child: Child) -> list[str]:
    return [c.name for c in child.table.columns if c.name not in ("tenant_id", "id", child.parent)]


def _recognise(child: Child, row: Mapping[str, Any]) -> tuple[Any, ...]:
    if row.get("external_id") is not None:
        return ("external_id", row["external_id"])
    return tuple(row.get(name) for name in child.key)


def plan_children(draft: Draft, batch: Batch) -> None:
    """Complete, check and compare each list that came; name it in `draft.changed` where it differs."""
    for child in batch.resource.children:
        if child.name not in draft.children:
            continue
        columns = _columns(child)
        stored = batch.facts[_STORED].get(child.name, {}).get(draft.record_id, [])
        by_key = {_recognise(child, row): row for row in stored}
        by_id = {row["id"]: row for row in stored}
        wanted: dict[tuple[Any, ...], dict[str, Any]] = {}
        for index, given in enumerate(draft.children[child.name]):
            row = dict(given)
            for field in child.fields:
                if field.default is not None and row.get(field.name) is None:
                    row[field.name] = field.default
            if child.complete:
                child.complete(row, index)
            key = _recognise(child, row)
            if key in wanted:
                draft.refuse(
                    f"{child.name}/{index}", "duplicate_row", "Another row of this list has the same key."
                )
            # What was read from here, to be written again, says itself which row it was.
            old = by_id.get(row["id"]) if "id" in row else by_key.get(key)
            if child.refine:
                child.refine(row, old, index, draft, batch)
            wanted[key] = {name: row.get(name) for name in columns} | {"id": old["id"] if old else new_id()}
        if child.name in draft.merged_children:
            for key, old in by_key.items():
                wanted.setdefault(key, {name: old[name] for name in columns} | {"id": old["id"]})
        rows = list(wanted.values())
        if child.check and (why := child.check(rows)):
            draft.refuse(child.name, f"{child.name}_refused", why)
        draft.children[child.name] = rows
        before = {row["id"]: {name: row[name] for name in columns} for row in stored}
        after = {row["id"]: {name: row[name] for name in columns} for row in rows}
        if before != after:
            draft.changed.append(child.name)


def store_children(batch: Batch) -> None:
    if drafts := [d for d in batch.standing if d.children]:
        for child in batch.resource.children:
            _store(child, batch, drafts)


def _store(child: Child, batch: Batch, drafts: Sequence[Draft]) -> None:
    columns = _columns(child)
    new: list[dict[str, Any]] = []
    updated: list[dict[str, Any]] = []
    closed: list[tuple[UUID, Any]] = []
    opened: list[dict[str, Any]] = []
    gone: list[UUID] = []
    for draft in drafts:
        if child.name not in draft.changed or child.name not in draft.children:
            continue
        stored = {row["id"]: row for row in batch.facts[_STORED].get(child.name, {}).get(draft.record_id, ())}
        begins = draft.versions[0].valid_from if draft.is_new and draft.versions else draft.moment
        for row in draft.children[child.name]:
            row[child.parent] = draft.record_id
            old = stored.pop(row["id"], None)
            if old is None:
                new.append(row)
            elif any(old[name] != row[name] for name in columns):
                updated.append(row)
                closed.append((row["id"], draft.moment))
            else:
                continue
            opened.append(
                {
                    **row, "record_id": row["id"], "valid_from": begins, "valid_to": None,
                    "recorded_at": draft.moment, "inferred": begins < draft.moment and draft.is_new,
                    "origin": batch.origin, "source": batch.source, "actor": batch.principal.user_id, "changed": [],
                }
            )  # fmt: skip
        gone += stored
        closed += [(id_, draft.moment) for id_ in stored]
    tenant_id = batch.session.tenant_id
    own, past = ("id", child.parent, *columns), (*store.HISTORY_COLUMNS, child.parent, *columns)
    if gone:
        batch.clearing.append(store.removal(tenant_id, child.table, gone))
    if closed:
        batch.clearing.append(store.closing(tenant_id, child.history, closed))
    if new:
        batch.storing.append(store.insertion(tenant_id, child.table, own, new))
    if updated:
        batch.storing.append(store.change(tenant_id, child.table, own, updated))
    if opened:
        batch.storing.append(store.insertion(tenant_id, child.history, past, opened))
