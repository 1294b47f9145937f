"""One connection for a statement that runs by itself while Python works, and for what Python asks meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from app.ground.database.session import Behind, Session

T = TypeVar("T")

_SENT = 0.004
"""Seconds in which the loop hands a megabyte over, before Python keeps it busy again: what the socket has no room for
waits in the loop, and PostgreSQL begins when it has all."""


class Turns(Generic[T]):
    """`send` starts what uses the connection itself; `session` is for everything else, and waits for that first."""

    def __init__(self, session: Session) -> None:
        self.session = Session(_InTurn(self, session.connection), session.tenant_id)
        self._under_way: asyncio.Future[T] | None = None

    async def __aenter__(self) -> Turns[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing runs on behind whoever failed meanwhile."""
        if (under_way := self._under_way) is not None:
            self._under_way = None
            await self._give_up(under_way)

    async def send(self, work: Coroutine[Any, Any, T]) -> None:
        assert self._under_way is None
        self._under_way = asyncio.ensure_future(work)
        await asyncio.sleep(_SENT)

    async def done(self) -> T | None:
        """What the work that is under way gives, or raises; None where there is none."""
        under_way, self._under_way = self._under_way, None
        if under_way is None:
            return None
        try:
            return await under_way
        except BaseException:
            await self._give_up(under_way)
            raise

    async def free(self) -> None:
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    @staticmethod
    async def _give_up(under_way: asyncio.Future[T]) -> None:
        under_way.cancel()
        await asyncio.wait([under_way])
        if not under_way.cancelled():
            under_way.exception()


class _InTurn(Behind):
    """Each statement waits for the work that is under way."""

    __slots__ = ("_connection", "_turns")

    def __init__(self, turns: Turns[Any], connection: Any) -> None:
        self._turns = turns
        self._connection = connection

    async def _ready(self) -> Any:
        await self._turns.free()
        return self._connection
