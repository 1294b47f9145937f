"""Imports: what is to come, and the content as it comes, in one piece or in several."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.faces.rest import accept, bodies, progress
from app.faces.rest.edge import Call, Written
from app.faces.rest.progress import HEADERS, id_in
from app.ground.database.session import Session
from app.ground.errors import BadRequest, Conflict, Invalid
from app.language.files import imports, operations
from app.language.files.content import Blocks
from app.language.files.imports import ImportCreate
from app.language.resources.payload import faults

_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")


async def created(call: Call) -> Response:
    accept.chosen(call.request)
    call.parameters.nothing_else()
    body = await bodies.raw(call.request)
    bodies.expect(call.request, bodies.JSON)
    data = bodies.json_object(body)
    try:
        asked = ImportCreate.model_validate(data)
    except ValidationError as error:
        raise Invalid("The body is not valid.", errors=faults(error, ImportCreate.model_fields)) from None

    async def work(session: Session) -> Written:
        id_ = await imports.create(session, call.principal, call.catalogue, asked)
        row = await operations.seen(session, call.principal, id_)
        return Written(201, await progress.told(session, row), {"Location": f"/v1/operations/{id_}"})

    return await call.write(body, work)


@dataclass(frozen=True, slots=True)
class _Range:
    """What of the whole this body is. `first` None asks only how much has come; `total` None is not known yet."""

    first: int | None
    last: int
    total: int | None


async def put(call: Call) -> Response:
    """The whole, or with `Content-Range` the piece that begins where the last one ended."""
    accept.chosen(call.request)
    call.parameters.nothing_else()
    range_ = _range(call.request.headers.get("content-range"))
    row = await progress.transact(
        call, lambda session: operations.seen(session, call.principal, id_in(call.reference), kind="import")
    )
    upload = _Upload(call, row["id"])
    if range_ is None:
        await upload.transact(imports.restart)
        return await upload.take(0, None, skip=0, whole=True)
    if row["bytes_total"] is not None and range_.total == row["bytes_total"]:
        # The answer to the last piece was lost on its way: all of it is here.
        return await upload.answer(row)
    if range_.first is None:
        await _drained(call)
        if range_.total is not None and range_.total == row["bytes_received"]:
            return await upload.take(range_.total, 0, skip=0, whole=True)
        return upload.incomplete(row)
    if range_.first > row["bytes_received"]:
        raise Conflict(
            f"The next byte is {row['bytes_received']}, not {range_.first}.", code="upload_offset",
            headers=imports.received(row),
        )  # fmt: skip
    skip = row["bytes_received"] - range_.first
    whole = range_.total is not None and range_.last + 1 == range_.total
    return await upload.take(row["bytes_received"], range_.last - range_.first + 1, skip=skip, whole=whole)


def _range(header: str | None) -> _Range | None:
    if header is None:
        return None
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        raise Invalid.field(
            "?Content-Range",
            "invalid_value",
            "Say `bytes 0-1048575/5000000`, or `bytes */5000000` to ask.",
        )
    first, last, total = found.groups()
    range_ = _Range(
        None if first is None else int(first), int(last or 0), None if total == "*" else int(total)
    )
    if range_.first is not None and (
        range_.first > range_.last or (range_.total is not None and range_.last >= range_.total)
    ):
        raise Invalid.field(
            "?Content-Range", "out_of_range", "The range ends before it begins, or behind the whole."
        )
    return range_


async def _drained(call: Call) -> None:
    async for piece in call.request.stream():
        if piece:
            raise Invalid.field("?Content-Range", "contradiction", "To ask how far it is, send no body.")


class _Upload:
    """The body on its way into the database, a block at a time: what was committed is not sent again."""

    def __init__(self, call: Call, operation_id: Any) -> None:
        self.call = call
        self.id = operation_id

    async def transact(self, work: Any, *arguments: Any, **options: Any) -> Any:
        async with self.call.edge.database.transaction(self.call.principal.tenant_id) as session:
            return await work(session, self.id, *arguments, **options)

    async def take(self, start: int, length: int | None, *, skip: int, whole: bool) -> Response:
        blocks, came = Blocks(start), 0
        try:
            async for piece in self._pieces(length):
                before, came = came, came + len(piece)
                full = blocks.add(piece[max(0, skip - before) :])
                while full:
                    await self.transact(imports.receive, *blocks.take(), last=False)
                    full = blocks.add(b"")
        except ClientDisconnect:
            await self._rest(blocks)
            raise BadRequest("The body ended before it was complete.", code="incomplete_body") from None
        if length is not None and came < length:
            await self._rest(blocks)
            raise BadRequest("The body is shorter than its range.", code="incomplete_body")
        row = await self.transact(imports.receive, *blocks.take(), last=whole)
        return await self.answer(row) if whole else self.incomplete(row)

    async def _rest(self, blocks: Blocks) -> None:
        if blocks.held:
            await self.transact(imports.receive, *blocks.take(), last=False)

    async def _pieces(self, length: int | None) -> AsyncIterator[bytes]:
        left = length
        async for piece in self.call.request.stream():
            if left is not None:
                left -= len(piece)
                if left < 0:
                    raise Invalid.field(
                        "?Content-Range", "contradiction", "The body is longer than its range."
                    )
            if piece:
                yield piece

    async def answer(self, row: Any) -> Response:
        async with self.call.edge.database.transaction(self.call.principal.tenant_id) as session:
            text = await progress.told(session, row)
        headers = HEADERS | {"Location": f"/v1/operations/{row['id']}"}
        return Response(text, 202, headers=headers, media_type=accept.JSON)

    def incomplete(self, row: Any) -> Response:
        """308 without a Location is no redirection: `Range` says what has come, and the rest is awaited."""
        return Response(status_code=308, headers=HEADERS | imports.received(row))
