"""One service process: what it starts, how it stops, and how another command finds it.

On SIGTERM or SIGINT `/readyz` turns to 503 first; only after `drain_seconds` is the listener closed, because a load
balancer goes on sending until it has seen that. Then requests in flight are finished.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from app.ground.database.locate import Location
from app.ground.database.session import Database
from app.ground.errors import Unavailable
from app.ground.settings import Settings
from app.wire import Wire

_FINISH_SECONDS = 20
"""For requests in flight; less than the 30 s that orchestrators wait before they kill."""

_DOORS = 8
"""Listening sockets on one port, each of which lets one in a turn."""


def settle_collector() -> None:
    """For a process that has loaded what it needs, and begins to answer."""
    # What is there now stays for ever; the collector need not walk it at every request's garbage.
    gc.collect()
    gc.freeze()
    # A good request leaves next to no cycles behind, a refused document many: with more of them at a time everybody
    # waits for the collector, with fewer it runs for nothing.
    gc.set_threshold(5_000, 20, 20)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, *, drain_seconds: float, on_drain: Callable[[], None]) -> None:
        super().__init__(config)
        self.drain_seconds = drain_seconds
        self.on_drain = on_drain
        self.draining = False
        self.on_ready: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_collector()
        if self.started:
            self.on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn's own would raise the signal again after its shutdown, and with it skip ours.
        if self.draining:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self.draining = True
        self.on_drain()
        if self.drain_seconds <= 0:
            self.should_exit = True
            return
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, self.drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def run(
    settings: Settings,
    location: Location,
    listener: socket.socket,
    *,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until told to stop."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, location, listener, on_ready))


async def _serve(
    settings: Settings, location: Location, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    from app.main import create_app
    from app.worker import working

    database = await Database.open(
        location.app_url,
        role=location.role,
        size=settings.pool_size,
        pool_timeout=settings.pool_timeout_seconds,
        statement_timeout_ms=settings.statement_timeout_ms,
    )
    try:
        app = create_app(settings, database)

        def drain() -> None:
            app.health.draining = True

        server = _Server(_config(app), drain_seconds=settings.drain_seconds, on_drain=drain)
        server.on_ready = on_ready
        async with working(settings, location) if settings.run_worker else nullcontext():
            await server.serve(doors(listener))
    finally:
        await database.close()


def doors(listener: socket.socket) -> list[socket.socket]:
    """The loop takes one connection a turn from each. Through a single one whoever comes anew under load would stand in
    the kernel's queue for seconds, behind all others that do."""
    return [listener, *(listener.dup() for _ in range(_DOORS - 1))]


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Wire,
        ws="websockets-sansio",
        # A message is one operation; compression would let a small one grow.
        ws_max_size=1024 * 1024,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    return uvloop.new_event_loop


def bind(settings: Settings) -> socket.socket:
    """Take the port before anything costly is done; who finds it taken should learn so at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Port {settings.port} on {settings.host} cannot be had ({error.strerror}); set ATTAIN_PORT to another.",
            code="port_taken",
        ) from error
    listener.set_inheritable(False)
    return listener


@contextmanager
def registered(settings: Settings) -> Iterator[None]:
    """Let `attain stop` find this process. The lock on the file, not the number in it, says that it still lives."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    path = settings.data_dir / f"serve-{settings.port}.pid"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(
                f"A service already runs on port {settings.port} from this data folder.",
                code="already_running",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def stop(data_dir: Path, *, seconds: float = 60) -> int:
    """End every service of this data folder and wait for it. How many there were."""
    stopped = 0
    for path in sorted(data_dir.glob("serve-*.pid")):
        with path.open("r+") as file:
            if _free(file.fileno()):
                # Left behind by a process that was killed.
                path.unlink(missing_ok=True)
                continue
            with suppress(ProcessLookupError):
                os.kill(int(file.read()), signal.SIGTERM)
            deadline = time.monotonic() + seconds
            while not _free(file.fileno()):
                if time.monotonic() > deadline:
                    raise Unavailable(f"The service of {path} does not end.", code="still_running")
                time.sleep(0.05)
            stopped += 1
    return stopped


def _free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return True


def exit_on_terminate() -> None:
    """Until the server takes the signals over: leave through every `finally`, so that PostgreSQL is let go of."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
