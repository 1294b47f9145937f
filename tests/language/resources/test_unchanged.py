"""Rows that say nothing new leave a large upsert before anything is locked; of all it says what it would have said."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from app.areas import CATALOGUE
from app.ground.access import custom
from app.ground.access.principal import Principal
from app.language.resources import batch, steps, unchanged, write
from app.language.resources.batch import Receipt
from tests.language.resources.test_write import seed

ROWS = 90


@pytest.fixture(autouse=True)
def piece(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (batch, steps, unchanged, write):
        monkeypatch.setattr(module, "PIECE", 10)


def told(n: int) -> dict[str, Any]:
    return {
        "external_id": f"d{n}", "name": f"Deal {n}", "owner_id": "crm:r1", "account_id": "crm:a1", "type": None,
        "stage_id": "crm:s1", "amount": n, "url": f"https://crm.test/{n}", "opened_at": "2026-01-05",
        "custom": {"tier": "silver", "size": 1.5, "count": 1, "is_big": True, "seen_on": "2026-02-03"},
    }  # fmt: skip


def _without(name: str) -> Any:
    return lambda row: {k: v for k, v in row.items() if k != name}


# What a source may send the second time, beside the same again.
SECOND: dict[str, Any] = {
    "same": lambda row: row,
    "fewer": _without("amount"),
    "no url": _without("url"),
    "other url": lambda row: row | {"url": "https://crm.test/moved"},
    "amount": lambda row: row | {"amount": 1_000_000},
    "same amount": lambda row: row | {"amount": f"{row['amount']}.00"},
    "nothing": lambda row: row | {"amount": None},
    "default": lambda row: row | {"currency": None},
    "other currency": lambda row: row | {"currency": "EUR"},
    "other owner": lambda row: row | {"owner_id": "crm:r2"},
    "nobody": lambda row: row | {"owner_id": None},
    "no such": lambda row: row | {"owner_id": "crm:nowhere"},
    "wrong": lambda row: row | {"amount": "much"},
    "deleted": lambda row: {"external_id": row["external_id"], "deleted": True},
    "version": lambda row: row | {"if_version": 1},
    "other version": lambda row: row | {"if_version": 7},
    "clock": lambda row: row | {"source_updated_at": "2026-02-01T00:00:00Z"},
    "lists": lambda row: row | {"splits": [{"rep_id": "crm:r2", "share": 1}]},
    "history": lambda row: row | {"history": [{"at": "2026-01-20", "amount": 3}]},
    "custom": lambda row: row | {"custom": {"tier": "gold"}},
    "some custom": lambda row: row | {"custom": {"tier": "silver", "count": 1}},
    "no custom": lambda row: row | {"custom": None},
    "a custom less": lambda row: row | {"custom": {"tier": None}},
    "a custom that was not": lambda row: row | {"custom": {"other": None}},
    "another count": lambda row: row | {"custom": {"count": 2}},
    "no count": lambda row: row | {"custom": {"count": True}},
    "new": lambda row: row | {"external_id": f"{row['external_id']}-new"},
    "again": lambda row: row | {"external_id": "d0"},
}


KINDS = {
    "tier": "text",
    "size": "number",
    "count": "integer",
    "is_big": "flag",
    "seen_on": "day",
    "other": "text",
}


def asker(company: Any) -> Principal:
    """An admin of a tenant that has added fields to its deals."""
    declared = json.dumps([["opportunities", name, kind, True] for name, kind in KINDS.items()])
    principal = company.principal()
    return replace(principal, tenant=replace(principal.tenant, custom=custom.told(declared)))


async def send(database: Any, principal: Any, given: list[dict[str, Any]], **options: Any) -> list[Receipt]:
    async with database.transaction(principal.tenant_id) as session:
        deals = CATALOGUE["opportunities"]
        return await write.upsert(session, principal, CATALOGUE, deals, "crm", given, **options)


def plain(receipts: list[Receipt], *, ids: bool) -> list[Any]:
    return [
        (r.outcome, r.external_id, r.version, r.changed, r.reason, r.errors, str(r.failure), ids and r.id)
        for r in receipts
    ]  # fmt: skip


@pytest.mark.parametrize("seed_", range(8))
async def test_the_receipts_are_those_of_the_whole_way(
    database: Any, tenant: Any, monkeypatch: pytest.MonkeyPatch, seed_: int
) -> None:
    principal = asker(tenant)
    await seed(database, principal)
    await send(database, principal, [told(n) for n in range(ROWS)])
    # One is gone, and one has a name that came with a duplicate of it.
    await send(database, principal, [{"external_id": "d3", "deleted": True}])
    dice = random.Random(seed_)
    kinds = [dice.choice([*SECOND, *["same"] * len(SECOND)]) for _ in range(ROWS)]
    given = [SECOND[kind](told(n)) for n, kind in enumerate(kinds)]
    quickly = plain(await send(database, principal, given, dry_run=True), ids=False)

    async def not_at_all(_: Any) -> None:
        pass

    with monkeypatch.context() as patched:
        patched.setattr(unchanged, "set_aside", not_at_all)
        assert plain(await send(database, principal, given, dry_run=True), ids=False) == quickly
    assert "unchanged" in {outcome for outcome, *_ in quickly}
    assert plain(await send(database, principal, given), ids=False) == quickly


async def test_rows_that_stay_as_they_are_wait_for_nobody(database: Any, tenant: Any) -> None:
    principal = asker(tenant)
    await seed(database, principal)
    rows = [told(n) for n in range(ROWS)]
    first = await send(database, principal, rows)
    async with database.transaction(principal.tenant_id) as other:
        await other.connection.execute("update opportunities set amount = 7 where name = 'Deal 5'")
        again = await asyncio.wait_for(send(database, principal, rows), timeout=20)
    assert {r.outcome for r in again} == {"unchanged"}
    assert plain(again, ids=True) == [("unchanged", *x[1:3], (), *x[4:]) for x in plain(first, ids=True)]
    # Who comes later hears of it.
    assert [r.external_id for r in await send(database, principal, rows) if r.changed] == ["d5"]


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows that go the whole way."""
    indices: list[int] = []
    set_aside = unchanged.set_aside

    async def noted(given: Any) -> None:
        await set_aside(given)
        indices.extend(draft.index for draft in given.drafts)

    monkeypatch.setattr(unchanged, "set_aside", noted)
    return indices


