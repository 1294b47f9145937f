"""Writers who meet: no deadlock reaches a caller, each row has one winner, nothing is made twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.areas import CATALOGUE
from tests.catalogue.conftest import World
from tests.catalogue.faces import Rest, must

ROWS, ROUNDS = 1_000, 4
deals = pytest.mark.parametrize("noun", [CATALOGUE["opportunities"]], ids=lambda noun: noun.plural)

_OVERLAPS = """
select count(*) from (
    select valid_from, lag(valid_to) over (partition by record_id order by valid_from) as ended
    from opportunities_history where tenant_id = $1 and superseded_at = 'infinity'
) x where ended > valid_from
"""
_ASTRAY = """
select count(*) from opportunities o
left join opportunities_history h on h.tenant_id = o.tenant_id and h.record_id = o.id
    and h.valid_to = 'infinity' and h.superseded_at = 'infinity'
where o.tenant_id = $1 and (h.record_id is null or (h.name, h.amount) is distinct from (o.name, o.amount))
"""
# Counted before it is joined: of a tenant that no statistics know yet the planner would look up each record's versions
# among all of the tenant's.
_ENTRIES = """
with kept as materialized (
    select record_id, count(*) from opportunities_history
    where tenant_id = $1 and superseded_at = 'infinity' group by record_id
)
select o.version, kept.count from opportunities o join kept on kept.record_id = o.id where o.tenant_id = $1
"""


def rows(bench: World, writer: str, number: int) -> list[dict[str, Any]]:
    stage = next(x for x in bench.make.known["stages"] if bench.make.facts[x]["category"] in (None, "open"))
    return [
        {"external_id": f"d{i}", "name": f"{writer} {number}", "amount": number, "stage_id": stage, "currency": "USD",
         "opened_at": "2026-01-01"}
        for i in range(ROWS)
    ]  # fmt: skip


@pytest.fixture
async def open_stage(bench: World) -> World:
    pipeline = bench.make.known["pipelines"][0]
    stage = {"external_id": "begin", "pipeline_id": pipeline, "name": "Begin", "category": "open"}
    await bench.put(CATALOGUE["stages"], [stage])
    return bench


@deals
async def test_two_writers_of_the_same_rows_in_opposite_order(
    open_stage: World, rest: Rest, noun: Any
) -> None:
    bench = open_stage
    key = await bench.key()
    for number in range(1, ROUNDS + 1):
        mine, theirs = rows(bench, "one", number), rows(bench, "two", number)[::-1]
        answers = await asyncio.gather(rest.upsert(key, noun, mine), rest.upsert(key, noun, theirs))
        receipts = [await must(_given(x)) for x in answers]
        outcomes = [[x["outcome"] for x in each] for each in receipts]
        assert all(set(x) <= {"created", "updated"} for x in outcomes), (number, set(map(tuple, outcomes)))
        ids = {x["external_id"]: x["id"] for x in receipts[0]}
        assert ids == {x["external_id"]: x["id"] for x in receipts[1]}
        both = zip(sorted(receipts[0], key=_name), sorted(receipts[1], key=_name), strict=True)
        assert all(a["version"] != b["version"] for a, b in both), "one of them came second"
    async with bench.database.transaction(bench.company.id) as session:
        fetch = session.connection.fetch
        stored = await fetch("select name, version from opportunities where tenant_id = $1", bench.company.id)
        assert len(stored) == ROWS
        assert {row["name"] for row in stored} <= {f"one {ROUNDS}", f"two {ROUNDS}"}
        assert {row["version"] for row in stored} == {2 * ROUNDS}
        assert await session.connection.fetchval(_OVERLAPS, bench.company.id) == 0
        assert await session.connection.fetchval(_ASTRAY, bench.company.id) == 0
        counts = await fetch(_ENTRIES, bench.company.id)
        assert {row["count"] - row["version"] for row in counts} <= {0, 1}, "each write left one version"


async def _given(answer: Any) -> Any:
    return answer


def _name(receipt: dict[str, Any]) -> str:
    return receipt["external_id"]


@deals
async def test_single_writes_of_the_same_records_meet(open_stage: World, rest: Rest, noun: Any) -> None:
    """Everybody changes everything at once: each write is there, one after the other."""
    bench = open_stage
    key = await bench.key()
    receipts = await must(rest.upsert(key, noun, rows(bench, "zero", 0)[:5]))
    ids = [x["id"] for x in receipts]
    writes = [
        rest.write(key, noun, "update", ids[(i * step) % 5], {"next_step": f"{step} {i}"})
        for step in (1, 2, 3)
        for i in range(20)
    ]
    answers = [await must(_given(x)) for x in await asyncio.gather(*writes)]
    by_id: dict[str, list[int]] = {}
    for answer in answers:
        by_id.setdefault(answer["id"], []).append(answer["version"])
    for id_, versions in by_id.items():
        assert sorted(versions) == list(range(2, len(versions) + 2)), id_
    async with bench.database.transaction(bench.company.id) as session:
        assert await session.connection.fetchval(_OVERLAPS, bench.company.id) == 0
        assert await session.connection.fetchval(_ASTRAY, bench.company.id) == 0


@deals
async def test_only_one_of_many_who_read_the_same_version_writes(
    open_stage: World, rest: Rest, noun: Any
) -> None:
    bench = open_stage
    key = await bench.key()
    [receipt] = await must(rest.upsert(key, noun, rows(bench, "zero", 0)[:1]))
    writes = [
        rest.write(key, noun, "update", receipt["id"], {"next_step": f"{i}"}, version=1) for i in range(20)
    ]
    answers = await asyncio.gather(*writes)
    won = [x for x in answers if isinstance(x, dict)]
    lost = [(x.status, x.code) for x in answers if not isinstance(x, dict)]
    assert len(won) == 1
    assert lost == [(412, "version_conflict")] * 19


@pytest.mark.parametrize(
    "noun", [CATALOGUE[x] for x in ("accounts", "reps", "opportunities")], ids=lambda noun: noun.plural
)
async def test_the_same_new_names_from_many_sides_are_one_record_each(
    bench: World, rest: Rest, noun: Any
) -> None:
    key = await bench.key()
    made = [{"external_id": f"n{i}", **bench.make.payload(noun)} for i in range(60)]
    orders = [made, made[::-1], made[30:] + made[:30], made[::2] + made[1::2]] * 2
    answers = await asyncio.gather(*(rest.upsert(key, noun, order) for order in orders))
    receipts = [await must(_given(x)) for x in answers]
    ids: dict[str, set[str]] = {}
    created: dict[str, int] = {}
    for each in receipts:
        for receipt in each:
            assert receipt["outcome"] in ("created", "unchanged"), receipt
            ids.setdefault(receipt["external_id"], set()).add(receipt["id"])
            created[receipt["external_id"]] = created.get(receipt["external_id"], 0) + (
                receipt["outcome"] == "created"
            )
    assert {len(x) for x in ids.values()} == {1}
    assert set(created.values()) == {1}
    async with bench.database.transaction(bench.company.id) as session:
        count = await session.connection.fetchval(
            f"select count(*) from {noun.table.name} where tenant_id = $1"
            " and external_ids->0->>'source' = 'crm' and external_ids->0->>'external_id' like 'n%'",
            bench.company.id,
        )
    assert count == 60
