"""What is due: a job is put into the queue by the transaction that makes it necessary, and runs after its commit.

The port to pgqueuer, which keeps its tables in the schema `jobs`. A job is a kind, a tenant and a subject (an id): what
there is to do stands in the tenant's own tables, under their policy, so that the queue, which has none, tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import (
    QueryBuilderEnvironment,
    QueryQueueBuilder,
    QuerySchedulerBuilder,
)
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.settings import DBSettings

SETTINGS = DBSettings(db_schema="jobs")


@dataclass(frozen=True, slots=True)
class Job:
    tenant_id: UUID
    subject: str

    def encoded(self) -> bytes:
        return orjson.dumps({"tenant": self.tenant_id.hex, "subject": self.subject})

    @classmethod
    def decoded(cls, payload: bytes | None) -> Job:
        found = orjson.loads(payload or b"")
        return cls(UUID(hex=found["tenant"]), found["subject"])


def queries(driver: AsyncpgDriver) -> Queries:
    return Queries(
        driver,
        QueryBuilderEnvironment(SETTINGS),
        QueryQueueBuilder(SETTINGS),
        QuerySchedulerBuilder(SETTINGS),
    )


class _Enlisted(AsyncpgDriver):
    """The caller's connection. Its codec for jsonb would write the headers, which we have none of, as a JSON text."""

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        *others, headers = args
        assert isinstance(headers, list)
        return await super().fetch(query, *others, [None] * len(headers))


async def enqueue(
    connection: Any, kind: str, job: Job, *, delay: timedelta | None = None, once: str | None = None
) -> None:
    """`once` names a job of which one at a time may wait or run; another one is left out."""
    assert isinstance(connection, asyncpg.Connection) or hasattr(connection, "is_in_transaction")
    # The driver begins its own transactions late: outside of one the job would stand before its cause does.
    assert connection.is_in_transaction(), "a job belongs to the transaction that makes it necessary"
    await queries(_Enlisted(connection)).enqueue(
        kind, job.encoded(), execute_after=delay, dedupe_key=once, on_conflict="skip"
    )
