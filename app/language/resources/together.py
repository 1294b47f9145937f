"""Creates that meet are stored by one statement: of what one costs, most is there to be set up once.

Each has gone its own way so far, judged by its own rules, and is answered by itself. What is common is the caller, the
shape, and what was presumed (`presumed.py`); where any of that is not so, or any of them is refused by the database, it
has stored nothing, and each goes on by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import asyncpg

from app.ground.access import idempotency
from app.ground.database import script
from app.ground.database.script import Refused
from app.language.resources import reply as replies
from app.language.resources.batch import Batch
from app.language.resources.presumed import PRESUMED, Presumed
from app.language.resources.records import stamped
from app.language.resources.reply import ANSWER, Reply

_OF_ONE = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.TransactionRollbackError)
"""What the database says of all where it may mean one; and surely nothing is stored."""


@dataclass(frozen=True, slots=True)
class Rider:
    batch: Batch
    reply: Reply
    presumed: Presumed


def rider(batch: Batch, reply: Reply | None) -> Rider | None:
    """None for a write that nobody may go with."""
    if batch.presumed is None or reply is None or batch.session.database is None:
        return None
    if not batch.session.alone or batch.clearing or batch.storing or batch.claims:
        return None
    return Rider(batch, reply, batch.presumed)


async def store(
    rider: Rider, alone: Callable[[], Awaitable[str | None]], gather: Callable[[Batch], None]
) -> str | None:
    """The record's JSON. `alone` stores it where it meets nobody; `gather` puts what is to be stored into a batch."""
    database = rider.batch.session.database
    assert database is not None

    async def go(riders: Sequence[Rider]) -> Sequence[str | None]:
        if len(riders) == 1:
            return [await alone()]
        return await _store(riders, gather)

    return await database.convoys.join(_kind(rider), rider, go)


def _kind(rider: Rider) -> Hashable:
    """What they must have in common, so that one text and one caller's arguments serve all of them."""
    batch = rider.batch
    columns = stamped(batch.drafts[0], batch.resource)
    keyed = rider.presumed.claim is not None
    return batch.principal, batch.resource.plural, rider.reply.shape, rider.presumed.revision, columns, keyed


async def _store(riders: Sequence[Rider], gather: Callable[[Batch], None]) -> Sequence[str]:
    first = riders[0].batch
    principal, resource, tenant_id = first.principal, first.resource, first.session.tenant_id
    assert first.session.database is not None
    async with first.session.database.opening(tenant_id) as session:
        drafts = [draft for x in riders for draft in x.batch.drafts]
        batch = replace(first, session=session, drafts=drafts, clearing=[], storing=[], unheld=[])
        gather(batch)
        unseen = replies.unseen(principal, resource)
        answer = replies.answer(
            principal, batch.catalogue, resource, riders[0].reply.shape, seen=unseen is not None
        )
        if answer is None or batch.clearing:
            raise Refused(presumed=True)
        parts = [*batch.storing, answer, Presumed.together([x.presumed for x in riders])]
        kept = {
            draft.after["id"]: x.reply.keep(draft.after["id"], draft.after["version"])
            for x, draft in zip(riders, drafts, strict=True)
            if x.reply.keep is not None
        }
        if kept:
            parts.append(idempotency.all_kept(kept))
        told = [f"{script.refusal(f'(select holds from {PRESUMED})')} as {PRESUMED}"]
        if unseen is not None:
            told.append(f"{script.refusal(f'(select bool_or(unseen) from {ANSWER})')} as unseen")
        told.append(f"(select array_agg(json::text order by id) from {ANSWER}) as json")
        try:
            row = await script.finish(session, parts, f"select {', '.join(told)}", presumed=True)
        except _OF_ONE:
            raise Refused(presumed=True) from None
    found = dict(zip(sorted(draft.after["id"] for draft in drafts), row["json"], strict=True))
    return [found[draft.after["id"]] for draft in drafts]
