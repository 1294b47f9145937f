"""Two ways to the same answer, timed in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Way = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Turns:
    """Milliseconds of the middle round, and the middle of the rounds' ratios."""

    ours: float
    theirs: float
    ratio: float


async def in_turns(ours: Way, theirs: Way, rounds: int) -> Turns:
    """Both have been warmed up by whoever compared their answers."""
    taken: tuple[list[float], list[float]] = ([], [])
    ways = (ours, theirs)
    for round_ in range(rounds):
        for turn in range(2):
            side = (turn + round_) % 2
            began = time.perf_counter()
            await ways[side]()
            taken[side].append((time.perf_counter() - began) * 1000)
    ratios = [a / b for a, b in zip(*taken, strict=True)]
    return Turns(statistics.median(taken[0]), statistics.median(taken[1]), statistics.median(ratios))
