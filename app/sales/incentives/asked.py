"""What a calculation is given, and its text while it is put together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.sql.elements import ColumnElement

from app.ground.database.session import compiled


@dataclass(frozen=True, slots=True)
class Period:
    id: UUID
    first: date
    last: date
    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Priced:
    """Rates of exchange, column by column."""

    source: list[str]
    target: list[str]
    day: list[date]
    rate: list[Any]


@dataclass(slots=True)
class Asked:
    """The text of a statement while it is put together, with what it is given."""

    arguments: list[Any] = field(default_factory=list)

    def give(self, value: Any, type_: str) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}::{type_}"

    async def of(self, session: Any, text: str) -> list[Any]:
        return await by_sets(session, text, *self.arguments)

    def express(self, expression: ColumnElement[Any]) -> str:
        """A formula, its constants behind those that were given before."""
        told = compiled(expression)
        offset = len(self.arguments)
        self.arguments += told.arguments({})
        return re.sub(r"\$(\d+)", lambda match: f"${int(match[1]) + offset}", told.sql)


_SETS = "set local enable_nestloop = off; set local work_mem = '128MB'"
_USUAL = "set local enable_nestloop = default; set local work_mem = default"


async def by_sets(session: Any, sql: str, *arguments: Any) -> list[Any]:
    """Of a tenant that no statistics know the planner takes every set for one row, and would compare each row of one
    with each of another. So what is joined here is hashed, and what is few is looked up by arrays."""
    await session.connection.execute(_SETS)
    rows = await session.connection.fetch(sql, *arguments)
    await session.connection.execute(_USUAL)
    return rows
