"""Refusals: one form, a stable code, the place of the fault, and never an inside."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.faces.rest import problems
from app.ground.errors import Unavailable
from tests.faces.rest.conftest import Api, code

DEALS = "/v1/opportunities"


async def test_a_key_is_needed(empty: Api) -> None:
    for header in (None, "Bearer nonsense", "Digest x"):
        response = await empty.client.get(DEALS, headers={"authorization": header} if header else {})
        assert response.status_code == 401
        assert "Bearer" in response.headers["www-authenticate"]
        assert code(response)[0] == 401


async def test_basic_auth_takes_the_key_as_password(empty: Api) -> None:
    key = await empty.company.key()
    assert (await empty.client.get("/v1/me", auth=("anything", key))).status_code == 200


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("limt=5", '"limit"'),
        ("amuont=5", '"amount"'),
        ("account.industri=x", '"industry"'),
        ("amount[gtee]=5", '"gte"'),
        ("sort=amuont", '"amount"'),
        ("expand=acount", '"account"'),
        ("include=totel", '"total"'),
    ],
)
async def test_an_unknown_name_is_refused_with_a_suggestion(api: Api, query: str, hint: str) -> None:
    response = await api.get(f"{DEALS}?{query}")
    assert code(response)[0] == 422
    [fault] = response.json()["errors"]
    assert f"Did you mean {hint}?" in fault["message"]
    assert fault["pointer"].startswith("?")


async def test_an_unknown_field_is_refused_with_a_suggestion(api: Api) -> None:
    response = await api.post(DEALS, {"name": "X", "amuont": 5, "next_step": 3})
    assert code(response)[0] == 422
    faults = {x["pointer"]: x for x in response.json()["errors"]}
    assert faults["/amuont"]["code"] == "unknown_field"
    assert 'Did you mean "amount"?' in faults["/amuont"]["message"]
    assert set(faults) == {"/amuont", "/next_step"}


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=1&limit=2", "money=gold", "amount[gte]=x", "amount=1e999999",
        "closed_at[gte]=yesterday", "as_of=2999-01-01", "as_of=x", "owner_id=%00", "name=%00", "amount[is_null]=2",
        "stage.category=opne", "known_at=2026-01-01", "days_in_stage=99999999999999999999999", "a.b.c.d.e=1", "=1",
        "[]=1", "name[=1", "sort=", "cursor=", "sort=name,name", "expand=account.owner.team.parent",
        "closed_at[in_period]=nonsense", "id[in]=1,2", "columns=id.x", "expected_close_on=2026-13-45",
    ],
)  # fmt: skip
async def test_no_parameter_is_a_fault_of_ours(api: Api, query: str) -> None:
    response = await api.get(f"{DEALS}?{query}")
    assert response.status_code in (200, 400, 404, 422), response.text
    if response.status_code != 200:
        code(response)


async def test_a_query_string_that_is_no_utf8(empty: Api) -> None:
    assert code(await empty.get(f"{DEALS}?name=%ff")) == (400, "malformed_query")
    assert code(await empty.get(f"{DEALS}?{'a=1&' * 300}")) == (400, "malformed_query")


async def test_a_body_that_may_be_absent_is_not_blank(empty: Api) -> None:
    assert (await empty.send("POST", f"{DEALS}:query", content=b"")).status_code == 200
    assert code(await empty.send("POST", f"{DEALS}:query", content=b" \r\n")) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"[]", 422), (b"null", 422), (b'{"name": NaN}', 400), (b'{"name": "\\ud800"}', 400),
        (b'{"name": "a\\u0000b"}', 422), (b'{"name": "x", "amount": 1e999}', 400),
        (b'{"name": "x", "amount": 123456789012345678901234567890}', 422), (b'{"name": "x", "amount": 0.00001}', 422),
        (b'{"name": "x", "amount": true}', 422), (b'{"name": "x", "amount": "NaN"}', 422), (b"\xff", 400),
        (b'{"name": "x", "probability": 2}', 422), (b'{"name": "x", "closed_at": "2026-02-30"}', 422),
        (b'{"name": ""}', 422), (b'{"name": "x", "currency": "XXQ"}', 422), (b'{"a":' * 2000 + b"1" + b"}" * 2000, 400),
        (b'{"name": "x", "line_items": 5}', 422), (b'{"name": "x", "line_items": [5]}', 422),
        (b'{"name": "x", "line_items": [{"quantity": 1e300}]}', 422), (b'{"name": "' + b"x" * 300 + b'"}', 422),
        (b'{"name": "x", "line_items": [{"position": 99999999999}]}', 422),
        (b'{"name": "x", "closed_at": "0001-01-01T00:00:00+14:00"}', 422),
        (b'{"name": "x", "owner_id": 5}', 422), (b'{"name": "x", "owner_id": ""}', 422),
    ],
)  # fmt: skip
async def test_no_body_is_a_fault_of_ours(api: Api, body: bytes, status: int) -> None:
    response = await api.send("POST", DEALS, content=body)
    assert code(response)[0] == status, response.text


@pytest.mark.parametrize(
    "question",
    [
        {"filter": 5}, {"filter": {"or": 5}}, {"filter": {"and": [5]}}, {"filter": {"amount": {"gte": "x"}}},
        {"filter": {"amount": {}}}, {"limit": 500}, {"limit": "5"}, {"sort": "name"}, {"sort": [5]}, {"fliter": {}},
        {"filter": {"name": {"in": 5}}}, {"filter": {"name": {"nin": "a,b"}}}, {"filter": {"account": 5}},
        {"filter": {"amount": None}}, {"as_of": 5},
        {"filter": {"amount": [1, 2]}}, {"filter": {"name": {"eq": None}}}, {"filter": {"name": {"contains": None}}},
        {"filter": {"nmae": "x"}}, {"filter": {"owner_id": {"in": [None]}}}, {"filter": {"amount": {"gte": [1]}}},
        {"filter": {"closed_at": {"in_period": 5}}}, {"filter": {"category": ["open", 5]}},
        {"filter": {"category": {}}},
        {"filter": {"name": {"in": [[]]}}}, {"filter": {"version": 2**63}}, {"filter": {"version": True}},
    ],
)  # fmt: skip
async def test_no_question_is_a_fault_of_ours(api: Api, question: Any) -> None:
    response = await api.post(f"{DEALS}:query", question)
    assert response.status_code in (200, 422), response.text
    if response.status_code == 422:
        code(response)


@pytest.mark.parametrize(
    "operand", [{"gte": "5"}, "5", True, {"is_null": "true"}, {"is_null": 1}, {"in": ["5"]}]
)
async def test_a_value_in_json_has_its_own_type(api: Api, operand: Any) -> None:
    """A text is a number or a truth value in a URL only, where nothing else can be written."""
    response = await api.post("/v1/leads:query", {"filter": {"score": operand}})
    assert code(response)[0] == 422, response.text
    for written in ("score[gte]=5", "score=5,6", "score[is_null]=true", "score[is_null]=0"):
        assert (await api.get(f"/v1/leads?{written}")).status_code == 200, written


async def test_a_filter_nested_without_end_is_refused(api: Api) -> None:
    tree: dict[str, Any] = {"name": "x"}
    for _ in range(400):
        tree = {"not": tree}
    assert code(await api.post(f"{DEALS}:query", {"filter": tree}))[0] == 422


async def test_content_types(api: Api) -> None:
    plain = b'{"name": "Typed"}'
    for sent in ("application/json", "application/json; charset=utf-8"):
        response = await api.send("POST", "/v1/teams", content=plain, headers={"content-type": sent})
        assert response.status_code == 201
    assert (await api.send("POST", "/v1/teams", content=plain)).status_code == 201
    for sent in ("text/xml", "application/x-www-form-urlencoded", "application/x-ndjson"):
        response = await api.send("POST", "/v1/teams", content=plain, headers={"content-type": sent})
        assert code(response) == (415, "unsupported_media_type")
    patch = await api.send(
        "PATCH", "/v1/teams/crm:east", content=b"[]", headers={"content-type": "application/json-patch+json"}
    )
    assert code(patch)[0] == 415
    assert "merge-patch" in patch.headers["accept-patch"]


async def test_accepted_types(api: Api) -> None:
    for sent, got in (
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/csv, application/json;q=0.5", "text/csv; charset=utf-8"),
        ("text/html, application/x-ndjson;q=0.9, */*;q=0.1", "application/x-ndjson"),
    ):
        assert (await api.get(DEALS, headers={"accept": sent})).headers["content-type"] == got
    for sent in ("text/html", "application/json;q=0"):
        assert code(await api.get(DEALS, headers={"accept": sent})) == (406, "not_acceptable")
    assert code(await api.get("/v1/me", headers={"accept": "text/csv"})) == (406, "not_acceptable")


async def test_paths_and_methods(api: Api) -> None:
    response = await api.get("/v1/oportunities")
    assert code(response) == (404, "no_such_path")
    assert 'Did you mean "opportunities"?' in response.json()["detail"]
    refused = await api.send("PUT", DEALS)
    assert code(refused) == (405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    refused = await api.get(f"{DEALS}/{uuid4()}:close_won")
    assert (code(refused)[0], refused.headers["allow"]) == (405, "OPTIONS, POST")
    assert code(await api.post(f"{DEALS}/{uuid4()}:fly"))[0] == 405
    assert code(await api.get("/v1/opportunities/a/b/c"))[0] == 404
    options = await api.send("OPTIONS", f"{DEALS}/crm:d1")
    assert (options.status_code, options.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")


@pytest.mark.parametrize(
    "reference", ["crm:%00", "%ff", "crm:%ff", ":", "crm:", ":x", "..", "x" * 3000, "CRM:d1", "%2e"]
)
async def test_no_reference_is_a_fault_of_ours(api: Api, reference: str) -> None:
    for method, suffix, body in (
        ("GET", "", None),
        ("PATCH", "", {}),
        ("POST", ":close_won", {}),
        ("GET", "/history", None),
    ):
        assert code(await api.send(method, f"{DEALS}/{reference}{suffix}", json=body))[0] in (404, 405)


async def test_head_is_get_without_a_body(api: Api) -> None:
    whole = await api.get(f"{DEALS}/crm:d1")
    head = await api.send("HEAD", f"{DEALS}/crm:d1")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", whole.headers["etag"])
    assert (await api.send("HEAD", DEALS, headers={"accept": "text/csv"})).content == b""


async def test_a_duplicate_is_409_and_names_the_fields(api: Api) -> None:
    rate = {"from_currency": "EUR", "to_currency": "USD", "on_day": "2026-01-01", "rate": 1.1}
    assert (await api.post("/v1/exchange_rates", rate)).status_code == 201
    refused = await api.post("/v1/exchange_rates", rate)
    assert code(refused) == (409, "duplicate")
    assert {x["pointer"] for x in refused.json()["errors"]} == {"/from_currency", "/to_currency", "/on_day"}
    body = {"name": "X", "external_ids": [{"source": "crm", "external_id": "east"}]}
    assert code(await api.post("/v1/teams", body)) == (409, "duplicate")


def test_the_databases_refusals_have_their_own_codes() -> None:
    def found(error: Exception) -> tuple[int, str]:
        refusal = problems.refusal_of(error)
        return refusal.status, refusal.code

    assert found(asyncpg.QueryCanceledError("x")) == (503, "statement_timeout")
    assert found(asyncpg.ForeignKeyViolationError("x")) == (409, "still_referenced")
    assert found(asyncpg.ConnectionDoesNotExistError("x")) == (503, "database_unreachable")
    assert found(asyncpg.InterfaceError("x")) == (503, "database_unreachable")
    assert found(ConnectionResetError()) == (503, "database_unreachable")
    assert found(asyncpg.DeadlockDetectedError("x")) == (503, "contended")
    assert found(asyncpg.NumericValueOutOfRangeError("x")) == (422, "out_of_range")
    assert found(RecursionError()) == (422, "too_deep")
    assert found(Unavailable()) == (503, "unavailable")


async def test_an_unforeseen_fault_is_masked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr("app.faces.rest.records.read.one", broken)
    with capture_logs() as logs:
        response = await api.get(f"{DEALS}/crm:d1")
    assert code(response) == (500, "internal")
    assert "inside" not in response.text
    assert [x["event"] for x in logs if x["log_level"] == "error"] == ["unhandled_error"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("pipelines", {}),
        ("price_books", {}),
        ("working_calendars", {}),
        ("fiscal_calendars", {"start_month": 1}),
    ],
)
async def test_a_second_default_is_told_by_its_field(empty: Api, path: str, body: dict[str, Any]) -> None:
    # A new tenant may have one already.
    refused = [await empty.post(f"/v1/{path}", {"name": name, "is_default": True, **body}) for name in "ab"][
        -1
    ]
    assert code(refused) == (409, "duplicate")
    assert [x["pointer"] for x in refused.json()["errors"]] == ["/is_default"]
    assert "is_default" in refused.json()["detail"]
