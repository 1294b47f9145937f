"""Subscriptions over graphql-transport-ws and as server-sent events: who sees what, how much, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql import subscriptions
from app.faces.graphql.router import GraphQL
from app.faces.graphql.transport_ws import MOST_AT_ONCE, PROTOCOL, Sockets
from app.ground.access.rotation import revoke
from tests.faces.graphql.conftest import Api

CHANGES = (
    'subscription($after: String) { events(types: ["opportunity.updated"], after: $after) { type changed } }'
)
PATIENCE = 20


class Socket:
    """The other end of a socket: what a browser would send and be sent."""

    def __init__(self, sockets: Sockets, protocols: tuple[str, ...]) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.got: asyncio.Queue[Any] = asyncio.Queue()
        scope = {
            "type": "websocket", "path": "/graphql", "headers": [], "query_string": b"", "client": ("127.0.0.1", 1),
            "subprotocols": list(protocols),
        }  # fmt: skip
        self.sent.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(sockets(scope, self.sent.get, self.got.put))

    def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        self.sent.put_nowait({"type": "websocket.receive", "text": text})

    async def hear(self) -> Any:
        """The next message, or the code that the socket was closed with."""
        event = await asyncio.wait_for(self.got.get(), PATIENCE)
        if event["type"] == "websocket.close":
            return event["code"]
        return orjson.loads(event["text"]) if "text" in event else event

    def subscribe(self, id: str, query: str, **variables: Any) -> None:
        self.say({"id": id, "type": "subscribe", "payload": {"query": query, "variables": variables}})


@asynccontextmanager
async def socket(api: Api, *protocols: str, graphql: GraphQL | None = None) -> AsyncIterator[Socket]:
    found = Socket(Sockets(graphql or graphql_of(api)), protocols or (PROTOCOL,))
    try:
        yield found
    finally:
        found.sent.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(found.task, PATIENCE)


def graphql_of(api: Api) -> GraphQL:
    return api.client._transport.app  # pyright: ignore[reportAttributeAccessIssue]


@asynccontextmanager
async def known(api: Api, role: str = "admin", rep: str | None = None, **more: Any) -> AsyncIterator[Socket]:
    """A socket that has been acknowledged."""
    await api.post({"query": "{ me { role } }"}, role=role, rep=rep)
    async with socket(api, **more) as found:
        assert (await found.hear())["subprotocol"] == PROTOCOL
        key = api.keys[role, rep, ()]
        found.say({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}})
        assert (await found.hear())["type"] == "connection_ack"
        yield found


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "LOOK_SECONDS", 0.02)


async def rename(api: Api, deal: str, name: str) -> None:
    done = await api.data(
        "mutation($id: ID!, $name: String) { updateOpportunity(id: $id, input: {name: $name}) { outcome } }",
        {"id": f"crm:{deal}", "name": name},
    )
    assert done["updateOpportunity"]["outcome"] == "UPDATED"


async def here(api: Api) -> str:
    """A cursor behind everything so far."""
    return (await api.data("{ events(first: 1000) { nextCursor } }"))["events"]["nextCursor"]


async def test_a_change_is_told_to_who_may_see_it_and_to_nobody_else(api: Api) -> None:
    after = await here(api)
    async with known(api) as admin, known(api, "rep", "r1") as r1:
        for each in (admin, r1):
            each.subscribe("1", CHANGES, after=after)
        await rename(api, "d1", "Of r2")
        await rename(api, "d2", "Of r1")
        told = {
            "type": "next",
            "id": "1",
            "payload": {"data": {"events": {"type": "opportunity.updated", "changed": ["name"]}}},
        }
        assert await admin.hear() == told
        assert await admin.hear() == told
        assert await r1.hear() == told
        assert r1.got.empty()


async def test_without_a_cursor_only_what_comes_is_told_and_names_are_those_of_graphql(
    api: Api, settled: Callable[[], Awaitable[None]]
) -> None:
    await rename(api, "d1", "Before")
    await settled()
    async with known(api) as admin:
        admin.subscribe(
            "1",
            'subscription { change: events(types: ["opportunity.updated"]) { ...E } } fragment E on Event { changed }',
        )
        told = asyncio.create_task(admin.hear())
        # Nothing says when the stream has begun, so there are changes until one is told.
        for step in range(100):
            await api.data(
                'mutation($step: String) { updateOpportunity(id: "crm:d1", input: {nextStep: $step}) { outcome } }',
                {"step": f"Call {step}"},
            )
            if (await asyncio.wait({told}, timeout=0.2))[0]:
                break
        assert (await told)["payload"] == {"data": {"change": {"changed": ["nextStep"]}}}


async def test_a_query_and_a_mutation_are_answered_once(api: Api) -> None:
    async with known(api) as admin:
        admin.subscribe("q", "{ me { role } }")
        assert await admin.hear() == {
            "id": "q",
            "type": "next",
            "payload": {"data": {"me": {"role": "admin"}}},
        }
        assert await admin.hear() == {"id": "q", "type": "complete"}
        admin.subscribe("m", 'mutation { updateOpportunity(id: "crm:d1", input: {name: "x"}) { outcome } }')
        assert (await admin.hear())["payload"]["data"] == {"updateOpportunity": {"outcome": "UPDATED"}}
        assert await admin.hear() == {"id": "m", "type": "complete"}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("subscription { events { nothing } }", {}, "invalid_query"),
        ("subscription { a: events { id } b: events { id } }", {}, "invalid_query"),
        ("subscription { __typename }", {}, "invalid_query"),
        ("subscription { events(types: 7) { id } }", {}, "invalid_query"),
        (CHANGES, {"after": "yesterday"}, "bad_cursor"),
        ("{", {}, "invalid_query"),
        ("", {}, "required"),
        ("{" * 500, {}, "too_complex"),
    ],
)
async def test_what_is_refused_is_refused_as_by_post(api: Api, query: str, variables: Any, code: str) -> None:
    async with known(api) as admin:
        admin.subscribe("1", query, **variables)
        answer = await admin.hear()
        assert (answer["type"], answer["id"]) == ("error", "1")
        assert answer["payload"][0]["extensions"]["code"] == code


async def test_what_nobody_foresaw_is_masked(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(subscriptions, "changes", broken)
    async with known(api) as admin:
        admin.subscribe("1", CHANGES)
        answer = await admin.hear()
        assert answer["payload"][0]["extensions"]["code"] == "internal"
        assert "secret" not in json.dumps(answer)


async def test_a_connection_has_ten_operations_at_once_and_a_place_that_was_left_is_free(api: Api) -> None:
    async with known(api) as admin:
        for i in range(MOST_AT_ONCE + 1):
            admin.subscribe(str(i), CHANGES)
        answer = await admin.hear()
        assert answer["id"] == str(MOST_AT_ONCE)
        assert answer["payload"][0]["extensions"]["code"] == "too_many_requests"
        admin.say({"id": "0", "type": "complete"})
        admin.subscribe("again", "{ me { role } }")
        assert (await admin.hear())["type"] == "next"


async def test_a_tenant_has_so_many_streams(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MOST_EACH", 1)
    graphql = graphql_of(api)
    async with known(api) as admin:
        admin.subscribe("1", CHANGES)
        while not graphql.streams.open.total():
            await asyncio.sleep(0.01)
        admin.subscribe("2", CHANGES)
        answer = await admin.hear()
        assert answer["payload"][0]["extensions"]["code"] == "too_many_streams"
    assert graphql.streams.open.total() == 0


async def test_a_revoked_key_ends_its_streams(api: Api) -> None:
    async with known(api, "analyst") as analyst:
        analyst.subscribe("1", CHANGES)
        await asyncio.sleep(0.2)
        keys = await api.data("{ apiKeys(first: 100) { nodes { id role } } }")
        [key] = [x["id"] for x in keys["apiKeys"]["nodes"] if x["role"] == "ANALYST"]
        async with graphql_of(api).database.transaction(api.company.tenant.id) as session:
            await revoke(session, UUID(key))
        answer = await analyst.hear()
        assert (answer["type"], answer["payload"][0]["extensions"]["code"]) == ("error", "invalid_key")


async def test_the_socket_is_closed_for_those_who_come_back_when_the_process_ends(api: Api) -> None:
    ending = False
    graphql = GraphQL(
        graphql_of(api).database,
        graphql_of(api).settings,
        CATALOGUE,
        METRIC_CATALOGUE,
        draining=lambda: ending,
    )
    async with known(api, graphql=graphql) as admin:
        admin.subscribe("1", CHANGES)
        await asyncio.sleep(0.1)
        ending = True
        assert await admin.hear() == 1012


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no JSON", 4400),
        ("[]", 4400),
        ("{}", 4400),
        ({"type": "unknown"}, 4400),
        ({"type": "subscribe"}, 4400),
        ({"id": 7, "type": "subscribe", "payload": {"query": "{ me { role } }"}}, 4400),
        ({"id": "1", "type": "subscribe", "payload": ["{ me { role } }"]}, 4400),
        ({"type": "connection_init"}, 4429),
    ],
)
async def test_whoever_does_not_keep_to_the_protocol_is_shown_out(api: Api, message: Any, code: int) -> None:
    async with known(api) as admin:
        admin.say(message)
        assert await admin.hear() == code


async def test_without_a_key_there_is_nothing(api: Api) -> None:
    for payload in ({}, {"authorization": "Bearer nonsense"}, {"authorization": 7}):
        async with socket(api) as stranger:
            await stranger.hear()
            stranger.say({"type": "connection_init", "payload": payload})
            assert await stranger.hear() == 4403
    async with socket(api) as hasty:
        await hasty.hear()
        hasty.subscribe("1", "{ me { role } }")
        assert await hasty.hear() == 4401
    async with socket(api, "graphql-ws") as old:
        assert await old.hear() == 4406


async def stream(api: Api, query: str, **variables: Any) -> tuple[dict[str, Any], AsyncGenerator[str]]:
    """The head of the answer of /graphql/stream and its blocks as they come."""
    await api.post({"query": "{ me { role } }"})
    key = api.keys["admin", None, ()]
    got: asyncio.Queue[Any] = asyncio.Queue()
    sent: asyncio.Queue[Any] = asyncio.Queue()
    body = orjson.dumps({"query": query, "variables": variables})
    sent.put_nowait({"type": "http.request", "body": body, "more_body": False})
    scope = {
        "type": "http", "method": "POST", "path": "/graphql/stream", "client": ("127.0.0.1", 1), "query_string": b"",
        "headers": [(b"authorization", f"Bearer {key}".encode()), (b"content-type", b"application/json")],
    }  # fmt: skip
    task = asyncio.create_task(graphql_of(api)(scope, sent.get, got.put))

    async def blocks() -> AsyncGenerator[str]:
        try:
            while (event := await asyncio.wait_for(got.get(), PATIENCE)).get("more_body"):
                yield event["body"].decode()
        finally:
            sent.put_nowait({"type": "http.disconnect"})
            await asyncio.wait_for(task, PATIENCE)

    return await asyncio.wait_for(got.get(), PATIENCE), blocks()


async def test_the_same_comes_as_server_sent_events(api: Api) -> None:
    head, blocks = await stream(api, CHANGES, after=await here(api))
    assert dict(head["headers"])[b"content-type"] == b"text/event-stream"
    assert await anext(blocks) == ":\n\n"
    await rename(api, "d1", "Told")
    kind, data = (await anext(blocks)).split("\n")[:2]
    assert kind == "event: next"
    assert json.loads(data.removeprefix("data: "))["data"]["events"]["changed"] == ["name"]
    await blocks.aclose()
    assert graphql_of(api).streams.open.total() == 0


async def test_a_query_as_server_sent_events_is_complete_at_once(api: Api) -> None:
    _, blocks = await stream(api, "{ me { role } }")
    assert [x async for x in blocks] == [
        ":\n\n", 'event: next\ndata: {"data":{"me":{"role":"admin"}}}\n\n', "event: complete\ndata: \n\n"
    ]  # fmt: skip


async def test_a_refused_stream_never_begins(api: Api) -> None:
    head, _ = await stream(api, "subscription { events { nothing } }")
    assert dict(head["headers"])[b"content-type"] == b"application/json"
