"""Numbers of one moment: in one message where one is enough, else in a transaction that sees one state.

How long it takes to add up, and whether prices must be sorted for a median, shows only when it is done. So a question
that looks nothing up beforehand is presumed to be a single statement within the time of any other; where that was wrong
it is asked again, and the next one like it begins with the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from app.ground.access.principal import Principal
from app.ground.database.session import Database, Twice
from app.language.metrics.answer import Answer, queries
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.nouns import Nouns
from app.language.metrics.plan import asks_ahead
from app.language.metrics.question import MetricQuery

SNAPSHOT = "repeatable read read only"
"""The isolation under which every statement of a transaction sees the same state."""


async def answers(
    database: Database,
    principal: Principal,
    nouns: Nouns,
    metrics: MetricCatalogue,
    questions: Sequence[MetricQuery],
    *,
    timeout_ms: int,
    now: datetime | None = None,
) -> list[Answer]:
    """`timeout_ms` is for each statement."""
    tenant = principal.tenant_id
    like = (tenant, *(metric.name for question in questions for metric in question.metrics))
    if like not in metrics.several and not any(map(asks_ahead, questions)):
        try:
            async with database.once(tenant) as session:
                return await queries(session, principal, nouns, metrics, questions, now=now)
        except (Twice, asyncpg.QueryCanceledError):
            metrics.note_several(like)
    async with database.transaction(tenant, isolation=SNAPSHOT, timeout_ms=timeout_ms) as session:
        return await queries(session, principal, nouns, metrics, questions, now=now)
