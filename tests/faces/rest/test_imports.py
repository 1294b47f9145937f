"""A file of records: sent whole or in pieces, mapped, merged row by row, and told about."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from app.ground.settings import Settings
from app.language.files import imports
from tests.faces.rest.conftest import Api, code
from tests.faces.rest.working import at_work, ended, imported, refused


@pytest_asyncio.fixture(scope="module")
async def worker(settings: Settings) -> AsyncIterator[None]:
    async with at_work(settings):
        yield


pytestmark = pytest.mark.usefixtures("worker")

DEALS = {
    "Id": "external_id",
    "Deal": "name",
    "Owner": {"field": "owner_id", "reference": "crm"},
    "Stage": {"field": "stage_id", "values": {"Offen": "crm:open", "Gewonnen": "crm:won"}},
    "Betrag": {"field": "amount", "decimal": ",", "thousands": "."},
    "Schluss": {"field": "expected_close_on", "format": "%d.%m.%Y"},
    "Eröffnet": {"field": "opened_at", "format": "%d.%m.%Y %H:%M"},
    "Notiz": None,
}


async def test_a_mapped_file_becomes_records_and_its_faults_are_told(api: Api) -> None:
    content = (
        "\ufeffId;Deal;Owner;Stage;Betrag;Schluss;Eröffnet;Notiz;Rest\r\n"
        'a;"Ä; ""quoted""\r\nlines";r1;Offen;1.234,5;31.03.2026;01.02.2026 09:30;x;\r\n'
        "b;Bad amount;r1;Offen;12,5O;31.03.2026;;x;\r\n"
        "c;Bad stage;r1;Verloren;1;31.03.2026;;x;\r\n"
        "d;No such owner;nobody;Offen;1;31.03.2026;;x;\r\n"
        "e;Bad day;r1;Offen;1;31/03/2026;;x;\r\n"
        "f;Too many digits;r1;Offen;1,23456;;;x;\r\n"
        "g;Won;r2;Gewonnen;2;;;x;\r\n"
        ";No id;r2;Offen;2;;;x;\r\n"
        "a;Again;r1;Offen;7;31.03.2026;01.02.2026 09:30;x;\r\n"
    )
    done = await imported(
        api, content.encode(), noun="opportunities", mapping=DEALS, constants={"currency": "EUR"}
    )
    assert (done["state"], done["problem"]) == ("succeeded", None)
    assert done["counts"] | {"unchanged": 0} == {
        "created": 2, "updated": 1, "unchanged": 0, "restored": 0, "deleted": 0, "failed": 6,
    }  # fmt: skip
    assert done["progress"]["rows_read"] == 9
    assert done["progress"]["bytes_read"] == done["progress"]["bytes_total"] == len(content.encode())
    assert done["result"]["columns_ignored"] == ["Notiz", "Rest"]
    assert await refused(api, done["id"]) == [
        (2, 4, "Betrag", "not_a_number"), (3, 5, "Stage", "not_in_list"), (4, 6, "Owner", "reference_not_found"),
        (5, 7, "Schluss", "not_a_moment"), (6, 8, "Betrag", "amount_digits"), (8, 10, "Id", "invalid_value"),
    ]  # fmt: skip
    deal = (await api.get("/v1/opportunities/file:a")).json()
    assert (deal["name"], deal["amount"], deal["currency"]) == ("Again", 7, "EUR")
    assert deal["opened_at"] == "2026-02-01T09:30:00+00:00"
    assert (await api.get("/v1/opportunities/file:g")).json()["category"] == "won"


async def test_a_chunk_is_merged_once_and_the_next_begins_behind_it(
    empty: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports.run, "__kwdefaults__", {"chunk": 3})
    lines = "".join(f"x{i % 8},Name {i}\n" for i in range(20))
    done = await imported(empty, "external_id,name\n" + lines)
    assert done["counts"]["created"] == 8
    assert done["counts"]["updated"] == 12
    names = {x["name"] for x in await empty.data("/v1/accounts?limit=200")}
    assert names == {f"Name {i}" for i in range(12, 20)}, "the last row of an id is the one that stands"


async def test_a_dry_run_finds_the_faults_and_leaves_nothing(empty: Api) -> None:
    done = await imported(empty, "external_id,name\n1,A\n2,\n", dry_run=True)
    assert done["counts"] | {"updated": 0} == {
        "created": 1, "updated": 0, "unchanged": 0, "restored": 0, "deleted": 0, "failed": 1,
    }  # fmt: skip
    assert done["result"]["dry_run"] is True
    assert await empty.data("/v1/accounts") == []


async def test_lines_of_json_take_lists_and_renamed_keys(api: Api) -> None:
    rows = [
        {"external_id": "n1", "name": "N", "stage_id": "crm:open", "line_items": [{"product_id": "crm:x1"}]},
        {"external_id": "n2", "name": "M", "no_such": 1},
    ]
    content = b"\n".join(map(orjson.dumps, rows))
    done = await imported(api, content, noun="opportunities", format="ndjson")
    assert (done["counts"]["created"], done["counts"]["failed"]) == (1, 1)
    assert [x[3] for x in await refused(api, done["id"])] == ["unknown_field"]
    mapping: dict[str, Any] = {
        "id": "external_id", "title": "name", "boss": {"field": "owner_id", "reference": "crm"},
        "kind": {"field": "industry", "values": {"R": "retail"}, "otherwise": "null"},
    }  # fmt: skip
    renamed = orjson.dumps({"id": "z", "title": "Z", "boss": "r1", "kind": "?", "more": 1})
    done = await imported(api, renamed, format="ndjson", mapping=mapping)
    assert done["counts"]["created"] == 1, await refused(api, done["id"])
    assert (await api.get("/v1/accounts/file:z")).json()["owner_id"] == str(api.reps["r1"])


async def test_an_upload_that_broke_off_goes_on_where_it_was(empty: Api) -> None:
    content = b"external_id,name\n" + b"".join(b"%d,%s\n" % (i, b"n" * 200) for i in range(12_000))
    begun = (await empty.post("/v1/imports", {"noun": "accounts", "source": "file", "dry_run": True})).json()
    path, total = f"/v1/imports/{begun['id']}/content", len(content)

    async def put(first: int, last: int, body: bytes | None = None) -> Any:
        headers = {"content-range": f"bytes {first}-{last}/{total}"}
        return await empty.send("PUT", path, content=body or content[first : last + 1], headers=headers)

    asked = await empty.send("PUT", path, headers={"content-range": f"bytes */{total}"})
    assert (asked.status_code, asked.headers.get("range")) == (308, None)
    sent = await put(0, 1_199_999)
    assert (sent.status_code, sent.headers["range"]) == (308, "bytes=0-1199999")
    gap = await put(1_300_000, 1_399_999)
    assert code(gap) == (409, "upload_offset")
    assert gap.headers["range"] == "bytes=0-1199999"
    short = await put(1_200_000, 1_299_999, content[1_200_000:1_250_000])
    assert code(short) == (400, "incomplete_body")
    asked = await empty.send("PUT", path, headers={"content-range": "bytes */*"})
    assert asked.headers["range"] == "bytes=0-1249999", "what came of a broken piece is kept"
    again = await put(1_000_000, 1_499_999)
    assert again.headers["range"] == "bytes=0-1499999", "what came already is left out"
    last = await put(1_500_000, total - 1)
    assert last.status_code == 202
    assert (await put(1_500_000, total - 1)).status_code == 202, "the answer may have been lost"
    assert code(await empty.send("PUT", path, content=b"other")) == (409, "upload_closed")
    done = await ended(empty, begun["id"])
    assert (done["counts"]["created"], done["progress"]["bytes_total"]) == (12_000, total)


@pytest.mark.parametrize(
    ("asked", "content", "problem"),
    [
        ({}, "", "malformed_header"),
        ({}, "id,nam\n1,2\n", "mapping_misfit"),
        ({"mapping": {"Id": "external_id"}}, "id,name\n1,2\n", "mapping_misfit"),
        ({}, ",".join(f"c{i}" for i in range(100_000)), "too_many_columns"),
        ({}, 'external_id,name\n1,"' + "x" * 10_000_000, "line_too_long"),
        ({}, 'external_id,name\n1,"' + "x\n" * 100_000, "field_too_long"),
    ],
    ids=["empty", "no id", "no column", "columns", "line", "open quote"],
)
async def test_a_file_that_cannot_be_is_told_as_a_whole(
    empty: Api, asked: dict[str, Any], content: str, problem: str
) -> None:
    done = await imported(empty, content, **asked)
    assert (done["state"], done["problem"]["code"]) == ("failed", problem)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"noun": "opportunity"}, "/noun"),
        ({"noun": "api_keys"}, "/noun"),
        ({"mapping": {"Id": "externalid"}}, "/mapping/Id"),
        ({"constants": {"nam": "x"}}, "/constants/nam"),
        ({"delimiter": '"'}, "/delimiter"),
        ({"format": "xlsx"}, "/format"),
    ],
)
async def test_a_wrong_mapping_is_refused_before_the_file_is_sent(
    empty: Api, body: dict[str, Any], pointer: str
) -> None:
    answer = await empty.post("/v1/imports", {"noun": "accounts", "source": "file"} | body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_only_who_may_write_may_import_and_only_who_asked_may_look(api: Api) -> None:
    body = {"noun": "accounts", "source": "file"}
    assert code(await api.post("/v1/imports", body, role="analyst"))[0] == 403
    assert code(await api.post("/v1/imports", body | {"noun": "reps"}, role="rep", rep="r1"))[0] == 403
    begun = (await api.post("/v1/imports", body, role="rep", rep="r1")).json()
    others: list[dict[str, Any]] = [{"role": "rep", "rep": "r2"}, {"role": "manager", "rep": "boss"}]
    for who in others:
        assert code(await api.get(f"/v1/operations/{begun['id']}", **who))[0] == 404
        assert begun["id"] not in {x["id"] for x in await api.data("/v1/operations", **who)}
        sent = await api.send("PUT", f"/v1/imports/{begun['id']}/content", content=b"x", **who)
        assert code(sent)[0] == 404
    allowed: list[dict[str, Any]] = [{"role": "rep", "rep": "r1"}, {"role": "admin"}]
    for who in allowed:
        assert (await api.get(f"/v1/operations/{begun['id']}", **who)).status_code == 200
        assert begun["id"] in {x["id"] for x in await api.data("/v1/operations?kind=import", **who)}
    path = f"/v1/imports/{begun['id']}/content"
    sent = await api.send("PUT", path, content="external_id,name,owner_id\n1,Mine,me\n2,Theirs,crm:other\n", role="rep",
                          rep="r1")  # fmt: skip
    assert sent.status_code == 202
    done = await ended(api, begun["id"])
    assert (done["counts"]["created"], done["counts"]["failed"]) == (1, 1), "done with the reach of who asked"


async def test_a_revoked_key_ends_its_import(empty: Api) -> None:
    begun = (
        await empty.post("/v1/imports", {"noun": "accounts", "source": "file"}, role="integration")
    ).json()
    async with empty.company.database.transaction(empty.company.id) as session:
        await session.connection.execute(
            "update api_keys set revoked_at = now() where tenant_id = $1 and role = 'integration'",
            empty.company.id,
        )
    await empty.send("PUT", f"/v1/imports/{begun['id']}/content", content="external_id,name\n1,A\n")
    done = await ended(empty, begun["id"])
    assert (done["state"], done["problem"]["code"]) == ("failed", "access_ended")
    assert await empty.data("/v1/accounts") == []


async def test_it_is_cancelled_at_once_or_between_two_chunks(
    empty: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = (await empty.post("/v1/imports", {"noun": "accounts", "source": "file"})).json()
    path = f"/v1/operations/{begun['id']}:cancel"
    assert (await empty.post(path)).json()["state"] == "cancelled"
    assert (await empty.post(path)).json()["state"] == "cancelled"
    assert code(await empty.send("PUT", f"/v1/imports/{begun['id']}/content", content=b"x"))[0] == 409
    monkeypatch.setattr(imports.run, "__kwdefaults__", {"chunk": 20})
    begun = (await empty.post("/v1/imports", {"noun": "accounts", "source": "file"})).json()
    rows = "".join(f"{i},Name {i}\n" for i in range(3000))
    await empty.send("PUT", f"/v1/imports/{begun['id']}/content", content="external_id,name\n" + rows)
    while (await empty.get(f"/v1/operations/{begun['id']}")).json()["counts"]["created"] == 0:
        await asyncio.sleep(0.01)
    assert (await empty.post(f"/v1/operations/{begun['id']}:cancel")).json()["cancel_requested"] is True
    done = await ended(empty, begun["id"])
    assert done["state"] == "cancelled"
    assert 0 < done["counts"]["created"] < 3000
    listed = await empty.get("/v1/accounts?include=total")
    assert listed.json()["total"] == done["counts"]["created"], "what was merged stays"


async def test_it_is_told_as_it_goes_on(empty: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports.run, "__kwdefaults__", {"chunk": 100})
    begun = (await empty.post("/v1/imports", {"noun": "accounts", "source": "file"})).json()
    rows = "".join(f"{i},Name {i}\n" for i in range(1500))

    async def send() -> None:
        await empty.send("PUT", f"/v1/imports/{begun['id']}/content", content="external_id,name\n" + rows)

    sending = asyncio.create_task(send())
    watched = await empty.get(f"/v1/operations/{begun['id']}/events", headers={"accept": "text/event-stream"})
    await sending
    assert watched.headers["content-type"].startswith("text/event-stream")
    told = [
        orjson.loads(line.removeprefix("data: "))
        for line in watched.text.split("\n")
        if line.startswith("data: ")
    ]
    versions = [x["version"] for x in told]
    assert versions == sorted(set(versions))
    assert [told[0]["state"], told[-1]["state"]] == ["pending", "succeeded"]
    assert told[-1]["counts"]["created"] == 1500


async def test_errors_are_paged(empty: Api) -> None:
    done = await imported(empty, "external_id,name\n" + "".join(f"{i},\n" for i in range(250)))
    path, found = f"/v1/operations/{done['id']}/errors?limit=100", []
    cursor = ""
    while cursor is not None:
        page = (await empty.get(path + cursor)).json()
        found += [x["row"] for x in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["has_more"] else None
    assert found == list(range(1, 251))
    assert code(await empty.get(path + "&cursor=x")) == (400, "bad_cursor")


async def test_a_retried_beginning_is_the_same_import(empty: Api) -> None:
    headers = {"idempotency-key": f"import {time.time()}"}
    body = {"noun": "accounts", "source": "file"}
    first = await empty.post("/v1/imports", body, headers=headers)
    second = await empty.post("/v1/imports", body, headers=headers)
    assert second.headers["idempotency-replayed"] == "true"
    assert first.json() == second.json()


async def test_what_is_exported_with_fields_of_the_tenant_is_imported_again(empty: Api) -> None:
    for name, kind in (("tier", "text"), ("score", "number"), ("seen_on", "day"), ("sure", "flag")):
        made = await empty.post(
            "/v1/custom_fields", {"noun": "accounts", "name": name, "kind": kind, "title": name}
        )
        assert made.status_code == 201, made.text
    content = (
        "Id,Name,Tier,Score,Seen,Sure\n"
        'a,A,gold,"1.234,5",31.03.2026,yes\n'
        "b,B,,,,\n"
        'c,C,tin,"1,1234567",,\n'
        "d,D,tin,x,,no\n"
    )
    mapping = {
        "Id": "external_id", "Name": "name", "Tier": "custom.tier", "Sure": "custom.sure",
        "Score": {"field": "custom.score", "decimal": ",", "thousands": "."},
        "Seen": {"field": "custom.seen_on", "format": "%d.%m.%Y"},
    }  # fmt: skip
    done = await imported(empty, content, mapping=mapping)
    assert (done["counts"]["created"], done["counts"]["failed"]) == (2, 2), done
    assert await refused(empty, done["id"]) == [
        (3, 4, "Score", "number_digits"),
        (4, 5, "Score", "not_a_number"),
    ]
    stored = {"score": 1234.5, "seen_on": "2026-03-31", "sure": True, "tier": "gold"}
    assert (await empty.get("/v1/accounts/file:a")).json()["custom"] == stored
    wrong = await empty.post(
        "/v1/imports", {"noun": "accounts", "source": "file", "mapping": {"Tier": "custom.teir"}}
    )
    assert code(wrong) == (422, "mapping_misfit")
    assert "custom.tier" in wrong.text
    asked = {"noun": "accounts", "format": "csv", "columns": ["name", "custom.score"], "sort": ["name"]}
    export = await empty.post("/v1/exports", asked)
    made = await ended(empty, export.headers["location"].rpartition("/")[2])
    assert (await empty.client.get(made["result"]["url"])).text == "name,custom.score\r\nA,1234.5\r\nB,\r\n"
    whole = await empty.post("/v1/exports", {"noun": "accounts", "format": "csv"})
    made = await ended(empty, whole.headers["location"].rpartition("/")[2])
    text = (await empty.client.get(made["result"]["url"])).text
    assert "custom.score,custom.seen_on,custom.sure,custom.tier" in text
    again = "external_id,name,custom.score,custom.seen_on,custom.sure,custom.tier\na,A,1234.5,2026-03-31,true,gold\n"
    done = await imported(empty, again)
    assert done["counts"]["unchanged"] == 1, done
