"""The verbs of a relief: approved or rejected, by whom and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.ground.errors import Conflict, Forbidden
from app.language.resources.resource import Action, ActionCall
from app.sales.targets import relief


class Decide(BaseModel):
    model_config = ConfigDict(extra="forbid")

    at: str | None = Field(
        default=None,
        description="Since when it holds (moment or day); now when left out. The past is rewritten from there.",
        examples=["2026-02-27"],
    )


_ALREADY = {
    "approved": Conflict("The relief is already approved.", code="already_approved"),
    "rejected": Conflict("The relief is already rejected.", code="already_rejected"),
}


def _decide(state: str) -> Callable[[ActionCall], Awaitable[dict[str, Any]]]:
    async def decide(call: ActionCall) -> dict[str, Any]:
        if not relief.may_decide(call.principal, call.record["rep_id"]):
            raise Forbidden("A manager above the rep decides, or an admin.", code="not_yours_to_decide")
        if call.record["state"] == state:
            raise _ALREADY[state]
        at = call.input.at
        told = {"decided_at": at} if at else {}
        return {"state": state, "decided_by_id": call.principal.rep_id, "at": at, **told}

    return decide


ACTIONS = (
    Action(
        name="approve", noun="quota_reliefs", title="Approve",
        description="Let a relief count. A manager above the rep does, or an admin, never the rep itself.",
        input=Decide, run=_decide("approved"),
    ),
    Action(
        name="reject", noun="quota_reliefs", title="Reject",
        description="Let a relief not count, also one that did. A manager above the rep does, or an admin.",
        input=Decide, run=_decide("rejected"),
    ),
)  # fmt: skip
