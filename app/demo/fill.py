"""`attain demo`: a tenant called "Demo", filled at most once, and the key to it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from app.areas import CATALOGUE, found
from app.demo import table
from app.demo.generate import generate
from app.demo.load import load
from app.demo.pay import settle
from app.ground.access.keys import authenticate, create_key
from app.ground.access.principal import Principal, Tenant
from app.ground.access.tenants import create_tenant, find_tenant
from app.ground.database.locate import Location
from app.ground.database.session import Database, connect
from app.ground.errors import Unauthorized
from app.ground.settings import Settings

TENANT = "Demo"

_LOCK = 4_116_229_302
_FIND = "select id, settings ->> 'demo' = 'full' as full from control.tenants where settings ? 'demo' limit 1"
_MARK = "update control.tenants set settings = settings || jsonb_build_object('demo', $2::text) where id = $1"
"""`filling`, then `full`. A tenant is the demo's by this mark and not by its name, which anybody may give to theirs."""


def fill(settings: Settings, location: Location, say: Console) -> None:
    """Fill the tenant where it is not full yet, and say how to reach it.

    Filling that was interrupted is taken up again: what is there already stays as it is.
    """
    path = settings.data_dir / "demo.key"
    kept = path.read_text().strip() if path.exists() else None
    key = asyncio.run(_fill(location, say, path, kept))
    shown = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::") else settings.host  # noqa: S104
    url = f"http://{shown}:{settings.port}"
    say.print(f"\nAPI key of the demo tenant [dim](kept in {path})[/dim]\n  [bold]{key}[/bold]")
    say.print(
        "\nA first question, once it serves:\n"
        f'  curl -H "Authorization: Bearer $(cat {path})" "{url}/v1/metrics/query?metric=bookings&period=2026&by=rep"\n'
    )


async def _fill(location: Location, say: Console, path: Path, kept: str | None) -> str:
    owner = await connect(location.owner_url)
    database = await Database.open(location.app_url, role=location.role, size=4, pool_timeout=30)
    try:
        # Two that fill at once take turns, and the second finds nothing to do.
        await owner.execute("select pg_advisory_lock($1)", _LOCK)
        tenant, full = await _tenant(owner)
        principal = Principal(tenant, "admin", name="Demo data")
        if not full:
            await _load(database, principal, say)
            await owner.execute(_analyse())
            await _settle(database, principal, say)
            await owner.execute(_MARK, tenant.id, "full")
        key = await _key(database, tenant, kept)
        if key != kept:
            _keep(key, path)
        await table.show(database, principal, say)
        return key
    finally:
        await database.close()
        await owner.close()


async def _load(database: Database, principal: Principal, say: Console) -> None:
    columns = (TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    say.print("Filling the demo tenant: two fiscal years of a company with 40 reps.")
    with Progress(*columns, console=say) as bars:
        working = bars.add_task("generating", total=None)
        demo = await asyncio.to_thread(generate)
        bars.update(working, total=demo.size, completed=demo.size)
        tasks = {plural: bars.add_task(plural, total=len(demo[plural])) for plural in dict(demo.steps)}
        await load(database, principal, demo, lambda plural, done: bars.advance(tasks[plural], len(done)))


async def _settle(database: Database, principal: Principal, say: Console) -> None:
    with say.status("Paying quarter by quarter"):
        await settle(database, principal)


def _analyse() -> str:
    """Let the planner see at once what it would see a minute later: the first questions come now."""
    kept = [part for noun in CATALOGUE for part in (noun, *noun.children)]
    tables = [table.name for part in kept for table in (part.table, part.history) if table is not None]
    return f"analyze {', '.join(tables)}"


async def _tenant(owner: asyncpg.Connection) -> tuple[Tenant, bool]:
    if known := await owner.fetchrow(_FIND):
        return await find_tenant(owner, str(known["id"])), known["full"]
    async with owner.transaction():
        tenant = await create_tenant(owner, name=TENANT, timezone="UTC", home_currency="USD", seed=found)
        await owner.execute(_MARK, tenant.id, "filling")
    return tenant, False


async def _key(database: Database, tenant: Tenant, kept: str | None) -> str:
    """The key that was kept where it still opens this tenant, else a new one."""
    if kept:
        try:
            if (await authenticate(database, kept)).tenant_id == tenant.id:
                return kept
        except Unauthorized:
            pass  # a key of another database, or revoked
    async with database.transaction(tenant.id) as session:
        _, key = await create_key(session, name="demo", role="admin")
    return key


def _keep(key: str, path: Path) -> None:
    """In a new file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{key}\n")
