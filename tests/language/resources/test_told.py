"""History that comes in pieces: whatever comes first, the same past follows."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from app.areas import CATALOGUE
from app.language.resources import history, write
from tests.language.resources.test_write import seed

DEAL = {"name": "Deal", "stage_id": "crm:s1", "opened_at": "2026-01-01", "amount": 1}
CHANGES: dict[str, dict[str, list[Any]]] = {
    "opportunities": {
        "stage_id": ["crm:s1", "crm:s2", "crm:won"],
        "amount": [1, 2],
        "next_step": ["a", "b", None],
    },
    "accounts": {
        "name": ["x", "y"],
        "industry": ["retail", "finance", None],
        "owner_id": ["crm:r1", "crm:r2"],
    },
}
NEW: dict[str, dict[str, Any]] = {"opportunities": DEAL, "accounts": {"name": "x", "industry": "retail"}}


async def put(session: Any, principal: Any, noun: str, row: dict[str, Any]) -> Any:
    [receipt] = await write.upsert(
        session, principal, CATALOGUE, CATALOGUE[noun], "crm", [row], origin="backfill"
    )
    assert receipt.errors == ()
    return receipt


async def past(session: Any, principal: Any, noun: str, name: str) -> list[dict[str, Any]]:
    page = await history.page(session, principal, CATALOGUE, CATALOGUE[noun], f"crm:{name}", limit=1000)
    told = ("recorded_at", "superseded_at", "changed", "id", "is_current")
    rows = [orjson.loads(row) for row in page.rows]
    return [
        {k: _day(v) for k, v in row.items() if k not in told} for row in rows if row["superseded_at"] is None
    ]


def _day(value: Any) -> Any:
    """Each record was told of at a moment of its own."""
    return "when it came" if isinstance(value, str) and value[:7] > "2026-03" and value[:2] == "20" else value


@pytest.mark.parametrize("noun", sorted(NEW))
async def test_any_order_and_grouping_gives_the_same_history(database: Any, tenant: Any, noun: str) -> None:
    principal, chance = tenant.principal(), random.Random(11)
    await seed(database, principal)
    for example in range(12):
        points = [
            {"at": f"2026-02-{day:02}"}
            | {k: chance.choice(v) for k, v in CHANGES[noun].items() if chance.random() < 0.6}
            for day in chance.sample(range(1, 29), 6)
        ]
        pasts: list[Any] = []
        async with database.transaction(principal.tenant_id) as session:
            for way in range(4):
                name = f"{example}-{way}"
                await put(session, principal, noun, {"external_id": name, **NEW[noun]})
                left = chance.sample(points, len(points))
                if way == 0:
                    left.sort(key=lambda x: x["at"])
                while left:
                    size = len(left) if way == 0 else chance.randint(1, 3)
                    # In pieces, each twice, single fields of one point apart.
                    part, left = left[:size], left[size:]
                    apart = [{"at": x["at"], k: v} for x in part for k, v in x.items() if k != "at"]
                    chance.shuffle(apart)
                    for piece in (apart[:2], apart[2:], part):
                        await put(session, principal, noun, {"external_id": name, "history": piece})
                    again = await put(session, principal, noun, {"external_id": name, "history": part})
                    assert (again.outcome, again.changed) == ("unchanged", ())
                pasts.append(await past(session, principal, noun, name))
        assert len(pasts[0]) > 1
        for other in pasts[1:]:
            assert other == pasts[0], points


async def test_a_point_that_changed_nothing_stands_against_an_earlier_one(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    async with database.transaction(principal.tenant_id) as session:

        async def told(*points: tuple[str, str]) -> str:
            row = {"external_id": "a", "history": [{"at": at, "name": name} for at, name in points]}
            return (await put(session, principal, "accounts", row)).outcome

        await put(session, principal, "accounts", {"external_id": "a", "name": "X"})
        assert await told(("2026-02-03", "X")) == "unchanged"
        assert await told(("2026-02-01", "Y")) == "updated"
        names = [(x["name"], x["valid_from"][:10]) for x in await past(session, principal, "accounts", "a")]
        assert names[-2:] == [("Y", "2026-02-01"), ("X", "2026-02-03")]
        assert await told(("2026-02-01", "Z")) == "updated"
        assert await told(("2026-02-01", "Z"), ("2026-02-03", "X")) == "unchanged"
        names = [x["name"] for x in await past(session, principal, "accounts", "a")]
        assert names == ["X", "Z", "X"]
