"""`POST /v1/stream_tickets`: for a browser's EventSource, which cannot send a key."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from app.faces.rest import bodies
from app.faces.rest.edge import Call, Written
from app.ground.access import tickets
from app.ground.database.session import Session


async def issued(call: Call) -> Response:
    """The ticket is put into the answer on its way out: what is kept for a retry is without it."""
    body = await bodies.raw(call.request)
    bodies.json_object(body, optional=True)
    call.parameters.nothing_else()
    ticket = tickets.make(call.principal.tenant_id)

    async def work(session: Session) -> Written:
        expires = await tickets.issue(session, call.principal, ticket)
        return Written(201, orjson.dumps({"ticket": None, "expires_at": expires}))

    response = await call.write(body, work)
    shown = orjson.loads(response.body)
    if "Idempotency-Replayed" not in response.headers:
        shown["ticket"] = ticket
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(orjson.dumps(shown), response.status_code, headers=kept | {"Cache-Control": "no-store"})
