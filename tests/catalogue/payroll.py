"""Pay of a drawn company. Nobody writes it: deals are won, a month is calculated, closed and paid, and one is changed
late, which the next month adjusts."""

from __future__ import annotations

from typing import Any

from app.areas import CATALOGUE
from app.language.resources import write

POSTED = ("statements", "statement_lines", "ledger_entries", "payouts")

COMPONENTS = (
    {"code": "Own", "kind": "commission", "rate": 0.1},
    {"code": "Led", "kind": "override", "rate": 0.01},
    {"code": "Waits", "kind": "spiff", "amount": 50, "hold_until": "paid"},
    {"code": "Each month", "kind": "bonus", "amount": 100},
    {"code": "At least", "kind": "draw", "amount": 2_500},
)


def _row(plural: str, external_id: str, **given: Any) -> dict[str, Any]:
    """Every list is said, as in what is drawn."""
    return {"external_id": external_id, **{x.name: [] for x in CATALOGUE[plural].children}, **given}


async def earn(world: Any, count: int) -> None:
    """`count` reps are paid for March and have statements of April."""
    reps = world.make.known["reps"][:count]

    async def put(plural: str, *rows: dict[str, Any]) -> list[str]:
        return [str(x.id) for x in await world.put(CATALOGUE[plural], list(rows))]

    async def act(plural: str, verb: str, id_: str) -> None:
        noun = CATALOGUE[plural]
        async with world.database.transaction(world.company.id) as session:
            await write.act(session, world.admin, CATALOGUE, noun, noun.actions_by_name[verb], id_, None)

    async def posted(plural: str) -> list[str]:
        async with world.database.transaction(world.company.id) as session:
            rows = await session.connection.fetch(
                f"select id from {plural} where tenant_id = $1 order by id", session.tenant_id
            )
        return [str(x["id"]) for x in rows]

    def named(name: str) -> str:
        return f"{world.prefix}paid-{name}"

    [pipeline] = await put("pipelines", _row("pipelines", named("pipeline"), name="Paid"))
    [won] = await put(
        "stages",
        _row("stages", named("won"), name="Won", pipeline_id=pipeline, category="won", required_fields=[]),
    )
    deals = [
        _row(
            "opportunities", named(f"deal-{i}"), name=f"Paid deal {i}", owner_id=rep, stage_id=won, currency="USD",
            amount=1_000.5 * (i + 1), opened_at="2026-01-02T10:00:00+00:00",
            closed_at=f"2026-03-{i % 20 + 3:02}T15:30:00+00:00",
        )
        for i, rep in enumerate(reps)
    ]  # fmt: skip
    await put("opportunities", *deals)
    [plan] = await put("comp_plans", _row("comp_plans", named("plan"), name="Paid", currency="USD"))
    [version] = await put(
        "comp_plan_versions",
        _row(
            "comp_plan_versions", named("version"), plan_id=plan, effective_from="2026-01-01",
            components=[*COMPONENTS],
        ),
    )  # fmt: skip
    await act("comp_plan_versions", "publish", version)
    await put(
        "plan_assignments",
        *(
            _row("plan_assignments", named(f"assignment-{i}"), plan_id=plan, rep_id=rep, starts_on="2026-02-15",
                 target=1_000)
            for i, rep in enumerate(reps)
        ),
    )  # fmt: skip
    march, april = await put(
        "comp_periods",
        *(_row("comp_periods", named(name), period=name) for name in ("2026-03", "2026-04")),
    )
    for verb in ("calculate", "approve", "close"):
        await act("comp_periods", verb, march)
    for payout in (await posted("payouts"))[::2]:
        await act("payouts", "pay", payout)
    deals[0]["amount"] = 500
    await world.put(CATALOGUE["opportunities"], deals[:1])
    await act("comp_periods", "calculate", april)
    world.make.known |= {plural: await posted(plural) for plural in POSTED}
