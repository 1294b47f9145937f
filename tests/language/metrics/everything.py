"""A company in which every number has something to count, and every dimension something to tell apart: what the modules
of single areas invent, in one tenant."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from app.areas import METRIC_CATALOGUE
from app.ground.access.principal import Principal
from app.ground.database.session import Database
from app.language.metrics.metric import Dimension
from tests.language.metrics import history, leads
from tests.language.metrics.world import World, new_world
from tests.sales.activities import doings
from tests.sales.org import careers

EVERY_YEAR = "2024-07-01/2026-01-01"
OF_EVERY_FACT = ("close_rate", "leads_created", "activities", "headcount", "earnings", "payout")
"""A number that counts all rows of it, and so has every value of its dimensions."""


@dataclass
class Company:
    world: World
    between: datetime
    """After the first load, before what was told later."""
    ids: dict[str, dict[str, str]]
    """By noun, those of its records by what they are called outside; also of what is deleted, or is in no row."""
    said: dict[str, list[str]]
    """By dimension of plain values, those that rows have, and one that none has."""

    @property
    def admin(self) -> Principal:
        return self.world.admin

    def manager(self, rep: str) -> Principal:
        return self.world.company.principal("manager", rep_id=UUID(self.ids["reps"][rep]))

    async def seen(self, asker: Principal) -> dict[str, list[str]]:
        """By noun, the records that somebody may name, as they are called outside."""
        lists = {noun: {row["id"] for row in await self.world.listed(noun, asker)} for noun in self.ids}
        return {
            noun: [key for key, id_ in ids.items() if id_ in lists[noun]] for noun, ids in self.ids.items()
        }

    def named(self, dimension: Dimension, value: str) -> str:
        """As a filter takes it."""
        return value if dimension.noun is None else self.ids[dimension.noun].get(value, value)


async def found(owner_url: str, database: Database, seed: int) -> Company:
    world = await new_world(owner_url, database, timezone="America/New_York")
    dice = random.Random(seed)
    model = history.invent(seed, datetime.now(UTC))
    await history.load(world, model)
    # The same reps once more, told otherwise: hired, gone, and elsewhere in between.
    await careers.load(world, replace(careers.invented(seed), quotas={}))
    await _more_to_tell_apart(world, dice)
    lost = [deal.key for deal in model.deals if deal.versions(False)[-1][1]["category"] == "lost"]
    await world.put(
        "opportunities",
        *({"external_id": key, "loss_reason": dice.choice(["price", "timing"])} for key in lost),
    )
    between = datetime.now(UTC)
    activities, _ = doings.invented(seed)
    await doings.load(world, activities, [])
    await _leads(world, dice, seed)
    await _pay(world, dice)
    await history.load_again(world, model)
    return Company(world, between, await _ids(world), await _said(world))


async def _more_to_tell_apart(world: World, dice: random.Random) -> None:
    await world.put("teams", {"external_id": "empty", "name": "empty"})
    await world.put("territories", {"external_id": "empty", "name": "empty"})
    await world.put("products", {"external_id": "unsold", "name": "unsold"})
    await world.put("pipelines", {"external_id": "second", "name": "second"})
    await world.put("stages", {
        "external_id": "trial", "name": "trial", "pipeline_id": "t:second", "category": "open", "position": 0,
        "stalled_after_days": 20,
    })  # fmt: skip
    await world.put("accounts", *(
        {"external_id": key, "name": key, "segment": dice.choice(["smb", "enterprise"]), "country": country}
        for key, country in (("a0", "France"), ("a1", "Spain"), ("a2", "France"), ("unsold to", "Italy"))
    ))  # fmt: skip
    await world.put("opportunities", *(
        {"external_id": f"second{n}", "name": f"second{n}", "stage_id": "t:trial", "owner_id": f"t:s{n % 4 + 1}",
         "amount": 500 * n, "account_id": "t:a1", "opened_at": f"2025-0{n % 9 + 1}-03", "lead_source": "web",
         "expected_close_on": f"2025-{n + 1:02}-20"}
        for n in range(11)
    ))  # fmt: skip
    await world.put("opportunities", *(
        {"external_id": f"d{n}", "lead_source": dice.choice(["web", "fair"])} for n in range(0, 40, 2)
    ))  # fmt: skip


async def _leads(world: World, dice: random.Random, seed: int) -> None:
    invented = leads.invented(seed)
    await leads.load(world, invented)
    await world.put("lead_queues", *({"external_id": x, "name": x} for x in ("inbound", "outbound", "empty")))
    await world.put("campaigns", *({"external_id": x, "name": x} for x in ("fair", "mail", "empty")))
    await world.put("leads", *(
        {"external_id": lead["name"], "campaign_id": dice.choice(["t:fair", "t:mail", None]),
         "industry": dice.choice(["retail", "energy", None]), "country": dice.choice(["France", "Spain", None]),
         **({"queue_id": dice.choice(["t:inbound", "t:outbound"])} if lead["owner"] is None else {})}
        for lead in invented
    ))  # fmt: skip


async def _pay(world: World, dice: random.Random) -> None:
    """Deals of two years that were not told by a backfill, two plans, and what comes of them; the first year is closed
    and paid, and some of its deals are told otherwise after that."""
    reps = ("boss", "m1", "s1", "s2", "s3", "s4")
    deals = [
        {"external_id": f"paid{n}", "name": f"paid{n}", "stage_id": "t:won", "owner_id": f"t:{dice.choice(reps)}",
         "amount": dice.randrange(100, 90_000), "currency": dice.choice(["USD", "EUR", "JPY"]),
         "account_id": "t:a1", "opened_at": "2024-01-02",
         "closed_at": f"{dice.choice([2024, 2025])}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}"}
        for n in range(60)
    ]  # fmt: skip
    await world.put("opportunities", *deals, origin="live")
    await world.put("comp_plans", {"external_id": "dollar", "name": "dollar", "currency": "USD"},
                    {"external_id": "yen", "name": "yen", "currency": "JPY"})  # fmt: skip
    components = [
        {"code": "commission", "kind": "commission", "rate": 0.1},
        {"code": "bonus", "kind": "bonus", "amount": 500, "applies_when": "credited > 50000"},
    ]
    terms = {"effective_from": "2020-01-01", "components": components}
    await world.put("comp_plan_versions", {"external_id": "dollar", "plan_id": "t:dollar", **terms},
                    {"external_id": "yen", "plan_id": "t:yen", **terms})  # fmt: skip
    await world.put("plan_assignments", *(
        {"external_id": rep, "plan_id": "t:yen" if rep == "s2" else "t:dollar", "rep_id": f"t:{rep}",
         "starts_on": "2024-03-01", "on_target_earnings": None if rep == "s3" else 100_000, "variable_share": 0.5}
        for rep in reps
    ))  # fmt: skip
    await world.put("comp_periods", *({"external_id": x, "period": x} for x in ("2024", "2025")))
    for version in ("dollar", "yen"):
        await world.act("comp_plan_versions", "publish", f"t:{version}")
    for verb in ("calculate", "approve", "close"):
        await world.act("comp_periods", verb, "t:2024")
    for payout in await world.listed("payouts", world.admin):
        await world.act("payouts", "pay", payout["id"], {"paid_on": "2025-02-03"})
    await world.put("opportunities", *(
        {"external_id": deal["external_id"], "amount": deal["amount"] * 2} for deal in deals[::5]
    ), origin="live")  # fmt: skip
    await world.act("comp_periods", "calculate", "t:2025")


async def _ids(world: World) -> dict[str, dict[str, str]]:
    nouns = sorted({d.noun for d in METRIC_CATALOGUE.dimensions.values() if d.noun})
    async with world.company.database.transaction(world.company.id) as session:
        rows = await session.connection.fetch(
            "select noun, external_id, record_id from external_ids where tenant_id = $1 order by noun, external_id",
            world.company.id,
        )
    return {
        noun: {r["external_id"]: str(r["record_id"]) for r in rows if r["noun"] == noun} for noun in nouns
    }


async def _said(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, dimension in METRIC_CATALOGUE.dimensions.items():
        if dimension.noun is not None:
            continue
        of_all = (METRIC_CATALOGUE.by_name[metric] for metric in OF_EVERY_FACT)
        metrics = [metric.name for metric in of_all if name in {d.name for d in metric.dimensions}]
        rows = await world.rows(*metrics, by=[name], period=EVERY_YEAR)
        found[name] = [*sorted({row["dimensions"][name]["id"] for row in rows} - {None}), "of no row"]
    return found
