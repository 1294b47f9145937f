"""The date table against PostgreSQL's own words for a day, and against the periods that its labels name."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ground import fiscal
from app.ground.database.session import Database
from app.ground.fiscal import Calendar, Rule
from app.ground.working import Holiday, WorkingCalendar
from app.language.query import date_table
from tests.ground.test_fiscal import rules

DAY = timedelta(days=1)
UTC = ZoneInfo("UTC")
UNITS = (
    "iso_week",
    "month",
    "quarter",
    "year",
    "fiscal_year",
    "fiscal_quarter",
    "fiscal_period",
    "fiscal_week",
)

_SAID = """
select day::date as date, to_char(day, 'ID')::int as weekday, to_char(day, 'FMDay') as weekday_name,
    to_char(day, 'IYYY')::int as iso_year, to_char(day, 'IW')::int as iso_week,
    to_char(day, 'IYYY-"W"IW') as iso_week_label, to_char(day, 'FMMonth') as month_name,
    to_char(day, 'YYYY-MM') as month_label,
    to_char(day, 'YYYY-"Q"Q') as quarter_label, to_char(day, 'Q')::int as quarter,
    extract(month from day)::int as month, extract(year from day)::int as year, to_char(day, 'YYYY') as year_label
from generate_series($1::date, $2::date - 1, interval '1 day') day
"""


def table(first: date, last: date, zone: ZoneInfo = UTC, **more: Any) -> list[dict[str, Any]]:
    asked = {"calendar": Calendar.of(Rule()), "working": None, "today": date(2026, 3, 1)} | more
    return list(date_table.rows((first, last), zone, **asked))


async def test_postgresql_calls_the_days_the_same(database: Database) -> None:
    days = date(1999, 12, 27), date(2012, 1, 9)
    async with database.connection() as connection:
        said = await connection.fetch(_SAID, *days)
    rows = table(*days)
    assert len(rows) == len(said)
    for row, other in zip(rows, said, strict=True):
        assert {name: row[name] for name in other.keys() if name != "date"} == {  # noqa: SIM118
            name: value for name, value in other.items() if name != "date"
        }
        assert row["date"] == str(other["date"])


@settings(max_examples=25, deadline=None)
@given(rules, st.integers(0, 20_000))
def test_each_label_is_a_period_of_the_days_that_its_row_tells(rule: Rule, offset: int) -> None:
    calendar = Calendar.of(rule)
    first = date(1992, 1, 1) + DAY * offset
    for row in table(first, first + 20 * DAY, calendar=calendar):
        for unit in UNITS:
            edges = date.fromisoformat(row[f"{unit}_first_day"]), date.fromisoformat(row[f"{unit}_last_day"])
            days = fiscal.span(row[f"{unit}_label"], first, calendar)
            assert days == (edges[0], edges[1] + DAY), (unit, row)
            assert edges[0] <= date.fromisoformat(row["date"]) <= edges[1]


def test_fiscal_weeks_number_the_days_of_a_year() -> None:
    for rule in (Rule(start_month=4), Rule("weeks_4_5_4", 2, "sunday", "nearest", "start")):
        whole = rule.first_day(2023), rule.first_day(2024)
        weeks = [row["fiscal_week"] for row in table(*whole, calendar=Calendar.of(rule))]
        assert weeks == [1 + n // 7 for n in range((whole[1] - whole[0]).days)]
        assert max(weeks) == 53
    assert fiscal.span("FY2024-W54", date(2024, 1, 1), Calendar.of(Rule())) is None
    assert fiscal.span("FY2024-W00", date(2024, 1, 1), Calendar.of(Rule())) is None


def test_outside_of_the_calendar_nothing_fiscal_is_told() -> None:
    [row] = table(date(1989, 12, 31), date(1990, 1, 1))
    assert {row[name] for name in row if name.startswith("fiscal")} == {None}
    assert tuple(row) == date_table.COLUMNS


@pytest.mark.parametrize(
    ("zone", "day", "starts", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00+00:00", "23"),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00+00:00", "25"),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00+00:00", "24.5"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00+00:00", "23"),
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00+00:00", "23"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00+00:00", "0"),
        ("America/St_Johns", "2010-11-06", "2010-11-06T02:30:00+00:00", "25"),
        ("America/Havana", "2018-11-04", "2018-11-04T04:00:00+00:00", "25"),
    ],
)
def test_a_day_begins_and_lasts_by_its_zone(zone: str, day: str, starts: str, hours: str) -> None:
    first = date.fromisoformat(day)
    row, after = table(first, first + 2 * DAY, ZoneInfo(zone), today=first)
    assert (row["starts_at"], row["ends_at"], str(row["hours"])) == (starts, after["starts_at"], hours)
    length = datetime.fromisoformat(row["ends_at"]) - datetime.fromisoformat(row["starts_at"])
    assert length == timedelta(hours=float(hours))
    assert (row["is_today"], after["is_today"]) == (True, False)


def test_a_holiday_in_part_is_a_working_day_in_part() -> None:
    week = [Decimal("8.000000")] * 5 + [Decimal(0)] * 2
    off = [Holiday(date(2026, 12, 24), "Eve", Decimal("0.5")), Holiday(date(2026, 12, 25), "Day"),
           Holiday(date(2026, 12, 26), "A Saturday")]  # fmt: skip
    rows = table(date(2026, 12, 23), date(2026, 12, 28), working=WorkingCalendar(week, off))
    names = ("is_working_day", "working_days", "working_hours", "holiday")
    assert [tuple(str(row[name]) for name in names) for row in rows] == [
        ("True", "1", "8", "None"), ("True", "0.5", "4", "Eve"), ("False", "0", "0", "Day"),
        ("False", "0", "0", "A Saturday"), ("False", "0", "0", "None"),
    ]  # fmt: skip
