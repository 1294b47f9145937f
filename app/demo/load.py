"""The demo's rows, brought in through the same write path that every caller takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from app.areas import CATALOGUE
from app.demo.company import SOURCE, Row
from app.demo.generate import Demo
from app.ground.access.principal import Principal
from app.ground.database.retry import in_transaction
from app.ground.database.session import Database, Session
from app.ground.errors import AttainError
from app.language.resources import write
from app.language.resources.batch import Receipt

CHUNK = 2_500
AT_ONCE = 2
"""Two chunks at a time: while PostgreSQL stores one, the next is checked and folded here."""

_TIMEOUT_MS = 120_000

_LIVE = frozenset({"opportunities"})
"""The company was paid for these by this service; for what a backfill tells, others have paid."""

Told = Callable[[str, list[Receipt]], None]


class DemoRefused(AttainError):
    status, code, title = 500, "demo_refused", "The demo rows were refused"


async def load(
    database: Database, principal: Principal, demo: Demo, told: Told = lambda _plural, _receipts: None
) -> None:
    """Rows that are there already are `unchanged`. One that is refused ends it: the numbers would be others then."""
    for plural, rows in demo.steps:
        queue = _chunks(rows)

        async def work(plural: str = plural, queue: Iterator[list[Row]] = queue) -> None:
            for chunk in queue:
                told(plural, await _store(database, principal, plural, chunk))

        await _all(*(asyncio.create_task(work()) for _ in range(AT_ONCE)))


async def _all(*tasks: asyncio.Task[None]) -> None:
    """As a task group, but with the first failure itself instead of a group of one."""
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _store(database: Database, principal: Principal, plural: str, rows: list[Row]) -> list[Receipt]:
    async def work(session: Session) -> list[Receipt]:
        origin = "live" if plural in _LIVE else "backfill"
        receipts = await write.upsert(
            session, principal, CATALOGUE, CATALOGUE[plural], SOURCE, rows, origin=origin
        )
        refused = [receipt for receipt in receipts if receipt.outcome == "failed"]
        if refused:
            faults = [error for receipt in refused for error in receipt.errors]
            first = f"{refused[0].external_id}{faults[0].pointer if faults else ''}"
            raise DemoRefused(
                f"{len(refused)} {plural} were refused, the first at {first}.", errors=faults[:20]
            )
        return receipts

    return await in_transaction(database, principal.tenant_id, work, timeout_ms=_TIMEOUT_MS)


def _chunks(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]
