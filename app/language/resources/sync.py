"""What changed in a list since a cursor, so that a copy of it is kept by asking again and again.

It begins with the records themselves, by id, and with the place that the feed had before the first of them was read;
then it follows the feed from there. So nothing is missed whatever commits meanwhile, and a record that never had an
event is there too. A record comes as it is now, once a page; one that no longer belongs to the list (deleted, out of
the filter, out of sight) comes as a tombstone. Of a record that went out of sight the tombstone has the id and nothing
else, and only those get one who may ever have seen it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select

from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement, compiled
from app.ground.errors import BadCursor, Gone, Invalid
from app.ground.events import feed
from app.language.query import paging
from app.language.query.binds import Binds
from app.language.resources import read
from app.language.resources.concerned import statements
from app.language.resources.fields import CUSTOM
from app.language.resources.filter import Condition, Filter, Group, meaning
from app.language.resources.read import Query
from app.language.resources.resource import Catalogue, Child, Resource
from app.language.resources.scopes import demand_nouns

BEGINNING, NOW = "beginning", "now"
WINDOW = 2000
"""Events that are looked through at a time."""
MOST_WINDOWS = 10
"""… and how often before an empty page is answered."""
_LAST = UUID(int=2**128 - 1)

Place = tuple[int, int, UUID]
"""Of an event, and of the record that it concerns: one event may concern many."""


@dataclass(frozen=True, slots=True)
class Changes:
    """`rows` are JSON texts of records, `tombstones` of those that are to be dropped: no record is in both."""

    rows: list[str]
    tombstones: list[str]
    has_more: bool
    next_cursor: str


@dataclass(frozen=True, slots=True)
class _Cursor:
    place: Place
    standing: str
    page: str | None
    """The list's own cursor while the records themselves are read."""

    def encoded(self, mark: str) -> str:
        txid, sequence, id_ = self.place
        return paging.encode((str(txid), str(sequence), str(id_), self.standing, self.page), mark)


async def since(
    session: Session, principal: Principal, catalogue: Catalogue, query: Query, cursor: str
) -> Changes:
    """`session` sees one snapshot. `cursor` is `beginning`, `now`, or what an earlier answer gave.

    Raises BadCursor for the cursor of another list or another asker, Gone where the asker's reach has changed since.
    """
    _followable(query.resource, query.filter)
    demand_nouns(principal, catalogue, query.resource, query.shape, query.filter)
    mark = _mark(principal, query)
    standing = await _standing(session, principal, query.resource)
    if cursor in ("", BEGINNING, NOW):
        found = _Cursor(_place_of(await feed.latest(session)), standing, "" if cursor != NOW else None)
        if cursor == NOW:
            return Changes([], [], False, found.encoded(mark))
    else:
        found = _decoded(cursor, mark)
        if found.standing != standing:
            raise Gone("Other reps are in your reach than when this began: begin anew.")
    if found.page is not None:
        return await _records(session, principal, catalogue, query, found, mark)
    return await _events(session, principal, catalogue, query, found, mark)


def _mark(principal: Principal, query: Query) -> str:
    asker = principal.tenant_id, principal.role, principal.rep_id, Binds.of(principal).sees_unowned
    return paging.fingerprint(("changes", asker, query.resource.plural, meaning(query.filter, query.values)))


def _decoded(text: str, mark: str) -> _Cursor:
    txid, sequence, id_, standing, page = paging.decode(text, mark, 5).values
    try:
        return _Cursor((*feed.parse_cursor(f"{txid}.{sequence}"), UUID(id_)), standing or "", page)
    except ValueError:
        raise BadCursor("The cursor cannot be read.") from None


def _place_of(cursor: str) -> Place:
    return (*feed.parse_cursor(cursor), _LAST)


async def _records(
    session: Session, principal: Principal, catalogue: Catalogue, query: Query, cursor: _Cursor, mark: str
) -> Changes:
    asked = replace(query, sort=("id",), after=cursor.page or None)
    page = await read.page(session, principal, catalogue, asked)
    following = replace(cursor, page=page.next_cursor)
    return Changes(page.rows, [], True, following.encoded(mark))


