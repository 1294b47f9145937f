"""Python's cycle collector, out of the way of a large batch.

Ten thousand rows make a million objects, none of them in a cycle; the collector would walk them all again and again
while they grow. What is done with is freed by its reference count all the same.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_resting = 0


@contextmanager
def at_rest() -> Iterator[None]:
    """Off until the last batch that is under way in this process ends."""
    global _resting
    _resting += 1
    gc.disable()
    try:
        yield
    finally:
        _resting -= 1
        if not _resting:
            gc.enable()
