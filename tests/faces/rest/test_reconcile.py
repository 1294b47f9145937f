"""A source's full list against what is here."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import Any

import pytest

from app.faces.rest import reconciliations
from app.ground.database.session import Database
from tests.conftest import Company
from tests.faces.rest.conftest import Api, code

PATH = "/v1/accounts:reconcile"
NDJSON = {"content-type": "application/x-ndjson"}


async def reconcile(api: Api, ids: list[str], **more: Any) -> dict[str, Any]:
    answer = await api.post(PATH, {"source": "crm", "external_ids": ids}, **more)
    assert answer.status_code == 200, answer.text
    lines = "\n".join(json.dumps(x if i % 2 else {"external_id": x}) for i, x in enumerate(ids))
    streamed = await api.send("POST", f"{PATH}?source=crm", content=lines, headers=NDJSON, **more)
    assert streamed.json() == answer.json()
    return answer.json()


def lost(report: dict[str, Any]) -> list[str]:
    return [x["external_id"] for x in report["missing_at_source"]]


async def test_each_is_told_what_it_lacks(empty: Api) -> None:
    made = await empty.upsert("accounts", [{"external_id": x, "name": x} for x in ("a", "b", "c", "gone")])
    await empty.upsert("products", [{"external_id": "d", "name": "another noun"}])
    await empty.post("/v1/accounts:upsert", {"source": "hub", "rows": [{"external_id": "h", "name": "h"}]})
    await empty.delete("/v1/accounts/crm:gone")
    rows = [{"external_id": "k", "name": "K", "account_id": "crm:stub"}]
    await empty.post("/v1/contacts:upsert?missing=stub", {"source": "crm", "rows": rows})
    report = await reconcile(empty, ["b", "d", "d", "stub", 'q"\\'])
    assert report["missing_at_source"] == [
        {"id": made["rows"][0]["id"], "external_id": "a"},
        {"id": made["rows"][2]["id"], "external_id": "c"},
    ]
    assert report["missing_here"] == ["d", 'q"\\', "stub"]
    assert report["counts"] == {"external_ids": 5, "missing_at_source": 2, "missing_here": 3}
    assert (await reconcile(empty, ["a", "b", "c", "stub", "gone"]))["missing_here"] == ["gone", "stub"]
    assert lost(await reconcile(empty, [])) == ["a", "b", "c", "stub"]


async def test_as_far_as_the_caller_sees(api: Api) -> None:
    everything = {x for row in (await api.data("/v1/accounts?limit=200")) for x in [row["id"]]}
    for role, rep in (
        ("admin", None),
        ("integration", None),
        ("analyst", None),
        ("rep", "r1"),
        ("manager", "m"),
    ):
        who = {"role": role, "rep": rep}
        seen = {x["id"] for x in await api.data("/v1/accounts?limit=200", **who)}
        report = await reconcile(api, [], **who)
        assert {x["id"] for x in report["missing_at_source"]} == seen, role
        assert role not in ("admin", "integration") or seen == everything


async def test_another_tenant_has_nothing_of_it(api: Api, service: Any, tenant: Any) -> None:
    report = await reconcile(api, ["nothing"])
    assert report["missing_here"] == ["nothing"]


async def test_two_at_once_do_not_meet_and_nothing_is_left(
    empty: Api, tenant: Company, database: Database
) -> None:
    await empty.upsert("accounts", [{"external_id": f"a{n}", "name": f"a{n}"} for n in range(20)])
    lists = [[f"a{n}" for n in range(20) if n != lacking] + [f"new{lacking}"] for lacking in range(20)]
    reports = await asyncio.gather(*(reconcile(empty, x) for x in lists))
    assert [lost(x) for x in reports] == [[f"a{n}"] for n in range(20)]
    assert [x["missing_here"] for x in reports] == [[f"new{n}"] for n in range(20)]
    async with database.transaction(tenant.id) as session:
        assert await session.connection.fetchval("select count(*) from ids_at_source") == 0


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        ({"json": {"external_ids": ["a"]}}, (422, "required")),
        ({"json": {"source": "C R M", "external_ids": ["a"]}}, (422, "invalid_value")),
        ({"json": {"source": "crm"}}, (422, "required")),
        ({"json": {"source": "crm", "external_ids": [7]}}, (422, "invalid_value")),
        ({"json": {"source": "crm", "rows": []}}, (422, "unknown_field")),
        ({"content": b'"a"\n{', "headers": NDJSON, "query": "?source=crm"}, (400, "malformed_json")),
        ({"content": b'{"id": "a"}', "headers": NDJSON, "query": "?source=crm"}, (422, "invalid_value")),
        ({"content": b'"a"', "headers": NDJSON}, (422, "required")),
    ],
)
async def test_refusals_come_before_the_first_byte(
    empty: Api, sent: dict[str, Any], refusal: tuple[int, str]
) -> None:
    query = sent.pop("query", "") if "query" in sent else ""
    answer = await empty.send("POST", PATH + query, **sent)
    assert answer.status_code == refusal[0], answer.text
    assert refusal[1] in {code(answer)[1], *(x["code"] for x in answer.json().get("errors", []))}


async def test_no_more_than_a_million(empty: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliations.reconcile, "MOST_IDS", 3)
    answer = await empty.post(PATH, {"source": "crm", "external_ids": list("abcd")})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_long")


async def test_a_long_list_is_not_held_in_memory(empty: Api) -> None:
    async def body() -> Any:
        for start in range(0, 200_000, 1_000):
            yield "".join(f'"id-{i:020}"\n' for i in range(start, start + 1_000)).encode()

    tracemalloc.start()
    try:
        taken = 0
        answer = await empty.send("POST", f"{PATH}?source=crm", content=body(), headers=NDJSON)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.json()["counts"]["missing_here"] == 200_000
    # The client of the test holds the answer (5 MB) in pieces and whole; the service holds neither list.
    assert taken < 40_000_000, taken