async def test_a_name_that_a_duplicate_brought_along_is_judged(
    database: Any, tenant: Any, left: list[int]
) -> None:
    principal = asker(tenant)
    await seed(database, principal)
    rows = [told(n) | {"currency": None} for n in range(ROWS)]
    await send(database, principal, rows)
    async with database.transaction(principal.tenant_id) as session:
        await session.connection.execute(
            "update opportunities set external_ids = jsonb_set(external_ids, '{0,merged}', 'true')"
            " where name = 'Deal 8'"
        )
    left.clear()
    await send(database, principal, rows)
    assert left == [8]


async def test_what_one_does_not_see_does_not_stay_as_it_is(database: Any, tenant: Any) -> None:
    principal = asker(tenant)
    await seed(database, principal)
    await send(database, principal, [told(n) for n in range(ROWS)])
    stranger = tenant.principal("rep", rep_id=UUID(int=1))
    receipts = await send(
        database, stranger, [{"external_id": f"d{n}", "name": f"Deal {n}"} for n in range(ROWS)]
    )
    assert {r.outcome for r in receipts} == {"failed"}


async def test_the_clock_of_the_source_goes_on(database: Any, tenant: Any) -> None:
    principal = asker(tenant)
    await seed(database, principal)
    rows = [told(n) for n in range(ROWS)]
    await send(database, principal, rows)
    for at, reason in (("2026-02-02", None), ("2026-02-01", "stale")):
        dated = [row | {"source_updated_at": f"{at}T00:00:00Z"} for row in rows]
        receipts = await send(database, principal, dated)
        assert {(r.outcome, r.reason) for r in receipts} == {("unchanged", reason)}


async def test_of_two_names_of_one_record_the_second_is_refused(database: Any, tenant: Any) -> None:
    principal = asker(tenant)
    await seed(database, principal)
    rows = [_without("url")(told(n)) for n in range(ROWS)]
    first = await send(database, principal, rows)
    names = [{"source": "crm", "external_id": name} for name in ("d4", "d4-too")]
    async with database.transaction(principal.tenant_id) as session:
        deals = CATALOGUE["opportunities"]
        await write.update(session, principal, CATALOGUE, deals, str(first[4].id), {"external_ids": names})
    receipts = await send(database, principal, [*rows, told(4) | {"external_id": "d4-too", "amount": 5}])
    assert [(r.index, r.errors[0].code) for r in receipts if r.errors] == [(ROWS, "duplicate_row")]
