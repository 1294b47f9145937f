"""Work that meets goes together: who comes while some of its kind is under way waits for that, and then goes with all
the others who wait. Where nobody meets, nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST = 32
"""Riders of one convoy: the first of them waits until the last is served."""
Go = Callable[[Sequence[Any]], Awaitable[Sequence[Any]]]
"""From the riders to their answers, in the same order; what it raises each of them gets."""

_Rider = tuple[Any, asyncio.Future[Any]]


@dataclass(slots=True)
class _Lane:
    under_way: int = 0
    waiting: list[_Rider] = field(default_factory=list)


class Convoys:
    """Of each kind `at_once` are under way; who comes then waits. Two, so that the next is made ready while one is
    stored; of three, more would go by themselves."""

    def __init__(self, at_once: int = 2) -> None:
        self.at_once = at_once
        self._lanes: dict[Hashable, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def join(self, kind: Hashable, rider: Any, go: Go) -> Any:
        """The answer to this rider. Whoever gives up is left behind, or brought along and not waited for. Who meets
        nobody goes by itself, in a task of its own."""
        lane = self._lanes.setdefault(kind, _Lane())
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        lane.waiting.append((rider, answer))
        if lane.under_way < self.at_once:
            lane.under_way += 1
            # Whoever came in the same turn of the loop is there in the next.
            asyncio.get_running_loop().call_soon(self._depart, kind, go)
        try:
            answered = await answer
        except asyncio.CancelledError:
            if answer.done() and not answer.cancelled() and answer.result() is _BY_ITSELF:
                self._depart(kind, go)
            raise
        if answered is not _BY_ITSELF:
            return answered
        try:
            [answered] = await go([rider])
            return answered
        finally:
            self._depart(kind, go)

    def _depart(self, kind: Hashable, go: Go) -> None:
        """A place on the way is free: the next may go."""
        lane = self._lanes[kind]
        riders = [rider for rider in lane.waiting if not rider[1].done()]
        lane.waiting = riders[MOST:]
        if not riders:
            lane.under_way -= 1
            if not lane.under_way:
                del self._lanes[kind]
        elif len(riders) == 1:
            riders[0][1].set_result(_BY_ITSELF)
        else:
            task = asyncio.ensure_future(self._ride(kind, riders[:MOST], go))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ride(self, kind: Hashable, riders: list[_Rider], go: Go) -> None:
        try:
            answers = await go([rider for rider, _ in riders])
        except BaseException as error:
            for _, answer in riders:
                if not answer.done():
                    _fail(answer, error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, answer), told in zip(riders, answers, strict=True):
                if not answer.done():
                    answer.set_result(told)
        finally:
            self._depart(kind, go)


_BY_ITSELF: Any = object()


def _fail(answer: asyncio.Future[Any], error: BaseException) -> None:
    if isinstance(error, Exception):
        answer.set_exception(error)
    else:
        answer.cancel()
