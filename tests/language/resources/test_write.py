"""The one write path: receipts, history, events, races."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.areas import CATALOGUE
from app.ground.errors import Invalid, NotFound, VersionConflict
from app.language.resources import changes, history, write


async def seed(database: Any, principal: Any) -> None:
    async with database.transaction(principal.tenant_id) as session:

        async def put(plural: str, rows: list[dict[str, Any]]) -> None:
            receipts = await write.upsert(session, principal, CATALOGUE, CATALOGUE[plural], "crm", rows)
            assert [r.errors for r in receipts if r.outcome == "failed"] == []

        await put("teams", [{"external_id": "t1", "name": "East"}])
        await put("reps", [{"external_id": "m", "name": "Manager"}])
        await put(
            "reps",
            [
                {"external_id": f"r{i}", "name": f"Rep {i}", "manager_id": "crm:m", "team_id": "crm:t1"}
                for i in range(3)
            ],
        )
        await put("pipelines", [{"external_id": "p", "name": "Main", "is_default": True}])
        await put(
            "stages",
            [
                {
                    "external_id": "s1",
                    "pipeline_id": "crm:p",
                    "name": "Open",
                    "position": 1,
                    "probability": 0.2,
                },
                {
                    "external_id": "s2",
                    "pipeline_id": "crm:p",
                    "name": "Late",
                    "position": 2,
                    "probability": 0.6,
                },
                {
                    "external_id": "won",
                    "pipeline_id": "crm:p",
                    "name": "Won",
                    "position": 3,
                    "category": "won",
                },
                {
                    "external_id": "lost",
                    "pipeline_id": "crm:p",
                    "name": "Lost",
                    "position": 4,
                    "category": "lost",
                },
            ],
        )
        await put("products", [{"external_id": "gtx", "name": "GTX", "cost": 12.5}])
        await put("accounts", [{"external_id": "a1", "name": "Acme", "owner_id": "crm:r1"}])


def deal(index: int, **more: Any) -> dict[str, Any]:
    return {
        "external_id": f"d{index}", "name": f"Deal {index}", "account_id": "crm:a1", "owner_id": "crm:r1",
        "stage_id": "crm:s1", "amount": 100 + index, "currency": "USD", "opened_at": "2026-01-05",
        "line_items": [{"product_id": "crm:gtx", "quantity": 2, "unit_price": 50}],
        "splits": [{"rep_id": "crm:r1", "share": 0.5}, {"rep_id": "crm:r2", "share": 0.5}],
        "team": [{"rep_id": "crm:r0", "role": "SE"}],
    } | more  # fmt: skip


async def upsert(database: Any, principal: Any, rows: list[dict[str, Any]], **options: Any) -> list[Any]:
    async with database.transaction(principal.tenant_id) as session:
        return await write.upsert(
            session, principal, CATALOGUE, CATALOGUE["opportunities"], "crm", rows, **options
        )


async def counts(database: Any, principal: Any) -> dict[str, int]:
    tables = (
        "opportunities",
        "opportunities_history",
        "opportunity_splits_history",
        "events",
        "external_ids",
    )
    async with database.transaction(principal.tenant_id) as session:
        return {t: await session.connection.fetchval(f"select count(*) from {t}") for t in tables}


async def test_an_identical_upsert_of_ten_thousand_changes_nothing(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    rows = [deal(i) if i % 50 == 0 else deal(i, line_items=[], splits=[], team=[]) for i in range(10_000)]
    first = await upsert(database, principal, rows)
    assert {r.outcome for r in first} == {"created"}, first[0]
    before = await counts(database, principal)
    again = await upsert(database, principal, rows)
    assert {r.outcome for r in again} == {"unchanged"}, again[0]
    assert [r.id for r in again] == [r.id for r in first]
    assert await counts(database, principal) == before
    rows[7] |= {"amount": 5}
    changed = await upsert(database, principal, rows)
    assert [(r.index, r.outcome, r.changed) for r in changed if r.outcome != "unchanged"] == [
        (7, "updated", ("amount",))
    ]
    after = await counts(database, principal)
    assert after["events"] == before["events"] + 1
    assert after["opportunities_history"] == before["opportunities_history"] + 1


async def test_a_bad_row_fails_alone_and_atomic_refuses_all(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    rows = [
        deal(0),
        deal(1, amount="x"),
        deal(2, owner_id="crm:nobody"),
        deal(0),
        deal(4, splits=[{"rep_id": "crm:r1", "share": 0.7}]),
        {"external_id": "d5", "stage_id": "crm:s1"},
        deal(6),
    ]
    receipts = await upsert(database, principal, rows)
    assert [r.outcome for r in receipts] == [
        "created",
        "failed",
        "failed",
        "failed",
        "failed",
        "failed",
        "created",
    ]
    assert [r.errors[0].code for r in receipts if r.errors] == [
        "not_a_number", "reference_not_found", "duplicate_row", "splits_refused", "required",
    ]  # fmt: skip
    with pytest.raises(Invalid) as refused:
        await upsert(database, principal, [deal(10), deal(11, amount="x")], atomic=True)
    assert refused.value.errors[0].pointer == "/rows/1/amount"
    assert (await counts(database, principal))["opportunities"] == 2


async def test_a_dry_run_takes_the_real_way_and_leaves_nothing(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    before = await counts(database, principal)
    receipts = await upsert(database, principal, [deal(0), deal(1, amount="x")], dry_run=True)
    assert [r.outcome for r in receipts] == ["created", "failed"]
    assert await counts(database, principal) == before


async def test_verbs_versions_and_deletion(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    await upsert(database, principal, [deal(0)])
    deals = CATALOGUE["opportunities"]
    act = deals.actions_by_name
    tid = principal.tenant_id
    async with database.transaction(tid) as session:
        won = await write.act(session, principal, CATALOGUE, deals, act["close_won"], "crm:d0", {})
    assert won.outcome == "updated"
    assert {"stage_id", "category", "closed_at", "credited_owner_id"} <= set(won.changed)
    with pytest.raises(VersionConflict):
        async with database.transaction(tid) as session:
            await write.update(session, principal, CATALOGUE, deals, "crm:d0", {"name": "x"}, if_version=1)
    async with database.transaction(tid) as session:
        await write.act(
            session, principal, CATALOGUE, deals, act["reassign"], "crm:d0", {"owner_id": "crm:r2"}
        )
        row = await session.connection.fetchrow("select * from opportunities")
        assert row["owner_id"] != row["credited_owner_id"]
    async with database.transaction(tid) as session:
        await write.act(session, principal, CATALOGUE, deals, act["reopen"], "crm:d0", {})
        row = await session.connection.fetchrow("select * from opportunities")
        assert (row["category"], row["closed_at"], row["credited_owner_id"]) == ("open", None, None)
    async with database.transaction(tid) as session:
        assert (await write.delete(session, principal, CATALOGUE, deals, "crm:d0")).outcome == "deleted"
    with pytest.raises(NotFound):
        async with database.transaction(tid) as session:
            await write.update(session, principal, CATALOGUE, deals, "crm:d0", {"name": "x"})
    [restored] = await upsert(database, principal, [deal(0)])
    assert restored.outcome == "restored"
    async with database.transaction(tid) as session:
        types = await session.connection.fetch(
            "select type from events where noun = 'opportunities' order by sequence"
        )
        assert [t[0].removeprefix("opportunity.") for t in types] == [
            "created", "won", "reassigned", "reopened", "deleted", "restored",
        ]  # fmt: skip
        overlaps = await session.connection.fetchval(
            "select count(*) from opportunities_history a join opportunities_history b on a.record_id = b.record_id "
            "and a.entry_id < b.entry_id and a.valid_from < b.valid_to and b.valid_from < a.valid_to "
            "and a.superseded_at = 'infinity' and b.superseded_at = 'infinity'"
        )
        assert overlaps == 0


async def test_history_comes_in_and_comes_in_again_unchanged(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    row = deal(
        0,
        stage_id="crm:won",
        closed_at="2026-03-01",
        history=[
            {"at": "2026-01-10", "stage_id": "crm:s1", "amount": 500},
            {"at": "2026-02-10", "stage_id": "crm:s2", "amount": 700},
            {"at": "2026-03-01", "stage_id": "crm:won", "amount": 100},
        ],
    )
    [created] = await upsert(database, principal, [row])
    assert created.outcome == "created", created
    async with database.transaction(principal.tenant_id) as session:
        versions = await session.connection.fetch(
            "select valid_from::date::text, category, amount::int, closed_at::date::text, inferred, stage_id is null "
            "from opportunities_history where superseded_at = 'infinity' order by valid_from"
        )
    assert [tuple(v) for v in versions] == [
        ("2026-01-05", "open", 500, None, True, True),
        ("2026-01-10", "open", 500, None, False, False),
        ("2026-02-10", "open", 700, None, False, False),
        ("2026-03-01", "won", 100, "2026-03-01", False, False),
    ]
    [again] = await upsert(database, principal, [row])
    assert again.outcome == "unchanged", again
    row["history"].insert(1, {"at": "2026-01-20", "amount": 650})
    [more] = await upsert(database, principal, [row])
    assert (more.outcome, more.changed) == ("updated", ("history",))


async def test_history_is_read_as_it_was_and_as_it_was_known(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    await upsert(database, principal, [deal(0), deal(1)])
    deals = CATALOGUE["opportunities"]
    async with database.transaction(principal.tenant_id) as session:
        close = deals.actions_by_name["close_won"]
        await write.act(session, principal, CATALOGUE, deals, close, "crm:d0", {"closed_at": "2026-03-01"})
    async with database.transaction(principal.tenant_id) as session:
        page = await history.page(session, principal, CATALOGUE, deals, "crm:d0", limit=50)
        rows = [orjson.loads(row) for row in page.rows]
        current = [row for row in rows if row["superseded_at"] is None]
        assert [row["category"] for row in current] == ["open", "won"]
        assert current[-1]["is_current"]
        assert current[0]["valid_to"] == current[1]["valid_from"]
        assert len(rows) > len(current), "what was believed before is kept"
        seen: list[str] = []
        cursor = None
        while True:
            part = await history.page(session, principal, CATALOGUE, deals, limit=2, after=cursor)
            seen += part.rows
            cursor = part.next_cursor
            if cursor is None:
                break
        total = await session.connection.fetchval("select count(*) from opportunities_history")
        assert len(seen) == len(set(seen)) == total


async def test_a_rewritten_past_keeps_the_time_in_which_the_record_was_deleted(
    database: Any, tenant: Any
) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    await upsert(database, principal, [deal(0)])
    deals, tid = CATALOGUE["opportunities"], principal.tenant_id

    async def gap() -> Any:
        async with database.transaction(tid) as session:
            return await session.connection.fetchrow(
                "select a.valid_to, b.valid_from from opportunities_history a join opportunities_history b "
                "on a.record_id = b.record_id and a.valid_to < b.valid_from and a.superseded_at = 'infinity' "
                "and b.superseded_at = 'infinity' where not exists (select from opportunities_history c "
                "where c.record_id = a.record_id and c.superseded_at = 'infinity' and c.valid_from = a.valid_to) "
                "order by b.valid_from limit 1"
            )

    async with database.transaction(tid) as session:
        await write.delete(session, principal, CATALOGUE, deals, "crm:d0")
    async with database.transaction(tid) as session:
        await write.restore(session, principal, CATALOGUE, deals, "crm:d0")
    first = await gap()
    assert first is not None
    await upsert(database, principal, [deal(0, history=[{"at": "2026-02-01", "amount": 9}])])
    assert await gap() == first
    async with database.transaction(tid) as session:
        await write.delete(session, principal, CATALOGUE, deals, "crm:d0")
    [restored] = await upsert(database, principal, [deal(0, history=[{"at": "2026-02-02", "amount": 8}])])
    assert restored.outcome == "restored"
    async with database.transaction(tid) as session:
        living = await session.connection.fetchval(
            "select count(*) from opportunities_history where superseded_at = 'infinity' and valid_to = 'infinity'"
        )
    assert living == 1


async def test_a_late_close_dates_the_close_and_nothing_else(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    await upsert(database, principal, [deal(0)])
    changed = deal(0, stage_id="crm:won", closed_at="2026-03-01", amount=77, name="Renamed")
    [receipt] = await upsert(database, principal, [changed])
    assert receipt.outcome == "updated"
    async with database.transaction(principal.tenant_id) as session:
        versions = await session.connection.fetch(
            "select category, amount::int, name, valid_from::date::text from opportunities_history "
            "where superseded_at = 'infinity' order by valid_from"
        )
    assert [tuple(v)[:3] for v in versions if v["category"] == "won"] == [
        ("won", 77, "Deal 0"), ("won", 77, "Renamed"),
    ]  # fmt: skip
    assert versions[-2]["valid_from"] == "2026-03-01"
    [again] = await upsert(database, principal, [changed])
    assert again.outcome == "unchanged"


async def test_a_hidden_field_is_not_even_named(database: Any, tenant: Any, settled: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    products = CATALOGUE["products"]
    async with database.transaction(principal.tenant_id) as session:
        await write.update(session, principal, CATALOGUE, products, "crm:gtx", {"cost": 13, "name": "GTX 2"})
    await settled()
    for role, named in (("admin", {"cost", "name"}), ("rep", {"name"})):
        asker = tenant.principal(role)
        async with database.transaction(principal.tenant_id) as session:
            page = await history.page(session, asker, CATALOGUE, products, "crm:gtx")
            last = orjson.loads(page.rows[-1])
            assert set(last["changed"]) == named
            assert ("cost" in last) == (role == "admin")
        async with database.transaction(principal.tenant_id) as session:
            feed = await changes.changes(session, asker, CATALOGUE, None, types=["product.updated"])
        assert [set(entry.changed) for entry in feed.entries] == [named]
