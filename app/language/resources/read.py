"""Reading records: one statement a question, and its JSON passes through as PostgreSQL wrote it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any
from uuid import UUID

from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import Invalid, NotFound
from app.language.query import paging, periods
from app.language.query.binds import Binds
from app.language.resources import aliases, references
from app.language.resources.filter import Filter, Values, meaning
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.scopes import demand_nouns
from app.language.resources.select import Question, checked_sort, named_sort, statement
from app.language.resources.shape import Shape

CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question for a list. `after` and `before` are cursors; `as_of` asks for a moment of the past by what was
    known at `known_at`, which is now when left out."""

    resource: Resource
    shape: Shape
    filter: Filter | None = None
    values: Values = field(default_factory=Values)
    sort: tuple[str, ...] = ()
    limit: int = 50
    after: str | None = None
    before: str | None = None
    deleted: bool = False
    total: bool = False
    as_of: datetime | None = None
    known_at: datetime | None = None
    cursors: bool = True
    """Whether the page must tell what lies around it."""


@dataclass
class Page:
    """`rows` are JSON texts in the order asked for. `total` is None unless it was asked for. Of a page without cursors
    nothing else is known."""

    rows: list[str]
    keys: Sequence[tuple[str | None, ...]]
    has_more: bool
    has_previous: bool
    question: str | Callable[[], str]
    """What its cursors are bound to; reckoned when the first of them is asked for."""
    total: int | None = None

    def cursor(self, index: int) -> str:
        if not isinstance(self.question, str):
            self.question = self.question()
        return paging.encode(self.keys[index], self.question)

    @cached_property
    def next_cursor(self) -> str | None:
        return self.cursor(-1) if self.has_more and self.rows else None

    @cached_property
    def previous_cursor(self) -> str | None:
        return self.cursor(0) if self.has_previous and self.rows else None


NO_PAGE = Page([], [], False, False, "")
"""Of a list of which only something else was asked."""


async def page(session: Session, principal: Principal, catalogue: Catalogue, query: Query) -> Page:
    """Raises Invalid for a sort that is not there, BadCursor for a cursor of another question."""
    sort = checked_sort(catalogue, query.resource, principal, query.sort or query.resource.default_sort)
    demand_nouns(principal, catalogue, query.resource, query.shape, query.filter, sort)
    values = await values_of(session, principal, query)
    order = order_of(principal, catalogue, query.resource, sort, values)
    if query.after is not None and query.before is not None:
        raise Invalid.field("?before", "two_cursors", "Give a cursor forwards or backwards, not both.")
    length = len(sort) + (not any(name.removeprefix("-") == "id" for name in sort))
    text = query.after if query.after is not None else query.before
    mark = partial(mark_of, principal, query, sort)
    cursor = paging.decode(text, mark(), length) if text is not None else None
    backwards = query.before is not None
    question = Question(
        plural=query.resource.plural,
        shape=query.shape,
        filter=query.filter,
        sort=order,
        nulls=cursor.nulls if cursor else None,
        backwards=backwards,
        deleted=query.deleted,
        total=query.total,
        single=None,
        trusted=False,
        asker=Binds.of(principal, as_of=query.as_of is not None).signature,
        cursors=query.cursors,
    )
    if cursor:
        values |= {f"k{i}": value for i, value in enumerate(cursor.values)}
    # The row beyond the page tells that there is more.
    page_size = query.limit + query.cursors
    rows = await session.fetch(statement(catalogue, question), **values, page_size=page_size)
    total = rows[0]["total"] if query.total else None
    if query.total:
        rows = [row for row in rows if row["json"] is not None]
    more, rows = len(rows) > query.limit, rows[: query.limit]
    if backwards:
        rows.reverse()
    return Page(
        rows=[row[0] for row in rows],
        keys=[row[1 : length + 1] for row in rows] if query.cursors else [],
        has_more=True if backwards else more,
        has_previous=more if backwards else cursor is not None,
        question=mark,
        total=total,
    )


