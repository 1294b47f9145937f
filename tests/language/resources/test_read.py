"""Reading: shapes, filters, orders, paging, the past, and what is not visible."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.areas import CATALOGUE
from app.ground.errors import BadCursor, Forbidden, Invalid, NotFound
from app.language.resources import read, write
from app.language.resources.filter import Values, from_parameters, from_tree
from app.language.resources.read import Query
from app.language.resources.shape import full
from tests.language.resources.test_write import deal, seed, upsert

DEALS = CATALOGUE["opportunities"]


async def ask(database: Any, principal: Any, *items: tuple[str, str], tree: Any = None, **more: Any) -> Any:
    values = Values()
    expand = more.pop("expand", ())
    where = (
        from_tree(CATALOGUE, DEALS, principal, tree, values)
        if tree is not None
        else from_parameters(CATALOGUE, DEALS, principal, items, values)
    )
    query = Query(
        resource=DEALS,
        shape=full(CATALOGUE, DEALS, principal.role, expand),
        filter=where,
        values=values,
        **more,
    )
    async with database.transaction(principal.tenant_id) as session:
        return await read.page(session, principal, CATALOGUE, query)


def names(page: Any) -> list[str]:
    return [orjson.loads(row)["name"] for row in page.rows]


@pytest.fixture
async def company(database: Any, tenant: Any) -> Any:
    principal = tenant.principal()
    await seed(database, principal)
    rows = [deal(i, amount=None if i == 3 else 100 * i, owner_id=f"crm:r{i % 3}") for i in range(10)]
    rows[4] |= {"stage_id": "crm:won", "closed_at": "2026-02-01"}
    for row in rows[5:]:
        row |= {"splits": [], "team": []}
    await upsert(database, principal, rows)
    return tenant


async def test_expansions_and_fields(database: Any, company: Any) -> None:
    page = await ask(
        database,
        company.principal(),
        ("name", "Deal 2"),
        expand=("account.owner", "stage", "line_items.product"),
    )
    [row] = [orjson.loads(x) for x in page.rows]
    assert row["amount"] == 200
    assert row["amount_home"] == 200
    assert row["currency"] == "USD"
    assert row["account"]["name"] == "Acme"
    assert row["account"]["owner"]["name"] == "Rep 1"
    assert row["stage"]["category"] == "open"
    assert row["line_items"][0]["product"]["cost"] == 12.5
    assert row["external_ids"] == [{"source": "crm", "external_id": "d2", "url": None}]
    assert row["opened_at"] == "2026-01-05T00:00:00+00:00"


async def test_filters_agree_with_the_tree(database: Any, company: Any) -> None:
    principal = company.principal()
    cases: list[tuple[list[tuple[str, str]], dict[str, Any], int]] = [
        ([("amount[gte]", "500")], {"amount": {"gte": 500}}, 5),
        ([("amount[is_null]", "true")], {"amount": None}, 1),
        ([("stage.category", "open")], {"stage": {"category": "open"}}, 9),
        ([("owner_id", "crm:r0")], {"owner_id": "crm:r0"}, 4),
        ([("owner_id", "crm:r0,crm:r1")], {"owner_id": {"in": ["crm:r0", "crm:r1"]}}, 7),
        ([("owner_id[ne]", "crm:r0")], {"owner_id": {"ne": "crm:r0"}}, 6),
        ([("name[contains]", "AL 7")], {"name": {"contains": "AL 7"}}, 1),
        ([("account.owner.name", "Rep 1")], {"account": {"owner": {"name": "Rep 1"}}}, 10),
        ([("line_items.product.name", "GTX")], {"line_items": {"product": {"name": "GTX"}}}, 10),
        ([("splits.rep_id", "crm:r2")], {"splits": {"rep_id": "crm:r2"}}, 5),
        ([("closed_at[lt]", "2026-02-02")], {"closed_at": {"lt": "2026-02-02"}}, 1),
    ]
    for items, tree, count in cases:
        assert len((await ask(database, principal, *items)).rows) == count, items
        assert len((await ask(database, principal, tree=tree)).rows) == count, tree
    both = {"or": [{"amount": {"gte": 900}}, {"not": {"stage": {"category": "open"}}}]}
    assert sorted(names(await ask(database, principal, tree=both))) == ["Deal 4", "Deal 9"]


async def test_unknown_names_are_refused_with_a_suggestion(database: Any, company: Any) -> None:
    principal = company.principal()
    for items in (
        [("ammount", "1")],
        [("amount[gt]x", "1")],
        [("amount[like]", "1")],
        [("stage.categry", "open")],
    ):
        with pytest.raises(Invalid):
            await ask(database, principal, *items)
    with pytest.raises(Invalid, match='Did you mean "amount"'):
        await ask(database, principal, ("ammount", "1"))
    rep = company.principal("rep")
    with pytest.raises(Invalid, match="has no"):
        await ask(database, rep, ("line_items.product.cost", "12.5"))


@pytest.mark.parametrize(
    "sort",
    [
        ("amount",),
        ("-amount",),
        ("stage.name", "-amount"),
        ("-opened_at",),
        ("name",),
        ("-amount_home", "name"),
    ],
)
async def test_paging_both_ways_sees_each_row_once(
    database: Any, company: Any, sort: tuple[str, ...]
) -> None:
    principal = company.principal()
    whole = names(await ask(database, principal, sort=sort, limit=200))
    assert len(whole) == 10
    seen: list[str] = []
    pages: list[Any] = []
    cursor = None
    while True:
        page = await ask(database, principal, sort=sort, limit=3, after=cursor)
        seen += names(page)
        pages.append(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == whole
    back = await ask(database, principal, sort=sort, limit=3, before=pages[-1].previous_cursor)
    assert names(back) == names(pages[-2])
    with pytest.raises(BadCursor):
        await ask(database, principal, ("amount[gte]", "0"), sort=sort, after=pages[0].next_cursor)


async def test_totals_also_of_nothing(database: Any, company: Any) -> None:
    principal = company.principal()
    assert (await ask(database, principal, limit=2, total=True)).total == 10
    empty = await ask(database, principal, ("name", "nobody"), total=True)
    assert (empty.rows, empty.total) == ([], 0)


async def test_as_of_asks_the_history(database: Any, company: Any) -> None:
    principal = company.principal()
    january = datetime(2026, 1, 20, tzinfo=UTC)
    page = await ask(database, principal, ("category", "open"), as_of=january)
    assert len(page.rows) == 10
    assert len((await ask(database, principal, as_of=datetime(2026, 1, 1, tzinfo=UTC))).rows) == 0
    page = await ask(
        database,
        principal,
        ("category", "won"),
        as_of=datetime(2026, 2, 2, tzinfo=UTC),
        expand=("account", "line_items"),
    )
    assert names(page) == ["Deal 4"]
    assert orjson.loads(page.rows[0])["line_items"][0]["amount"] == 100
    with pytest.raises(Invalid):
        await ask(database, principal, as_of=datetime(2100, 1, 1, tzinfo=UTC))


async def test_who_sees_what(database: Any, company: Any) -> None:
    async with database.transaction(company.id) as session:
        reps = {r["name"]: r["id"] for r in await session.connection.fetch("select id, name from reps")}
    everything = len((await ask(database, company.principal("analyst"))).rows)
    assert everything == 10
    assert len((await ask(database, company.principal("manager", reps["Manager"]))).rows) == 10
    # Rep 0 owns 0, 3, 6 and 9, and is on the team of 0 to 4.
    own = await ask(database, company.principal("rep", reps["Rep 0"]), expand=("account",))
    assert sorted(names(own)) == [f"Deal {i}" for i in (0, 1, 2, 3, 4, 6, 9)]
    assert len((await ask(database, company.principal("rep"))).rows) == 0
    rep = company.principal("rep", reps["Rep 0"])
    async with database.transaction(company.id) as session:
        for reference in ("crm:d5", "crm:none", "nonsense"):
            with pytest.raises(NotFound):
                await read.one(session, rep, CATALOGUE, DEALS, reference, full(CATALOGUE, DEALS, "rep"))
        with pytest.raises(NotFound):
            await write.update(session, rep, CATALOGUE, DEALS, "crm:d5", {"name": "mine"})


async def test_an_expanded_record_that_is_not_visible_shows_id_and_label(database: Any, company: Any) -> None:
    async with database.transaction(company.id) as session:
        reps = {r["name"]: r["id"] for r in await session.connection.fetch("select id, name from reps")}
        rep = company.principal("rep", reps["Rep 0"])
        accounts = CATALOGUE["accounts"]
        # An account of Rep 1's, the parent of one that Rep 0 owns.
        await write.upsert(
            session, company.principal(), CATALOGUE, accounts, "crm",
            [{"external_id": "top", "name": "Top", "owner_id": "crm:r1", "industry": "retail"}],
        )  # fmt: skip
        await write.upsert(
            session, company.principal(), CATALOGUE, accounts, "crm",
            [{"external_id": "sub", "name": "Sub", "owner_id": "crm:r0", "parent_id": "crm:top"}],
        )  # fmt: skip
        text = await read.one(
            session, rep, CATALOGUE, accounts, "crm:sub", full(CATALOGUE, accounts, "rep", ["parent"])
        )
        parent = orjson.loads(text)["parent"]
        assert {k for k, v in parent.items() if v is not None} == {"id", "name"}


async def test_a_narrow_key_does_not_reach_a_noun_through_another(database: Any, company: Any) -> None:
    narrow = company.principal("integration", scopes=("opportunities:read",))
    assert len((await ask(database, narrow, expand=("line_items",))).rows) == 10
    for question in (
        {"expand": ("account",)},
        {"expand": ("line_items.product",)},
        {"tree": {"account": {"name": "Acme"}}},
        {"tree": {"or": [{"stage": {"category": "open"}}]}},
        {"sort": ("owner.name",)},
    ):
        with pytest.raises(Forbidden):
            await ask(database, narrow, **question)


async def test_a_path_into_the_past_shows_no_more_than_today(database: Any, company: Any) -> None:
    """Rep 0 once owned an account that is another's now: as of then it may not be filtered by either."""
    admin, accounts = company.principal(), CATALOGUE["accounts"]
    async with database.transaction(company.id) as session:
        reps = {r["name"]: r["id"] for r in await session.connection.fetch("select id, name from reps")}
        rows = [
            {"external_id": "lost", "name": "Lost", "owner_id": "crm:r0", "industry": "retail"},
            {"external_id": "kept", "name": "Kept", "owner_id": "crm:r0", "parent_id": "crm:lost"},
        ]
        for row in rows:
            await write.upsert(session, admin, CATALOGUE, accounts, "crm", [row])
        then = await session.connection.fetchval("select clock_timestamp()")
        await write.update(session, admin, CATALOGUE, accounts, "crm:lost", {"owner_id": "crm:r2"})
    rep = company.principal("rep", reps["Rep 0"])
    for asker, count in ((admin, 1), (rep, 0)):
        values = Values()
        where = from_parameters(CATALOGUE, accounts, asker, [("parent.industry", "retail")], values)
        query = Query(
            resource=accounts,
            shape=full(CATALOGUE, accounts, asker.role),
            filter=where,
            values=values,
            as_of=then,
        )
        async with database.transaction(company.id) as session:
            assert len((await read.page(session, asker, CATALOGUE, query)).rows) == count


