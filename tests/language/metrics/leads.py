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

    return [lead(n) for n in range(count)]


async def load(world: World, leads: list[Row]) -> None:
    await world.put("reps", {"external_id": "boss", "name": "boss"}, {"external_id": "cleo", "name": "cleo"})
    await world.put("reps", *({"external_id": x, "name": x, "manager_id": "t:boss"} for x in ("ann", "bob")))
    moments = ("received_at", "first_response_at", "qualified_at", "converted_at", "disqualified_at")
    await world.put("leads", *(
        {"external_id": row["name"], "name": row["name"], "lead_source": row["lead_source"],
         "owner_id": f"t:{row['owner']}" if row["owner"] else None,
         "status": "disqualified" if row["disqualified_at"] else "working",
         **{name: row[name].isoformat() for name in moments if row[name]}}
        for row in leads
    ))  # fmt: skip
