"""Doing what is due: in a process of its own (`attain worker`), or beside the service in its process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.ground.database.locate import Location
from app.ground.database.session import Database
from app.ground.jobs.worker import AT_ONCE, Worker
from app.ground.settings import Settings
from app.language.files.work import handlers


@asynccontextmanager
async def working(settings: Settings, location: Location) -> AsyncIterator[asyncio.Event]:
    """What is due is done while the block runs, on connections of its own. Setting the event ends it early."""
    database = await Database.open(
        location.app_url,
        role=location.role,
        # A job reads and writes at once.
        size=2 * AT_ONCE,
        pool_timeout=30,
        statement_timeout_ms=settings.bulk_statement_timeout_ms,
    )
    stop = asyncio.Event()
    worker = Worker(
        location.app_url,
        location.role,
        handlers(database, CATALOGUE, METRIC_CATALOGUE, settings),
        timedelta(seconds=settings.job_heartbeat_seconds),
    )
    task = asyncio.create_task(worker.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await task
        await database.close()


async def work(settings: Settings, location: Location) -> None:
    """Until told to stop."""
    loop = asyncio.get_running_loop()
    async with working(settings, location) as stop:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
