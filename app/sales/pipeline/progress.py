"""What follows from a change of a deal: pure, value by value, for live writes and for imported history alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

TERMINAL = frozenset({"won", "lost", "abandoned"})


def advance(
    before: Mapping[str, Any] | None,
    after: dict[str, Any],
    at: datetime,
    stages: Mapping[Any, Mapping[str, Any]],
) -> None:
    """Complete `after`, the deal as it stands from `at` on.

    The stage decides the category. Entering a won, lost or abandoned stage stamps the close and the owner who is
    credited for it; leaving one takes both back. Handing a closed deal to somebody else leaves the credit.
    """
    stage = stages.get(after.get("stage_id"))
    if stage is not None:
        after["category"] = stage["category"]
        after["pipeline_id"] = stage["pipeline_id"]
    was = before["category"] if before else None
    now = after["category"]
    stage_changed = before is None or before.get("stage_id") != after.get("stage_id")
    if stage_changed:
        after["stage_entered_at"] = at if after.get("stage_id") is not None else None
    if now == "open":
        after["closed_at"] = None
        after["credited_owner_id"] = None
    elif now != was:
        after["credited_owner_id"] = after.get("owner_id")
        if before is not None and after.get("closed_at") == before.get("closed_at"):
            after["closed_at"] = at
    if before is not None and _pushed(before.get("expected_close_on"), after.get("expected_close_on")):
        after["push_count"] = before["push_count"] + 1


def _pushed(old: Any, new: Any) -> bool:
    return old is not None and new is not None and new > old
