"""Working time by its rule: how much of a day, and of a span of days, is worked. Days in, days and hours out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate

WHOLE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Holiday:
    """`share` is the part of the day that is off: 1, or 0.5 for half a day."""

    day: date
    name: str
    share: Decimal = WHOLE


@dataclass(frozen=True, slots=True)
class Worked:
    """Half a holiday leaves half a working day, and half of its hours."""

    days: Decimal
    hours: Decimal


class WorkingCalendar:
    """A week that repeats, less holidays.

    `week` holds the hours of Monday to Sunday; a weekday without hours is no working day, and a holiday on it takes
    nothing away. Of one day there is one holiday.
    """

    def __init__(self, week: Sequence[Decimal], holidays: Iterable[Holiday] = ()) -> None:
        assert len(week) == 7
        self.week = tuple(week)
        self.holidays = {holiday.day: holiday for holiday in holidays}
        self._days = sorted(self.holidays)
        off = [self._off(day) for day in self._days]
        self._days_off = list(accumulate((x.days for x in off), initial=Decimal(0)))
        self._hours_off = list(accumulate((x.hours for x in off), initial=Decimal(0)))

    def _usual(self, day: date) -> Worked:
        hours = self.week[day.weekday()]
        return Worked(WHOLE if hours else Decimal(0), hours)

    def _off(self, day: date) -> Worked:
        usual, share = self._usual(day), self.holidays[day].share
        return Worked(usual.days * share, usual.hours * share)

    def on(self, day: date) -> Worked:
        usual = self._usual(day)
        if day not in self.holidays:
            return usual
        off = self._off(day)
        return Worked(usual.days - off.days, usual.hours - off.hours)

    def between(self, first: date, last: date) -> Worked:
        """Of `[first, last)` without a look at each day: how often each weekday comes, less the holidays there."""
        length, starts = max((last - first).days, 0), first.weekday()
        counts = [(length + 6 - (weekday - starts) % 7) // 7 for weekday in range(7)]
        days = sum(count for count, hours in zip(counts, self.week, strict=True) if hours)
        hours = sum((count * hours for count, hours in zip(counts, self.week, strict=True)), start=Decimal(0))
        begin = bisect_left(self._days, first)
        end = max(begin, bisect_left(self._days, last))
        return Worked(
            days - (self._days_off[end] - self._days_off[begin]),
            hours - (self._hours_off[end] - self._hours_off[begin]),
        )
