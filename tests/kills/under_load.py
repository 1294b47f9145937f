"""A rolling restart, and one of PostgreSQL, again and again while callers never pause; then the books are compared.

`python -m tests.kills.under_load 10` does each ten times: `make kills`. The tests do the same with less.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import asyncpg
import httpx

from app.ground.database import embedded
from app.ground.database.embedded import SUPERUSER
from tests.kills.import_kills import Victim, free_port, victim
from tests.kills.load import Load

MOST_EXIT_SECONDS = 25.0
MOST_RECOVERY_SECONDS = 2.0
HELD_SECONDS = 2.5
"""Longer than the drain: who waits for this is still to be answered when the listener has closed."""


def rolling_restarts(made: Victim, times: int, mark: str) -> tuple[Load, float]:
    """SIGTERM to one of two services after the other, as a deployment does behind a load balancer. The longest exit.

    The balancer asks each for its readiness ten times a second, and sends only to those that are ready. No request may
    fail, and none is sent twice; one that waits for a row while its service is told to end is answered by it.
    """
    with _beside(made) as other:
        load = Load(made, mark, {made.port, other.port})
        longest = 0.0
        with load.running(), _watched(load, made, other):
            for n in range(times):
                leaving = (made, other)[n % 2]
                load.wait_for(100)
                longest = max(longest, _ended(leaving, f"{mark} slow {n}"))
                if leaving is other and n + 1 == times:
                    break
                leaving.start()
                made.until(lambda leaving=leaving: leaving.port in load.ready, 30)
    return load, longest


def _ended(leaving: Victim, name: str) -> float:
    """Seconds from SIGTERM to the end, with a request in flight that outlasts the drain."""
    assert leaving.process is not None
    id_ = leaving.ask("/v1/reps", "POST", json={"name": name}).json()["id"]
    answers: list[httpx.Response] = []

    def slow() -> None:
        answers.append(leaving.ask(f"/v1/reps/{id_}", "PATCH", json={"title": "Late"}))

    waiting = threading.Thread(target=slow)
    with _held(leaving, id_):
        waiting.start()
        time.sleep(0.3)
        leaving.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        time.sleep(0.3)
        assert leaving.ask("/livez").headers["connection"] == "close", (
            "it lets go of connections while it drains"
        )
        time.sleep(HELD_SECONDS)
        with httpx.Client() as late, suppress(httpx.TransportError):
            late.get(f"http://127.0.0.1:{leaving.port}/livez")
            raise AssertionError("the listener is closed while the last request is still to be answered")
        assert not answers
    code = leaving.process.wait(MOST_EXIT_SECONDS)
    seconds = time.monotonic() - began
    waiting.join()
    assert code == 0, leaving.process
    assert [x.status_code for x in answers] == [200], answers
    return seconds


@contextmanager
def _held(made: Victim, id_: str) -> Iterator[None]:
    """Nobody else can write this rep meanwhile."""
    server = embedded.start(made.folder)
    held, done = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(server.url(SUPERUSER))
        async with connection.transaction():
            await connection.execute("select 1 from reps where id = $1 for update", id_)
            held.set()
            await asyncio.to_thread(done.wait)
        await connection.close()

    holder = threading.Thread(target=asyncio.run, args=(hold(),))
    holder.start()
    try:
        assert held.wait(10)
        yield
    finally:
        done.set()
        holder.join()
        server.leave()


@contextmanager
def _beside(made: Victim) -> Iterator[Victim]:
    """A second service on the same PostgreSQL."""
    port = free_port()
    other = replace(made, port=port, process=None, environment=made.environment | {"ATTAIN_PORT": str(port)})
    try:
        other.start()
        yield other
    finally:
        if other.process is not None:
            other.process.kill()
            other.process.wait()


@contextmanager
def _watched(load: Load, *services: Victim) -> Iterator[None]:
    """What a load balancer does: `load.ready` holds those that say so."""
    stop = threading.Event()

    def watch(port: int) -> None:
        with httpx.Client(timeout=5) as client:
            while not stop.wait(0.1):
                ready = False
                with suppress(httpx.TransportError):
                    ready = client.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
                (load.ready.add if ready else load.ready.discard)(port)

    threads = [threading.Thread(target=watch, args=(x.port,)) for x in services]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def postgres_restarts(made: Victim, times: int, mark: str) -> tuple[Load, float]:
    """PostgreSQL ended (fast, at once, by turns) and started again. The longest that anybody was refused after it was
    back. The service is the same process all the time."""
    load = Load(made, mark, {made.port}, refusals_allowed=True)
    process = made.process
    assert process is not None
    longest = 0.0
    with load.running():
        for n in range(times):
            load.wait_for(100)
            made.kill_postgres((signal.SIGINT, signal.SIGQUIT)[n % 2])
            back = time.monotonic()
            time.sleep(MOST_RECOVERY_SECONDS)
            load.wait_for(100)
            assert load.refused_at, "nobody noticed"
            longest = max(longest, load.refused_at[-1] - back)
            assert longest < MOST_RECOVERY_SECONDS
    assert made.process is process
    assert process.poll() is None
    return load, longest


def main(times: int) -> None:
    with victim() as made:
        load, seconds = rolling_restarts(made, times, "rolling")
        print(  # noqa: T201
            f"{times} rolling restarts: {load.answered[200]:,} requests, none failed; exit in at most {seconds:.1f} s, "
            f"slowest answer {load.slowest:.1f} s",
            flush=True,
        )
        load, seconds = postgres_restarts(made, times, "postgres")
        print(  # noqa: T201
            f"{times} restarts of PostgreSQL: {load.answered[200]:,} requests answered, {load.answered[503]:,} refused "
            f"with 503, the last {seconds:.2f} s after it was back; nothing lost, nothing twice",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
