"""Where a process dies on purpose, so that tests see what a crash leaves behind.

`ATTAIN_CRASH_AT` names one of the points when the process starts; it is read once, so nothing that comes later, and no
request, can arm it. Unset, a point is one comparison.
"""

from __future__ import annotations

import os
import signal
from typing import Literal, get_args

Point = Literal[
    "before_claim", "after_claim", "after_effect", "before_commit", "after_commit", "before_response"
]
"""On the way of a request that carries an Idempotency-Key."""

POINTS: tuple[Point, ...] = get_args(Point)

_ARMED = os.environ.get("ATTAIN_CRASH_AT")


def point(name: Point) -> None:
    """As if the machine had lost its power here."""
    if name == _ARMED:
        os.kill(os.getpid(), signal.SIGKILL)
