"""`GET /v1/calendar/days`: the date table, as JSON, CSV or NDJSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from starlette.responses import Response

from app.faces.rest import accept, numbers
from app.faces.rest.edge import Call
from app.faces.rest.filtering import parameter
from app.faces.rest.operation import Operation, Schema
from app.faces.rest.schemas import ID_EXAMPLE, array, nullable, obj, ref
from app.ground.fiscal import Calendar, Rule
from app.ground.working import Holiday, WorkingCalendar
from app.language.query import date_table

_TEXT: Schema = {"type": "string"}
_DAY: Schema = {"type": "string", "format": "date"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_FLAG: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "number"}


def operations() -> Iterator[Operation]:
    yield Operation(
        id="listCalendarDays", method="GET", path="/v1/calendar/days", handler=listed, tag="Metrics", noun="metrics",
        right="read", summary="The date table",
        description=(
            "One row a day: weekday, ISO week, month, quarter, year, fiscal year, quarter, period and week, each with "
            "its label and its first and last day; whether it is worked, and how long; its first instant in the zone "
            f"and the next day's. At most {date_table.MOST_DAYS:,} days."
        ),
        parameters=(
            parameter("period", _TEXT | {"examples": ["this_fiscal_year", "2026", "FY2026-Q3"]},
                      "Which days, in any word that numbers take; else `from` and `to`."),
            parameter("from", _TEXT | {"examples": ["2026-01-01"]}, "The first day."),
            parameter("to", _TEXT | {"examples": ["2027-01-01"]}, "The first day that is no longer meant."),
            parameter("timezone", _TEXT | {"examples": ["Europe/Berlin"]}, "Whose days; the tenant's when left out."),
            parameter("working_calendar", _TEXT | {"examples": [ID_EXAMPLE, "hr:germany"]},
                      "By whose working days, by id or `source:external_id`; the default calendar's when left out."),
        ),
        answers={accept.JSON: ref("CalendarDays"), accept.NDJSON: _TEXT, accept.CSV: _TEXT}, errors=(404, 406),
    )  # fmt: skip


async def listed(call: Call) -> Response:
    form = accept.chosen(call.request, numbers.FORMS)
    asked = call.parameters
    question = date_table.parse(
        call.principal,
        period=asked.one("period"),
        first=asked.one("from"),
        last=asked.one("to"),
        timezone=asked.one("timezone"),
        working_calendar=asked.one("working_calendar"),
    )
    asked.nothing_else()
    found = await call.read(lambda session: date_table.answer(session, question))
    if form == accept.JSON:
        return numbers.answered({"data": found.data, "meta": found.meta})
    return numbers.table(form, date_table.COLUMNS, found.data)


_UNITS = {
    "iso_week": "ISO 8601 week",
    "month": "calendar month",
    "quarter": "calendar quarter",
    "year": "calendar year",
    "fiscal_year": "fiscal year",
    "fiscal_quarter": "quarter of the fiscal year",
    "fiscal_period": "period of the fiscal year, 1 to 12",
    "fiscal_week": "week of the fiscal year: seven days each from its first day on",
}
_SAYS: dict[str, tuple[Schema, str]] = {
    "date": (_DAY, "The day."),
    "weekday": ({"type": "integer", "minimum": 1, "maximum": 7}, "ISO 8601: 1 is Monday, 7 Sunday."),
    "weekday_name": (_TEXT, "In English."),
    "iso_year": ({"type": "integer"}, "The year that the ISO week belongs to."),
    "month_name": (_TEXT, "In English."),
    "is_working_day": (_FLAG, "Whether any of it is worked; null without a working calendar."),
    "working_days": (_NUMBER, "1, 0, or the rest of a day that is a holiday in part: to be summed."),
    "working_hours": (_NUMBER, "Hours of work: to be summed."),
    "holiday": (_TEXT, "What the holiday is called; null on any other day."),
    "starts_at": (_MOMENT, "The first instant of the day in the zone."),
    "ends_at": (_MOMENT, "The first instant of the next day. The same, where the zone skipped the day."),
    "hours": (_NUMBER, "How long the day is: 23 or 25 where the clock is changed."),
    "is_today": (_FLAG, "Whether it is today in the zone."),
}
_NULLABLE = ("is_working_day", "working_days", "working_hours", "holiday")


def schemas() -> dict[str, Schema]:
    example = _example()
    fields = {name: _field(name) | {"examples": [example[name]]} for name in date_table.COLUMNS}
    none = {"type": ["object", "null"], "properties": {"id": _TEXT | {"format": "uuid"}, "name": _TEXT}}
    meta = {
        "period": nullable(_TEXT) | {"examples": ["2026-12-25"]},
        "period_start": _DAY | {"examples": ["2026-12-25"]},
        "period_end": _DAY | {"description": "The day behind the last one.", "examples": ["2026-12-26"]},
        "timezone": _TEXT | {"examples": ["Europe/Berlin"]},
        "working_calendar": none
        | {
            "description": "By which the days are worked; null where there is none: count calendar days then.",
            "examples": [{"id": ID_EXAMPLE, "name": "Germany"}],
        },
    }
    return {
        "CalendarDay": obj(fields, required=fields, description="A row of the date table.", example=example),
        "CalendarDaysMeta": obj(meta, required=meta, description="How the days were told."),
        "CalendarDays": obj(
            {"data": array(ref("CalendarDay")), "meta": ref("CalendarDaysMeta")}, required=["data", "meta"],
            description="The date table.",
        ),
    }  # fmt: skip


def _field(name: str) -> Schema:
    if name in _SAYS:
        schema, says = _SAYS[name]
    else:
        unit = next(x for x in _UNITS if name in (x, *(f"{x}_{part}" for part in _PARTS)))
        schema, says = _PARTS.get(name.removeprefix(f"{unit}_"), ({"type": "integer"}, "Number of the {}."))
        says = says.format(_UNITS[unit])
        if unit.startswith("fiscal"):
            schema, says = nullable(schema), f"{says} Null outside of the fiscal calendar."
    return (nullable(schema) if name in _NULLABLE else schema) | {"description": says}


_PARTS: dict[str, tuple[Schema, str]] = {
    "label": (_TEXT, "Label of the {}, which `period` takes."),
    "first_day": (_DAY, "First day of the {}."),
    "last_day": (_DAY, "Last day of the {}."),
}


def _example() -> dict[str, object]:
    """A day as the table tells it."""
    day, next_day = date(2026, 12, 25), date(2026, 12, 26)
    working = WorkingCalendar([Decimal(x) for x in (8, 8, 8, 8, 8, 0, 0)], [Holiday(day, "Christmas Day")])
    [row] = date_table.rows(
        (day, next_day), ZoneInfo("Europe/Berlin"), Calendar.of(Rule(start_month=2)), working, next_day
    )
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
