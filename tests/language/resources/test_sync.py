"""A copy that is kept by `changes_since` is the list, whoever keeps it and whatever commits meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import Table
from sqlalchemy.sql import visitors

from app.areas import CATALOGUE
from app.ground.access.principal import Principal
from app.ground.database.session import Database
from app.ground.errors import Gone
from app.language.query.binds import Binds
from app.language.resources import read, sync, write
from app.language.resources.filter import Values, from_parameters
from app.language.resources.read import Query
from app.language.resources.resource import Resource
from app.language.resources.shape import full
from tests.conftest import Company


@dataclass
class Copy:
    """What one client holds of one list."""

    database: Database
    principal: Principal
    noun: Resource
    items: list[tuple[str, str]] = field(default_factory=list)
    limit: int = 50
    cursor: str = "beginning"
    held: dict[str, Any] = field(default_factory=dict)
    told: int = 0
    buried: list[Any] = field(default_factory=list)

    def query(self, **more: Any) -> Query:
        values = Values()
        where = from_parameters(CATALOGUE, self.noun, self.principal, self.items, values)
        shape = full(CATALOGUE, self.noun, self.principal.role)
        return Query(resource=self.noun, shape=shape, filter=where, values=values, **more)

    async def page(self) -> bool:
        async with self.database.transaction(
            self.principal.tenant_id, isolation="repeatable read read only"
        ) as session:
            found = await sync.since(
                session, self.principal, CATALOGUE, self.query(limit=self.limit), self.cursor
            )
        rows = [orjson.loads(x) for x in found.rows]
        gone = [orjson.loads(x) for x in found.tombstones]
        ids = [x["id"] for x in (*rows, *gone)]
        assert len(ids) == len(set(ids)) <= self.limit, "each record once a page"
        self.told += len(ids)
        self.held |= {x["id"]: x for x in rows}
        for tombstone in gone:
            assert tombstone["deleted"] is True
            self.buried.append(tombstone)
            self.held.pop(tombstone["id"], None)
        self.cursor = found.next_cursor
        return found.has_more

    async def follow(self) -> None:
        while await self.page():
            pass

    async def listed(self) -> dict[str, Any]:
        async with self.database.transaction(self.principal.tenant_id) as session:
            chunks = read.stream(session, self.principal, CATALOGUE, self.query())
            return {x["id"]: x async for rows in chunks for x in map(orjson.loads, rows)}


def versions(records: Mapping[str, Any]) -> dict[str, int]:
    return {id_: record["version"] for id_, record in records.items()}


async def put(
    database: Database, company: Company, plural: str, rows: list[dict[str, Any]], **options: Any
) -> list[Any]:
    async with database.transaction(company.id) as session:
        receipts = await write.upsert(
            session, company.principal(), CATALOGUE, CATALOGUE[plural], "crm", rows, **options
        )
    assert not [x.errors for x in receipts if x.outcome == "failed"]
    return [x.id for x in receipts]


async def staffed(database: Database, company: Company) -> dict[str, UUID]:
    """A boss with two reps, another boss with one; a pipeline; two accounts."""
    bosses = await put(database, company, "reps", [{"external_id": x, "name": x} for x in ("b0", "b1")])
    reps = [{"external_id": f"r{i}", "name": f"r{i}", "manager_id": f"crm:b{i // 2}"} for i in range(3)]
    found: dict[str, UUID] = dict(zip(("b0", "b1"), bosses, strict=True))
    found |= dict(zip(("r0", "r1", "r2"), await put(database, company, "reps", reps), strict=True))
    await put(database, company, "pipelines", [{"external_id": "p", "name": "p", "is_default": True}])
    stages = [("s", "open"), ("w", "won")]
    await put(
        database, company, "stages",
        [{"external_id": k, "name": k, "pipeline_id": "crm:p", "category": c} for k, c in stages],
    )  # fmt: skip
    accounts = [{"external_id": f"a{i}", "name": f"a{i}", "owner_id": f"crm:b{i}"} for i in range(2)]
    await put(database, company, "accounts", accounts)
    return found


Settled = Callable[[], Awaitable[None]]


async def test_no_change_is_missed_under_writers_that_commit_late(
    database: Database, tenant: Company, settled: Settled
) -> None:
    """Twenty writers at once, each holding some of its transactions open; three copies are kept meanwhile."""
    await staffed(database, tenant)
    deals = CATALOGUE["opportunities"]
    rows = [{"external_id": f"d{i}", "name": "n", "owner_id": f"crm:r{i % 3}"} for i in range(60)]
    ids = await put(database, tenant, "opportunities", rows)
    gate = asyncio.Semaphore(7)
    done = False

    async def writer(number: int) -> None:
        chance = random.Random(number)
        for step in range(8):
            async with gate, database.transaction(tenant.id) as session:
                mine = [ids[number * 3 + chance.randrange(3)] for _ in range(2)]
                for id_ in dict.fromkeys(mine):
                    data = {"name": f"{number} {step}", "amount": chance.randrange(9)}
                    await write.update(session, tenant.principal(), CATALOGUE, deals, str(id_), data)
                new = {"name": f"new {number} {step}", "owner_id": "crm:r0"}
                await write.create(session, tenant.principal(), CATALOGUE, deals, new)
                # Numbers are taken; whoever began later may commit first.
                await asyncio.sleep(chance.choice((0, 0, 0.01, 0.08)))
            await asyncio.sleep(0)

    async def keep(copy: Copy) -> None:
        while not done:
            await copy.page()
            await asyncio.sleep(0.002)

    copies = [
        Copy(database, tenant.principal(), deals, limit=limit, items=items)
        for limit, items in ((7, []), (50, []), (50, [("amount[gte]", "4")]))
    ]
    keeping = [asyncio.create_task(keep(copy)) for copy in copies]
    await asyncio.gather(*(writer(number) for number in range(20)))
    done = True
    await asyncio.gather(*keeping)
    await settled()
    for copy in copies:
        await copy.follow()
        assert copy.told > len(copy.held), "the copies were kept while it happened"
        assert contents(copy.held) == contents(await copy.listed())


def contents(records: Mapping[str, Any]) -> dict[str, Any]:
    """Without what hangs on the clock."""
    return {id_: {**record, "days_in_stage": None} for id_, record in records.items()}


async def test_everybody_keeps_what_they_see(database: Database, tenant: Company, settled: Settled) -> None:
    """Random changes of deals, accounts and activities: each rep's copies of each noun are that rep's lists."""
    reps = await staffed(database, tenant)
    chance = random.Random(7)
    everybody = [tenant.principal(), *(tenant.principal("manager", id_) for id_ in reps.values())]
    nouns = [CATALOGUE[x] for x in ("opportunities", "accounts", "activities")]
    copies = [Copy(database, who, noun, limit=5) for who in everybody for noun in nouns]

    def any_rep() -> str | None:
        return chance.choice([*(f"crm:{key}" for key in reps), None])

    def deal(index: int) -> dict[str, Any]:
        return {
            "external_id": f"d{index}", "name": f"d{index}", "owner_id": any_rep(),
            "account_id": chance.choice(("crm:a0", "crm:a1", None)),
            "splits": [{"rep_id": x, "share": 1}] if (x := any_rep()) and chance.random() < 0.4 else [],
            "team": [{"rep_id": x}] if (x := any_rep()) and chance.random() < 0.4 else [],
        }  # fmt: skip

    await put(database, tenant, "opportunities", [deal(i) for i in range(8)])
    for _ in range(12):
        await put(database, tenant, "opportunities", [deal(i) for i in chance.sample(range(8), 2)])
        await put(
            database, tenant, "activities",
            [{
                "external_id": f"t{chance.randrange(12)}", "kind": "call", "owner_id": any_rep(),
                "opportunity_id": chance.choice((*(f"crm:d{i}" for i in range(8)), None)),
                "account_id": chance.choice(("crm:a0", "crm:a1", None)),
            }],
            missing="null",
        )  # fmt: skip
        if chance.random() < 0.3:
            index = chance.randrange(2)
            await put(
                database, tenant, "accounts",
                [{"external_id": f"a{index}", "name": f"a{index}", "owner_id": any_rep()}],
            )  # fmt: skip
        if chance.random() < 0.5:
            async with database.transaction(tenant.id) as session:
                name = f"crm:d{chance.randrange(8)}"
                gone = await read.one(
                    session, tenant.principal(), CATALOGUE, nouns[0], name,
                    full(CATALOGUE, nouns[0], "admin"), deleted=True,
                )  # fmt: skip
                verb = write.restore if orjson.loads(gone)["deleted_at"] else write.delete
                id_ = orjson.loads(gone)["id"]
                await verb(session, tenant.principal(), CATALOGUE, nouns[0], id_)
        await settled()
        for copy in copies:
            await copy.follow()
            there = await copy.listed()
            assert versions(copy.held) == versions(there), (copy.principal.role, copy.noun.plural)
    hidden = [x for copy in copies if copy.principal.role == "manager" for x in copy.buried]
    assert any(not x["external_ids"] for x in hidden)


async def test_whoever_loses_a_deal_learns_its_id_and_nothing_else(
    database: Database, tenant: Company, settled: Settled
) -> None:
    reps = await staffed(database, tenant)
    [mine] = await put(
        database, tenant, "opportunities", [{"external_id": "d", "name": "d", "owner_id": "crm:r0"}]
    )
    deals = CATALOGUE["opportunities"]
    copies = {key: Copy(database, tenant.principal("rep", reps[key]), deals) for key in ("r0", "r1", "r2")}
    await settled()
    for copy in copies.values():
        await copy.follow()
    await put(database, tenant, "opportunities", [{"external_id": "d", "owner_id": "crm:r1"}])
    await settled()
    for copy in copies.values():
        await copy.follow()
    assert copies["r0"].buried == [{"id": str(mine), "deleted": True, "external_ids": []}]
    assert [x["name"] for x in copies["r1"].held.values()] == ["d"]
    assert copies["r2"].told == 0, "who never saw it is told nothing"
    async with database.transaction(tenant.id) as session:
        await write.delete(session, tenant.principal(), CATALOGUE, deals, "crm:d")
    await settled()
    for copy in copies.values():
        await copy.follow()
    names = [{"source": "crm", "external_id": "d", "url": None}]
    assert copies["r1"].buried == [{"id": str(mine), "deleted": True, "external_ids": names}]
    assert copies["r2"].told == 0


async def test_another_reach_begins_anew(database: Database, tenant: Company, settled: Settled) -> None:
    reps = await staffed(database, tenant)
    boss = Copy(database, tenant.principal("manager", reps["b0"]), CATALOGUE["opportunities"])
    other = Copy(database, tenant.principal("manager", reps["b1"]), CATALOGUE["opportunities"])
    await put(database, tenant, "opportunities", [{"external_id": "d", "name": "d", "owner_id": "crm:r2"}])
    await settled()
    for copy in (boss, other):
        await copy.follow()
    assert (len(boss.held), len(other.held)) == (0, 1)
    await put(database, tenant, "reps", [{"external_id": "r2", "manager_id": "crm:b0"}])
    await settled()
    for copy in (boss, other):
        with pytest.raises(Gone):
            await copy.page()
        copy.cursor, copy.held = "beginning", {}
        await copy.follow()
    assert (len(boss.held), len(other.held)) == (1, 0)


async def test_a_long_window_is_walked_without_loss(
    database: Database, tenant: Company, settled: Settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows of a few events, pages of one record, and one event that concerns many records."""
    monkeypatch.setattr(sync, "WINDOW", 3)
    monkeypatch.setattr(sync, "MOST_WINDOWS", 2)
    reps = await staffed(database, tenant)
    calls = CATALOGUE["activities"]
    copy = Copy(database, tenant.principal("rep", reps["r1"]), calls, limit=1)
    await put(database, tenant, "opportunities", [{"external_id": "d", "name": "d", "owner_id": "crm:r0"}])
    await put(
        database, tenant, "activities",
        [{"external_id": f"t{i}", "kind": "call", "opportunity_id": "crm:d"} for i in range(9)],
    )  # fmt: skip
    await settled()
    await copy.follow()
    assert copy.held == {}
    await put(database, tenant, "teams", [{"external_id": f"x{i}", "name": "x"} for i in range(20)])
    await put(database, tenant, "opportunities", [{"external_id": "d", "owner_id": "crm:r1"}])
    await settled()
    await copy.follow()
    assert len(copy.held) == 9


# -- declarations -----------------------------------------------------------------------------------------------------


def tables_in(condition: Any) -> set[str]:
    return {x.name for x in visitors.iterate(condition) if isinstance(x, Table)}


@pytest.mark.parametrize("noun", list(CATALOGUE), ids=lambda x: x.plural)
def test_what_sight_hangs_on_is_declared(noun: Resource) -> None:
    """A noun whose visibility reads another's rows follows that noun; one that hangs on a place says so."""
    record = noun.table.alias("record")
    condition = noun.visible(record, Binds(role="rep", sees_all=False))
    if condition is None:
        assert noun.standing is None
        assert not noun.follows
        return
    assert noun.standing is not None

    def held(of: Resource) -> set[str]:
        own = {of.table.name, *(child.table.name for child in of.children)}
        return own.union(*(held(CATALOGUE[x.noun]) for x in of.follows))

    assert tables_in(condition) <= held(noun) | {"rep_reach", "reps"}
    for other in noun.follows:
        theirs = CATALOGUE[other.noun]
        known = {x.name for x in theirs.fields} | set(theirs.children_by_name)
        assert set(other.when) <= known
        place = theirs.children_by_name[other.child] if other.child else theirs
        assert other.via in (place if other.backwards else noun).by_name
