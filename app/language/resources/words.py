"""Search by the beginnings of words: which words a record has, kept beside it, and the condition that asks for them.

A word's beginning is a range of text, which an index answers also behind row-level security; `like` is not leakproof.
A record that is deleted keeps its words. The past has none: they are of the record as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Text, and_, bindparam, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database import lists
from app.ground.database.script import Part
from app.ground.database.tables import tenant_table
from app.language.query.binds import Binds, constant
from app.language.resources.batch import Batch
from app.language.resources.resource import Resource

LONGEST = 40
"""Characters of a word; what is longer is found by its first forty."""
MOST = 32
"""Words of a record; of a text beyond that the rest is not found."""
MOST_ASKED = 8
LONGEST_SEARCH = 200

search_words = tenant_table(
    "search_words",
    Column("noun", Text, nullable=False),
    Column("word", Text(collation="C"), nullable=False),
    Column("record_id", postgresql.UUID(as_uuid=True), nullable=False),
    key=("noun", "word", "record_id"),
)

_LAST = "\U0010ffff"
"""Stands behind every letter: what begins with a word lies before the word and this."""

_WORD = re.compile(r"[^\W_]+")


def words(*texts: str | None) -> tuple[str, ...]:
    """Each word once, in any case and without its accents: `José O'Neill <j@x.eu>` gives jose, o, neill, j, x, eu."""
    found = (word[:LONGEST] for text in texts if text for word in _WORD.findall(_plain(text)))
    return tuple(dict.fromkeys(found))


def _plain(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Folding the case can bring accents forth, and taking letters apart capitals; and one accent, the iota below, is a
    # letter once its case is folded, so that comes first.
    text = text.casefold()
    for _ in range(2):
        apart = unicodedata.normalize("NFKD", text)
        text = "".join(x for x in apart if unicodedata.category(x)[0] != "M").casefold()
    return text


def words_of(resource: Resource, record: Mapping[str, Any]) -> tuple[str, ...]:
    return words(*(record.get(name) for name in resource.search))[:MOST]


def asked(text: str) -> tuple[str, ...]:
    """The beginnings that a search wants; of two of which one begins the other the longer says it all."""
    found = words(text)
    return tuple(x for x in found if not any(y != x and y.startswith(x) for y in found))


def bounds(word: str) -> tuple[str, str]:
    return word, word + _LAST


def matching(
    resource: Resource, record: FromClause, slots: tuple[str, ...], binds: Binds
) -> ColumnElement[bool]:
    """Has a word that begins with each of those asked for; `slots` name the bounds of one after the other."""
    found: list[ColumnElement[bool]] = []
    for at in range(0, len(slots), 2):
        row = search_words.alias(f"word_{at // 2}")
        first, behind = (bindparam(x, type_=Text(), required=True) for x in slots[at : at + 2])
        ids = select(row.c.record_id).where(
            row.c.tenant_id == binds.tenant,
            row.c.noun == constant(resource.plural),
            row.c.word >= first,
            row.c.word < behind,
        )
        found.append(record.c.id.in_(ids))
    return and_(*found)


# -- writing ----------------------------------------------------------------------------------------------------------


def store_words(batch: Batch) -> None:
    """Words that came and words that went, in the statement that stores the records."""
    resource = batch.resource
    if not resource.search:
        return
    fresh: list[tuple[str, UUID]] = []
    came: list[tuple[str, UUID]] = []
    went: list[tuple[str, UUID]] = []
    for draft in batch.standing:
        before, after, id_ = draft.before, draft.after, draft.record_id
        if draft.outcome == "unchanged" or draft.same or id_ is None:
            continue
        if before is None:
            fresh += ((word, id_) for word in words_of(resource, after))
        elif any(before[name] != after[name] for name in resource.search):
            old, new = set(words_of(resource, before)), set(words_of(resource, after))
            came += ((word, id_) for word in new - old)
            went += ((word, id_) for word in old - new)
    if fresh:
        # Nobody else can know these records: to look for a conflict first takes twice as long, and their order among
        # each other is as good as any.
        fresh.sort(key=itemgetter(0))
        batch.storing.append(Part(_ADD, _arguments(batch.session.tenant_id, resource, fresh)))
    if came:
        batch.storing.append(addition(batch.session.tenant_id, resource, came))
    if went:
        batch.storing.append(removal(batch.session.tenant_id, resource, went))


_ADD = (
    "insert into search_words (tenant_id, noun, word, record_id) select $1, $2, x.word, x.id "
    "from unnest((select $3::text::text[]), (select $4::text::uuid[])) x(word, id)"
)


def addition(tenant_id: UUID, resource: Resource, pairs: Iterable[tuple[str, UUID]]) -> Part:
    """Also where some of the words are there already."""
    return Part(f"{_ADD} on conflict do nothing", _arguments(tenant_id, resource, sorted(pairs)))


def removal(tenant_id: UUID, resource: Resource, pairs: Iterable[tuple[str, UUID]]) -> Part:
    return Part(
        "delete from search_words w using unnest((select $3::text::text[]), (select $4::text::uuid[])) x(word, id) "
        "where w.tenant_id = $1 and w.noun = $2 and w.word = x.word and w.record_id = x.id",
        _arguments(tenant_id, resource, sorted(pairs)),
    )


def _arguments(tenant_id: UUID, resource: Resource, rows: Sequence[tuple[str, UUID]]) -> list[Any]:
    """Rows come in the index's order, so that two writers never wait in a circle."""
    found, ids = [word for word, _ in rows], [id_ for _, id_ in rows]
    return [tenant_id, resource.plural, lists.column("text", found), lists.column("uuid", ids)]
