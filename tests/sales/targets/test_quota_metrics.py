"""Quotas day by day, rolled up and assigned, and what is measured against them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import World, new_world

D = Decimal


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    """Boss above Lead; under Lead Ann, and Bob, who came from the Boss on 1 March; Zoe has no quota."""
    world = await new_world(owner_url, database)
    await world.put("teams", {"external_id": "red", "name": "Red"}, {"external_id": "blue", "name": "Blue"})
    await world.put("reps", {"external_id": "boss", "name": "Boss"})
    await world.put(
        "reps", {"external_id": "lead", "name": "Lead", "manager_id": "t:boss", "team_id": "t:red"}
    )
    await world.put(
        "reps",
        {"external_id": "ann", "name": "Ann", "manager_id": "t:lead", "team_id": "t:red"},
        {"external_id": "bob", "name": "Bob", "manager_id": "t:lead", "team_id": "t:red",
         "history": [{"at": "2020-01-01", "manager_id": "t:boss", "team_id": "t:blue"},
                     {"at": "2026-03-01", "manager_id": "t:lead", "team_id": "t:red"}]},
        {"external_id": "zoe", "name": "Zoe", "manager_id": "t:boss", "team_id": "t:blue"},
    )  # fmt: skip
    await world.put(
        "quotas",
        {"external_id": "ann", "rep_id": "t:ann", "period": "2026-Q1", "amount": 90_000,
         "versions": [{"effective_from": "2026-02-15", "amount": 180_000}]},
        {"external_id": "bob", "rep_id": "t:bob", "period": "2026-Q1", "amount": 9_000},
        {"external_id": "lead", "rep_id": "t:lead", "period": "2026-Q1", "amount": 100_000},
        {"external_id": "red", "team_id": "t:red", "period": "2026-Q1", "amount": 120_000},
        {"external_id": "yen", "team_id": "t:red", "period": "2026-Q2", "amount": 500_000, "currency": "JPY"},
        {"external_id": "ann-year", "rep_id": "t:ann", "period": "2026", "amount": 365_000},
        {"external_id": "deals", "rep_id": "t:ann", "period": "2026-Q1", "amount": 7, "metric": "won_deals"},
    )  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put(
        "stages",
        {"external_id": "talk", "name": "talk", "pipeline_id": "t:p"},
        {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"},
    )
    won = {"stage_id": "t:won", "opened_at": "2026-01-02"}
    talk = {"stage_id": "t:talk", "opened_at": "2026-01-02", "owner_id": "t:ann"}
    await world.put(
        "opportunities",
        {"external_id": "1", "name": "1", "owner_id": "t:ann", "amount": 108_000, "closed_at": "2026-02-02", **won},
        {"external_id": "2", "name": "2", "owner_id": "t:bob", "amount": 12_000, "closed_at": "2026-02-03", **won},
        {"external_id": "3", "name": "3", "owner_id": "t:zoe", "amount": 500, "closed_at": "2026-02-04", **won},
        {"external_id": "4", "name": "4", "amount": 54_000, "expected_close_on": "2026-03-20", **talk},
        {"external_id": "5", "name": "5", "amount": 1_000, "expected_close_on": "2026-01-20", **talk},
    )  # fmt: skip
    yield world


Q1: dict[str, Any] = {"period": "2026-Q1"}


async def test_each_amount_weighs_by_its_days(firm: World) -> None:
    row = await firm.one("quota", **Q1, filters={"rep": "Ann"})
    assert row["value"] == 135_000, "(45 x 90,000 + 45 x 180,000) / 90"
    months = await firm.bucketed("quota", **Q1, grain="month", filters={"rep": "Ann"})
    assert months == {"2026-01-01": 31_000, "2026-02-01": 14_000 + 28_000, "2026-03-01": 62_000}


async def test_a_longer_period_does_not_add_to_a_shorter_one(firm: World) -> None:
    assert await firm.value("quota", period="2026", filters={"rep": "Ann"}) == 135_000 + 275_000
    assert await firm.value("quota", period="2026-Q2", filters={"rep": "Ann"}) == 91_000


async def test_rolled_up_and_assigned_are_never_added(firm: World) -> None:
    total = await firm.one("quota", **Q1)
    assert (total["value"], total["excluded"]) == (144_000, {"assigned": 2})
    assert total["beside"]["assigned"] is None, "levels are not added to each other"
    teams = {row["dimensions"]["team"]["name"]: row for row in await firm.rows("quota", **Q1, by=["team"])}
    assert teams["Red"]["value"] == 135_000 + 3_100, "Bob's quota follows him: 59 days with Blue, 31 with Red"
    assert teams["Blue"]["value"] == 5_900
    assert teams["Red"]["beside"]["assigned"] == 120_000
    leads = {
        row["dimensions"]["manager"]["name"]: row for row in await firm.rows("quota", **Q1, by=["manager"])
    }
    assert leads["Lead"]["value"] == 138_100
    assert leads["Lead"]["beside"]["assigned"] == 100_000
    assert leads["Boss"]["value"] == 5_900
    assert await firm.value("quota", **Q1, filters={"manager": "Lead"}) == 138_100
    assert await firm.value("quota", **Q1, filters={"manager": ["Boss", "Lead"]}) == 144_000
    assert await firm.grouped("quota", "team", **Q1, credit="current") == {"Red": 144_000}


async def test_a_level_of_its_own_without_a_rate_is_left_out_once(firm: World) -> None:
    """It is never part of the sum: what its currency is worth does not matter to it."""
    red = await firm.one("quota", period="2026-Q2", by=["team"])
    assert (red["value"], red["n"], red["excluded"]) == (91_000, 1, {"assigned": 1})
    assert red["beside"]["assigned"] is None, "nobody knows what it is worth"
    red = await firm.one("quota_attainment", period="2026-Q2", by=["team"])
    assert red["excluded"] == {"assigned": 1}


async def test_attainment(firm: World) -> None:
    reps = {
        row["dimensions"]["rep"]["name"]: row for row in await firm.rows("quota_attainment", **Q1, by=["rep"])
    }
    assert reps["Ann"]["value"] == D("0.8")
    assert (reps["Ann"]["numerator"], reps["Ann"]["denominator"]) == (108_000, 135_000)
    assert reps["Bob"]["value"] == D(12_000) / 9_000
    assert (reps["Zoe"]["value"], reps["Zoe"]["null_reason"]) == (None, "no_quota")
    total = await firm.value("quota_attainment", **Q1)
    assert total == D(120_500) / 144_000, "divided anew, not averaged"
    managers = await firm.grouped("quota_attainment", "manager", **Q1)
    assert managers["Boss"] == D(12_500) / 5_900, "both deals were closed under the Boss"
    months = await firm.bucketed("quota_attainment", **Q1, grain="month", filters={"rep": "Ann"})
    assert months["2026-02-01"] == D(108_000) / 42_000
    assert months["2026-01-01"] == 0


async def test_participation_is_of_reps(firm: World) -> None:
    row = await firm.one("quota_participation", **Q1)
    assert (row["value"], row["numerator"], row["denominator"], row["n"]) == (D("0.5"), 1, 2, 2), (
        "Bob, not Ann"
    )
    assert (row["beside"], row["small_sample"]) == ({"at_least_70": 1}, True)
    assert row["excluded"] == {"assigned": 1, "no_quota": 1}, "the Lead's is a level's own, Zoe has none"
    teams = {
        r["dimensions"]["team"]["name"]: r for r in await firm.rows("quota_participation", **Q1, by=["team"])
    }
    assert (teams["Red"]["value"], teams["Blue"]["n"]) == (0, 1), (
        "Bob sold with Blue, and carries a third with Red"
    )
    nobody = await firm.one("quota_participation", period="2024")
    assert (nobody["value"], nobody["null_reason"]) == (None, "no_quota")


async def test_bands(firm: World) -> None:
    row = await firm.one("attainment_bands", **Q1)
    assert row["value"] == 2
    assert row["beside"] == {
        "below_50": 0, "from_50_to_70": 0, "from_70_to_100": 1, "from_100_to_120": 0, "above_120": 1,
    }  # fmt: skip
    by_rep = {
        r["dimensions"]["rep"]["name"]: r["value"]
        for r in await firm.rows("attainment_bands", **Q1, by=["rep"])
    }
    assert (by_rep["Ann"], by_rep["Bob"], by_rep["Zoe"]) == (1, 1, 0)


async def test_attainment_to_date(firm: World) -> None:
    ann: dict[str, Any] = {**Q1, "filters": {"rep": "Ann"}}
    row = await firm.one("quota_attainment_to_date", **ann, as_of="2026-02-09T12:00:00Z")
    assert (row["denominator"], row["beside"]) == (40_000, {"full_quota": 135_000}), "40 days of 1,000 each"
    assert row["value"] == D(108_000) / 40_000
    assert await firm.value("quota_attainment_to_date", **ann) == D("0.8"), "over, it is the attainment"
    ahead = await firm.one("quota_attainment_to_date", **ann, as_of="2025-12-24")
    assert (ahead["value"], ahead["null_reason"]) == (None, "not_begun")


async def test_gap(firm: World) -> None:
    assert await firm.value("quota_gap", **Q1) == 144_000 - 120_500
    assert await firm.grouped("quota_gap", "rep", **Q1) == {
        "Ann": 27_000, "Bob": -3_000, "Zoe": None, "Lead": None, None: None,
    }  # fmt: skip


async def test_as_of_an_earlier_day(firm: World) -> None:
    row = await firm.one("quota_attainment", **Q1, as_of="2026-02-03", filters={"manager": "Boss"})
    assert row["numerator"] == 108_000 + 12_000, "what closes at the very moment counts"
    assert row["denominator"] == 144_000


async def test_coverage(firm: World) -> None:
    row = await firm.one("pipeline_coverage", **Q1, as_of="2026-02-10", filters={"rep": "Ann"})
    assert row["value"] == D(54_000) / (135_000 - 108_000)
    assert row["beside"] == {"vs_remaining": 2, "vs_full_quota": D("0.4"), "required": 1}
    assert row["excluded"]["past_due"] == 1
    met = await firm.one("pipeline_coverage", **Q1, filters={"rep": "Bob"})
    assert (met["value"], met["null_reason"]) == (None, "quota_met")


async def test_explain_adds_up(firm: World) -> None:
    rows = await firm.contributions("quota", page=2, **Q1, by=["team"])
    counted = [c for c in rows if "quota" in c.parts]
    assert sum(c.parts["quota"] for c in counted) == 144_000
    assert sorted(c.reason for c in rows if c.reason) == ["assigned"], (
        "the leader's; the team's is its group's own"
    )
    assert {c.row["currency"] for c in counted} == {"USD"}
