"""The date table: one row a day, with the units of every calendar that it lies in, for whoever joins numbers to dates.

Each label (`2026-W10`, `FY2026-Q3`) is also a period by its name, of exactly the days that its row tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.ground import fiscal
from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import Invalid, NotFound
from app.ground.fiscal import Calendar, FiscalPeriod, Rule, Span
from app.ground.working import Holiday, WorkingCalendar
from app.language.query import periods

MOST_DAYS = 5_000

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ONE = timedelta(days=1)
_ANY = Calendar.of(Rule())


@dataclass(frozen=True, kw_only=True)
class Question:
    """A period by its name, or `[first, last)`. `working_calendar` is an id or `source:id`; the default when None."""

    zone: ZoneInfo
    period: str | None = None
    days: Span | None = None
    working_calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    data: list[dict[str, Any]]
    meta: dict[str, Any]


def parse(
    principal: Principal,
    *,
    period: str | None = None,
    first: str | None = None,
    last: str | None = None,
    timezone: str | None = None,
    working_calendar: str | None = None,
) -> Question:
    zone = periods.zone(timezone or principal.tenant.timezone)
    if period is not None and (first is not None or last is not None):
        raise Invalid.field("?period", "contradiction", "Give `period`, or `from` and `to`.")
    if period is None and (first is None or last is None):
        raise Invalid.field("?period", "period_required", "Name a `period`, or days by `from` and `to`.")
    days = None
    if first is not None and last is not None:
        days = _day(first, "?from"), _day(last, "?to")
        if days[0] >= days[1]:
            raise Invalid.field(
                "?to", "ends_before_start", "`to` is the first day behind those from `from` on."
            )
    return Question(zone=zone, period=period, days=days, working_calendar=working_calendar)


def _day(text: str, pointer: str) -> date:
    try:
        if _DAY.fullmatch(text) and fiscal.FIRST_DAY <= (day := date.fromisoformat(text)) <= fiscal.LAST_DAY:
            return day
    except ValueError:
        pass
    raise Invalid.field(
        pointer, "not_a_day", f'"{text[:40]}" is no day from {fiscal.FIRST_DAY} to {fiscal.LAST_DAY}.'
    )


def length(question: Question) -> int:
    """How many days it asks for, in calendar years where fiscal ones are meant: before anything is looked up."""
    days = question.days
    if days is None:
        days = fiscal.span(question.period or "", periods.day_of(datetime.now(UTC), question.zone), _ANY)
    return (days[1] - days[0]).days if days else 0


async def answer(session: Session, question: Question, *, now: datetime | None = None) -> Answer:
    today = periods.day_of(now or datetime.now(UTC), question.zone)
    calendar = await periods.calendar(session)
    days = question.days or periods.period(question.period or "", today, calendar)
    if (days[1] - days[0]).days > MOST_DAYS:
        raise Invalid.field("?period", "too_many_days", f"At most {MOST_DAYS:,} days; ask for them in parts.")
    named, working = await _working(session, days, question.working_calendar)
    meta = {
        "period": question.period,
        "period_start": days[0].isoformat(),
        "period_end": days[1].isoformat(),
        "timezone": question.zone.key,
        "working_calendar": named,
    }
    return Answer(list(rows(days, question.zone, calendar, working, today)), meta)


_WORKING = """
select c.id, c.name,
    array[c.monday_hours, c.tuesday_hours, c.wednesday_hours, c.thursday_hours, c.friday_hours, c.saturday_hours,
        c.sunday_hours] as week,
    h.day, h.name as holiday, h.share
from working_calendars c
left join holidays h on h.tenant_id = c.tenant_id and h.calendar_id = c.id and h.day >= $2 and h.day < $3
where c.tenant_id = $1 and c.deleted_at is null and case
    when $4::text is null then c.is_default
    else c.id::text = lower($4) or exists (
        select from external_ids e
        where e.tenant_id = c.tenant_id and e.noun = 'working_calendars' and e.record_id = c.id
        and e.source || ':' || e.external_id = $4)
    end