async def test_a_filter_by_owner_shows_what_all_show_of_that_owner(database: Any, company: Any) -> None:
    """Whose records are asked for is then looked up once, and not for each record; who sees them stays the same."""
    admin = company.principal()
    await upsert(database, admin, [deal(2, owner_id="crm:r2", splits=[{"rep_id": "crm:r0", "percent": 100}])])
    async with database.transaction(company.id) as session:
        reps = [r["id"] for r in await session.connection.fetch("select id from reps order by name")]
    shown = 0
    for asker in [admin, *(company.principal("manager", rep) for rep in reps)]:
        rows = [orjson.loads(x) for x in (await ask(database, asker, limit=200)).rows]
        for owner in reps:
            of_owner = {x["id"] for x in rows if x["owner_id"] == str(owner)}
            others = {x["id"] for x in rows} - of_owner
            shown += 0 < len(of_owner) < 10
            for tree, wanted in (
                ({"owner_id": str(owner)}, of_owner),
                ({"and": [{"owner_id": str(owner)}, {"currency": "USD"}]}, of_owner),
                ({"owner_id": {"ne": str(owner)}}, others),
                ({"not": {"owner_id": str(owner)}}, others),
                ({"or": [{"owner_id": str(owner)}, {"currency": "USD"}]}, of_owner | others),
            ):
                page = await ask(database, asker, tree=tree, limit=200)
                assert {orjson.loads(x)["id"] for x in page.rows} == wanted, (asker.role, tree)
    assert shown > len(reps)
