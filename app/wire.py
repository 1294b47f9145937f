"""What uvicorn leaves open on the wire: how long and how large a request's head may be, and how many may connect.

A body has its bounds in `faces/rest/limits.py`; a head must have its own here, since nothing above sees it before it is
complete. And where an application is pressed, what it refuses by the head is answered here, ahead of the parser.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.heads import Heads
from app.transport import head_with_body

MOST_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 10.0
MOST_CONNECTIONS = 4096

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

    def refusal(self, method: bytes, authorization: bytes, own: bytes) -> bytes | None:
        """The whole answer with the server's `own` header lines; None where the request goes on."""
        ...


_heads = Heads()


class Wire(HttpToolsProtocol):
    """The clock of a head starts with the connection, or with the first byte that follows a request."""

    _in_head = True
    _head_bytes = 0
    _weight = 0
    _clock: asyncio.TimerHandle | None = None
    _was_refused = False
    """Since the clock of an idle connection was wound up."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._write = transport.write
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
        first, _, lines = head.partition(b"\r\n")
        told = _heads.told(lines) if end and first.endswith(b" HTTP/1.1") else None
        if told is None or told.length != len(body):
            return False
        answer = surplus.refusal(
            first.partition(b" ")[0], told.authorization, _own(self.server_state.default_headers)
        )
        if answer is None:
            return False
        if self._clock is not None:
            self._stop_clock()
        self._write(answer)
        if self.timeout_keep_alive_task is None:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._was_refused = True
        return True

    def timeout_keep_alive_handler(self) -> None:
        # To wind the clock up at each refusal would be a sixth of what one costs.
        if self._was_refused:
            self._was_refused = False
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

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


def _own(headers: list[tuple[bytes, bytes]]) -> bytes:
    """uvicorn's own, of which it makes a new list each second."""
    global _rendered
    if headers is not _rendered[0]:
        _rendered = headers, b"".join([b"%s: %s\r\n" % header for header in headers])
    return _rendered[1]


_rendered: tuple[list[tuple[bytes, bytes]], bytes] = [], b""


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
