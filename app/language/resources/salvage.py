"""When the database refuses a batch: find the rows at fault by halving it, and let the others in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from app.ground.database.session import Session
from app.ground.errors import Forbidden
from app.language.resources.batch import Draft
from app.language.resources.records import LostRace

RACES = 3


async def salvage(
    session: Session,
    drafts: list[Draft],
    attempt: Callable[[list[Draft]], Awaitable[None]],
    races: int = RACES,
) -> None:
    """Run a batch; where its values are refused, run its halves, down to the row at fault.

    What is not the fault of values (a deadlock, a lost connection) is the edge's business and passes through.
    """
    if not drafts:
        return
    pristine = [dict(d.changes) for d in drafts]
    await session.connection.execute("savepoint part")
    try:
        await attempt(drafts)
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, Forbidden, LostRace) as error:
        await session.connection.execute("rollback to savepoint part")
        _reset(drafts, pristine)
        if isinstance(error, LostRace) and races:
            await salvage(session, drafts, attempt, races - 1)
        elif len(drafts) > 1:
            middle = len(drafts) // 2
            await salvage(session, drafts[:middle], attempt)
            await salvage(session, drafts[middle:], attempt)
        elif isinstance(error, Forbidden):
            drafts[0].fail(error)
        else:
            drafts[0].refuse("", *_refusal(error))
    else:
        await session.connection.execute("release savepoint part")


def _reset(drafts: list[Draft], pristine: list[dict[str, Any]]) -> None:
    for draft, changes in zip(drafts, pristine, strict=True):
        fresh = Draft(
            draft.index, changes, external_key=draft.external_key, if_version=draft.if_version, live=draft.live,
            intent=draft.intent, delete=draft.delete, source_updated_at=draft.source_updated_at,
            stub=draft.stub, into=draft.into,
        )  # fmt: skip
        for name in Draft.__slots__:
            setattr(draft, name, getattr(fresh, name))


def _refusal(error: Exception) -> tuple[str, str]:
    if isinstance(error, asyncpg.UniqueViolationError | LostRace):
        return "duplicate", "Another record already has these values."
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return "reference_not_found", "A record that this row refers to does not exist."
    if isinstance(error, asyncpg.CheckViolationError):
        return "refused", f"The values break the rule {error.as_dict().get('constraint_name')}."
    return "refused", "The database refuses these values."
