"""What reps do, in numbers: by hand, and over random activities against plain loops."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from tests.language.metrics.explained import explained
from tests.language.metrics.model import HOURS_A_DAY, day_of, midnight
from tests.language.metrics.world import Row, World, new_world
from tests.sales.activities import doings
from tests.sales.activities.doings import Activity, Deal
from tests.sales.org import careers
from tests.sales.org.careers import BUCKETS, Staff, now_or

METRICS = (
    "activities", "calls", "average_call_duration", "activities_per_rep", "activities_per_won_deal",
    "selling_time_share", "coaching_time_share",
)  # fmt: skip
MOMENTS = (None, "2025-08-17T15:00:00+00:00", "2025-09-01T13:00:00+00:00")
UNREACHED = ("Voicemail", "no answer", "no-answer")
PART_OF_SELLING = ("selling", "prospecting")
OUTSIDE = object()


@dataclass
class Floor:
    world: World
    staff: Staff
    activities: list[Activity]
    deals: list[Deal]


@pytest_asyncio.fixture(scope="module", params=[1, 2, 3])
async def floor(request: pytest.FixtureRequest, owner_url: str, database: Database) -> AsyncIterator[Floor]:
    world = await new_world(owner_url, database, timezone="America/New_York")
    staff = careers.invented(request.param)
    await careers.load(world, staff)
    activities, deals = doings.invented(request.param)
    await doings.load(world, activities, deals)
    yield Floor(world, staff, activities, deals)


# --- the same by loops ------------------------------------------------------------------------------------------------


@dataclass
class Cell:
    """What one number is made of, in one bucket and group."""

    numerator: Fraction = Fraction(0)
    denominator: Fraction = Fraction(0)
    values: list[Fraction] = field(default_factory=list)
    logged: Fraction = Fraction(0)
    """Hours that were logged, whoever has a calendar."""
    excluded: Counter[str] = field(default_factory=Counter)


Cells = dict[Any, Cell]
Grouping = Callable[[str | None, datetime, Row], Any]


def reason(metric: str, row: Row) -> str | None:
    """Why an activity of the bucket does not count, in the order in which reasons are looked for."""
    if not row["done"]:
        return "planned"
    if metric not in ("activities", "calls", "average_call_duration") and row["owner"] is None:
        return "no_owner"
    if metric == "average_call_duration" and row["outcome"] in UNREACHED:
        return "unconnected"
    timed = metric in ("average_call_duration", "selling_time_share", "coaching_time_share")
    return "no_duration" if timed and row["minutes"] is None else None


def counted(
    floor: Floor, metric: str, group_of: Grouping, first: date, last: date, moment: datetime, *, past: bool
) -> Cells:
    cells: Cells = defaultdict(Cell)
    begin, end = midnight(first), midnight(last)
    if metric == "activities_per_won_deal":
        for deal in floor.deals:
            if begin <= deal.closed_at < end and deal.closed_at <= moment:
                group = cells[group_of(deal.owner, deal.closed_at, {})]
                group.denominator += 1
                for activity in deal.activities:
                    row = activity.at(moment, past=past)
                    began = row["occurred_at"] if row and row["done"] else None
                    group.numerator += began is not None and began < deal.closed_at
        return cells
    if metric == "activities_per_rep":
        heads, untold = floor.staff.average(
            lambda rep, at: group_of(rep, at, {}), first, last, moment, past=past
        )
        for group, average in heads.items():
            cells[group].denominator += average
        for group in untold:
            cells[group].excluded["no_hire_date"] += 1
    if metric.endswith("time_share"):
        at_work(
            floor.staff,
            cells,
            group_of,
            first,
            last,
            moment,
            past=past,
            leading=metric.startswith("coaching"),
        )
    minutes: dict[Any, dict[datetime, tuple[datetime, Any]]] = defaultdict(dict)
    for activity in sorted(floor.activities, key=lambda a: a.row["occurred_at"] or begin):
        row = activity.at(moment, past=past)
        if row is None or (metric in ("calls", "average_call_duration") and row["kind"] != "call"):
            continue
        began = row["occurred_at"]
        if began is None:
            if row["done"] and not metric.endswith("time_share"):
                cells[group_of(row["owner"], moment, row)].excluded["undated"] += 1
            continue
        if not begin <= began < end:
            continue
        if metric == "coaching_time_share" and not leads(floor.staff, row["owner"], began):
            continue
        cell = cells[group := group_of(row["owner"], began, row)]
        if why := reason(metric, row):
            cell.excluded[why] += 1
        elif metric == "average_call_duration":
            cell.numerator += row["minutes"] * 60
            cell.values.append(Fraction(row["minutes"] * 60))
            cell.denominator += 1
        elif metric.endswith("time_share"):
            wanted = PART_OF_SELLING if metric == "selling_time_share" else ("coaching",)
            for n in range(row["minutes"]):
                minute = began + timedelta(minutes=n)
                minutes[row["owner"], "all"].setdefault(minute, group)
                if row["purpose"] in wanted:
                    minutes[row["owner"], "wanted"].setdefault(minute, group)
        else:
            cell.numerator += 1
    for (owner, which), taken in minutes.items():
        for group in taken.values():
            cell = cells[group]
            if which == "all":
                cell.logged += Fraction(1, 60)
                cell.denominator += 0 if floor.staff.week(owner) else Fraction(1, 60)
            else:
                cell.numerator += Fraction(1, 60)
    return cells


def at_work(
    staff: Staff, cells: Cells, group_of: Grouping, first: date, last: date, moment: datetime, *, past: bool,
    leading: bool,
) -> None:  # fmt: skip
    """The hours by the calendars, day by day, of those at work; `leading`, of those to whom somebody reports."""
    for career in staff.living(past=past):
        week, day = staff.week(career.name), first
        while week and day < min(last, day_of(moment) + timedelta(days=1)):
            begins = midnight(day)
            how = career.works(begins)
            if how and (not leading or leads(staff, career.name, begins)):
                cell = cells[group_of(career.name, begins, {})]
                if how == "at work":
                    cell.denominator += HOURS_A_DAY * week.worked(day)
                else:
                    cell.excluded[how] = 1
            day += timedelta(days=1)


def leads(staff: Staff, rep: str | None, moment: datetime) -> bool:
    return rep is not None and any(staff.place(x, moment)["manager"] == rep for x in staff.careers)


def grouping(floor: Floor, by: str | None, below: str | None = None) -> Grouping:
    def group_of(rep: str | None, at: datetime, row: Row) -> Any:
        if below is not None and below not in floor.staff.chain(rep, at):
            return OUTSIDE
        if by in ("kind", "purpose", "direction", "outcome"):
            return row[by]
        if by == "opportunity":
            return row["deal"]
        return floor.staff.place(rep, at)[by] if by else None

    return group_of


OWN = [None, "rep", "manager", "team", "function"]
ASKED = [
    *((metric, by, None) for metric in METRICS for by in OWN),
    *((metric, "team", "m1") for metric in METRICS),
    *(("activities", by, None) for by in ("kind", "purpose", "direction", "outcome", "opportunity")),
    *((metric, "direction", None) for metric in ("calls", "average_call_duration")),
]


@pytest.mark.parametrize("as_of", MOMENTS)
@pytest.mark.parametrize(("metric", "by", "below"), ASKED)
async def test_numbers_equal_the_loops(
    floor: Floor, metric: str, by: str | None, below: str | None, as_of: str | None
) -> None:
    asked: dict[str, Any] = {
        "period": "2025", "grain": "month", "as_of": as_of, "by": [by] if by else [],
        "filters": {"manager": [below]} if below else {},
    }  # fmt: skip
    rows = await floor.world.rows(metric, **asked)
    found = {(row["period_start"], row["dimensions"][by]["name"] if by else None): row for row in rows}
    for first, last in BUCKETS:
        cells = counted(
            floor, metric, grouping(floor, by, below), first, last, now_or(as_of), past=as_of is not None
        )
        for group in {*cells, *(g for _, g in found)} - {OUTSIDE}:
            cell = cells.get(group) or Cell()
            row = found.get((first.isoformat(), group))
            assert row, (first, group, "missing")
            if metric in ("activities", "calls"):
                assert row["value"] == decimal(cell.numerator), (first, group)
            else:
                value = cell.numerator / cell.denominator if cell.denominator else None
                assert row["value"] == decimal(value), (first, group)
                assert (row["numerator"], row["denominator"]) == (
                    decimal(cell.numerator), decimal(cell.denominator),
                )  # fmt: skip
            excluded = dict(row["excluded"])
            if "no_hire_date" in excluded:
                excluded["no_hire_date"] = 1
            assert excluded == dict(cell.excluded), (first, group)
            if metric.endswith("time_share"):
                of_logged = cell.numerator / cell.logged if cell.logged else None
                assert row["beside"]["of_logged"] == decimal(of_logged), (first, group)
                parts = row["beside"]["working_hours"] + row["beside"]["logged_hours"]
                assert parts == decimal(cell.denominator), (first, group)
            if metric == "average_call_duration":
                middle = decimal(statistics.median(cell.values)) if cell.values else None
                assert row["beside"] == {"median": middle}, (first, group)
    await explained(floor.world, metric, rows, **asked)


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def office(owner_url: str, database: Database) -> World:
    """Mona leads Ann; Ann has been there since January, Bob only since 16 April. Both are under the head in the end."""
    world = await new_world(owner_url, database)
    await world.put(
        "reps", {"external_id": "head", "name": "Head", "hired_on": "2025-01-01", "function": "manager"}
    )
    await world.put(
        "reps", {"external_id": "mona", "name": "Mona", "hired_on": "2025-01-01", "manager_id": "t:head"}
    )
    await world.put(
        "reps",
        {"external_id": "ann", "name": "Ann", "hired_on": "2025-01-01", "manager_id": "t:head", "function": "field",
         "history": [{"at": "2025-01-01", "manager_id": "t:mona"}, {"at": "2025-06-01", "manager_id": "t:head"}]},
        {"external_id": "bob", "name": "Bob", "hired_on": "2025-04-16", "manager_id": "t:head", "function": "field"},
    )  # fmt: skip
    return world


def did(key: str, owner: str, at: str, **rest: Any) -> Row:
    return {"external_id": key, "owner_id": f"t:{owner}", "occurred_at": at, "kind": "meeting", **rest}


MARCH: dict[str, Any] = {"period": "2025-03"}
CALLS = ((240, "connected"), (300, None), (630, "connected"), (20, "voicemail"), (None, "connected"))
WON = (("one", "ann", "2025-03-20"), ("two", "bob", "2025-03-21"), ("three", "bob", "2025-04-01"))


async def test_activities_and_calls_by_hand(office: World) -> None:
    await office.put(
        "activities",
        did("1", "ann", "2025-03-03T10:00:00Z", kind="call", outcome="connected", duration_seconds=300),
        did("2", "ann", "2025-03-04T10:00:00Z", kind="call", outcome="Left voicemail", duration_seconds=20),
        did("3", "bob", "2025-03-05T10:00:00Z"),
        did("4", "bob", "2025-03-30T10:00:00Z", done=False),
        {"external_id": "5", "kind": "task", "done": False, "due_at": "2025-03-20T10:00:00Z"},
        {"external_id": "6", "kind": "note", "owner_id": "t:ann"},
        did("7", "ann", "2025-04-01T00:00:00Z"),
    )  # fmt: skip
    row = await office.one("activities", **MARCH)
    assert (row["value"], row["excluded"]) == (3, {"planned": 1, "undated": 1})
    assert await office.grouped("activities", "kind", **MARCH) == {"call": 2, "meeting": 1, "note": 0}
    assert await office.value("calls", **MARCH) == 2
    assert await office.value("activities", **MARCH, as_of="2025-03-04T12:00:00Z") == 2, "not yet"
    assert await office.grouped("activities", "manager", **MARCH, filters={"rep": "Ann"}) == {
        "Mona": 2,
        "Head": 0,
    }
    assert await office.grouped(
        "activities", "manager", **MARCH, filters={"rep": "Ann"}, credit="current"
    ) == {"Head": 2}
    empty = await office.one("average_call_duration", period="2024")
    assert (empty["value"], empty["null_reason"]) == (None, "zero_denominator")


async def test_call_duration_by_hand(office: World) -> None:
    await office.put("activities", *(
        did(str(n), "ann", "2025-03-03T10:00:00Z", kind="call", duration_seconds=seconds, outcome=outcome)
        for n, (seconds, outcome) in enumerate(CALLS)
    ))  # fmt: skip
    row = await office.one("average_call_duration", **MARCH)
    assert (row["value"], row["n"], row["unit"]) == (390, 3, "seconds")
    assert row["excluded"] == {"no_duration": 1, "unconnected": 1}
    assert row["beside"] == {"median": 300}


async def test_activities_per_rep_by_hand(office: World) -> None:
    await office.put("activities", *(
        did(str(n), "ann" if n % 3 else "bob", f"2025-04-{n % 12 + 17}T10:00:00Z") for n in range(45)
    ), {"external_id": "nobody's", "kind": "note", "occurred_at": "2025-04-20T10:00:00Z"})  # fmt: skip
    april: dict[str, Any] = {"period": "2025-04", "filters": {"function": "field"}}
    row = await office.one("activities_per_rep", **april)
    assert (row["value"], row["numerator"], row["denominator"]) == (30, 45, decimal(Fraction(3, 2)))
    assert await office.grouped("activities_per_rep", "rep", **april) == {"Ann": 30, "Bob": 30}
    everybody = await office.one("activities_per_rep", period="2025-04")
    assert (everybody["denominator"], everybody["excluded"]) == (decimal(Fraction(7, 2)), {"no_owner": 1})
    none = await office.one("activities_per_rep", period="2024-04")
    assert (none["value"], none["null_reason"]) == (None, "zero_denominator")


async def test_activities_per_rep_are_of_the_same_reps_on_both_sides(office: World) -> None:
    """Whoever sees its own work only must not see it divided by everybody."""
    ids = {
        row["label"]: UUID(row["id"])
        for row in (c.row for c in await office.contributions("headcount", as_of="2025-04-30"))
    }
    await office.put("activities", *(did(str(n), "ann", "2025-04-20T10:00:00Z") for n in range(6)),
                     did("bob's", "bob", "2025-04-20T10:00:00Z"))  # fmt: skip
    await office.put("accounts", {"external_id": "acme", "name": "Acme", "owner_id": "t:ann"})
    selling = {"duration_seconds": 3600, "purpose": "selling", "account_id": "t:acme"}
    await office.put("activities", did("seen by Ann", "bob", "2025-04-21T10:00:00Z", **selling))
    april = {"period": "2025-04"}
    askers = {"Ann": (6, 1), "Bob": (1, Fraction(1, 2)), "Mona": (0, 1), "Head": (8, Fraction(7, 2))}
    for name, (done, reps) in askers.items():
        asker = office.company.principal("manager", rep_id=ids[name])
        row = await office.one("activities_per_rep", principal=asker, **april)
        assert (row["numerator"], row["denominator"]) == (done, decimal(Fraction(reps))), name
        hours = await office.one("selling_time_share", principal=asker, **april)
        assert hours["n"] == (name == "Head"), "an hour is Bob's, whoever sees it"
    nobody = await office.one("activities_per_rep", principal=office.company.principal("rep"), **april)
    assert (nobody["value"], nobody["n"]) == (None, 0)


async def test_activities_per_won_deal_by_hand(office: World) -> None:
    await office.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await office.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    await office.put("opportunities", *(
        {"external_id": key, "name": key, "stage_id": "t:won", "owner_id": f"t:{owner}", "opened_at": "2025-01-02",
         "closed_at": closed}
        for key, owner, closed in WON
    ))  # fmt: skip
    await office.put(
        "activities",
        *(did(f"1{n}", "ann", f"2025-03-{n + 10}", opportunity_id="t:one") for n in range(5)),
        *(did(f"late{n}", "ann", f"2025-03-2{n}", opportunity_id="t:one") for n in range(2)),
        did("2", "ann", "2025-02-01", opportunity_id="t:two"),
        did("planned", "ann", "2025-02-02", opportunity_id="t:two", done=False),
        {"external_id": "undated", "kind": "note", "opportunity_id": "t:two"},
    )  # fmt: skip
    row = await office.one("activities_per_won_deal", **MARCH)
    assert (row["value"], row["numerator"], row["denominator"]) == (3, 6, 2)
    assert await office.grouped("activities_per_won_deal", "rep", **MARCH) == {"Ann": 5, "Bob": 1}
    assert await office.value("activities_per_won_deal", period="2025-04") == 0
    assert await office.value("activities_per_won_deal", period="2024") is None
    [bob] = await office.rows("activities_per_won_deal", **MARCH, filters={"rep": "Bob"}, as_of="2025-03-31")
    assert bob["value"] == 1, "as of then by the history"


async def test_selling_time_by_hand(office: World) -> None:
    hour = 3600
    await office.put(
        "activities",
        did("1", "ann", "2025-03-03T09:00:00Z", duration_seconds=2 * hour, purpose="selling"),
        did("2", "ann", "2025-03-03T10:00:00Z", duration_seconds=2 * hour, purpose="prospecting", kind="call"),
        did("3", "ann", "2025-03-03T13:00:00Z", duration_seconds=hour, purpose="admin"),
    )  # fmt: skip
    row = await office.one("selling_time_share", **MARCH)
    assert (row["value"], row["numerator"], row["denominator"]) == (decimal(Fraction(3, 4)), 3, 4)
    shares = {
        c.row["id"]: c.parts["logged"]
        for c in await office.contributions("selling_time_share", **MARCH)
        if "logged" in c.parts
    }
    assert sorted(shares.values()) == [1, 1, 2], "what overlaps counts for what it adds"
    await office.put(
        "activities",
        did("4", "bob", "2025-03-03T09:30:00Z", duration_seconds=4 * hour, purpose="preparation"),
        did("5", "bob", "2025-03-03T09:30:00Z", purpose="selling"),
        did("6", "bob", "2025-03-03T09:30:00Z", duration_seconds=hour, purpose="selling", done=False),
    )  # fmt: skip
    row = await office.one("selling_time_share", **MARCH)
    assert (row["numerator"], row["denominator"]) == (3, 8), (
        "of two people at the same time nothing is merged"
    )
    assert row["beside"] == {
        "with_preparation": decimal(Fraction(7, 8)), "of_logged": decimal(Fraction(3, 8)), "working_hours": 0,
        "logged_hours": 8,
    }  # fmt: skip
    assert row["excluded"] == {"no_duration": 1, "planned": 1}
    none = await office.one("selling_time_share", period="2024")
    assert (none["value"], none["null_reason"]) == (None, "zero_denominator")


async def test_time_is_of_working_hours_where_they_are_known(office: World) -> None:
    """Ann's week has 40 of them, Bob is not there yet; Mona goes by a calendar of her own, less a holiday."""
    hour = 3600
    week: dict[str, Any] = {"period": "2025-03-03/2025-03-10"}
    await office.put(
        "activities",
        did("1", "ann", "2025-03-03T09:00:00Z", duration_seconds=2 * hour, purpose="selling"),
        did("2", "ann", "2025-03-03T10:00:00Z", duration_seconds=2 * hour, purpose="prospecting", kind="call"),
        did("3", "ann", "2025-03-03T13:00:00Z", duration_seconds=hour, purpose="admin"),
        did("4", "mona", "2025-03-04T13:00:00Z", duration_seconds=hour, purpose="coaching"),
        did("5", "mona", "2025-03-04T13:00:00Z", duration_seconds=hour, purpose="coaching"),
        did("6", "mona", "2025-03-05T13:00:00Z", duration_seconds=3 * hour, purpose="admin"),
    )  # fmt: skip
    assert await office.value("coaching_time_share", **week) == decimal(Fraction(1, 4))
    await office.put("working_calendars", {"external_id": "mona", "name": "Mona's", "friday_hours": 0, "holidays": [
        {"day": "2025-03-06", "name": "A holiday", "share": 0.5},
    ]})  # fmt: skip
    await office.put(
        "reps", {"external_id": "mona", "name": "Mona", "working_calendar_id": "t:mona",
                 "history": [{"at": "2025-01-01", "working_calendar_id": "t:mona"}]},
    )  # fmt: skip
    mixed = await office.one("selling_time_share", **week)
    assert mixed["beside"]["working_hours"] == 28, "Mona's alone"
    assert (mixed["beside"]["logged_hours"], mixed["denominator"]) == (4, 32), "Ann has none yet"
    await office.put("working_calendars", {"external_id": "usual", "name": "Usual", "is_default": True})
    ann = await office.one("selling_time_share", **week, filters={"rep": "Ann"})
    assert (ann["numerator"], ann["denominator"], ann["value"]) == (3, 40, decimal(Fraction(3, 40)))
    assert (ann["beside"]["of_logged"], ann["beside"]["logged_hours"]) == (decimal(Fraction(3, 4)), 0)
    assert await office.grouped("selling_time_share", "rep", **week) == {
        "Ann": decimal(Fraction(3, 40)), "Mona": 0, "Head": 0,
    }  # fmt: skip
    coaching = await office.one("coaching_time_share", **week)
    assert (coaching["numerator"], coaching["denominator"]) == (1, 28 + 40), "Mona's and the Head's hours"
    tuesday = await office.one(
        "selling_time_share", **week, filters={"rep": "Ann"}, as_of="2025-03-04T12:00:00Z"
    )
    assert tuesday["denominator"] == 16, "of the days that have begun"
    rows = await office.contributions("selling_time_share", page=2, **week, by=["rep"])
    hours = {c.row["label"]: c.parts["working"] for c in rows if "working" in c.parts}
    assert hours == {"Ann": 40, "Mona": 28, "Head": 40}
    assert {c.row["noun"] for c in rows} == {"activities", "reps"}


