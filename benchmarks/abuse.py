"""`make abuse`: what somebody who sends one attack after the other costs somebody else.

A neighbour of another tenant asks for its list of 50 a few times a second, first alone, then beside the attacker. The
rounds take turns, so that the machine's drift is nobody's advantage. Ends with 1 where the neighbour's p99 doubles.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from pathlib import Path

import orjson
import uvloop

from app.ground.access.keys import create_key
from app.ground.access.tenants import create_tenant
from app.ground.database import embedded, migrate
from app.ground.database.embedded import SUPERUSER
from app.ground.database.session import Session, connect
from benchmarks import cases, company, services
from benchmarks.attacks import ATTACKS, Attack

Latencies = list[float]


class Connection:
    """One kept-alive connection; what is asked is answered before more is asked."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].split(b"\r", 1)[0])
        body = await self.reader.readexactly(length)
        if b"connection: close" in head:
            self.writer.close()
            await self.open()
        return int(head.split(b" ", 2)[1]), body


def attack_request(attack: Attack, key: str) -> bytes:
    headers = {**attack.headers, "host": "localhost", "authorization": f"Bearer {key}"}
    if attack.method == "POST":
        headers["content-length"] = str(len(attack.body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{attack.method} /graphql?{attack.query} HTTP/1.1\r\n{lines}\r\n".encode() + attack.body


async def neighbour(port: int, requests: list[bytes], seconds: float, rate: float) -> Latencies:
    """Asks at a steady rate, whether or not the one before was quick."""
    connection = await Connection(port).open()
    found: Latencies = []
    began = time.perf_counter()
    for number in range(int(seconds * rate)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked = time.perf_counter()
        status, body = await connection.ask(requests[number % len(requests)])
        found.append(time.perf_counter() - asked)
        if status != 200 or b'"errors"' in body[:200]:
            raise RuntimeError(body[:500])
    connection.writer.close()
    return found


async def attacker(port: int, requests: list[bytes], done: asyncio.Event) -> int:
    connection = await Connection(port).open()
    number = 0
    while not done.is_set():
        status, body = await connection.ask(requests[number % len(requests)])
        # The attacker's own rate may run out: then it is refused sooner still.
        if b'"data":{' in body or status >= 500:
            raise RuntimeError(f"{ATTACKS[number % len(requests)].name}: {body[:300]}")
        number += 1
    connection.writer.close()
    return number


def percentile(found: Latencies, share: float) -> float:
    return sorted(found)[min(int(len(found) * share), len(found) - 1)] * 1000


def _figures(found: Latencies) -> str:
    return f"p50 {percentile(found, 0.5):.1f} ms, p99 {percentile(found, 0.99):.1f} ms"


async def measure(server: embedded.Embedded, asked: argparse.Namespace) -> int:
    await company.fill(server, asked.scale, lambda text: print(text, file=sys.stderr))
    known = await company.company(server)
    owner = await connect(server.url(SUPERUSER))
    tenant = await create_tenant(owner, name="Attacker", home_currency="USD")
    async with owner.transaction():
        await owner.execute(f"set local app.tenant_id = '{tenant.id}'")
        _, key = await create_key(Session(owner, tenant.id), name="attacker", role="admin")
    await owner.close()
    asks = [_list_request(known.manager_key, str(x), str(known.stage_id)) for x in known.owners[:50]]
    attacks = [attack_request(x, key) for x in ATTACKS]
    idle: Latencies = []
    attacked: Latencies = []
    sent = 0
    given = {"ATTAIN_ALLOW_INTROSPECTION": "false", "ATTAIN_GRAPHIQL": "false"}
    with services.product(asked.folder, given) as service:
        await neighbour(service.port, asks, 2, asked.rate)
        for _ in range(asked.rounds):
            idle += await neighbour(service.port, asks, asked.seconds, asked.rate)
            done = asyncio.Event()
            running = [
                asyncio.create_task(attacker(service.port, attacks, done)) for _ in range(asked.attackers)
            ]
            attacked += await neighbour(service.port, asks, asked.seconds, asked.rate)
            done.set()
            sent += sum(await asyncio.gather(*running))
    seconds = asked.rounds * asked.seconds
    ratio = percentile(attacked, 0.99) / percentile(idle, 0.99)
    print(f"neighbour, {asked.rate:.0f} requests/s")
    print(f"idle: {_figures(idle)}")
    print(f"beside {sent / seconds:.0f} attacks/s: {_figures(attacked)}, {ratio:.2f} times")
    return int(ratio >= 2)


def _list_request(key: str, owner: str, stage: str) -> bytes:
    body = orjson.dumps({"query": cases.GRAPHQL, "variables": {"owner": owner, "stage": stage}})
    return cases.request("POST", "/graphql", key=key, body=body)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abuse", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/abuse"))
    parser.add_argument("--scale", type=int, default=200_000, help="opportunities (200,000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of each half of a round (5)")
    parser.add_argument("--rate", type=float, default=50, help="of the neighbour, requests a second (50)")
    parser.add_argument(
        "--attackers", type=int, default=1, help="connections, each one attack after the other (1)"
    )
    asked = parser.parse_args()
    embedded.stop(asked.folder)
    shutil.rmtree(asked.folder, ignore_errors=True)
    server = embedded.start(asked.folder)
    try:
        migrate.upgrade(server.owner_url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(measure(server, asked))
    finally:
        server.leave()
    shutil.rmtree(asked.folder)
    sys.exit(code)


if __name__ == "__main__":
    main()
