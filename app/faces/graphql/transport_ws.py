"""`graphql-transport-ws` on /graphql: the protocol's state machine is Strawberry's, what an operation does is ours.

The key comes in `connection_init` (`{"authorization": "Bearer …"}`): a browser can set no header on a socket, and
without cookies no foreign page can make its visitor's browser be somebody. Every operation is admitted and bounded as
by POST; queries and mutations are taken as well as subscriptions.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import orjson
import structlog
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    Operation as Subscribed,
)

from app.faces.graphql import errors
from app.faces.graphql.subscriptions import Ending
from app.ground.access.principal import Principal
from app.ground.errors import TooManyRequests

if TYPE_CHECKING:
    from app.faces.graphql.router import GraphQL

PATH = "/graphql"
PROTOCOL = "graphql-transport-ws"
MOST_AT_ONCE = 10
"""Operations of one connection."""

_INIT_SECONDS = 10
_AGAIN, _RESTART, _FORBIDDEN, _BAD = 1013, 1012, 4403, 4400

_log = structlog.get_logger("attain.access")


class Sockets:
    """An ASGI application for sockets; there is one at /graphql and none elsewhere."""

    def __init__(self, graphql: GraphQL) -> None:
        self.graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if scope["path"] != PATH:
            await socket.close(1008, "There is a socket at /graphql only")
            return
        if PROTOCOL not in scope["subprotocols"]:
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(subprotocol=PROTOCOL)
        connection = Connection(self.graphql, socket)
        began = monotonic()
        try:
            await connection.handle()
        finally:
            principal = connection.principal
            _log.info(
                "graphql_ws", request_id=connection.request_id, operations=connection.begun,
                client=socket.client.host if socket.client else None,
                tenant=str(principal.tenant_id) if principal else None,
                key=str(principal.key_id) if principal else None, seconds=round(monotonic() - began, 1),
            )  # fmt: skip


class Connection(BaseGraphQLTransportWSHandler[Any, Any]):
    principal: Principal | None = None
    header: str | None = None
    begun = 0

    def __init__(self, graphql: GraphQL, socket: WebSocket) -> None:
        self.graphql = graphql
        self.client = socket.client.host if socket.client else None
        self.request_id = uuid4().hex
        super().__init__(
            view=cast(Any, self),
            websocket=cast(Any, _Wire(socket)),
            context={},
            root_value=None,
            schema=cast(Any, None),
            connection_init_wait_timeout=timedelta(seconds=_INIT_SECONDS),
        )

    async def who(self) -> Principal:
        return await self.graphql.gate.authenticate(self.header, self.client)

    async def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            await self.handle_invalid_message("A message is a JSON object with a type")
        elif "id" in message and not isinstance(message["id"], str):
            await self.handle_invalid_message("An id is a string")
        else:
            await super().handle_message(cast(Any, message))

    async def handle_connection_init(self, message: Any) -> None:
        try:
            await super().handle_connection_init(message)
        except Exception as error:
            refusal = errors.refusal_of(error)
            later = refusal.status in (429, 503)
            await self.websocket.close(_AGAIN if later else _FORBIDDEN, refusal.title)

    async def on_ws_connect(self, context: dict[str, Any]) -> dict[str, Any]:
        """What the acknowledgement carries."""
        sent = context["connection_params"]
        header = sent.get("authorization") or sent.get("Authorization")
        self.header = header if isinstance(header, str) else None
        self.principal = await self.who()
        return {}

    async def handle_subscribe(self, message: Any) -> None:
        payload = message["payload"]
        if not isinstance(payload, dict):
            await self.handle_invalid_message("The payload of an operation is a JSON object")
            return
        if self.connection_acknowledged and len(self.operations) >= MOST_AT_ONCE:
            refusal = TooManyRequests(f"A connection has at most {MOST_AT_ONCE} operations at once.")
            await self.send_message(self._error(message["id"], refusal))
            return
        # The document is checked as that of a POST is; here it only must be there.
        await super().handle_subscribe(cast(Any, {**message, "payload": {"query": payload}}))

    async def run_operation(self, operation: Subscribed[Any, Any]) -> None:
        self.begun += 1
        with suppress(WebSocketDisconnected):
            try:
                async with aclosing(self._answers(cast(Any, operation.query))) as answers:
                    async for answer in answers:
                        await operation.send_operation_message(
                            cast(Any, {"id": operation.id, "type": "next", "payload": answer})
                        )
            except Ending:
                # Not `complete`: the client is to come back, and to begin behind the last cursor that it saw.
                await self.websocket.close(_RESTART, "The service is about to end")
            except Exception as error:
                await operation.send_operation_message(self._error(operation.id, error))
            else:
                await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def _answers(self, payload: dict[str, Any]) -> AsyncGenerator[Any]:
        found = self.graphql.answers(payload, await self.who(), self.request_id, self.who)
        async with aclosing(found):
            async for answer in found:
                if answer is not None:
                    yield answer

    def _error(self, id: str, error: Exception) -> Any:
        _, told = errors.whole(error, self.request_id)
        return {"id": id, "type": "error", "payload": told["errors"]}


class _Wire:
    """What Strawberry's handler wants of a socket."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket

    async def iter_json(self) -> AsyncIterator[Any]:
        while self.socket.application_state is not WebSocketState.DISCONNECTED:
            try:
                text = await self.socket.receive_text()
            except (WebSocketDisconnect, KeyError):
                # Bytes are no text; the protocol has none.
                await self.close(_BAD, "A message is text")
                return
            try:
                yield orjson.loads(text)
            except orjson.JSONDecodeError:
                await self.close(_BAD, "A message is JSON")
                return

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.socket.send_text(orjson.dumps(message, default=str).decode())
        except (WebSocketDisconnect, RuntimeError, OSError):
            raise WebSocketDisconnected from None

    async def close(self, code: int, reason: str) -> None:
        # It may be closed already, by either side.
        with suppress(RuntimeError, WebSocketDisconnect, OSError):
            await self.socket.close(code, reason)
