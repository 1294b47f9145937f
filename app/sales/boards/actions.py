"""The verbs of a board: with whose view it is asked, and whether it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.ground.access.again import again, identity
from app.ground.errors import Conflict, Forbidden
from app.language.resources.resource import Action, ActionCall
from app.sales.boards.rules import owner_of, publisher_of


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


async def _publish(call: ActionCall) -> dict[str, Any]:
    """A board is asked as its publisher would come in then, so it must be known who that is: what a token alone says
    of them is not kept."""
    principal, record = call.principal, call.record
    user_id, key_id = identity(principal)
    if user_id is None and key_id is None:
        raise Forbidden("A board has a user or a key for its publisher.", code="no_publisher")
    known = await again(call.session, principal.tenant, user_id, key_id)
    if known is None or (known.role, known.rep_id) != (principal.role, principal.rep_id):
        raise Conflict(
            "It would not show what you see: your user has another role or rep.", code="other_view"
        )
    if record["state"] == "published" and publisher_of(record) == (user_id, key_id):
        return {}
    return {
        "state": "published",
        "published_at": datetime.now(UTC),
        "published_by": known.name,
        "publisher_id": owner_of(known),
        "publisher_user_id": user_id,
        "publisher_key_id": key_id,
    }


async def _withdraw(call: ActionCall) -> dict[str, Any]:
    names = ("published_at", "published_by", "publisher_user_id", "publisher_key_id")
    return {"state": "draft", **dict.fromkeys(names)}


ACTIONS = (
    Action(
        name="publish", noun="boards", title="Publish",
        description=(
            "Give its audience the numbers as you see them, by your role and place at the time of each asking. Whoever "
            "publishes a board takes it over."
        ),
        input=Nothing, run=_publish,
    ),
    Action(
        name="withdraw", noun="boards", title="Withdraw", description="Make it a draft again, which nobody is given.",
        input=Nothing, run=_withdraw,
    ),
)  # fmt: skip
