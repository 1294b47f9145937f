"""What every resolver finds in its context: who asks, and where to read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from app.faces.graphql.errors import BadQuery
from app.ground.access.keys import PrincipalCache
from app.ground.access.principal import Principal
from app.ground.database.retry import in_transaction
from app.ground.database.session import Database, Session
from app.ground.settings import Settings
from app.language.resources.resource import Resource

T = TypeVar("T")

COUNT_COST = 100
"""What is charged for a number: it reads many rows to tell one."""

AT_ONCE = 4
"""Root fields of one request that may hold a connection at the same time; the pool is everybody's."""


@dataclass(slots=True)
class Ask:
    """One request."""

    principal: Principal
    database: Database
    settings: Settings
    request_id: str | None = None
    principals: PrincipalCache | None = None
    cost: int = 0
    """Rows that the selections of this request may reach, nested lists multiplied."""

    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def charge(self, rows: int) -> None:
        self.cost += rows

    def demand_affordable(self) -> None:
        most = self.settings.graphql_max_cost
        if self.cost > most:
            raise BadQuery(
                f"The selections may reach {self.cost:,} rows; at most {most:,} may be. Ask for a smaller `first`.",
                code="too_costly",
                extra={"cost": self.cost},
            )

    async def read(self, work: Callable[[Session], Awaitable[T]], *, isolation: str = "") -> T:
        """On a connection of this root field's own, since root fields run at the same time: each statement by
        itself, or all of them in one transaction where an isolation is asked for."""
        database, tenant = self.database, self.principal.tenant_id
        async with (
            self.gate,
            database.transaction(
                tenant, isolation=isolation, timeout_ms=self.settings.metric_statement_timeout_ms
            )
            if isolation
            else database.reading(tenant) as session,
        ):
            return await work(session)

    def hear(self, resource: Resource) -> None:
        """Once a change is committed that decides what is known of callers."""
        if resource.heard_at_once and self.principals is not None:
            self.principals.expire(self.principal.tenant_id)

    async def write(self, work: Callable[[Session], Awaitable[T]], *, bulk: bool = False) -> T:
        """One transaction per mutation field, committed before the field has its value."""
        timeout = self.settings.bulk_statement_timeout_ms if bulk else None
        return await in_transaction(self.database, self.principal.tenant_id, work, timeout_ms=timeout)
