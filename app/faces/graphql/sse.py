"""Answers as server-sent events on /graphql/stream (the `graphql-sse` protocol, a connection for each operation).

Not on /graphql itself: clients that also accept event streams there would be given one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from typing import Any

import orjson
from starlette.types import Message, Receive, Send

from app.faces.graphql import errors
from app.faces.graphql.subscriptions import Ending

PATH = "/graphql/stream"
MEDIA_TYPE = b"text/event-stream"
HEARTBEAT_SECONDS = 15.0


async def send_all(answers: AsyncIterator[Any], receive: Receive, send: Send, request_id: str | None) -> None:
    """Until the operation is complete, the reader leaves or the process ends; the first answer is asked for before the
    status goes out, so that a refusal is still a refusal."""
    first = await anext(answers, None)
    headers = [
        (b"content-type", MEDIA_TYPE), (b"cache-control", b"private, no-store"), (b"x-accel-buffering", b"no"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    # So that a client sees the answer begin, though nothing may happen for long.
    await send(_chunk(":\n\n"))
    telling = asyncio.create_task(_tell(first, answers, send, request_id))
    leaving = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, leaving):
            task.cancel()
        for task in (telling, leaving):
            with suppress(asyncio.CancelledError, OSError):
                await task
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _tell(first: Any, answers: AsyncIterator[Any], send: Send, request_id: str | None) -> None:
    spoke = monotonic()

    async def say(answer: Any) -> None:
        nonlocal spoke
        if answer is not None:
            await send(_chunk(f"event: next\ndata: {orjson.dumps(answer, default=str).decode()}\n\n"))
        elif monotonic() - spoke < HEARTBEAT_SECONDS:
            return
        else:
            await send(_chunk(":\n\n"))
        spoke = monotonic()

    try:
        await say(first)
        async for answer in answers:
            await say(answer)
    except Ending:
        # Without `complete` the client comes back.
        return
    except Exception as error:
        await say(errors.whole(error, request_id)[1])
    await send(_chunk("event: complete\ndata: \n\n"))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _chunk(text: str) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
