"""Alembic's environment: the owner's connection, the models of every area, and safe tables by default."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Literal

import asyncpg
from alembic import context
from alembic.autogenerate import renderers, rewriter
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.areas import metadata
from app.ground.database import locate
from app.ground.database.embedded import APP
from app.ground.events.models import XID8

SCHEMAS = (None, "control")

# Reading the catalogue back, SQLAlchemy has to know the one type that is not its own.
ischema_names["xid8"] = XID8


class SecureOp(ops.MigrateOperation):
    """What `secure(op, "table")` renders to; new tables of a tenant get it without anybody thinking of it."""

    def __init__(self, table: str, **options: Any) -> None:
        self.table = table
        self.options = options


@renderers.dispatch_for(SecureOp)
def _render_secure(autogen_context: AutogenContext, operation: SecureOp) -> str:
    autogen_context.imports.add("from app.ground.database.security import secure")
    more = "".join(f", {name}={value!r}" for name, value in operation.options.items())
    return f"secure(op, {operation.table!r}{more})"


class ReachOp(ops.MigrateOperation):
    """`unforce` before and `force` behind a foreign key that is added to a table which exists already."""

    def __init__(self, verb: str, tables: Iterable[str]) -> None:
        self.verb = verb
        self.tables = tuple(tables)


@renderers.dispatch_for(ReachOp)
def _render_reach(autogen_context: AutogenContext, operation: ReachOp) -> str:
    autogen_context.imports.add("from app.ground.database.security import force, unforce")
    return f"{operation.verb}(op, {', '.join(map(repr, operation.tables))})"


writer = rewriter.Rewriter()


@writer.rewrites(ops.CreateTableOp)
def _secure_new_tables(_: Any, __: Any, operation: ops.CreateTableOp) -> Any:
    if operation.schema == "control":
        return [
            ops.ExecuteSQLOp("create schema if not exists control"),
            ops.ExecuteSQLOp(f"grant usage on schema control to {APP}"),
            operation,
            SecureOp(operation.table_name, schema="control", **operation.info["secure"]),
        ]
    if not any(getattr(column, "name", None) == "tenant_id" for column in operation.columns):
        return operation
    privileges = operation.info.get("privileges")
    return [operation, SecureOp(operation.table_name, **({"privileges": privileges} if privileges else {}))]


@writer.rewrites(ops.CreateForeignKeyOp)
def _reach_all_rows(_: Any, __: Any, operation: ops.CreateForeignKeyOp) -> Any:
    tables = dict.fromkeys((operation.source_table, operation.referent_table))
    return [ReachOp("unforce", tables), operation, ReachOp("force", tables)]


def _include_name(name: str | None, kind: str, _: Any) -> bool:
    return kind != "schema" or name in SCHEMAS


def _render_item(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Types of our own are imported by their name."""
    module, name = type(item).__module__, type(item).__name__
    if kind != "type" or not module.startswith("app."):
        return False
    autogen_context.imports.add(f"from {module} import {name}")
    return f"{name}()"


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=_include_name,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        process_revision_directives=writer,
        render_item=_render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _main(url: str) -> None:
    # asyncpg reads the address itself, so every form that the service takes works here too.
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(
            url, server_settings={"search_path": "public", "TimeZone": "UTC"}
        ),
        poolclass=NullPool,
    )
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


url = context.config.attributes.get("url")
if url is not None:
    asyncio.run(_main(url))
else:
    with locate.database() as location:
        asyncio.run(_main(location.owner_url))
