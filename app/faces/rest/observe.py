"""Around every request: its id, one line in the log, its place in the counters, and no traceback for anybody."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.faces.rest import problems
from app.faces.rest.health import Health

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"})
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})

_log = structlog.get_logger("attain.access")


class Observe:
    """Pure ASGI: a middleware that ran requests in a task of its own would orphan their connections on disconnect."""

    def __init__(self, app: ASGIApp, health: Health) -> None:
        self.app = app
        self.health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0
        sent = 0
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
                if "allowance" in state:
                    headers += state["allowance"].headers()
                if self.health.draining:
                    # A kept connection that is closed later, between two requests, may be closed onto one.
                    headers.append((b"connection", b"close"))
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        self.health.in_flight.inc()
        try:
            await self.app(scope, receive, counted)
        finally:
            self.health.in_flight.dec()
            seconds = time.perf_counter() - began
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            self.health.answered(method, route, status, seconds)
            if scope["path"] not in _QUIET:
                _log.info("request", **_line(scope, state), route=route, status=status, bytes=sent,
                          ms=round(seconds * 1000, 2))  # fmt: skip


class Shield:
    """The last catch: whatever is raised below becomes a problem document, inside of CORS so that browsers see it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if started:
                # Half of an answer is out: only a broken connection tells the caller so.
                raise
            await problems.response(error, scope["state"].get("request_id"))(scope, receive, send)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _SANE_ID.fullmatch(given):
                return given
    return uuid4().hex


def _line(scope: Scope, state: dict[str, Any]) -> dict[str, Any]:
    """Neither path nor query: people put secrets there, and an external id may be somebody's address. The route's
    template stands for both."""
    client = scope.get("client")
    principal = state.get("principal")
    return {
        "request_id": state["request_id"],
        "method": scope["method"] if scope["method"] in _METHODS else "other",
        "client": client[0] if client else None,
        "tenant": str(principal.tenant_id) if principal else None,
        "key": str(principal.key_id) if principal and principal.key_id else None,
        "user": str(principal.user_id) if principal and principal.user_id else None,
    }
