"""Five times what the service can take: one tenant that will not stop, nine that ask now and then.

    python -m benchmarks.overload [--rounds 4] [--seconds 8] [--deals 5000] [--light]

Each tenant has a company's rows, and asks for pages of deals, for numbers by month and for single deals; `--light` asks
for short lists of accounts and for numbers of nothing, so that hardly anything but the service itself is at work.
Prints the peak of a closed loop, the quiet tenants' latencies without and with the noisy one, what became of the
surplus, and how soon it is over. Requests of the open loop are sent when they are due, whatever became of others.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import cast
from uuid import UUID

import asyncpg
import httpx
import uvloop

from app import areas
from app.ground.access.keys import create_key
from app.ground.access.tenants import create_tenant
from app.ground.database import embedded, migrate
from app.ground.database.embedded import Embedded
from app.ground.database.session import Session
from benchmarks import company, processor
from benchmarks.services import Service, product

QUIET = 9
REPS = 60
ROWS = 2_000
"""Accounts of each tenant where requests are light."""
QUIET_SHARE = 0.02
"""Of the peak, for each quiet tenant."""
TIMES = 5
MOST_CONNECTIONS = 1_000
NUMBERS = "/v1/metrics/query?metric=bookings&metric=win_rate&period=last_365_days&grain=month"
LIGHT = ("/v1/accounts?limit=50&include=total&sort=name", NUMBERS, "/v1/accounts?limit=100&industry=retail")
EACH = 40
"""Of each kind of request a tenant has so many."""

Asked = Sequence[bytes]
"""What one tenant asks, in turn."""


@dataclass
class Seen:
    """What a run saw: seconds from when a request was due to its answer, by status."""

    by_status: dict[int, list[float]] = field(default_factory=dict)
    without_retry_after: int = 0
    unsent: int = 0
    told: asyncio.Event | None = None

    def note(self, status: int, seconds: float) -> None:
        self.by_status.setdefault(status, []).append(seconds)
        if self.told is not None:
            self.told.set()

    def add(self, other: Seen) -> None:
        for status, seconds in other.by_status.items():
            self.by_status.setdefault(status, []).extend(seconds)
        self.without_retry_after += other.without_retry_after
        self.unsent += other.unsent

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
        self.tasks: set[asyncio.Task[None]] = set()
        self.answered = asyncio.Event()

    def _done(self, line: Line, status: int, retry_after: bool) -> None:
        seen, line.seen = line.seen, None
        if status == 0:
            self.open -= 1
            if line in self.idle:
                self.idle.remove(line)
        else:
            self.idle.append(line)
        self._rest()
        if seen is not None:
            seen.note(status, time.perf_counter() - line.due)
            seen.without_retry_after += status in (429, 503) and not retry_after

    def _rest(self) -> None:
        if self.open == len(self.idle):
            self.answered.set()

    def send(self, request: bytes, due: float, seen: Seen) -> None:
        """On a connection that is free, or on a new one. No task where none is needed: what this costs is taken from
        the service, which has the same processors."""
        self.answered.clear()
        if self.idle:
            self.idle.pop().ask(request, due, seen)
        elif self.open >= MOST_CONNECTIONS:
            seen.unsent += 1
        else:
            self.open += 1
            task = asyncio.create_task(self._connect(request, due, seen))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _connect(self, request: bytes, due: float, seen: Seen) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_connection(lambda: Line(self._done), "127.0.0.1", self.port)
        except OSError:
            self.open -= 1
            self._rest()
            seen.note(0, time.perf_counter() - due)
        else:
            line.ask(request, due, seen)

    async def at(self, rate: float, seconds: float, tenants: Sequence[Asked], seen: Seen) -> None:
        """An open loop: `rate` requests a second, due at even distances."""
        began = time.perf_counter()
        n, count = 0, int(rate * seconds)
        while n < count:
            now = time.perf_counter()
            while n < count and (due := began + n / rate) <= now:
                self.send(request(tenants, n), due, seen)
                n += 1
            # The loop's clock has milliseconds: for less it would spin, and take half of what the service has.
            await asyncio.sleep(max(began + n / rate - time.perf_counter(), 0.001))
        await self.answered.wait()

    async def closed(self, lines: int, seconds: float, tenants: Sequence[Asked]) -> float:
        """Requests a second where each connection asks again as soon as it is answered."""
        end = time.perf_counter() + seconds
        answered = 0

        async def one(n: int) -> None:
            nonlocal answered
            while time.perf_counter() < end:
                told = asyncio.Event()
                seen = Seen(told=told)
                self.send(request(tenants, n), time.perf_counter(), seen)
                await told.wait()
                answered += len(seen.good)
                n += lines

        began = time.perf_counter()
        await asyncio.gather(*(one(n) for n in range(lines)))
        return answered / (time.perf_counter() - began)


def _request(key: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: attain\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def request(tenants: Sequence[Asked], n: int) -> bytes:
    turn, place = divmod(n, len(tenants))
    return tenants[place][turn % len(tenants[place])]


async def made(folder: Path, deals: int) -> dict[str, Sequence[str]]:
    """What each tenant asks, by its key; the noisy one's first. Of 0 deals the light requests."""
    server = embedded.start(folder)
    await asyncio.to_thread(migrate.upgrade, server.owner_url)
    found: dict[str, Sequence[str]] = {}
    async with company.writing(server) as writer:
        for n in range(QUIET + 1):
            tenant = await create_tenant(writer, name=f"Tenant {n}", seed=areas.found)
            async with writer.transaction():
                await writer.execute(f"set local app.tenant_id = '{tenant.id}'")
                _, key = await create_key(Session(writer, tenant.id), name="load", role="admin")
            if deals:
                await company.fill_one(writer, tenant.id, REPS, deals, lambda _: None)
                found[key] = await paths(writer, tenant.id)
            else:
                await writer.execute(_ACCOUNTS, tenant.id, ROWS)
                found[key] = LIGHT
        await writer.execute("vacuum (analyze)")
        await writer.execute("checkpoint")
    return found


