"""What uvicorn leaves open on the wire: how long and how large a request's head may be, and how many may connect.

A body has its bounds in `faces/rest/limits.py`; a head must have its own here, since nothing above sees it before it is
complete. And where an application is pressed, what it refuses by the head is answered here, ahead of the parser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.transport import head_with_body

MOST_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
MOST_CONNECTIONS = 4096

_ELSEWHERE = frozenset({b"expect", b"transfer-encoding", b"upgrade"})

_TITLES = {
    400: ("Bad Request", "bad_request", "The request is no HTTP."),
    408: ("Request Timeout", "too_slow", "The head of the request took too long."),
    431: ("Request Header Fields Too Large", "headers_too_large", f"A head has at most {MOST_HEAD_BYTES} bytes."),
    503: ("Service Unavailable", "overloaded", "Too many connections are open."),
}  # fmt: skip


class Refuses(Protocol):
    """What an application has as `surplus`."""

    @property
    def pressed(self) -> bool:
        """Whether there is any surplus to be refused."""
        ...

    def refusal(self, method: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes | None: ...


class Wire(HttpToolsProtocol):
    """The clock of a head starts with the connection, or with the first byte that follows a request."""

    _in_head = True
    _head_bytes = 0
    _weight = 0
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(head_with_body(transport, self.loop))
        self._clock = self.loop.call_later(HEAD_SECONDS, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if not self._head_bytes and self._refused(data):
                return
            if self._clock is None:
                self._clock = self.loop.call_later(HEAD_SECONDS, self._late)
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MOST_HEAD_BYTES:
            self._end(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        # Many small ones cost more than their bytes: each is a tuple and two objects.
        self._weight += len(name) + len(value) + 32
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        self._weight = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._stop_clock()
        if self._weight + len(self.url) > MOST_HEAD_BYTES:
            refused = 431
        elif len(self.connections) > MOST_CONNECTIONS:
            refused = 503
        else:
            super().on_headers_complete()
            return
        app = self.app
        self.app = _refusing(refused)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            super().on_headers_complete()
        finally:
            self.app = app

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def _refused(self, data: bytes) -> bool:
        """Whether this was a whole request of which nothing more needed to be known, and is answered."""
        surplus: Refuses | None = getattr(self.config.app, "surplus", None)
        if (
            surplus is None
            or not surplus.pressed
            or (self.cycle is not None and not self.cycle.response_complete)
        ):
            return False
        head, end, body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        if not end or not first.endswith(b" HTTP/1.1"):
            return False
        headers: list[tuple[bytes, bytes]] = []
        length = 0
        for line in lines:
            name, colon, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            if not colon or name in _ELSEWHERE or (name == b"connection" and value.lower() != b"keep-alive"):
                return False
            if name == b"content-length":
                length = int(value) if value.isdigit() and len(value) < 10 else -1
            headers.append((name, value))
        if len(body) != length or (answer := surplus.refusal(first.partition(b" ")[0], headers)) is None:
            return False
        self._stop_clock()
        own = b"".join([b"%s: %s\r\n" % header for header in self.server_state.default_headers])
        line, end, rest = answer.partition(b"\r\n")
        self.transport.writelines((line + end + own + rest,))
        self.on_response_complete()
        return True

    def send_400_response(self, msg: str) -> None:
        self._end(400)

    def _late(self) -> None:
        self._clock = None
        if self._head_bytes:
            self._end(408)
        else:
            self.transport.close()

    def _end(self, status: int) -> None:
        if self.transport.is_closing():
            return
        self._stop_clock()
        body = _body(status)
        head = "".join(f"{name}: {value}\r\n" for name, value in _headers(status, body).items())
        self.transport.write(f"HTTP/1.1 {status} {_TITLES[status][0]}\r\n{head}\r\n".encode() + body)
        self.transport.close()

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


def _refusing(status: int) -> ASGIApp:
    async def refuse(_: Scope, __: Receive, send: Send) -> None:
        body = _body(status)
        headers = [(name.encode(), value.encode()) for name, value in _headers(status, body).items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refuse


def _body(status: int) -> bytes:
    title, code, detail = _TITLES[status]
    problem: dict[str, Any] = {
        "type": f"urn:attain:problem:{code}", "title": title, "status": status, "detail": detail, "code": code,
        "errors": [], "request_id": None,
    }  # fmt: skip
    return orjson.dumps(problem)


def _headers(status: int, body: bytes) -> dict[str, str]:
    own = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    return own | ({"retry-after": "1"} if status == 503 else {})
