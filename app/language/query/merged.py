"""Where the names of records that were merged lead, in SQL: along the links, to the one that took all of them over.

A duplicate keeps its row, deleted, with `merged_into_id`. Today's external ids stand in the index of names as the
survivor's; the duplicate's row keeps those that it had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ARRAY, Table, and_, any_, case, func, select, type_coerce
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ColumnElement

from app.language.query.binds import Binds

LINK = "merged_into_id"
_IDS = ARRAY(postgresql.UUID(as_uuid=True))


def mergeable(table: Table) -> bool:
    return LINK in table.columns


def links(table: Table, binds: Binds, begins: Callable[[Any], ColumnElement[bool]]) -> Any:
    """`(id, next, deleted_at)` along the links; one that was not made yet at the moment of the question is none."""

    def following(record: Any) -> ColumnElement[Any]:
        if not binds.as_of:
            return record.c[LINK]
        return case((record.c.deleted_at <= binds.moment, record.c[LINK]))

    first, then = table.alias("named"), table.alias("taker")
    led = (
        select(first.c.id, following(first).label("next"), first.c.deleted_at)
        .where(first.c.tenant_id == binds.tenant, begins(first.c.id))
        .cte("led", recursive=True, nesting=True)
    )
    return led.union_all(
        select(then.c.id, following(then), then.c.deleted_at).select_from(
            led.join(then, and_(then.c.tenant_id == binds.tenant, then.c.id == led.c.next))
        )
    )


def led(table: Table, binds: Binds, id_: ColumnElement[Any]) -> ColumnElement[Any]:
    """The record that an id means."""
    found = links(table, binds, lambda first: first == id_)
    return func.coalesce(select(found.c.id).where(found.c.next.is_(None)).scalar_subquery(), id_)


def all_led(table: Table, binds: Binds, ids: ColumnElement[Any]) -> ColumnElement[Any]:
    """The records that the ids of an array mean, as an array."""
    links_ = links(table, binds, lambda first: first == any_(ids))
    found = select(func.array_agg(links_.c.id)).where(links_.c.next.is_(None)).scalar_subquery()
    return func.coalesce(found, ids, type_=_IDS)


def called(table: Table, binds: Binds, x: Any) -> ColumnElement[Any]:
    """The record that had the name of `x`, a row of the index of names: at the moment of the question, where it is one
    of the past. Of all that have become part of today's, that is the one with this name which ended first after it."""
    if not binds.as_of or not mergeable(table):
        return x.c.record_id
    first, then = table.alias("part"), table.alias("smaller")
    below = (
        select(first.c.id, first.c.deleted_at, first.c.external_ids)
        .where(first.c.tenant_id == binds.tenant, first.c[LINK] == x.c.record_id)
        .correlate(x)
        .cte("below", recursive=True, nesting=True)
    )
    parts = below.union_all(
        select(then.c.id, then.c.deleted_at, then.c.external_ids).select_from(
            below.join(then, and_(then.c.tenant_id == binds.tenant, then.c[LINK] == below.c.id))
        )
    )
    name = func.jsonb_build_object("source", x.c.source, "external_id", x.c.external_id)
    had = parts.c.external_ids.contains(type_coerce(func.jsonb_build_array(name), postgresql.JSONB))
    found = (
        select(parts.c.id)
        .where(parts.c.deleted_at > binds.moment, had)
        .order_by(parts.c.deleted_at)
        .limit(1)
        .correlate(x)
        .scalar_subquery()
    )
    return func.coalesce(found, x.c.record_id)