_ACCOUNTS = """
insert into accounts (tenant_id, name, industry)
select $1, 'Account ' || n, case n % 5 when 0 then 'retail' else 'medical' end from generate_series(1, $2::int) n
"""

_OWNERS = """
select o.owner_id, o.stage_id from opportunities o join stages s on s.tenant_id = o.tenant_id and s.id = o.stage_id
where o.tenant_id = $1 and s.position = 2 group by 1, 2 having count(*) > 50 order by 1 limit $2
"""

_DEALS = "select id from opportunities where tenant_id = $1 order by hashtext(id::text) limit $2"


async def paths(writer: asyncpg.Connection, tenant_id: UUID) -> list[str]:
    """A page of somebody's deals in a stage, numbers, one deal; and so on."""
    lists = [
        f"/v1/opportunities?owner_id={row[0]}&stage_id={row[1]}&sort=expected_close_on&limit=50&expand=account,owner"
        for row in await writer.fetch(_OWNERS, tenant_id, EACH)
    ]
    singles = [f"/v1/opportunities/{row[0]}" for row in await writer.fetch(_DEALS, tenant_id, EACH)]
    return [x for n in range(EACH) for x in (lists[n % len(lists)], NUMBERS, singles[n % len(singles)])]


async def _quietly(port: int, rate: float, seconds: float, tenants: Sequence[Asked]) -> Seen:
    load, seen = Load(port), Seen()
    await load.at(rate, seconds, tenants, seen)
    return seen


def quietly(port: int, rate: float, seconds: float, tenants: Sequence[Asked]) -> Seen:
    """For a process of its own: whoever is quiet does not wait until the noisy one's requests are written. What both
    waited for in one loop was counted as the service's."""
    return uvloop.run(_quietly(port, rate, seconds, tenants))


class Used:
    """Processors that were busy in its `with` blocks, by whom."""

    def __init__(self, service: Service, server: Embedded, callers: Sequence[int]) -> None:
        self.pids = {
            "service": [service.process.pid],
            "PostgreSQL": processor.backends(server),
            "callers": [os.getpid(), *callers],
        }
        self.seconds: dict[str, float] = dict.fromkeys(self.pids, 0.0)
        self.took = 0.0

    def _count(self, sign: int) -> None:
        self.took += sign * time.perf_counter()
        for who, pids in self.pids.items():
            self.seconds[who] += sign * processor.seconds(*pids)

    def __enter__(self) -> None:
        self._count(-1)

    def __exit__(self, *_: object) -> None:
        self._count(1)

    def __str__(self) -> str:
        return ", ".join(f"{who} {x / self.took:.2f}" for who, x in self.seconds.items())


