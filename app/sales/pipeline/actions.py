"""The verbs of a deal. Each says which fields change; the one write path does the rest."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.ground.errors import Conflict
from app.language.resources.resource import Action, ActionCall

_ID = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Move(_Input):
    stage_id: str = Field(description="The stage to move to, by id or `source:external_id`.", examples=[_ID])


class CloseWon(_Input):
    stage_id: str | None = Field(
        default=None, description="Which won stage; the pipeline's first when left out.", examples=[_ID]
    )
    closed_at: str | None = Field(
        default=None,
        description="When it was won (moment or day); now when left out.",
        examples=["2026-03-31"],
    )
    amount: float | None = Field(
        default=None, description="The final amount, where it differs.", examples=[1054]
    )


class CloseLost(_Input):
    stage_id: str | None = Field(
        default=None, description="Which lost stage; the pipeline's first when left out.", examples=[_ID]
    )
    closed_at: str | None = Field(
        default=None,
        description="When it was lost (moment or day); now when left out.",
        examples=["2026-03-31"],
    )
    loss_reason: str | None = Field(default=None, description="Why.", examples=["price"])
    competitor: str | None = Field(default=None, description="To whom.", examples=["Globex"])


class Reopen(_Input):
    stage_id: str | None = Field(
        default=None,
        description="The open stage to go back to; the pipeline's first when left out.",
        examples=[_ID],
    )


class Reassign(_Input):
    owner_id: str = Field(description="The new owner, by id, `source:external_id` or `me`.", examples=[_ID])


_FIRST = """
select id from stages where tenant_id = $1 and pipeline_id = $2 and category = $3 and deleted_at is null
order by position, id limit 1
"""


async def _stage_of(call: ActionCall, category: str) -> Any:
    """The stage asked for, which must be of this category, else the first of it in the deal's pipeline."""
    if call.input.stage_id is not None:
        return call.input.stage_id
    found = await call.session.connection.fetchval(
        _FIRST, call.session.tenant_id, call.record["pipeline_id"], category
    )
    if found is None:
        raise Conflict(f"The deal's pipeline has no {category} stage.", code="no_such_stage")
    return str(found)


def _given(call: ActionCall, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(call.input, name)) is not None}


async def _move(call: ActionCall) -> dict[str, Any]:
    return {"stage_id": call.input.stage_id}


async def _close_won(call: ActionCall) -> dict[str, Any]:
    if call.record["category"] == "won":
        raise Conflict("The deal is already won.", code="already_won")
    return {
        "stage_id": await _stage_of(call, "won"),
        **_given(call, "closed_at", "amount"),
    }


async def _close_lost(call: ActionCall) -> dict[str, Any]:
    if call.record["category"] == "lost":
        raise Conflict("The deal is already lost.", code="already_lost")
    return {
        "stage_id": await _stage_of(call, "lost"),
        **_given(call, "closed_at", "loss_reason", "competitor"),
    }


async def _reopen(call: ActionCall) -> dict[str, Any]:
    if call.record["category"] == "open":
        raise Conflict("The deal is open.", code="already_open")
    return {"stage_id": await _stage_of(call, "open")}


async def _reassign(call: ActionCall) -> dict[str, Any]:
    return {"owner_id": call.input.owner_id}


def _verb(name: str, title: str, description: str, input_: type[BaseModel], run: Any) -> Action:
    return Action(
        name=name, noun="opportunities", title=title, description=description, input=input_, run=run
    )


ACTIONS = (
    _verb("move", "Move to a stage", "Move a deal to another stage; into a won or lost stage it closes.", Move, _move),
    _verb("close_won", "Close as won", "Win a deal: it enters a won stage and its owner is credited.", CloseWon,
          _close_won),
    _verb("close_lost", "Close as lost", "Lose a deal, with the reason and the competitor.", CloseLost, _close_lost),
    _verb("reopen", "Reopen", "Take a close back: the deal is open again and its credit withdrawn.", Reopen, _reopen),
    _verb("reassign", "Reassign", "Give a deal to another rep; a closed deal keeps its credit.", Reassign, _reassign),
)  # fmt: skip
