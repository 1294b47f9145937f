"""When the demo takes place. It is fixed, so that its numbers are the same whatever day it is filled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from app.ground.fiscal import month_after

FIRST_OPENING = date(2024, 9, 1)
"""Deals are opened from here on, so that the first quarter of the two years has something to close."""

FIRST_DAY = date(2025, 1, 1)
"""First day of FY2025; nothing closes before it."""

TODAY = date(2026, 10, 1)
"""Nothing has happened on this day or after it; what lies ahead is planned: quotas, due dates, expected closes."""

LAST_DAY = date(2026, 12, 31)
NOW = datetime(2026, 10, 1, tzinfo=UTC)
QUARTERS = tuple((year, quarter) for year in (2025, 2026) for quarter in (1, 2, 3, 4))


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def months(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day = month_after(day, 1)


def quarter_end(day: date) -> date:
    """The first day after the quarter of `day`."""
    return month_after(date(day.year, (day.month - 1) // 3 * 3 + 1, 1), 3)
