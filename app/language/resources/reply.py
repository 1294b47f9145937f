"""What a single write is told in the very statement that stores it: the record as JSON, and whether the writer sees it.

A statement does not see what it stores but in what it returns. So the record is written from that row; where its JSON,
or who sees it, hangs on anything else that has just been written, it is asked afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Table, column, false, func, not_, select, table
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ClauseElement

from app.ground.access.idempotency import Claim, Keeping
from app.ground.access.principal import Principal
from app.ground.database.script import Part
from app.ground.database.session import Statement, compiled
from app.language.query.binds import Binds
from app.language.resources.records import STORED
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.scopes import demand_nouns
from app.language.resources.select import record_json
from app.language.resources.shape import Shape

ANSWER = "answer"
UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Reply:
    """The record in this shape. `keep` gives, from its id and version, what is to be stored with the answer."""

    shape: Shape
    keep: Callable[[UUID, int], Keeping] | None = None
    claim: Claim | None = None
    """The Idempotency-Key, where the write is to ask for it."""


def answer(
    principal: Principal, catalogue: Catalogue, resource: Resource, shape: Shape, *, seen: bool
) -> Part | None:
    """`(id, json, unseen)` of what is stored; None where its JSON needs more than that. `unseen` is there where `seen`
    is asked: that its writer is not sure to see it."""
    demand_nouns(principal, catalogue, resource, shape)
    binds = Binds.of(principal)
    statement = _answer(catalogue, resource, shape, binds.signature, seen)
    if statement is None:
        return None
    return Part(statement.sql, statement.arguments(binds.standing(principal)), ANSWER)


@lru_cache(maxsize=512)
def _answer(
    catalogue: Catalogue, resource: Resource, shape: Shape, asker: tuple[Any, ...], seen: bool
) -> Statement | None:
    if resource.is_settled:
        return None
    row, binds = _row(resource), Binds.signed(asker)
    json = record_json(catalogue, binds, resource, shape, row)
    statement = select(row.c.id, json.label("json")).select_from(row)
    written = {resource.table, *(child.table for child in resource.children)}
    if written & _tables(statement):
        return None
    visible = resource.visible(row, binds.for_new()) if seen else None
    unseen = false() if visible is None else not_(func.coalesce(visible, False))
    return compiled(statement.add_columns(unseen.label("unseen")) if seen else statement)


def unseen(principal: Principal, resource: Resource) -> Part | None:
    """How many of the rows stored their writer is not sure to see; None where it sees everything."""
    if principal.sees_all:
        return None
    binds = Binds.of(principal)
    statement = _unseen(resource, binds.signature)
    if statement is None:
        return None
    return Part(statement.sql, statement.arguments(binds.standing(principal)), UNSEEN)


@lru_cache(maxsize=512)
def _unseen(resource: Resource, asker: tuple[Any, ...]) -> Statement | None:
    row = _row(resource)
    visible = resource.visible(row, Binds.signed(asker).for_new())
    if visible is None:
        return None
    return compiled(
        select(func.count().label("n")).select_from(row).where(not_(func.coalesce(visible, False)))
    )


def _row(resource: Resource) -> Any:
    return table(STORED, *(column(c.name, c.type) for c in resource.table.columns))


def _tables(statement: ClauseElement) -> set[Table]:
    return {x for x in visitors.iterate(statement) if isinstance(x, Table)}
