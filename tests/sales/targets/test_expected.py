"""Quotas of random seasons, ramps, changes, moves and relief, against loops over days: each rep's, and as they add up.

`ATTAIN_TEST_QUOTAS` says how many, in companies of at most a thousand.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cached_property
from typing import Any

import pytest_asyncio

from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from tests.language.metrics.world import World, new_world
from tests.sales.targets.expected import (
    BEFORE,
    CHANGED,
    FIRST,
    LANDS,
    LAST,
    LEVELS,
    TEAMS,
    Company,
    Month,
    Quota,
    Rep,
    Row,
    Stretch,
    Terms,
    added,
    due,
    invent,
)  # fmt: skip

QUOTAS = int(os.environ.get("ATTAIN_TEST_QUOTAS", "150"))
MOST = 1_000
PERIOD = f"{FIRST}/{LAST}"
NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)
Sums = Mapping[tuple[str, Month], Fraction]


@dataclass
class Told:
    world: World
    company: Company

    @cached_property
    def stretches(self) -> dict[Stretch, list[date]]:
        return self.company.stretches()


@pytest_asyncio.fixture(scope="module", params=range(0, QUOTAS, MOST))
async def told(owner_url: str, database: Database, request: Any) -> AsyncIterator[Told]:
    company = invent(request.param, min(MOST, QUOTAS - request.param))
    world = await new_world(owner_url, database, seed=None)
    await world.put("fiscal_calendars", {
        "external_id": "weeks", "name": "Weeks", "is_default": True, "pattern": "weeks_4_4_5", "start_month": 2,
        "week_starts_on": "sunday",
    })  # fmt: skip
    await world.put("working_calendars", {"external_id": "usual", "name": "Usual", "is_default": True})
    for noun, rows in _rows(company):
        for start in range(0, len(rows), 1_000):
            await world.put(noun, *rows[start : start + 1_000])
    yield Told(world, company)


def _rows(company: Company) -> list[tuple[str, list[Row]]]:
    leads = [rep for key, rep in company.reps.items() if key.startswith("lead")]
    others = [rep for rep in company.reps.values() if rep not in leads]
    return [
        ("teams", [{"external_id": f"team{n}", "name": f"team{n}"} for n in range(TEAMS)]),
        ("territories", [{"external_id": f"land{n}", "name": f"land{n}"} for n in range(LANDS)]),
        ("reps", [{"external_id": "boss", "name": "boss"}]),
        ("reps", [_rep(rep) for rep in leads]),
        ("reps", [_rep(rep) for rep in others]),
        ("ramp_schedules", [
            {"external_id": key, "name": key, "months": now,
             "history": [{"at": "2000-01-01", "months": before}, {"at": str(CHANGED), "months": now}]}
            for key, (now, before) in company.schedules.items()
        ]),
        ("quotas", [_quota(quota) for quota in company.quotas]),
        ("quota_reliefs", [
            {"external_id": x.key, "rep_id": f"t:{x.rep}", "reason": "leave", "starts_on": str(x.first),
             "ends_on": str(x.last), "share": None if x.share is None else float(x.share), "amount": x.amount,
             "state": "approved"}
            for x in company.reliefs
        ]),
        ("pipelines", [{"external_id": "p", "name": "p", "is_default": True}]),
        ("stages", [{"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"}]),
        ("opportunities", [
            {"external_id": x.key, "name": x.key, "owner_id": f"t:{x.rep}", "amount": x.amount, "stage_id": "t:won",
             "opened_at": "2024-01-02", "closed_at": f"{x.day}T12:00:00Z"}
            for x in company.deals
        ]),
    ]  # fmt: skip


def _rep(rep: Rep) -> Row:
    return {
        "external_id": rep.key, "name": rep.key, "hired_on": rep.hired and str(rep.hired),
        "history": [
            {"at": str(day), "manager_id": f"t:{lead}", "team_id": f"t:{team}", "territory_id": f"t:{land}"}
            for day, lead, team, land in rep.places
        ],
    }  # fmt: skip


def _quota(quota: Quota) -> Row:
    def terms(of: Terms) -> Row:
        return {
            "amount": of.amount,
            "seasonality": of.seasonality and [*of.seasonality],
            "ramp_schedule_id": of.schedule and f"t:{of.schedule}",
        }

    past = [{"at": "2000-01-01", **terms(quota.before)}, {"at": str(CHANGED), **terms(quota.now)}]
    return {
        "external_id": quota.key, "rep_id": f"t:{quota.rep}", "period": quota.period, **terms(quota.now),
        "versions": [{"effective_from": str(day), "amount": amount} for day, amount in quota.versions],
        **({"history": past} if quota.before != quota.now else {}),
    }  # fmt: skip


def _months() -> Iterator[Month]:
    return ((year, month) for year in (FIRST.year, LAST.year - 1) for month in range(1, 13))


async def rows(told: Told, metric: str, *by: str, **rest: Any) -> dict[tuple[str, Month], Row]:
    found = await told.world.rows(metric, period=PERIOD, grain="month", by=by, now=NOW, **rest)
    return {
        (row["dimensions"][by[0]]["name"], _month(row["period_start"])): row
        for row in found
        if row["dimensions"][by[0]]["name"]
    }


def _month(day: str) -> Month:
    return date.fromisoformat(day).year, date.fromisoformat(day).month


def differing(found: Mapping[tuple[str, Month], Any], wanted: Sums) -> list[Any]:
    """Cells in which they differ: 28 digits, for a quotient is told with so many."""
    inside = {key: decimal(value) for key, value in wanted.items() if FIRST.year <= key[1][0] < LAST.year}
    return [
        (key, found.get(key), inside.get(key))
        for key in {**found, **inside}
        if (found.get(key) or 0) != (inside.get(key) or 0)
    ]


async def test_each_rep_carries_what_its_days_add_up_to(told: Told) -> None:
    stretches = told.stretches
    found = await rows(told, "quota", "rep")
    assert {key for key, row in found.items() if row["value"] is not None} == {
        (s.quota.rep, s.month) for s in stretches if FIRST.year <= s.month[0] < LAST.year
    }
    assert differing({k: r["value"] for k, r in found.items()}, added(stretches, "rep")) == []
    full = added(stretches, "rep", ramp=False)
    assert differing({k: r["beside"]["before_ramp"] for k, r in found.items()}, full) == []
    let_off = told.company.let_off(stretches)
    assert differing({k: r["beside"]["relief"] for k, r in found.items()}, let_off) == []


async def test_it_is_what_it_was_as_of_an_earlier_day(told: Told) -> None:
    stretches = told.company.stretches(before=True)
    found = await rows(told, "quota", "rep", as_of=f"{BEFORE}T12:00:00Z")
    assert differing({k: r["value"] for k, r in found.items()}, added(stretches, "rep")) == []
    found = await rows(told, "quota_attainment_to_date", "rep", as_of=f"{BEFORE}T12:00:00Z")
    assert differing({k: r["denominator"] for k, r in found.items()}, due(stretches, BEFORE)) == []


async def test_it_follows_its_rep_and_adds_up_at_every_level(told: Told) -> None:
    stretches = told.stretches
    whole: dict[Month, Fraction] = defaultdict(Fraction)
    for (_, month), value in added(stretches, "rep").items():
        whole[month] += value
    for by in LEVELS:
        wanted = added(stretches, by)
        found = await rows(told, "quota", by)
        assert differing({k: r["value"] for k, r in found.items()}, wanted) == []
        attained = await rows(told, "quota_attainment", by)
        assert differing({k: r["denominator"] for k, r in attained.items()}, wanted) == []
        booked: dict[tuple[str, Month], Fraction] = defaultdict(Fraction)
        for deal in told.company.deals:
            place = told.company.reps[deal.rep].place(deal.day)[LEVELS.index(by)]
            booked[place, (deal.day.year, deal.day.month)] += deal.amount
        assert differing({k: r["numerator"] for k, r in attained.items()}, booked) == []
    total = await told.world.rows("quota", period=PERIOD, grain="month", now=NOW)
    top = {("all", _month(row["period_start"])): row["value"] for row in total}
    assert differing(top, {("all", month): value for month, value in whole.items()}) == []


async def test_a_year_is_its_months(told: Told) -> None:
    wanted: dict[str, Fraction] = defaultdict(Fraction)
    for (rep, month), value in added(told.stretches, "rep").items():
        if FIRST.year <= month[0] < LAST.year:
            wanted[rep] += value
    found = await told.world.grouped("quota", "rep", period=PERIOD, now=NOW)
    for rep, value in wanted.items():
        assert found[rep] == decimal(value), rep
