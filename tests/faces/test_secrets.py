"""What a caller or an operator keeps secret is in no log, no error, no counter and no row."""

from __future__ import annotations

import base64
import hashlib
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from app.ground import logs
from app.ground.access.gate import Gate
from app.ground.access.keys import make_key
from app.ground.database.session import Database
from app.ground.database.tables import metadata
from app.ground.errors import Unauthorized
from app.ground.settings import Settings
from app.main import Service, create_app
from tests.conftest import Company

CANARY = "canary-7e57ab1e"


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Everything that is logged meanwhile, at the most talkative level, as a deployment writes it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    logs.configure("DEBUG", "json")
    text = ""

    def read() -> str:
        nonlocal text
        text += capsys.readouterr().err
        return text

    yield read
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def app(settings: Settings, database: Database) -> Service:
    return create_app(settings, database)


@pytest_asyncio.fixture
async def client(app: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://attain") as opened:
        yield opened


async def test_a_hundred_keys_leave_no_trace(
    client: httpx.AsyncClient, tenant: Company, logged: Callable[[], str]
) -> None:
    admin = {"authorization": f"Bearer {await tenant.key()}"}
    keys = []
    for n in range(100):
        body = {"name": f"key {n}", "role": "analyst"}
        made = await client.post("/v1/api_keys", json=body, headers=admin | {"Idempotency-Key": f"k{n}"})
        keys.append(made.json()["key"])
    for n, key in enumerate(keys):
        basic = base64.b64encode(f"key:{key}".encode()).decode()
        sent = {"authorization": f"Basic {basic}" if n % 2 else f"Bearer {key}"}
        assert (await client.get("/v1/me", headers=sent)).status_code == 200
        if n % 10 == 0:
            # Where a key does not belong.
            await client.get(f"/v1/accounts/{key}", headers=sent)
            await client.get("/v1/accounts", params={"name": key, "key": key}, headers=sent)
            await client.post("/graphql", json={"query": f'{{ me(key: "{key}") {{ role }} }}'}, headers=sent)
            await client.get("/v1/me", headers={"authorization": f"Bearer {key}x", "cookie": key})
    kept = await dump(tenant) + logged() + (await client.get("/metrics")).text
    assert kept.count("key 99") >= 1
    for key in keys:
        secret = key.split("_", 2)[2]
        for trace in (secret, secret[:20], secret[-20:], base64.b64encode(key.encode()).decode()[:60]):
            assert trace not in kept
        assert hashlib.sha256(key.encode()).hexdigest() in kept


async def dump(tenant: Company) -> str:
    """Every row of the tenant, as text, and every stored answer."""
    parts = []
    async with tenant.database.transaction(tenant.id) as session:
        for table in metadata.sorted_tables:
            name = f"{table.schema}.{table.name}" if table.schema else table.name
            with suppress(asyncpg.InsufficientPrivilegeError):
                await session.connection.execute("savepoint one")
                rows = await session.connection.fetch(f"select t::text as row from {name} t")
                parts += [row["row"] for row in rows]
        answers = await session.connection.fetch(
            "select convert_from(body, 'utf8') as body from idempotency_keys where tenant_id = $1", tenant.id
        )
    return "\n".join([*parts, *(row["body"] for row in answers)])


async def test_a_look_up_takes_no_longer_for_a_better_guess(
    settings: Settings, database: Database, tenant: Company
) -> None:
    gate = Gate(database, settings.model_copy(update={"wrong_keys_per_minute": 100_000}))
    key = await tenant.key()
    seconds: dict[str, list[float]] = {"near": [], "far": []}
    for n in range(150):
        near = key[:-1] + ("A" if key[-1] != "A" else "B")
        for name, guess in (("near", near), ("far", make_key(tenant.id)))[:: 1 if n % 2 else -1]:
            began = time.perf_counter()
            with pytest.raises(Unauthorized):
                await gate.authenticate(f"Bearer {guess}", None)
            seconds[name].append(time.perf_counter() - began)
    near, far = (statistics.median(seconds[name]) for name in ("near", "far"))
    assert abs(near - far) < max(0.001, 0.2 * far)


async def test_a_revoked_key_ends_on_every_process(
    settings: Settings, database: Database, tenant: Company
) -> None:
    assert Settings.model_fields["principal_cache_seconds"].default <= 5
    short = settings.model_copy(update={"principal_cache_seconds": 1})
    one, two = create_app(short, database), create_app(short, database)
    key = await tenant.key()
    own = {"authorization": f"Bearer {key}"}
    admin = {"authorization": f"Bearer {await tenant.key()}"}
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(one), base_url="http://attain") as first,
        httpx.AsyncClient(transport=httpx.ASGITransport(two), base_url="http://attain") as second,
    ):
        for each in (first, second):
            assert (await each.get("/v1/me", headers=own)).status_code == 200
        listed = (await first.get("/v1/api_keys", headers=admin)).json()["data"]
        [known] = [x["id"] for x in listed if x["prefix"].endswith(key[39:46])]
        assert (await first.post(f"/v1/api_keys/{known}:revoke", headers=admin)).status_code == 200
        assert (await first.get("/v1/me", headers=own)).status_code == 401
        revoked = time.monotonic()
        while (await second.get("/v1/me", headers=own)).status_code == 200:
            assert time.monotonic() - revoked < 5
        assert (await second.get("/v1/me", headers=own)).status_code == 401


