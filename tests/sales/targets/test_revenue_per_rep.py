"""Bookings by the reps who carry a quota: by hand, and over random careers against plain loops over days."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from app.language.metrics.metric import Tally
from tests.language.metrics.model import day_of, midnight
from tests.language.metrics.world import Row, World, new_world
from tests.sales.org import careers
from tests.sales.org.careers import BUCKETS, SELLERS, Staff, now_or

D = Decimal
METRICS = ("revenue_per_rep",)
MOMENTS = (None, "2025-08-17T15:00:00+00:00", "2025-10-01T04:00:00+00:00")
OUTSIDE = object()


@dataclass(frozen=True)
class Win:
    owner: str
    closed_at: datetime
    amount: int | None


@dataclass
class Firm:
    world: World
    staff: Staff
    quotas: list[tuple[str, date, date]]
    wins: list[Win]

    def carries(self, rep: str, day: date) -> bool:
        return any(who == rep and first <= day < last for who, first, last in self.quotas)


PERIODS = {
    "2025-Q1": (date(2025, 1, 1), date(2025, 4, 1)), "2025-Q3": (date(2025, 7, 1), date(2025, 10, 1)),
    "2025-09": (date(2025, 9, 1), date(2025, 10, 1)), "2025": (date(2025, 1, 1), date(2026, 1, 1)),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", params=[1, 2, 3])
async def firm(request: pytest.FixtureRequest, owner_url: str, database: Database) -> AsyncIterator[Firm]:
    dice = random.Random(request.param)
    world = await new_world(owner_url, database, timezone="America/New_York")
    staff = careers.invented(request.param)
    await careers.load(world, staff)
    living = [name for name, career in staff.careers.items() if not career.deleted]
    told = [
        (dice.choice(living), dice.choice([*PERIODS]), dice.choice(["bookings", "won_deals"]))
        for _ in range(9)
    ]
    told = [*{(rep, period): (rep, period, metric) for rep, period, metric in told}.values()]
    await world.put("quotas", *(
        {"external_id": f"{rep}{period}", "rep_id": f"t:{rep}", "period": period, "amount": 5, "metric": metric}
        for rep, period, metric in told
    ), {"external_id": "team", "team_id": "t:red", "period": "2025", "amount": 9})  # fmt: skip
    quotas = [(rep, *PERIODS[period]) for rep, period, _ in told]
    quotas += [(rep, *days) for rep, days in staff.quotas.items()]
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    wins = [
        Win(dice.choice(SELLERS[:-1]), midnight(date(2025, 1, 1)) + timedelta(hours=dice.randrange(8700)),
            dice.choice([None, dice.randrange(9000)]))
        for _ in range(50)
    ]  # fmt: skip
    await world.put("opportunities", *(
        {"external_id": f"d{n}", "name": f"d{n}", "stage_id": "t:won", "owner_id": f"t:{win.owner}",
         "amount": win.amount, "opened_at": "2024-12-01", "closed_at": win.closed_at.isoformat()}
        for n, win in enumerate(wins)
    ))  # fmt: skip
    yield Firm(world, staff, quotas, wins)


@pytest.mark.parametrize("as_of", MOMENTS)
@pytest.mark.parametrize(
    ("by", "below"), [*((by, None) for by in (None, "rep", "manager", "team", "function")), ("team", "m1")]
)
async def test_numbers_equal_the_loops(
    firm: Firm, by: str | None, below: str | None, as_of: str | None
) -> None:
    asked: dict[str, Any] = {
        "period": "2025", "grain": "month", "as_of": as_of, "by": [by] if by else [],
        "filters": {"manager": [below]} if below else {},
    }  # fmt: skip
    found = {
        (row["period_start"], row["dimensions"][by]["name"] if by else None): row
        for row in await firm.world.rows("revenue_per_rep", **asked)
    }
    moment = now_or(as_of)

    def group_of(rep: str, at: datetime) -> Any:
        if below is not None and below not in firm.staff.chain(rep, at):
            return OUTSIDE
        return firm.staff.place(rep, at)[by] if by else None

    def carrier(rep: str, at: datetime) -> Any:
        return group_of(rep, at) if firm.carries(rep, day_of(at)) else OUTSIDE

    for first, last in BUCKETS:
        heads, untold = firm.staff.average(carrier, first, last, moment, past=as_of is not None)
        booked: Counter[Any] = Counter()
        unpriced: Counter[Any] = Counter()
        for win in firm.wins:
            if midnight(first) <= win.closed_at < midnight(last) and win.closed_at <= moment:
                group = group_of(win.owner, win.closed_at)
                booked[group] += win.amount or 0
                unpriced[group] += win.amount is None
        for group in {*heads, *untold, *booked, *(g for _, g in found)} - {OUTSIDE}:
            row = found.get((first.isoformat(), group))
            assert row, (first, group, "missing")
            reps = heads.get(group, Fraction(0))
            assert row["value"] == decimal(booked[group] / reps if reps else None), (first, group)
            assert (row["numerator"], row["denominator"]) == (booked[group], decimal(reps)), (first, group)
            assert row["null_reason"] == (None if reps else "no_quota")
            assert row["excluded"].get("no_amount", 0) == unpriced[group]
            assert ("no_hire_date" in row["excluded"]) == (untold[group] > 0), (first, group)
    tallies: dict[Any, dict[str, Tally]] = {}
    for c in await firm.world.contributions("revenue_per_rep", **asked):
        key = (c.row["period_start"], c.row["dimensions"][by]["name"] if by else None)
        for name, worth in c.parts.items():
            tally = tallies.setdefault(key, {}).setdefault(name, Tally())
            tally.total, tally.n = tally.total + worth, tally.n + 1
    declared = METRIC_CATALOGUE.by_name["revenue_per_rep"]
    for key, row in found.items():
        sums = {name: tallies.get(key, {}).get(name, Tally()) for name in declared.parts}
        assert decimal(declared.evaluate(sums).value) == row["value"], "the rows behind it are the number"


async def test_the_average_is_that_of_the_headcount_with_quotas(firm: Firm) -> None:
    row = await firm.world.one("revenue_per_rep", period="2025-09", as_of="2025-10-02")
    mornings = [
        await firm.world.value(
            "headcount", as_of=midnight(date(2025, 9, day)).isoformat(), filters={"quota_carrying": "yes"}
        )
        for day in range(1, 31)
    ]
    assert row["denominator"] == decimal(Fraction(sum(x or 0 for x in mornings)) / 30)
    assert row["denominator"], "somebody carries one"


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def office(owner_url: str, database: Database) -> World:
    """Ann carries a quota all of April, Bob since the 16th, on which he came; Cleo has none. They report to Mona, and
    Zoe to nobody."""
    world = await new_world(owner_url, database)
    await world.put("reps", *(
        {"external_id": x, "name": x.title(), "hired_on": "2024-01-01"} for x in ("mona", "zoe")
    ))  # fmt: skip
    await world.put("reps", *(
        {"external_id": x, "name": x.title(), "hired_on": hired, "manager_id": "t:mona"}
        for x, hired in (("ann", "2024-01-01"), ("bob", "2025-04-16"), ("cleo", "2024-01-01"))
    ))  # fmt: skip
    await world.put(
        "quotas",
        {"external_id": "a", "rep_id": "t:ann", "period": "2025-04", "amount": 100},
        {"external_id": "a2", "rep_id": "t:ann", "period": "2025-04", "amount": 3, "metric": "won_deals"},
        {"external_id": "b", "rep_id": "t:bob", "period": "2025-04", "amount": 100},
        {"external_id": "z", "rep_id": "t:zoe", "period": "2025-05", "amount": 100},
    )  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    await world.put(
        "opportunities",
        won("1", "ann", 30_000), won("2", "bob", 5_000), won("3", "cleo", 10_000),
    )  # fmt: skip
    return world


def won(key: str, owner: str, amount: int, **rest: Any) -> Row:
    return {
        "external_id": key, "name": key, "stage_id": "t:won", "owner_id": f"t:{owner}", "amount": amount,
        "opened_at": "2025-01-01", "closed_at": "2025-04-20", **rest,
    }  # fmt: skip


APRIL: dict[str, Any] = {"period": "2025-04"}


async def test_the_worked_example(office: World) -> None:
    row = await office.one("revenue_per_rep", **APRIL)
    assert (row["value"], row["numerator"], row["denominator"]) == (30_000, 45_000, D("1.5"))
    assert (row["n"], row["unit"], row["null_reason"]) == (3, "money", None)
    assert await office.grouped("revenue_per_rep", "rep", **APRIL) == {
        "Ann": 30_000,
        "Bob": 10_000,
        "Cleo": None,
    }
    cleo = await office.one("revenue_per_rep", **APRIL, filters={"rep": "Cleo"})
    assert (cleo["null_reason"], cleo["denominator"]) == ("no_quota", 0)
    quarter = await office.one("revenue_per_rep", period="2025-Q2")
    assert quarter["denominator"] == decimal(Fraction(30 + 15 + 31, 91)), (
        "each on the days of its quota alone"
    )
    early = await office.one("revenue_per_rep", **APRIL, as_of="2025-04-20T12:00:00Z")
    assert early["denominator"] == D("1.25"), "over the twenty days that have begun"


async def test_without_a_price_it_is_null(office: World) -> None:
    row = await office.one("revenue_per_rep", **APRIL, currency="GBP")
    assert (row["value"], row["null_reason"], row["excluded"]) == (None, "missing_fx", {"missing_fx": 3})


async def test_both_sides_are_of_the_same_reps(office: World) -> None:
    """Who sees a part of the reps is told of the deals of these alone, also where it sees others through a split."""
    shared = [{"rep_id": "t:ann", "share": 0.5}, {"rep_id": "t:zoe", "share": 0.5}]
    await office.put(
        "opportunities",
        won("zoe's", "zoe", 900_000, splits=shared),
        won("handed over", "ann", 7_000, closed_at="2025-04-21",
            history=[{"at": "2025-04-21", "owner_id": "t:ann"}, {"at": "2025-04-25", "owner_id": "t:zoe"}])
        | {"owner_id": "t:zoe"},
        won("taken over", "zoe", 600, history=[{"at": "2025-04-20", "owner_id": "t:zoe"},
                                               {"at": "2025-04-25", "owner_id": "t:ann"}])
        | {"owner_id": "t:ann"},
    )  # fmt: skip
    ids = {
        c.row["label"]: UUID(c.row["id"]) for c in await office.contributions("headcount", as_of="2025-04-30")
    }
    askers = {"Ann": (30_000, 1), "Bob": (5_000, D("0.5")), "Mona": (45_000, D("1.5")), "Zoe": (900_000, 0)}
    for name, expected in askers.items():
        asker = office.company.principal("manager", rep_id=ids[name])
        row = await office.one("revenue_per_rep", principal=asker, **APRIL)
        assert (row["numerator"], row["denominator"]) == expected, name
    ann = office.company.principal("manager", rep_id=ids["Ann"])
    assert await office.value("bookings", principal=ann, **APRIL) == 930_600, "all that Ann sees"
    current = await office.one("revenue_per_rep", principal=ann, **APRIL, credit="current")
    assert current["numerator"] == 30_600, "by today's owners"
    everybody = await office.one("revenue_per_rep", **APRIL)
    assert (everybody["numerator"], everybody["denominator"]) == (952_600, D("1.5"))


async def test_quotas_as_they_were_known(office: World) -> None:
    before = datetime.now(UTC).isoformat()
    await office.delete("quotas", "t:b")
    assert (await office.one("revenue_per_rep", **APRIL))["denominator"] == 1
    then = await office.one("revenue_per_rep", **APRIL, as_of=before, known_at=before)
    assert then["denominator"] == D("1.5")
