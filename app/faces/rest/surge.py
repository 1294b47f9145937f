"""Refuses the surplus of a tenant before anything is done for it: a refusal that costs as much as an answer would leave
nothing for the answers."""

from __future__ import annotations

import time

import orjson
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.faces.rest import problems
from app.ground.access.gate import Gate
from app.ground.errors import TooManyRequests

_LOG_SECONDS = 1.0

_log = structlog.get_logger("attain.access")
_REFUSAL = TooManyRequests(
    "Too many of your requests are being answered already; wait for some of them.", code="too_many_at_once"
)


class Surge:
    """Ahead of routing, authentication and the body. One line of log a second says how many there were."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app = app
        self.gate = gate
        self._count = 0
        self._told_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowance = None
        if scope["type"] == "http":
            for name, value in scope["headers"]:
                if name == b"authorization":
                    allowance = self.gate.surplus(value.decode("latin-1"))
                    break
        if allowance is None:
            await self.app(scope, receive, send)
            return
        state = scope["state"]
        state["shed"] = True
        self._tell()
        body = orjson.dumps(problems.problem(_REFUSAL, state.get("request_id")))
        headers = [
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"retry-after", b"1"),
            *allowance.headers(),
        ]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _tell(self) -> None:
        self._count += 1
        now = time.monotonic()
        if now - self._told_at >= _LOG_SECONDS:
            _log.warning("surplus_refused", count=self._count)
            self._told_at, self._count = now, 0
