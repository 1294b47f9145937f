"""`GET /v1/{noun}/{id}/timeline`: what happened to a record, newest first."""

from __future__ import annotations

from starlette.responses import Response

from app.faces.rest import accept, lists
from app.faces.rest.edge import Call
from app.language.resources import happenings


async def of_one(call: Call) -> Response:
    accept.chosen(call.request)
    limit = call.parameters.number("limit", 50, most=200)
    after = call.parameters.one("cursor")
    call.parameters.nothing_else()
    page = await call.read(
        lambda session: happenings.page(
            session, call.principal, call.catalogue, call.resource, call.reference, limit=limit, after=after
        )
    )
    return Response(
        lists.page_body(page, with_total=False),
        headers=lists.VARIES | lists.links(call, page),
        media_type=accept.JSON,
    )
