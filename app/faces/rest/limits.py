"""How large a request may be, counted as it arrives: a header may lie, and a chunked body has none."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.faces.rest import problems
from app.ground.errors import AttainError, BadRequest, TooLarge, UnsupportedMedia

_BULK = re.compile(r"/v1/(?:[a-z_]+:(?:upsert|reconcile)|imports/[^/]+/content)/?")


class _Exceeded(Exception):
    """Ends whoever was reading the body; never leaves this module."""


class BodyLimit:
    def __init__(self, app: ASGIApp, *, usual: int, bulk: int) -> None:
        self.app = app
        self.usual = usual
        self.bulk = bulk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.bulk if _BULK.fullmatch(scope["path"]) else self.usual
        refusal = _refused_by_headers(scope, limit)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        read = 0
        started = False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > limit:
                    raise _Exceeded
            return message

        async def passed(message: Message) -> None:
            nonlocal started
            if read > limit and not started:
                # Whatever the reader makes of its broken body is not the answer; ours is.
                return
            started = True
            await send(message)

        try:
            await self.app(scope, counted, passed)
        except Exception:
            if read <= limit or started:
                raise
        if read > limit and not started:
            await _refuse(_too_large(limit), scope, receive, send)


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
