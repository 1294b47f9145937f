"""Several statements sent as one: each is a part, and PostgreSQL runs them all in a single round trip.

Parts of one script see the world as it was before it: none sees what another stores, but through `returning` and the
other's name. Foreign keys are checked when all are done. The text of a combination is made once for a single row, whose
values are parameters, and once for any number, which travel as one array a column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import asyncpg

from app.ground.database import lists
from app.ground.database.session import Session


@dataclass(frozen=True, slots=True)
class Part:
    """A statement with its own `$1 …`, and the name by which later parts of the script may read what it returns."""

    sql: str
    arguments: Sequence[Any]
    name: str = ""


# An alias may hold a dollar (`j$1`); a parameter never follows a letter.
_PARAMETER = re.compile(r"(?<![\w$])\$(\d+)")


def source(types: Mapping[str, str], first: int, *, single: bool) -> str:
    """Rows that come as parameters from `$first` on, to stand behind FROM as `x`. `types` are those of the columns.

    Lists stand behind a sub-select each: by the length of a list the planner would think a plan for these few rows
    much cheaper than one for any number, and plan anew every time. A single row needs neither; to start up as many
    sub-selects as it has columns takes longer than to store it. `place` counts the many, and a list of one element
    stands for all of them.
    """
    places = enumerate(types.items(), start=first)
    if single:
        return f"(select {', '.join(f'${i}::{type_} as {name}' for i, (name, type_) in places)}) x"
    many = f"${first + len(types)}::int"
    given = ", ".join(
        f"(select case cardinality(v) when 1 then array_fill(v[1], array[{many}]) else v end "
        f"from (select ${i}::text::{type_}[]) list(v))"
        for i, (_, type_) in places
    )
    return f"unnest({given}) with ordinality x({', '.join(types)}, place)"


def new_id(*, single: bool) -> str:
    """An expression for the id of each row of `source`.

    That of many is drawn once and counted on by their place: PostgreSQL may open the system's source of randomness for
    each id, which takes longer than all else that a row costs. 54 random bits are left for a statement.
    """
    if single:
        return "uuidv7()"
    return "((select substr(uuidv7()::text, 1, 31)) || lpad(to_hex(place), 5, '0'))::uuid"


def values(types: Mapping[str, str], columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """The parameters of `source`, given by column."""
    count = len(columns[0])
    if count == 1:
        return [column[0] for column in columns]
    given = zip(types.values(), columns, strict=True)
    return [*(lists.repeated(type_, column) for type_, column in given), count]


async def execute(session: Session, parts: Sequence[Part], answer: str = "select 1 as done") -> Any:
    """Run them all. `answer` is the one row to give back, made from parts by their names."""
    text = _script(tuple((part.sql, part.name, len(part.arguments)) for part in parts), answer)
    return await session.connection.fetchrow(text, *(x for part in parts for x in part.arguments))


@lru_cache(maxsize=1024)
def _script(parts: tuple[tuple[str, str, int], ...], answer: str) -> str:
    named = (
        f"{name or f'part_{place}'} as ({sql})"
        for place, (sql, (_, name, _)) in enumerate(zip(_numbered(parts), parts, strict=True))
    )
    return f"with {', '.join(named)} {answer}"


async def finish(session: Session, parts: Sequence[Part], answer: str, *, presumed: bool = False) -> Any:
    """As `execute`, where the session stands alone and nothing is written behind it."""
    text = _script(tuple((part.sql, part.name, len(part.arguments)) for part in parts), answer)
    try:
        return await session.finish(text, *(x for part in parts for x in part.arguments))
    except asyncpg.InvalidTextRepresentationError as error:
        if _REFUSED not in str(error):
            raise
        raise Refused(presumed=presumed) from None


_REFUSED = "refused by its own answer"


class Refused(Exception):
    """A script has undone itself. `presumed` is where it may be for what it took for granted: looked up, it can stand
    alone again."""

    def __init__(self, *, presumed: bool = False) -> None:
        self.presumed = presumed


def refusal(condition: str) -> str:
    """An expression of `answer` that ends the script where the condition holds: `Refused`, and nothing is stored.

    A cast that fails is the one way in which SQL alone can raise.
    """
    return f"(case when {condition} then '{_REFUSED}' end)::int"


def any_of(conditions: Sequence[Part], name: str) -> Part:
    """Whether one of these holds, as a part with one row: `name (holds)`."""
    text = _any_of(tuple((part.sql, part.name, len(part.arguments)) for part in conditions))
    return Part(text, [x for part in conditions for x in part.arguments], name)


@lru_cache(maxsize=1024)
def _any_of(parts: tuple[tuple[str, str, int], ...]) -> str:
    return f"select {' or '.join(f'({sql})' for sql in _numbered(parts))} as holds"


async def ask(session: Session, parts: Sequence[Part]) -> list[Any]:
    """Rows of all selects under each other: `(part, …)`, where `part` is the place of the select that gave the row."""
    text = _union(tuple((part.sql, part.name, len(part.arguments)) for part in parts))
    return await session.look(text, *(x for part in parts for x in part.arguments))


async def gather(session: Session, parts: Sequence[Part]) -> list[list[Any]]:
    """The rows of each select, all of one moment where the session is, as `together` gives them.

    What is too long together to be kept prepared is asked in several messages.
    """
    found: list[list[Any]] = []
    for batch in batches(parts):
        found += await together(session, batch)
    return found


async def together(session: Session, parts: Sequence[Part]) -> list[list[Any]]:
    """The rows of each select, to be read by place: of several selects they are tuples. Later parts may read those that
    are named."""
    if len(parts) == 1:
        return [await session.connection.fetch(parts[0].sql, *parts[0].arguments)]
    text = _together(tuple((part.sql, part.name, len(part.arguments)) for part in parts))
    found: list[list[Any]] = [[] for _ in parts]
    for place, row in await session.connection.fetch(text, *(x for part in parts for x in part.arguments)):
        found[place].append(row)
    return found


_LONGEST = 1 << 15
"""Half of what the pool keeps prepared, so that there is room for the words between."""


def batches(parts: Sequence[Part]) -> list[list[Part]]:
    """Those that go well in one message, in their order."""
    found: list[list[Part]] = []
    length = _LONGEST
    for part in parts:
        length += len(part.sql)
        if length > _LONGEST:
            found.append([])
            length = len(part.sql)
        found[-1].append(part)
    return found


@lru_cache(maxsize=1024)
def _together(parts: tuple[tuple[str, str, int], ...]) -> str:
    texts = list(zip(_numbered(parts), (name for _, name, _ in parts), strict=True))
    named = [f"{name} as materialized ({sql})" for sql, name in texts if name]
    selects = (
        f"select {place} as part, q as found from {name or f'({sql})'} q"
        for place, (sql, name) in enumerate(texts)
    )
    return f"{'with ' * bool(named)}{', '.join(named)} {' union all '.join(selects)}"


@lru_cache(maxsize=1024)
def _union(parts: tuple[tuple[str, str, int], ...]) -> str:
    return " union all ".join(
        f"select {place} as part, q.* from ({sql}) q" for place, sql in enumerate(_numbered(parts))
    )


def _numbered(parts: tuple[tuple[str, str, int], ...]) -> list[str]:
    """The parts' texts with their parameters counted through."""
    texts: list[str] = []
    before = 0
    for sql, _, count in parts:
        texts.append(_PARAMETER.sub(lambda found, n=before: f"${int(found[1]) + n}", sql))
        before += count
    return texts
