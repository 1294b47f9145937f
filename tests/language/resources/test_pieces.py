"""An upsert that is judged and stored piece by piece does what one does that is stored at once."""

from __future__ import annotations

from typing import Any

import pytest

from app.areas import CATALOGUE
from app.language.resources import batch, steps, unchanged, write
from app.language.resources.batch import Receipt
from tests.language.resources.test_write import seed

ROWS = 45
BY_RULE, BY_DATABASE, NO_SUCH = (3, 24, 44), 17, 31
"""Rows that a rule refuses, in the first piece, in the middle and in the last; one that only the database refuses; and
one whose owner is not there."""


@pytest.fixture(params=[10, 1_000], ids=["pieces", "whole"])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    for module in (batch, steps, unchanged, write):
        monkeypatch.setattr(module, "PIECE", request.param)
    return request.param


def rows() -> list[dict[str, Any]]:
    return [
        {
            "external_id": f"d{n}", "name": f"Deal é{n}", "owner_id": "crm:r1", "account_id": "crm:a1",
            "stage_id": "crm:s1", "amount": n, "currency": "USD", "url": f"https://crm.test/{n}",
            "opened_at": "2026-01-05T09:00:00Z",
        }
        for n in range(ROWS)
    ]  # fmt: skip


def spoiled() -> list[dict[str, Any]]:
    given = rows()
    for n in BY_RULE:
        given[n]["splits"] = [{"rep_id": "crm:r1", "share": 0.4}]
    given[BY_DATABASE]["url"] = "a\x00b"
    given[NO_SUCH]["owner_id"] = "crm:nobody"
    return given


async def send(database: Any, principal: Any, given: list[dict[str, Any]], **options: Any) -> list[Receipt]:
    async with database.transaction(principal.tenant_id) as session:
        deals = CATALOGUE["opportunities"]
        return await write.upsert(session, principal, CATALOGUE, deals, "crm", given, **options)


async def count(database: Any, principal: Any, sql: str) -> int:
    async with database.transaction(principal.tenant_id) as session:
        return await session.connection.fetchval(sql)


NAMES = "select count(*) from external_ids where noun = 'opportunities'"
ASTRAY = """
select count(*) from external_ids x full join opportunities o on o.tenant_id = x.tenant_id and o.id = x.record_id
where coalesce(x.noun, 'opportunities') = 'opportunities' and (x.record_id is null or o.id is null)
"""
ENTRIES = "select count(distinct entry_id) from opportunities_history"


async def test_good_rows_go_in_and_refused_ones_leave_no_name(database: Any, tenant: Any, piece: int) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    receipts = await send(database, principal, spoiled(), dry_run=True)
    assert await count(database, principal, NAMES) == 0
    receipts = await send(database, principal, spoiled())
    failed = {r.index: r.errors[0].code for r in receipts if r.outcome == "failed"}
    assert failed == dict.fromkeys(BY_RULE, "splits_refused") | {
        BY_DATABASE: "refused", NO_SUCH: "reference_not_found",
    }  # fmt: skip
    good = ROWS - len(failed)
    assert [r.outcome for r in receipts].count("created") == good
    assert await count(database, principal, NAMES) == good
    assert await count(database, principal, ASTRAY) == 0
    # Open since the day that it says, in its stage since it came.
    assert await count(database, principal, ENTRIES) == 2 * good
    again = await send(database, principal, rows())
    assert {r.index for r in again if r.outcome == "created"} == set(failed)
    assert {r.outcome for r in again} == {"created", "unchanged"}


async def test_events_keep_the_order_of_the_rows(database: Any, tenant: Any, piece: int) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    receipts = await send(database, principal, rows())
    async with database.transaction(principal.tenant_id) as session:
        told = await session.connection.fetch(
            "select record_id from events where noun = 'opportunities' order by txid, sequence"
        )
    assert [row["record_id"] for row in told] == [r.id for r in receipts]
    changed = [row | {"amount": 99, "source_updated_at": "2026-02-01T00:00:00Z"} for row in rows()]
    assert {r.outcome for r in await send(database, principal, changed)} == {"updated"}
    # The source's clock is kept of every row, so all of an older word is stale.
    older = [row | {"source_updated_at": "2026-01-01T00:00:00Z"} for row in rows()]
    assert {r.reason for r in await send(database, principal, older)} == {"stale"}


async def test_what_was_told_is_kept_where_it_changes_nothing(database: Any, tenant: Any, piece: int) -> None:
    """Against an earlier point that comes later it still stands."""
    principal = tenant.principal()
    await seed(database, principal)
    told = [row | {"history": [{"at": "2026-02-01T00:00:00Z", "amount": row["amount"]}]} for row in rows()]
    await send(database, principal, rows())
    receipts = await send(database, principal, told)
    kept = await count(database, principal, "select count(*) from history_points where at = '2026-02-01'")
    assert ({r.outcome for r in receipts}, kept) == ({"unchanged"}, ROWS)