async def one(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str | UUID,
    shape: Shape,
    *,
    deleted: bool = False,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    written: bool = False,
    values: Values | None = None,
) -> str:
    """One record as JSON text. NotFound whether it is absent, deleted, foreign or not visible. The id of one that was
    merged answers the one that took it over, as a source's name of it does.

    `written` answers what the caller has just written, even if it has handed it to somebody else.
    """
    found = reference if isinstance(reference, UUID) else references.parse(reference)
    if reference == "me" and resource.plural == "reps":
        found = principal.rep_id
    if found is None:
        raise NotFound(f"There is no such {resource.title.lower()}.")
    demand_nouns(principal, catalogue, resource, shape)
    question = Question(
        plural=resource.plural,
        shape=shape,
        filter=None,
        sort=(),
        nulls=None,
        backwards=False,
        deleted=deleted or written,
        total=False,
        single="id" if isinstance(found, UUID) else "key",
        trusted=written,
        asker=Binds.of(principal, as_of=as_of is not None).signature,
    )
    named = (
        {"record_id": found}
        if isinstance(found, UUID)
        else {"key_source": found[0], "key_external": found[1]}
    )  # fmt: skip
    standing = Binds.of(principal).standing(principal)
    binds: dict[str, Any] = {}
    if values is not None:
        binds = values.binds | (await _periods(session, principal, values) if values.periods else {})
    text = await session.fetchval(
        statement(catalogue, question), **standing, **named, **binds, **moments(as_of, known_at)
    )
    if text is None and isinstance(found, UUID):
        taker = await aliases.survivor(session, resource, found, as_of=as_of)
        if taker is not None:
            return await one(
                session, principal, catalogue, resource, taker, shape,
                deleted=deleted, as_of=as_of, known_at=known_at, values=values,
            )  # fmt: skip
    if text is None:
        raise NotFound(f"There is no such {resource.title.lower()}.")
    return text


async def stream(
    session: Session, principal: Principal, catalogue: Catalogue, query: Query
) -> AsyncIterator[list[str]]:
    """All rows in chunks, page by page in one transaction; whoever wants one picture opens it repeatable read."""
    cursor = query.after
    while True:
        part = await page(
            session, principal, catalogue, _with(query, limit=CHUNK, after=cursor, total=False, before=None)
        )
        if part.rows:
            yield part.rows
        cursor = part.next_cursor
        if cursor is None:
            return


def _with(query: Query, **changes: Any) -> Query:
    from dataclasses import replace

    return replace(query, **changes)


def mark_of(principal: Principal, query: Query, sort: tuple[str, ...]) -> str:
    """What a cursor of this list is bound to; in which order its conditions were given is no part of it."""
    asked = meaning(query.filter, query.values)
    return paging.fingerprint((principal.tenant_id, query.resource.plural, asked, sort))


def order_of(
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    sort: tuple[str, ...],
    values: dict[str, Any],
) -> tuple[str, ...]:
    """A checked order for a statement; the names in it that are values go to them."""

    places = itertools.count()

    def add(name: str) -> str:
        slot = f"s{next(places)}"
        values[slot] = name
        return slot

    return named_sort(catalogue, resource, principal, sort, add)


async def values_of(session: Session, principal: Principal, query: Query) -> dict[str, Any]:
    # Beside the values, not among them: a cursor is bound to "this quarter", whatever days that turns out to be.
    days = await _periods(session, principal, query.values) if query.values.periods else {}
    return (
        Binds.of(principal).standing(principal)
        | query.values.binds
        | days
        | moments(query.as_of, query.known_at)
    )


async def _periods(session: Session, principal: Principal, values: Values) -> dict[str, Any]:
    """A period of a day field is days, of a moment field the instants at which those days begin."""
    zone = principal.tenant.zone
    calendar = await periods.calendar(session)
    found: dict[str, Any] = {}
    for start, end, text, kind in values.periods:
        first, last = periods.period(text, datetime.now(zone).date(), calendar, "?in_period")
        days = kind == "day"
        found[start] = first if days else periods.midnight(first, zone)
        found[end] = last if days else periods.midnight(last, zone)
    return found


def moments(as_of: datetime | None, known_at: datetime | None) -> dict[str, Any]:
    """The two axes of a question about the past. What is known is never asked for less far than what was."""
    if as_of is None:
        if known_at is not None:
            raise Invalid.field("?known_at", "known_at_without_as_of", "known_at goes with as_of.")
        return {}
    now = datetime.now(UTC)
    if as_of > now:
        raise Invalid.field("?as_of", "in_the_future", "as_of lies in the future.")
    if known_at is not None and known_at < as_of:
        raise Invalid.field("?known_at", "known_before_as_of", "known_at may not lie before as_of.")
    return {"as_of": as_of, "known_at": known_at or now}


async def missing_reference(
    session: Session, principal: Principal, catalogue: Catalogue, values: Values
) -> str | None:
    """The noun of a record that a filter names and that is not there for this principal, if any."""
    by_target: dict[str, set[str]] = {}
    for target, found in values.references:
        by_target.setdefault(target, set()).add(str(found) if isinstance(found, UUID) else ":".join(found))
    for target, names in by_target.items():
        there = await references.resolve(session, principal, catalogue, target, names)
        if len(there) < len(names):
            return catalogue[target].title.lower()
    return None
