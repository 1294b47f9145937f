"""Any merges in any order against plain Python: every name that a record ever had leads where the oracle says."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.areas import CATALOGUE
from app.ground.errors import Conflict
from app.language.resources import read, write
from app.language.resources.filter import Values, from_tree
from app.language.resources.read import Query
from app.language.resources.shape import full

COUNT, STORIES = 5, 30
FIELDS = ("industry", "segment", "country")
NOUN, DEALS, ACTIONS = (
    CATALOGUE["accounts"],
    CATALOGUE["opportunities"],
    CATALOGUE["accounts"].actions_by_name,
)


def a_story(seed: int) -> tuple[list[dict[str, Any]], list[Any]]:
    """Records, and what befalls them: merged by the verb or by rows of their source, deleted and changed by it."""
    dice = random.Random(seed)

    def name() -> tuple[int, str]:
        return dice.randrange(COUNT), dice.choice(["id", "key"])

    def step() -> Any:
        kind = dice.choice(["verb", "row", "row", "delete", "told"])
        if kind == "verb":
            return kind, name(), [name() for _ in range(dice.choice((1, 1, 2, 3)))]
        if kind == "row":
            return kind, name(), name()
        return (kind, name()) if kind == "delete" else (kind, dice.randrange(COUNT), dice.choice(FIELDS))

    records = [{field: dice.choice((None, None, "x", "y")) for field in FIELDS} for _ in range(COUNT)]
    return records, [step() for _ in range(12)]


class Oracle:
    """Which record each has become part of, and what the records that live say."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.into = list(range(COUNT))
        self.values = [dict(x) for x in records]
        self.names = [[i] for i in range(COUNT)]
        """Of a living record, its names in order: the own one first."""

    def find(self, i: int) -> int:
        while self.into[i] != i:
            i = self.into[i]
        return i

    def merge(self, survivor: int, duplicate: int) -> None:
        a, b = self.find(survivor), self.find(duplicate)
        if a != b:
            self.into[b] = a
            self.names[a] += self.names[b]
            for field in FIELDS:
                if self.values[a][field] is None:
                    self.values[a][field] = self.values[b][field]


class World:
    def __init__(self, company: Any, session: Any) -> None:
        self.session, self.admin = session, company.principal()
        self.ids: list[UUID] = []
        self.deals: list[UUID] = []

    async def put(self, noun: Any, rows: list[dict[str, Any]]) -> list[Any]:
        return await write.upsert(self.session, self.admin, CATALOGUE, noun, "crm", rows)

    async def begin(self, records: list[dict[str, Any]]) -> None:
        made = [{"external_id": f"a{i}", "name": f"A{i}", **x} for i, x in enumerate(records)]
        found = await self.put(NOUN, made)
        assert {x.outcome for x in found} == {"created"}
        self.ids = [x.id for x in found]
        deals = [
            {"external_id": f"d{i}", "name": f"D{i}", "account_id": f"crm:a{i}", "stage_id": "crm:s"}
            for i in range(COUNT)
        ]
        self.deals = [x.id for x in await self.put(DEALS, deals)]

    def word(self, named: tuple[int, str]) -> str:
        i, form = named
        return str(self.ids[i]) if form == "id" else f"crm:a{i}"

    async def living(self, reference: str) -> dict[str, Any]:
        shape = full(CATALOGUE, NOUN, "admin")
        return orjson.loads(await read.one(self.session, self.admin, CATALOGUE, NOUN, reference, shape))

    async def deals_of(self, reference: str, operator: str) -> set[UUID]:
        values = Values()
        given_ = [reference] if operator == "in" else reference
        tree = from_tree(CATALOGUE, DEALS, self.admin, {"account_id": {operator: given_}}, values)
        query = Query(resource=DEALS, shape=full(CATALOGUE, DEALS, "admin"), filter=tree, values=values)
        page = await read.page(self.session, self.admin, CATALOGUE, query)
        return {UUID(orjson.loads(x)["id"]) for x in page.rows}


