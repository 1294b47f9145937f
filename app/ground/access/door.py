"""Strangers are looked up a few at a time, each address in its own lane, so that a flood of guesses costs the others
nothing: neither their connections nor their first request."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.ground.database.fair_queue import FairQueue, Full
from app.ground.errors import TooManyRequests, Unauthorized, Unavailable

_MOST_ADDRESSES = 10_000


class Door:
    """`places` look-ups at once; `failures` wrong keys a minute from one address, then 429 without a look-up."""

    def __init__(self, *, places: int, failures: int, seconds: float) -> None:
        self.queue = FairQueue(places, most_each=places, waiting_each=64, seconds=seconds)
        self.failures = failures
        self._left: dict[str | None, tuple[float, float]] = {}

    @asynccontextmanager
    async def passed(self, address: str | None) -> AsyncIterator[None]:
        """Around the look-up; an Unauthorized that leaves it is counted."""
        left, _ = self._budget(address)
        if left < 1:
            raise TooManyRequests(
                "Too many wrong keys came from this address.",
                code="too_many_failures",
                headers={"Retry-After": str(math.ceil((1 - left) * 60 / self.failures))},
            )
        try:
            lane = await self.queue.enter(address)
        except Full:
            raise Unavailable("Too many keys are being looked up.", code="overloaded") from None
        try:
            yield
        except Unauthorized:
            left, now = self._budget(address)
            if len(self._left) >= _MOST_ADDRESSES:
                self._left.pop(next(iter(self._left)))
            self._left[address] = (left - 1, now)
            raise
        finally:
            self.queue.leave(lane)

    def _budget(self, address: str | None) -> tuple[float, float]:
        now = time.monotonic()
        left, at = self._left.get(address, (float(self.failures), now))
        return min(float(self.failures), left + (now - at) * self.failures / 60), now
