"""Load over kept-alive connections, as thin as Python allows: who asks must not be what is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

Requests = Callable[[int], bytes]
"""The n-th request of a case, whole, as it goes over the wire."""


class Refused(Exception):
    """A measured request was not answered by 2xx, so that the figure would be void."""


@dataclass(slots=True)
class Measured:
    seconds: float = 0.0
    processor: float = 0.0
    """Seconds of processor time that the service and PostgreSQL used for it."""

    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def micros(self) -> float:
        return self.processor / len(self.latencies) * 1e6

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class _Asker(asyncio.Protocol):
    """One connection that sends the next request as soon as the last one is answered."""

    def __init__(self, slice_: Slice) -> None:
        self.slice = slice_
        self.buffer = bytearray()
        self.expected = -1
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        request = self.slice.next_request()
        if request is None:
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self.buffer
        buffer += data
        if self.expected < 0:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(buffer[:end]).lower()
            if not head.startswith(b"http/1.1 2"):
                self.slice.failure = Refused(bytes(buffer[:2000]).decode(errors="replace"))
                self.transport.close()
                return
            at = head.index(b"content-length: ") + 16
            self.expected = end + 4 + int(head[at:].split(b"\r", 1)[0])
        if len(buffer) >= self.expected:
            self.slice.measured.latencies.append(time.perf_counter() - self.began)
            buffer.clear()
            self.expected = -1
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self.slice.ended(exc)


class Slice:
    """A stretch of load on one service."""

    def __init__(self, port: int, requests: Requests, first: int, connections: int) -> None:
        self.port = port
        self.requests = requests
        self.number = first
        self.connections = connections
        self.measured = Measured()
        self.failure: Exception | None = None
        self.deadline = 0.0
        self.open = connections
        self.done = asyncio.get_running_loop().create_future()

    async def run(self, seconds: float) -> Measured:
        loop = asyncio.get_running_loop()
        askers = [
            (await loop.create_connection(lambda: _Asker(self), "127.0.0.1", self.port))[1]
            for _ in range(self.connections)
        ]
        began = time.perf_counter()
        self.deadline = began + seconds
        for asker in askers:
            asker.ask()
        await self.done
        self.measured.seconds = time.perf_counter() - began
        if self.failure is not None:
            raise self.failure
        return self.measured

    def next_request(self) -> bytes | None:
        if self.failure is not None or time.perf_counter() >= self.deadline:
            return None
        self.number += 1
        return self.requests(self.number - 1)

    def ended(self, error: Exception | None) -> None:
        self.failure = self.failure or error
        self.open -= 1
        if not self.open:
            self.done.set_result(None)


def request(
    method: str, target: str, *, key: str | None = None, body: bytes = b"", headers: str = ""
) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{headers}"
    if key is not None:
        head += f"Authorization: Bearer {key}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
