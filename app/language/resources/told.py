"""What a source told of a record's past, word for word.

A version of the history says what followed. A point that changed nothing when it came leaves none, and yet stands
against an earlier one that comes later; so the points themselves are kept, and every rewriting begins with all of them.
Then the history is the same in whatever order, and however grouped, they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from app.ground.database.script import Part
from app.language.resources.batch import Batch, Draft, Point
from app.language.resources.custom import flat, nested

Points = dict[datetime, Point]
"""By moment what was told of it."""

_STORED, _NEW = "points_stored", "points_new"

_KEEP = """
insert into history_points (tenant_id, record_id, at, changes, inferred)
select $1, p.record_id, p.at, p.changes::jsonb, p.inferred
from unnest((select $2::uuid[]), (select $3::timestamptz[]), (select $4::text[]), (select $5::boolean[]))
     p(record_id, at, changes, inferred)
on conflict (tenant_id, record_id, at) do update set changes = excluded.changes, inferred = excluded.inferred
"""


async def load(batch: Batch, drafts: Iterable[Draft]) -> None:
    """The points of records whose past is about to be rewritten. Their values come back by the columns' own types."""
    table, columns = batch.resource.table.name, batch.resource.own_columns
    rows = await batch.session.connection.fetch(
        "select p.record_id as of_record, p.at as told_of, p.inferred as told_inferred, "
        "array(select jsonb_object_keys(p.changes)) as told_names, "
        f"{', '.join(f'r.{name}' for name in columns)} "
        f"from history_points p cross join lateral jsonb_populate_record(null::{table}, p.changes) r "
        "where p.tenant_id = $1 and p.record_id = any($2)",
        batch.session.tenant_id,
        [d.record_id for d in drafts],
    )
    found: dict[Any, Points] = batch.facts.setdefault(_STORED, {})
    for row in rows:
        changes = flat({name: row[name] for name in row["told_names"]})
        point = Point(row["told_of"], changes, row["told_inferred"])
        found.setdefault(row["of_record"], {})[point.at] = point


def loaded(batch: Batch) -> Iterable[Point]:
    """All that was loaded."""
    return (point for points in batch.facts.get(_STORED, {}).values() for point in points.values())


def merged(batch: Batch, draft: Draft) -> list[Point]:
    """All that was ever told, the new of the same moment and field in the place of the old."""
    points = _together(_stored(batch, draft).values(), draft.history)
    return [points[at] for at in sorted(points)]


def untold(batch: Batch, draft: Draft, points: Sequence[Point]) -> list[Point]:
    """Points that were read back from versions, without the moments that were not told but stamped at such a point:
    the rule that stamped them does it again, or finds another point to stamp."""
    stored = _stored(batch, draft)
    first, *rest = points  # the first holds everything that the record was at its beginning
    return [
        first,
        *(
            replace(point, changes=_unstamped(point, stored[point.at].changes))
            if point.at in stored
            else point
            for point in rest
        ),
    ]


def keep(batch: Batch, draft: Draft, history: Iterable[Point], others: Iterable[Point] = ()) -> None:
    """What is to be remembered of this draft, where it is not yet. `others` changed the record without being its
    history; that history may hide them now, and another may uncover them later."""
    live = [replace(point, changes=_unstamped(point, {}), life="") for point in others]
    stored = _stored(batch, draft)
    points = _together([x for x in live if x.changes and x.at not in stored], history)
    new = {at: point for at, point in points.items() if stored.get(at) != point}
    if new:
        batch.facts.setdefault(_NEW, {})[draft.record_id] = new


def remember(batch: Batch) -> None:
    """Also where it changed nothing: that is what it is kept for."""
    new: dict[Any, Points] = batch.facts.get(_NEW, {})
    rows = [(d.record_id, point) for d in batch.standing for point in new.get(d.record_id, {}).values()]
    if rows:
        rows.sort(key=lambda row: (row[0], row[1].at))
        texts = [orjson.dumps(nested(point.changes), default=str).decode() for _, point in rows]
        given = [[id_ for id_, _ in rows], [x.at for _, x in rows], texts, [x.inferred for _, x in rows]]
        batch.storing.append(Part(_KEEP, [batch.session.tenant_id, *given]))


def _stored(batch: Batch, draft: Draft) -> Points:
    return batch.facts.get(_STORED, {}).get(draft.record_id, {})


def _together(earlier: Iterable[Point], later: Iterable[Point]) -> Points:
    points: Points = {}
    for point in (*earlier, *later):
        before = points.get(point.at)
        points[point.at] = (
            Point(point.at, {**before.changes, **point.changes}, before.inferred and point.inferred)
            if before
            else point
        )
    return points


def _unstamped(point: Point, told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in point.changes.items() if name in told or value != point.at}
