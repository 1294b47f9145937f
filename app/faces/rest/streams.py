"""The change feed as server-sent events: what each listener may see, as it settles, until one of the two leaves.

A stream holds no connection to the database while it waits. One look a second and tenant (`_Pulse`) tells all of a
tenant's streams that something has settled; only then does each read what it may see.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.ground.access import tickets
from app.ground.access.principal import Principal
from app.ground.database.session import Database
from app.ground.errors import AttainError, TooManyRequests
from app.ground.events import feed
from app.language.resources.changes import changes
from app.language.resources.resource import Catalogue

MEDIA_TYPE = "text/event-stream"
_BATCH = 200
_WITHOUT_KEY = 900.0
"""Seconds after which a stream ends that was opened with a token: a token is short-lived, and cannot be asked again."""
_log = structlog.get_logger(__name__)


class _Pulse:
    """Beats when the feed of one tenant has gone on."""

    def __init__(self, database: Database, tenant_id: UUID, seconds: float) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.seconds = seconds
        self.head = feed.BEGINNING
        self.beat = asyncio.Event()
        self.listeners = 0
        self.task = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            try:
                async with self.database.transaction(self.tenant_id) as session:
                    head = await feed.head(session)
            except Exception as error:
                # A database that is away for a moment is no reason to end anybody's stream.
                _log.warning("feed_unreadable", exc_info=error)
            else:
                if head != self.head:
                    self.head = head
                    self.beat.set()
                    self.beat = asyncio.Event()
            await asyncio.sleep(self.seconds)


@dataclass
class Streams:
    """Every open stream of this process, bounded by tenant. `draining` says that the process is to end."""

    database: Database
    draining: Callable[[], bool]
    most_each: int
    heartbeat_seconds: float = 15.0
    look_seconds: float = 1.0
    _pulses: dict[UUID, _Pulse] = field(default_factory=dict)

    @asynccontextmanager
    async def seat(self, tenant_id: UUID) -> AsyncIterator[_Pulse]:
        """Raises TooManyRequests where the tenant has all its streams open."""
        pulse = self._pulses.get(tenant_id)
        if pulse is None:
            pulse = self._pulses[tenant_id] = _Pulse(self.database, tenant_id, self.look_seconds)
        if pulse.listeners >= self.most_each:
            raise TooManyRequests(
                f"{self.most_each} streams are open; close one of them.",
                code="too_many_streams",
                headers={"Retry-After": "30"},
            )
        pulse.listeners += 1
        try:
            yield pulse
        finally:
            pulse.listeners -= 1
            if not pulse.listeners:
                del self._pulses[tenant_id]
                pulse.task.cancel()
                with suppress(asyncio.CancelledError):
                    await pulse.task


class EventStream(Response):
    """The feed behind `after` as `text/event-stream`, until the reader leaves, the key ends, or the process does.

    Every block carries the cursor as its id, a heartbeat too, so that whoever comes back begins where the feed was and
    not at the last event that it was allowed to see.
    """

    def __init__(
        self,
        streams: Streams,
        principal: Principal,
        catalogue: Catalogue,
        after: str | None,
        types: list[str],
    ) -> None:
        self.streams = streams
        self.principal = principal
        self.catalogue = catalogue
        self.after = after
        self.types = types
        self.status_code = 200
        self.media_type = MEDIA_TYPE
        self.background = None
        self.init_headers({"Cache-Control": "private, no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.streams.seat(self.principal.tenant_id) as pulse:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                gone = asyncio.create_task(_gone(receive))
                try:
                    await self._follow(pulse, gone, send)
                except (AttainError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    # The reader comes back to where it was; a broken answer would tell it no more.
                    _log.warning("stream_broken", exc_info=error)
                    await send(_chunk(_end("unavailable")))
                finally:
                    gone.cancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _follow(self, pulse: _Pulse, gone: asyncio.Task[None], send: Send) -> None:
        async def say(text: str) -> None:
            await send(_chunk(text))

        spoke = began = time.monotonic()
        cursor = self.after
        while not gone.done():
            if self.streams.draining():
                await say(_end("draining"))
                return
            if self.principal.key_id is None and time.monotonic() - began > _WITHOUT_KEY:
                await say(_end("expired"))
                return
            beat, head = pulse.beat, pulse.head
            async with self.streams.database.transaction(
                self.principal.tenant_id, isolation="repeatable read read only"
            ) as session:
                if not await tickets.stands(session, self.principal):
                    await say(_end("invalid_key"))
                    return
                if cursor is None:
                    cursor = await feed.latest(session)
                    await say(f"retry: 2000\nid: {cursor}\n\n")
                batch = await changes(
                    session, self.principal, self.catalogue, cursor, types=self.types, limit=_BATCH
                )
            for entry in batch.entries:
                await say(f"id: {entry.cursor}\ndata: {_text(entry.as_dict())}\n\n")
                spoke = time.monotonic()
            cursor = batch.cursor
            if batch.has_more:
                continue
            # Everything below the head was settled before we read, so all of it that we may see was in the batch.
            cursor = max(cursor, head, key=feed.parse_cursor)
            while not beat.is_set() and not gone.done() and not self.streams.draining():
                if time.monotonic() - spoke >= self.streams.heartbeat_seconds:
                    await say(f": still here\nid: {cursor}\n\n")
                    spoke = time.monotonic()
                    break
                beating = asyncio.create_task(beat.wait())
                wait = min(1.0, self.streams.heartbeat_seconds)
                await asyncio.wait({gone, beating}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                beating.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _chunk(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}


def _end(code: str) -> str:
    """The one block with a name: who listens for `end` learns why, and comes back or does not."""
    return f"event: end\ndata: {_text({'code': code})}\n\n"


def _text(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
