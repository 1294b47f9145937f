"""What each record will be: one step from what is stored, or its whole history folded anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from app.ground.database.ids import new_id
from app.language.resources import custom, stubs, told
from app.language.resources.batch import BEGINNING, Batch, Draft, Point
from app.language.resources.outcome import same_history
from app.language.resources.timeline import fold, points_of
from app.language.resources.versions import stored_versions

Since = tuple[datetime, frozenset[str] | None] | None
"""From when a change holds, and which of its fields do (None: all); the others hold from now."""


async def plan(batch: Batch) -> None:
    """What each record will be. Where only the present changes that is one step; where the past does, its whole
    history is folded anew."""
    resource = batch.resource
    columns = batch.columns
    stored = resource.stored_names.union(batch.custom)
    rewriting: list[tuple[Draft, Since]] = []
    for draft in batch.standing:
        own = {k: v for k, v in draft.changes.items() if k in stored}
        if draft.before is None:
            draft.record_id = draft.record_id or new_id()
            draft.changes = own
            told.keep(batch, draft, told.merged(batch, draft))
            points = resource.infer(draft, batch) if resource.infer else _carried_back(draft, batch)
            draft.versions = fold(points, columns, _advance(batch))
            draft.after = dict(draft.versions[-1].values)
            draft.after["external_ids"] = own.get("external_ids", [])
            continue
        if stubs.completes(draft):
            # Now it is told for the first time: what was made from its name alone says nothing of its past.
            rewriting.append((draft, None))
            draft.changes = {k: v for k, v in draft.before.items() if k in columns and v is not None} | own
            continue
        draft.changes = own
        since = (
            (draft.since, None) if draft.since else resource.since(draft, batch) if resource.since else None
        )
        if draft.history or since is not None:
            rewriting.append((draft, since))
            continue
        changed = _changes(draft.before, own)
        if not (changed or draft.delete or draft.restore or draft.children):
            # Nobody changes what stays as it is, so it needs no copy.
            draft.same, draft.after = True, cast("dict[str, Any]", draft.before)
            continue
        draft.after = dict(draft.before)
        if changed:
            draft.after |= own
            _advance(batch)(draft.before, draft.after, draft.moment)
        elif not (draft.delete or draft.restore):
            draft.same = True
    if rewriting:
        await _rewrite(batch, rewriting)


def _changes(before: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    # A loop, for of ten thousand rows most are often unchanged, and a generator for each takes twice as long.
    for name, value in own.items():  # noqa: SIM110
        if before[name] != value:
            return True
    return False


def _advance(batch: Batch) -> Any:
    rule = batch.resource.advance
    if rule is None:
        return lambda before, after, at: None
    return lambda before, after, at: rule(before, after, at, batch)


def _carried_back(draft: Draft, batch: Batch) -> list[Point]:
    """A record of which we only know the present: its values are carried back, and marked as inferred."""
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


async def _rewrite(batch: Batch, drafts: list[tuple[Draft, Since]]) -> None:
    resource = batch.resource
    stored = await stored_versions(batch, [d for d, _ in drafts])
    await told.load(batch, [d for d, _ in drafts])
    custom.complete(batch, (x for versions in stored.values() for x in versions), told.loaded(batch))
    writable = [*(f.name for f in resource.writable), *batch.custom]
    columns = batch.columns
    for draft, since in drafts:
        assert draft.before is not None
        if stubs.completes(draft):
            told.keep(batch, draft, told.merged(batch, draft))
            points = resource.infer(draft, batch) if resource.infer else _carried_back(draft, batch)
            draft.versions = fold(points, columns, _advance(batch))
            draft.after = {**draft.before, **draft.changes, **draft.versions[-1].values}
            continue
        versions = stored[draft.record_id]
        points = told.untold(batch, draft, points_of(versions, writable)) if versions else []
        history = told.merged(batch, draft)
        first = points[0].at if points else draft.moment
        state = fold([*points, *history], columns, _advance(batch))[-1].values if points else {}
        # Where a verb says since when, also what is so already may have been so for longer than was believed.
        changes = {
            k: v for k, v in draft.changes.items() if k in columns and (draft.since or state.get(k) != v)
        }
        if since is not None:
            at, names = max(since[0], first), since[1]
            dated = {k: v for k, v in changes.items() if names is None or k in names}
            changes = {k: v for k, v in changes.items() if k not in dated}
            # What is so now has been so since `at`: nothing that was believed of the time between stands against it.
            points = [_without(point, dated) if point.at > at else point for point in points]
            history = [_without(point, dated) if point.at >= at else point for point in history]
            points.append(Point(at, dated))
        if changes or draft.restore:
            points.append(Point(draft.moment, changes, life="resumes" if draft.restore else ""))
        if history:
            told.keep(batch, draft, history, points[1:])
            points += history
        if points[0].at > min(p.at for p in points):
            points[0] = replace(points[0], at=min(p.at for p in points))
        draft.versions = fold(points, columns, _advance(batch))
        if same_history(batch, draft):
            draft.versions = None
        draft.after = {
            **draft.before,
            **draft.changes,
            **(draft.versions[-1].values if draft.versions else state),
        }


def _without(point: Point, names: Iterable[str]) -> Point:
    return replace(point, changes={k: v for k, v in point.changes.items() if k not in names})


_NOT_COMPARED = frozenset({"version", "created_at", "updated_at", "deleted_at", "visible", "tenant_id", "id"})


def compare(draft: Draft, batch: Batch) -> None:
    """Name what changed, and with it the outcome."""
    changed_children = draft.changed
    if draft.before is None:
        draft.outcome = "created"
        values = draft.after
        # What is told nothing is null, or a list of nothing.
        draft.changed = [
            name
            for name in (*batch.resource.by_name, *batch.custom)
            if (value := values.get(name)) is not None and (value or not isinstance(value, list))
        ] + changed_children
        draft.after["version"] = 1
        return
    before, after = draft.before, draft.after
    if draft.same and not changed_children:
        return
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
