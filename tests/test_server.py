"""A service as a process: from an empty folder to ready, found by `stop`, and gone without a lost request."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
import uvloop

from app.ground.access.keys import create_key
from app.ground.access.tenants import create_tenant
from app.ground.database import embedded
from app.ground.database.embedded import SUPERUSER, Embedded
from app.ground.database.session import Session, connect
from app.server import doors
from tests.conftest import in_thread


@dataclass
class Service:
    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ATTAIN_")}
        given = {"ATTAIN_DATA_DIR": str(self.folder), "ATTAIN_PORT": str(self.port), **self.environment}
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *arguments],
            env={**inherited, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self, **environment: str) -> float:
        """Seconds until it is ready."""
        self.environment = environment
        began = time.monotonic()
        self.process = self.command("serve")
        while time.monotonic() < began + 60:
            assert self.process.poll() is None, self.process.communicate()[0]
            try:
                if httpx.get(f"{self.url}/readyz", verify=False).status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError("not ready in a minute")

    def end(self) -> tuple[int, str]:
        assert self.process is not None
        output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, output

    def run(self, *arguments: str) -> tuple[int, str]:
        done = self.command(*arguments)
        output, _ = done.communicate(timeout=60)
        return done.returncode, output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def service() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="attain-serve-"))
    made = Service(folder, free_port())
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.communicate()
    embedded.stop(folder)
    shutil.rmtree(folder)


def is_running(folder: Path) -> bool:
    return (folder / "postgres" / "postmaster.pid").exists()


def test_from_an_empty_folder_to_ready_and_back(service: Service) -> None:
    service.start()
    code, output = service.run("serve")
    assert code == 1
    assert f"Port {service.port}" in output
    assert "Traceback" not in output
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    code, output = service.end()
    assert code == 0, output
    assert f"http://localhost:{service.port}" in output
    assert not is_running(service.folder)
    assert list(service.folder.glob("*.pid")) == []
    assert service.start() < 30
    assert service.run("stop") == (0, "Ended 1 service.\n")
    assert service.end()[0] == 0
    assert not is_running(service.folder)


def test_what_a_killed_one_left_is_tidied_up(service: Service) -> None:
    service.start()
    assert service.process is not None
    service.process.kill()
    service.end()
    assert is_running(service.folder)
    assert service.run("stop") == (0, "Ended 0 services and PostgreSQL.\n")
    assert not is_running(service.folder)
    assert list(service.folder.glob("*.pid")) == []


def test_it_is_unready_before_it_is_deaf(
    service: Service, new_database: Callable[[], tuple[str, str]]
) -> None:
    owner_url, app_url = new_database()
    service.start(ATTAIN_DATABASE_URL=owner_url, ATTAIN_APP_DATABASE_URL=app_url, ATTAIN_DRAIN_SECONDS="1")
    assert service.process is not None
    statuses: list[int] = []
    broken = threading.Event()

    def knock() -> None:
        # A new connection each time: what matters is that the listener still takes them while draining.
        while True:
            try:
                statuses.append(httpx.get(f"{service.url}/readyz", verify=False).status_code)
            except httpx.TransportError:
                broken.set()
                return

    visitor = threading.Thread(target=knock)
    visitor.start()
    time.sleep(0.2)
    service.process.send_signal(signal.SIGTERM)
    code, output = service.end()
    visitor.join(timeout=10)
    assert code == 0, output
    assert broken.is_set()
    first_refusal = statuses.index(503)
    assert set(statuses[:first_refusal]) == {200}
    assert set(statuses[first_refusal:]) == {503}


async def test_a_given_server_is_not_migrated_by_serving(service: Service, server: Embedded) -> None:
    name = f"bare_{uuid4().hex[:10]}"
    connection = await asyncpg.connect(server.url(SUPERUSER, "postgres"))
    await connection.execute(f"create database {name}")
    await connection.close()
    service.environment = {"ATTAIN_DATABASE_URL": server.url(SUPERUSER, name)}
    code, output = service.run("serve")
    assert code == 1
    assert "attain migrate" in output
    assert service.run("migrate") == (0, "Migrated.\n")
    service.start(**service.environment)


async def test_an_open_stream_is_told_of_the_end(
    service: Service, new_database: Callable[[], tuple[str, str]]
) -> None:
    owner_url, app_url = new_database()
    owner = await connect(owner_url)
    tenant = await create_tenant(owner, name="Acme")
    await owner.execute(f"set app.tenant_id = '{tenant.id}'")
    _, key = await create_key(Session(owner, tenant.id), name="listener", role="admin")
    await owner.close()
    await asyncio.to_thread(service.start, ATTAIN_DATABASE_URL=owner_url, ATTAIN_APP_DATABASE_URL=app_url)
    assert service.process is not None
    headers = {"authorization": f"Bearer {key}", "accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", f"{service.url}/v1/events", headers=headers) as response,
    ):
        blocks = response.aiter_text()
        assert "retry:" in await anext(blocks)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        rest = "".join([text async for text in blocks])
    code, output = await asyncio.to_thread(service.end)
    assert code == 0, output
    assert rest.endswith('event: end\ndata: {"code":"draining"}\n\n')
    assert time.monotonic() - began < 10


def test_many_who_come_at_once_are_let_in_within_a_few_turns() -> None:
    """The loop takes one connection a turn from each socket; under load a turn is long."""
    callers, most = 64, 16

    async def turns() -> int:
        loop = asyncio.get_running_loop()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(callers)
            waiting = [socket.create_connection(listener.getsockname()) for _ in range(callers)]
            let_in: list[asyncio.BaseTransport] = []

            class Guest(asyncio.Protocol):
                def connection_made(self, transport: asyncio.BaseTransport) -> None:
                    let_in.append(transport)

            opened = [await loop.create_server(Guest, sock=x) for x in doors(listener)]
            turn = 0
            while len(let_in) < callers:
                await asyncio.sleep(0)
                turn += 1
            for each in (*opened, *let_in, *waiting):
                each.close()
            await asyncio.sleep(0.01)
        return turn

    assert in_thread(lambda: uvloop.run(turns())) <= most
