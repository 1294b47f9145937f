"""Operations: what they are at, which rows they refused, their end, and all of it as it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import orjson
from starlette.responses import Response

from app.faces.rest import accept, bodies
from app.faces.rest.edge import Call, Written
from app.faces.rest.streaming import Streamed
from app.ground.access import tickets
from app.ground.database.session import Session
from app.ground.errors import BadCursor, Unauthorized
from app.language.files import links, operations
from app.language.files.models import FINAL, KINDS, STATES
from app.language.files.operations import Asked

T = TypeVar("T")

HEADERS = {"Cache-Control": "private, no-store", "Vary": "Accept, Authorization"}
EVENTS = "text/event-stream"
_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 15


def id_in(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


async def told(session: Session, row: Any) -> bytes:
    """The operation as JSON; a file that is there comes with a link that opens it."""
    body = operations.shown(row)
    result = body["result"]
    if row["kind"] == "export" and row["state"] == "succeeded" and "expired" not in result:
        url, until = await links.link(session, f"/v1/exports/{row['id']}/content")
        body["result"] = {**result, "url": url, "url_expires_at": _moment(until)}
    return orjson.dumps(body, default=str)


def _moment(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


async def got(call: Call) -> Response:
    accept.chosen(call.request)
    call.parameters.nothing_else()

    async def work(session: Session) -> tuple[bytes, int]:
        row = await operations.seen(session, call.principal, id_in(call.reference))
        return await told(session, row), row["version"]

    text, version = await transact(call, work)
    return Response(text, headers=HEADERS | {"ETag": f'"{version}"'}, media_type=accept.JSON)


async def transact(call: Call, work: Callable[[Session], Awaitable[T]]) -> T:
    """A transaction that may write: the first link of a tenant makes its secret."""
    async with call.edge.database.transaction(call.principal.tenant_id) as session:
        return await work(session)


async def listed(call: Call) -> Response:
    accept.chosen(call.request)
    parameters = call.parameters
    limit = parameters.number("limit", 50, most=200)
    cursor = parameters.one("cursor")
    kind, state = parameters.words("kind", KINDS), parameters.words("state", STATES)
    parameters.nothing_else()
    before = id_in(cursor) if cursor is not None else None
    if cursor is not None and before is None:
        raise BadCursor("The cursor comes from an earlier answer.")
    asked = Asked(limit, before, sorted(kind), sorted(state))

    async def work(session: Session) -> bytes:
        rows = await operations.listing(session, call.principal, asked)
        texts = [await told(session, row) for row in rows[:limit]]
        more = len(rows) > limit
        rest = {"has_more": more, "next_cursor": str(rows[limit - 1]["id"]) if more else None}
        return b'{"data":[' + b",".join(texts) + b"]," + orjson.dumps(rest)[1:]

    text = await transact(call, work)
    return Response(text, headers=HEADERS, media_type=accept.JSON)


async def errors(call: Call) -> Response:
    accept.chosen(call.request)
    limit = call.parameters.number("limit", 100, most=1000)
    cursor = call.parameters.one("cursor")
    call.parameters.nothing_else()
    after = _place(cursor) if cursor is not None else (0, -1)

    async def work(session: Session) -> list[Any]:
        row = await operations.seen(session, call.principal, id_in(call.reference))
        return await operations.errors(session, row["id"], after=after, limit=limit)

    rows = await transact(call, work)
    data = [
        {
            "row": x["row_number"], "line": x["line"], "column": x["column_name"], "external_id": x["external_id"],
            "pointer": x["pointer"], "code": x["code"], "message": x["message"],
        }
        for x in rows[:limit]
    ]  # fmt: skip
    more = len(rows) > limit
    next_ = f"{rows[limit - 1]['row_number']}.{rows[limit - 1]['ordinal']}" if more else None
    body = orjson.dumps({"data": data, "has_more": more, "next_cursor": next_})
    link = {}
    if next_ is not None:
        query = urlencode({"limit": limit, "cursor": next_})
        link = {"Link": f'<{call.request.scope["path"]}?{query}>; rel="next"'}
    return Response(body, headers=HEADERS | link, media_type=accept.JSON)


def _place(cursor: str) -> tuple[int, int]:
    row, _, ordinal = cursor.partition(".")
    if (
        not (row.isascii() and row.isdecimal() and ordinal.isascii() and ordinal.isdecimal())
        or len(cursor) > 25
    ):
        raise BadCursor("The cursor comes from an earlier answer.")
    return int(row), min(int(ordinal), 2**31 - 1)


async def cancelled(call: Call) -> Response:
    body = await bodies.raw(call.request)
    bodies.json_object(body, optional=True)
    call.parameters.nothing_else()

    async def work(session: Session) -> Written:
        row = await operations.seen(session, call.principal, id_in(call.reference))
        return Written(200, await told(session, await operations.cancel(session, row["id"])))

    return await call.write(body, work)


async def events(call: Call) -> Response:
    """The operation each time it has changed, until it has ended."""
    accept.chosen(call.request, (EVENTS,))
    call.parameters.one("ticket")
    call.parameters.nothing_else()
    known = call.request.headers.get("last-event-id")

    async def chunks() -> AsyncGenerator[bytes]:
        last, spoke = known, time.monotonic()
        yield_first = b"retry: 1000\n\n"

        async def work(session: Session) -> tuple[Any, bytes]:
            if not await tickets.stands(session, call.principal):
                raise Unauthorized("The key has ended.", code="invalid_key")
            row = await operations.seen(session, call.principal, id_in(call.reference))
            return row, await told(session, row)

        while True:
            row, text = await transact(call, work)
            version = str(row["version"])
            if version != last or yield_first:
                yield (
                    yield_first + b"id: " + version.encode() + b"\nevent: operation\ndata: " + text + b"\n\n"
                )
                last, spoke, yield_first = version, time.monotonic(), b""
            elif time.monotonic() - spoke > _QUIET_SECONDS:
                yield b": \n\n"
                spoke = time.monotonic()
            if row["state"] in FINAL or call.edge.streams.draining():
                return
            await asyncio.sleep(_LOOK_SECONDS)

    return Streamed(chunks(), EVENTS, HEADERS | {"X-Accel-Buffering": "no"})
