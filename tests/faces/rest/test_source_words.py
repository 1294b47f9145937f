"""What a source says of its rows beside their values: how new they are, and that they are gone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.faces.rest.conftest import Api, code

NEW, OLD, OLDER = "2026-03-03T12:00:00Z", "2026-03-02T12:00:00Z", "2026-03-01"


async def put(api: Api, *rows: dict[str, Any], noun: str = "accounts") -> list[tuple[str, str | None]]:
    report = await api.upsert(noun, list(rows))
    assert report["counts"]["failed"] == 0, report
    return [(x["outcome"], x["reason"]) for x in report["rows"]]


async def test_an_older_row_changes_nothing_in_whatever_order(empty: Api) -> None:
    row = {"external_id": "a", "name": "New", "source_updated_at": NEW}
    assert await put(empty, row) == [("created", None)]
    old = row | {"name": "Old", "source_updated_at": OLD}
    assert await put(empty, old, {"external_id": "b", "name": "B", "source_updated_at": OLDER}) == [
        ("unchanged", "stale"),
        ("created", None),
    ]
    assert (await empty.get("/v1/accounts/crm:a")).json()["name"] == "New"
    assert await put(empty, row | {"name": "Same moment"}) == [("updated", None)]
    # What changed nothing was told all the same, so what is older than it is stale.
    assert await put(empty, {"external_id": "b", "name": "B", "source_updated_at": NEW}) == [
        ("unchanged", None)
    ]
    assert await put(empty, {"external_id": "b", "name": "Old", "source_updated_at": OLD}) == [
        ("unchanged", "stale")
    ]
    assert await put(empty, {"external_id": "b", "name": "Undated"}) == [("updated", None)]


async def test_each_source_has_its_own_clock(empty: Api) -> None:
    await put(empty, {"external_id": "a", "name": "A", "source_updated_at": NEW})
    names = [{"source": "crm", "external_id": "a"}, {"source": "hub", "external_id": "9"}]
    await empty.patch("/v1/accounts/crm:a", {"external_ids": names})
    rows = [{"external_id": "9", "name": "Hub", "source_updated_at": OLD}]
    told = await empty.post("/v1/accounts:upsert", {"source": "hub", "rows": rows})
    assert told.json()["rows"][0]["outcome"] == "updated"


async def test_a_source_deletes_and_takes_back(empty: Api) -> None:
    await put(empty, {"external_id": "a", "name": "A", "source_updated_at": OLD})
    gone = {"external_id": "a", "deleted": True, "source_updated_at": NEW}
    assert await put(empty, gone, {"external_id": "never", "deleted": True}) == [
        ("deleted", None),
        ("unchanged", "unknown"),
    ]
    assert code(await empty.get("/v1/accounts/crm:a")) == (404, "not_found")
    assert await put(empty, gone) == [("unchanged", "already_deleted")]
    assert await put(empty, {"external_id": "a", "name": "A", "source_updated_at": OLD}) == [
        ("unchanged", "stale")
    ]
    body = json.dumps({"external_id": "a", "deleted": False, "source_updated_at": NEW})
    headers = {"content-type": "application/x-ndjson"}
    back = await empty.send("POST", "/v1/accounts:upsert?source=crm", content=body, headers=headers)
    assert back.json()["rows"][0]["outcome"] == "restored"
    assert (await empty.get("/v1/accounts/crm:a")).json()["name"] == "A"


async def test_a_dry_run_and_a_refused_row_leave_the_clock_alone(empty: Api) -> None:
    await put(empty, {"external_id": "a", "name": "A", "source_updated_at": OLDER})
    newest = {"external_id": "a", "name": "B", "source_updated_at": NEW}
    await empty.post("/v1/accounts:upsert?dry_run=true", {"source": "crm", "rows": [newest]})
    refused = await empty.upsert("accounts", [newest | {"owner_id": "crm:nobody"}])
    assert refused["counts"]["failed"] == 1
    assert await put(empty, newest | {"source_updated_at": OLD}) == [("updated", None)]


async def test_the_newest_of_many_who_come_at_once_stands(empty: Api) -> None:
    await put(empty, {"external_id": "a", "name": "0"})
    days = [f"2026-03-{day:02}" for day in range(1, 13)]
    told = [{"external_id": "a", "name": day, "source_updated_at": day} for day in days]
    await asyncio.gather(*(put(empty, row) for row in (told[::2] + told[1::2])))
    assert (await empty.get("/v1/accounts/crm:a")).json()["name"] == days[-1]


@pytest.mark.parametrize("word", ["deleted", "source_updated_at"])
async def test_only_rows_say_so(empty: Api, word: str) -> None:
    value = True if word == "deleted" else NEW
    refused = await empty.post("/v1/accounts", {"name": "A", word: value})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "unknown_field")


async def test_a_backfill_says_so_in_all_that_it_leaves_behind(api: Api, settled: Any) -> None:
    deal = {"external_id": "b1", "name": "B1", "account_id": "crm:ahead", "stage_id": "crm:open"}
    path = "/v1/opportunities:upsert?origin=backfill&missing=stub"
    points = [{"at": "2025-01-01", "amount": 1}, {"at": "2025-02-01", "amount": 2}]
    answer: Any = None
    told = [deal | {"amount": 2, "history": points}, {"external_id": "b1", "deleted": True}, deal]
    for row in told:
        answer = await api.post(path, {"source": "crm", "rows": [row]})
        assert answer.json()["counts"]["failed"] == 0, answer.text
    id_ = answer.json()["rows"][0]["id"]
    versions = await api.data(f"/v1/opportunities/{id_}/history")
    assert len(versions) > 2
    assert {(x["origin"], x["source"]) for x in versions} == {("backfill", "crm")}
    [stub] = await api.data("/v1/accounts?name=ahead")
    assert {x["origin"] for x in await api.data(f"/v1/accounts/{stub['id']}/history")} == {"backfill"}
    await settled()
    feed = [x for x in await api.data("/v1/events?limit=1000") if x["record_id"] in (id_, stub["id"])]
    assert {x["origin"] for x in feed} == {"backfill"}
    assert {x["type"].partition(".")[2] for x in feed} >= {"created", "deleted", "restored"}


async def test_all_history_comes_as_one_stream(api: Api) -> None:
    path, headers = "/v1/opportunities:history", {"accept": "application/x-ndjson"}
    rows = [{"external_id": f"s{i}", "name": f"S{i}", "stage_id": "crm:open"} for i in range(1_200)]
    await api.upsert("opportunities", rows)
    answer = await api.get(path, headers=headers)
    assert answer.headers["content-type"] == "application/x-ndjson"
    streamed = [json.loads(line) for line in answer.text.splitlines()]
    paged, cursor = [], ""
    while True:
        page = (await api.get(f"{path}?limit=200{cursor}")).json()
        paged += page["data"]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert streamed == paged
    assert len(streamed) > 1_200
    last = streamed[-1]["recorded_at"]
    since = await api.get(path, params={"recorded_since": last}, headers=headers)
    assert {json.loads(x)["recorded_at"] for x in since.text.splitlines()} == {last}
    assert (await api.get(path, params={"recorded_since": "2199-01-01"}, headers=headers)).text == ""
    assert code(await api.get(path, params={"limit": 5}, headers=headers)) == (422, "unknown_parameter")


async def test_too_many_lines_are_refused_before_they_are_all_parsed(empty: Api) -> None:
    body = '{"external_id": "a"}\n' * 10_000 + "\n" + "this is never parsed\n"
    headers = {"content-type": "application/x-ndjson"}
    answer = await empty.send("POST", "/v1/accounts:upsert?source=crm", content=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_long")
