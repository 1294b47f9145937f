"""Lists: filters, orders, pages both ways, streams."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest

from app.ground.database.session import Database, Session, Statement
from tests.faces.rest.conftest import Api, code

DEALS = "/v1/opportunities"


async def names(api: Api, query: str, **who: Any) -> list[str]:
    return [x["name"] for x in await api.data(f"{DEALS}?{query}", **who)]


async def test_a_list_filters_sorts_and_expands(api: Api) -> None:
    query = (
        "account.industry=retail&amount[gte]=300&stage.category=open&sort=-amount&expand=account,line_items"
    )
    rows = await api.data(f"{DEALS}?{query}")
    assert [x["name"] for x in rows] == ["Deal 9", "Deal 7", "Deal 5", "Deal 3"]
    assert rows[0]["account"]["name"] == "Acme"
    assert rows[0]["line_items"] == []
    assert rows[0]["amount"] == 900.25
    assert await names(api, "line_items.product_id=crm:x1&sort=name") == ["Deal 1", "Deal 2"]
    assert await names(api, "name=Deal 1") == ["Deal 1"]
    assert await names(api, "owner_id[in]=crm:r1,crm:r2&sort=name&limit=2") == ["Deal 1", "Deal 3"]


async def test_only_the_page_is_written_as_json(
    api: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no index has the order, so that everything found has to be sorted first."""
    asked: list[tuple[Statement, dict[str, Any]]] = []
    fetch = Session.fetch

    async def noting(session: Session, statement: Any, /, **values: Any) -> list[Any]:
        asked.append((statement, values))
        return await fetch(session, statement, **values)

    monkeypatch.setattr(Session, "fetch", noting)
    assert len(await api.data("/v1/reps?sort=-title,name&limit=1")) == 1
    [(statement, values)] = [x for x in asked if "page_size" in x[1]]
    async with database.transaction(api.company.id) as session:
        told = await session.connection.fetchval(
            f"explain (analyze, format json) {statement.sql}", *statement.arguments(values)
        )
    assert isinstance(told, str)
    [plan] = orjson.loads(told)
    written = [x["Actual Loops"] for x in _nodes(plan["Plan"]) if x.get("Parent Relationship") == "SubPlan"]
    assert written == [2]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


async def test_me_stands_for_the_callers_rep(api: Api) -> None:
    assert await names(api, "owner_id=me&sort=name", role="rep", rep="r1") == ["Deal 3", "Deal 6", "Deal 9"]


async def test_visibility_follows_the_tree(api: Api) -> None:
    assert len(await names(api, "")) == 9
    assert len(await names(api, "", role="manager", rep="boss")) == 6
    assert len(await names(api, "", role="rep", rep="r2")) == 3
    assert await names(api, "", role="rep") == []


@pytest.mark.parametrize("sort", ["amount", "-amount", "-category,name", "closed_at,-name", "-created_at"])
async def test_pages_lead_through_all_rows_and_back(api: Api, sort: str) -> None:
    everything = await names(api, f"sort={sort}")
    there: list[str] = []
    path: str | None = f"{DEALS}?sort={sort}&limit=4"
    pages: list[list[str]] = []
    body: dict[str, Any] = {}
    while path:
        response = await api.get(path)
        body = response.json()
        pages.append([x["name"] for x in body["data"]])
        there += pages[-1]
        following = response.links.get("next", {}).get("url")
        assert (following is not None) == body["has_more"] == (body["next_cursor"] is not None)
        path = following
    assert there == everything
    assert [len(x) for x in pages] == [4, 4, 1]
    back = (await api.get(f"{DEALS}?sort={sort}&limit=4&before={body['previous_cursor']}")).json()
    assert [x["name"] for x in back["data"]] == pages[1]
    assert back["has_more"]
    first = (await api.get(f"{DEALS}?sort={sort}&limit=4&before={back['previous_cursor']}")).json()
    assert [x["name"] for x in first["data"]] == pages[0]
    assert first["previous_cursor"] is None


async def test_a_cursor_is_bound_to_its_question(api: Api) -> None:
    cursor = (await api.get(f"{DEALS}?sort=name&limit=2")).json()["next_cursor"]
    for query in ("sort=-name", "sort=name&category=open", ""):
        assert code(await api.get(f"{DEALS}?{query}&cursor={cursor}")) == (400, "bad_cursor")
    assert code(await api.get(f"{DEALS}?cursor=%%"))[0] == 400
    assert code(await api.get(f"{DEALS}?sort=name&cursor={cursor}&before={cursor}"))[0] == 422


async def test_total_and_deleted_by_include(api: Api) -> None:
    await api.delete(f"{DEALS}/crm:d1")
    body = (await api.get(f"{DEALS}?limit=3&include=total")).json()
    assert (body["total"], len(body["data"])) == (8, 3)
    assert "total" not in (await api.get(DEALS)).json()
    assert len(await api.data(f"{DEALS}?include=deleted")) == 9


