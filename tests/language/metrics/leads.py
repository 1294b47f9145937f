"""Random leads, as rows for the one write path."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tests.language.metrics.world import Row, World

MONTHS = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)]


def invented(seed: int, count: int = 60) -> list[Row]:
    dice = random.Random(seed)

    def later(than: datetime) -> datetime:
        return than + timedelta(hours=dice.randrange(1, 2000))

    def answered(received: datetime | None) -> datetime | None:
        if received is None or dice.random() < 0.3:
            return None
        waited = dice.choice([-5, 0, 1, 4, 5, 14, 16, 59, 61, dice.randrange(20_000)])
        return received + timedelta(minutes=waited)

    def lead(n: int) -> Row:
        first = MONTHS[0] + timedelta(hours=dice.randrange(8000))
        received = None if dice.random() < 0.15 else dice.choice(MONTHS) if dice.random() < 0.2 else first
        qualified = later(received or first) if dice.random() < 0.5 else None
        end = dice.choice(["converted_at", "disqualified_at", None])
        milestones = {"qualified_at": qualified, "converted_at": None, "disqualified_at": None}
        if end is not None:
            milestones[end] = later(qualified or received or first)
        return {
            "name": f"Lead {n}", "received_at": received, "owner": dice.choice(["ann", "bob", "cleo", None]),
            "lead_source": dice.choice(["web", "fair", None]), **milestones, "first_response_at": answered(received),
        }  # fmt: skip

    leads = [lead(n) for n in range(count)]
    return [row | {"deal": _deal(dice, row["name"], row["converted_at"])} for row in leads]


def _deal(dice: random.Random, key: str, converted: datetime | None) -> Row | None:
    """What a lead became, if anything, by the moments at which it moved."""
    if converted is None or dice.random() < 0.2:
        return None
    moments = [converted, *sorted(converted + timedelta(hours=dice.randrange(1, 4000)) for _ in range(3))]
    path = [(moments[0], "open")]
    for at in dict.fromkeys(moments[1:]):
        path.append((at, dice.choice(["open", "won", "won", "lost", "gone"])))
    return {"key": key, "path": path[: dice.randint(1, 4)], "deleted": dice.random() < 0.1}


async def load(world: World, leads: list[Row]) -> None:
    deals = [row["deal"] for row in leads if row["deal"]]
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": x, "name": x, "pipeline_id": "t:p", "category": "abandoned" if x == "gone" else x}
        for x in ("open", "won", "lost", "gone")
    ))  # fmt: skip
    await world.put("opportunities", *(
        {"external_id": deal["key"], "name": deal["key"], "stage_id": f"t:{deal['path'][-1][1]}",
         "opened_at": deal["path"][0][0].isoformat(),
         "history": [{"at": at.isoformat(), "stage_id": f"t:{stage}"} for at, stage in deal["path"]]}
        for deal in deals
    ))  # fmt: skip
    await world.put("reps", {"external_id": "boss", "name": "boss"}, {"external_id": "cleo", "name": "cleo"})
    await world.put("reps", *({"external_id": x, "name": x, "manager_id": "t:boss"} for x in ("ann", "bob")))
    moments = ("received_at", "first_response_at", "qualified_at", "converted_at", "disqualified_at")
    await world.put("leads", *(
        {"external_id": row["name"], "name": row["name"], "lead_source": row["lead_source"],
         "owner_id": f"t:{row['owner']}" if row["owner"] else None,
         "status": "disqualified" if row["disqualified_at"] else "working",
         "converted_opportunity_id": f"t:{row['deal']['key']}" if row["deal"] else None,
         **{name: row[name].isoformat() for name in moments if row[name]}}
        for row in leads
    ))  # fmt: skip
    for deal in deals:
        if deal["deleted"]:
            await world.delete("opportunities", f"t:{deal['key']}")
