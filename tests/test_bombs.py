"""Requests that are made to cost: sent over raw sockets to a service process, refused in bounded time and memory."""

from __future__ import annotations

import gzip
import shutil
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.wire import HEAD_SECONDS
from tests.conftest import Company
from tests.test_server import Service, free_port

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def running(new_database: Callable[[], tuple[str, str]], owner_url: str, app_url: str) -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="attain-bombs-"))
    service = Service(folder, free_port())
    service.start(ATTAIN_DATABASE_URL=owner_url, ATTAIN_APP_DATABASE_URL=app_url, ATTAIN_LOG_LEVEL="ERROR")
    assert service.process is not None
    yield service
    service.process.terminate()
    service.end()
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="module")
async def key(make_tenant: Callable[..., Awaitable[Company]]) -> str:
    return await (await make_tenant("bombed")).key()


class Wire:
    """One connection, written to as no client library would."""

    def __init__(self, service: Service, key: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", service.port), timeout=20)
        self.key = key

    def head(self, path: str, *lines: str, method: str = "POST") -> None:
        own = ["Host: attain", f"Authorization: Bearer {self.key}", *lines]
        self.send(
            f"{method} {path} HTTP/1.1\r\n".encode() + "".join(f"{x}\r\n" for x in own).encode() + b"\r\n"
        )

    def send(self, data: bytes) -> bool:
        """Whether the other side still takes it."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def status(self) -> int:
        answer = b""
        while b"\r\n" not in answer:
            part = self.socket.recv(4096)
            if not part:
                return 0
            answer += part
        return int(answer.split(b" ", 2)[1])


@pytest.fixture
def wire(running: Service, key: str) -> Iterator[Wire]:
    opened = Wire(running, key)
    yield opened
    opened.socket.close()


def memory(service: Service) -> int:
    assert service.process is not None
    text = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


@pytest.fixture
def bounded(running: Service, wire: Wire) -> Iterator[None]:
    """Around each bomb: it grows the process by 64 MB at most, and the next request is answered."""
    before = memory(running)
    yield
    wire.socket.close()
    assert memory(running) - before <= 64 * MEGABYTE
    after = Wire(running, wire.key)
    after.head("/v1/me", "Connection: close", method="GET")
    assert after.status() == 200
    after.socket.close()


def sent(wire: Wire, path: str, body: bytes, *lines: str) -> tuple[int, float]:
    """The status, and the seconds from the last byte of the body to it."""
    wire.head(path, f"Content-Length: {len(body)}", *(lines or ("Content-Type: application/json",)))
    wire.send(body)
    began = time.monotonic()
    return wire.status(), time.monotonic() - began


BODIES: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "nested 100,000 deep": (lambda: b"[" * 100_000 + b"]" * 100_000, (400,)),
    "objects nested 100,000 deep": (lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, (400,)),
    "a million members": (lambda: b"{" + b",".join(b'"%d":0' % n for n in range(900_000)) + b"}", (413,)),
    "small members in ten megabytes": (lambda: b"[" + b"0," * 5_000_000 + b"0]", (413,)),
    "1e400": (lambda: b'{"name": "x", "employees": 1e400}', (400, 422)),
    "5,000 digits": (lambda: b'{"name": "x", "employees": ' + b"9" * 5000 + b"}", (400, 422)),
    "a fraction of 5,000 digits": (lambda: b'{"name": "x", "employees": 0.' + b"9" * 5000 + b"}", (400, 422)),
    "ten megabytes of text": (lambda: b'{"name": "' + b"x" * 10_000_000 + b'"}', (400, 413, 422)),
    "over the limit": (lambda: b" " * (10 * MEGABYTE + 1), (413,)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "name"),
    [
        *(("/v1/accounts", name) for name in BODIES),
        ("/v1/accounts:query", "nested 100,000 deep"),
        ("/graphql", "nested 100,000 deep"),
        ("/graphql", "a million members"),
    ],
)
@pytest.mark.usefixtures("bounded")
def test_a_body(wire: Wire, name: str, path: str) -> None:
    make, statuses = BODIES[name]
    status, seconds = sent(wire, path, make())
    assert status in statuses
    assert seconds < 5


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/accounts:upsert", "/graphql"])
def test_a_gigabyte_of_zeros_in_a_megabyte(wire: Wire, path: str) -> None:
    zeros = gzip.compress(bytes(64 * MEGABYTE), 1) * 16
    status, seconds = sent(wire, path, zeros, "Content-Type: application/json", "Content-Encoding: gzip")
    assert status == 415
    assert seconds < 2


@pytest.mark.usefixtures("bounded")
def test_a_form_of_a_million_fields(wire: Wire) -> None:
    form = b"&".join(b"%d=1" % n for n in range(1_000_000))
    status, seconds = sent(wire, "/v1/accounts", form, "Content-Type: application/x-www-form-urlencoded")
    assert status in (413, 415)
    assert seconds < 2


@pytest.mark.usefixtures("bounded")
def test_chunks_without_end(wire: Wire) -> None:
    wire.head("/v1/accounts", "Transfer-Encoding: chunked", "Content-Type: application/json")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    taken = 0
    while taken < 2000 and wire.send(chunk):
        taken += 1
    assert wire.status() in (0, 413)
    assert taken < 1000


@pytest.mark.parametrize(
    "lines",
    [[f"X-Big: {'x' * 100_000}"], [f"X-{n}: {'x' * 100}" for n in range(1000)], ["Cookie: a=b"] * 20_000],
    ids=["one of 100 KB", "a thousand", "twenty thousand"],
)
@pytest.mark.usefixtures("bounded")
def test_a_head_of_100_kilobytes(wire: Wire, lines: list[str]) -> None:
    began = time.monotonic()
    wire.head("/v1/me", *lines, method="GET")
    assert wire.status() == 431
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("bounded")
def test_a_head_without_end(wire: Wire) -> None:
    wire.send(b"GET /v1/me HTTP/1.1\r\nX: ")
    while wire.send(b"x" * 65536):
        pass
    assert wire.status() in (0, 431)


@pytest.mark.usefixtures("bounded")
def test_slow_ones_are_ended(running: Service, wire: Wire) -> None:
    """A body, a head and a silent connection, all at a byte a second at most, at the same time."""
    wire.head("/v1/accounts", "Content-Length: 1000", "Content-Type: application/json")
    head, silent = Wire(running, wire.key), Wire(running, wire.key)
    head.send(b"GET /v1/me HTTP/1.1\r\n")
    began = time.monotonic()
    ended: dict[str, tuple[float, int]] = {}
    slow = {"body": wire, "head": head, "silent": silent}
    while slow and time.monotonic() - began < 20:
        for name, each in list(slow.items()):
            if name != "silent":
                each.send(b" " if name == "body" else b"x")
            each.socket.settimeout(0.3)
            try:
                status = each.status()
            except TimeoutError:
                continue
            except ConnectionResetError:
                status = 0
            ended[name] = (time.monotonic() - began, status)
            del slow[name]
            each.socket.close()
    assert slow == {}
    assert {name: status for name, (_, status) in ended.items()} == {"body": 408, "head": 408, "silent": 0}
    assert all(HEAD_SECONDS - 1 < seconds <= 15 for seconds, _ in ended.values())


@pytest.mark.usefixtures("bounded")
def test_what_is_no_http(wire: Wire) -> None:
    wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nothing\r\n\r\n")
    assert wire.status() == 400


def test_a_slow_start_is_no_slow_request(running: Service, key: str) -> None:
    """A connection that is kept has its time anew for each request, and a body in two parts is whole."""
    kept = Wire(running, key)
    for _ in range(3):
        kept.head("/v1/me", method="GET")
        assert kept.status() == 200
        kept.socket.settimeout(0.2)
        try:
            while kept.socket.recv(65536):
                pass
        except TimeoutError:
            pass
        kept.socket.settimeout(20)
    body = b'{"name": "in two parts"}'
    kept.head("/v1/accounts", f"Content-Length: {len(body)}", "Content-Type: application/json")
    kept.send(body[:5])
    time.sleep(0.5)
    kept.send(body[5:])
    assert kept.status() == 201
    kept.socket.close()
