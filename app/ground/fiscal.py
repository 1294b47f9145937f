"""Periods by their names, calendar and fiscal: days in, days out."""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

Span = tuple[date, date]
"""`[first day, day after the last)`."""

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2200, 1, 1)
"""What a period may touch; beyond it nobody means what they typed."""


def month_after(first: date, months: int) -> date:
    """The first of the month `months` after the month of `first`."""
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class FiscalPeriod:
    """Half open, `[starts_on, ends_on)`."""

    fiscal_year: int
    quarter: int
    period: int
    starts_on: date
    ends_on: date


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKS = {"weeks_4_4_5": (4, 4, 5), "weeks_4_5_4": (4, 5, 4), "weeks_5_4_4": (5, 4, 4)}
PATTERNS = ("months", *_WEEKS)
"""What the three periods of a quarter are: calendar months, or so many whole weeks each."""
ANCHORS = ("last", "nearest")
NAMINGS = ("end", "start")


@dataclass(frozen=True, slots=True)
class Rule:
    """How a company divides its time; a year begins with `start_month`, or near it.

    A year of whole weeks ends on the day before `week_starts_on`: on the `last` such day of the month before
    `start_month`, or on the one `nearest` to that month's last day. It has 52 weeks or 53; the 53rd belongs to period
    12. A year is named for the calendar year of its nominal `end` or `start`, wherever its weeks fall: FY2026 from
    February is 2025-02 to 2026-01, or 2026-02 to 2027-01.
    """

    pattern: str = "months"
    start_month: int = 1
    week_starts_on: str = "monday"
    anchor: str = "nearest"
    named_for: str = "end"

    def first_day(self, fiscal_year: int) -> date:
        early = self.named_for == "end" and self.start_month > 1
        nominal = date(fiscal_year - early, self.start_month, 1)
        if self.pattern == "months":
            return nominal
        latest = nominal + timedelta(days=3 if self.anchor == "nearest" else 0)
        return latest - timedelta(days=(latest.weekday() - WEEKDAYS.index(self.week_starts_on)) % 7)

    def year(self, fiscal_year: int) -> list[FiscalPeriod]:
        """Its twelve periods in order."""
        begin, end = self.first_day(fiscal_year), self.first_day(fiscal_year + 1)
        if self.pattern == "months":
            starts = [month_after(begin, i) for i in range(12)]
        else:
            weeks = itertools.accumulate(_WEEKS[self.pattern] * 4, initial=0)
            starts = [begin + timedelta(weeks=count) for count in weeks][:12]
        return [
            FiscalPeriod(fiscal_year, (i + 3) // 3, i + 1, first, last)
            for i, (first, last) in enumerate(itertools.pairwise([*starts, end]))
        ]

    def periods(self, first_year: int, last_year: int) -> Iterator[FiscalPeriod]:
        for fiscal_year in range(first_year, last_year + 1):
            yield from self.year(fiscal_year)


class Calendar:
    """A tenant's fiscal periods, as its rows say; every family of calendars looks the same from here."""

    def __init__(self, periods: Iterable[FiscalPeriod]) -> None:
        self.periods = sorted(periods, key=lambda p: p.starts_on)
        self._starts = [p.starts_on for p in self.periods]

    @classmethod
    def of(cls, rule: Rule, first_year: int = 1990, last_year: int = 2060) -> Calendar:
        return cls(rule.periods(first_year, last_year))

    def at(self, day: date) -> FiscalPeriod | None:
        index = bisect_right(self._starts, day) - 1
        return self.periods[index] if index >= 0 and day < self.periods[index].ends_on else None

    def span(self, wanted: Callable[[FiscalPeriod], bool]) -> Span | None:
        found = [p for p in self.periods if wanted(p)]
        return (found[0].starts_on, found[-1].ends_on) if found else None

    def unit(self, name: str, day: date, offset: int = 0) -> Span | None:
        """The fiscal period, quarter or year that holds `day`, or the one `offset` after it."""
        spans = self.units(name)
        index = bisect_right([begin for begin, _ in spans], day) - 1
        if index < 0 or day >= spans[index][1] or not 0 <= index + offset < len(spans):
            return None
        return spans[index + offset]

    def units(self, name: str) -> list[Span]:
        """Every `fiscal_period`, `fiscal_quarter` or `fiscal_year` in order."""
        spans: dict[tuple[int, ...], Span] = {}
        for p in self.periods:
            key = {
                "fiscal_period": (p.fiscal_year, p.quarter, p.period),
                "fiscal_quarter": (p.fiscal_year, p.quarter),
                "fiscal_year": (p.fiscal_year,),
            }[name]
            spans[key] = (spans[key][0] if key in spans else p.starts_on, p.ends_on)
        return list(spans.values())


_UNITS = ("day", "week", "month", "quarter", "year")
FISCAL_UNITS = ("fiscal_period", "fiscal_quarter", "fiscal_year")
_TO_DATE = {
    "wtd": "week", "mtd": "month", "qtd": "quarter", "ytd": "year", "fqtd": "fiscal_quarter", "fytd": "fiscal_year",
}  # fmt: skip
WORDS = (
    "today", "yesterday", "tomorrow", *_TO_DATE, "last_7_days", "last_30_days", "last_90_days",
    *(f"{which}_{unit}" for which in ("this", "last", "next") for unit in (*_UNITS, *FISCAL_UNITS)),
)  # fmt: skip
"""The words that a period may be written in, beside `2026`, `2026-Q1`, `2026-03`, `FY2026-Q3` and days."""

_NAMED = re.compile(r"(?P<fy>FY)?(?P<year>\d{4})(?:-(?:Q(?P<q>[1-4])|W(?P<w>\d{2})|P?(?P<p>\d{2})))?")
_WEEK = re.compile(r"(?P<year>\d{4})-W(?P<week>\d{2})")
_RELATIVE = re.compile(r"(?P<which>this|last|previous|next)_(?P<unit>\w+)")
_COUNTED = re.compile(r"(?P<which>last|next)_(?P<count>\d{1,4})_(?P<unit>day|week|month|quarter|year)s?")


def start_of(unit: str, day: date) -> date:
    """The first day of the calendar unit that holds `day`; weeks begin on Monday."""
    match unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return date(day.year, 1, 1)


def after(unit: str, first: date, count: int = 1) -> date:
    """The first day of the unit `count` units after the one that begins on `first`."""
    if unit in ("day", "week"):
        return first + timedelta(days=count * (7 if unit == "week" else 1))
    return month_after(first, count * {"month": 1, "quarter": 3, "year": 12}[unit])


def week_of(year: Span, number: int) -> Span:
    """Seven days each from a fiscal year's first day on, in every family; where months leave a day or two over, they
    are week 53."""
    first = year[0] + timedelta(weeks=number - 1)
    return first, min(first + timedelta(weeks=1), year[1])


def before(text: str, days: Span, calendar: Calendar) -> Span:
    """The period before the one written as `text`: whole months before whole months, a fiscal unit before a fiscal
    unit; before one that is not over yet (`qtd`) as many days of the unit before, else as many days."""
    first, last = days
    if text in _TO_DATE:
        unit = _TO_DATE[text]
        whole = _unit(unit, first, -1, calendar)
        return (whole[0], min(whole[0] + (last - first), whole[1])) if whole else (first, first)
    if first.day == last.day == 1:
        months = (last.year - first.year) * 12 + last.month - first.month
        return month_after(first, -months), first
    for name in FISCAL_UNITS:
        if calendar.unit(name, first) == days:
            return calendar.unit(name, first, -1) or (first, first)
    return first - (last - first), first


def year_before(days: Span, calendar: Calendar) -> Span:
    """A year ago: whole months the same months, a fiscal unit that of the same place in its year, whole weeks those 52
    before, all else the same days."""
    first, last = days
    if not first.day == last.day == 1:
        for name, units in (("fiscal_year", 1), ("fiscal_quarter", 4), ("fiscal_period", 12)):
            if calendar.unit(name, first) == days:
                return calendar.unit(name, first, -units) or (first, first)
        if first.weekday() == 0 and (last - first).days % 7 == 0:
            return first - timedelta(weeks=52), last - timedelta(weeks=52)
    return _a_year_before(first), _a_year_before(last)


def _a_year_before(day: date) -> date:
    return date(day.year - 1, 3, 1) if (day.month, day.day) == (2, 29) else day.replace(year=day.year - 1)


def span(text: str, today: date, calendar: Calendar) -> Span | None:
    """The days of a period by its name, as seen from `today`; None where it cannot be read or has no days."""
    try:
        found = _span(text, today, calendar)
    except (ValueError, OverflowError):
        return None
    if found is None or found[0] >= found[1] or found[0] < FIRST_DAY or found[1] > LAST_DAY:
        return None
    return found


def _span(text: str, today: date, calendar: Calendar) -> Span | None:
    if "/" in text:
        first, _, last = text.partition("/")
        return date.fromisoformat(first), date.fromisoformat(last)
    if text in ("today", "yesterday", "tomorrow"):
        day = today + timedelta(days=("yesterday", "today", "tomorrow").index(text) - 1)
        return day, day + timedelta(days=1)
    if text in _TO_DATE:
        begun = _unit(_TO_DATE[text], today, 0, calendar)
        return (begun[0], today + timedelta(days=1)) if begun else None
    if match := _COUNTED.fullmatch(text):
        # Whole units beside the running one: the last 90 days end before today.
        unit, count = match["unit"], int(match["count"])
        running = start_of(unit, today)
        if match["which"] == "last":
            return after(unit, running, -count), running
        return after(unit, running), after(unit, running, count + 1)
    if match := _RELATIVE.fullmatch(text):
        offset = {"this": 0, "next": 1}.get(match["which"], -1)
        return (
            _unit(match["unit"], today, offset, calendar)
            if match["unit"] in (*_UNITS, *FISCAL_UNITS)
            else None
        )
    if match := _WEEK.fullmatch(text):
        first = date.fromisocalendar(int(match["year"]), int(match["week"]), 1)
        return first, first + timedelta(days=7)
    if match := _NAMED.fullmatch(text):
        return _fiscal(match, calendar) if match["fy"] else _calendar(match, text)
    day = date.fromisoformat(text)
    return day, day + timedelta(days=1)


def _unit(unit: str, day: date, offset: int, calendar: Calendar) -> Span | None:
    if unit in FISCAL_UNITS:
        return calendar.unit(unit, day, offset)
    first = after(unit, start_of(unit, day), offset)
    return first, after(unit, first)


def _calendar(match: re.Match[str], text: str) -> Span | None:
    year = int(match["year"])
    if match["q"]:
        first = date(year, int(match["q"]) * 3 - 2, 1)
        return first, month_after(first, 3)
    if match["p"]:
        first = date(year, int(match["p"]), 1)
        return None if "P" in text else (first, month_after(first, 1))
    return date(year, 1, 1), date(year + 1, 1, 1)


def _fiscal(match: re.Match[str], calendar: Calendar) -> Span | None:
    year = int(match["year"])
    if match["q"]:
        return calendar.span(lambda p: p.fiscal_year == year and p.quarter == int(match["q"]))
    if match["p"]:
        return calendar.span(lambda p: p.fiscal_year == year and p.period == int(match["p"]))
    whole = calendar.span(lambda p: p.fiscal_year == year)
    if match["w"]:
        return week_of(whole, int(match["w"])) if whole and match["w"] != "00" else None
    return whole