"""


async def _working(
    session: Session, days: Span, wanted: str | None
) -> tuple[dict[str, str] | None, WorkingCalendar | None]:
    found = await session.connection.fetch(_WORKING, session.tenant_id, *days, wanted)
    if not found:
        if wanted is not None:
            raise NotFound("There is no such working calendar.")
        return None, None
    holidays = [Holiday(x["day"], x["holiday"], x["share"]) for x in found if x["day"] is not None]
    named = {"id": str(found[0]["id"]), "name": found[0]["name"]}
    return named, WorkingCalendar(found[0]["week"], holidays)


def rows(
    days: Span, zone: ZoneInfo, calendar: Calendar, working: WorkingCalendar | None, today: date
) -> Iterator[dict[str, Any]]:
    """Of each day of `[first, last)`, as JSON has it; null is what no calendar says."""
    units = [_Unit(name) for name in _NAMES]
    fiscal_days = _Fiscal(calendar)
    day, starts = days[0], periods.midnight(days[0], zone)
    while day < days[1]:
        ends = periods.midnight(day + _ONE, zone)
        row: dict[str, Any] = {
            "date": day.isoformat(),
            "weekday": day.isoweekday(),
            "weekday_name": fiscal.WEEKDAYS[day.weekday()].capitalize(),
        }
        for unit in units:
            row |= unit.of(day)
        row |= fiscal_days.of(day)
        row |= _worked(day, working)
        row |= {
            "starts_at": starts.isoformat(),
            "ends_at": ends.isoformat(),
            "hours": _hours(ends - starts),
            "is_today": day == today,
        }
        yield row
        day, starts = day + _ONE, ends


@lru_cache(maxsize=64)
def _hours(length: timedelta) -> Decimal:
    return _short(round(Decimal(length // timedelta(seconds=1)) / 3600, 4))


def _edges(name: str, first: date, last: date) -> dict[str, Any]:
    return {f"{name}_first_day": first.isoformat(), f"{name}_last_day": (last - _ONE).isoformat()}


def _week(day: date) -> dict[str, Any]:
    year, week, _ = day.isocalendar()
    return {"iso_year": year, "iso_week": week, "iso_week_label": f"{year}-W{week:02}"}


def _month(day: date) -> dict[str, Any]:
    return {"month": day.month, "month_name": f"{day:%B}", "month_label": f"{day.year}-{day.month:02}"}


def _quarter(day: date) -> dict[str, Any]:
    number = (day.month + 2) // 3
    return {"quarter": number, "quarter_label": f"{day.year}-Q{number}"}


def _year(day: date) -> dict[str, Any]:
    return {"year": day.year, "year_label": str(day.year)}


_NAMES: dict[str, Callable[[date], dict[str, Any]]] = {
    "week": _week, "month": _month, "quarter": _quarter, "year": _year,
}  # fmt: skip


class _Unit:
    """A calendar's unit of the day before is mostly that of the day."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = date.min
        self.told: dict[str, Any] = {}

    def of(self, day: date) -> dict[str, Any]:
        if day >= self.last:
            first = fiscal.start_of(self.name, day)
            self.last = fiscal.after(self.name, first)
            column = "iso_week" if self.name == "week" else self.name
            self.told = _NAMES[self.name](day) | _edges(column, first, self.last)
        return self.told


_FISCAL = ("fiscal_year", "fiscal_quarter", "fiscal_period", "fiscal_week")
_NO_FISCAL = {f"{name}{part}": None for name in _FISCAL for part in ("", "_label", "_first_day", "_last_day")}


class _Fiscal:
    """A calendar's rows know periods; of the day before mostly the same ones."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.last = date.min
        self.told: dict[str, Any] = {}
        self.years: dict[int, Span] = {}
        self.quarters: dict[tuple[int, int], Span] = {}
        for p in calendar.periods:
            year, quarter = p.fiscal_year, (p.fiscal_year, p.quarter)
            self.years[year] = self.years.get(year, (p.starts_on,))[0], p.ends_on
            self.quarters[quarter] = self.quarters.get(quarter, (p.starts_on,))[0], p.ends_on

    def of(self, day: date) -> dict[str, Any]:
        if day >= self.last:
            at = self.calendar.at(day)
            if at is None:
                return _NO_FISCAL
            year = self.years[at.fiscal_year]
            number = (day - year[0]).days // 7 + 1
            week = fiscal.week_of(year, number)
            self.last = min(week[1], at.ends_on)
            self.told = self._units(at, year, number, week)
        return self.told

    def _units(self, at: FiscalPeriod, year: Span, number: int, week: Span) -> dict[str, Any]:
        name = f"FY{at.fiscal_year}"
        told: dict[str, Any] = {}
        for column, place, label, days in (
            ("fiscal_year", at.fiscal_year, name, year),
            (
                "fiscal_quarter",
                at.quarter,
                f"{name}-Q{at.quarter}",
                self.quarters[at.fiscal_year, at.quarter],
            ),
            ("fiscal_period", at.period, f"{name}-P{at.period:02}", (at.starts_on, at.ends_on)),
            ("fiscal_week", number, f"{name}-W{number:02}", week),
        ):
            told |= {column: place, f"{column}_label": label} | _edges(column, *days)
        return told


def _worked(day: date, working: WorkingCalendar | None) -> dict[str, Any]:
    if working is None:
        return {"is_working_day": None, "working_days": None, "working_hours": None, "holiday": None}
    worked, holiday = working.on(day), working.holidays.get(day)
    return {
        "is_working_day": worked.days > 0,
        "working_days": _short(worked.days),
        "working_hours": _short(worked.hours),
        "holiday": holiday.name if holiday else None,
    }


def _short(number: Decimal) -> Decimal:
    """Without the zeros that its column or its division gave it."""
    return number.normalize()


COLUMNS = tuple(
    next(rows((date(2026, 1, 1), date(2026, 1, 2)), ZoneInfo("UTC"), Calendar.of(Rule(), 2026, 2026), None,
              date(2026, 1, 1)))
)  # fmt: skip
"""The names of a row, in their order."""
