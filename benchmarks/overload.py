"""Five times what the service can take: one tenant that will not stop, nine that ask now and then.

    python -m benchmarks.overload [--seconds 30]

Prints the peak of a closed loop, the quiet tenants' latencies without and with the noisy one, what became of the
surplus, and how soon it is over. Requests of the open loop are sent when they are due, whatever became of others.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import httpx
import uvloop

from app.areas import found
from app.ground.access.keys import create_key
from app.ground.access.tenants import create_tenant
from app.ground.database import embedded, migrate
from app.ground.database.session import Session, connect
from benchmarks.services import Service, product

QUIET = 9
ROWS = 2_000
QUIET_SHARE = 0.02
"""Of the peak, for each quiet tenant."""
TIMES = 5
MOST_CONNECTIONS = 1_000
PATHS = (
    "/v1/accounts?limit=50&include=total&sort=name",
    "/v1/metrics/query?metric=bookings&metric=win_rate&period=2026&grain=month",
    "/v1/accounts?limit=100&industry=retail",
)


@dataclass
class Seen:
    """What a run saw: seconds from when a request was due to its answer, by status."""

    by_status: dict[int, list[float]] = field(default_factory=dict)
    without_retry_after: int = 0
    unsent: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, status: int, seconds: float) -> None:
        self.by_status.setdefault(status, []).append(seconds)
        self.told.set()

    @property
    def good(self) -> list[float]:
        return self.by_status.get(200, [])

    @property
    def refused(self) -> list[float]:
        return [x for status in (429, 503) for x in self.by_status.get(status, [])]


def p(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


class Line(asyncio.Protocol):
    """One kept connection, with one request at a time."""

    def __init__(self, done: Callable[[Line, int, bool], None]) -> None:
        self.done = done
        self.buffer = bytearray()
        self.due = 0.0
        self.seen: Seen | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float, seen: Seen) -> None:
        self.due, self.seen = due, seen
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end]).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.buffer.clear()
        self.done(self, int(head[9:12]), b"retry-after" in head)

    def connection_lost(self, exc: Exception | None) -> None:
        self.done(self, 0, False)


class Load:
    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[Line] = []
        self.open = 0

    def _done(self, line: Line, status: int, retry_after: bool) -> None:
        seen, line.seen = line.seen, None
        if status == 0:
            self.open -= 1
            if line in self.idle:
                self.idle.remove(line)
        else:
            self.idle.append(line)
        if seen is not None:
            seen.note(status, time.perf_counter() - line.due)
            seen.without_retry_after += status in (429, 503) and not retry_after

    async def send(self, request: bytes, due: float, seen: Seen) -> None:
        if self.idle:
            self.idle.pop().ask(request, due, seen)
            return
        if self.open >= MOST_CONNECTIONS:
            seen.unsent += 1
            return
        self.open += 1
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: Line(self._done), "127.0.0.1", self.port)
        line.ask(request, due, seen)

    async def at(self, rate: float, seconds: float, keys: list[str], seen: Seen) -> None:
        """An open loop: `rate` requests a second, due at even distances."""
        began = time.perf_counter()
        tasks: set[asyncio.Task[None]] = set()
        for n in range(int(rate * seconds)):
            due = began + n / rate
            ahead = due - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            task = asyncio.create_task(self.send(request(keys[n % len(keys)], n), due, seen))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def closed(self, lines: int, seconds: float, keys: list[str]) -> float:
        """Requests a second where each connection asks again as soon as it is answered."""
        end = time.perf_counter() + seconds
        answered = 0

        async def one(n: int) -> None:
            nonlocal answered
            while time.perf_counter() < end:
                seen = Seen()
                await self.send(request(keys[n % len(keys)], n), time.perf_counter(), seen)
                await seen.told.wait()
                answered += len(seen.good)
                n += lines

        began = time.perf_counter()
        await asyncio.gather(*(one(n) for n in range(lines)))
        return answered / (time.perf_counter() - began)


def request(key: str, n: int) -> bytes:
    return f"GET {PATHS[n % len(PATHS)]} HTTP/1.1\r\nHost: attain\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


async def tenants(folder: Path) -> list[str]:
    """A key of each; the noisy one's first."""
    server = embedded.start(folder)
    await asyncio.to_thread(migrate.upgrade, server.owner_url)
    owner = await connect(server.owner_url)
    keys = []
    try:
        for n in range(QUIET + 1):
            tenant = await create_tenant(owner, name=f"Tenant {n}", seed=found)
            async with owner.transaction():
                await owner.execute(f"set local app.tenant_id = '{tenant.id}'")
                _, key = await create_key(Session(owner, tenant.id), name="load", role="admin")
                await owner.execute(
                    "insert into accounts (tenant_id, name, industry) select $1, 'Account ' || n,"
                    " case n % 5 when 0 then 'retail' else 'medical' end from generate_series(1, $2::int) n",
                    tenant.id,
                    ROWS,
                )
            keys.append(key)
        await owner.execute("analyze accounts")
    finally:
        await owner.close()
    return keys


