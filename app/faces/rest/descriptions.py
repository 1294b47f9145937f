"""`GET /v1/describe/{noun}`."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from app.faces.rest import accept
from app.faces.rest.edge import Call
from app.language.resources.describe import describe, noun_called


async def described(call: Call) -> Response:
    accept.chosen(call.request)
    call.parameters.nothing_else()
    resource = noun_called(call.catalogue, call.reference)
    answer = await call.read(lambda session: describe(session, call.principal, call.catalogue, resource))
    return Response(
        orjson.dumps(answer), headers={"Cache-Control": "private, no-store"}, media_type=accept.JSON
    )
