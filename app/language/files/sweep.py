"""What nobody needs any more: kept answers, files, old operations. One job for each tenant, again and again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from app.ground.database.session import Database
from app.ground.jobs.queue import Job, enqueue
from app.ground.settings import Settings
from app.language.files import operations
from app.language.files.models import FINAL

KIND = "sweep"
EVERY = timedelta(minutes=30)
_STUCK = timedelta(minutes=5)
_MOST = 5_000
"""Rows taken away by one statement, so that none runs long."""

_OLD = (
    "delete from {table} where tenant_id = $1 and ctid = any(array("
    "select ctid from {table} where tenant_id = $1 and {condition} limit {most}))"
)
_OPERATION_IS_GONE = "not exists (select from operations o where o.tenant_id = $1 and o.id = operation_id)"


async def run(database: Database, tenant_id: UUID, settings: Settings) -> None:
    hours = timedelta(hours=settings.idempotency_key_hours)
    await _delete(database, tenant_id, "idempotency_keys", "created_at < now() - $2::interval", hours)
    await _expire(database, tenant_id, timedelta(hours=settings.file_hours))
    days = timedelta(days=settings.operation_days)
    old = f"state in ({', '.join(map(repr, FINAL))}) and finished_at < now() - $2::interval"
    await _delete(database, tenant_id, "operations", old, days)
    for table in ("operation_errors", "import_chunks", "import_blocks", "export_blocks"):
        await _delete(database, tenant_id, table, _OPERATION_IS_GONE)
    await _revive(database, tenant_id)
    async with database.transaction(tenant_id) as session:
        await session.connection.execute(
            "delete from jobs.pgqueuer_log where id = any(array(select id from jobs.pgqueuer_log"
            " where created < now() - interval '1 day' limit 5000))"
        )


async def _delete(
    database: Database, tenant_id: UUID, table: str, condition: str, *values: timedelta
) -> None:
    statement = _OLD.format(table=table, condition=condition, most=_MOST)
    while True:
        async with database.transaction(tenant_id) as session:
            done = await session.connection.execute(statement, tenant_id, *values)
        if int(done.split()[-1]) < _MOST:
            return


async def _expire(database: Database, tenant_id: UUID, age: timedelta) -> None:
    """An upload that nobody finished is cancelled; the file of an export goes, its operation says so."""
    async with database.transaction(tenant_id) as session:
        forgotten = await session.connection.fetch(
            "select id from operations where tenant_id = $1 and state = 'pending' and bytes_total is null"
            " and kind = 'import' and updated_at < now() - $2::interval for update skip locked",
            tenant_id, age,
        )  # fmt: skip
        for row in forgotten:
            await operations.finish(session, row["id"], "cancelled")
        expired = await session.connection.fetch(
            "update operations set result = result || '{\"expired\": true}', version = version + 1,"
            " updated_at = clock_timestamp() where tenant_id = $1 and kind = 'export' and state = 'succeeded'"
            " and finished_at < now() - $2::interval and not result ? 'expired' returning id",
            tenant_id, age,
        )  # fmt: skip
        for row in expired:
            await session.connection.execute(
                "delete from export_blocks where tenant_id = $1 and operation_id = $2", tenant_id, row["id"]
            )


async def _revive(database: Database, tenant_id: UUID) -> None:
    """An operation that stands still although its work is due has lost its job: give it another."""
    async with database.transaction(tenant_id) as session:
        for row in await session.connection.fetch(
            "select id, kind from operations where tenant_id = $1 and (state = 'running' or state = 'pending' and"
            " (kind = 'export' or bytes_total is not null)) and updated_at < now() - $2::interval",
            tenant_id, _STUCK,
        ):  # fmt: skip
            once = f"{row['kind']}:{row['id']}"
            await enqueue(session.connection, row["kind"], Job(tenant_id, str(row["id"])), once=once)
