"""Who gets the next place, when there are fewer places than callers.

A pool's own queue is first come, first served: whoever asks most is served most, and the others wait behind. Here each
tenant stands in a lane of its own, and a place that falls free goes to the lane that holds the fewest for its weight.
A quiet tenant so waits for one place to fall free, however many a noisy one waits for. And since places share the same
processors, a lane that keeps others company while some wait holds no more than its share of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Hashable

_MOST_LANES = 10_000
_RECENT = 50
"""A lane is active when it is among the last so many that were given a place."""
_LEAST_SHARE = 5
"""However many lanes are active, each may hold a fifth: their turns are short, and places should not lie idle."""
_CROWD = 4
"""With so many waiting a lane steps back before others: while they hold a place it gets half of what it has alone.
Else a noisy lane's work doubles what a quiet one's takes."""
_SLOWLY = 64


class Full(Exception):
    """Too many wait already, or the wait was too long."""


class Lane:
    __slots__ = ("holding", "pace", "served_at", "turn", "waiters", "weight", "who")

    def __init__(self, who: Hashable, weight: float) -> None:
        self.who = who
        self.weight = weight
        self.holding = 0
        self.turn = 0
        self.waiters: deque[asyncio.Future[None]] = deque()
        self.pace = self.served_at = 0.0

    def serve(self, now: float) -> asyncio.Future[None]:
        """Whoever waits longest. The seconds from one to the next, while there is a next, are the lane's pace; it moves
        slowly, or with each breath of it a crowd would be let in that has to be refused again."""
        if self.served_at:
            gap = now - self.served_at
            self.pace += (gap - self.pace) / _SLOWLY if self.pace else gap
        place = self.waiters.popleft()
        self.served_at = now if self.waiters else 0.0
        return place


class FairQueue:
    """`size` places, of which one lane holds at most `most_each`; `seconds` is the longest wait.

    For the tasks of one event loop. `enter` and `leave` come in pairs; the way without waiting takes no await.
    """

    __slots__ = (
        "_hungry", "_turn", "held", "lanes", "most_each", "most_now", "seconds", "size",
        "waiting", "waiting_each",
    )  # fmt: skip

    def __init__(self, size: int, *, most_each: int, waiting_each: int, seconds: float) -> None:
        self.size = size
        self.most_each = self.most_now = most_each
        self.waiting_each = waiting_each
        self.seconds = seconds
        self.held = 0
        self.waiting = 0
        self.lanes: dict[Hashable, Lane] = {}
        self._hungry: dict[Lane, None] = {}
        self._turn = 0

    def lane(self, who: Hashable) -> Lane:
        lane = self.lanes.get(who)
        if lane is None:
            lane = self.lanes[who] = Lane(who, 1.0)
        return lane

    def enter_at_once(self, who: Hashable) -> Lane | None:
        """A place where one is free; None where the caller has to `wait`."""
        lane = self.lanes.get(who) or self.lane(who)
        if self.held >= self.size or lane.waiters or lane.holding >= self._most(lane):
            return None
        self._give(lane)
        return lane

    def _most(self, lane: Lane) -> float:
        return min(self.most_each, self.most_now * lane.weight)

    def _give(self, lane: Lane) -> None:
        self._turn += 1
        lane.turn = self._turn
        self.held += 1
        lane.holding += 1

    def is_hopeless(self, who: Hashable, coming: int = 0) -> bool:
        """Whether so many of the lane wait, or are `coming`, that one more would hardly get a place within a
        quarter of the time."""
        lane = self.lanes.get(who)
        if lane is None or not lane.waiters:
            return False
        return (len(lane.waiters) + coming) * lane.pace > self.seconds / 4

    async def enter(self, who: Hashable) -> Lane:
        return self.enter_at_once(who) or await self.wait(who)

    async def wait(self, who: Hashable) -> Lane:
        """Raises Full at once where too many of the lane wait, and after `seconds` without a place."""
        lane = self.lane(who)
        if len(lane.waiters) >= self.waiting_each:
            raise Full
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        # Every second request of a busy tenant waits; `asyncio.timeout` costs more than all the rest of a wait.
        clock = loop.call_later(self.seconds, _too_long, place)
        lane.waiters.append(place)
        self._hungry[lane] = None
        self.waiting += 1
        try:
            await place
        except BaseException:
            if place.cancelled() or place.exception() is not None:
                self._withdraw(lane, place)
            else:
                # Given in the very moment in which the caller went away.
                self.leave(lane)
            raise
        finally:
            clock.cancel()
        return lane

    def leave(self, lane: Lane) -> None:
        self.held -= 1
        lane.holding -= 1
        if self.waiting:
            self._serve()
        else:
            self.most_now = self.most_each
        self._tidy(lane)

    def _serve(self) -> None:
        self._share()
        now = time.monotonic()
        while self.held < self.size:
            ready = self._ready()
            if not ready:
                return
            lane = min(ready, key=_next)
            place = lane.serve(now)
            self.waiting -= 1
            if not lane.waiters:
                del self._hungry[lane]
            if place.done():
                # Cancelled or too long, and its task has not run since; it finds itself withdrawn.
                continue
            self._give(lane)
            place.set_result(None)

    def _ready(self) -> list[Lane]:
        crowds = [lane for lane in self._hungry if len(lane.waiters) >= _CROWD]
        beside_others = self.held > sum(lane.holding for lane in crowds)
        ready = [lane for lane in self._hungry if lane.holding < self._most(lane)]
        if not beside_others:
            return ready
        return [x for x in ready if x.holding < max(self._most(x) // 2, 1) or x not in crowds]

    def _share(self) -> None:
        """What one lane may hold while some wait."""
        recent = self._turn - _RECENT
        active = sum(1 for lane in self.lanes.values() if lane.turn > recent)
        share = max(-(-self.size // _LEAST_SHARE), self.size // max(active, 1))
        self.most_now = min(self.most_each, share)

    def _withdraw(self, lane: Lane, place: asyncio.Future[None]) -> None:
        if place in lane.waiters:
            lane.waiters.remove(place)
            self.waiting -= 1
            if not lane.waiters:
                del self._hungry[lane]
        self._tidy(lane)

    def _tidy(self, lane: Lane) -> None:
        if len(self.lanes) > _MOST_LANES and not lane.holding and not lane.waiters and lane.weight == 1:
            self.lanes.pop(lane.who, None)


def _too_long(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_exception(Full())


def _next(lane: Lane) -> tuple[float, int]:
    """The lane that holds least for its weight; among equals the one that was served longest ago."""
    return lane.holding / lane.weight, lane.turn
