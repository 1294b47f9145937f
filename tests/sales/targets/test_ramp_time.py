"""How long reps take to get to their quota: the estimate by itself, by hand, and over random pasts against loops."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from app.sales.targets import ramp
from tests.language.metrics.history import SELLERS, invent, load, load_again
from tests.language.metrics.model import Answers, Model, Question, Row, day_of, midnight
from tests.language.metrics.world import World, new_world

METRICS = ("ramp_time",)

# --- the estimate -----------------------------------------------------------------------------------------------------

OBSERVED = st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40)


def by_months(observed: list[tuple[int, bool]]) -> list[Fraction]:
    """The share not there yet after each month, month by month."""
    share, found = Fraction(1), []
    for month in range(max((time for time, _ in observed), default=0) + 1):
        watched = sum(time >= month for time, _ in observed)
        arrived = sum(time == month and there for time, there in observed)
        share = share * (watched - arrived) / watched if watched else share
        found.append(share)
    return found


@given(OBSERVED)
def test_the_estimate_is_that_of_every_month(observed: list[tuple[int, bool]]) -> None:
    months = by_months(observed)
    assert all(months[time] == share for time, share in ramp.still_waiting(observed))
    assert ramp.median(observed) == next(
        (n for n, share in enumerate(months) if share <= Fraction(1, 2)), None
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40))
def test_where_all_got_there_it_is_the_usual_median(times: list[int]) -> None:
    assert ramp.median([(time, True) for time in times]) == sorted(times)[(len(times) - 1) // 2]


@given(OBSERVED, st.randoms())
def test_neither_order_nor_who_was_never_watched_matters(
    observed: list[tuple[int, bool]], dice: random.Random
) -> None:
    first = min((time for time, there in observed if there), default=31)
    more = [*observed, *((time, False) for time in range(min(first, 3)))]
    dice.shuffle(more)
    assert ramp.median(more) == ramp.median(observed)


@given(OBSERVED)
def test_whoever_is_watched_for_longer_does_not_hasten_it(observed: list[tuple[int, bool]]) -> None:
    longer = [(time if there else time + 5, there) for time, there in observed]
    before, after = ramp.median(observed), ramp.median(longer)
    assert after is None or (before is not None and before <= after)


def test_nobody_there_is_no_median() -> None:
    assert ramp.median([]) is None
    assert ramp.median([(9, False)] * 3) is None
    assert ramp.median([(3, True), (6, True), (4, False)]) == 6
    assert [*ramp.still_waiting([(3, True), (6, True), (4, False)])] == [(3, Fraction(2, 3)), (6, 0)]


# --- by hand ----------------------------------------------------------------------------------------------------------


async def company(owner_url: str, database: Database) -> World:
    """Three with 30,000 a quarter, hired in January 2026: one there in March, one in June, one who left in May; and one
    of whom nothing is expected."""
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "boss", "name": "Boss", "hired_on": "2020-01-01"})
    await world.put("reps", *(
        {"external_id": name.lower(), "name": name, "manager_id": "t:boss", "hired_on": "2026-01-12", **more}
        for name, more in {"Ann": {}, "Bob": {}, "Cleo": {"left_on": "2026-05-20"}, "Dan": {}}.items()
    ))  # fmt: skip
    await world.put("quotas", *(
        {"external_id": f"{rep}{period}", "rep_id": f"t:{rep}", "period": period, "amount": amount}
        for rep in ("ann", "bob", "cleo") for period, amount in (("2026-Q1", 90_000), ("2026-Q2", 91_000))
    ))  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    deals = [
        ("ann", "2026-02-27", 27_999.99), ("ann", "2026-03-02", 20_000), ("ann", "2026-03-31", 11_000),
        ("bob", "2026-05-31", 30_999), ("bob", "2026-06-01", 30_000), ("cleo", "2026-06-05", 90_000),
    ]  # fmt: skip
    await world.put("opportunities", *(
        {"external_id": f"d{n}", "name": f"d{n}", "owner_id": f"t:{rep}", "amount": amount, "stage_id": "t:won",
         "opened_at": "2026-01-15", "closed_at": f"{day}T12:00:00Z"}
        for n, (rep, day, amount) in enumerate(deals)
    ))  # fmt: skip
    return world


async def test_ramp_time_by_the_example(owner_url: str, database: Database) -> None:
    world = await company(owner_url, database)
    row = await world.one("ramp_time", period="2026-Q1", as_of="2026-07-15")
    assert (row["value"], row["n"], row["unit"]) == (6, 3, "months")
    assert row["beside"] == {"still_ramping": decimal(Fraction(1, 3)), "ramped": 2, "censored": 1}
    assert row["excluded"] == {"no_quota": 1}, "of Dan nothing is expected"
    early = await world.one("ramp_time", period="2026-Q1", as_of="2026-05-15")
    assert (early["value"], early["null_reason"], early["n"]) == (None, "still_ramping", 3)
    reps = await world.grouped("ramp_time", "rep", period="2026-Q1", as_of="2026-07-15")
    assert reps == {"Ann": 3, "Bob": 6, "Cleo": None, "Dan": None}
    explained = {
        c.row["label"]: (c.parts, c.reason)
        for c in await world.contributions("ramp_time", page=2, period="2026-Q1", as_of="2026-07-15")
    }
    assert explained == {
        "Ann": ({"months": 3, "ramped": 1}, None), "Bob": ({"months": 6, "ramped": 1}, None),
        "Cleo": ({"months": 4}, None), "Dan": ({}, "no_quota"),
    }  # fmt: skip
    nobody = await world.one("ramp_time", period="2025-Q1")
    assert (nobody["value"], nobody["null_reason"], nobody["n"]) == (None, "nobody_watched", 0)


async def test_what_is_expected_without_a_rate_of_exchange_is_expected(
    owner_url: str, database: Database
) -> None:
    world = await company(owner_url, database)
    await world.put(
        "quotas",
        {"external_id": "dan", "rep_id": "t:dan", "period": "2026-Q1", "amount": 1, "currency": "JPY"},
    )
    row = await world.one("ramp_time", period="2026-Q1", as_of="2026-07-15")
    assert (row["value"], row["excluded"]) == (6, {"missing_fx": 1})


async def test_a_month_is_over_once_its_last_day_is(owner_url: str, database: Database) -> None:
    world = await company(owner_url, database)
    for moment, months in (("2026-04-30T23:00:00Z", 3), ("2026-05-01T00:00:00Z", 4), ("2026-09-01", 4)):
        rows = await world.contributions(
            "ramp_time", period="2026-Q1", as_of=moment, filters={"rep": ["Cleo"]}
        )
        assert [c.parts for c in rows] == [{"months": months}], moment


async def test_only_whose_work_one_sees(owner_url: str, database: Database) -> None:
    world = await company(owner_url, database)
    [ann] = await world.put("reps", {"external_id": "ann", "name": "Ann"})
    own = world.company.principal("rep", rep_id=UUID(ann))
    row = await world.one("ramp_time", principal=own, period="2026-Q1")
    assert (row["value"], row["n"]) == (3, 1)


# --- random pasts -----------------------------------------------------------------------------------------------------


def invented(seed: int) -> Model:
    model, dice = invent(seed, datetime.now(UTC), 160), random.Random(seed)
    for deal in model.deals:
        if dice.random() < 0.97:
            deal.row["currency"] = "USD"
    for quota in model.quotas:
        quota.amount *= dice.choice([1, 10, 30])
        if dice.random() < 0.8:
            quota.currency = "USD"
    for rep in (*SELLERS, "m1", "m2", "head"):
        hired = None if dice.random() < 0.1 else date(2024, 10, 1) + timedelta(days=dice.randrange(380))
        model.careers[rep] = {"hired_on": hired and hired.isoformat()}
        if hired and dice.random() < 0.25:
            left = hired + timedelta(days=dice.randrange(300))
            model.careers[rep] |= {"left_on": left.isoformat(), "status": dice.choice(["active", "inactive"])}
        elif dice.random() < 0.1:
            model.careers[rep] |= {"status": "inactive"}
    return model


def next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def watched(a: Answers, rep: str) -> tuple[int, bool] | str:
    """For how many months, and whether the quota was reached in the last; or why that cannot be told."""
    career, model, moment = a.model.careers[rep], a.model, a.q.moment
    hired, left = date.fromisoformat(career["hired_on"]), career.get("left_on")
    today = day_of(moment)
    last = min(today, date.fromisoformat(left)) if left else today
    booked: dict[date, list[tuple[Fraction, Fraction | None]]] = defaultdict(list)
    for deal, state in a.living(moment, current=not a.q.past):
        if state["category"] == "won" and state["closed_at"] and state["closed_at"] <= moment:
            day = day_of(state["closed_at"])
            if (state["credited"] or state["owner"]) == rep and state["amount"] is not None:
                rate = model.rate(deal.row["currency"], "USD", day)
                booked[day.replace(day=1)].append((state["amount"], rate))
    month, number, there, carries, unpriced = hired.replace(day=1), 0, None, False, False
    own = [q for q in a._counting() if q.holder[1] == rep]  # pyright: ignore[reportPrivateUsage]
    while month <= last:
        number += 1
        quota = Fraction(0)
        for each in own:
            for run in a._runs_of(each):  # pyright: ignore[reportPrivateUsage]
                days = sum(month <= day < next_month(month) for day in run)
                if days:
                    carries = True
                    rate = model.rate(each.currency, "USD", each.first)
                    unpriced |= rate is None
                    quota += (
                        each.amount_on(run[0]) * Fraction(days, (each.last - each.first).days) * (rate or 0)
                    )
        unpriced |= any(rate is None for _, rate in booked[month])
        worth = sum((amount * (rate or 0) for amount, rate in booked[month]), Fraction(0))
        if there is None and quota > 0 and worth >= quota:
            there = number
        month = next_month(month)
    if not carries:
        return "no_quota"
    if unpriced:
        return "missing_fx"
    if career.get("status") == "inactive" and left is None:
        return "no_last_day"
    until = min(today, date.fromisoformat(left) + timedelta(days=1)) if left else today
    over = (until.year - hired.year) * 12 + until.month - hired.month
    return (there, True) if there else (max(over, 0), False)


def grouped(a: Answers, span: tuple[date, date]) -> dict[Any, list[tuple[int, bool] | str]]:
    found: dict[Any, list[tuple[int, bool] | str]] = defaultdict(list)
    for rep in a.model.places:
        hired = a.model.careers[rep]["hired_on"]
        day = date.fromisoformat(hired) if hired else None
        if day and not span[0] <= day < span[1]:
            continue
        when = a.q.moment if day is None or a.q.credit == "current" else midnight(day)
        if not all(set(a.model.chain(rep, when)) & set(x) for n, x in a.q.filters.items() if n == "manager"):
            continue
        group = tuple({"rep": rep, **a.model.place(rep, when)}[name] for name in a.q.by)
        found[group].append(watched(a, rep) if day else "no_hire_date")
    return found


QUARTERS = [(date(2024, 10, 1), date(2025, 1, 1)), (date(2025, 1, 1), date(2025, 4, 1)),
            (date(2025, 4, 1), date(2025, 7, 1)), (date(2025, 7, 1), date(2025, 10, 1))]  # fmt: skip
WAYS: tuple[tuple[str, str | None, list[tuple[date, date]]], ...] = (
    ("2024-10-01/2025-10-01", "quarter", QUARTERS),
    ("2024-07-01/2026-01-01", None, [(date(2024, 7, 1), date(2026, 1, 1))]),
)


@pytest.mark.parametrize("seed", range(4))
async def test_ramp_time_equals_the_loops(seed: int, owner_url: str, database: Database) -> None:
    world = await new_world(owner_url, database, timezone="America/New_York")
    model, dice = invented(seed), random.Random(77 + seed)
    await load(world, model)
    between = datetime.now(UTC)
    await load_again(world, model)
    told: Counter[Any] = Counter()
    for _ in range(24):
        period, grain, buckets = dice.choice(WAYS)
        by = tuple(dice.sample(["rep", "manager", "team", "territory"], dice.choice([0, 0, 1, 2])))
        now = datetime.now(UTC)
        as_of = dice.choice([None, midnight(date(2025, 2, 1)) + timedelta(hours=dice.randrange(8000))])
        known_at = between if as_of and dice.random() < 0.5 else None
        filters: dict[str, list[str]] = (
            {"manager": [dice.choice(["m1", "head"])]} if dice.random() < 0.3 else {}
        )
        credit = dice.choice(["at_close", "at_close", "current"])
        a = Answers(model, Question(
            buckets, by, filters, as_of or now, as_of is not None, known_at is None, "USD", "transaction", credit
        ))  # fmt: skip
        asked: Row = {
            "period": period, "grain": grain, "by": list(by), "filters": filters, "credit": credit, "now": now,
            "as_of": as_of and as_of.isoformat(), "known_at": known_at and known_at.isoformat(),
        }  # fmt: skip
        rows = await world.rows("ramp_time", **asked)
        found = {(row["period_start"], *(row["dimensions"][n]["name"] for n in by)): row for row in rows}
        for span in buckets:
            for group, reps in grouped(a, span).items():
                row = found.pop((span[0].isoformat(), *group))
                observed = [x for x in reps if not isinstance(x, str)]
                months = by_months(observed)
                median = next((n for n, share in enumerate(months) if share <= Fraction(1, 2)), None)
                left_out = Counter(x for x in reps if isinstance(x, str))
                told.update(left_out)
                told["censored"] += sum(not there for _, there in observed)
                told["defined"] += median is not None and len(observed) > 1
                assert row["value"] == decimal(None if median is None else Fraction(median)), (
                    asked,
                    group,
                    reps,
                    row,
                )
                assert (row["n"], row["excluded"]) == (len(observed), dict(left_out)), (
                    asked,
                    group,
                    reps,
                    row,
                )
                assert row["beside"]["ramped"] == sum(there for _, there in observed)
        assert all(not row["n"] and not row["excluded"] for row in found.values()), (asked, found)
        await explained(world, a, buckets, asked)
    assert told["censored"], told
    assert told["defined"], told
    assert told["no_quota"], told


async def explained(world: World, a: Answers, buckets: list[tuple[date, date]], asked: Row) -> None:
    """One row a rep: for how many months it was watched, and whether it got there."""
    rows = await world.contributions("ramp_time", **asked)
    found = Counter(
        (c.row["period_start"], c.row["label"], c.reason or (c.parts["months"], bool(c.parts.get("ramped"))))
        for c in rows
    )
    by_rep = Answers(a.model, Question(**{**vars(a.q), "by": ("rep",)}))
    expected = Counter(
        (span[0].isoformat(), rep, x)
        for span in buckets for (rep,), reps in grouped(by_rep, span).items() for x in reps
    )  # fmt: skip
    assert found == expected
