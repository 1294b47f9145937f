"""A head waits for its body, but not for one that is long in coming."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
import uvicorn

from app import transport
from app.wire import Wire

SLOW = asyncio.Event()


async def application(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain")]
    match scope["path"]:
        case "/whole":
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [*headers, (b"content-length", b"5")],
                }
            )
            await send({"type": "http.response.body", "body": b"whole"})
        case "/empty":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        case _:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await SLOW.wait()
            await send({"type": "http.response.body", "body": b"late"})


@pytest_asyncio.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application, http=Wire, lifespan="off", log_config=None, server_header=False)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
        SLOW.set()
        server.should_exit = True
        await running
        SLOW.clear()


@asynccontextmanager
async def _asked(port: int, path: str, *, close: bool = True) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ending = "Connection: close\r\n" if close else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: here\r\n{ending}\r\n".encode())
    try:
        async with asyncio.timeout(10):
            yield reader
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(("path", "status", "body"), [("/whole", b"200", b"whole"), ("/empty", b"204", b"")])
async def test_an_answer_is_whole(port: int, path: str, status: bytes, body: bytes) -> None:
    async with _asked(port, path) as reader:
        answer = await reader.read()
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert rest == body


async def test_an_answer_without_a_body_ends_where_the_connection_stays(port: int) -> None:
    async with _asked(port, "/empty", close=False) as reader:
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204")


async def test_the_head_of_a_slow_stream_is_there_before_its_body(port: int) -> None:
    async with _asked(port, "/slow") as reader:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        SLOW.set()
        assert b"late" in await reader.read()


async def test_head_and_body_are_one_write(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[tuple[str, int]] = []

    class Counting(asyncio.Transport):
        def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return self.inner.get_extra_info(name, default)

        def is_closing(self) -> bool:
            return self.inner.is_closing()

        def close(self) -> None:
            self.inner.close()

        def write(self, data: Any) -> None:
            writes.append(("write", 1))
            self.inner.write(data)

        def writelines(self, list_of_data: Any) -> None:
            writes.append(("writelines", len(list_of_data)))
            self.inner.writelines(list_of_data)

    held = transport._HeadWithBody
    monkeypatch.setattr(transport, "_HeadWithBody", lambda inner, loop: held(Counting(inner, loop), loop))
    async with _asked(port, "/whole") as reader:
        await reader.read()
    assert writes == [("writelines", 2)]
