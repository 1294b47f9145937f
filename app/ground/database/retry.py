"""Writers that collide are run again, so that no deadlock or serialization failure reaches a caller.

PostgreSQL ends one of two writers that wait for each other. What it ended has left nothing behind, so the whole
transaction is simply done anew; the caller only waits a little longer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import asyncpg

from app.ground.database.script import Refused
from app.ground.database.session import Database, Session
from app.ground.errors import Unavailable

T = TypeVar("T")

ATTEMPTS = 5
COLLISIONS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
RACES = frozenset({"pk_idempotency_keys"})
"""Keys under which only a first writer's answer stands: whoever comes second finds it when it runs again."""


def collided(error: BaseException) -> bool:
    return isinstance(error, COLLISIONS) or getattr(error, "constraint_name", None) in RACES


async def in_transaction(
    database: Database,
    tenant_id: UUID,
    work: Callable[[Session], Awaitable[T]],
    *,
    timeout_ms: int | None = None,
    attempts: int = ATTEMPTS,
    opening: bool = False,
) -> T:
    """Run `work` in a transaction of its own and commit. `work` may run several times, so it keeps nothing outside.
    With `opening` the transaction begins where it is needed, and from the start where that was `script.Refused`; unless
    what was presumed was not so."""
    presuming = True
    for attempt in range(attempts):
        try:
            async with (
                database.opening(tenant_id, presuming=presuming)
                if opening
                else database.transaction(tenant_id, timeout_ms=timeout_ms)
            ) as session:
                return await work(session)
        except Refused as refused:
            opening, presuming = opening and refused.presumed, False
        except asyncpg.PostgresError as error:
            if not collided(error):
                raise
            # Apart by chance, so that the same two do not meet again in step.
            await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311
    raise Unavailable("Other writers hold the same records; try again.", code="write_contention")