async def test_managers_work_as_managers_while_somebody_reports_to_them(office: World) -> None:
    """Ann reported to Mona until June."""
    await office.put("working_calendars", {"external_id": "usual", "name": "Usual", "is_default": True})
    asked: dict[str, Any] = {"filters": {"rep": "Mona"}}
    week = await office.one("coaching_time_share", period="2025-05-26/2025-06-09", **asked)
    assert week["denominator"] == 40, "1 June was a Sunday"
    assert await office.value("coaching_time_share", period="2025-05", **asked) == 0
    later = await office.one("coaching_time_share", period="2025-07", **asked)
    assert (later["value"], later["null_reason"]) == (None, "zero_denominator")


async def test_what_lies_pages_before_covers_still(office: World) -> None:
    await office.put("activities", *(
        did(key, "ann", f"2025-03-03T{at}:00:00Z", duration_seconds=hours * 3600)
        for key, at, hours in (("long", "09", 4), ("in it", "10", 1), ("also", "12", 2))
    ))  # fmt: skip
    rows = await office.contributions("selling_time_share", page=1, **MARCH)
    assert [c.parts["logged"] for c in rows] == [4, 0, 1]


async def test_what_is_not_seen_covers_nothing(office: World) -> None:
    """Ann's meeting on somebody else's account hides none of her hours from who sees her own work alone."""
    await office.put("accounts", {"external_id": "acme", "name": "Acme", "owner_id": "t:bob"})
    await office.put(
        "activities",
        did("1", "ann", "2025-03-03T09:00:00Z", duration_seconds=3600, purpose="admin", account_id="t:acme"),
        did("2", "ann", "2025-03-03T09:00:00Z", duration_seconds=3600, purpose="selling"),
    )  # fmt: skip
    [ann] = [
        c.row["id"]
        for c in await office.contributions("headcount", as_of="2025-03-04", filters={"rep": ["Ann"]})
    ]
    asker = office.company.principal("rep", rep_id=UUID(ann))
    row = await office.one("selling_time_share", principal=asker, **MARCH)
    assert (row["value"], row["n"]) == (1, 1)
    whole = await office.one("selling_time_share", **MARCH)
    assert (whole["value"], whole["denominator"], whole["n"]) == (1, 1, 2)


async def test_coaching_time_by_hand(office: World) -> None:
    hour = 3600
    for month in ("03", "07"):
        await office.put(
            "activities",
            *(did(f"{month}{n}", "mona", f"2025-{month}-03T09:00:00Z", duration_seconds=hour, purpose="coaching")
              for n in range(2)),
            did(f"{month}admin", "mona", f"2025-{month}-03T13:00:00Z", duration_seconds=3 * hour, purpose="admin"),
            did(f"{month}bob", "bob", f"2025-{month}-03T09:00:00Z", duration_seconds=hour, purpose="coaching"),
        )  # fmt: skip
    row = await office.one("coaching_time_share", **MARCH)
    assert (row["value"], row["numerator"], row["denominator"]) == (decimal(Fraction(1, 4)), 1, 4)
    assert await office.grouped("coaching_time_share", "rep", **MARCH) == {"Mona": decimal(Fraction(1, 4))}
    july = await office.one("coaching_time_share", period="2025-07")
    assert (july["value"], july["null_reason"]) == (None, "zero_denominator"), (
        "nobody reports to her any more"
    )
