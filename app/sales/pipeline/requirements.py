"""What a stage demands of the deals that enter it: `required_fields`, fields and lists of the deal by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from app.ground.errors import did_you_mean
from app.language.resources.batch import Batch, Draft
from app.language.resources.custom import PREFIX
from app.language.resources.fields import CUSTOM


async def check_names(batch: Batch) -> None:
    """A stage may demand what somebody can fill in: written fields of a deal, and its lists."""
    deals = batch.catalogue["opportunities"]
    known = {x.name for x in deals.writable} - {CUSTOM} | set(deals.children_by_name)
    known |= {PREFIX + name for name in batch.principal.tenant.custom.of(deals.plural)}
    for draft in batch.standing:
        for name in _names(draft.after):
            if name not in known:
                hint = did_you_mean(str(name), known)
                draft.refuse(
                    "required_fields", "unknown_field", f'A deal has no field "{name}" to fill in.{hint}'
                )


async def check(batch: Batch) -> None:
    """Refuse deals that enter a stage without what it demands, by each field that is missing.

    Also new deals, and rows of an upsert: a source that moves a deal has to bring what the stage demands. The past is
    not judged by today's demands: `origin=backfill` is let in as it was.
    """
    if batch.origin == "backfill":
        return
    moving = (draft for draft in batch.standing if not draft.same)
    entering = [(draft, stage) for draft in moving if (stage := _entered(draft, batch)) is not None]
    filled = await _stored_lists(batch, entering)
    for draft, stage in entering:
        for name in _names(stage):
            if not _has(draft, name, filled):
                draft.refuse(name, "stage_requirements", f'The stage "{stage["name"]}" needs {name}.')


def _entered(draft: Draft, batch: Batch) -> Mapping[str, Any] | None:
    """The stage that a deal comes to with this write, if it demands anything."""
    stage = batch.facts["stages"].get(draft.after.get("stage_id"))
    if stage is None or draft.delete or (draft.before and draft.before["stage_id"] == stage["id"]):
        return None
    return stage if _names(stage) else None


def _names(stage: Mapping[str, Any]) -> list[Any]:
    names = stage.get("required_fields")
    return names if isinstance(names, list) else []


def _has(draft: Draft, name: str, filled: Mapping[str, set[UUID]]) -> bool:
    if name in draft.children:
        return bool(draft.children[name])
    if name in filled:
        return draft.record_id in filled[name]
    return draft.after.get(name) not in (None, "")


async def _stored_lists(
    batch: Batch, entering: Iterable[tuple[Draft, Mapping[str, Any]]]
) -> dict[str, set[UUID]]:
    """For each list that is demanded, which of the deals that did not send it have rows in it."""
    entering = list(entering)
    found: dict[str, set[UUID]] = {}
    for child in batch.resource.children:
        asked = [
            d.record_id
            for d, stage in entering
            if child.name in _names(stage) and child.name not in d.children
        ]
        if not asked:
            continue
        rows = await batch.session.connection.fetch(
            f"select distinct {child.parent} as id from {child.table.name} "
            f"where tenant_id = $1 and {child.parent} = any($2)",
            batch.session.tenant_id,
            asked,
        )
        found[child.name] = {row["id"] for row in rows}
    return found
