"""Time, in one place: zones, named periods and the buckets of a grain.

Everything is half open, `[from, to)`. Edges are local midnights turned into instants here, with zoneinfo, so that a
bucket is an index range for the database and no zone arithmetic runs per row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from app.ground import fiscal
from app.ground.database.session import Session
from app.ground.errors import Invalid, did_you_mean
from app.ground.fiscal import Calendar, Rule, Span

GRAINS = ("day", "week", "month", "quarter", "year", *fiscal.FISCAL_UNITS)
MOST_BUCKETS = 2_000
INSTANT = timedelta(microseconds=1)
"""PostgreSQL's smallest step: the last instant of a bucket is its end less this."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time: its days, and the same as instants."""

    first: date
    last: date
    """The day after the last one."""
    starts: datetime
    ends: datetime


@lru_cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone(name: str, pointer: str = "?timezone") -> ZoneInfo:
    """Any IANA zone, its aliases too: browsers still send `Asia/Calcutta` and `Europe/Kiev`."""
    if name not in _zones():
        raise Invalid.field(
            pointer, "unknown_timezone", f'"{name}" is no IANA time zone.{did_you_mean(name, _zones())}'
        )
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def midnight(day: date, in_zone: ZoneInfo) -> datetime:
    """The first instant of a day. Where the clock skips midnight it is the instant after the gap. Where it strikes
    midnight twice it is the first, unless it goes back into the day before: then that day is over at the second.

    Newfoundland went back from 0:01 to 23:01. By the second midnight one minute lies in another bucket than the clock
    said, by the first it was the 59 before it.
    """
    first = datetime(day.year, day.month, day.day, tzinfo=in_zone)
    second = first.replace(fold=1)
    if first.utcoffset() != second.utcoffset():
        again = second.astimezone(UTC)
        if again > first.astimezone(UTC) and day_of(again - INSTANT, in_zone) < day:
            return again
    return first.astimezone(UTC)


def day_of(instant: datetime, in_zone: ZoneInfo) -> date:
    return instant.astimezone(in_zone).date()


def moment(text: str, in_zone: ZoneInfo, pointer: str) -> datetime:
    """RFC 3339, or a day: its start in the zone."""
    try:
        if len(text) == 10:
            return midnight(date.fromisoformat(text), in_zone)
        read = datetime.fromisoformat(text)
        if read.tzinfo is not None:
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Invalid.field(
        pointer, "unreadable_moment", f'"{text}" is neither a day (2026-03-31) nor a moment with its offset.'
    )


def bucket(days: Span, in_zone: ZoneInfo) -> Bucket:
    return Bucket(days[0], days[1], midnight(days[0], in_zone), midnight(days[1], in_zone))


def period(text: str, today: date, calendar: Calendar, pointer: str = "?period") -> Span:
    found = fiscal.span(text, today, calendar)
    if found is None:
        raise Invalid.field(
            pointer,
            "unknown_period",
            f'"{text}" is no period. Write 2026, 2026-Q1, 2026-03, FY2026-Q3, this_quarter, last_90_days, ytd or '
            f"2026-03-01/2026-06-01 (half open).{did_you_mean(text, fiscal.WORDS)}",
        )
    return found


def buckets(days: Span, grain: str | None, in_zone: ZoneInfo, calendar: Calendar) -> list[Bucket]:
    """The period cut at the edges of the grain; the first and the last bucket may be shorter than the grain."""
    return [bucket(cut, in_zone) for cut in _cuts(days, grain, calendar)]


def _cuts(days: Span, grain: str | None, calendar: Calendar) -> Sequence[Span]:
    first, last = days
    if grain is None:
        return [days]
    if grain in fiscal.FISCAL_UNITS:
        cuts = [(max(a, first), min(b, last)) for a, b in calendar.units(grain) if a < last and b > first]
        if not cuts or cuts[0][0] != first or cuts[-1][1] != last:
            raise Invalid.field(
                "?grain", "outside_calendar", "The fiscal calendar does not cover the whole period."
            )
    else:
        cuts, begin = [], fiscal.start_of(grain, first)
        while begin < last and len(cuts) <= MOST_BUCKETS:
            end = fiscal.after(grain, begin)
            cuts.append((max(begin, first), min(end, last)))
            begin = end
    if len(cuts) > MOST_BUCKETS:
        raise Invalid.field(
            "?grain", "too_many_buckets", f"At most {MOST_BUCKETS:,} buckets; take a coarser grain."
        )
    return cuts


_PERIODS = """
select p.fiscal_year, p.quarter, p.period, p.starts_on, p.ends_on
from fiscal_calendars c join fiscal_periods p on p.tenant_id = c.tenant_id and p.calendar_id = c.id
where c.tenant_id = $1 and c.is_default and c.deleted_at is null
"""


async def calendar(session: Session) -> Calendar:
    """The tenant's default fiscal calendar; calendar months where it has none."""
    rows = await session.connection.fetch(_PERIODS, session.tenant_id)
    return Calendar(fiscal.FiscalPeriod(*row) for row in rows) if rows else Calendar.of(Rule())
