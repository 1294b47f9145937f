"""References that run ahead of what they refer to."""

from __future__ import annotations

from typing import Any

from tests.faces.rest.conftest import Api, code

STUB = {"source": "crm", "url": None, "stub": True}


async def put(api: Api, noun: str, rows: list[dict[str, Any]], missing: str = "stub", **more: Any) -> Any:
    answer = await api.post(f"/v1/{noun}:upsert?missing={missing}", {"source": "crm", "rows": rows}, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_one_stub_for_many_rows_until_its_own_row_comes(empty: Api, settled: Any) -> None:
    rows = [{"external_id": f"c{i}", "name": f"C{i}", "account_id": "crm:later"} for i in range(30)]
    assert (await put(empty, "contacts", rows))["counts"]["created"] == 30
    [stub] = await empty.data("/v1/accounts")
    assert (stub["name"], stub["external_ids"]) == ("later", [STUB | {"external_id": "later"}])
    await settled()
    events = await empty.data("/v1/events?types=account.created")
    assert len(events) == 1
    assert (await put(empty, "contacts", rows))["counts"]["unchanged"] == 30
    own = {"external_id": "later", "name": "Later", "industry": "retail"}
    assert (await put(empty, "accounts", [own]))["rows"][0]["outcome"] == "updated"
    [done] = await empty.data("/v1/accounts")
    assert (done["id"], done["name"]) == (stub["id"], "Later")
    assert done["external_ids"] == [{"source": "crm", "external_id": "later", "url": None}]
    assert (await put(empty, "accounts", [own]))["rows"][0]["outcome"] == "unchanged"
    # Its past is that of a record that came by itself: the stub's name is nothing that was ever true.
    versions = await empty.data(f"/v1/accounts/{done['id']}/history")
    assert [x["name"] for x in versions if x["superseded_at"] is None] == ["Later"]


async def test_a_row_that_only_repeats_the_name_completes_it_too(empty: Api) -> None:
    await put(empty, "contacts", [{"external_id": "c", "name": "C", "account_id": "crm:a"}])
    assert (await put(empty, "accounts", [{"external_id": "a", "name": "a"}]))["rows"][0][
        "outcome"
    ] == "updated"
    assert "stub" not in (await empty.get("/v1/accounts/crm:a")).json()["external_ids"][0]


async def test_rows_may_refer_to_later_rows_of_the_same_request(empty: Api) -> None:
    rows = [
        {"external_id": "r", "name": "Rep", "manager_id": "crm:m"},
        {"external_id": "m", "name": "Manager"},
        {"external_id": "s", "name": "Other", "manager_id": "crm:elsewhere"},
    ]
    report = await put(empty, "reps", rows)
    assert [x["outcome"] for x in report["rows"]] == ["created", "updated", "created"]
    names = {x["name"]: x["external_ids"][0].get("stub", False) for x in await empty.data("/v1/reps")}
    assert names == {"Rep": False, "Manager": False, "Other": False, "elsewhere": True}


async def test_what_needs_more_than_a_name_is_refused(api: Api) -> None:
    deals = [
        {"external_id": "n1", "name": "N1", "stage_id": "crm:nowhere"},
        {"external_id": "n2", "name": "N2", "account_id": "crm:a/b"},
        {"external_id": "n3", "name": "N3", "account_id": "crm:fresh"},
        {"external_id": "n4", "name": "N4", "account_id": "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"},
    ]
    report = await put(api, "opportunities", deals)
    assert [x["outcome"] for x in report["rows"]] == ["failed", "failed", "created", "failed"]
    assert {x["error"]["code"] for x in report["rows"] if x["error"]} == {"reference_not_found"}


async def test_a_deleted_record_is_not_made_anew(empty: Api) -> None:
    await put(empty, "accounts", [{"external_id": "gone", "name": "Gone"}])
    await empty.delete("/v1/accounts/crm:gone")
    report = await put(empty, "contacts", [{"external_id": "c", "name": "C", "account_id": "crm:gone"}])
    assert report["rows"][0]["error"]["code"] == "reference_not_found"
    assert await empty.data("/v1/accounts") == []


async def test_only_for_whom_may_write_the_noun_and_never_out_of_sight(api: Api) -> None:
    key = {"role": "rep", "rep": "r1"}
    rows = [
        {"external_id": "x1", "name": "X1", "account_id": "crm:mine"},
        {"external_id": "x2", "name": "X2", "owner_id": "crm:nobody"},
    ]
    report = await put(api, "opportunities", rows, **key)
    assert report["rows"][1]["error"]["code"] == "reference_not_found", "a rep makes no reps"
    if report["rows"][0]["outcome"] == "created":
        mine = (await api.get("/v1/accounts/crm:mine", **key)).json()
        assert mine["owner_id"] == api.reps["r1"]
    scoped = {"role": "integration", "scopes": ("contacts:write",)}
    report = await put(
        api, "contacts", [{"external_id": "y", "name": "Y", "account_id": "crm:new"}], **scoped
    )
    assert report["rows"][0]["error"]["code"] == "reference_not_found"
    assert code(await api.get("/v1/accounts/crm:new")) == (404, "not_found")


async def test_a_dry_run_leaves_no_stub(empty: Api) -> None:
    rows = [{"external_id": "c", "name": "C", "account_id": "crm:a"}]
    answer = await empty.post(
        "/v1/contacts:upsert?missing=stub&dry_run=true", {"source": "crm", "rows": rows}
    )
    assert answer.json()["counts"]["created"] == 1
    assert await empty.data("/v1/accounts") == []
