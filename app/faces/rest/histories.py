"""Every version of a record, or of all of them as a stream to follow."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

from starlette.responses import Response

from app.faces.rest import accept, lists
from app.faces.rest.edge import Call
from app.faces.rest.streaming import Streamed
from app.language.resources import history
from app.language.resources.read import Page

_CHUNK = 1_000


async def of_one(call: Call) -> Response:
    accept.chosen(call.request)
    return await _answer(call, call.reference, {})


async def of_all(call: Call) -> Response:
    since = call.parameters.moment("recorded_since", call.principal.tenant.zone)
    if accept.chosen(call.request, (accept.JSON, accept.NDJSON)) == accept.NDJSON:
        return _stream(call, since)
    return await _answer(call, None, {"recorded_since": since})


def _stream(call: Call, since: datetime | None) -> Response:
    """All of them as they are at this moment, in the order in which they were written."""
    after = call.parameters.one("cursor")
    call.parameters.nothing_else()

    async def chunks() -> AsyncGenerator[bytes]:
        place = after
        async with call.snapshot() as session:
            while True:
                page = await history.page(
                    session, call.principal, call.catalogue, call.resource,
                    limit=_CHUNK, after=place, recorded_since=since,
                )  # fmt: skip
                yield b"".join(row.encode() + b"\n" for row in page.rows)
                place = page.next_cursor
                if place is None:
                    return

    return Streamed(chunks(), accept.NDJSON, lists.VARIES)


async def _answer(call: Call, reference: str | None, bounds: dict[str, Any]) -> Response:
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