@dataclass
class Measured:
    """Of all rounds together, but for the rates, of which each round has its own."""

    peaks: list[float] = field(default_factory=list)
    goodputs: list[float] = field(default_factory=list)
    alone: Seen = field(default_factory=Seen)
    calm: Seen = field(default_factory=Seen)
    loud: Seen = field(default_factory=Seen)

    @property
    def shares(self) -> list[float]:
        """Of the peak as it was just before and just after: a machine is not equally fast for a minute."""
        around = zip(self.peaks, self.peaks[1:], strict=False)
        return [x * 2 / sum(y) for x, y in zip(self.goodputs, around, strict=True)]


async def measure(
    service: Service,
    server: Embedded,
    tenants: Sequence[Asked],
    rounds: int,
    seconds: float,
    beside: Executor,
) -> None:
    """`beside` is another process, from which the quiet ones ask."""
    load, found = Load(service.port), Measured()
    noisy, quiet = tenants[:1], tenants[1:]
    other = await asyncio.get_running_loop().run_in_executor(beside, os.getpid)
    peaceful, stormy = (Used(service, server, [other]) for _ in range(2))
    await load.closed(16, 3, tenants)

    async def peak() -> None:
        with peaceful:
            found.peaks.append(await load.closed(16, seconds / 2, tenants))

    async def calmly(seconds: float, into: Seen) -> None:
        rate = found.peaks[-1] * QUIET_SHARE * QUIET
        loop = asyncio.get_running_loop()
        into.add(await loop.run_in_executor(beside, quietly, service.port, rate, seconds, quiet))

    await peak()
    for _ in range(rounds):
        await calmly(seconds, found.alone)
        before = len(found.calm.good) + len(found.loud.good)
        began = time.perf_counter()
        with stormy:
            await asyncio.gather(
                calmly(seconds, found.calm),
                load.at(found.peaks[-1] * (TIMES - QUIET_SHARE * QUIET), seconds, noisy, found.loud),
            )
        took = time.perf_counter() - began
        found.goodputs.append((len(found.calm.good) + len(found.loud.good) - before) / took)
        await peak()
    quietly_p99 = p(found.alone.good, 0.99)
    after = time.perf_counter()
    while True:
        again = Seen()
        await calmly(1, again)
        if p(again.good, 0.9) < quietly_p99 * 1.5 or time.perf_counter() - after > 30:
            break
    report(found, peaceful, stormy)
    print(
        f"recovery              {time.perf_counter() - after:.1f} s until nine of ten are as fast as before"
    )
    print(f"memory                {service.memory} MB")


def report(found: Measured, peaceful: Used, stormy: Used) -> None:
    calm, loud, alone = found.calm, found.loud, found.alone
    statuses = Counter({k: len(v) for seen in (calm, loud) for k, v in seen.by_status.items()})
    refused = loud.refused + calm.refused
    idle, pressed = p(alone.good, 0.99), p(calm.good, 0.99)
    lines = {
        "peak": f"{statistics.median(found.peaks):.0f} requests a second (closed loop, 16 connections)",
        "  processors": peaceful,
        "overload": f"{sum(statuses.values())} answers, {dict(statuses)}",
        "  processors ": stormy,
        "  goodput": f"{statistics.median(found.shares):.2f} of the peak "
        f"({', '.join(f'{x:.2f}' for x in found.shares)})",
        "  not sent": f"{loud.unsent + calm.unsent} for want of connections",
        "quiet tenants": f"{statistics.median(alone.good) * 1000:.1f} ms median, {idle * 1000:.1f} ms p99",
        "  in overload": f"{statistics.median(calm.good) * 1000:.1f} ms median, {pressed * 1000:.1f} ms p99, "
        f"{pressed / idle:.2f} of it; {len(calm.refused)} refused of {sum(map(len, calm.by_status.values()))}",
        "refusals": f"{statistics.median(refused) * 1000:.1f} ms median, {p(refused, 0.99) * 1000:.1f} ms p99, "
        f"{loud.without_retry_after + calm.without_retry_after} without Retry-After",
    }
    for name, told in lines.items():
        print(f"{name:22}{told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--deals", type=int, default=5_000, help="of each tenant (5,000)")
    parser.add_argument("--light", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="attain-overload-"))
    try:
        asked = asyncio.run(made(folder, 0 if given.light else given.deals))
        with product(folder) as service:
            for key in asked:
                httpx.get(
                    f"http://127.0.0.1:{service.port}/v1/me", headers={"Authorization": f"Bearer {key}"}
                ).raise_for_status()
            server = embedded.start(folder)
            tenants = [[_request(key, path) for path in theirs] for key, theirs in asked.items()]
            with ProcessPoolExecutor(1, get_context("spawn")) as beside:
                uvloop.run(measure(service, server, tenants, given.rounds, given.seconds, beside))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
