"""What numbers need to know of nouns: who sees the rows, what a group is called, which record a filter names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from sqlalchemy import ARRAY, Table, Text, any_, column, func, or_, select, table, union
from sqlalchemy.dialects import postgresql

from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import external_ids
from app.ground.errors import FieldError, Invalid, NotFound, did_you_mean
from app.language.metrics.metric import Dimension, MetricCatalogue, Visible
from app.language.metrics.question import NOBODY
from app.language.query import merged
from app.language.query.binds import Binds
from app.language.query.source import source

if TYPE_CHECKING:
    from app.language.metrics.plan import Asked


class Noun(Protocol):
    """What of a resource is read here; the two languages know nothing else of each other."""

    @property
    def plural(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def table(self) -> Table: ...
    @property
    def label(self) -> str: ...
    @property
    def visible(self) -> Visible: ...


class Nouns(Protocol):
    def __getitem__(self, plural: str, /) -> Any: ...


class _Labels(Binds):
    @property
    def moment(self) -> Any:
        return self.named("asked", postgresql.TIMESTAMP(timezone=True))


class Names:
    """What records are called: at the moment of a question, or now where they were first heard of later."""

    __slots__ = ("_now", "_then")

    def __init__(self) -> None:
        self._now: dict[tuple[str, Any], str] = {}
        self._then: dict[tuple[str, Any], str] = {}

    @classmethod
    def all(cls, several: Iterable[Names]) -> Names:
        found = cls()
        for names in several:
            found._now |= names._now
            found._then |= names._then
        return found

    def take(self, noun: str, then: bool, rows: Iterable[Sequence[Any]]) -> None:
        (self._then if then else self._now).update(((noun, id_), label) for id_, label in rows)

    def name(self, dimension: Dimension, value: Any) -> str | None:
        if value is None:
            return dimension.nobody
        key = (dimension.noun or "", value)
        return self._then.get(key) or self._now.get(key) or str(value)


_ID = postgresql.UUID(as_uuid=True)


def behind(
    noun: Noun, metrics: MetricCatalogue, asked: Asked, columns: Sequence[tuple[str, str]]
) -> Iterator[tuple[Statement, bool]]:
    """Statements that name the records in columns of named sums of a script, and whether each is of the past."""
    ids = union(*(select(table(name, column(key, _ID)).c[key]) for name, key in columns))
    for past in (True, False) if asked.past else (False,):
        binds = _labels(asked, past)
        key = ("names behind", noun.plural, binds.signature, tuple(columns))
        yield metrics.statement(key, partial(_called, noun, binds, func.array(ids.scalar_subquery()))), past


async def names(
    session: Session,
    nouns: Nouns,
    metrics: MetricCatalogue,
    asked: Asked,
    dimensions: Sequence[Dimension],
    groups: Iterable[Sequence[Any]],
) -> Names:
    """Of every record in these groups."""
    wanted: dict[str, set[Any]] = defaultdict(set)
    for group in groups:
        for dimension, value in zip(dimensions, group, strict=True):
            if dimension.noun is not None and value is not None:
                wanted[dimension.noun].add(value)
    found = Names()
    for noun, ids in wanted.items():
        for past in (True, False) if asked.past else (False,):
            binds = _labels(asked, past)
            build = partial(_called, nouns[noun], binds, binds.named("ids", ARRAY(_ID)))
            text = metrics.statement(("names", noun, binds.signature), build)
            found.take(noun, past, await session.fetch(text, ids=sorted(ids), **asked.values(())))
    return found


def _labels(asked: Asked, past: bool) -> Binds:
    binds = _Labels.of(asked.principal, as_of=past)
    binds.known_now = asked.question.known_at is None
    return binds


def _called(noun: Noun, binds: Binds, ids: Any) -> Statement:
    record = source(noun.table, binds, "record", tracked_only=True)
    return compiled(
        select(record.c.id, record.c[noun.label].label("label")).where(
            record.c.tenant_id == binds.tenant, record.c.id == any_(ids)
        )
    )


_KEY = re.compile(r"(?P<source>[a-z0-9_]+):(?P<external_id>.+)")


async def resolve(
    session: Session,
    principal: Principal,
    nouns: Nouns,
    dimension: Dimension,
    written: Sequence[str],
    at: datetime | None = None,
) -> tuple[list[Any], bool]:
    """The values that a filter asks for, and whether those without a value are asked for too.

    `at` is the moment of the past that is asked for. A record is named by its id, `source:external_id`, `me`, or its
    name where only one visible record has it.
    """
    values = [text for text in written if text != NOBODY]
    if dimension.noun is None:
        return values, NOBODY in written
    noun = nouns[dimension.noun]
    found = [await _record(session, principal, noun, dimension, text, at) for text in values]
    return found, NOBODY in written


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


async def _record(
    session: Session, principal: Principal, noun: Noun, dimension: Dimension, text: str, at: datetime | None
) -> UUID:
    pointer = f"?{dimension.name}"
    if text == "me" and dimension.noun == "reps":
        if principal.rep_id is None:
            raise Invalid.field(pointer, "no_rep", "You are no rep, so `me` is nobody here.")
        return principal.rep_id
    binds, then = Binds.of(principal), Binds.of(principal, as_of=at is not None)
    record = noun.table.alias("record")
    label = record.c[noun.label]
    seen = noun.visible(record, binds)
    there = [record.c.tenant_id == binds.tenant, *([] if seen is None else [seen])]
    living = [*there, record.c.deleted_at.is_(None)]
    absent = FieldError(pointer, "reference_not_found", f"There is no such {noun.title.lower()}.")
    refusal = NotFound(absent.message, code=absent.code, errors=[absent])
    if (id_ := _uuid(text)) is not None:
        # A deleted one too: whoever has left had numbers.
        wanted = binds.named("id", postgresql.UUID(as_uuid=True))
        if merged.mergeable(noun.table):
            id_ = await session.fetchval(select(merged.led(noun.table, then, wanted)), id=id_, as_of=at)
        by_id = select(record.c.id).where(*there, record.c.id == wanted)
        if await session.fetchval(by_id, **binds.standing(principal), id=id_) is None:
            raise refusal
        return id_
    if match := _KEY.fullmatch(text):
        x = external_ids
        by_name = select(merged.called(noun.table, then, x)).where(
            x.c.tenant_id == binds.tenant, x.c.noun == noun.plural,
            x.c.source == match["source"], x.c.external_id == match["external_id"],
        )  # fmt: skip
        key = await session.fetchval(by_name, as_of=at)
        # One that has been merged since is meant where the moment is one of its life.
        ended = [record.c[merged.LINK].is_not(None)] if merged.mergeable(noun.table) else []
        one = select(record.c.id).where(
            *there,
            or_(record.c.deleted_at.is_(None), *ended),
            record.c.id == binds.named("id", postgresql.UUID(as_uuid=True)),
        )
        if key is not None and await session.fetchval(one, **binds.standing(principal), id=key) is not None:
            return key
    named = (
        select(record.c.id)
        .where(*living, func.lower(label) == func.lower(binds.named("name", Text())))
        .limit(2)
    )
    rows = await session.fetch(named, **binds.standing(principal), name=text)
    if len(rows) == 1:
        return rows[0]["id"]
    if rows:
        raise Invalid.field(pointer, "ambiguous", f'Several records are called "{text}"; give an id.')
    if _KEY.fullmatch(text):
        raise refusal
    known = await session.fetch(
        select(label.label("label")).where(*living).limit(500), **binds.standing(principal)
    )
    raise Invalid.field(
        pointer, "unknown_reference",
        f'There is no {noun.title.lower()} "{text}".{did_you_mean(text, [r["label"] for r in known if r["label"]])}',
    )  # fmt: skip
