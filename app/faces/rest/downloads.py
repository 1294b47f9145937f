"""Exports: what is asked for, and the file behind a signed link, whole or in ranges."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from email.utils import format_datetime
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from app.faces.rest import accept, bodies, progress
from app.faces.rest.edge import Call, Edge, Written
from app.faces.rest.parameters import Parameters
from app.faces.rest.progress import id_in
from app.faces.rest.streaming import Streamed
from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import Invalid, NotFound, RangeNotSatisfiable
from app.language.files import content, exports, links, operations
from app.language.files.exports import ExportCreate
from app.language.files.writers import MEDIA_TYPES
from app.language.resources.payload import faults

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def created(call: Call) -> Response:
    accept.chosen(call.request)
    call.parameters.nothing_else()
    body = await bodies.raw(call.request)
    bodies.expect(call.request, bodies.JSON)
    data = bodies.json_object(body)
    try:
        asked = ExportCreate.model_validate(data)
    except ValidationError as error:
        raise Invalid("The body is not valid.", errors=faults(error, ExportCreate.model_fields)) from None

    async def work(session: Session) -> Written:
        id_ = await exports.create(session, call.principal, call.catalogue, call.edge.metrics, asked)
        row = await operations.seen(session, call.principal, id_)
        return Written(202, await progress.told(session, row), {"Location": f"/v1/operations/{id_}"})

    return await call.write(body, work)


async def by_link(edge: Edge, request: Request, reference: str) -> Principal:
    """Whoever holds the link reads the file as the one who asked for it, as long as that one's access lasts."""
    given = Parameters.of(request.scope)
    tenant_id = links.tenant_in(given.one("tenant") or "")
    expires, signature = given.one("expires") or "", given.one("signature") or ""
    async with edge.database.transaction(tenant_id) as session:
        await links.demand(session, request.scope["path"], expires, signature)
        row = await operations.find(session, id_in(reference))
        if row is None:
            raise _gone()
        return await operations.caller(session, row)


def _gone() -> NotFound:
    return NotFound("The file is no longer here.")


async def sent(call: Call) -> Response:
    for name in ("tenant", "expires", "signature"):
        call.parameters.one(name)
    call.parameters.nothing_else()
    row = await progress.transact(call, lambda session: _row(session, call))
    result = row["result"]
    size, form, etag = result["bytes"], result["format"], f'"{result["sha256"]}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Last-Modified": format_datetime(row["finished_at"], usegmt=True),
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{row["noun"]}.{form}"',
        "X-Content-Type-Options": "nosniff",
    }
    if call.request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    first, last, partial = 0, size - 1, False
    if call.request.headers.get("if-range") in (None, etag, headers["Last-Modified"]):
        wanted = _wanted(call.request.headers.get("range"), size)
        if wanted is not None:
            first, last, partial = *wanted, True
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    headers["Content-Length"] = str(last - first + 1)

    async def chunks() -> AsyncGenerator[bytes]:
        async for piece in content.spans(
            call.edge.database, row["tenant_id"], "export_blocks", row["id"], first, last
        ):
            yield piece

    return Streamed(chunks(), MEDIA_TYPES[form], headers, 206 if partial else 200)


async def _row(session: Session, call: Call) -> Any:
    row = await operations.seen(session, call.principal, id_in(call.reference), kind="export")
    if row["state"] != "succeeded" or "expired" in row["result"]:
        raise _gone()
    return row


def _wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """One range; several, or what is no range, are answered with the whole, as RFC 9110 allows."""
    found = _ONE_RANGE.fullmatch(header.replace(" ", "")) if header else None
    if found is None or found.group(0) == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < begin:
            return None
    if begin > end:
        raise RangeNotSatisfiable(f"The file has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
    return begin, end
