"""Random activities of reps with random careers, as rows for the one write path; all times are whole minutes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.language.metrics.model import midnight
from tests.language.metrics.world import Row, World
from tests.sales.org.careers import SELLERS as EVERY_SELLER

SELLERS = EVERY_SELLER[:-1]
"""Without the one who is deleted, to whom nothing can be given."""
MONTHS = (1, 2, 3, 7, 8, 9)
"""In which something happens: often enough that times overlap."""

OUTCOMES = ("connected", "Voicemail", "no answer", "no-answer", None)


@dataclass
class Activity:
    key: str
    row: Row
    done_at: datetime | None = None
    """When it was told to be done; until then it was planned. None where nothing else is known than what it is."""
    deleted: bool = False

    def at(self, moment: datetime, *, past: bool) -> Row | None:
        """What was so, None where it was not, or had not taken place."""
        if not past and self.deleted:
            return None
        row = self.row
        if self.done_at is not None and moment < self.done_at:
            return {**row, "done": False}
        began = row["occurred_at"]
        return None if row["done"] and began is not None and began > moment else row


@dataclass
class Deal:
    key: str
    owner: str
    closed_at: datetime
    activities: list[Activity] = field(default_factory=list)


def invented(seed: int) -> tuple[list[Activity], list[Deal]]:
    dice = random.Random(seed)

    def moment() -> datetime:
        day = date(2025, dice.choice(MONTHS), dice.choice([1, 1, 2, 3, 28]))
        return midnight(day) + timedelta(minutes=15 * dice.randrange(0, 40))

    deals = [Deal(f"d{n}", dice.choice(SELLERS), moment()) for n in range(12)]

    def activity(n: int) -> Activity:
        kind = dice.choice(["call", "call", "email", "meeting"])
        about = dice.choice(deals) if dice.random() < 0.4 else None
        row: Row = {
            "kind": kind,
            "purpose": dice.choice(["selling", "prospecting", "preparation", "admin", "coaching"]),
            "direction": dice.choice(["inbound", "outbound", None]),
            "outcome": dice.choice(OUTCOMES) if kind == "call" else None,
            "minutes": dice.choice([None, 0, 15, 45, 90, 180]),
            "occurred_at": None if dice.random() < 0.08 else moment(),
            "done": dice.random() < 0.85,
            "owner": dice.choice([*SELLERS, "m1", "m2", "m1", "m2", None]),
            "deal": about.key if about else None,
        }  # fmt: skip
        found = Activity(f"Activity {n}", row, deleted=dice.random() < 0.06)
        if row["done"] and row["occurred_at"] and dice.random() < 0.2:
            found.done_at = row["occurred_at"] + timedelta(days=dice.randrange(0, 60), minutes=5)
        if about:
            about.activities.append(found)
        return found

    return [activity(n) for n in range(160)], deals


async def load(world: World, activities: list[Activity], deals: list[Deal]) -> None:
    await world.put("pipelines", {"external_id": "pipe", "name": "pipe", "is_default": True})
    await world.put(
        "stages", {"external_id": "won", "name": "won", "pipeline_id": "t:pipe", "category": "won"}
    )
    await world.put("opportunities", *(
        {"external_id": deal.key, "name": deal.key, "stage_id": "t:won", "owner_id": f"t:{deal.owner}",
         "opened_at": "2024-12-01", "closed_at": deal.closed_at.isoformat()}
        for deal in deals
    ))  # fmt: skip
    await world.put("activities", *(_told(activity) for activity in activities))
    for activity in activities:
        if activity.deleted:
            await world.delete("activities", f"t:{activity.key}")


def _told(activity: Activity) -> Row:
    row = activity.row
    found: Row = {
        "external_id": activity.key, "subject": activity.key, "done": row["done"],
        **{name: row[name] for name in ("kind", "purpose", "direction", "outcome")},
        "duration_seconds": None if row["minutes"] is None else row["minutes"] * 60,
        "occurred_at": row["occurred_at"].isoformat() if row["occurred_at"] else None,
        "owner_id": f"t:{row['owner']}" if row["owner"] else None,
        "opportunity_id": f"t:{row['deal']}" if row["deal"] else None,
    }  # fmt: skip
    if activity.done_at is not None:
        found["history"] = [
            {"at": midnight(date(2024, 1, 1)).isoformat(), "done": False},
            {"at": activity.done_at.isoformat(), "done": True},
        ]
    return found