async def take(world: World, oracle: Oracle, step_: Any) -> None:
    kind, *what = step_
    if kind == "verb":
        survivor, duplicates = what
        data = {"duplicate_ids": [world.word(x) for x in duplicates]}
        root = oracle.find(survivor[0])
        itself = any(i == (root if form == "id" else oracle.names[root][0]) for i, form in duplicates)
        arguments = (
            world.session,
            world.admin,
            CATALOGUE,
            NOUN,
            ACTIONS["merge"],
            world.word(survivor),
            data,
        )
        if itself:
            with pytest.raises(Conflict, match="itself"):
                await write.act(*arguments)
        else:
            await write.act(*arguments)
            for i, _ in duplicates:
                oracle.merge(survivor[0], i)
    elif kind == "row":
        duplicate, survivor = what
        row = {"external_id": f"a{duplicate[0]}", "merged_into": world.word(survivor)}
        [receipt] = await world.put(NOUN, [row])
        if duplicate[0] == survivor[0] and survivor[1] == "key":
            assert receipt.errors[0].code == "merged_with_itself"
            return
        root = oracle.find(duplicate[0])
        one, names = root == oracle.find(survivor[0]), oracle.names[root]
        # The source ends the name under which it is heard, and keeps another one of the same record.
        turned = one and survivor[1] == "key" and names[0] == duplicate[0]
        assert (receipt.outcome, receipt.reason) == (
            "unchanged" if one and not turned else "updated",
            "merged",
        )
        if turned:
            names.remove(survivor[0])
            names.insert(0, survivor[0])
        oracle.merge(survivor[0], duplicate[0])
    elif kind == "delete":
        [named] = what
        [receipt] = await world.put(NOUN, [{"external_id": f"a{named[0]}", "deleted": True}])
        own = oracle.names[oracle.find(named[0])][0] == named[0]
        assert (receipt.outcome, receipt.reason) == (("deleted", None) if own else ("unchanged", "merged"))
        if own:
            [back] = await world.put(NOUN, [{"external_id": f"a{named[0]}", "name": f"A{named[0]}"}])
            assert back.outcome == "restored"
    else:
        i, field = what
        [receipt] = await world.put(NOUN, [{"external_id": f"a{i}", field: "z"}])
        heard = oracle.names[oracle.find(i)][0] == i
        assert receipt.reason == (None if heard else "merged")
        if heard:
            oracle.values[oracle.find(i)][field] = "z"


async def check(world: World, oracle: Oracle) -> None:
    for i in range(COUNT):
        root = oracle.find(i)
        for form in ("id", "key"):
            word = world.word((i, form))
            found = await world.living(word)
            assert found["id"] == str(world.ids[root])
            assert {field: found[field] for field in FIELDS} == oracle.values[root]
            theirs = {deal for k, deal in enumerate(world.deals) if oracle.find(k) == root}
            for operator in ("eq", "in"):
                assert await world.deals_of(word, operator) == theirs
        part = {str(world.ids[k]) for k in range(COUNT) if oracle.find(k) == root and k != root}
        assert set((await world.living(str(world.ids[root])))["merged_ids"]) == part


async def test_every_name_leads_where_the_oracle_says(make_tenant: Any) -> None:
    company = await make_tenant("Chains")
    stages = [{"external_id": "s", "pipeline_id": "crm:p", "name": "Open"}]
    async with company.database.transaction(company.id) as session:
        world = World(company, session)
        await world.put(CATALOGUE["pipelines"], [{"external_id": "p", "name": "P", "is_default": True}])
        await world.put(CATALOGUE["stages"], stages)

    for seed in range(STORIES):
        records, steps = a_story(seed)
        async with company.database.transaction(company.id) as session:
            world, oracle = World(company, session), Oracle(records)
            await session.connection.execute("savepoint story")
            try:
                await world.begin(records)
                for step in steps:
                    await take(world, oracle, step)
                await check(world, oracle)
            except AssertionError as error:
                error.add_note(f"story {seed}: {steps}")
                raise
            await session.connection.execute("rollback to savepoint story")
