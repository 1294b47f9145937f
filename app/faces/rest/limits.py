"""How large and how slow a body may be, counted as it arrives: a header may lie, and a chunked body has none."""

from __future__ import annotations

import asyncio
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.faces.rest import problems
from app.ground.errors import AttainError, BadRequest, TooLarge, TooSlow, UnsupportedMedia

_FILE = re.compile(r"/v1/imports/[^/]+/content/?")
_BULK = re.compile(r"/v1/[a-z_]+:(?:upsert|reconcile)/?")


GRACE_SECONDS = 10.0
LEAST_RATE = 20_000
"""Bytes a second: a body has `GRACE_SECONDS` and as long as it takes at this rate."""

MEMBERS_PER_BODY = 100_000
MEMBERS_PER_BULK_BODY = 5_000_000
"""Commas. What is parsed takes ten times its bytes or more where its members are small."""


class _Refused(AttainError):
    """Ends whoever was reading the body; never leaves this module."""


class BodyLimit:
    """`usual`, `bulk` and `file` are bytes; an import's file is streamed and so has no bound of members."""

    def __init__(self, app: ASGIApp, *, usual: int, bulk: int, file: int) -> None:
        self.app = app
        self.usual = usual
        self.bulk = bulk
        self.file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        file = _FILE.fullmatch(scope["path"]) is not None
        bulk = _BULK.fullmatch(scope["path"]) is not None
        limit = self.file if file else self.bulk if bulk else self.usual
        refusal = _refused_by_headers(scope, limit)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        most = MEMBERS_PER_BULK_BODY if bulk else MEMBERS_PER_BODY
        if file:
            most = limit
        read = members = 0
        began = 0.0
        complete = started = False
        loop = asyncio.get_running_loop()

        async def counted() -> Message:
            nonlocal read, members, began, complete, refusal
            if complete:
                return await receive()
            began = began or loop.time()
            try:
                async with asyncio.timeout_at(began + GRACE_SECONDS + read / LEAST_RATE):
                    message = await receive()
            except TimeoutError:
                refusal = TooSlow("The body comes too slowly.", headers={"Connection": "close"})
                raise _Refused from None
            if message["type"] == "http.request":
                part = message.get("body", b"")
                complete = not message.get("more_body", False)
                read += len(part)
                members += part.count(b",")
                if read > limit:
                    refusal = _too_large(limit)
                elif members > most:
                    refusal = TooLarge("The body has too many members.", headers={"Connection": "close"})
                if refusal is not None:
                    raise _Refused
            return message

        async def passed(message: Message) -> None:
            nonlocal started
            if refusal is not None and not started:
                # Whatever the reader makes of its broken body is not the answer; ours is.
                return
            started = True
            await send(message)

        try:
            await self.app(scope, counted, passed)
        except Exception:
            if refusal is None or started:
                raise
        if refusal is not None and not started:
            await _refuse(refusal, scope, receive, send)


def _too_large(limit: int) -> AttainError:
    return TooLarge(f"The body is larger than {limit:,} bytes.", headers={"Connection": "close"})


def _refused_by_headers(scope: Scope, limit: int) -> AttainError | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit():
                return BadRequest("Content-Length is not a number.", headers={"Connection": "close"})
            # Compared by length first: a number of 5,000 digits is not worth parsing.
            if len(value) > 19 or int(value) > limit:
                return _too_large(limit)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            # A megabyte of zeros packs a gigabyte.
            return UnsupportedMedia(
                "Send the body as it is, without Content-Encoding.", code="content_encoding"
            )
    return None


async def _refuse(refusal: AttainError, scope: Scope, receive: Receive, send: Send) -> None:
    request_id = scope.get("state", {}).get("request_id")
    await problems.response(refusal, request_id)(scope, receive, send)
