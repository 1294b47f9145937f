"""Whom a deal is credited to: figures worked by hand. Random ones stand in `test_random_histories.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.ground.errors import Invalid
from tests.language.metrics.world import World, new_world

Q1: dict[str, Any] = {"period": "2025-Q1"}


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    """Head leads North and South; Ann and Bob sell below North, Cy below South, Eve below nobody that is there."""
    world = await new_world(owner_url, database)
    since = {"hired_on": "2020-01-01"}
    await world.put("reps", {"external_id": "head", "name": "Head", **since})
    await world.put("reps", *(
        {"external_id": name.lower(), "name": name, "manager_id": "t:head", **since} for name in ("North", "South")
    ))  # fmt: skip
    await world.put("reps", *(
        {"external_id": name.lower(), "name": name, "manager_id": f"t:{above}", **since}
        for name, above in (("Ann", "north"), ("Bob", "north"), ("Cy", "south"))
    ))  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "p", "is_default": True})
    await world.put("stages", *(
        {"external_id": name, "name": name, "category": name, "position": i, "pipeline_id": "t:p"}
        for i, name in enumerate(("open", "won"))
    ))  # fmt: skip
    await world.add_field("opportunities", "region")
    await world.add_field("opportunities", "score", "number")
    await world.add_field("accounts", "tier", "text")
    await world.put("accounts", {"external_id": "acme", "name": "Acme", "custom": {"tier": "gold"}})

    def deal(name: str, owner: str, amount: int, **more: Any) -> dict[str, Any]:
        return {
            "external_id": name, "name": name, "owner_id": f"t:{owner}", "amount": amount, "currency": "USD",
            "opened_at": "2025-01-02", "closed_at": "2025-02-03", "stage_id": "t:won", **more,
        }  # fmt: skip

    await world.put(
        "opportunities",
        deal("shared", "ann", 1000, splits=[
            {"rep_id": "t:ann", "share": 0.5}, {"rep_id": "t:bob", "share": 0.2}, {"rep_id": "t:cy", "share": 0.3},
            {"rep_id": "t:cy", "share": 0.4, "kind": "overlay"},
        ], custom={"region": "alps"}, account_id="t:acme"),
        deal("alone", "bob", 500, team=[{"rep_id": "t:ann"}, {"rep_id": "t:bob"}], custom={"region": "coast"}),
    )  # fmt: skip
    yield world


async def test_splits_divide_amounts_and_count_a_deal_once_in_each_group(firm: World) -> None:
    split: dict[str, Any] = {**Q1, "attribution": "split"}
    assert await firm.grouped("bookings", "rep", **split) == {"Ann": 500, "Bob": 700, "Cy": 300}
    assert await firm.grouped("won_deals", "rep", **split) == {"Ann": 1, "Bob": 2, "Cy": 1}
    assert await firm.grouped("bookings", "manager", **split) == {"North": 1200, "South": 300}
    assert await firm.grouped("won_deals", "manager", **split) == {"North": 2, "South": 1}
    assert await firm.value("bookings", **split) == 1500
    assert await firm.value("won_deals", **split) == 2
    assert await firm.value("bookings", **split, filters={"rep": "t:cy"}) == 300
    assert await firm.value("bookings", **split, filters={"manager": "t:north"}) == 1200
    # A deal's size is what is credited of it: North has 700 of the one, and the other.
    assert await firm.grouped("average_deal_size", "manager", **split) == {"North": 600, "South": 300}
    assert await firm.grouped("median_deal_size", "rep", **split) == {"Ann": 500, "Bob": 350, "Cy": 300}


async def test_overlays_stand_beside_the_whole(firm: World) -> None:
    assert await firm.grouped("bookings", "rep", **Q1, attribution="overlay") == {"Cy": 400}
    assert await firm.value("bookings", **Q1, attribution="overlay") == 400
    assert await firm.value("won_deals", **Q1, attribution="overlay") == 1


async def test_everyone_in_a_team_is_credited_in_full(firm: World) -> None:
    team: dict[str, Any] = {**Q1, "attribution": "team"}
    assert await firm.grouped("bookings", "rep", **team) == {"Ann": 1500, "Bob": 500}
    assert await firm.grouped("bookings", "manager", **team) == {"North": 1500}
    assert await firm.value("bookings", **team) == 1500
    assert await firm.value("bookings", **team, filters={"rep": "t:ann"}) == 1500


async def test_explain_shows_the_split(firm: World) -> None:
    rows = await firm.contributions("bookings", **Q1, attribution="split", by=["rep"])
    told = {
        (c.row["label"], c.row["dimensions"]["rep"]["name"]): (c.row["amount"], c.row["split"]) for c in rows
    }
    assert told == {
        ("shared", "Ann"): (1000, Decimal("0.5")), ("shared", "Bob"): (1000, Decimal("0.2")),
        ("shared", "Cy"): (1000, Decimal("0.3")), ("alone", "Bob"): (500, 1),
    }  # fmt: skip
    assert sum(c.parts["bookings"] for c in rows) == 1500
    assert [c.row["split"] for c in await firm.contributions("bookings", **Q1)] == [None, None]


async def test_levels_of_the_hierarchy(firm: World) -> None:
    assert await firm.grouped("bookings", "manager_level_1", **Q1) == {"Head": 1500}
    assert await firm.grouped("bookings", "manager_level_2", **Q1) == {"North": 1500}
    assert await firm.grouped("bookings", "manager_level_3", **Q1) == {"Ann": 1000, "Bob": 500}
    assert await firm.grouped("bookings", "manager_level_4", **Q1) == {None: 1500}
    split = {**Q1, "attribution": "split"}
    assert await firm.grouped("bookings", "manager_level_2", **split) == {"North": 1200, "South": 300}
    assert await firm.value("bookings", **split, filters={"manager_level_2": "t:south"}) == 300


async def test_by_fields_of_the_tenants_own(firm: World) -> None:
    assert await firm.grouped("bookings", "custom.region", **Q1) == {"alps": 1000, "coast": 500}
    assert await firm.grouped("bookings", "account.custom.tier", **Q1) == {"gold": 1000, None: 500}
    assert await firm.value("bookings", **Q1, filters={"custom.region": "coast"}) == 500
    assert await firm.value("bookings", **Q1, filters={"account.custom.tier": ["null"]}) == 500
    both = {**Q1, "filters": {"custom.region": ["alps", "coast"], "account.custom.tier": "gold"}}
    assert await firm.value("bookings", **both) == 1000


@pytest.mark.parametrize(
    ("metric", "asked", "code"),
    [
        ("bookings", {"attribution": "splits"}, "unknown_attribution"),
        ("headcount", {"attribution": "split"}, "attribution_unavailable"),
        ("bookings", {"by": ["custom.regoin"]}, "unknown_dimension"),
        ("bookings", {"by": ["custom.score"]}, "dimension_unavailable"),
        ("quota_attainment", {"by": ["custom.region"]}, "unknown_dimension"),
        ("bookings", {"filters": {"account.custom.teir": "gold"}}, "unknown_dimension"),
    ],
)
async def test_what_cannot_be_asked(firm: World, metric: str, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await firm.rows(metric, **Q1, **asked)
    assert [error.code for error in refusal.value.errors] == [code]
