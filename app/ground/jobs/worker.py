"""Doing what is due, beside others who do the same.

A job runs at least once: a worker that dies leaves its job to the others as soon as its heartbeat is old. So a handler
keeps its own place in its tenant's tables and goes on from there. What is told to pgqueuer about a job is only whether
to keep it; what became of the work is told by its operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job as Queued
from pgqueuer.domain.types import Channel

from app.ground.jobs.queue import SETTINGS, Job, queries

AT_ONCE = 4
"""Jobs that one process runs beside each other."""

_log = structlog.get_logger(__name__)


class Again(Exception):
    """Raised by a handler that is not done: the same job once more, after `delay`."""

    def __init__(self, delay: timedelta) -> None:
        super().__init__()
        self.delay = delay


Handler = Callable[[Job], Awaitable[None]]


@dataclass(slots=True)
class Worker:
    """`heartbeat` is how long a job may stand still before others take it for left behind."""

    url: str
    role: str | None
    handlers: Mapping[str, Handler]
    heartbeat: timedelta = timedelta(seconds=10)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A database that goes away is waited for; jobs under way are then given back."""
        told = False
        while not stop.is_set():
            try:
                await self._with_connection(stop)
                told = False
            except (
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ) as error:
                if not told:
                    _log.warning("worker_lost_its_database", exc_info=error)
                told = True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1)

    async def _with_connection(self, stop: asyncio.Event) -> None:
        settings = {"application_name": "attain worker", "TimeZone": "UTC", "search_path": "public"}
        if self.role:
            settings["role"] = self.role
        connection = await asyncpg.connect(self.url, server_settings=settings, timeout=10)
        try:
            manager = QueueManager(queries(AsyncpgDriver(connection)), Channel(SETTINGS.channel))
            for kind, handler in self.handlers.items():
                manager.entrypoint(kind)(self._kept(handler))
            # pgqueuer would find out at its next question, seconds later.
            connection.add_termination_listener(lambda _: manager.shutdown.set())
            ending = asyncio.create_task(self._end(manager, stop))
            try:
                await manager.run(
                    dequeue_timeout=self.heartbeat / 2,
                    batch_size=1,
                    max_concurrent_tasks=AT_ONCE,
                    heartbeat_timeout=self.heartbeat,
                    log_aggregation_interval=timedelta(0),
                    shutdown_on_listener_failure=True,
                )
            finally:
                ending.cancel()
                with suppress(asyncio.CancelledError):
                    await ending
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=5)

    async def _end(self, manager: QueueManager, stop: asyncio.Event) -> None:
        """Give back at once what runs: its transaction is rolled back, and another worker goes on from there."""
        await stop.wait()
        manager.shutdown.set()
        for task in self._running:
            task.cancel()

    def _kept(self, handler: Handler) -> Callable[[Queued], Awaitable[None]]:
        async def run(queued: Queued) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                await handler(Job.decoded(queued.payload))
            except Again as again:
                raise RetryRequested(again.delay) from None
            except asyncio.CancelledError:
                # Passed on, it would end the job for ever.
                raise RetryRequested from None
            finally:
                self._running.discard(task)

        return run