async def test_the_same_question_by_json(api: Api) -> None:
    question = {
        "filter": {
            "or": [{"amount": {"gte": 900}}, {"line_items": {"quantity": 2}}],
            "account": {"name": {"ne": "X"}},
        },
        "sort": ["name"],
        "expand": ["owner"],
        "include": ["total"],
    }
    response = await api.post(f"{DEALS}:query", question)
    assert response.status_code == 200, response.text
    assert [x["name"] for x in response.json()["data"]] == ["Deal 2", "Deal 9"]
    assert response.json()["data"][0]["owner"]["name"] == "Otto Other"
    assert response.json()["total"] == 2
    assert len((await api.post(f"{DEALS}:query")).json()["data"]) == 9


async def test_money_as_text_is_exact(api: Api) -> None:
    rows = await api.data(f"{DEALS}?money=string&name=Deal 1")
    assert rows[0]["amount"] in ("100.25", "100.2500")
    assert (await api.get(f"{DEALS}/crm:d1?money=string")).json()["amount"] == rows[0]["amount"]


async def test_csv_streams_the_columns_asked_for(api: Api) -> None:
    response = await api.get(
        f"{DEALS}?columns=name,account.name,amount,closed_at&sort=name", headers={"accept": "text/csv"}
    )
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(response.text)))
    assert rows[0] == ["name", "account.name", "amount", "closed_at"]
    assert len(rows) == 10
    assert rows[1][:2] == ["Deal 1", "Acme"]
    assert float(rows[1][2]) == 100.25
    assert rows[1][3] == ""


async def test_csv_of_everything_has_a_header_even_without_rows(empty: Api) -> None:
    response = await empty.get(DEALS, headers={"accept": "text/csv"})
    assert response.text.startswith("id,name,account_id,")
    assert response.text.count("\r\n") == 1


async def test_ndjson_streams_every_row(api: Api) -> None:
    rows = [{"external_id": f"t{i}", "name": f"Team {i}"} for i in range(2500)]
    await api.upsert("teams", rows)
    response = await api.get("/v1/teams?columns=name,id", headers={"accept": "application/x-ndjson"})
    lines = [json.loads(x) for x in response.text.splitlines()]
    assert len(lines) == 2501
    assert list(lines[0]) == ["name", "id"]
    limited = await api.get("/v1/teams?limit=1200", headers={"accept": "application/x-ndjson"})
    assert len(limited.text.splitlines()) == 1200


async def test_records_in_json_are_whole(api: Api) -> None:
    """What is said of a record holds of each: few fields are for tables, and for GraphQL."""
    assert code(await api.get(f"{DEALS}?columns=name")) == (422, "only_streamed")
    refused = await api.post(f"{DEALS}:query", json={"columns": ["name"]})
    assert (code(refused), refused.json()["errors"][0]["pointer"]) == ((422, "only_streamed"), "/columns")


async def test_a_stream_refuses_before_its_first_byte(api: Api) -> None:
    accept = {"accept": "text/csv"}
    assert code(await api.get(f"{DEALS}?columns=nome", headers=accept))[0] == 422
    assert code(await api.get(f"{DEALS}?sort=nome", headers=accept))[0] == 422
    assert code(await api.get(f"{DEALS}?owner_id={uuid4()}", headers=accept)) == (404, "not_found")


async def test_periods_filter_a_stream_of_several_pages(api: Api) -> None:
    await api.upsert("teams", [{"external_id": f"t{i}", "name": f"Team {i}"} for i in range(1500)])
    response = await api.get(
        "/v1/teams?created_at[in_period]=ytd", headers={"accept": "application/x-ndjson"}
    )
    assert len(response.text.splitlines()) == 1501


@pytest.mark.parametrize(
    "query", ["owner_id={}", "account.owner_id={}", "stage_id[in]=crm:open,{}", "owner_id=crm:{}"]
)
async def test_a_filter_by_nobody_is_404_like_any_absent_record(
    api: Api, query: str, make_tenant: Any
) -> None:
    stranger = await make_tenant()
    foreign = Api(api.client, stranger)
    made = await foreign.upsert("reps", [{"external_id": "z", "name": "Z"}])
    answers = []
    for reference in (str(uuid4()), made["rows"][0]["id"]):
        if "in]" in query:
            query = query.replace("crm:open,", "")
        response = await api.get(f"{DEALS}?{query.format(reference)}")
        assert code(response) == (404, "not_found")
        answers.append({k: v for k, v in response.json().items() if k != "request_id"})
    assert answers[0] == answers[1]


async def test_a_filter_that_matches_nothing_is_an_empty_page(api: Api) -> None:
    assert await api.data(f"{DEALS}?owner_id=crm:boss") == []
    assert await api.data(f"{DEALS}?name=nobody") == []


async def test_as_of_shows_the_past(api: Api) -> None:
    await api.post(f"{DEALS}/crm:d2:close_won", {"closed_at": "2026-02-01T00:00:00Z"})
    assert await names(api, "category=won") == ["Deal 2"]
    assert await names(api, "category=won&as_of=2026-01-20") == []
    assert await names(api, "as_of=2026-01-02T10:00:00Z&sort=name") == ["Deal 1", "Deal 2"]
    past = await api.get(f"{DEALS}/crm:d2?as_of=2026-01-20")
    assert past.json()["category"] == "open"
    assert code(await api.get("/v1/picklist_values?as_of=2026-01-20")) == (422, "unknown_parameter")
