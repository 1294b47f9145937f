"""Draws that come out the same on every Python and platform.

Only `random()` is promised to stay as it is between versions; `choices`, `shuffle` and `gauss` are not, so the other
draws are made of it here.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class Dice:
    def __init__(self, seed: str) -> None:
        self._next = random.Random(seed).random  # noqa: S311 - invented data, no secret

    def share(self) -> float:
        return self._next()

    def chance(self, probability: float) -> bool:
        return self._next() < probability

    def between(self, low: int, high: int) -> int:
        """Both ends included."""
        return low + int(self._next() * (high - low + 1))

    def around(self, low: float, high: float) -> float:
        return low + self._next() * (high - low)

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self._next() * len(options))]

    def bell(self) -> float:
        """Mean 0, deviation 1, never beyond 3.5: the sum of four draws is close enough to a normal one."""
        return (self._next() + self._next() + self._next() + self._next() - 2.0) * math.sqrt(3.0)

    def skewed(self, median: float, spread: float) -> float:
        """Many small and few large, as deal sizes and sales cycles are."""
        return median * math.exp(spread * self.bell())

    def day(self, first: date, last: date) -> date:
        return first + timedelta(days=self.between(0, (last - first).days))


class Weighted(Generic[T]):
    """Options with weights, prepared once for many draws."""

    def __init__(self, options: Iterable[tuple[T, float]]) -> None:
        pairs = list(options)
        self._options = [option for option, _ in pairs]
        self._bounds = list(accumulate(weight for _, weight in pairs))

    def draw(self, dice: Dice) -> T:
        return self._options[bisect_right(self._bounds, dice.share() * self._bounds[-1])]
