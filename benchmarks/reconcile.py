"""A million ids of a source against a million records, in one request.

    python -m benchmarks.reconcile [--records 1000000]

Prints how long it took, what the service holds afterwards, and a neighbour's p99 without and meanwhile. Ends with 1
where the difference is not told to the id.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import httpx
import orjson

from app.areas import found
from app.ground.access.keys import create_key
from app.ground.access.tenants import create_tenant
from app.ground.database import embedded, migrate
from app.ground.database.session import Session, connect
from benchmarks.abuse import neighbour
from benchmarks.load import request
from benchmarks.overload import p
from benchmarks.services import Service, product

EACH_LACKS = 500
QUIET_ROWS = 2_000


async def fill(folder: Path, records: int) -> list[str]:
    """A key of the source's tenant, and one of a neighbour."""
    server = embedded.start(folder)
    await asyncio.to_thread(migrate.upgrade, server.owner_url)
    owner = await connect(server.owner_url)
    keys: list[str] = []
    try:
        for name, rows in (("Large", records), ("Quiet", QUIET_ROWS)):
            tenant = await create_tenant(owner, name=name, seed=found)
            async with owner.transaction():
                await owner.execute(f"set local app.tenant_id = '{tenant.id}'")
                _, key = await create_key(Session(owner, tenant.id), name="sync", role="admin")
                keys.append(key)
                await owner.execute(
                    "insert into accounts (tenant_id, name, external_ids) select $1, 'Account ' || n,"
                    " jsonb_build_array(jsonb_build_object('source', 'crm', 'external_id', 'A' || n))"
                    " from generate_series(1, $2::int) n",
                    tenant.id,
                    rows,
                )
                await owner.execute(
                    "insert into external_ids (tenant_id, noun, source, external_id, record_id)"
                    " select tenant_id, 'accounts', 'crm', external_ids -> 0 ->> 'external_id', id from accounts"
                    " where tenant_id = $1",
                    tenant.id,
                )
        await owner.execute("vacuum analyze accounts, external_ids")
    finally:
        await owner.close()
    return keys


def told(records: int) -> Iterator[bytes]:
    """All but the first, and as many that nobody here knows, a million in all."""
    for start in range(EACH_LACKS + 1, records + EACH_LACKS + 1, 1_000):
        yield b"".join(b'"A%d"\n' % n for n in range(start, min(start + 1_000, records + EACH_LACKS + 1)))


async def measure(service: Service, key: str, quiet: str, records: int) -> bool:
    asked = [request("GET", "/v1/accounts?limit=50&sort=name", key=quiet)]
    await neighbour(service.port, asked, 1, 20)
    alone = await neighbour(service.port, asked, 6, 50)
    before = service.memory
    done = asyncio.Event()
    beside: list[float] = []

    async def accompany() -> None:
        while not done.is_set():
            beside.extend(await neighbour(service.port, asked, 0.5, 50))

    company = asyncio.create_task(accompany())
    began = time.perf_counter()

    async def body() -> AsyncGenerator[bytes]:
        for piece in told(records):
            yield piece
            await asyncio.sleep(0)

    async with httpx.AsyncClient(timeout=120) as client:
        answer = await client.post(
            f"http://127.0.0.1:{service.port}/v1/accounts:reconcile?source=crm",
            content=body(),
            headers={"authorization": f"Bearer {key}", "content-type": "application/x-ndjson"},
        )
    took = time.perf_counter() - began
    done.set()
    await company
    if answer.status_code != 200:
        raise RuntimeError(answer.text[:2000])
    difference = orjson.loads(answer.content)
    right = (
        {x["external_id"] for x in difference["missing_at_source"]}
        == {f"A{n}" for n in range(1, EACH_LACKS + 1)}
        and set(difference["missing_here"]) == {f"A{n}" for n in range(records + 1, records + EACH_LACKS + 1)}
        and difference["counts"]
        == {"external_ids": records, "missing_at_source": EACH_LACKS, "missing_here": EACH_LACKS}
    )
    print(f"{records:,} ids           {took:.1f} s, {'to the id' if right else 'WRONG'}")
    print(
        f"neighbour's p99     {p(alone, 0.99) * 1000:.1f} ms alone, {p(beside, 0.99) * 1000:.1f} ms beside it"
    )
    print(f"memory              {before} MB before, {service.memory} MB after")
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="attain-reconcile-"))
    try:
        key, quiet = asyncio.run(fill(folder, given.records))
        with product(folder) as service:
            right = asyncio.run(measure(service, key, quiet, given.records))
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
