"""Who may write a board, and what it must be. What is published is never changed under its publisher's name by
somebody else: it would show them what the publisher sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from app.ground.access.again import identity
from app.ground.access.permissions import demand
from app.ground.access.principal import Principal
from app.ground.errors import AttainError, Conflict, Forbidden
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.question import MetricQuery, from_json
from app.language.resources.batch import Batch, Draft
from app.sales.boards import audience, questions

_DECISIVE = frozenset({"question", "for_everyone", "audience"})

_BELOW = "select rep_id from rep_reach where tenant_id = $1 and manager_id = $2 and rep_id = any($3)"
_AUDIENCE = "select * from board_audience where tenant_id = $1 and board_id = any($2) order by id"


async def prepare(batch: Batch) -> None:
    for draft in batch.standing:
        if draft.is_new:
            draft.changes["publisher_id"] = owner_of(batch.principal)


def owner_of(principal: Principal) -> UUID | None:
    """The rep whose board it is. An admin's is no rep's: those above would see by it what they do not see."""
    return None if principal.sees_all else principal.rep_id


class Rules:
    """The check of a write, which needs to know what numbers there are."""

    def __init__(self, metrics: MetricCatalogue) -> None:
        self.metrics = metrics

    async def check(self, batch: Batch) -> None:
        below, stored = await _below(batch), await _audiences(batch)
        for draft in batch.standing:
            if draft.before is not None and draft.outcome == "unchanged":
                continue
            try:
                _demand_place(draft, batch, below)
                if _decides(draft):
                    await self._judge(
                        draft, batch, draft.children.get("audience", stored.get(draft.record_id, ()))
                    )
            except AttainError as refused:
                draft.fail(refused)

    async def _judge(self, draft: Draft, batch: Batch, rows: Sequence[Mapping[str, Any]]) -> None:
        question = await self._question(draft, batch)
        everyone = draft.after["for_everyone"]
        errors = audience.kept(question.metrics) + audience.misread(rows)
        errors += audience.not_for_them(question.metrics, rows, everyone=everyone)
        if errors:
            draft.refuse_all(errors)

    async def _question(self, draft: Draft, batch: Batch) -> MetricQuery:
        written = draft.after["question"]
        if draft.is_new or "question" in draft.changed or draft.intent == "publish":
            demand(batch.principal, "metrics", "read")
            return await questions.read(
                batch.session, batch.principal, batch.catalogue, self.metrics, written
            )
        return from_json(self.metrics, batch.principal, written, pointer=questions.POINTER)


def _decides(draft: Draft) -> bool:
    """Whether it changes what is asked, with whose view, or who is told."""
    return draft.is_new or draft.intent == "publish" or not _DECISIVE.isdisjoint(draft.changed)


def publisher_of(record: Mapping[str, Any]) -> tuple[UUID | None, UUID | None]:
    """User and key, as `identity` tells them."""
    return record["publisher_user_id"], record["publisher_key_id"]


def _demand_place(draft: Draft, batch: Batch, below: set[UUID]) -> None:
    before = draft.before
    if before is None:
        return
    if batch.principal.role != "admin" and before["publisher_id"] not in below:
        raise Forbidden(
            "A board is changed by whoever it is of, those above them, and admins.", code="not_yours"
        )
    stays = before["state"] == draft.after["state"] == "published" and draft.intent != "publish"
    if stays and _decides(draft) and publisher_of(before) != identity(batch.principal):
        raise Conflict(
            f"It shows what {before['published_by']} sees. Withdraw it first, then publish it as yours.",
            code="not_publisher",
        )


async def _below(batch: Batch) -> set[UUID]:
    """Of the reps whose boards these are, those below the writer."""
    owners = {d.before["publisher_id"] for d in batch.standing if d.before is not None}
    rows = await batch.session.connection.fetch(
        _BELOW, batch.session.tenant_id, batch.principal.rep_id, [x for x in owners if x is not None]
    )
    return {row["rep_id"] for row in rows}


async def _audiences(batch: Batch) -> dict[UUID | None, list[Any]]:
    """The stored rows of those boards whose audience the request leaves as it is."""
    ids = [d.record_id for d in batch.standing if d.before is not None and "audience" not in d.children]
    found: dict[UUID | None, list[Any]] = {}
    if ids:
        for row in await batch.session.connection.fetch(_AUDIENCE, batch.session.tenant_id, ids):
            found.setdefault(row["board_id"], []).append(row)
    return found
