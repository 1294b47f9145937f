"""The envelope: one JSON object by POST, a page for browsers, nothing else."""

# ruff: noqa: E501 - documents are kept on one line

from __future__ import annotations

import dataclasses
from typing import Any

import httpx
import pytest
import structlog
from graphql import build_client_schema, get_introspection_query

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql import graphiql, queries
from app.faces.graphql.router import GraphQL
from app.faces.graphql.schema import schema, sdl
from app.ground.database import session as sessions
from app.ground.database.session import Database
from app.ground.settings import Settings
from tests.faces.graphql.conftest import Api


async def test_refusals_of_the_envelope(empty: Api) -> None:
    def code(response: httpx.Response) -> tuple[int, str]:
        return response.status_code, response.json()["errors"][0]["extensions"]["code"]

    client = empty.client
    query = {"query": "{ me { name } }"}
    assert code(await client.post("/graphql", json=query)) == (401, "unauthorized")
    refused = await client.post("/graphql", json=query, headers={"authorization": "Bearer nonsense"})
    assert code(refused) == (401, "invalid_key")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert code(await empty.post([query])) == (400, "bad_request")
    assert code(await empty.post({"query": 5})) == (422, "required")
    assert code(await empty.post({**query, "variables": []})) == (422, "invalid_value")
    assert code(await empty.post({**query, "variables": {"a": "\x00"}})) == (422, "bad_character")
    headers = {"authorization": f"Bearer {await empty.company.key()}"}
    for media in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        answer = await client.post("/graphql", content=b"{}", headers=headers | {"content-type": media})
        assert code(answer) == (415, "unsupported_media_type")
    broken = await client.post(
        "/graphql", content=b"{", headers=headers | {"content-type": "application/json"}
    )
    assert code(broken) == (400, "malformed_json")
    got = await client.get("/graphql", params={"query": "{ me { name } }"}, headers=headers)
    assert code(got) == (405, "method_not_allowed")
    assert got.headers["allow"] == "POST"


async def test_media_types_and_status(empty: Api) -> None:
    new = {"accept": "application/graphql-response+json"}
    broken = {"query": "{ nonsense }"}
    assert (await empty.post(broken)).status_code == 200
    answer = await empty.post(broken, headers=new)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/graphql-response+json"
    assert "data" not in answer.json()
    field = await empty.post({"query": '{ account(id: "x:y") { id } }'}, headers=new)
    assert (field.status_code, field.json()["data"]) == (200, {"account": None})