HEADERS = {
    name: f"{CANARY}-{name}"
    for name in (
        "cookie",
        "x-forwarded-for",
        "user-agent",
        "referer",
        "if-match",
        "traceparent",
        "x-anything",
    )
}


def places() -> dict[str, tuple[str, Any]]:
    """Where a fault is planted, and with what."""

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"{CANARY} at postgresql://attain:{CANARY}@db/x")

    def driver(*_: Any, **__: Any) -> Any:
        raise asyncpg.PostgresError(f'syntax error at or near "{CANARY}"')

    def nested(*_: Any, **__: Any) -> Any:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            raise KeyError(CANARY) from error

    return {
        "authentication": ("app.ground.access.gate.Gate.authenticate", broken),
        "admission": ("app.ground.access.gate.Gate.enter", broken),
        "permission": ("app.faces.rest.router.demand", nested),
        "a connection": ("app.ground.database.session.Database.connection", broken),
        "a statement": ("app.ground.database.session._Alone.fetch", driver),
        "a write": ("app.ground.access.idempotency.claim", broken),
        "the language": ("app.language.resources.read.page", nested),
        "parsing": ("app.faces.rest.bodies.parse", broken),
        "shape": ("app.faces.rest.lists.shape_of", broken),
    }


@pytest.mark.parametrize("place", places())
async def test_a_fault_at_any_layer_tells_nothing(
    client: httpx.AsyncClient,
    tenant: Company,
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    own = HEADERS | {"authorization": f"Bearer {await tenant.key()}"}
    target, fault = places()[place]
    monkeypatch.setattr(target, fault)
    answers = [
        await client.get(f"/v1/accounts?name={CANARY}", headers=own),
        await client.get(f"/v1/accounts/crm:{CANARY}", headers=own),
        await client.get("/v1/accounts", headers=own | {"accept": "text/csv"}),
        await client.post(
            "/v1/accounts",
            json={"name": CANARY, "industry": CANARY},
            headers=own | {"idempotency-key": CANARY},
        ),
        await client.post(
            "/graphql",
            json={"query": "{ accounts { nodes { name } } }", "variables": {"x": CANARY}},
            headers=own,
        ),
    ]
    failed = [x for x in answers if x.status_code == 500 or '"status":500' in x.text]
    assert failed, [x.status_code for x in answers]
    monkeypatch.undo()
    counters = (await client.get("/metrics")).text
    for answer in failed:
        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)
        assert "Traceback" not in answer.text
    assert CANARY not in counters
    assert "unhandled_error" in logged()
    assert CANARY not in logged()


async def test_what_is_refused_is_not_logged_either(
    client: httpx.AsyncClient, tenant: Company, logged: Callable[[], str]
) -> None:
    own = HEADERS | {"authorization": f"Bearer {await tenant.key()}"}
    asked = [
        client.get(f"/{CANARY}/{CANARY}?{CANARY}={CANARY}", headers=own),
        client.request(CANARY.upper(), f"/v1/accounts/{CANARY}", headers=own),
        client.get("/v1/me", headers={"authorization": f"Bearer {CANARY}"}),
        client.get("/v1/me", headers={"authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}"}),
        client.get("/v1/accounts", params={f"{CANARY}[gte]": CANARY}, headers=own),
        client.post("/v1/accounts", json={CANARY: CANARY, "name": {CANARY: [CANARY]}}, headers=own),
        client.post("/v1/accounts", content=f'{{"{CANARY}": '.encode(), headers=own),
        client.post("/v1/accounts:upsert", json={"source": CANARY, "rows": [{CANARY: 1}]}, headers=own),
        client.post(
            "/graphql", json={"query": f'{{ {CANARY.replace("-", "_")}(x: "{CANARY}") }}'}, headers=own
        ),
        client.get("/v1/metrics/query", params={"metric": CANARY, "timezone": CANARY}, headers=own),
    ]
    for each in asked:
        answer = await each
        assert 400 <= answer.status_code < 500 or "errors" in answer.json()
        assert not [name for name in HEADERS if f"{CANARY}-{name}" in answer.text + str(answer.headers)]
    assert CANARY.lower() not in logged().lower()
    assert CANARY.lower() not in (await client.get("/metrics")).text.lower()


async def test_a_write_that_the_database_refuses_tells_nothing(
    client: httpx.AsyncClient, tenant: Company, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"authorization": f"Bearer {await tenant.key()}"}

    async def failing(*_: Any, **__: Any) -> None:
        raise asyncpg.InternalServerError(CANARY)

    monkeypatch.setattr("app.ground.database.script.finish", failing)
    answer = await client.post("/v1/accounts", json={"name": "x"}, headers=own)
    assert answer.status_code == 500
    assert CANARY not in answer.text + logged()


@pytest.mark.parametrize(
    "url",
    [f"postgresql://attain:{CANARY}@127.0.0.1:1/attain", f"postgresql://attain:{CANARY}@127.0.0.1:x/attain"],
)
def test_a_password_that_does_not_lead_in_is_not_told(url: str, settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0"],
        env={"ATTAIN_DATABASE_URL": url, "ATTAIN_DATA_DIR": str(settings.data_dir), "PATH": ""},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert CANARY not in done.stdout + done.stderr
