"""What a write of one noun entails for records of another takes their own write path: rules, history, events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.language.resources.batch import Batch, Draft, raise_first
from app.language.resources.steps import run

CHUNK = 5_000


def served(principal: Principal) -> Principal:
    """The same actor, with the reach of the service: what follows from a write does not stop where its writer's
    view ends."""
    return replace(principal, role="admin", rep_id=None, scopes=frozenset())


async def follow(
    cause: Batch,
    plural: str,
    changes: Mapping[UUID, dict[str, Any]],
    *,
    children: Mapping[UUID, dict[str, list[dict[str, Any]]]] | None = None,
    delete: bool = False,
) -> None:
    """Change these records with the same moment, origin and actor as the write that they follow from.

    `changes` are columns by record, references as UUIDs. A refusal refuses the whole write: raises what it is refused
    with.
    """
    resource = cause.catalogue[plural]
    ids = sorted(changes)
    for start in range(0, len(ids), CHUNK):
        drafts = [
            Draft(index, {**changes[id_], **(children or {}).get(id_, {})}, record_id=id_, delete=delete)
            for index, id_ in enumerate(ids[start : start + CHUNK])
        ]
        batch = Batch(
            cause.session, served(cause.principal), cause.catalogue, resource, drafts, cause.moment, cause.origin,
            cause.source,
        )  # fmt: skip
        await run(batch)
        for draft in drafts:
            raise_first(draft)
