"""How a record's versions follow from the points of time at which its values changed: pure.

Points are what we were told; versions are what follows. A change of the past, an import and a first guess are all the
same: put the points together, fold them from the beginning, and compare with the versions that are stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.language.resources.batch import Point, Version

Advance = Callable[[Mapping[str, Any] | None, dict[str, Any], datetime], None]


def fold(points: Iterable[Point], columns: Sequence[str], advance: Advance) -> list[Version]:
    """Versions in order, half open, the last one open. Points at the same moment are one; the later given wins."""
    merged: dict[datetime, tuple[dict[str, Any], bool]] = {}
    for point in points:
        changes, inferred = merged.get(point.at, ({}, True))
        merged[point.at] = ({**changes, **point.changes}, inferred and point.inferred)
    versions: list[Version] = []
    state: dict[str, Any] | None = None
    for at in sorted(merged):
        changes, inferred = merged[at]
        after = dict.fromkeys(columns) | (state or {}) | changes
        advance(state, after, at)
        if versions:
            if after == state:
                continue
            versions[-1].valid_to = at
        versions.append(Version(at, None, after, inferred))
        state = after
    return versions


def points_of(versions: Sequence[Version], told: Iterable[str]) -> list[Point]:
    """The points that fold into these versions: everything at the first, then what changed of what can be told."""
    told = tuple(told)
    points = [Point(versions[0].valid_from, dict(versions[0].values), versions[0].inferred)]
    for earlier, later in itertools.pairwise(versions):
        changes = {
            name: later.values[name] for name in told if later.values.get(name) != earlier.values.get(name)
        }
        points.append(Point(later.valid_from, changes, later.inferred))
    return points
