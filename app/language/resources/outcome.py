"""What a write leaves behind it: history rows and events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.ground.events import outbox
from app.language.resources import store
from app.language.resources.batch import Batch, Draft, Version
from app.language.resources.custom import together
from app.language.resources.fields import CUSTOM


def record_history(batch: Batch) -> None:
    """Live changes end the open version and begin the next; a change of the past replaces the versions that differ,
    and keeps what was believed before. The version that holds now is stored with the record itself."""
    history = batch.resource.history
    if history is None:
        return
    pairs: list[tuple[Draft, Version, Version]] = []
    many = sum(d.outcome == "created" for d in batch.standing) > 1
    ended: list[tuple[Any, Any]] = []
    superseded: list[tuple[Any, Any]] = []
    earlier: list[dict[str, Any]] = []
    for draft in batch.standing:
        if draft.outcome == "unchanged":
            continue
        after = draft.after
        after["held_changed"] = draft.changed
        after["held_from"] = None
        if many and draft.is_new and (pair := _pair(draft.versions)):
            pairs.append((draft, *pair))
        elif draft.versions is not None:
            stored = batch.facts.get("stored_entries", {}).get(draft.record_id, [])
            kept, dropped = _unchanged(stored, draft.versions)
            superseded += [(entry, draft.moment) for entry in dropped]
            for index, version in enumerate(draft.versions):
                first = index == 0 and draft.is_new
                if index in kept:
                    continue
                if version.valid_to is None:
                    after["held_from"], after["held_inferred"] = version.valid_from, version.inferred
                    if first:
                        after["held_changed"] = []
                else:
                    earlier.append(_row(batch, draft, version, [] if first else draft.changed))
        else:
            if draft.outcome != "restored":
                ended.append((draft.record_id, draft.moment))
            if draft.outcome != "deleted":
                after["held_from"], after["held_inferred"] = draft.moment, False
    _tell_firsts(batch, pairs)
    tenant_id = batch.session.tenant_id
    if ended:
        batch.clearing.append(store.closing(tenant_id, history, ended))
    if superseded:
        batch.clearing.append(store.supersession(tenant_id, history, superseded))
    if earlier:
        columns = (*store.HISTORY_COLUMNS, *batch.resource.own_columns)
        batch.storing.append(store.insertion(tenant_id, history, columns, earlier))


def _pair(versions: list[Version] | None) -> tuple[Version, Version] | None:
    """One version and the one that follows it and holds, where there are no others."""
    if versions is None or len(versions) != 2:
        return None
    before, now = versions
    return (before, now) if now.valid_to is None and before.valid_to == now.valid_from else None


def _tell_firsts(batch: Batch, pairs: Sequence[tuple[Draft, Version, Version]]) -> None:
    """Let new records' rows tell the version before them too, where they have one: the columns in which it differs."""
    differing = set[str]()
    for draft, before, now in pairs:
        after = draft.after
        after["held_from"], after["held_inferred"] = now.valid_from, now.inferred
        after["first_from"], after["first_inferred"] = before.valid_from, before.inferred
        first = before.values
        differing |= {name for name, value in now.values.items() if first.get(name) is not value}
    columns = differing.intersection(batch.resource.own_columns)
    if not differing.isdisjoint(batch.custom):
        columns.add(CUSTOM)
    names = [(name, store.first(name)) for name in sorted(columns)]
    for draft, before, _ in pairs:
        values = before.values if not batch.custom else {**before.values, CUSTOM: together(before.values)}
        for name, called in names:
            draft.after[called] = values.get(name)
    batch.firsts = tuple(name for name, _ in names) if pairs else None


def _unchanged(stored: list[tuple[Any, Version]], versions: list[Version]) -> tuple[set[int], list[Any]]:
    """Which of the new versions are stored already, and which stored entries no longer hold."""
    kept: set[int] = set()
    dropped: list[Any] = []
    place = {version.valid_from: index for index, version in enumerate(versions)}
    for entry, old in stored:
        index = place.get(old.valid_from)
        if (
            index is not None
            and versions[index].valid_to == old.valid_to
            and versions[index].values == old.values
        ):
            kept.add(index)
        else:
            dropped.append(entry)
    return kept, dropped


def same_history(batch: Batch, draft: Draft) -> bool:
    """Whether a folded history is the one that is stored."""
    stored = batch.facts.get("stored_entries", {}).get(draft.record_id, [])
    kept, dropped = _unchanged(stored, draft.versions or [])
    return not dropped and len(kept) == len(draft.versions or [])


def _row(batch: Batch, draft: Draft, version: Version, changed: list[str]) -> dict[str, Any]:
    return {
        **version.values,
        CUSTOM: together(version.values) if batch.custom else None,
        "record_id": draft.record_id,
        "valid_from": version.valid_from,
        "valid_to": version.valid_to,
        "recorded_at": draft.moment,
        "inferred": version.inferred,
        "origin": batch.origin,
        "source": batch.source,
        "actor": batch.principal.user_id,
        "changed": changed,
    }


def tell_events(batch: Batch) -> None:
    resource = batch.resource
    told: list[outbox.Event] = []
    for draft in batch.standing:
        if draft.outcome == "unchanged":
            continue
        custom = resource.event_types if draft.outcome in ("created", "updated") else None
        for name in custom(draft) if custom else (draft.outcome,):
            told.append(
                outbox.Event(
                    type=f"{resource.name}.{name}",
                    noun=resource.plural,
                    record_id=draft.after["id"],
                    version=draft.after["version"],
                    changed=tuple(draft.changed),
                    at=None if batch.presumed else draft.moment,
                    origin=batch.origin,
                    actor=batch.principal.user_id,
                )
            )
    if told:
        batch.storing.append(outbox.part(batch.session.tenant_id, told))