async def test_who_finds_nothing_open_hears_when_to_come_again(
    empty: Api, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who asks is known; else already that could not be found out.
    known = settings.model_copy(update={"principal_cache_seconds": 60})
    transport = httpx.ASGITransport(GraphQL(database, known, CATALOGUE, METRIC_CATALOGUE))  # pyright: ignore[reportArgumentType]
    api = Api(httpx.AsyncClient(transport=transport, base_url="http://attain"), empty.company)
    lists = "{ accounts { totalCount } opportunities { totalCount } }"
    assert "errors" not in await api(lists)
    queue = database.queue
    monkeypatch.setattr(queue, "seconds", 0.05)
    held = [await queue.enter(f"another {n}") for n in range(queue.size)]
    try:
        refused = await api.post({"query": lists})
        partly = await api.post({"query": "{ __typename accounts { totalCount } }"})
    finally:
        for place in held:
            queue.leave(place)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["errors"][0]["extensions"]["code"] == "pool_exhausted"
    assert "data" not in refused.json()
    # Where anything was answered the answer stands, and says what is missing.
    assert partly.status_code == 200
    assert partly.json()["data"] == {"__typename": "Query", "accounts": None}
    assert partly.json()["errors"][0]["extensions"]["status"] == 503


async def test_a_document_holds_one_operation_by_whatever_name(empty: Api) -> None:
    document = "query A { me { role } }"
    for name in ("A", None):
        answer = await empty.post({"query": document, "operationName": name})
        assert answer.json()["data"] == {"me": {"role": "admin"}}
    answer = await empty.post({"query": document, "operationName": "C"})
    assert answer.json()["errors"][0]["extensions"]["code"] == "invalid_query"
    refused = await empty.refusal(f"{document} query B {{ me {{ name }} }}")
    assert refused["extensions"]["code"] == "several_operations"


async def test_introspection_beside_what_is_asked(empty: Api) -> None:
    data = await empty.data(
        """query ($noun: String!, $deep: Boolean = false, $filter: AccountFilter) {
            t: __type(name: "Me") { ...T } __schema { queryType { name } }
            describe(noun: $noun) accounts(filter: $filter) { totalCount }
        }
        fragment T on __Type { name fields @include(if: $deep) { name } }""",
        {"noun": "account", "filter": {"segment": {"eq": "smb"}}},
    )
    assert list(data) == ["t", "__schema", "describe", "accounts"]
    assert (data["t"], data["__schema"]) == ({"name": "Me"}, {"queryType": {"name": "Query"}})
    document = get_introspection_query(input_value_deprecation=True)
    assert build_client_schema(await empty.data(document)).query_type


async def test_introspection_and_suggestions_can_be_off(empty: Api) -> None:
    app: Any = empty.client._transport.app  # pyright: ignore[reportAttributeAccessIssue]
    assert "Did you mean" in (await empty.refusal("{ accounts { nodes { nam } } }"))["message"]
    closed = GraphQL(
        app.database,
        app.settings.model_copy(update={"allow_introspection": False}),
        CATALOGUE,
        METRIC_CATALOGUE,
    )
    client = httpx.AsyncClient(transport=httpx.ASGITransport(closed), base_url="http://attain")  # pyright: ignore[reportArgumentType]
    shut = dataclasses.replace(empty, client=client)
    assert "Did you mean" not in (await shut.refusal("{ accounts { nodes { nam } } }"))["message"]
    assert (await shut("{ __schema { queryType { name } } }"))["errors"]
    assert (await shut.data("{ __typename me { __typename } }")) == {
        "__typename": "Query",
        "me": {"__typename": "Me"},
    }


async def test_faults_of_ours_are_masked(empty: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret place")

    monkeypatch.setattr(queries.read, "page", broken)
    with structlog.testing.capture_logs() as logs:
        answer = await empty("{ accounts { totalCount } me { role } }")
    assert [x["event"] for x in logs] == ["unhandled_error"]
    assert answer["data"] == {"accounts": None, "me": {"role": "admin"}}
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "internal"
    assert "secret" not in str(answer)


async def test_the_page_for_people(empty: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    html = {"accept": "text/html,application/xhtml+xml"}
    monkeypatch.setattr(graphiql, "PACKAGES", tmp_path)
    borrowed = await empty.client.get("/graphql", headers=html)
    assert borrowed.status_code == 200
    assert "GraphiQL" in borrowed.text
    for path in graphiql.ASSETS.values():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("/* here */")
    own = await empty.client.get("/graphql", headers=html)
    assert "http" not in own.text
    assert "/graphql/ui/graphiql.js" in own.text
    for name in (*graphiql.ASSETS, "start.js"):
        assert (await empty.client.get(f"/graphql/ui/{name}")).status_code == 200
    assert (await empty.client.get("/graphql/ui/../secrets")).status_code == 404


async def test_one_statement_for_each_root_field(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []

    def counting(name: str) -> None:
        original = getattr(sessions.Session, name)

        async def counted(self: Any, *arguments: Any, **values: Any) -> Any:
            run.append(name)
            return await original(self, *arguments, **values)

        monkeypatch.setattr(sessions.Session, name, counted)

    principal_look_up = 1
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        counting(name)
    await api.data(
        """{
            a: opportunities(filter: {account: {industry: {eq: "retail"}}}) {
                totalCount pageInfo { hasNextPage }
                nodes { account { owner { manager { name } } opportunities(first: 5) { activities(first: 5) { subject } } } lineItems { product { name } } }
                edges { node { name } }
            }
            b: account(id: "crm:acme") { opportunities { owner { name } activities(first: 9) { owner { name } } } }
        }"""
    )
    assert len(run) == 2 + principal_look_up


def test_the_schema_is_the_same_every_time() -> None:
    first = sdl(CATALOGUE, METRIC_CATALOGUE)
    schema.cache_clear()
    assert schema(CATALOGUE, METRIC_CATALOGUE).as_str() + "\n" == first
    assert "type Opportunity implements Node" in first