async def _events(
    session: Session, principal: Principal, catalogue: Catalogue, query: Query, cursor: _Cursor, mark: str
) -> Changes:
    """The next window of events, and what they say of the list: the first `limit` records concerned, as they are."""
    binds = Binds.of(principal)
    texts = statements(catalogue, query.resource, query.filter, binds.signature)
    values = binds.standing(principal) | query.values.binds
    place, more = cursor.place, True
    told: list[tuple[Place, Any]] = []
    for _ in range(MOST_WINDOWS):
        last = await session.fetchrow(
            texts.window, after_txid=str(place[0]), after_sequence=place[1], page_size=WINDOW
        )
        if last is None:
            more = False
            break
        concerned = await session.fetch(
            texts.touched, **values,
            after_txid=str(place[0]), after_sequence=place[1],
            until_txid=str(last["txid"]), until_sequence=last["sequence"],
        )  # fmt: skip
        first: dict[UUID, Place] = {}
        for row in concerned:
            at = (row["txid"], row["sequence"], row["id"])
            if at > place and (row["id"] not in first or at < first[row["id"]]):
                first[row["id"]] = at
        seen = await session.fetch(texts.sight, **values, ids=list(first)) if first else []
        told = sorted(((first[row["id"]], row) for row in seen), key=lambda x: x[0])
        place, more = (last["txid"], last["sequence"], _LAST), last["events"] == WINDOW
        if told or not more:
            break
    if len(told) > query.limit:
        told, more = told[: query.limit], True
        place = told[-1][0]
    here = [row["id"] for _, row in told if row["present"]]
    return Changes(
        rows=await _present(session, principal, catalogue, query, here),
        tombstones=[_tombstone(row) for _, row in told if not row["present"]],
        has_more=more,
        next_cursor=_Cursor(place, cursor.standing, None).encoded(mark),
    )


async def _present(
    session: Session, principal: Principal, catalogue: Catalogue, query: Query, ids: Sequence[UUID]
) -> list[str]:
    """The records in the order of `ids`."""
    if not ids:
        return []
    values = replace(query.values, binds=dict(query.values.binds))
    among = Condition(("id",), "in", (values.add(list(ids)),))
    both = among if query.filter is None else Group("and", (query.filter, among))
    asked = replace(query, filter=both, values=values, sort=("id",), limit=len(ids))
    page = await read.page(session, principal, catalogue, asked)
    texts = {UUID(key[0]): text for key, text in zip(page.keys, page.rows, strict=True)}
    return [texts[id_] for id_ in ids]


def _tombstone(row: Any) -> str:
    names = row["external_ids"] if row["visible"] else []
    return orjson.dumps({"id": str(row["id"]), "deleted": True, "external_ids": names}).decode()


async def _standing(session: Session, principal: Principal, resource: Resource) -> str:
    if principal.sees_all or resource.standing is None:
        return ""
    binds = Binds.of(principal)
    return await session.fetchval(_standing_text(resource, binds.signature), **binds.standing(principal))


@lru_cache(maxsize=512)
def _standing_text(resource: Resource, asker: tuple[Any, ...]) -> Statement:
    assert resource.standing is not None
    return compiled(select(resource.standing(Binds.signed(asker))))


# -- what may be followed ---------------------------------------------------------------------------------------------


def _followable(resource: Resource, tree: Filter | None) -> None:
    """A filter by what changes without the record changing (another record, the calendar, a rate) cannot be held."""
    for condition in _conditions(tree):
        head, *rest = condition.path
        place: Resource | Child = resource
        if rest and head in resource.children_by_name:
            place, (head, *rest) = resource.children_by_name[head], rest
        if head == CUSTOM and place is resource and condition.operator != "in_period":
            continue
        field = place.by_name.get(head)
        if rest or field is None or field.expression is not None or condition.operator == "in_period":
            raise Invalid.field(
                f"?{'.'.join(condition.path)}",
                "not_followed",
                "With changes_since, filter by the record's own stored fields: what lies behind a reference, is "
                "computed or hangs on today changes without the record.",
            )


def _conditions(tree: Filter | None) -> Iterator[Condition]:
    if isinstance(tree, Condition):
        yield tree
    elif tree is not None:
        for item in tree.items:
            yield from _conditions(item)
