"""`GET /v1/events`: what changed, in the order in which it was committed; as a page, or as a stream that goes on."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from app.faces.rest import accept, streams
from app.faces.rest.edge import Call
from app.ground.events.feed import parse_cursor
from app.language.resources.changes import changes


async def read(call: Call) -> Response:
    form = accept.chosen(call.request, (accept.JSON, streams.MEDIA_TYPE))
    parameters = call.parameters
    parameters.one("ticket")
    after = parameters.one("after")
    types = parameters.many("types")
    if form == streams.MEDIA_TYPE:
        parameters.nothing_else()
        # Who comes back by itself says so in the header, while the address still holds where it first began.
        after = call.request.headers.get("last-event-id") or after
        if after is not None:
            parse_cursor(after)
        return streams.EventStream(call.edge.streams, call.principal, call.catalogue, after, types)
    limit = parameters.number("limit", 100, most=1000)
    parameters.nothing_else()
    batch = await call.read(
        lambda session: changes(session, call.principal, call.catalogue, after, types=types, limit=limit)
    )
    body = {
        "data": [entry.as_dict() for entry in batch.entries],
        "has_more": batch.has_more,
        "next_cursor": batch.cursor,
    }
    return Response(
        orjson.dumps(body, default=str),
        headers={"Cache-Control": "private, no-store"},
        media_type=accept.JSON,
    )
