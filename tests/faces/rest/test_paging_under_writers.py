"""10,000 rows paged through, there and back, while others insert, move and delete: who stood still is seen once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faces.rest.conftest import Api

STANDING, MOVING, WRITERS = 10_000, 1_000, 3
SIZES = [None, *range(1, 60)]
"""So few that most pages end amid rows of one size, and some amid those without any."""
LIST = "/v1/accounts?sort=-employees,name&limit=200"


@dataclass
class Movers:
    """Rows that never rest. A walk tells in `near` where it is, and half of the moves go right there."""

    api: Api
    ids: list[str]
    near: int | None = None
    gone: set[str] = field(default_factory=set)
    done: Counter[str] = field(default_factory=Counter)

    async def move(self, chance: random.Random) -> None:
        while True:
            size = self.near if chance.random() < 0.5 else chance.choice(SIZES)
            act = chance.choice(("insert", "change", "change", "delete"))
            # Taken out, so that no other writer has the same one in hand.
            id_ = self.ids.pop(chance.randrange(len(self.ids)))
            if act == "insert":
                body = {"name": f"row {chance.random()}", "employees": size}
                answer = await self.api.post("/v1/accounts", body)
                self.ids.append(answer.json()["id"])
            elif act == "change":
                answer = await self.api.patch(f"/v1/accounts/{id_}", {"employees": size})
            else:
                answer = await self.api.delete(f"/v1/accounts/{id_}")
                self.gone.add(id_)
            if act != "delete":
                self.ids.append(id_)
            assert answer.is_success, answer.text
            self.done[act] += 1


async def rows(api: Api, mark: str, count: int) -> list[str]:
    """Names fall among each other whatever the mark, so that standing and moving rows share every page."""
    chance = random.Random(mark)
    made = [
        {"external_id": f"{mark}{i}", "name": f"row {chance.random()}", "employees": chance.choice(SIZES)}
        for i in range(count)
    ]
    return [x["id"] for x in (await api.upsert("accounts", made))["rows"]]


async def in_order(api: Api, among: set[str]) -> list[str]:
    answer = await api.get(
        f"{LIST}&columns=id".replace("&limit=200", ""), headers={"accept": "application/x-ndjson"}
    )
    return [
        x
        for x in (httpx.Response(200, content=y).json()["id"] for y in answer.text.splitlines())
        if x in among
    ]


async def page(movers: Movers, cursor: str) -> dict[str, Any]:
    gone = set(movers.gone)
    answer = await movers.api.get(LIST + cursor)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert not gone & {x["id"] for x in found["data"]}, (
        "a row that had been deleted before the page was asked for"
    )
    if found["data"]:
        movers.near = found["data"][-1 if "cursor" in cursor else 0]["employees"]
    return found


async def test_every_row_that_stands_still_is_seen_once(empty: Api) -> None:
    standing = set(await rows(empty, "standing", STANDING))
    movers = Movers(empty, await rows(empty, "moving", MOVING))
    expected = await in_order(empty, standing)
    assert len(expected) == STANDING
    writers = [asyncio.create_task(movers.move(random.Random(n))) for n in range(WRITERS)]
    try:
        found = await page(movers, "")
        forwards = [x["id"] for x in found["data"]]
        while found["has_more"]:
            found = await page(movers, f"&cursor={found['next_cursor']}")
            forwards += [x["id"] for x in found["data"]]
        halfway = Counter(movers.done)
        backwards = [x["id"] for x in reversed(found["data"])]
        while found["previous_cursor"]:
            found = await page(movers, f"&before={found['previous_cursor']}")
            backwards += [x["id"] for x in reversed(found["data"])]
        assert not any(x.done() for x in writers), [x.exception() for x in writers if x.done()]
    finally:
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
    assert [x for x in forwards if x in standing] == expected
    assert [x for x in reversed(backwards) if x in standing] == expected
    for act in ("insert", "change", "delete"):
        assert min(halfway[act], movers.done[act] - halfway[act]) > 10, (halfway, movers.done)
