"""One record over its life: create, read, patch, conflict, verbs, delete, restore; and many by upsert."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from tests.faces.rest.conftest import Api, code

DEALS = "/v1/opportunities"


async def test_create_answers_201_with_location_and_etag(api: Api) -> None:
    body = {
        "name": "New",
        "stage_id": "crm:open",
        "amount": 12.5,
        "external_ids": [{"source": "hub", "external_id": "77"}],
        "line_items": [{"product_id": "crm:x1", "quantity": 2, "unit_price": 3}],
    }
    made = await api.post(f"{DEALS}?expand=line_items,stage", body)
    assert made.status_code == 201, made.text
    record = made.json()
    assert made.headers["etag"] == '"1"'
    assert made.headers["location"] == f"{DEALS}/{record['id']}"
    assert record["line_items"][0]["amount"] == 6
    assert record["stage"]["name"] == "Open"
    assert record["external_ids"] == [{"source": "hub", "external_id": "77", "url": None}]
    assert (record["closed_at"], record["currency"]) == (None, "USD")
    for reference in (record["id"], "hub:77"):
        assert (await api.get(f"{DEALS}/{reference}?expand=line_items,stage")).json() == record


@pytest.mark.parametrize("name", ["a/b", "77:close_won", "a:restore"])
async def test_a_name_that_no_path_can_hold_is_refused(api: Api, name: str) -> None:
    body = {"name": "New", "external_ids": [{"source": "hub", "external_id": name}]}
    refused = await api.post(DEALS, body)
    assert code(refused) == (422, "invalid_value")
    assert refused.json()["errors"][0]["pointer"] == "/external_ids/0/external_id"
    receipt = (await api.upsert("opportunities", [{"external_id": name, "name": "New"}]))["rows"][0]
    assert receipt["error"]["errors"][0]["pointer"] == "/external_id"


async def test_an_external_id_may_hold_a_colon(api: Api) -> None:
    await api.upsert("opportunities", [{"external_id": "a:b", "name": "Colon", "stage_id": "crm:open"}])
    assert (await api.get(f"{DEALS}/crm:a:b")).json()["name"] == "Colon"
    won = await api.post(f"{DEALS}/crm:a:b:close_won")
    assert won.json()["category"] == "won"


async def test_etags_spare_and_guard(api: Api) -> None:
    path = f"{DEALS}/crm:d1"
    first = await api.get(path)
    tag = first.headers["etag"]
    for sent in (tag, f"W/{tag}", f'"0", {tag}', "*"):
        spared = await api.get(path, headers={"if-none-match": sent})
        assert (spared.status_code, spared.content, spared.headers["etag"]) == (304, b"", tag)
    assert (await api.get(path, headers={"if-none-match": '"0"'})).status_code == 200
    patched = await api.patch(path, {"next_step": "Call"}, headers={"if-match": tag})
    assert patched.status_code == 200
    assert patched.headers["etag"] == f'"{first.json()["version"] + 1}"'
    for stale in (tag, '"x"'):
        refused = await api.patch(path, {"next_step": "Mail"}, headers={"if-match": stale})
        assert code(refused) == (412, "version_conflict")
        assert refused.json()["current"] == patched.json()
    for method, suffix in (("DELETE", ""), ("POST", ":close_lost")):
        assert code(await api.send(method, path + suffix, headers={"if-match": tag}))[0] == 412
    assert (await api.delete(path, headers={"if-match": "*"})).status_code == 200


async def test_a_patch_is_a_merge_patch(api: Api) -> None:
    path = f"{DEALS}/crm:d1"
    headers = {"content-type": "application/merge-patch+json"}
    body = json.dumps({"next_step": "Call", "competitor": "Globex"})
    assert (await api.send("PATCH", path, content=body, headers=headers)).json()["competitor"] == "Globex"
    changed = (await api.patch(path, {"competitor": None})).json()
    assert (changed["competitor"], changed["next_step"]) == (None, "Call")
    same = await api.patch(path, {"next_step": "Call"})
    assert same.json()["version"] == changed["version"]


async def test_a_stage_is_moved_to_by_patch_and_by_verb(api: Api) -> None:
    refused = await api.post(f"{DEALS}/crm:d1:move", {"stage_id": "crm:deep"})
    assert code(refused) == (422, "stage_requirements")
    assert refused.json()["errors"][0]["pointer"] == "/next_step"
    await api.patch(f"{DEALS}/crm:d1", {"next_step": "Call"})
    moved = await api.post(f"{DEALS}/crm:d1:move?expand=stage", {"stage_id": "crm:deep"})
    assert moved.json()["stage"]["name"] == "Deep"
    won = await api.patch(f"{DEALS}/crm:d1", {"stage_id": "crm:won"})
    assert (won.json()["category"], won.json()["closed_at"] is None) == ("won", False)
    assert code(await api.post(f"{DEALS}/crm:d1:close_won")) == (409, "already_won")
    opened = await api.post(f"{DEALS}/crm:d1:reopen")
    assert (opened.json()["category"], opened.json()["closed_at"]) == ("open", None)
    lost = await api.post(f"{DEALS}/crm:d1:close_lost", {"loss_reason": "price"})
    assert (lost.json()["category"], lost.json()["loss_reason"]) == ("lost", "price")


async def test_what_was_given_away_is_still_answered(api: Api) -> None:
    path = f"{DEALS}/crm:d3"
    given = await api.post(f"{path}:reassign", {"owner_id": "crm:other"}, role="rep", rep="r1")
    assert given.status_code == 200, given.text
    assert given.json()["owner_id"] == api.reps["other"]
    assert code(await api.get(path, role="rep", rep="r1")) == (404, "not_found")


async def test_delete_is_soft_and_restore_takes_it_back(api: Api) -> None:
    path = f"{DEALS}/crm:d1"
    gone = await api.delete(path)
    assert gone.json()["deleted_at"] is not None
    assert code(await api.get(path)) == (404, "not_found")
    assert (await api.get(f"{path}?include=deleted")).json() == gone.json()
    assert code(await api.delete(path)) == (404, "not_found")
    back = await api.post(f"{path}:restore")
    assert back.status_code == 200, back.text
    assert back.json()["deleted_at"] is None
    assert (await api.get(path)).headers["etag"] == back.headers["etag"]


async def test_another_tenants_record_is_like_none(api: Api, make_tenant: Any) -> None:
    foreign = Api(api.client, await make_tenant())
    made = await foreign.upsert("accounts", [{"external_id": "theirs", "name": "Theirs"}])
    theirs = made["rows"][0]["id"]
    answers = []
    for reference in (str(uuid4()), theirs, "crm:nobody", "nonsense", "a:b:c"):
        path = f"/v1/accounts/{reference}"
        for method, suffix, body in (
            ("GET", "", None), ("GET", "/history", None), ("PATCH", "", {"name": "X"}), ("DELETE", "", None),
            ("POST", ":restore", None),
        ):  # fmt: skip
            response = await api.send(method, path + suffix, json=body)
            assert code(response) == (404, "not_found"), (method, path, suffix)
            answers.append({k: v for k, v in response.json().items() if k != "request_id"})
    assert all(x == answers[0] for x in answers)
    refused = await api.patch("/v1/accounts/crm:acme", {"parent_id": theirs})
    absent = await api.patch("/v1/accounts/crm:acme", {"parent_id": str(uuid4())})
    assert code(refused) == code(absent) == (404, "reference_not_found")


async def test_a_rep_may_not_do_what_its_role_does_not_permit(api: Api) -> None:
    assert code(await api.post("/v1/products", {"name": "X"}, role="rep", rep="r1")) == (403, "forbidden")
    assert code(await api.get("/v1/users", role="rep", rep="r1")) == (403, "forbidden")
    assert code(await api.get(DEALS, scopes=("accounts:read",))) == (403, "forbidden")
    assert "cost" not in (await api.data("/v1/products", role="rep", rep="r1"))[0]
    assert code(await api.get("/v1/products?cost[gte]=1", role="rep", rep="r1"))[0] == 422
    assert (await api.data("/v1/products?sort=-cost", role="manager"))[0]["cost"] == 21


async def test_upsert_gives_every_row_a_receipt(api: Api) -> None:
    rows = [
        {"external_id": "d1", "name": "Deal 1 b"},
        {"external_id": "d2", "name": "Deal 2"},
        {"external_id": "d10", "name": "Deal 10", "stage_id": "crm:open"},
        {"external_id": "d11", "name": "Deal 11", "stage_id": "crm:nowhere"},
        {"external_id": "d12", "name": 5, "nmae": "x"},
    ]
    report = await api.upsert("opportunities", rows)
    assert [x["outcome"] for x in report["rows"]] == ["updated", "unchanged", "created", "failed", "failed"]
    assert report["counts"] == {
        "created": 1, "updated": 1, "unchanged": 1, "restored": 0, "deleted": 0, "failed": 2
    }  # fmt: skip
    assert report["rows"][0]["changed"] == ["name"]
    assert report["rows"][3]["error"]["errors"][0] == {
        "pointer": "/stage_id", "code": "reference_not_found", "message": "There is no such stage."
    }  # fmt: skip
    assert {x["pointer"] for x in report["rows"][4]["error"]["errors"]} == {"/name", "/nmae"}
    assert [x["index"] for x in report["rows"]] == list(range(5))


async def test_upsert_by_ndjson_dry_and_atomic(api: Api) -> None:
    body = b'{"external_id": "n1", "name": "N1"}\n\n{"external_id": "n2", "name": "N2"}\n'
    headers = {"content-type": "application/x-ndjson"}
    path = "/v1/teams:upsert?source=crm"
    dry = await api.send("POST", f"{path}&dry_run=true", content=body, headers=headers)
    assert dry.json()["counts"]["created"] == 2
    assert await api.data("/v1/teams?name=N1") == []
    assert (await api.send("POST", path, content=body, headers=headers)).json()["counts"]["created"] == 2
    assert code(await api.send("POST", "/v1/teams:upsert", content=body, headers=headers))[0] == 422
    rows = [{"external_id": "n3", "name": "N3"}, {"external_id": "n4"}]
    refused = await api.post("/v1/teams:upsert?atomic=true", {"source": "crm", "rows": rows})
    assert code(refused) == (422, "atomic_refused")
    assert refused.json()["errors"][0]["pointer"] == "/rows/1/name"
    assert await api.data("/v1/teams?name=N3") == []


async def test_an_idempotency_key_acts_once(api: Api) -> None:
    headers = {"idempotency-key": "k-1"}
    first = await api.post("/v1/teams", {"name": "Once"}, headers=headers)
    again = await api.post("/v1/teams", {"name": "Once"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    for name in ("etag", "location"):
        assert again.headers[name] == first.headers[name]
    assert "idempotency-replayed" not in first.headers
    assert len(await api.data("/v1/teams?name=Once")) == 1
    assert code(await api.post("/v1/teams", {"name": "Twice"}, headers=headers)) == (
        422,
        "idempotency_key_reused",
    )
    assert code(await api.post("/v1/accounts", {"name": "Once"}, headers=headers)) == (
        422,
        "idempotency_key_reused",
    )
    assert (await api.post("/v1/teams", {"name": 5}, headers={"idempotency-key": "k-2"})).status_code == 422
    assert (
        await api.post("/v1/teams", {"name": "Five"}, headers={"idempotency-key": "k-2"})
    ).status_code == 201


async def test_a_thousand_retries_over_fifty_connections_make_one_row(api: Api) -> None:
    gate = asyncio.Semaphore(50)
    key = await api.company.key()

    async def attempt() -> bytes:
        async with gate:
            while True:
                response = await api.client.post(
                    "/v1/teams",
                    json={"name": "Only"},
                    headers={"authorization": f"Bearer {key}", "idempotency-key": "r"},
                )
                if response.status_code == 201:
                    return response.content
                # The first is still running, or all connections are taken: what may be tried again says when.
                assert response.status_code in (409, 503), response.text
                assert response.headers["retry-after"] == "1"

    async with asyncio.timeout(60):
        assert len(set(await asyncio.gather(*(attempt() for _ in range(1000))))) == 1
    assert len(await api.data("/v1/teams?name=Only")) == 1


async def test_writers_of_the_same_rows_in_opposite_order_never_fail(api: Api) -> None:
    rows = [{"external_id": f"d{i}"} for i in range(1, 10)]

    async def write(number: int) -> None:
        step = 1 if number % 2 else -1
        await api.upsert("opportunities", [x | {"next_step": f"Step {number}"} for x in rows[::step]])

    await asyncio.gather(*(write(number) for number in range(12)))
    assert len({x["next_step"] for x in await api.data(DEALS)}) == 1


@pytest.mark.parametrize("path", ["/v1/accounts:history", "/v1/accounts/crm:acme/history"])
async def test_history_shows_every_version(api: Api, path: str) -> None:
    await api.patch("/v1/accounts/crm:acme", {"segment": "enterprise"})
    everything: list[Any] = []
    following: str | None = f"{path}?limit=1"
    while following:
        response = await api.get(following)
        assert response.status_code == 200, response.text
        everything += response.json()["data"]
        following = response.links.get("next", {}).get("url")
    assert len({json.dumps(x, sort_keys=True) for x in everything}) == len(everything)
    whole = await api.data(path)
    assert whole == everything
    current = [x for x in whole if x["is_current"] and x.get("segment") == "enterprise"]
    assert len(current) == 1


@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "2000-01-01", "9999-12-31"])
@pytest.mark.parametrize("one", [True, False])
async def test_any_day_of_the_calendar_is_kept(empty: Api, day: str, one: bool) -> None:
    """Sources write the last one for "never", and the driver takes it for infinity."""
    row = {"name": "Fair", "starts_on": "0001-01-01", "ends_on": day}
    if one:
        assert (await empty.post("/v1/campaigns", row)).json()["ends_on"] == day
    else:
        await empty.upsert("campaigns", [row | {"external_id": f"f{n}"} for n in range(3)])
    kept = await empty.data(f"/v1/campaigns?ends_on={day}&ends_on[gte]={day}")
    assert {x["ends_on"] for x in kept} == {day}
    assert not await empty.data(f"/v1/campaigns?ends_on[gt]={day}")
    assert not await empty.data(f"/v1/campaigns?ends_on[lt]={day}")
    history = await empty.data(f"/v1/campaigns/{kept[0]['id']}/history")
    assert [x["ends_on"] for x in history] == [day]


@pytest.mark.parametrize(
    "moment", ["0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31", "9999-12-31T23:59:59.999999Z"]
)
async def test_no_moment_stands_for_infinity(api: Api, moment: str) -> None:
    answer = await api.post(DEALS, {"name": "Never", "closed_at": moment})
    assert code(answer)[0] == 422
    assert "/closed_at" in {x["pointer"] for x in answer.json()["errors"]}


@pytest.mark.parametrize("value", [0, 1, 0.0, None, "yes", []])
async def test_truth_is_no_number(empty: Api, value: Any) -> None:
    answer = await empty.post("/v1/accounts:query", {"filter": {"name": {"is_null": value}}})
    assert answer.status_code == 422, answer.text
