"""Quotas of other numbers than bookings: each against the number that it is for, and its days by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fractions import Fraction

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from app.sales.targets.attainable import OTHERS
from tests.language.metrics.world import World, new_world

METRICS = [f"{name}_attainment" for name in OTHERS]


@pytest_asyncio.fixture(scope="module")
async def world(owner_url: str, database: Database) -> AsyncIterator[World]:
    """Ann and Bob under Boss with a quota of the quarter for every number, Ann's for March twice January's. Boss
    has one too."""
    world = await new_world(owner_url, database)
    await world.put("teams", {"external_id": "red", "name": "Red"})
    await world.put("reps", {"external_id": "boss", "name": "Boss"})
    await world.put(
        "reps",
        *(
            {"external_id": name.lower(), "name": name, "manager_id": "t:boss", "team_id": "t:red"}
            for name in ("Ann", "Bob")
        ),
    )
    await world.put("quotas", *(
        {"external_id": f"{name}-{rep}", "rep_id": f"t:{rep}", "period": "2026-Q1", "amount": amount, "metric": name,
         "seasonality": seasonality, "currency": "EUR" if name not in ("acv", "pipeline_created") else "USD"}
        for name in ("bookings", *OTHERS)
        for rep, amount, seasonality in (("ann", 60, [1, 1, 2]), ("bob", 90, None), ("boss", 500, None))
    ))  # fmt: skip
    await world.put("quota_reliefs", {
        "external_id": "1", "rep_id": "t:ann", "metric": "calls", "starts_on": "2026-03-01", "ends_on": "2026-04-01",
        "reason": "leave", "share": 0.5, "state": "approved",
    })  # fmt: skip
    await world.put("accounts", {"external_id": "acme", "name": "Acme"})
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    await world.put("opportunities", *(
        {"external_id": str(n), "name": str(n), "owner_id": f"t:{rep}", "amount": amount, "stage_id": "t:won",
         "account_id": "t:acme", "term_months": 24, "opened_at": f"2026-0{month}-02", "closed_at": f"2026-0{month}-09"}
        for n, (rep, amount, month) in enumerate((("ann", 24, 1), ("ann", 48, 3), ("bob", 12, 3)))
    ))  # fmt: skip
    await world.put("leads", *(
        {"external_id": rep, "name": rep, "owner_id": f"t:{rep}", "received_at": "2026-03-02",
         "qualified_at": "2026-03-03", "status": "qualified"}
        for rep in ("ann", "bob")
    ))  # fmt: skip
    await world.put("activities", *(
        {"external_id": f"{n}", "subject": "x", "kind": kind, "owner_id": f"t:{rep}", "occurred_at": "2026-03-05",
         "done": True}
        for n, (rep, kind) in enumerate((("ann", "call"), ("ann", "meeting"), ("bob", "call")))
    ))  # fmt: skip
    yield world


@pytest.mark.parametrize("name", OTHERS)
async def test_what_was_reached_of_what_was_expected(world: World, name: str) -> None:
    expected = {
        "Ann": {1: Fraction(15), 2: Fraction(15), 3: Fraction(30)},
        "Bob": dict.fromkeys((1, 2, 3), 0),
    }
    expected["Bob"] = {n: Fraction(90 * days, 90) for n, days in ((1, 31), (2, 28), (3, 31))}
    for rep, months in expected.items():
        asked = {"period": "2026-Q1", "grain": "month", "filters": {"rep": rep}}
        reached = await world.bucketed(name, **asked)
        for row in await world.rows(f"{name}_attainment", **asked):
            month = int(row["period_start"][5:7])
            assert row["denominator"] == months[month]
            assert row["numerator"] == (reached[row["period_start"]] or 0)
            assert row["value"] == decimal(Fraction(row["numerator"]) / months[month])
    whole = await world.one(
        f"{name}_attainment", period="2026-Q1", by=["manager"], filters={"manager": "Boss"}
    )
    assert whole["denominator"] == 150
    assert whole["numerator"] == await world.value(name, period="2026-Q1")
    assert whole["numerator"] > 0


async def test_the_levels_own_and_relief_are_of_the_same_number(world: World) -> None:
    [row] = [
        x
        for x in await world.rows("calls_attainment", period="2026-03", by=["rep"])
        if x["dimensions"]["rep"]["name"] == "Ann"
    ]
    assert row["beside"]["after_relief"] == decimal(Fraction(1, 15)), "let off half of March's 30"
    boss = await world.one("calls_attainment", period="2026-Q1", by=["rep"], filters={"rep": "Boss"})
    assert boss["beside"]["assigned"] == 500
    assert (await world.one("acv_attainment", period="2026-Q1", filters={"rep": "Ann"}))["beside"] == {
        "assigned": None, "vs_assigned": None, "after_relief": decimal(Fraction(36, 60)),
    }  # fmt: skip


async def test_rows_explain_them(world: World) -> None:
    for name in OTHERS:
        rows = await world.contributions(f"{name}_attainment", period="2026-Q1")
        assert sum(x.parts.get("quota", 0) for x in rows) == 150
        assert sum(x.parts.get("reached", 0) for x in rows) == await world.value(name, period="2026-Q1")
