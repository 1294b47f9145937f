"""For which numbers quotas are set: sums over a period that a rep brings about."""

from __future__ import annotations

from app.ground.errors import did_you_mean
from app.language.resources.batch import Draft

OTHERS = (
    "acv", "won_deals", "new_customers", "pipeline_created", "qualified_leads", "activities", "calls",
)  # fmt: skip
"""Beside bookings; each has a number of its own for how much of it was reached."""
ATTAINABLE = ("bookings", *OTHERS)


def demand(draft: Draft) -> None:
    """A quota of a number that nobody measures would never be reached. What was set before this was asked stays."""
    name = draft.after["metric"]
    if name in ATTAINABLE or (draft.before is not None and draft.before["metric"] == name):
        return
    known = ", ".join(ATTAINABLE)
    message = f'No quota is set for "{name}", but for one of {known}.{did_you_mean(name, ATTAINABLE)}'
    draft.refuse("metric", "unknown_metric", message)
