"""A number adds up what its asker may see: the same deals that the list shows, for value, explain and quota alike."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest

from app.ground.database.session import Database
from tests.language.metrics.world import World, new_world

REPS = 9


async def invent(world: World, dice: random.Random) -> list[UUID]:
    ids: list[UUID] = []
    for i in range(REPS):
        above = {"manager_id": f"t:r{dice.randrange(i)}"} if i and dice.random() < 0.9 else {}
        ids.append(UUID((await world.put("reps", {"external_id": f"r{i}", "name": f"r{i}", **above}))[0]))
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": c, "name": c, "pipeline_id": "t:p", "category": c} for c in ("open", "won", "lost")
    ))  # fmt: skip

    def someone() -> str:
        return f"t:r{dice.randrange(REPS)}"

    for i in range(40):
        stage = dice.choice(["open", "won", "lost"])
        splits = [{"rep_id": someone(), "share": 1}] if dice.random() < 0.2 else []
        await world.put("opportunities", {
            "external_id": f"d{i}", "name": f"d{i}", "stage_id": f"t:{stage}", "amount": dice.randrange(1000),
            "owner_id": None if dice.random() < 0.1 else someone(), "splits": splits, "opened_at": "2025-02-01",
            "team": [{"rep_id": someone()}] if dice.random() < 0.2 else [],
            "closed_at": None if stage == "open" else "2025-03-01",
        })  # fmt: skip
    await world.put("quotas", *(
        {"external_id": f"q{i}", "rep_id": f"t:r{i}", "period": "2025-Q1", "amount": 100 * (i + 1)} for i in range(REPS)
    ))  # fmt: skip
    return ids


@pytest.mark.parametrize("seed", range(4))
async def test_numbers_are_of_what_the_lists_show(seed: int, owner_url: str, database: Database) -> None:
    world = await new_world(owner_url, database)
    ids = await invent(world, random.Random(seed))
    askers = [
        world.admin,
        *(world.company.principal("manager", rep_id=i) for i in ids),
        world.company.principal("rep"),
    ]
    for asker in askers:
        deals = await world.listed("opportunities", asker)
        amounts = {c: sum(d["amount"] for d in deals if d["category"] == c) for c in ("open", "won", "lost")}  # type: ignore[misc]
        questions: dict[str, tuple[str, dict[str, Any]]] = {
            "bookings": ("won", {"period": "2025-Q1"}), "open_pipeline": ("open", {}),
        }  # fmt: skip
        for metric, (category, rest) in questions.items():
            assert await world.value(metric, principal=asker, **rest) == amounts[category]
            rows = await world.contributions(metric, principal=asker, **rest)
            assert {c.row["id"] for c in rows} == {d["id"] for d in deals if d["category"] == category}
        for metric in ("won_deals", "lost_deals"):
            found = await world.value(metric, principal=asker, period="2025-Q1", as_of="2025-06-01")
            assert found == sum(d["category"] == metric.partition("_")[0] for d in deals)
        quotas = {q["id"] for q in await world.listed("quotas", asker)}
        explained = await world.contributions("quota", principal=asker, period="2025-Q1")
        assert {c.row["id"] for c in explained} == quotas
