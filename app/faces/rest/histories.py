"""Every version of a record, or of all of them as a stream to follow."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from app.faces.rest import accept, lists
from app.faces.rest.edge import Call
from app.language.resources import history
from app.language.resources.read import Page


async def of_one(call: Call) -> Response:
    return await _answer(call, call.reference, {})


async def of_all(call: Call) -> Response:
    since = call.parameters.moment("recorded_since", call.principal.tenant.zone)
    return await _answer(call, None, {"recorded_since": since})


async def _answer(call: Call, reference: str | None, bounds: dict[str, Any]) -> Response:
    accept.chosen(call.request)
    limit = call.parameters.number("limit", 50, most=200)
    after = call.parameters.one("cursor")
    call.parameters.nothing_else()

    async def work(session: Any) -> Page:
        return await history.page(
            session,
            call.principal,
            call.catalogue,
            call.resource,
            reference,
            limit=limit,
            after=after,
            **bounds,
        )

    page = await call.read(work)
    return Response(
        lists.page_body(page, with_total=False),
        headers=lists.VARIES | lists.links(call, page),
        media_type=accept.JSON,
    )
