"""From what a caller calls a record (`uuid`, `source:external_id`, `me`) to its id, set-wise and in one statement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSON

from app.ground.access.principal import Principal
from app.ground.database import lists, script
from app.ground.database.script import Part
from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import external_ids
from app.ground.errors import FieldError, NotFound
from app.language.query.binds import Binds, constant
from app.language.resources import aliases
from app.language.resources.payload import SOURCE
from app.language.resources.resource import Catalogue, Resource


def parse(reference: str) -> UUID | tuple[str, str] | None:
    """A UUID, a `(source, external_id)` pair, or None where it is neither."""
    if len(reference) == 36:
        try:
            return UUID(reference)
        except ValueError:
            pass
    source, colon, external_id = reference.partition(":")
    if colon and external_id and "\x00" not in external_id and SOURCE.fullmatch(source):
        return source, external_id
    return None


class Lookups:
    """What a write must know beforehand, gathered first and asked in one statement."""

    def __init__(self, session: Session, principal: Principal) -> None:
        self.session = session
        self.principal = principal
        self.parts: list[Part] = []
        self.rows: list[dict[int | None, Any]] = []

    def names(self, noun: str, keys: Iterable[tuple[str, str]]) -> Names:
        """Which records of `noun` go by these names, whoever sees them."""
        keys = list(keys)
        return Names(keys, self._add(_NAMED, [self.session.tenant_id, noun, *_texts(keys)]) if keys else {})

    def living(
        self, resource: Resource, references: Iterable[str | UUID], *, holding: bool = False
    ) -> Living:
        """Those of `references` that name a living record that the principal sees. The rest is left out: a foreign, an
        invisible and a missing record look the same. `holding` keeps them from being merged until the transaction
        ends: who refers to them is then there to be found."""
        ids: dict[str | UUID, UUID] = {}
        keys: dict[str, tuple[str, str]] = {}
        for reference in references:
            if isinstance(reference, UUID):
                ids[reference] = reference
            elif reference == "me" and resource.plural == "reps":
                if self.principal.rep_id is not None:
                    ids[reference] = self.principal.rep_id
            elif isinstance(found := parse(reference), tuple):
                keys[reference] = found
            elif found is not None:
                ids[reference] = found
        hold = holding and aliases.mergeable(resource)
        return Living((list(ids), self._seen(resource, list(ids.values()), hold)),
                      (list(keys), self._seen(resource, list(keys.values()), hold, named=True)))  # fmt: skip

    def value(self, sql: str, *arguments: Any) -> dict[int | None, Any]:
        """A select of one JSON value. Its text will stand under None."""
        return self._add(f"select null::bigint as place, null::uuid as id, ({sql})::json as data", arguments)

    def _seen(
        self, resource: Resource, wanted: Sequence[Any], hold: bool, *, named: bool = False
    ) -> dict[int | None, Any]:
        if not wanted:
            return {}
        binds = Binds.of(self.principal)
        single = len(wanted) == 1
        statement = _seen(resource, binds.signature, named, single, hold)
        given: dict[str, Any] = binds.standing(self.principal)
        if named:
            given["source"], given["external_id"] = wanted[0] if single else _texts(wanted)
        else:
            given["id"] = wanted[0] if single else lists.column("uuid", wanted)
        return self._add(statement.sql, statement.arguments(given))

    def _add(self, sql: str, arguments: Sequence[Any]) -> dict[int | None, Any]:
        self.parts.append(Part(sql, arguments))
        self.rows.append({})
        return self.rows[-1]

    async def run(self) -> None:
        if not self.parts:
            return
        for part, place, id_, data in await script.ask(self.session, self.parts):
            self.rows[part][place] = data if place is None else id_


class Names:
    """Filled when the look-ups ran."""

    def __init__(self, keys: list[tuple[str, str]], found: dict[int | None, Any]) -> None:
        self.keys = keys
        self.found = found

    def ids(self) -> dict[tuple[str, str], UUID]:
        return {self.keys[place - 1]: id_ for place, id_ in self.found.items() if place}


class Living:
    """Filled when the look-ups ran."""

    def __init__(self, *asked: tuple[list[Any], dict[int | None, Any]]) -> None:
        self.asked = asked

    def ids(self) -> dict[Any, UUID]:
        return {words[place - 1]: id_ for words, found in self.asked for place, id_ in found.items() if place}


def _texts(keys: Sequence[tuple[str, str]]) -> tuple[str, str]:
    return lists.column("text", [key[0] for key in keys]), lists.column("text", [key[1] for key in keys])


# The lists hide behind sub-selects: see `script.source`.
_NAMED = """
select k.place, x.record_id as id, null::json as data
from unnest((select $3::text::text[]), (select $4::text::text[])) with ordinality k(source, external_id, place)
join external_ids x on x.tenant_id = $1 and x.noun = $2 and x.source = k.source and x.external_id = k.external_id
"""


@lru_cache(maxsize=512)
def _seen(resource: Resource, asker: tuple[Any, ...], named: bool, single: bool, hold: bool) -> Statement:
    """`(place, id, data)` of wanted records, each found by itself: OFFSET 0 keeps the planner from reading the table
    instead, and from asking of all records what is asked of few."""
    binds = Binds.signed(asker)
    record = resource.table.alias("record")

    types: dict[str, Any] = {"source": Text(), "external_id": Text()} if named else {"id": _UUID}
    k = _one(types) if single else _many(types)
    if named:
        x = external_ids.alias("x")
        origin: Any = k.join(
            x, (x.c.tenant_id == binds.tenant) & (x.c.noun == constant(resource.plural))
            & (x.c.source == k.c.source) & (x.c.external_id == k.c.external_id),
        )  # fmt: skip
        id_ = x.c.record_id
    else:
        origin, id_ = k, k.c.id
    one = select(record.c.id).where(
        record.c.tenant_id == binds.tenant, record.c.id == id_, record.c.deleted_at.is_(None)
    )
    if (visible := resource.visible(record, binds.for_few())) is not None:
        one = one.where(visible)
    if hold:
        # As the foreign key will: but here whoever waited for a merge sees what it did.
        one = one.with_for_update(read=True, key_share=True, of=record)
    found = one.offset(literal_column("0", Integer())).lateral("found")
    return compiled(
        select(k.c.place, found.c.id, null().cast(JSON).label("data")).select_from(origin.join(found, true()))
    )


_UUID = postgresql.UUID(as_uuid=True)


def _one(types: Mapping[str, Any]) -> Any:
    given = (bindparam(name, type_=type_, required=True).label(name) for name, type_ in types.items())
    return select(*given, literal_column("1", BigInteger()).label("place")).subquery("k")


def _many(types: Mapping[str, Any]) -> Any:
    given = (
        select(cast(bindparam(name, type_=Text(), required=True), ARRAY(type_))).scalar_subquery()
        for name, type_ in types.items()
    )
    columns = (column(name, type_) for name, type_ in types.items())
    return func.unnest(*given).table_valued(*columns, with_ordinality="place", name="k").render_derived()


def gone(tenant_id: UUID, resource: Resource, ids: set[UUID], name: str) -> Part:
    """Whether one of these is deleted or merged by now; from here on the others stay until the transaction ends."""
    return Part(
        f"select (select count(*) from (select from {resource.table.name} where tenant_id = $1 "
        "and id = any($2::uuid[]) and deleted_at is null for key share) x) < cardinality($2::uuid[]) as gone",
        [tenant_id, list(ids)],
        name,
    )


@dataclass(frozen=True, slots=True)
class Asker:
    """What of a principal shapes a statement, and what it gives to all of them."""

    signature: tuple[Any, ...]
    standing: Mapping[str, Any]

    @classmethod
    def of(cls, principal: Principal) -> Asker:
        binds = Binds.of(principal)
        return cls(binds.signature, binds.standing(principal))


def missing(asker: Asker, resource: Resource, id_: UUID) -> Part:
    """A condition: that this one is not there, or not plainly seen. Where it is there, it cannot be merged away before
    the transaction ends."""
    statement = _plain(resource, asker.signature)
    return Part(statement.sql, statement.arguments({**asker.standing, "id": id_}))


def any_missing(asker: Asker, resource: Resource, ids: Sequence[UUID]) -> Part:
    """The same condition of several, each given once."""
    statement = _seen(resource, asker.signature, False, False, aliases.mergeable(resource))
    given = statement.arguments({**asker.standing, "id": lists.column("uuid", ids)})
    return Part(f"(select count(*) from ({statement.sql}) x) < ${len(given) + 1}::bigint", [*given, len(ids)])


@lru_cache(maxsize=512)
def _plain(resource: Resource, asker: tuple[Any, ...]) -> Statement:
    binds = Binds.signed(asker)
    record = resource.table.alias("record")
    one = select(literal_column("1")).where(
        record.c.tenant_id == binds.tenant,
        record.c.id == bindparam("id", type_=_UUID, required=True),
        record.c.deleted_at.is_(None),
    )
    if (visible := resource.visible(record, binds.for_plain())) is not None:
        one = one.where(visible)
    if aliases.mergeable(resource):
        one = one.with_for_update(read=True, key_share=True, of=record)
    there = compiled(one)
    return Statement(f"not exists ({there.sql})", there.order, there.fixed)


async def by_keys(
    session: Session, noun: str, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], UUID]:
    keys = list(keys)
    if not keys:
        return {}
    rows = await session.connection.fetch(_NAMED, session.tenant_id, noun, *_texts(keys))
    return {keys[row["place"] - 1]: row["id"] for row in rows}


async def resolve(
    session: Session, principal: Principal, catalogue: Catalogue, target: str, references: Iterable[str]
) -> dict[str, UUID]:
    """As `Lookups.living`, of one noun alone; what was merged leads on."""
    references = list(references)
    lookups = Lookups(session, principal)
    found = lookups.living(catalogue[target], references)
    await lookups.run()
    ids = found.ids()
    return ids | await led(session, principal, catalogue[target], set(references) - ids.keys())


async def named(
    session: Session, principal: Principal, catalogue: Catalogue, wanted: Mapping[str, str], told: Any
) -> dict[str, Any]:
    """Of a verb's input `told`, the ids in those fields that `wanted` says to name records, by field.

    Raises NotFound, with a fault for each that is not there.
    """
    found: dict[str, Any] = {}
    for name, target in wanted.items():
        value = getattr(told, name)
        if value is None:
            continue
        words: list[str] = value if isinstance(value, list) else [value]
        ids = await resolve(session, principal, catalogue, target, words)
        message = f"There is no such {catalogue[target].title.lower()}."
        errors = [
            FieldError(f"/{name}/{place}" if words is value else f"/{name}", "reference_not_found", message)
            for place, word in enumerate(words)
            if word not in ids
        ]
        if errors:
            raise NotFound(message, code="reference_not_found", errors=errors)
        found[name] = [ids[word] for word in words] if words is value else ids[words[0]]
    return found


async def led(
    session: Session,
    principal: Principal,
    resource: Resource,
    missing: Collection[str],
    *,
    holding: bool = False,
) -> dict[str, UUID]:
    """Of names under which nothing living was found, those that lead on since their record was merged: long ago, or
    just now while the look-up waited for that."""
    if not missing or not aliases.mergeable(resource):
        return {}
    ids = {word: id_ for word in missing if isinstance(id_ := parse(word), UUID)}
    moved = await aliases.survivors(session, resource, ids.values()) if ids else {}
    words: dict[str, str | UUID] = {word: moved[id_] for word, id_ in ids.items() if id_ in moved}
    if holding:
        words |= {word: word for word in missing if word not in ids}
    if not words:
        return {}
    lookups = Lookups(session, principal)
    there = lookups.living(resource, set(words.values()), holding=holding)
    await lookups.run()
    found = there.ids()
    return {word: found[meant] for word, meant in words.items() if meant in found}


async def living(
    session: Session, principal: Principal, resource: Resource, ids: Collection[UUID]
) -> set[UUID]:
    lookups = Lookups(session, principal)
    found = lookups.living(resource, ids)
    await lookups.run()
    return set(found.ids().values())
