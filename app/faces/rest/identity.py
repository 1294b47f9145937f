"""`GET /v1/me`."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from app.faces.rest import accept
from app.faces.rest.edge import Call
from app.ground.access.identity import me


async def shown(call: Call) -> Response:
    accept.chosen(call.request)
    call.parameters.nothing_else()
    answer = await call.read(lambda session: me(session, call.principal))
    return Response(
        orjson.dumps(answer, default=str),
        headers={"Cache-Control": "private, no-store"},
        media_type=accept.JSON,
    )
