"""The verbs of the organisation."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.language.resources.resource import Action, ActionCall


class ReassignManager(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    manager_id: str | None = Field(
        description="The new manager, by id or `source:external_id`; null makes this rep a head of the tree.",
        examples=["01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"],
    )
    at: str | None = Field(
        default=None,
        description="From when it holds (moment or day); now when left out. The past is rewritten from there.",
        examples=["2026-01-01"],
    )


async def _reassign_manager(call: ActionCall) -> dict[str, Any]:
    return {"manager_id": call.input.manager_id, "at": call.input.at}


reassign_manager = Action(
    name="reassign_manager",
    noun="reps",
    title="Reassign manager",
    description="Put a rep under another manager, from now or from a day in the past.",
    input=ReassignManager,
    run=_reassign_manager,
)
