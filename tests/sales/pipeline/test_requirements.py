"""A stage's demands hold on every way into it."""

from __future__ import annotations

from typing import Any

from tests.faces.rest.conftest import Api, code

DEALS = "/v1/opportunities"


async def demanding(api: Api, **stages: list[str]) -> None:
    rows = [{"external_id": name, "required_fields": fields} for name, fields in stages.items()]
    report = await api.upsert("stages", rows)
    assert report["counts"]["failed"] == 0, report


def missing(response: Any) -> list[str]:
    assert code(response) == (422, "stage_requirements"), response.text
    return [x["pointer"] for x in response.json()["errors"]]


async def test_every_way_into_a_stage(api: Api) -> None:
    await demanding(
        api, deep=["next_step", "expected_close_on"], won=["type"], lost=["loss_reason", "competitor"]
    )
    one = f"{DEALS}/crm:d3"
    needed = ["/next_step", "/expected_close_on"]
    assert missing(await api.patch(one, {"stage_id": "crm:deep"})) == needed
    assert missing(await api.post(f"{one}:move", {"stage_id": "crm:deep"})) == needed
    assert missing(await api.post(DEALS, {"name": "x", "stage_id": "crm:deep"})) == needed
    assert missing(await api.post(f"{one}:close_won")) == ["/type"]
    assert missing(await api.post(f"{one}:close_lost", {"loss_reason": "price"})) == ["/competitor"]
    assert (await api.get(one)).json()["version"] == 1
    moved = await api.patch(
        one, {"stage_id": "crm:deep", "next_step": "a", "expected_close_on": "2026-05-01"}
    )
    assert moved.status_code == 200, moved.text
    # Once inside, the demands of the entrance are no longer asked.
    assert (await api.patch(one, {"next_step": None})).status_code == 200
    assert (await api.post(f"{one}:close_lost", {"loss_reason": "p", "competitor": "c"})).status_code == 200
    assert missing(await api.post(f"{one}:reopen", {"stage_id": "crm:deep"})) == ["/next_step"]


async def test_rows_of_an_upsert_are_judged_and_the_past_is_not(api: Api) -> None:
    rows = [
        {"external_id": "d1", "stage_id": "crm:deep"},
        {"external_id": "d2", "stage_id": "crm:deep", "next_step": "call"},
        {"external_id": "new", "name": "New", "stage_id": "crm:deep"},
    ]
    report = await api.upsert("opportunities", rows)
    assert [x["outcome"] for x in report["rows"]] == ["failed", "updated", "failed"]
    assert report["rows"][0]["error"]["code"] == "stage_requirements"
    body = {"source": "crm", "rows": rows}
    past = (await api.post(f"{DEALS}:upsert?origin=backfill", body)).json()
    assert [x["outcome"] for x in past["rows"]] == ["updated", "unchanged", "created"]


async def test_a_list_that_is_demanded(api: Api) -> None:
    await demanding(api, deep=["line_items"])
    move = {"stage_id": "crm:deep"}
    assert (await api.post(f"{DEALS}/crm:d1:move", move)).status_code == 200, "it has a line already"
    assert missing(await api.post(f"{DEALS}/crm:d3:move", move)) == ["/line_items"]
    assert missing(await api.patch(f"{DEALS}/crm:d3", {**move, "line_items": []})) == ["/line_items"]
    sent = {**move, "line_items": [{"product_id": "crm:x1"}]}
    assert (await api.patch(f"{DEALS}/crm:d3", sent)).status_code == 200


async def test_a_stage_demands_what_there_is(api: Api) -> None:
    answer = await api.patch("/v1/stages/crm:open", {"required_fields": ["next_stp"]})
    assert code(answer) == (422, "unknown_field")
    assert 'Did you mean "next_step"?' in answer.json()["detail"]
    assert code(await api.patch("/v1/stages/crm:open", {"required_fields": ["amount_home"]}))[0] == 422
