"""Whether a quota can be reached: by hand, over three reps and four quarters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from app.areas import CATALOGUE
from app.ground.database.session import Database
from app.language.metrics.moment import SNAPSHOT
from app.language.resources.inquire import inquire
from app.sales.targets.realism import quantile
from tests.language.metrics.world import World, new_world

D = Decimal
BOOKED = {"ann": (80, 120, 100, 140), "bob": (50, 60, 70, 80), "cid": (0, 0, 200, 0)}
"""Thousands in the quarters of 2025. Ann and Bob have a quota of 100,000 in each, Cid had none."""


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "boss", "name": "Boss"})
    await world.put("reps", *({"external_id": x, "name": x, "manager_id": "t:boss"} for x in BOOKED))
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    await world.put("opportunities", *(
        {"external_id": f"{rep}{q}", "name": f"{rep}{q}", "owner_id": f"t:{rep}", "amount": amount * 1_000,
         "stage_id": "t:won", "opened_at": "2024-12-01", "closed_at": f"2025-{3 * q + 2:02}-10"}
        for rep, amounts in BOOKED.items() for q, amount in enumerate(amounts) if amount
    ))  # fmt: skip
    await world.put("quotas", *(
        {"external_id": f"{rep}{q}", "rep_id": f"t:{rep}", "period": f"2025-Q{q}", "amount": 100_000}
        for rep in ("ann", "bob") for q in (1, 2, 3, 4)
    ))  # fmt: skip
    await world.put(
        "quotas",
        {"external_id": "next", "rep_id": "t:ann", "period": "2026-Q1", "amount": 120_000},
        {"external_id": "deals", "rep_id": "t:bob", "period": "2026-Q1", "amount": 1, "metric": "won_deals"},
    )
    yield world


async def asked(world: World, quota: str, principal: Any = None, **data: Any) -> Any:
    [inquiry] = [x for x in CATALOGUE.inquiries["quotas"] if x.name == "realism"]
    company = world.company
    async with company.database.transaction(company.id, isolation=SNAPSHOT) as session:
        return await inquire(session, principal or world.admin, CATALOGUE, inquiry, f"t:{quota}", data)


async def test_realism(firm: World) -> None:
    told = await asked(firm, "next")
    assert (told["metric"], told["amount"], told["currency"]) == ("bookings", 120_000, "USD")
    assert [(x["reached"], x["attainment"]) for x in told["history"]] == [
        (140_000, D("1.4")), (100_000, 1), (120_000, D("1.2")), (80_000, D("0.8")),
    ]  # fmt: skip
    assert told["own"] == {"periods": 4, "median": 110_000, "p75": 130_000, "best": 140_000}
    assert told["peers"]["periods"] == 9, "Cid was there for one quarter"
    assert told["peers"]["median"] == 80_000
    assert {x["band"]: x["count"] for x in told["attainment"]} == {
        "under_50": 0, "50_to_70": 2, "70_to_100": 3, "100_to_120": 1, "120_and_more": 2,
    }  # fmt: skip
    likely = told["likelihood"]
    assert (likely["reached"], likely["n"], likely["share"]) == (3, 9, D("0.333333"))
    assert likely["low"] < D("0.3333") < likely["high"]
    assert likely["small_sample"]


async def test_of_another_amount(firm: World) -> None:
    assert (await asked(firm, "next", amount=150_000.5))["likelihood"]["reached"] == 1
    assert (await asked(firm, "next", amount=0))["likelihood"]["reached"] == 9


async def test_of_a_count(firm: World) -> None:
    told = await asked(firm, "deals")
    assert (told["metric"], told["currency"]) == ("won_deals", None)
    assert [x["reached"] for x in told["history"]] == [1, 1, 1, 1]
    assert told["likelihood"]["reached"] == 9


async def test_one_sees_of_it_what_one_sees_of_the_numbers(firm: World) -> None:
    ids = {row["name"]: row["id"] for row in await firm.listed("reps", firm.admin)}
    told = await asked(firm, "next", firm.company.principal("rep", rep_id=ids["ann"]))
    assert told["own"] == told["peers"]
    told = await asked(firm, "next", firm.company.principal("manager", rep_id=ids["Boss"]))
    assert told["peers"]["periods"] == 9


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=9), st.sampled_from([Fraction(1, 2), Fraction(3, 4)])
)
def test_a_quantile_has_no_more_than_its_share_on_either_side(values: list[int], wanted: Fraction) -> None:
    found = quantile([D(x) for x in values], wanted)
    assert found is not None
    assert sum(x < found for x in values) <= wanted * len(values)
    assert sum(x > found for x in values) <= (1 - wanted) * len(values)
