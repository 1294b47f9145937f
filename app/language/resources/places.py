"""Where the rows of a batch say whom they refer to."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from app.language.resources.batch import Batch, Draft
from app.language.resources.payload import child_names, instant
from app.language.resources.resource import Child, Resource


class Place(NamedTuple):
    """Where a reference stands: `values[name]`, called `path` + `name` in the row."""

    draft: Draft
    values: dict[str, Any]
    name: str
    path: str


@lru_cache
def _kinds(holder: Resource | Child) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Which fields are references, with their nouns, and which are moments."""
    fields = holder.by_name.values()
    return (
        tuple((x.name, x.target) for x in fields if x.kind == "reference" and x.target),
        tuple(x.name for x in fields if x.kind == "moment"),
    )


def of(batch: Batch) -> dict[str, list[Place]]:
    """Every reference that is still a caller's word, by noun. Days become moments on the way."""
    slots: dict[str, list[Place]] = {}
    principal, resource = batch.principal, batch.resource

    def collect(draft: Draft, values: dict[str, Any], holder: Resource | Child, path: str) -> None:
        references, moments = _kinds(holder)
        for name, target in references:
            if isinstance(values.get(name), str):
                slots.setdefault(target, []).append(Place(draft, values, name, path))
        for name in moments:
            if values.get(name) is not None:
                values[name] = instant(values[name], principal)

    for draft in batch.standing:
        collect(draft, draft.changes, resource, "")
        for name in child_names(resource, draft.changes):
            child = resource.children_by_name[name.removesuffix("_merge")]
            for index, row in enumerate(draft.changes[name]):
                collect(draft, row, child, f"{name}/{index}/")
        for index, row in enumerate(draft.changes.get("history") or ()):
            row["at"] = instant(row["at"], principal)
            collect(draft, row, resource, f"history/{index}/")
    return slots
