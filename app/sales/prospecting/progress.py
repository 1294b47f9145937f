"""The rules of a lead: who has it, how far it came, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.language.resources.batch import Batch, Draft, Point
from app.sales.prospecting import rules
from app.sales.prospecting.scoring import score

_RULES = "scoring_rules"
LOOKUPS = {_RULES: rules.RULES}


async def prepare(batch: Batch) -> None:
    batch.facts[_RULES] = rules.read(batch.facts[_RULES])
    for draft in batch.standing:
        changes = draft.changes
        if draft.is_new and draft.live and changes.get("received_at") is None:
            changes["received_at"] = batch.moment
        _one_holder(draft, batch)


def _one_holder(draft: Draft, batch: Batch) -> None:
    """Whoever takes a lead takes it from its queue; who puts one into a queue lets go of it."""
    changes = draft.changes
    owner, queue = changes.get("owner_id"), changes.get("queue_id")
    if owner is not None and queue is not None:
        if draft.is_new and draft.live and owner == batch.principal.rep_id:
            changes["owner_id"] = None
        else:
            draft.refuse("queue_id", "owner_or_queue", "A lead has an owner or waits in a queue, not both.")
    elif owner is not None:
        changes["queue_id"] = None
    elif queue is not None:
        changes["owner_id"] = None


_REACHED = {"qualified": "qualified_at", "disqualified": "disqualified_at", "converted": "converted_at"}
INTO = ("converted_account_id", "converted_contact_id", "converted_opportunity_id")
_MILESTONES = ("first_response_at", *_REACHED.values())


def infer(draft: Draft, batch: Batch) -> list[Point]:
    """A lead that is new here began when it came in, where that is known; its milestones came when they say."""
    values, now = draft.changes, batch.moment
    told = list(draft.history)
    known = [x for x in (values.get("received_at"), told[0].at if told else None) if x is not None]
    start = min([*known, now])
    first: dict[str, Any] = {}
    for point in told:
        for name, value in point.changes.items():
            first.setdefault(name, value)
    points = [] if told else _milestones(values, start, now)
    base = {**values, **first}
    if points:
        base |= {"status": "new", "disqualified_reason": None}
        base |= {name: None for point in points for name in point.changes if name != "status"}
    state = dict(base)
    for point in (*told, *points):
        state |= point.changes
    rest = {k: v for k, v in values.items() if state.get(k) != v}
    last = [Point(now, rest)] if rest else []
    return [Point(start, base, inferred=start < now), *told, *points, *last]


def _milestones(values: Mapping[str, Any], start: datetime, now: datetime) -> list[Point]:
    status_at = {moment: status for status, moment in _REACHED.items()}
    found: list[Point] = []
    for name in _MILESTONES:
        at = values.get(name)
        if at is not None and start < at < now:
            # Disqualified and taken up again: it is the moment that is told, not how it stood in between.
            stood = name in status_at and (name != "disqualified_at" or values["status"] == "disqualified")
            status = {"status": status_at[name]} if stood else {}
            into = {x: values.get(x) for x in INTO} if name == "converted_at" else {}
            found.append(Point(at, {name: at, **status, **into}, inferred=True))
    return sorted(found, key=lambda point: point.at)


def advance(before: Mapping[str, Any] | None, after: dict[str, Any], at: datetime, batch: Batch) -> None:
    """The moment of a milestone follows its status, and the score the whole lead."""
    for status, moment in _REACHED.items():
        if after["status"] == status and after[moment] is None:
            after[moment] = (before or {}).get(moment) or at
    if before and before["status"] == "disqualified" and after["status"] != "disqualified":
        after["disqualified_at"] = after["disqualified_reason"] = None
    if after["converted_at"] is not None:
        after["status"] = "converted"
    after["score"] = score(after, batch.facts[_RULES])


async def check(batch: Batch) -> None:
    for draft in batch.standing:
        newly = draft.after["converted_at"] is not None and not (
            draft.before and draft.before["converted_at"]
        )
        if newly and draft.live and draft.intent != "convert":
            draft.refuse("status", "use_convert", "A lead is converted by :convert, which says into what.")


def event_types(draft: Draft) -> list[str]:
    before = draft.before or dict.fromkeys((*_REACHED.values(), "owner_id"))
    reached = [
        s for s, moment in _REACHED.items() if before[moment] is None and draft.after[moment] is not None
    ]
    if draft.outcome == "created":
        return ["created", *reached]
    moved = ["reassigned"] if before["owner_id"] != draft.after["owner_id"] else []
    return reached + moved or ["updated"]
