"""MavenTech by the example's own command, over a real socket; its KPIs over REST and GraphQL against the CSV files."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn

from app.areas import found
from app.ground.access.keys import create_key
from app.ground.access.tenants import create_tenant
from app.ground.database.session import Database, connect
from app.ground.settings import Settings
from app.main import create_app
from tests.examples.maventech_csv import FOLDER, Files

ROOT = Path(__file__).resolve().parents[2]
METRICS = ("bookings", "won_deals", "lost_deals", "win_rate", "average_deal_size", "sales_cycle")
BREAKDOWNS = ("rep", "manager", "territory", "industry", "product")
PAST_DAYS = (date(2017, 3, 1), date(2017, 6, 15), date(2017, 9, 30), date(2017, 12, 1))

Rows = list[dict[str, Any]]
Ask = Callable[..., Awaitable[Rows]]


@dataclass
class Loaded:
    """The service with MavenTech in it, and what the command said on its first and second run."""

    url: str
    key: str
    first: str
    second: str
    client: httpx.AsyncClient

    async def rest(self, *metrics: str, **parameters: Any) -> Rows:
        parameters |= parameters.pop("filter", {})
        answer = await self.client.get("/v1/metrics/query", params={"metric": list(metrics), **parameters})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def graphql(self, *metrics: str, **parameters: Any) -> Rows:
        """The same rows, under REST's names."""
        arguments = {"names": list(metrics), **{camel(name): value for name, value in parameters.items()}}
        literals = ", ".join(f"{name}: {literal(name, value)}" for name, value in arguments.items())
        text = (
            f"{{ metrics({literals}) "
            "{ rows { metric periodStart periodEnd dimensions value numerator denominator n nullReason } } }"
        )
        answer = await self.client.post("/graphql", json={"query": text})
        body = answer.json()
        assert "errors" not in body, body
        return [
            {re.sub("([A-Z])", r"_\1", name).lower(): value for name, value in row.items()}
            for row in body["data"]["metrics"]["rows"]
        ]


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def literal(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(literal(name, item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{camel(key)}: {literal(key, item)}" for key, item in value.items()) + "}"
    return f'"{value}"'


async def new_tenant(owner_url: str, database: Database) -> str:
    owner = await connect(owner_url)
    try:
        tenant = await create_tenant(owner, name="MavenTech", seed=found)
    finally:
        await owner.close()
    async with database.transaction(tenant.id) as session:
        _, key = await create_key(session, name="example", role="admin")
    return key


@pytest_asyncio.fixture(scope="module")
async def maventech(settings: Settings, database: Database, owner_url: str) -> AsyncIterator[Loaded]:
    key = await new_tenant(owner_url, database)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, database), host="127.0.0.1", port=0, lifespan="off", log_level="warning"
        )
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"

    async def run() -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "examples" / "maventech" / "load.py"), str(FOLDER), "--url", url, "--key", key,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    try:
        first, second = await run(), await run()
        async with httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as client:
            yield Loaded(url, key, first, second, client)
    finally:
        server.should_exit = True
        await serving


@pytest.fixture(scope="module")
def files() -> Files:
    return Files()


@pytest.fixture(params=["rest", "graphql"])
def ask(request: pytest.FixtureRequest, maventech: Loaded) -> Ask:
    return getattr(maventech, request.param)


def same(value: Any, expected: Fraction | None) -> bool:
    """JSON's number and the exact one, to the last digit that a double can hold."""
    if expected is None or value is None:
        return value is None and expected is None
    return value == pytest.approx(float(expected), rel=1e-9)


def test_the_files_are_there() -> None:
    assert (FOLDER / "sales_pipeline.csv").exists(), f"put the MavenTech files into {FOLDER}"


def test_the_second_load_changes_nothing(maventech: Loaded) -> None:
    expected = {
        "territories": 3, "reps": 6 + 35, "products": 7, "pipelines": 1, "stages": 4, "accounts": 85,
        "opportunities": 8_800,
    }  # fmt: skip
    for said, outcome in ((maventech.first, "created"), (maventech.second, "unchanged")):
        counts: dict[str, int] = {}
        for noun, count, word in re.findall(r"^ *(\w+) ([\d,]+) (\w+)$", said, re.MULTILINE):
            assert word == outcome, said
            counts[noun] = counts.get(noun, 0) + int(count.replace(",", ""))
        assert counts == expected, said


