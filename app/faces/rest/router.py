"""From a request to its operation: the one place that takes a path apart."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from app.faces.rest.edge import Call, Edge
from app.faces.rest.operation import Operation
from app.faces.rest.parameters import Parameters
from app.faces.rest.streams import EventStream
from app.ground.access import tickets
from app.ground.access.permissions import demand
from app.ground.access.principal import Principal
from app.ground.errors import MethodNotAllowed, NotFound, did_you_mean


class Router:
    """An ASGI application over a table of operations, found by dictionary and not by trying patterns in turn.

    A path has at most one place that varies, the third segment: `/v1/opportunities/{id}:close_won`. What stands there
    may itself hold a colon (`salesforce:006…`), so the verb is what follows the last one.
    """

    def __init__(self, edge: Edge, operations: Iterable[Operation], pages: Iterable[BaseRoute] = ()) -> None:
        """`pages` are the routes beside this table: a wrong method there is no unknown path."""
        self.edge = edge
        self.pages = tuple(pages)
        self.table: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            key = operation.path.replace("{id}", "*").replace("{name}", "*").replace("{noun}", "*")
            self.table.setdefault(key, {})[operation.method] = operation
        self.heads = {key.split("/")[2].partition(":")[0] for key in self.table if key.startswith("/v1/")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        operation, reference = self._find(request)
        if operation is None:
            await Response(status_code=204, headers={"Allow": reference})(scope, receive, send)
            return
        gate = self.edge.gate
        if operation.identify is not None:
            principal = await operation.identify(self.edge, request, reference)
        else:
            principal = await self._principal(request, operation)
        scope["state"]["principal"] = principal
        allowance = scope["state"]["allowance"] = gate.enter(principal)
        try:
            response = await self._answer(request, operation, reference, principal)
            if scope["method"] == "HEAD":
                send = _without_body(send)
            lingers = isinstance(response, EventStream)
            if not lingers:
                # A stream of rows reads while it sends, so it is over only when it is sent.
                await response(scope, receive, send)
        finally:
            gate.leave(allowance)
        if lingers:
            # It mostly waits, and is counted among its own kind.
            await response(scope, receive, send)

    async def _principal(self, request: Request, operation: Operation) -> Principal:
        header = request.headers.get("authorization")
        if operation.takes_ticket and header is None:
            ticket = request.query_params.get("ticket")
            if ticket is not None:
                return await tickets.redeem(self.edge.database, ticket)
        client = request.scope["client"]
        return await self.edge.gate.authenticate(header, client[0] if client else None)

    async def _answer(
        self, request: Request, operation: Operation, reference: str, principal: Principal
    ) -> Response:
        if operation.right:
            demand(principal, operation.noun, operation.right)
        call = Call(self.edge, request, operation, principal, reference, Parameters.of(request.scope))
        if not operation.bulk:
            return await operation.handler(call)
        async with self.edge.gate.bulk_place(principal):
            return await operation.handler(call)

    def _find(self, request: Request) -> tuple[Operation | None, str]:
        """The operation and what its path names; for OPTIONS nothing and the methods."""
        method = "GET" if request.method == "HEAD" else request.method
        path = request.scope["path"]
        allowed: set[str] = set()
        for key, reference in candidates(path):
            methods = self.table.get(key)
            if methods is None:
                continue
            if method in methods:
                operation = methods[method]
                request.scope["route"] = operation
                return operation, reference
            allowed |= methods.keys()
            if ":" in key and _is_certain(reference):
                break
        if not allowed:
            allowed = self._methods_of_page(request.scope)
        elif "GET" in allowed:
            allowed.add("HEAD")
        if not allowed:
            head = path.removeprefix("/v1/").partition("/")[0].partition(":")[0]
            raise NotFound(
                f'There is no path "{path[:200]}".{did_you_mean(head, self.heads)}', code="no_such_path"
            )
        allow = ", ".join(sorted({*allowed, "OPTIONS"}))
        if method == "OPTIONS":
            return None, allow
        raise MethodNotAllowed(f"This path takes {allow}.", headers={"Allow": allow})

    def _methods_of_page(self, scope: Scope) -> set[str]:
        return {
            method
            for method in ("GET", "HEAD", "POST")
            if any(page.matches({**scope, "method": method})[0] is Match.FULL for page in self.pages)
        }


def candidates(path: str) -> Iterable[tuple[str, str]]:
    """Keys of the table that `path` may mean, the narrowest first, with what stands in the varying place."""
    yield path, ""
    parts = path.split("/")
    if len(parts) in (4, 5) and parts[3]:
        tail = f"/{parts[4]}" if len(parts) == 5 else ""
        reference, colon, verb = parts[3].rpartition(":")
        if colon and reference and not tail:
            yield f"/v1/{parts[2]}/*:{verb}", reference
        yield f"/v1/{parts[2]}/*{tail}", parts[3]


def _is_certain(reference: str) -> bool:
    """Whether this is a whole reference, so that what followed it was a verb and nothing else."""
    if ":" in reference:
        return True
    try:
        return bool(UUID(reference))
    except ValueError:
        return False


def _without_body(send: Send) -> Send:
    async def head_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head_only
