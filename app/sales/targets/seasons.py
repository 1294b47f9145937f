"""A quota that does not expect the same every day: what each of its weights is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from app.ground.fiscal import Calendar, Span, after
from app.language.resources.batch import Batch

GREATEST = 5_000
"""A sum is divided by whole numbers of 64 bits: all weights in ten-thousandths x days of a month x what of these is
worked in millionths, which for a year of the greatest weights is 10^18 of 9 x 10^18."""

CALENDAR = "calendar"
"""Where a batch keeps its tenant's."""

_PARTS = (("month", "fiscal_period"), ("quarter", "fiscal_quarter"))


def parts(period: Span, count: int, calendar: Calendar) -> list[date] | None:
    """The first days of the months of a period, or of the quarters, whichever are so many; calendar ones where the
    period begins and ends with them, else fiscal ones."""
    for units in _PARTS:
        for starts in (_starts(period, units[0]), _fiscal(period, units[1], calendar)):
            if starts is not None and len(starts) == count > 1:
                return starts
    return None


def _starts(period: Span, unit: str) -> list[date] | None:
    first, last = period
    starts = [first]
    while (begin := after(unit, starts[-1])) < last:
        starts.append(begin)
    return starts if begin == last and first.day == 1 else None


def _fiscal(period: Span, unit: str, calendar: Calendar) -> list[date] | None:
    first, last = period
    inside = [span for span in calendar.units(unit) if first <= span[0] < last]
    whole = inside and inside[0][0] == first and inside[-1][1] == last
    return [start for start, _ in inside] if whole else None


def named(batch: Batch) -> bool:
    """Whether any of its quotas has weights, or is given some."""
    return any(
        told.get("seasonality")
        for draft in batch.standing
        for told in (draft.changes, draft.before or {}, *(point.changes for point in draft.history))
    )


def advance(before: Mapping[str, Any] | None, after: dict[str, Any], at: datetime, batch: Batch) -> None:
    weights: Sequence[float] | None = after["seasonality"]
    if weights is None:
        after["seasons"] = None
    elif before is None or any(after[x] != before[x] for x in ("seasonality", "starts_on", "ends_on")):
        starts = parts((after["starts_on"], after["ends_on"]), len(weights), batch.facts[CALENDAR])
        after["seasons"] = None if starts is None else [str(day) for day in starts]


def fault(record: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with the weights of a quota, by its code and in words."""
    weights = record["seasonality"]
    if weights is None:
        return None
    if not any(weights):
        return "no_weight", "At least one of the weights lies above 0."
    if record["seasons"] is None:
        return (
            "seasons_misfit",
            "There is a weight for each month of the period, or for each quarter of its year: 12 or 4 for a year, 3 "
            "for a quarter.",
        )
    return None
