"""`POST /graphql`: one JSON object in, one out. Everything else that GraphQL over HTTP may be is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.faces.graphql import errors, graphiql, sse, trusted
from app.faces.graphql.ask import Ask
from app.faces.graphql.documents import Documents
from app.faces.graphql.execute import Executor
from app.faces.graphql.limits import Limits
from app.faces.graphql.schema import schema
from app.faces.graphql.subscriptions import Draining, Streams, Who
from app.ground.access.gate import Gate
from app.ground.access.principal import Principal
from app.ground.database.session import Database
from app.ground.errors import BadRequest, Invalid, MethodNotAllowed, NotFound, TooLarge, UnsupportedMedia
from app.ground.settings import Settings
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Catalogue

JSON = b"application/json"
RESPONSE = b"application/graphql-response+json"
"""Whoever accepts this reads the status; the older type means 200 for every well-formed request."""

PATH = "/graphql"

Headers = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Route:
    """What logs and counters call every path of this face."""

    path: str


_ROUTE = _Route(PATH)


@dataclass(frozen=True, slots=True)
class Asked:
    query: str
    variables: dict[str, Any]
    operation: str | None


class GraphQL:
    """An ASGI application for `/graphql` and, where GraphiQL is on, for what lies below it."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        catalogue: Catalogue,
        metrics: MetricCatalogue,
        gate: Gate | None = None,
        draining: Draining = lambda: False,
    ) -> None:
        self.database = database
        self.settings = settings
        self.gate = gate or Gate(database, settings)
        rendered = schema(catalogue, metrics)
        self.documents = Documents(
            rendered.core, Limits.of(settings), introspection=settings.allow_introspection
        )
        self.executor = Executor(self.documents, rendered.members)
        self.streams = Streams(catalogue, self.executor, draining)
        self.trusted = trusted.Store(settings.graphql_trusted_documents)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = _ROUTE
        if self.settings.graphiql and scope["method"] in ("GET", "HEAD"):
            page = graphiql.shown(Request(scope))
            if page is not None:
                await page(scope, receive, send)
                return
        headers: Headers = dict(scope["headers"])
        form = RESPONSE if RESPONSE in headers.get(b"accept", b"") else JSON
        request_id = scope.get("state", {}).get("request_id")
        more: list[tuple[bytes, bytes]] = [(b"cache-control", b"private, no-store")]
        try:
            status = 200
            if scope["path"] == sse.PATH and scope["method"] == "POST":
                await self._stream(scope, headers, receive, send, request_id)
                return
            body = await self._answer(scope, headers, receive, request_id)
        except Exception as error:
            refusal, answer = errors.whole(error, request_id)
            body = orjson.dumps(answer, default=str)
            # What was asked is wrong, not how: to clients of the older type that is no matter of HTTP.
            status = 200 if isinstance(refusal, errors.BadQuery) and form is JSON else refusal.status
            more = [(name.lower().encode(), value.encode()) for name, value in refusal.headers.items()]
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", form), (b"content-length", b"%d" % len(body)), *more,
                ],
            }
        )  # fmt: skip
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Scope, headers: Headers, receive: Receive, request_id: str | None
    ) -> bytes:
        if scope["path"] != PATH:
            raise NotFound("GraphQL is at /graphql.", code="no_such_path")
        if scope["method"] != "POST":
            raise MethodNotAllowed("GraphQL takes POST.", headers={"Allow": "POST"})
        principal = await self._who(scope, headers)()
        state = scope.setdefault("state", {})
        state["principal"] = principal
        allowance = state["allowance"] = self.gate.enter(principal)
        try:
            return await self.answer(await self._read(headers, receive), principal, request_id)
        finally:
            self.gate.leave(allowance)

    async def _stream(
        self, scope: Scope, headers: Headers, receive: Receive, send: Send, request_id: str | None
    ) -> None:
        who = self._who(scope, headers)
        principal = await who()
        scope.setdefault("state", {})["principal"] = principal
        sent = await self._sent(headers, receive)
        async with aclosing(self.answers(sent, principal, request_id, who)) as answers:
            await sse.send_all(answers, receive, send, request_id)

    def _who(self, scope: Scope, headers: Headers) -> Who:
        authorization = headers.get(b"authorization")
        client = scope.get("client")

        async def who() -> Principal:
            header = None if authorization is None else authorization.decode("latin-1")
            return await self.gate.authenticate(header, client[0] if client else None)

        return who

    async def answers(
        self, sent: Any, principal: Principal, request_id: str | None, who: Who
    ) -> AsyncGenerator[Any]:
        """One of a query or mutation, those of a subscription as they come; None says that it still waits."""
        allowance = self.gate.enter(principal)
        try:
            asked = self._asked(sent)
            operation = self.documents.operation(asked.query, asked.operation)
            if operation.node.operation is not OperationType.SUBSCRIPTION:
                yield orjson.Fragment(await self.answer(asked, principal, request_id))
                return
            ask = Ask(principal, self.database, self.settings, request_id, self.gate.principals)
            following = self.streams.start(operation, asked.variables, ask, who)
        finally:
            # A stream that waits takes no place among the tenant's requests.
            self.gate.leave(allowance)
        async with aclosing(following):
            async for answer in following:
                yield answer

    async def answer(self, asked: Asked, principal: Principal, request_id: str | None) -> bytes:
        """Raises what refuses the operation as a whole."""
        operation = self.documents.operation(asked.query, asked.operation)
        ask = Ask(principal, self.database, self.settings, request_id, self.gate.principals)
        result = await self.executor.run(operation, asked.variables, ask)
        answer: dict[str, Any] = {"data": result.data}
        if result.failures:
            if len(result.failures) == len(result.data) and (refusal := errors.outage(result.failures)):
                # Nothing was answered: whoever asks again should hear when, as in the other face.
                raise refusal
            answer["errors"] = errors.of_fields(result.failures, request_id)
        if ask.cost:
            answer["extensions"] = {"cost": ask.cost}
        return orjson.dumps(answer, default=_written)

    async def _read(self, headers: Headers, receive: Receive) -> Asked:
        return self._asked(await self._sent(headers, receive))

    async def _sent(self, headers: Headers, receive: Receive) -> Any:
        """A form cannot send this content type across sites, so no page can make its visitor's browser ask."""
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != JSON:
            raise UnsupportedMedia("GraphQL takes application/json.")
        body = await _body(receive, self.settings.max_body_bytes)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not valid JSON: {error}.", code="malformed_json") from None

    def _asked(self, sent: Any) -> Asked:
        if not isinstance(sent, dict):
            raise BadRequest("The body is one JSON object; several operations at once are not taken.")
        variables, operation = sent.get("variables"), sent.get("operationName")
        if variables is not None and not isinstance(variables, dict):
            raise Invalid.field("/variables", "invalid_value", "`variables` is a JSON object.")
        if operation is not None and not isinstance(operation, str):
            raise Invalid.field("/operationName", "invalid_value", "`operationName` is a string.")
        text = trusted.text_of(sent, self.trusted, only=self.settings.graphql_documents == "trusted")
        return Asked(text, variables or {}, operation)


async def _body(receive: Receive, most: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequest("The body ended before it was complete.", code="incomplete_body")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise TooLarge(f"The body exceeds {most} bytes.")
        parts.append(part)
        if not message.get("more_body"):
            break
    body = b"".join(parts)
    if b"\\u0000" in body:
        raise Invalid("Text may not contain the character U+0000.", code="bad_character")
    return body


def _written(value: Any) -> Any:
    """Decimals as the JSON numbers they are; the driver's UUIDs, a class of their own, as text."""
    return orjson.Fragment(format(value, "f")) if isinstance(value, Decimal) else str(value)
