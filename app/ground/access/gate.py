"""The one way in: who is it, and may there be one more. Both faces ask here, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from app.ground.access.admission import Admission, Allowance
from app.ground.access.credential import credential
from app.ground.access.door import Door
from app.ground.access.keys import PrincipalCache, authenticate
from app.ground.access.principal import Principal
from app.ground.access.tokens import Tokens, is_token
from app.ground.database.fair_queue import FairQueue, Full
from app.ground.database.session import Database
from app.ground.errors import Unavailable
from app.ground.settings import Settings

_MOST_REMEMBERED = 10_000
_BULK_SECONDS = 30.0
"""A synchronisation rather waits than comes again."""


class Gate:
    """`enter` and `leave` come in pairs, around everything that a request does."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self._tenants: dict[bytes, UUID] = {}
        self.principals = PrincipalCache(settings.principal_cache_seconds)
        self.admission = Admission(
            quota=settings.rate_limit,
            window=settings.rate_window_seconds,
            each_at_once=settings.tenant_requests_at_once,
            at_once=settings.requests_at_once,
            connections=database.queue,
        )
        issuers = settings.oidc_issuers
        self.tokens = (
            Tokens(database, issuers, self.principals, allow_loopback=settings.oidc_allow_loopback)
            if issuers
            else None
        )
        # Before its body is read: so much of a bulk request is in memory that few may be there at once.
        self.bulk = FairQueue(
            settings.bulk_at_once,
            most_each=max(1, settings.bulk_at_once // 2),
            waiting_each=settings.tenant_requests_at_once,
            seconds=_BULK_SECONDS,
        )
        self.door = Door(
            places=max(1, database.queue.size // 5),
            failures=settings.wrong_keys_per_minute,
            seconds=settings.pool_timeout_seconds,
        )

    async def authenticate(self, header: str | None, address: str | None) -> Principal:
        """`header` is Authorization, `address` the client's."""
        given = credential(header)
        if self.tokens is not None and is_token(given):
            principal = await self.tokens.authenticate(given)
        else:
            principal = await authenticate(self.database, given, self.principals, self.door, address)
        if header is not None and (sent := header.encode("latin-1")) not in self._tenants:
            if len(self._tenants) >= _MOST_REMEMBERED:
                self._tenants.clear()
            self._tenants[sent] = principal.tenant_id
        return principal

    def surplus(self, header: bytes) -> Allowance | None:
        """What is known at once of a caller who came before: that there is no room for another of its requests.

        It only ever refuses, so that it does no harm to remember a credential that has ended since.
        """
        tenant_id = self._tenants.get(header)
        return None if tenant_id is None else self.admission.surplus(tenant_id)

    def enter(self, principal: Principal) -> Allowance:
        return self.admission.enter(principal.tenant)

    def leave(self, allowance: Allowance) -> None:
        self.admission.leave(allowance)

    @asynccontextmanager
    async def bulk_place(self, principal: Principal) -> AsyncIterator[None]:
        try:
            lane = await self.bulk.enter(principal.tenant_id)
        except Full:
            raise Unavailable("Too many bulk requests are being taken in.", code="overloaded") from None
        try:
            yield
        finally:
            self.bulk.leave(lane)
