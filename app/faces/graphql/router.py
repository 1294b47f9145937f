"""`POST /graphql`: one JSON object in, one out. Everything else that GraphQL over HTTP may be is refused."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from app.faces.graphql import errors, graphiql
from app.faces.graphql.ask import Ask
from app.faces.graphql.errors import BadQuery
from app.faces.graphql.limits import LONGEST_DOCUMENT
from app.faces.graphql.schema import schema
from app.ground.access.gate import Gate
from app.ground.access.principal import Principal
from app.ground.database.session import Database
from app.ground.errors import BadRequest, Invalid, MethodNotAllowed, NotFound, TooLarge, UnsupportedMedia
from app.ground.settings import Settings
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Catalogue

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
"""Whoever accepts this reads the status; the older type means 200 for every well-formed request."""

PATH = "/graphql"


@dataclass(frozen=True, slots=True)
class Asked:
    query: str
    variables: dict[str, Any] | None
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
    ) -> None:
        self.database = database
        self.settings = settings
        self.gate = gate or Gate(database, settings)
        self.schema = schema(catalogue, metrics, introspection=settings.allow_introspection)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        request_id = request.scope.get("state", {}).get("request_id")
        try:
            if (
                request.method in ("GET", "HEAD")
                and self.settings.graphiql
                and (shown := graphiql.shown(request))
            ):
                return shown
            return await self._answer(request, request_id)
        except Exception as error:
            refusal = errors.refusal_of(error)
            return Response(
                orjson.dumps(errors.whole(refusal, request_id), default=str),
                refusal.status,
                headers=refusal.headers,
                media_type=_form(request),
            )

    async def _answer(self, request: Request, request_id: str | None) -> Response:
        if request.scope["path"] != PATH:
            raise NotFound("GraphQL is at /graphql.", code="no_such_path")
        if request.method != "POST":
            raise MethodNotAllowed("GraphQL takes POST.", headers={"Allow": "POST"})
        client = request.client
        principal = await self.gate.authenticate(
            request.headers.get("authorization"), client.host if client else None
        )
        state = request.scope.setdefault("state", {})
        state["principal"] = principal
        allowance = state["allowance"] = self.gate.enter(principal)
        try:
            return await self._asked(request, request_id, principal)
        finally:
            self.gate.leave(allowance)

    async def _asked(self, request: Request, request_id: str | None, principal: Principal) -> Response:
        asked = await self._read(request)
        ask = Ask(principal, self.database, self.settings, request_id)
        try:
            result = await self.schema.execute(
                asked.query,
                variable_values=asked.variables,
                operation_name=asked.operation,
                context_value=ask,
            )
        except CannotGetOperationTypeError as error:
            raise BadQuery(error.as_http_error_reason()) from None
        except InvalidOperationTypeError as error:
            raise BadQuery(error.as_http_error_reason("POST")) from None
        except MissingQueryError:
            raise BadQuery("The document is empty.") from None
        answer: dict[str, Any] = {"data": result.data}
        status = 200
        if result.errors:
            answer["errors"] = errors.shown(
                result.errors, request_id, suggestions=self.settings.allow_introspection
            )
            if result.data is None and not any(error.path for error in result.errors):
                # Nothing was run, so there is no data to speak of.
                del answer["data"]
                status = 400 if _form(request) == RESPONSE else 200
        if ask.cost:
            answer["extensions"] = {"cost": ask.cost}
        return Response(
            orjson.dumps(answer, default=_written),
            status,
            headers={"Cache-Control": "private, no-store"},
            media_type=_form(request),
        )

    async def _read(self, request: Request) -> Asked:
        """A form cannot send this content type across sites, so no page can make its visitor's browser ask."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise UnsupportedMedia("GraphQL takes application/json.")
        try:
            sent = orjson.loads(await _body(request, self.settings.max_body_bytes))
        except orjson.JSONDecodeError as error:
            raise BadRequest(f"The body is not valid JSON: {error}.", code="malformed_json") from None
        if not isinstance(sent, dict):
            raise BadRequest("The body is one JSON object; several operations at once are not taken.")
        query, variables = sent.get("query"), sent.get("variables")
        operation = sent.get("operationName")
        if not isinstance(query, str) or not query.strip():
            raise Invalid.field("/query", "required", "`query` is the text of a GraphQL document.")
        if len(query) > LONGEST_DOCUMENT:
            raise TooLarge(
                f"The document has more than {LONGEST_DOCUMENT} characters.", code="document_too_large"
            )
        if variables is not None and not isinstance(variables, dict):
            raise Invalid.field("/variables", "invalid_value", "`variables` is a JSON object.")
        if operation is not None and not isinstance(operation, str):
            raise Invalid.field("/operationName", "invalid_value", "`operationName` is a string.")
        return Asked(query, variables, operation)


async def _body(request: Request, most: int) -> bytes:
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise TooLarge(f"The body exceeds {most} bytes.")
            parts.append(part)
    except ClientDisconnect:
        raise BadRequest("The body ended before it was complete.", code="incomplete_body") from None
    body = b"".join(parts)
    if b"\\u0000" in body:
        raise Invalid("Text may not contain the character U+0000.", code="bad_character")
    return body


def _written(value: Any) -> Any:
    """Decimals as the JSON numbers they are; the driver's UUIDs, a class of their own, as text."""
    return orjson.Fragment(format(value, "f")) if isinstance(value, Decimal) else str(value)


def _form(request: Request) -> str:
    return RESPONSE if RESPONSE in request.headers.get("accept", "") else JSON
