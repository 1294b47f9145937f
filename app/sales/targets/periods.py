"""A quota's period in days, by the tenant's calendar, and the one holder that it has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.ground import fiscal
from app.language.query import periods
from app.language.resources.batch import Batch, Draft
from app.sales.targets import attainable, seasons

_FIXED = re.compile(r"(FY)?\d{4}(-(Q[1-4]|P?\d{2}))?")
"""A quota is set for a period by its name, never for one that moves with the day of asking."""


async def prepare(batch: Batch) -> None:
    named = [d for d in batch.standing if d.changes.get("period") is not None]
    if not (named or seasons.named(batch)):
        return
    calendar = batch.facts[seasons.CALENDAR] = await periods.calendar(batch.session)
    for draft in named:
        text = draft.changes["period"]
        days = fiscal.span(text, batch.moment.date(), calendar) if _FIXED.fullmatch(text) else None
        if days is None:
            draft.refuse(
                "period", "unknown_period", "Write a period as 2026, 2026-Q1, 2026-03, FY2026 or FY2026-Q1."
            )
        else:
            draft.changes["starts_on"], draft.changes["ends_on"] = days


def _as_told(draft: Draft) -> Iterator[Mapping[str, Any]]:
    """The quota as it will be, and as its past says that it was."""
    yield draft.after
    yield from (version.values for version in draft.versions or ())


async def check(batch: Batch) -> None:
    for draft in batch.standing:
        holders = [
            name for name in ("rep_id", "team_id", "territory_id") if draft.after.get(name) is not None
        ]
        if len(holders) != 1:
            draft.refuse(
                "rep_id", "one_holder", "A quota has exactly one holder: a rep, a team or a territory."
            )
        if fault := next(filter(None, map(seasons.fault, _as_told(draft))), None):
            draft.refuse("seasonality", *fault)
        if draft.after.get("ramp_schedule_id") is not None and draft.after.get("rep_id") is None:
            draft.refuse(
                "ramp_schedule_id", "ramp_of_a_rep", "Only a rep's quota ramps: a rep has a first day."
            )
        attainable.demand(draft)
        for index, version in enumerate(draft.children.get("versions", ())):
            if not draft.after["starts_on"] <= version["effective_from"] < draft.after["ends_on"]:
                draft.refuse(
                    f"versions/{index}/effective_from",
                    "outside_period",
                    "The day lies outside the quota's period.",
                )
