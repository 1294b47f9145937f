"""`live`: the service on a loopback port of its own, over a small company, with a key of every role."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest_asyncio
import requests
import uvicorn

from app.ground.access.principal import ROLES
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import create_app
from app.wire import Wire
from tests.catalogue.company import Maker, in_order
from tests.catalogue.conftest import World


@dataclass(frozen=True)
class Live:
    url: str
    keys: dict[str, str]
    """By role; `anonymous` has none."""
    ids: dict[str, list[str]]
    """By plural."""
    session: requests.Session = field(default_factory=requests.Session)


@pytest_asyncio.fixture(scope="session")
async def live(
    settings: Settings, app_url: str, make_tenant: Callable[..., Awaitable[Any]]
) -> AsyncIterator[Live]:
    """On a thread of its own: who sends the requests waits for the answers."""
    world = World(await make_tenant("Fuzzed", timezone="Europe/Berlin", home_currency="EUR"), Maker("fuzz"))
    await world.fill(in_order(), 8)
    rep = UUID(world.make.known["reps"][0])
    keys = {role: await world.company.key(role, rep) for role in ROLES}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # From now on who comes waits, until the service is there.
        listener.listen()
        stop = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(_serve(settings, app_url, listener, stop)))
        thread.start()
        found = Live(f"http://127.0.0.1:{listener.getsockname()[1]}", keys, world.make.known)
        yield found
        found.session.close()
        stop.set()
        await asyncio.to_thread(thread.join)


async def _serve(settings: Settings, url: str, listener: socket.socket, stop: threading.Event) -> None:
    database = await Database.open(url, size=10, pool_timeout=10)
    try:
        app = create_app(settings, database)
        server = uvicorn.Server(
            uvicorn.Config(app, http=Wire, lifespan="off", log_config=None, server_header=False)
        )
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.to_thread(stop.wait)
        server.should_exit = True
        await serving
    finally:
        await database.close()
