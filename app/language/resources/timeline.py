"""How a record's versions follow from the points of time at which its values changed: pure.

Points are what we were told; versions are what follows. A change of the past, an import and a first guess are all the
same: put the points together, fold them from the beginning, and compare with the versions that are stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from app.language.resources.batch import Point, Version

Advance = Callable[[Mapping[str, Any] | None, dict[str, Any], datetime], None]


def fold(points: Iterable[Point], columns: Sequence[str], advance: Advance) -> list[Version]:
    """Versions in order, half open, the last one open unless the record has ended.

    Points at the same moment are one; the later given wins. What is told of a time at which the record was not there
    counts from when it is there again.
    """
    versions: list[Version] = []
    nothing = dict.fromkeys(columns)
    state: dict[str, Any] | None = None
    alive = True
    for point in _by_moment(points):
        if point.life == "ends":
            versions[-1].valid_to = point.at
            alive = False
        after = {**nothing, **(state or {}), **point.changes}
        advance(state, after, point.at)
        resumed = point.life == "resumes" and not alive
        alive = alive or resumed
        if alive and (resumed or after != state):
            if versions and not resumed:
                versions[-1].valid_to = point.at
            versions.append(Version(point.at, None, after, point.inferred))
        state = after
    return versions


def _by_moment(points: Iterable[Point]) -> list[Point]:
    merged: dict[datetime, Point] = {}
    for point in points:
        if (same := merged.get(point.at)) is not None:
            changes = {**same.changes, **point.changes}
            point = Point(point.at, changes, same.inferred and point.inferred, point.life or same.life)
        merged[point.at] = point
    return [merged[at] for at in sorted(merged)]


def points_of(versions: Sequence[Version], told: Iterable[str]) -> list[Point]:
    """The points that fold into these versions: everything at the first, then what changed of what can be told."""
    told = tuple(told)
    points = [Point(versions[0].valid_from, dict(versions[0].values), versions[0].inferred)]
    for earlier, later in itertools.pairwise(versions):
        changes = {
            name: later.values[name] for name in told if later.values.get(name) != earlier.values.get(name)
        }
        life: Literal["", "resumes"] = ""
        if earlier.valid_to is not None and earlier.valid_to < later.valid_from:
            points.append(Point(earlier.valid_to, {}, life="ends"))
            life = "resumes"
        points.append(Point(later.valid_from, changes, later.inferred, life))
    if (end := versions[-1].valid_to) is not None:
        points.append(Point(end, {}, life="ends"))
    return points
