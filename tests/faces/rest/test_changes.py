"""`changes_since` as a program meets it: what it takes, what it refuses, where it leads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.faces.rest.conftest import Api, code

DEALS = "/v1/opportunities"
Settled = Callable[[], Awaitable[None]]


async def walk(api: Api, path: str, cursor: str, **who: Any) -> tuple[list[Any], list[Any], str]:
    """All pages from a cursor on: the records, the tombstones, and where to go on."""
    rows: list[Any] = []
    gone: list[Any] = []
    while True:
        response = await api.get(path, params={"changes_since": cursor, "limit": 4}, **who)
        assert response.status_code == 200, response.text
        body = response.json()
        rows += body["data"]
        gone += body["tombstones"]
        cursor = body["next_cursor"]
        assert ("next" in response.links) == body["has_more"]
        if not body["has_more"]:
            return rows, gone, cursor


@pytest.mark.parametrize("beginning", ["", "beginning"])
async def test_all_records_then_what_changes(api: Api, settled: Settled, beginning: str) -> None:
    await settled()
    rows, gone, cursor = await walk(api, DEALS, beginning)
    assert len(rows) >= 9
    assert len({x["id"] for x in rows}) == 9
    assert gone == []
    await settled()
    _, _, cursor = await walk(api, DEALS, cursor)
    await api.patch(f"{DEALS}/crm:d1", {"amount": 5})
    await api.patch(f"{DEALS}/crm:d2", {"amount": 5})
    await api.patch(f"{DEALS}/crm:d1", {"amount": 6})
    await api.delete(f"{DEALS}/crm:d3")
    await settled()
    rows, gone, cursor = await walk(api, DEALS, cursor)
    assert [(x["name"], x["amount"]) for x in rows] == [("Deal 1", 6), ("Deal 2", 5)]
    assert [x["external_ids"][0]["external_id"] for x in gone] == ["d3"]
    assert (await walk(api, DEALS, cursor)) == ([], [], cursor)
    await api.post(f"{DEALS}/crm:d3:restore")
    await settled()
    rows, gone, _ = await walk(api, DEALS, cursor)
    assert ([x["name"] for x in rows], gone) == (["Deal 3"], [])


async def test_now_is_a_cursor_alone(api: Api, settled: Settled) -> None:
    await settled()
    body = (await api.get(f"{DEALS}?changes_since=now")).json()
    assert (body["data"], body["tombstones"], body["has_more"]) == ([], [], False)
    await api.patch(f"{DEALS}/crm:d1", {"amount": 5})
    await settled()
    rows, _, _ = await walk(api, DEALS, body["next_cursor"])
    assert [x["name"] for x in rows] == ["Deal 1"]


async def test_what_leaves_the_filter_is_a_tombstone(api: Api, settled: Settled) -> None:
    path = f"{DEALS}?amount[gte]=500&expand=line_items"
    await settled()
    cursor = (await api.get(f"{path}&changes_since=now")).json()["next_cursor"]
    await api.patch(f"{DEALS}/crm:d9", {"amount": 1})
    await api.patch(f"{DEALS}/crm:d1", {"amount": 900})
    await settled()
    body = (await api.get(f"{path}&changes_since={cursor}")).json()
    assert [(x["name"], len(x["line_items"])) for x in body["data"]] == [("Deal 1", 1)]
    assert [x["external_ids"][0]["external_id"] for x in body["tombstones"]] == ["d9"]


async def test_a_cursor_is_bound_to_noun_filter_tenant_and_asker(api: Api, make_tenant: Any) -> None:
    cursor = (await api.get(f"{DEALS}?changes_since=now")).json()["next_cursor"]
    stranger = Api(api.client, await make_tenant())
    for path, who in (
        (f"{DEALS}?category=open", {}),
        ("/v1/accounts?", {}),
        (f"{DEALS}?", {"role": "rep", "rep": "r1"}),
    ):
        assert code(await api.get(f"{path}&changes_since={cursor}", **who)) == (400, "bad_cursor")
    assert code(await stranger.get(f"{DEALS}?changes_since={cursor}")) == (400, "bad_cursor")
    listed = (await api.get(f"{DEALS}?limit=1")).json()["next_cursor"]
    for made_up in ("x", "742.1", listed):
        assert code(await api.get(f"{DEALS}?changes_since={made_up}")) == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("sort=name", "contradiction"),
        ("cursor=x", "contradiction"),
        ("include=total", "contradiction"),
        ("as_of=2026-01-01", "contradiction"),
        ("account.industry=retail", "not_followed"),
        ("amount_home[gte]=5", "not_followed"),
        ("expected_close_on[in_period]=this_quarter", "not_followed"),
        ("activities.kind=call", "not_followed"),
        ("nome=x", "unknown_parameter"),
    ],
)
async def test_what_does_not_go_with_it(api: Api, query: str, refusal: str) -> None:
    assert code(await api.get(f"{DEALS}?changes_since=beginning&{query}")) == (422, refusal)


async def test_another_reach_is_410(api: Api, settled: Settled) -> None:
    boss = {"role": "manager", "rep": "boss"}
    cursor = (await api.get(f"{DEALS}?changes_since=now", **boss)).json()["next_cursor"]
    await api.upsert("reps", [{"external_id": "other", "manager_id": "crm:boss"}])
    assert code(await api.get(f"{DEALS}?changes_since={cursor}", **boss)) == (410, "resync_needed")
    rows, _, _ = await walk(api, DEALS, "beginning", **boss)
    assert len({x["id"] for x in rows}) == 9


async def test_filters_by_rows_inside_the_record_are_followed(api: Api) -> None:
    body = (await api.get(f"{DEALS}?changes_since=beginning&line_items.quantity=2")).json()
    assert [x["name"] for x in body["data"]] == ["Deal 2"]
