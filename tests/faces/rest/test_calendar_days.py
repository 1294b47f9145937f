"""The date table as it is asked for, and working calendars as they are kept."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import orjson
import pytest
from graphql import GraphQLObjectType

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql.names import camel
from app.faces.graphql.schema import schema
from app.language.query import date_table
from tests.faces.rest.conftest import Api, code
from tests.faces.rest.test_contract import validator

DAYS = "/v1/calendar/days"
GERMANY = {
    "name": "Germany", "country": "DE", "is_default": True, "friday_hours": 6,
    "external_ids": [{"source": "hr", "external_id": "germany"}],
    "holidays": [
        {"day": "2026-12-25", "name": "Weihnachten"},
        {"day": "2026-12-24", "name": "Heiligabend", "share": 0.5},
    ],
}  # fmt: skip


async def test_without_a_calendar_working_days_are_not_known(api: Api) -> None:
    answer = (await api.get(DAYS, params={"period": "2026-12", "timezone": "Asia/Calcutta"})).json()
    validator("CalendarDays").validate(answer)
    assert answer["meta"] == {
        "period": "2026-12", "period_start": "2026-12-01", "period_end": "2027-01-01",
        "timezone": "Asia/Calcutta", "working_calendar": None,
    }  # fmt: skip
    assert [x["date"] for x in answer["data"]] == [f"2026-12-{n:02}" for n in range(1, 32)]
    assert {x["is_working_day"] for x in answer["data"]} == {None}
    assert answer["data"][0]["starts_at"] == "2026-11-30T18:30:00+00:00"


async def test_the_same_days_in_every_form(api: Api) -> None:
    made = await api.post("/v1/working_calendars", GERMANY)
    assert made.status_code == 201, made.text
    asked = {"from": "2026-12-21", "to": "2026-12-28"}
    answer = (await api.get(DAYS, params=asked)).json()
    validator("CalendarDays").validate(answer)
    rows = answer["data"]
    assert answer["meta"]["working_calendar"] == {"id": made.json()["id"], "name": "Germany"}
    assert [x["working_hours"] for x in rows] == [8, 8, 8, 4, 0, 0, 0]
    assert [x["holiday"] for x in rows[3:5]] == ["Heiligabend", "Weihnachten"]
    lines = (await api.get(DAYS, params=asked, headers={"accept": "application/x-ndjson"})).text
    assert [orjson.loads(line) for line in lines.splitlines()] == rows
    sheet = await api.get(DAYS, params=asked, headers={"accept": "text/csv"})
    assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(sheet.text)))
    assert tuple(table[0]) == date_table.COLUMNS
    assert table[3]["working_days"] == "0.5"
    assert [x["fiscal_quarter_label"] for x in table] == ["FY2026-Q4"] * 7
    document = """query($from: Date, $to: Date) { calendarDays(from: $from, to: $to) {
        rows { date isoWeekLabel fiscalQuarterLabel workingDays workingHours holiday startsAt hours isToday }
        meta { periodStart periodEnd timezone workingCalendar { id name } } } }"""
    told = (await api.post("/graphql", {"query": document, "variables": asked})).json()["data"][
        "calendarDays"
    ]
    assert told["rows"][3] == {
        "date": "2026-12-24", "isoWeekLabel": "2026-W52", "fiscalQuarterLabel": "FY2026-Q4", "workingDays": 0.5,
        "workingHours": 4, "holiday": "Heiligabend", "startsAt": "2026-12-24T00:00:00+00:00", "hours": 24,
        "isToday": False,
    }  # fmt: skip
    assert told["meta"]["workingCalendar"] == {"id": made.json()["id"], "name": "Germany"}


async def test_days_by_another_calendar(api: Api) -> None:
    await api.post("/v1/working_calendars", GERMANY | {"is_default": False})
    asked = {"period": "2026-12-24"}
    for name, hours in ((None, None), ("hr:germany", 4)):
        more = {"working_calendar": name} if name else {}
        [row] = await api.data(DAYS, params=asked | more)
        assert row["working_hours"] == hours
    missing = await api.get(DAYS, params=asked | {"working_calendar": "hr:france"})
    assert code(missing) == (404, "not_found")


async def test_today_is_that_of_the_zone(api: Api) -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        rows = await api.data(DAYS, params={"period": "last_7_days", "timezone": zone})
        assert not any(x["is_today"] for x in rows)
        [row] = await api.data(DAYS, params={"period": "today", "timezone": zone})
        now = datetime.now(UTC)
        assert row["is_today"]
        assert datetime.fromisoformat(row["starts_at"]) <= now < datetime.fromisoformat(row["ends_at"])


@pytest.mark.parametrize(
    ("query", "expected", "says"),
    [
        ("", "period_required", "from"),
        ("from=2026-01-01", "period_required", "to"),
        ("period=2026&from=2026-01-01", "contradiction", "period"),
        ("period=this_qarter", "unknown_period", "this_quarter"),
        ("period=2026&timezone=Asia/Calcuta", "unknown_timezone", "Asia/Calcutta"),
        ("period=2026&timezon=UTC", "unknown_parameter", "timezone"),
        ("from=2026-02-30&to=2026-03-01", "not_a_day", "2026-02-30"),
        ("from=2026-W10-1&to=2026-03-30", "not_a_day", "2026-W10-1"),
        ("from=2026-03-01&to=2026-03-01", "ends_before_start", "to"),
        ("from=1999-01-01&to=2012-09-10", "too_many_days", "5,000"),
        ("period=last_2000_weeks", "too_many_days", "5,000"),
        ("period=2026&period=2025", "repeated", "period"),
    ],
)
async def test_what_cannot_be_told_is_refused(api: Api, query: str, expected: str, says: str) -> None:
    refused = await api.get(f"{DAYS}?{query}")
    assert code(refused) == (422, expected)
    assert says in refused.json()["errors"][0]["message"]


async def test_the_largest_answer_is_whole(api: Api) -> None:
    assert len(await api.data(f"{DAYS}?from=1999-01-01&to=2012-09-09")) == date_table.MOST_DAYS


async def test_everyone_reads_and_the_admin_writes(api: Api) -> None:
    made = (await api.post("/v1/working_calendars", GERMANY)).json()
    path = f"/v1/working_calendars/{made['id']}"
    for role in ("rep", "manager", "analyst"):
        assert (await api.get(f"{path}?expand=holidays", role=role, rep="r1")).json()["holidays"]
        assert code(await api.patch(path, {"name": "Mine"}, role=role, rep="r1")) == (403, "forbidden")
        assert len(await api.data(f"{DAYS}?period=2026-12-24", role=role, rep="r1")) == 1
    narrow = await api.get(f"{DAYS}?period=2026", scopes=("reps:read",))
    assert code(narrow) == (403, "forbidden")
    rep = await api.patch("/v1/reps/crm:r1", {"working_calendar_id": "hr:germany"})
    assert rep.json()["working_calendar_id"] == made["id"]
    assert [x["name"] for x in await api.data("/v1/reps?working_calendar.country=DE")] == [rep.json()["name"]]


def test_graphql_tells_what_rest_tells() -> None:
    fields = schema(CATALOGUE, METRIC_CATALOGUE).core.type_map["CalendarDay"]
    assert isinstance(fields, GraphQLObjectType)
    assert list(fields.fields) == [camel(name) for name in date_table.COLUMNS]


async def test_a_dear_question_of_graphql_is_charged(api: Api) -> None:
    nine = 'calendarDays(period: "last_9_years") { rows { date } }'
    document = f"{{ a: {nine} b: {nine} }}"
    told = (await api.post("/graphql", {"query": document})).json()
    assert told["errors"][0]["extensions"]["code"] == "too_costly"
