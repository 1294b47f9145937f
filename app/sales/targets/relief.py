"""The rules of a relief: how much it is of, and that nobody decides on his own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.language.resources.batch import Batch, Draft
from app.sales.targets import attainable

TERMS = ("starts_on", "ends_on", "share", "amount", "currency")
"""What is approved. Once one of these changes, it is asked for anew."""
DECISION = ("state", "decided_at", "decided_by_id")
DECIDED = ("approved", "rejected")


def may_decide(principal: Principal, rep_id: UUID) -> bool:
    """Whether a relief of this rep, which the principal sees, is for it to decide: an admin's or a manager's above,
    and never the holder's."""
    return principal.role in ("admin", "manager") and principal.rep_id != rep_id


async def prepare(batch: Batch) -> None:
    """Who decides is who writes; an admin may tell who it was."""
    if batch.principal.role == "admin":
        return
    for draft in batch.standing:
        draft.changes.pop("decided_by_id", None)
        state = draft.changes.get("state")
        if state in DECIDED and (draft.before is None or draft.before["state"] != state):
            draft.changes["decided_by_id"] = batch.principal.rep_id


def advance(before: Mapping[str, Any] | None, after: dict[str, Any], at: datetime, batch: Batch) -> None:
    if after["state"] is None:
        after["state"] = "requested"
    if before is not None and after["decided_at"] == before["decided_at"]:
        if after["state"] != before["state"]:
            after["decided_at"] = None
        elif any(after[name] != before[name] for name in TERMS):
            after["state"] = "requested"
    if after["state"] == "requested":
        after["decided_at"] = after["decided_by_id"] = None
    elif after["decided_at"] is None:
        after["decided_at"] = at


def _decides(draft: Draft) -> bool:
    before = draft.before or dict.fromkeys(DECISION) | {"state": "requested"}
    if draft.after["state"] != "requested" and any(draft.after[x] != before[x] for x in DECISION):
        return True
    return any(point.changes.get("state") in DECIDED for point in draft.history)


async def check(batch: Batch) -> None:
    for draft in batch.standing:
        after = draft.after
        attainable.demand(draft)
        if (after["share"] is None) == (after["amount"] is None):
            draft.refuse("share", "one_measure", "A relief is of a share of the quota or of an amount.")
        if after["amount"] is not None and after["amount"] < 0:
            draft.refuse("amount", "too_small", "Must be at least 0.")
        if after["ends_on"] <= after["starts_on"]:
            draft.refuse("ends_on", "ends_before_start", "A relief ends after the day on which it begins.")
        if _decides(draft) and not may_decide(batch.principal, after["rep_id"]):
            draft.refuse("state", "not_yours_to_decide", "A manager above the rep decides, or an admin.")


def event_types(draft: Draft) -> list[str]:
    stood = draft.before["state"] if draft.before else "requested"
    decided = [draft.after["state"]] if draft.after["state"] not in ("requested", stood) else []
    return ["created", *decided] if draft.outcome == "created" else decided or ["updated"]
