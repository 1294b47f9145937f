"""Numbers over REST: the catalogue, a question by parameters and by JSON, the rows behind, and tables."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest_asyncio

from tests.faces.rest.conftest import Api, code


@pytest_asyncio.fixture
async def sold(api: Api) -> Api:
    """Deals 3 and 6 of Rep 1 are won, 4 of Rep 2 is lost."""
    for number, verb in ((3, "close_won"), (6, "close_won"), (4, "close_lost")):
        response = await api.post(
            f"/v1/opportunities/crm:d{number}:{verb}", {"closed_at": f"2026-03-0{number}"}
        )
        assert response.status_code == 200, response.text
    return api


QUESTION = "metric=bookings&metric=win_rate&period=2026-Q1&by=rep&totals=true"


async def test_the_catalogue(empty: Api) -> None:
    names = {x["name"] for x in await empty.data("/v1/metrics")}
    assert {"bookings", "win_rate", "quota_attainment", "open_pipeline"} <= names
    assert (await empty.get("/v1/metrics/win_rate")).json()["kind"] == "ratio"
    missing = await empty.get("/v1/metrics/bookins")
    assert code(missing)[0] == 404
    assert 'Did you mean "bookings"?' in missing.json()["detail"]


async def test_numbers_by_parameters_and_by_json_are_the_same(sold: Api) -> None:
    answer = (await sold.get(f"/v1/metrics/query?{QUESTION}")).json()
    bookings = {
        x["dimensions"].get("rep", {}).get("name"): x["value"]
        for x in answer["data"]
        if x["metric"] == "bookings"
    }
    assert bookings["Rep 1"] == 900.5
    assert bookings[None] == 900.5
    rate = next(x for x in answer["data"] if x["metric"] == "win_rate" and not x["dimensions"])
    assert (rate["numerator"], rate["denominator"]) == (2, 3)
    body = {"metrics": ["bookings", "win_rate"], "period": "2026-Q1", "by": ["rep"], "totals": True}
    response = await sold.post("/v1/metrics:query", body)
    assert response.status_code == 200, response.text
    assert response.json()["data"] == answer["data"]
    several = (await sold.post("/v1/metrics:query", {"queries": [body, body | {"by": []}]})).json()["answers"]
    assert several[0]["data"] == answer["data"]
    assert len(several) == 2


async def test_numbers_are_those_of_the_rows_that_one_sees(sold: Api) -> None:
    answer = await sold.data("/v1/metrics/query?metric=lost_deals&period=2026", role="rep", rep="r1")
    assert [x["value"] for x in answer] == [0]


async def test_tables(sold: Api) -> None:
    response = await sold.get(f"/v1/metrics/query?{QUESTION}", headers={"accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    mine = next(x for x in rows if x["rep_name"] == "Rep 1" and x["metric"] == "bookings")
    assert (mine["value"], mine["excluded_n"], mine["null_reason"]) == ("900.5", "0", "")
    lines = await sold.get(f"/v1/metrics/query?{QUESTION}", headers={"accept": "application/x-ndjson"})
    tidy = [json.loads(x) for x in lines.text.splitlines()]
    assert len(tidy) == len(rows)
    assert tidy[0]["rep_id"]


async def test_explain_adds_up_to_the_value(sold: Api) -> None:
    path = "/v1/metrics/bookings/rows?period=2026-Q1&by=rep"
    whole = (await sold.get(path)).json()
    assert {x["label"] for x in whole["data"]} == {"Deal 3", "Deal 6"}
    assert sum(next(iter(x["contribution"].values())) for x in whole["data"]) == 900.5
    first = (await sold.get(f"{path}&limit=1")).json()
    assert first["has_more"]
    second = (await sold.get(f"{path}&limit=1&cursor={first['next_cursor']}")).json()
    assert first["data"] + second["data"] == whole["data"]
    table = await sold.get(path, headers={"accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [x["label"] for x in rows] == [x["label"] for x in whole["data"]]
    assert rows[0]["rep_name"] == "Rep 1"


async def test_rows_are_not_asked_for_what_stands_beside_a_number(sold: Api) -> None:
    for query in ("compare=previous", "restated=true", "totals=true", "sort=bookings", "metric=won_deals"):
        response = await sold.get(f"/v1/metrics/bookings/rows?period=2026-Q1&{query}")
        assert code(response) == (422, "unknown_parameter"), query


async def test_questions_that_cannot_be_answered(sold: Api) -> None:
    for query, name in (
        ("metric=bookins&period=2026", "unknown_metric"),
        ("metric=bookings", "period_required"),
        ("metric=bookings&period=2026&by=repp", "unknown_dimension"),
        ("metric=bookings&period=2026&gran=month", "unknown_parameter"),
        ("metric=bookings&period=2026&limit=x", "type"),
    ):
        response = await sold.get(f"/v1/metrics/query?{query}")
        assert code(response) == (422, name)
    bodies: list[Any] = [
        {}, {"metrics": 5}, {"metrics": ["bookings"], "by": 5}, {"queries": []}, {"queries": [5]},
        {"queries": [{}] * 21},
        {"metrics": ["bookings"], "period": 5}, {"metrics": ["bookings"], "filters": []}, {"metrics": [["x"]]},
        {"metrics": ["bookings"], "period": "2026", "filters": {"rep": [5]}}, {"metrics": ["bookings"], "limit": [1]},
    ]  # fmt: skip
    for body in bodies:
        assert code(await sold.post("/v1/metrics:query", body))[0] == 422, body
    assert code(await sold.post("/v1/metrics:query", []))[0] == 422


async def test_the_currency_parameter_converts_and_does_not_filter(sold: Api) -> None:
    rate = {"from_currency": "USD", "to_currency": "EUR", "on_day": "2026-01-01", "rate": 0.5}
    assert (await sold.post("/v1/exchange_rates", rate)).status_code == 201
    [row] = await sold.data("/v1/metrics/query?metric=bookings&period=2026&currency=EUR")
    assert row["value"] == 450.25


async def test_who_is_credited_what_it_was_and_fields_of_the_tenants_own(sold: Api) -> None:
    field = {"noun": "opportunities", "name": "region", "kind": "picklist", "title": "Region"}
    assert (await sold.post("/v1/custom_fields", field)).status_code == 201
    shares = [{"rep_id": "crm:r1", "share": 0.25}, {"rep_id": "crm:other", "share": 0.75}]
    changed = await sold.patch("/v1/opportunities/crm:d3", {"custom": {"region": "alps"}, "splits": shares})
    assert changed.status_code == 200, changed.text

    async def grouped(name: str, **asked: Any) -> dict[str | None, float]:
        body = {"metrics": ["bookings"], "period": "2026-Q1", "by": [name], **asked}
        response = await sold.post("/v1/metrics:query", body)
        assert response.status_code == 200, response.text
        query = "&".join(f"{k}={v}" for k, v in ({"by": name} | asked).items() if k != "filters")
        if "filters" not in asked:
            path = f"/v1/metrics/query?metric=bookings&period=2026-Q1&{query}"
            assert await sold.data(path) == response.json()["data"]
        return {x["dimensions"][name]["name"]: x["value"] for x in response.json()["data"]}

    assert await grouped("custom.region") == {"alps": 300.25, None: 600.25}
    assert await grouped("rep", filters={"custom.region": "alps"}) == {"Rep 1": 300.25}
    assert await grouped("rep", attribution="split") == {"Rep 1": 675.3125, "Otto Other": 225.1875}
    assert await grouped("manager_level_1") == {"Bea Boss": 900.5}
    listed = (await sold.get("/v1/metrics/bookings")).json()
    assert {
        "name": "custom.region",
        "title": "Custom field region",
        "noun": None,
        "multiplies": False,
    } in listed["dimensions"]
    path = "/v1/metrics/bookings/rows?period=2026-Q1&attribution=split&by=rep"
    parts = [(x["label"], x["amount"], x["split"]) for x in await sold.data(path)]
    assert sorted(parts) == [("Deal 3", 300.25, 0.25), ("Deal 3", 300.25, 0.75), ("Deal 6", 600.25, 1)]

    assert (await sold.post("/v1/opportunities/crm:d6:reopen", {})).status_code == 200
    [row] = await sold.data("/v1/metrics/query?metric=bookings&period=2026-03&restated=true")
    assert (row["value"], row["restated"]["value"], row["restated"]["change"]) == (300.25, 900.5, -600.25)
    table = await sold.get(
        "/v1/metrics/query?metric=bookings&period=2026-03&restated=true", headers={"accept": "text/csv"}
    )
    [line] = csv.DictReader(io.StringIO(table.text))
    assert (line["restated_value"], line["restated_change"]) == ("900.5", "-600.25")
