"""How many people there are and how many leave: by hand, and over random careers against plain loops over days."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from tests.language.metrics.explained import explained
from tests.language.metrics.model import day_of, midnight
from tests.language.metrics.world import Row, World, new_world
from tests.sales.org.careers import BUCKETS, SELLERS, Career, Staff, invented, load, now_or

METRICS = ("headcount", "rep_turnover")
MOMENTS = (None, "2025-08-17T15:00:00+00:00", "2025-10-01T04:00:00+00:00")


@pytest_asyncio.fixture(scope="module", params=[1, 2, 3])
async def firm(
    request: pytest.FixtureRequest, owner_url: str, database: Database
) -> AsyncIterator[tuple[World, Staff]]:
    world = await new_world(owner_url, database, timezone="America/New_York")
    staff = invented(request.param)
    await load(world, staff)
    yield world, staff


def grouping(staff: Staff, by: str | None) -> Callable[[str, datetime], Any]:
    def group_of(rep: str, moment: datetime) -> Any:
        if by == "quota_carrying":
            first, last = staff.quotas.get(rep, (date.max, date.max))
            return "yes" if first <= day_of(moment) < last else "no"
        return staff.place(rep, moment)[by] if by else None

    return group_of


async def told(world: World, metric: str, by: str | None, **asked: Any) -> dict[Any, Row]:
    """The rows, each against what explains it."""
    question: dict[str, Any] = {"period": "2025", "grain": "month", "by": [by] if by else [], **asked}
    rows = await world.rows(metric, **question)
    await explained(world, metric, rows, **question)
    return {(row["period_start"], row["dimensions"][by]["name"] if by else None): row for row in rows}


@pytest.mark.parametrize("as_of", MOMENTS)
@pytest.mark.parametrize("by", [None, "rep", "manager", "team", "function", "quota_carrying"])
async def test_headcount_is_who_works_at_the_end(
    firm: tuple[World, Staff], by: str | None, as_of: str | None
) -> None:
    world, staff = firm
    found = await told(world, "headcount", by, as_of=as_of)
    group_of = grouping(staff, by)
    for first, last in BUCKETS:
        at = min(midnight(last) - timedelta(microseconds=1), now_or(as_of))
        heads: Counter[Any] = Counter()
        excluded: Counter[Any] = Counter()
        for career in staff.living(past=True):
            how = career.works(at)
            if how:
                (heads if how == "at work" else excluded)[group_of(career.name, at)] += 1
        for group in {*heads, *excluded, *(g for _, g in found)}:
            row = found.get((first.isoformat(), group))
            assert row, (first, group, "missing")
            assert (row["value"], row["n"]) == (heads[group], heads[group]), (first, group)
            assert row["excluded"].get("no_hire_date", 0) == excluded[group], (first, group)


async def test_headcount_of_now(firm: tuple[World, Staff]) -> None:
    world, staff = firm
    here = [c for c in staff.living(past=False) if c.works(now_or(None), recorded=True)]
    assert await world.value("headcount") == len(here)


@pytest.mark.parametrize("below", [None, "m1", "boss"])
@pytest.mark.parametrize("as_of", MOMENTS)
@pytest.mark.parametrize("by", [None, "rep", "manager", "team", "function"])
async def test_turnover_is_leavers_by_years_of_work(
    firm: tuple[World, Staff], by: str | None, as_of: str | None, below: str | None
) -> None:
    world, staff = firm
    filters = {"manager": [below]} if below else {}
    found = await told(world, "rep_turnover", by, as_of=as_of, filters=filters)
    inner, moment = grouping(staff, by), now_or(as_of)
    outside = object()

    def group_of(rep: str, at: datetime) -> Any:
        return inner(rep, at) if below is None or below in staff.chain(rep, at) else outside

    for first, last in BUCKETS:
        average, untold = staff.average(group_of, first, last, moment, past=as_of is not None)
        left: Counter[Any] = Counter()
        for career in staff.living(past=as_of is not None):
            day = career.at(moment)[0]["left_on"]
            if day and first <= day < last and day <= day_of(moment):
                left[group_of(career.name, midnight(day))] += 1
        length = (min(last, day_of(moment) + timedelta(days=1)) - first).days
        for group in {*average, *left, *untold, *(g for _, g in found)} - {outside}:
            row = found.get((first.isoformat(), group))
            assert row, (first, group, "missing")
            heads = average.get(group, Fraction(0))
            value = left[group] / (heads * length / 365) if heads else None
            assert row["value"] == decimal(value), (first, group)
            assert row["null_reason"] == (None if heads else "zero_denominator")
            assert row["beside"] == {
                "share": decimal(left[group] / heads if heads else None), "leavers": left[group],
                "average_headcount": decimal(heads),
            }  # fmt: skip
            assert ("no_hire_date" in row["excluded"]) == (untold[group] > 0), (first, group)


async def test_the_average_is_the_mean_of_the_mornings(firm: tuple[World, Staff]) -> None:
    world, _ = firm
    row = await world.one("rep_turnover", period="2025-03", as_of="2025-04-02")
    mornings = [
        await world.value("headcount", as_of=midnight(date(2025, 3, day)).isoformat()) for day in range(1, 32)
    ]
    assert row["beside"]["average_headcount"] == decimal(Fraction(sum(x or 0 for x in mornings)) / 31)


@pytest.mark.parametrize("metric", METRICS)
async def test_todays_organisation(firm: tuple[World, Staff], metric: str) -> None:
    world, staff = firm
    found = await told(world, metric, "team", grain=None, period="2025-Q3", credit="current")
    assert {group for _, group in found} <= {staff.place(c, now_or(None))["team"] for c in staff.careers}
    whole = await world.one(metric, period="2025-Q3")
    beside = "average_headcount"
    if metric == "headcount":
        assert sum(row["value"] for row in found.values()) == whole["value"]
    else:
        parts = sum(Fraction(row["beside"][beside]) for row in found.values())
        assert float(parts) == pytest.approx(float(whole["beside"][beside]))


async def test_everybody_sees_the_headcount(firm: tuple[World, Staff]) -> None:
    world, _ = firm
    anyone = world.company.principal("rep")
    for metric in METRICS:
        asked = {"period": "2025", "grain": "quarter"}
        assert await world.rows(metric, principal=anyone, **asked) == await world.rows(metric, **asked)


# --- by hand ----------------------------------------------------------------------------------------------------------


async def test_headcount_by_hand(owner_url: str, database: Database) -> None:
    world = await new_world(owner_url, database)
    await world.put("reps", *(
        {"external_id": name, "name": name, **rest}
        for name, rest in {
            "ann": {"hired_on": "2026-01-02"}, "bob": {"hired_on": "2026-01-02"},
            "cleo": {"hired_on": "2026-01-02", "left_on": "2026-03-15", "status": "inactive"},
            "dan": {"hired_on": "2026-04-01"},
        }.items()
    ))  # fmt: skip
    assert await world.bucketed("headcount", period="2026-03-01/2026-05-01", grain="month") == {
        "2026-03-01": 2, "2026-04-01": 3,
    }  # fmt: skip
    days = await world.bucketed("headcount", period="2026-03-14/2026-03-17", grain="day")
    assert list(days.values()) == [3, 3, 2], "the last day is one of work"
    assert await world.value("headcount") == 3
    row = await world.one("rep_turnover", period="2026-03", filters={"rep": "cleo"})
    assert row["beside"] == {
        "share": decimal(Fraction(31, 15)), "leavers": 1, "average_headcount": decimal(Fraction(15, 31)),
    }  # fmt: skip
    described = METRIC_CATALOGUE.by_name["headcount"]
    assert described.kind == "stock", "and so never summed over time"


async def test_turnover_by_hand(owner_url: str, database: Database) -> None:
    world = await new_world(owner_url, database)
    await world.put("reps", *(
        {"external_id": name, "name": name, "hired_on": "2024-05-01", "left_on": left}
        for name, left in {"ann": None, "bob": None, "cleo": "2025-03-14"}.items()
    ))  # fmt: skip
    row = await world.one("rep_turnover", period="2025")
    assert (row["value"], row["numerator"], row["n"]) == (decimal(1 / Fraction(11, 5)), 1, 1)
    assert row["beside"]["average_headcount"] == decimal(Fraction(11, 5))
    quarter = await world.one("rep_turnover", period="2025-Q1")
    assert quarter["value"] == decimal(Fraction(365, 90 + 90 + 73)), "of a year"
    assert quarter["beside"]["share"] == decimal(Fraction(90, 90 + 90 + 73)), "of the quarter"
    nobody = await world.one("rep_turnover", period="2023")
    assert (nobody["value"], nobody["null_reason"]) == (None, "zero_denominator")
    ahead = await world.one("rep_turnover", period="2099")
    assert (ahead["value"], ahead["n"]) == (None, 0), "no day of it has begun"
    early = await world.one("rep_turnover", period="2025", as_of="2025-01-10T12:00:00Z")
    assert early["beside"]["average_headcount"] == 3, "over the ten days that have begun"


async def test_what_was_known_of_careers(owner_url: str, database: Database) -> None:
    """What was told first and is believed no more counts for who asks what was known then, and for nobody else."""
    world = await new_world(owner_url, database)
    row = {"external_id": "ann", "name": "Ann", "hired_on": "2025-01-01"}
    left = {"left_on": "2025-03-10", "status": "inactive"}
    await world.put("reps", {**row, "history": [{"at": "2025-02-01", "function": "inside"}]})
    before = datetime.now(UTC).isoformat()
    await world.put("reps", {**row, **left, "history": [{"at": "2025-02-15", "function": "field"},
                                                        {"at": "2025-03-11", **left}]})  # fmt: skip
    march: dict[str, Any] = {"period": "2025-03", "as_of": "2025-03-31T23:00:00Z"}
    then = await world.one("rep_turnover", **march, known_at=before)
    assert then["beside"] == {"share": 0, "leavers": 0, "average_headcount": 1}
    now = await world.one("rep_turnover", **march)
    assert now["beside"]["average_headcount"] == decimal(Fraction(10, 31))
    assert now["beside"]["leavers"] == 1
    assert await world.value("headcount", as_of="2025-03-31T12:00:00Z", known_at=before) == 1
    assert await world.value("headcount", as_of="2025-03-31T12:00:00Z") == 0


def test_the_careers_differ() -> None:
    """That the random ones hold what they are to try."""
    careers: list[Career] = [c for seed in (1, 2, 3) for c in invented(seed).careers.values()]
    assert {c.told for c in careers} == {True, False}
    assert any(c.hired_on is None and not c.told for c in careers)
    assert any(p["left_on"] for c in careers for _, p in c.points)
    assert any(len(c.points) > 2 and c.name in SELLERS for c in careers)
