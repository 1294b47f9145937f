"""Bring a database to the shape that this code expects. Runs as the owner, never as the service's role."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.ground.database.address import normalised
from app.ground.database.embedded import APP
from app.ground.errors import Unavailable

MIGRATIONS = Path(__file__).resolve().parents[3] / "migrations"
"""Beside `app/`, in a clone as in the image."""

_LOCK = 4_116_229_301


def configuration(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["url"] = normalised(url)
    return config


def upgrade(url: str) -> bool:
    """Make the service's role where it is missing and run what is outstanding. True when something was run.

    Two services that start at once take turns; the second finds nothing to do. Blocks, and runs its own event loop:
    call it from a thread where one runs already.
    """
    return asyncio.run(_upgrade(normalised(url)))


async def is_current(url: str) -> bool:
    connection = await asyncpg.connect(normalised(url), timeout=10)
    try:
        return await _revision(connection) == _head()
    finally:
        await connection.close()


def compare(url: str) -> None:
    """Raises alembic's CommandError where the models are not what the migrations make."""
    command.check(configuration(url))


def write_revision(url: str, title: str) -> None:
    """Write the next migration from the models. Numbered, so that two branches that both add one collide visibly."""
    config = configuration(url)
    number = 1 + len(list(ScriptDirectory.from_config(config).walk_revisions()))
    command.revision(config, title, autogenerate=True, rev_id=f"{number:04d}")


async def _upgrade(url: str) -> bool:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        if await _revision(connection) == _head():
            return False
        await ensure_app_role(connection)
        # Alembic's environment runs a loop of its own.
        await asyncio.to_thread(command.upgrade, configuration(url), "head")
        return True
    finally:
        await connection.close()


async def ensure_app_role(connection: asyncpg.Connection) -> None:
    """Make the service's role where it is missing, and let the owner become it.

    Where the role can log in by itself, as on the embedded server, the owner need not become it. Without the right to
    do either, say what the database's administrator has to run.
    """
    me = await connection.fetchval("select current_user")
    if me == APP:
        raise Unavailable(f"{APP} must not own the tables: migrate as another role.", code="wrong_role")
    if await connection.fetchval("select pg_has_role(oid, 'set') from pg_roles where rolname = $1", APP):
        return
    try:
        async with connection.transaction():
            if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", APP):
                await connection.execute(
                    f"create role {APP} nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
                )
            await connection.execute(f'grant {APP} to "{me}" with inherit false, set true')
    except asyncpg.InsufficientPrivilegeError as error:
        if await connection.fetchval("select rolcanlogin from pg_roles where rolname = $1", APP):
            return
        raise Unavailable(
            f"An administrator of the database has to run once: create role {APP} nologin; "
            f'grant {APP} to "{me}" with inherit false, set true;',
            code="missing_role",
        ) from error


async def _revision(connection: asyncpg.Connection) -> str | None:
    if await connection.fetchval("select to_regclass('public.alembic_version')") is None:
        return None
    return await connection.fetchval("select version_num from public.alembic_version")


def _head() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
