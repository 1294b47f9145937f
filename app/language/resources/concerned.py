"""Which records of a noun a stretch of the feed concerns, and what they are to the asker now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as SQL_UUID
from sqlalchemy.sql.elements import ColumnElement

from app.ground.database.session import Statement, compiled
from app.ground.events import feed
from app.ground.events.models import events
from app.language.query.binds import Binds, constant
from app.language.query.source import versions
from app.language.resources.filter import Filter, condition_of
from app.language.resources.resource import Catalogue, Resource


@dataclass(frozen=True, slots=True)
class Statements:
    """`window`: where the next events end, and how many they are. `touched`: the records that they concern. `sight`:
    of such records whether each belongs to the list (`present`) and whether the asker sees it; those that the asker
    can never have seen are left out."""

    window: Statement
    touched: Statement
    sight: Statement


@lru_cache(maxsize=512)
def statements(
    catalogue: Catalogue, resource: Resource, tree: Filter | None, asker: tuple[Any, ...]
) -> Statements:
    binds = Binds.signed(asker)
    return Statements(
        _window(),
        compiled(_touched_records(catalogue, resource, binds)),
        _sight(catalogue, resource, tree, binds),
    )


_HERE = tuple_(events.c.txid, events.c.sequence)


def _window() -> Statement:
    some = (
        select(events.c.txid, events.c.sequence)
        .where(
            events.c.tenant_id == bindparam("tenant", required=True),
            feed.place("after") <= _HERE,
            events.c.txid < feed.settled(),
        )
        .order_by(events.c.txid, events.c.sequence)
        .limit(bindparam("page_size", type_=Integer, required=True))
        .subquery()
    )
    return compiled(
        select(
            cast(cast(some.c.txid, Text), BigInteger).label("txid"),
            some.c.sequence,
            func.count().over().label("events"),
        )
        .order_by(some.c.txid.desc(), some.c.sequence.desc())
        .limit(literal_column("1"))
    )


def _touched_records(catalogue: Catalogue, resource: Resource, binds: Binds) -> Select[Any, Any, Any]:
    found = _touched(catalogue, resource, binds, None).subquery()
    return select(cast(cast(found.c.txid, Text), BigInteger).label("txid"), found.c.sequence, found.c.id)


def _touched(catalogue: Catalogue, resource: Resource, binds: Binds, when: tuple[str, ...] | None) -> Any:
    """`(txid, sequence, id)` of the records that the window's events concern: their own, and where sight is limited
    those of the nouns that it hangs on. `when` keeps events that change one of these fields, or life itself."""
    own = select(events.c.txid, events.c.sequence, events.c.record_id.label("id")).where(
        events.c.tenant_id == binds.tenant,
        feed.place("after") <= _HERE,
        feed.place("until") >= _HERE,
        events.c.noun == constant(resource.plural),
    )
    if when is not None:
        fields = literal_column("array[" + ", ".join(f"'{name}'" for name in when) + "]::text[]")
        ends = [constant(f"{resource.name}.{life}") for life in ("deleted", "restored")]
        own = own.where(or_(events.c.changed.op("&&")(fields), events.c.type.in_(ends)))
    parts: list[Any] = [own]
    for other in resource.follows if not binds.sees_all else ():
        cause = _touched(catalogue, catalogue[other.noun], binds, other.when).subquery()
        if other.backwards:
            # Also what it pointed to before.
            place = catalogue[other.noun]
            inside = place.children_by_name[other.child] if other.child else None
            theirs = versions(inside.table if inside else place.table).subquery()
            link, id_ = theirs.c[inside.parent if inside else "id"] == cause.c.id, theirs.c[other.via]
        else:
            theirs = resource.table.alias()
            link, id_ = theirs.c[other.via] == cause.c.id, theirs.c.id
        parts.append(
            select(cause.c.txid, cause.c.sequence, id_.label("id"))
            .distinct()
            .select_from(cause.join(theirs, and_(theirs.c.tenant_id == binds.tenant, link)))
            .where(id_.is_not(None))
        )
    return union_all(*parts) if len(parts) > 1 else own


def _sight(catalogue: Catalogue, resource: Resource, tree: Filter | None, binds: Binds) -> Statement:
    record = resource.table.alias("r")
    ids = bindparam("ids", type_=ARRAY(SQL_UUID(as_uuid=True)), required=True)
    few = binds.for_few()
    seen = resource.visible(record, few)
    visible: ColumnElement[bool] = true() if seen is None else func.coalesce(seen, false())
    belongs: list[ColumnElement[bool]] = [record.c.deleted_at.is_(None)]
    if tree is not None:
        belongs.append(condition_of(catalogue, resource, record, binds, tree))
    statement = select(
        record.c.id, record.c.external_ids, visible.label("visible"),
        func.coalesce(and_(visible, *belongs), false()).label("present"),
    ).where(record.c.tenant_id == binds.tenant, record.c.id == any_(ids))  # fmt: skip
    if seen is not None:
        past = versions(resource.table).subquery("past")
        condition = resource.visible(past, few.for_ever())
        assert condition is not None
        once = (
            select(literal_column("1"))
            .select_from(past)
            .where(past.c.tenant_id == binds.tenant, past.c.id == record.c.id, condition)
            .correlate(record)
            .exists()
        )
        statement = statement.where(case((seen, true()), else_=once))
    return compiled(statement)