async def measure(service: Service, keys: list[str], seconds: float) -> None:
    load = Load(service.port)
    noisy, quiet = keys[:1], keys[1:]
    await load.closed(16, 3, keys)
    peak = await load.closed(16, 10, keys)
    print(f"peak                       {peak:8.0f} requests a second (closed loop, 16 connections)")
    alone = Seen()
    await load.at(peak * QUIET_SHARE * QUIET, 10, quiet, alone)
    await asyncio.sleep(1)
    quietly = statistics.median(alone.good), p(alone.good, 0.99)
    print(f"quiet tenants alone        {quietly[0] * 1000:8.1f} ms median, {quietly[1] * 1000:.1f} ms p99")
    calm, loud = Seen(), Seen()
    began = time.perf_counter()
    await asyncio.gather(
        load.at(peak * QUIET_SHARE * QUIET, seconds, quiet, calm),
        load.at(peak * (TIMES - QUIET_SHARE * QUIET), seconds, noisy, loud),
    )
    took = time.perf_counter() - began
    goodput = (len(calm.good) + len(loud.good)) / took
    statuses = Counter({k: len(v) for seen in (calm, loud) for k, v in seen.by_status.items()})
    refused = loud.refused + calm.refused
    sent = (sum(statuses.values())) / took
    print(
        f"overload                   {sent:8.0f} requests a second answered in {took:.1f} s, {dict(statuses)}"
    )
    print(f"  not sent for want of connections  {loud.unsent + calm.unsent}")
    print(f"  goodput                  {goodput:8.0f} requests a second, {goodput / peak:.2f} of the peak")
    print(f"  quiet tenants            {statistics.median(calm.good) * 1000:8.1f} ms median, "
          f"{p(calm.good, 0.99) * 1000:.1f} ms p99 ({p(calm.good, 0.99) / quietly[1]:.2f} of idle), "
          f"{len(calm.refused)} refused of {sum(map(len, calm.by_status.values()))}")  # fmt: skip
    print(f"  refusals                 {statistics.median(refused) * 1000:8.1f} ms median, "
          f"{p(refused, 0.99) * 1000:.1f} ms p99, {loud.without_retry_after + calm.without_retry_after} "
          "without Retry-After")  # fmt: skip
    after = time.perf_counter()
    while True:
        again = Seen()
        await load.at(peak * QUIET_SHARE * QUIET, 1, quiet, again)
        if p(again.good, 0.9) < quietly[1] * 1.5 or time.perf_counter() - after > 30:
            break
    print(
        f"recovery                   {time.perf_counter() - after:8.1f} s until nine of ten are as fast as before"
    )
    print(f"memory                     {service.memory:8d} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="attain-overload-"))
    try:
        keys = asyncio.run(tenants(folder))
        with product(folder) as service:
            for key in keys:
                httpx.get(
                    f"http://127.0.0.1:{service.port}/v1/me", headers={"Authorization": f"Bearer {key}"}
                ).raise_for_status()
            uvloop.run(measure(service, keys, seconds))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
