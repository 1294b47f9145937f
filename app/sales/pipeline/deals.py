"""The rules that a write of opportunities passes, over a whole batch at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson

from app.language.resources.batch import Batch, Draft, Point
from app.sales.pipeline import list_prices, progress, requirements

STAGES = """
select coalesce(json_agg(json_build_object(
    'id', s.id, 'pipeline_id', s.pipeline_id, 'name', s.name, 'category', s.category,
    'required_fields', s.required_fields
) order by p.is_default desc, p.created_at, s.position, s.id), '[]')
from stages s join pipelines p on p.tenant_id = s.tenant_id and p.id = s.pipeline_id
where s.tenant_id = $1 and s.deleted_at is null and p.deleted_at is null
"""


@lru_cache(maxsize=256)
def _stages(told: str) -> dict[UUID, dict[str, Any]]:
    """By id, the default pipeline's first. They change seldom: one text is read once."""
    rows = [
        {**row, "id": UUID(row["id"]), "pipeline_id": UUID(row["pipeline_id"])} for row in orjson.loads(told)
    ]
    return {row["id"]: row for row in rows}


async def prepare(batch: Batch) -> None:
    batch.facts["stages"] = _stages(batch.facts["stages"])
    await list_prices.load(batch)
    for draft in batch.standing:
        changes = draft.changes
        if draft.is_new:
            if changes.get("stage_id") is None:
                changes["stage_id"] = _first_open_stage(batch, changes.get("pipeline_id"))
            if changes.get("stage_id") is None:
                draft.refuse(
                    "stage_id", "required", "Name a stage; this tenant has no pipeline with an open stage."
                )
            if draft.live and changes.get("opened_at") is None:
                changes["opened_at"] = batch.moment
        _agree_on_pipeline(draft, batch)


def _first_open_stage(batch: Batch, pipeline_id: Any) -> Any:
    """Of the pipeline asked for, else of the default one (which sorts first)."""
    for stage in batch.facts["stages"].values():
        if stage["category"] == "open" and pipeline_id in (None, stage["pipeline_id"]):
            return stage["id"]
    return None


def _agree_on_pipeline(draft: Draft, batch: Batch) -> None:
    stages, changes = batch.facts["stages"], draft.changes
    stage_id = changes.get("stage_id", draft.before["stage_id"] if draft.before else None)
    if "stage_id" in changes and changes["stage_id"] is None:
        draft.refuse("stage_id", "required", "A deal is always in a stage.")
    elif "pipeline_id" in changes and stage_id in stages:
        wanted = changes["pipeline_id"]
        if wanted is not None and stages[stage_id]["pipeline_id"] != wanted:
            draft.refuse("stage_id", "stage_of_other_pipeline", "The stage belongs to another pipeline.")
        del changes["pipeline_id"]


def infer(draft: Draft, batch: Batch) -> list[Point]:
    """The points of a deal that is new here.

    Without its history it is open from `opened_at` to `closed_at` and terminal after; the stage before the close, or
    before we were told, is unknown; all else is carried back. Without `opened_at` it exists only from now
    (`kpis.md`, convention 14).
    """
    values, now = draft.changes, batch.moment
    opened = values.get("opened_at")
    if draft.history:
        return _told(draft, batch, min(x for x in (opened, draft.history[0].at) if x is not None))
    known_from = values.get("closed_at") if _ends(values.get("stage_id"), batch) else now
    if opened is None or known_from is None or opened >= min(known_from, now):
        start = min(now, opened or now, known_from) if opened and known_from else now
        return [Point(start, values, inferred=start < now)]
    known_from = min(known_from, now)
    earlier = {**values, "stage_id": None, "closed_at": None, "category": "open"}
    later = {"stage_id": values["stage_id"], "closed_at": values.get("closed_at")}
    return [Point(opened, earlier, inferred=True), Point(known_from, later, inferred=known_from < now)]


def _ends(stage_id: Any, batch: Batch) -> bool:
    stage = batch.facts["stages"].get(stage_id)
    return stage is not None and stage["category"] in progress.TERMINAL