async def test_totals(ask: Ask, files: Files) -> None:
    rows = await ask(*METRICS, period="2017")
    expected = files.total().expected
    assert len(rows) == len(METRICS)
    for row in rows:
        assert same(row["value"], expected[row["metric"]]), row


async def test_by_month(ask: Ask, files: Files) -> None:
    rows = await ask(*METRICS, period="2017", grain="month")
    months = files.by(files.month)
    assert len(rows) == len(METRICS) * 12, "every bucket is there, the empty ones too"
    for row in rows:
        sums = months.get(str(row["period_start"])[:10])
        if sums is None:
            assert not row["value"], row
        else:
            assert same(row["value"], sums.expected[row["metric"]]), row


@pytest.mark.parametrize("dimension", BREAKDOWNS)
async def test_by_dimension(ask: Ask, files: Files, dimension: str) -> None:
    rows = await ask(*METRICS, period="2017", by=[dimension])
    groups = files.by(getattr(files, dimension))
    seen: dict[str, set[str | None]] = {metric: set() for metric in METRICS}
    for row in rows:
        name = row["dimensions"][dimension]["name"]
        if name in groups:
            seen[row["metric"]].add(name)
            assert same(row["value"], groups[name].expected[row["metric"]]), row
        else:
            assert not row["value"], row
    assert all(names == set(groups) for names in seen.values()), seen


@pytest.mark.parametrize("day", PAST_DAYS, ids=str)
async def test_open_deals_as_of_a_past_day(ask: Ask, files: Files, day: date) -> None:
    [row] = await ask("open_deals", as_of=day.isoformat())
    assert row["value"] == files.open_on(day)[None]
    for dimension in ("territory", "manager", "product"):
        rows = await ask("open_deals", as_of=day.isoformat(), by=[dimension])
        found = {row["dimensions"][dimension]["name"]: row["value"] for row in rows if row["value"]}
        assert found == files.open_on(day, getattr(files, dimension)), dimension


async def test_a_filter_takes_the_name_that_the_source_gives(ask: Ask, files: Files) -> None:
    for dimension, value, key, name in (
        ("rep", "maventech:rep-darcel-schlecht", files.rep, "Darcel Schlecht"),
        ("manager", "maventech:rep-melvin-marxen", files.manager, "Melvin Marxen"),
        ("territory", "maventech:territory-west", files.territory, "West"),
        ("product", "maventech:product-gtx-pro", files.product, "GTX Pro"),
        ("industry", "technology", files.industry, "technology"),
    ):
        [row] = await ask("bookings", period="2017", filter={dimension: [value]})
        assert same(row["value"], files.by(key)[name].expected["bookings"]), dimension


async def test_records_hold_what_the_files_say(maventech: Loaded, files: Files) -> None:
    """One deal of each kind, and the faults put right."""
    for stage in ("Won", "Lost", "Engaging", "Prospecting"):
        deal = next(x for x in files.deals if x.stage == stage)
        answer = await maventech.client.get(
            f"/v1/opportunities/maventech:{deal.id}", params={"expand": "account,owner,stage,line_items"}
        )
        record = answer.json()
        assert answer.status_code == 200, record
        assert record["amount"] == deal.value
        assert (record["account"] or {}).get("name") == deal.account
        assert record["owner"]["name"] == deal.agent
        assert record["stage"]["name"] == stage
        assert (record["opened_at"] or "")[:10] == (deal.engaged.isoformat() if deal.engaged else "")
        assert (record["closed_at"] or "")[:10] == (deal.closed.isoformat() if deal.closed else "")
        assert len(record["line_items"]) == 1
    for filter_, count in (
        ("industry=technology", 12),
        ("country=Philippines", 1),
        ("industry=technolgy", 0),
    ):
        answer = await maventech.client.get(f"/v1/accounts?{filter_}&include=total&limit=1")
        assert answer.json()["total"] == count, answer.text
