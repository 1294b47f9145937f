"""`GET /v1/events`: what changed, in the order in which it was committed."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from app.faces.rest import accept
from app.faces.rest.edge import Call
from app.language.resources.changes import changes


async def read(call: Call) -> Response:
    accept.chosen(call.request)
    parameters = call.parameters
    after = parameters.one("after")
    types = parameters.many("types")
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
