"""The jobs of files, as a worker runs them: what ends an operation, and what is only tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import structlog

from app.ground.database.refusals import translated
from app.ground.database.session import Database
from app.ground.errors import AttainError, Unavailable
from app.ground.jobs.queue import Job
from app.ground.jobs.worker import Again, Handler
from app.ground.settings import Settings
from app.language.files import exports, imports, operations, sweep
from app.language.files.models import FINAL
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Catalogue

_SOON = timedelta(seconds=2)
_log = structlog.get_logger(__name__)


def handlers(
    database: Database, catalogue: Catalogue, metrics: MetricCatalogue, settings: Settings
) -> dict[str, Handler]:
    timeout = settings.bulk_statement_timeout_ms

    async def merged(job: Job) -> None:
        await imports.run(database, catalogue, job.tenant_id, UUID(job.subject), timeout_ms=timeout)

    async def written(job: Job) -> None:
        await exports.run(database, catalogue, metrics, job.tenant_id, UUID(job.subject), timeout_ms=timeout)

    async def swept(job: Job) -> None:
        await sweep.run(database, job.tenant_id, settings)

    return {
        imports.KIND: _ended(database, merged),
        exports.KIND: _ended(database, written),
        sweep.KIND: _repeated(swept),
    }


def _ended(database: Database, work: Callable[[Job], Awaitable[None]]) -> Handler:
    async def run(job: Job) -> None:
        try:
            await work(job)
        except Again:
            raise
        except Exception as error:
            refusal = _refusal(error)
            if isinstance(refusal, Unavailable) and refusal.code != "statement_timeout":
                raise Again(_SOON) from None
            try:
                await _fail(database, job, refusal)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, Unavailable):
                raise Again(_SOON) from None

    return run


def _refusal(error: Exception) -> AttainError:
    if isinstance(error, AttainError):
        return error
    known = translated(error)
    if isinstance(known, Unavailable):
        return known
    _log.error("unhandled_error", exc_info=error)
    return AttainError("The fault is ours; the operation's id finds it in the logs.")


async def _fail(database: Database, job: Job, refusal: AttainError) -> None:
    async with database.transaction(job.tenant_id) as session:
        row = await operations.locked(session, UUID(job.subject))
        if row is not None and row["state"] not in FINAL:
            await operations.finish(session, row["id"], "failed", problem=refusal)


def _repeated(work: Callable[[Job], Awaitable[None]]) -> Handler:
    async def run(job: Job) -> None:
        try:
            await work(job)
        except Exception as error:
            _log.warning("sweep_failed", exc_info=error)
        raise Again(sweep.EVERY)

    return run