def _told(draft: Draft, batch: Batch, start: datetime) -> list[Point]:
    """The history that came with the deal, a beginning before it and what the row itself says behind it.

    A close that the row dates (`closed_at`) dates the last step into a terminal stage as well.
    """
    values, told = draft.changes, _closing(list(draft.history), draft.changes, batch, start)
    first: dict[str, Any] = {"category": "open"}
    for point in told:
        for name, value in point.changes.items():
            if name not in first:
                first[name] = value if point.at <= start or name not in ("stage_id", "closed_at") else None
    base = {**values, "closed_at": None, **first}
    state = dict(base)
    for point in told:
        state |= point.changes
    rest = {k: v for k, v in values.items() if state.get(k) != v and k != "closed_at"}
    closed = values.get("closed_at")
    if closed is not None and _ends(values.get("stage_id"), batch):
        if "stage_id" not in rest:
            at = max(i for i, point in enumerate(told) if "stage_id" in point.changes)
            told[at] = Point(told[at].at, {**told[at].changes, "closed_at": closed})
        else:
            rest["closed_at"] = closed
    if rest:
        at = min(closed, batch.moment) if closed is not None and closed > told[-1].at else batch.moment
        told.append(Point(at, rest))
    return [Point(start, base, inferred=start < told[0].at), *told]


def _closing(told: list[Point], values: Mapping[str, Any], batch: Batch, start: datetime) -> list[Point]:
    """With the close that the row dates, where no point tells of a stage: until then it is open, nobody knows where."""
    closed, stage_id = values.get("closed_at"), values.get("stage_id")
    if closed is None or not _ends(stage_id, batch) or any("stage_id" in point.changes for point in told):
        return told
    at = max(start, min(closed, batch.moment))
    same = [point for point in told if point.at == at]
    changes = {**(same[0].changes if same else {}), "stage_id": stage_id}
    others = [point for point in told if point.at != at]
    return sorted([*others, Point(at, changes, inferred=not same)], key=lambda point: point.at)


_OF_A_CLOSE = frozenset({
    "stage_id", "closed_at", "amount", "currency", "term_months", "loss_reason", "competitor",
})  # fmt: skip


def since(draft: Draft, batch: Batch) -> tuple[datetime, frozenset[str]] | None:
    """A deal that closes was closed since the day that it says, however late we hear of it."""
    closed = draft.changes.get("closed_at")
    assert draft.before is not None
    stage_id = draft.changes.get("stage_id")
    if closed is None or stage_id in (None, draft.before["stage_id"]) or not _ends(stage_id, batch):
        return None
    return (closed, _OF_A_CLOSE) if closed < batch.moment else None


def advance(before: Mapping[str, Any] | None, after: dict[str, Any], at: datetime, batch: Batch) -> None:
    if before is None:
        after["category"] = after["category"] or "open"
        after["push_count"] = after["push_count"] or 0
    progress.advance(before, after, at, batch.facts["stages"])


_MUST_END = {"close_won": "won", "close_lost": "lost", "reopen": "open"}


async def check(batch: Batch) -> None:
    for draft in batch.standing:
        wanted = _MUST_END.get(draft.intent or "")
        if wanted and draft.after["category"] != wanted:
            draft.refuse("stage_id", "stage_category", f"The stage must be a {wanted} one.")
    await requirements.check(batch)


def event_types(draft: Draft) -> list[str]:
    """A close, a reopening and a change of stage or owner have names of their own; all else is an update."""
    before, after = draft.before, draft.after
    types: list[str] = []
    if draft.outcome == "created":
        types.append("created")
        if after["category"] in progress.TERMINAL:
            types.append(after["category"])
        return types
    assert before is not None
    if before["category"] != after["category"]:
        types.append("reopened" if after["category"] == "open" else after["category"])
    elif before["stage_id"] != after["stage_id"]:
        types.append("stage_changed")
    if before["owner_id"] != after["owner_id"]:
        types.append("reassigned")
    return types or ["updated"]
