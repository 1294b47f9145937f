"""The feed as server-sent events, and the tickets that a browser opens it with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from app.ground import logs
from app.ground.access.keys import hash_of
from app.ground.settings import Settings
from app.main import create_app
from tests.faces.rest.conftest import Api, code

Settled = Callable[[], Awaitable[None]]
STREAM = {"accept": "text/event-stream"}


@dataclass
class Listener:
    """One open stream. httpx would wait for its end, so the application is called as a server calls it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    ended: bool = False
    came: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.text += message["body"].decode()
            self.ended = not message.get("more_body")
        self.came.set()

    def blocks(self) -> list[dict[str, str]]:
        return [
            dict(line.split(": ", 1) for line in block.split("\n") if line)
            for block in self.text.split("\n\n") if block
        ]  # fmt: skip

    def told(self) -> list[Any]:
        return [orjson.loads(x["data"]) for x in self.blocks() if "data" in x and "event" not in x]

    def end(self) -> Any:
        return next((orjson.loads(x["data"]) for x in self.blocks() if x.get("event") == "end"), None)

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def listening(
    service: Any, headers: dict[str, str] | None = None, **query: str
) -> AsyncIterator[Listener]:
    listener = Listener()
    sent = {"accept": "text/event-stream", **(headers or {})}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/v1/events", "raw_path": b"/v1/events", "root_path": "", "query_string": urlencode(query).encode(),
        "headers": [(k.encode(), v.encode()) for k, v in sent.items()], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip
    task = asyncio.create_task(service(scope, listener.receive, listener.send))
    try:
        await listener.until(lambda: listener.text or listener.ended)
        yield listener
    finally:
        listener.left.set()
        async with asyncio.timeout(30):
            await task


def by_key(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def ticket(api: Api, **who: Any) -> str:
    response = await api.post("/v1/stream_tickets", **who)
    assert response.status_code == 201, response.text
    return response.json()["ticket"]


async def test_a_stream_tells_what_settles_and_resumes_where_it_was(
    api: Api, service: Any, settled: Settled
) -> None:
    await settled()
    opened = by_key(await api.company.key())
    async with listening(service, opened) as first:
        assert first.headers["content-type"].startswith("text/event-stream")
        assert first.headers["cache-control"] == "private, no-store"
        assert first.told() == [], "from now on"
        await api.patch("/v1/opportunities/crm:d1", {"amount": 7})
        await first.until(first.told)
        [event] = first.told()
        assert (event["type"], event["changed"]) == ("opportunity.updated", ["amount"])
        assert first.blocks()[-1]["id"] == event["sequence"]
    await api.post("/v1/opportunities/crm:d1:close_won")
    await api.post("/v1/opportunities/crm:d2:close_lost")
    async with listening(service, opened | {"last-event-id": event["sequence"]}, after="0.0") as again:
        await again.until(lambda: len(again.told()) == 2)
        assert [x["type"] for x in again.told()] == ["opportunity.won", "opportunity.lost"]
    async with listening(service, opened, after=event["sequence"], types="opportunity.lost") as some:
        await some.until(some.told)
        assert [x["type"] for x in some.told()] == ["opportunity.lost"]


async def test_a_listener_hears_of_what_it_may_see(api: Api, service: Any, settled: Settled) -> None:
    await settled()
    async with listening(service, ticket=await ticket(api, role="rep", rep="r1")) as mine:
        await api.patch("/v1/opportunities/crm:d1", {"amount": 7})
        await api.patch("/v1/opportunities/crm:d3", {"amount": 7})
        await mine.until(mine.told)
        assert [x["record_id"] for x in mine.told()] == [
            (await api.get("/v1/opportunities/crm:d3")).json()["id"]
        ]


async def test_a_ticket_opens_one_stream_once(api: Api, service: Any) -> None:
    shown = await ticket(api)
    assert logs.masked(f"?ticket={shown}") == "?ticket=attain_…"
    async with listening(service, ticket=shown) as first:
        assert first.status == 200
    refused = (401, "invalid_ticket")
    path = "/v1/events"
    for wrong in (shown, shown[:-1] + "x", "attain_ticket_", await api.company.key()):
        response = await api.client.get(path, params={"ticket": wrong}, headers=STREAM)
        assert code(response) == refused
    assert code(await api.client.get("/v1/reps", params={"ticket": await ticket(api)})) == (
        401,
        "unauthorized",
    )
    late = await ticket(api)
    async with api.company.database.transaction(api.company.id) as session:
        await session.connection.execute("delete from stream_tickets where tenant_id = $1", session.tenant_id)
        await session.connection.execute(
            "insert into stream_tickets select $1, $2, '{}', now() - interval '1 s'", session.tenant_id,
            hash_of(late),
        )  # fmt: skip
    assert code(await api.client.get(path, params={"ticket": late}, headers=STREAM)) == refused


async def test_a_retry_gets_no_second_ticket(api: Api) -> None:
    key = {"Idempotency-Key": "once"}
    first = (await api.post("/v1/stream_tickets", headers=key)).json()
    again = await api.post("/v1/stream_tickets", headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first | {"ticket": None}


async def test_a_revoked_key_ends_its_streams_and_tickets(api: Api, service: Any) -> None:
    made = (await api.post("/v1/api_keys", {"name": "k", "role": "admin"})).json()
    bought = await api.client.post("/v1/stream_tickets", headers=by_key(made["key"]))
    async with listening(service, by_key(made["key"])) as listener:
        await api.post(f"/v1/api_keys/{made['id']}:revoke")
        await api.patch("/v1/opportunities/crm:d1", {"amount": 7})
        await listener.until(lambda: listener.ended)
        assert listener.end() == {"code": "invalid_key"}
        assert listener.told() == []
    response = await api.client.get("/v1/events", params={"ticket": bought.json()["ticket"]}, headers=STREAM)
    assert code(response) == (401, "invalid_ticket")


async def test_heartbeats_bounds_and_the_end_of_the_process(api: Api) -> None:
    small = create_app(Settings(tenant_streams=2, principal_cache_seconds=0), api.company.database)
    streams = small.streams
    streams.heartbeat_seconds = 0.05
    opened = by_key(await api.company.key())
    async with listening(small, opened) as first, listening(small, opened) as second:
        await first.until(lambda: ": still here" in first.text)
        async with listening(small, opened) as third:
            assert third.status == 429
            assert orjson.loads(third.text)["code"] == "too_many_streams"
        small.health.draining = True
        for listener in (first, second):
            await listener.until(lambda listener=listener: listener.ended)
            assert listener.end() == {"code": "draining"}
    assert streams._pulses == {}


async def test_what_a_stream_refuses(api: Api) -> None:
    for query in ("limit=5", "nome=x"):
        assert code(await api.get(f"/v1/events?{query}", headers=STREAM)) == (422, "unknown_parameter")
    assert code(await api.get("/v1/events?after=x", headers=STREAM)) == (400, "bad_cursor")
    assert code(await api.get("/v1/events", headers=STREAM | {"last-event-id": "x"})) == (400, "bad_cursor")
