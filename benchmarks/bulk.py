"""Many rows in requests of ten thousand, beside one binary COPY of the same rows as they were stored."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import orjson

from app.ground.database.embedded import SUPERUSER, Embedded
from app.sales.pipeline.models import opportunities
from benchmarks.company import BLOCK, SOURCE, Company
from benchmarks.services import Service

REQUEST = 10_000
"""Rows in one request, as many as may be."""


class Wrong(Exception):
    """The receipts do not say what they must, so the figure would be void."""


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds that each took for the same rows."""

    new: float
    unchanged: float
    copy: float


async def measure(
    server: Embedded, service: Service, company: Company, rows: int, rounds: int
) -> list[Round]:
    writer = await asyncpg.connect(server.url(SUPERUSER))
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=300) as client:
            return [await _round(writer, client, company, rows) for _ in range(rounds)]
    finally:
        await writer.close()


async def _round(writer: asyncpg.Connection, client: httpx.Client, company: Company, rows: int) -> Round:
    source = f"bench_{uuid4().hex[:12]}"
    requests = [
        (orjson.dumps({"source": source, "rows": part}), len(part)) for part in _parts(_rows(company, rows))
    ]
    new = sum(_upserted(client, company, body, {"created": count}) for body, count in requests)
    unchanged = sum(_upserted(client, company, body, {"unchanged": count}) for body, count in requests)
    return Round(new, unchanged, await _copied(writer, company, source, rows))


def _parts(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, len(rows), REQUEST):
        yield rows[first : first + REQUEST]


def _rows(company: Company, count: int) -> list[dict[str, Any]]:
    """What a sync job sends in the morning about yesterday, in the words of its source."""
    dice = random.Random(count)
    opened = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    return [
        {
            "external_id": f"new-{n}", "name": f"New deal {n}",
            "account_id": f"{SOURCE}:account-{dice.randrange(company.accounts)}",
            "owner_id": f"{SOURCE}:rep-{dice.randrange(1, BLOCK)}",
            "stage_id": f"{SOURCE}:stage-{dice.randrange(4)}",
            "amount": 500 + dice.randrange(40_000) * 0.25, "currency": "USD", "type": "new_business",
            "lead_source": "web", "opened_at": (opened + timedelta(seconds=n % 86_400)).isoformat(),
            "expected_close_on": f"2030-{1 + n % 12:02}-15", "next_step": "Call back",
        }
        for n in range(count)
    ]  # fmt: skip


def _upserted(client: httpx.Client, company: Company, body: bytes, expected: dict[str, int]) -> float:
    headers = {"Authorization": f"Bearer {company.admin_key}", "Content-Type": "application/json"}
    began = time.perf_counter()
    response = client.post("/v1/opportunities:upsert", content=body, headers=headers)
    seconds = time.perf_counter() - began
    if response.status_code != 200:
        raise Wrong(f"{response.status_code}: {response.text[:2000]}")
    answer = orjson.loads(response.content)
    if {name: n for name, n in answer["counts"].items() if n} != expected:
        raise Wrong(f"{answer['counts']}, {answer['rows'][:3]}")
    return seconds


async def _copied(writer: asyncpg.Connection, company: Company, source: str, rows: int) -> float:
    """The rows that the request stored, under new ids: encoded before the clock starts, taken back after it."""
    columns = [column.name for column in opportunities.columns]
    values = ", ".join("uuidv7()" if name == "id" else f"o.{name}" for name in columns)
    encoded = io.BytesIO()
    await writer.copy_from_query(
        f"select {values} from external_ids x join opportunities o on o.tenant_id = x.tenant_id and o.id = x.record_id "
        "where x.tenant_id = $1 and x.noun = 'opportunities' and x.source = $2 order by o.id",
        company.tenant_id,
        source,
        output=encoded,
        format="binary",
    )
    encoded.seek(0)
    transaction = writer.transaction()
    await transaction.start()
    try:
        began = time.perf_counter()
        done = await writer.copy_to_table("opportunities", source=encoded, columns=columns, format="binary")
        seconds = time.perf_counter() - began
    finally:
        await transaction.rollback()
    if done != f"COPY {rows}":
        raise Wrong(done)
    return seconds
