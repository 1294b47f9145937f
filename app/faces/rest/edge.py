"""Where a request becomes a transaction: opened here, committed here, before any byte of the answer is sent."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from app.faces.rest import bodies
from app.faces.rest.operation import Operation
from app.faces.rest.parameters import Parameters
from app.faces.rest.streams import Streams
from app.ground import crash
from app.ground.access import idempotency
from app.ground.access.gate import Gate
from app.ground.access.idempotency import Answer, Answered, Claim
from app.ground.access.principal import Principal
from app.ground.database.retry import in_transaction
from app.ground.database.session import Database, Session
from app.ground.errors import Invalid
from app.ground.settings import Settings
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Action, Catalogue, Inquiry, Resource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Edge:
    """What every request finds: the pool, the nouns, the numbers, the settings."""

    database: Database
    settings: Settings
    catalogue: Catalogue
    metrics: MetricCatalogue
    gate: Gate
    streams: Streams


@dataclass(frozen=True, slots=True)
class Written:
    """What a write answers; kept word for word under its Idempotency-Key."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    kept: bool = False
    """Whether the statement that wrote has kept the answer as well."""


@dataclass(slots=True)
class Call:
    """One authenticated request on its way through an operation. `reference` is what the path names."""

    edge: Edge
    request: Request
    operation: Operation
    principal: Principal
    reference: str
    parameters: Parameters

    @property
    def catalogue(self) -> Catalogue:
        return self.edge.catalogue

    @property
    def resource(self) -> Resource:
        assert self.operation.resource is not None
        return self.operation.resource

    @property
    def action(self) -> Action:
        assert self.operation.action is not None
        return self.operation.action

    @property
    def inquiry(self) -> Inquiry:
        assert self.operation.inquiry is not None
        return self.operation.inquiry

    async def read(self, work: Callable[[Session], Awaitable[T]], *, isolation: str = "") -> T:
        """Each statement by itself, or all of them in one transaction where an isolation is asked for: numbers do,
        and have a longer time for it."""
        database, tenant = self.edge.database, self.principal.tenant_id
        timeout = self.edge.settings.metric_statement_timeout_ms
        async with (
            database.transaction(tenant, isolation=isolation, timeout_ms=timeout)
            if isolation
            else database.reading(tenant)
        ) as session:
            return await work(session)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Session]:
        """A read that takes long and must not see the world change meanwhile."""
        async with self.edge.database.transaction(
            self.principal.tenant_id,
            isolation="repeatable read read only",
            timeout_ms=self.edge.settings.bulk_statement_timeout_ms,
        ) as session:
            yield session

    async def write(self, body: bytes, work: Callable[[Session], Awaitable[Written]]) -> Response:
        """Once per Idempotency-Key, the whole of it again after a deadlock, committed when it is answered."""
        return await self.write_once(body, lambda session, _: work(session))

    async def write_once(
        self,
        body: bytes,
        work: Callable[[Session, Claim | None], Awaitable[Written]],
        *,
        asks_itself: bool = False,
    ) -> Response:
        """As `write`, for work that keeps its answer itself where there is a claim. Some also asks for the key itself,
        along with what else it looks up; its transaction begins behind that."""
        key = self.request.headers.get("idempotency-key") if self.request.method == "POST" else None
        timeout = self.edge.settings.bulk_statement_timeout_ms if self.operation.bulk else None

        async def attempt(session: Session) -> Answer:
            claim: Claim | None = None
            try:
                if key is not None:
                    claim = idempotency.claim(self.principal, key, self._route, hashlib.sha256(body).digest())
                    if not asks_itself:
                        await idempotency.take(session, claim)
                written = await work(session, claim)
            except Answered as before:
                return before.answer
            if claim is not None:
                crash.point("after_effect")
                if not written.kept:
                    await claim.keep(session, written.status, written.headers, written.body)
                crash.point("before_commit")
            return Answer(written.status, written.headers, written.body)

        answer = await in_transaction(
            self.edge.database, self.principal.tenant_id, attempt, timeout_ms=timeout, opening=asks_itself
        )
        if self.operation.resource is not None and self.operation.resource.heard_at_once:
            self.edge.gate.principals.expire(self.principal.tenant_id)
        if key is not None:
            crash.point("after_commit")
        headers = dict(answer.headers)
        if answer.replayed:
            headers["Idempotency-Replayed"] = "true"
        response = Response(
            answer.body, answer.status, headers=headers, media_type=bodies.JSON if answer.body else None
        )
        if key is not None:
            crash.point("before_response")
        return response

    @property
    def _route(self) -> str:
        query = self.request.scope["query_string"].decode("latin-1")
        return f"{self.request.method} {self.request.scope['path']}" + (f"?{query}" if query else "")

    def if_version(self) -> int | None:
        """The version of `If-Match`; one that no record can have where the header holds something else."""
        sent = self.request.headers.get("if-match")
        if sent is None or sent.strip() == "*":
            return None
        if "," in sent:
            raise Invalid.field("?If-Match", "repeated", "Give one entity tag, as the record's ETag has it.")
        # A proxy that compresses weakens a tag; the version in it is the same.
        tag = sent.strip().removeprefix("W/").strip('"')
        return int(tag) if tag.isascii() and tag.isdecimal() and len(tag) < 10 else -1
