"""Any merges in any order against plain Python: every name that a record ever had leads where the oracle says."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.areas import CATALOGUE
from app.ground.errors import Conflict
from app.language.resources import read, write
from app.language.resources.filter import Values, from_tree
from app.language.resources.read import Query
from app.language.resources.shape import full

COUNT = 6
FIELDS = ("industry", "segment", "country")
NOUN, DEALS, ACTIONS = (
    CATALOGUE["accounts"],
    CATALOGUE["opportunities"],
    CATALOGUE["accounts"].actions_by_name,
)

record = st.fixed_dictionaries({name: st.sampled_from([None, "x", "y"]) for name in FIELDS})
name = st.tuples(st.integers(0, COUNT - 1), st.sampled_from(["id", "key"]))
step = st.one_of(
    st.tuples(st.just("verb"), name, st.lists(name, min_size=1, max_size=3)),
    st.tuples(st.just("row"), name, name),
    st.tuples(st.just("delete"), name),
    st.tuples(st.just("told"), st.integers(0, COUNT - 1), st.sampled_from(FIELDS)),
)


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
        one = oracle.find(duplicate[0]) == oracle.find(survivor[0])
        assert (receipt.outcome, receipt.reason) in (
            [("unchanged", "merged"), ("updated", "merged")] if one else [("updated", "merged")]
        ), receipt
        if one and receipt.outcome == "updated":
            # The source ended the name under which it was heard for the one that it kept.
            names = oracle.names[oracle.find(survivor[0])]
            assert names[0] == duplicate[0]
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

    async def run(records: list[dict[str, Any]], steps: list[Any]) -> None:
        async with company.database.transaction(company.id) as session:
            world, oracle = World(company, session), Oracle(records)
            await session.connection.execute("savepoint run")
            await world.begin(records)
            for step_ in steps:
                await take(world, oracle, step_)
            await check(world, oracle)
            await session.connection.execute("rollback to savepoint run")

    await drawn(run)


async def drawn(run: Any) -> None:
    """Examples from hypothesis, run in this loop."""
    examples: list[Any] = []

    @settings(max_examples=25, deadline=None, derandomize=True, database=None,
              suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    @given(st.lists(record, min_size=COUNT, max_size=COUNT), st.lists(step, min_size=1, max_size=10))
    def draw(records: Any, steps: Any) -> None:
        examples.append((records, steps))

    draw()
    for records, steps in examples:
        try:
            await run(records, steps)
        except AssertionError as error:
            error.add_note(f"{records}\n{steps}")
            raise
