"""A list by columns, in one statement: how many there are in each, what they are worth, and the first rows of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import metadata
from app.ground.errors import Invalid, did_you_mean
from app.language.query import paging
from app.language.query.binds import Binds, constant
from app.language.resources.convert import converted
from app.language.resources.fields import Field
from app.language.resources.filter import Condition, Filter, Group, condition_of
from app.language.resources.read import Query, mark_of, order_of, values_of
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.scopes import demand_nouns
from app.language.resources.select import checked_sort, ordering, record_json, sort_keys
from app.language.resources.shape import Shape
from app.language.resources.sight import visible

MOST_GROUPS = 100
USUAL_ROWS, MOST_ROWS = 20, 50
"""Of each group."""
_GROUPABLE = frozenset({"reference", "choice", "picklist", "flag"})


@dataclass(frozen=True, slots=True)
class Column:
    """`key` is the field's value in every record of the group; None where they have none."""

    key: Any
    label: str | None
    count: int
    amounts: dict[str, str | None]
    """Exact digits, as PostgreSQL added them."""
    rows: list[str]
    next_cursor: str | None
    """Leads on in the list that is filtered to this group."""


@dataclass(frozen=True, slots=True)
class Board:
    columns: list[Column]
    has_more: bool
    """Whether there are groups beyond those shown, which are the largest."""


def groupable(resource: Resource, role: str | None = None) -> dict[str, Field]:
    """The fields that make groups; with a `role` those that it may read."""
    return {
        x.name: x
        for x in resource.fields
        if x.kind in _GROUPABLE and x.expression is None and (role is None or x.readable_by(role))
    }


def most_groups(field: Field) -> int:
    """How many groups of it a board may have."""
    known = {"choice": len(field.values), "flag": 2}.get(field.kind)
    return MOST_GROUPS if known is None else min(MOST_GROUPS, known + 1)


async def grouped(
    session: Session, principal: Principal, catalogue: Catalogue, query: Query, by: str
) -> Board:
    """`query.limit` rows of each group, in the order of `query.sort`. Invalid for a field that makes no groups."""
    resource = query.resource
    fields = groupable(resource, principal.role)
    if by not in fields:
        raise Invalid.field(
            "?group_by",
            "not_in_list",
            f"{resource.title} is grouped by {', '.join(fields) or 'nothing'}.{did_you_mean(by, fields)}",
        )
    field = fields[by]
    sort = checked_sort(catalogue, resource, principal, query.sort or resource.default_sort)
    label = (f"{field.relation}.{catalogue[field.target].label}",) if field.target else ()
    demand_nouns(principal, catalogue, resource, query.shape, query.filter, (*sort, *label))
    values = await values_of(session, principal, query)
    order = order_of(principal, catalogue, resource, sort, values)
    statement = _statement(
        catalogue, _Asked(resource, query.shape, query.filter, order, by, Binds.of(principal).signature)
    )
    rows = await session.fetch(
        statement,
        **values,
        page_size=query.limit,
        most_groups=MOST_GROUPS + 1,
    )
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        groups.setdefault(row["place"], []).append(row)
    more = len(groups) > MOST_GROUPS
    length = len(sort) + (not any(name.removeprefix("-") == "id" for name in sort))
    return Board(
        [
            _column(principal, query, sort, field, part, length)
            for part in list(groups.values())[:MOST_GROUPS]
        ],
        more,
    )


def _column(
    principal: Principal, query: Query, sort: tuple[str, ...], field: Field, rows: list[Any], length: int
) -> Column:
    first, last = rows[0], rows[-1]
    texts = [row["json"] for row in rows if row["json"] is not None]
    cursor = None
    if first["count"] > len(texts):
        keys = [last[f"k{i}"] for i in range(length)]
        cursor = paging.encode(keys, mark_of(principal, _narrowed(query, field, first["key"]), sort))
    amounts = {name: _digits(first[name]) for name in query.resource.amounts}
    return Column(first["key"], first["label"], first["count"], amounts, texts, cursor)


def _digits(value: Any) -> str | None:
    if value is None:
        return None
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _narrowed(query: Query, field: Field, key: Any) -> Query:
    """The list of one group, as `?field=key` asks for it."""
    filled = replace(query.values, binds=dict(query.values.binds))
    if key is None:
        mine = Condition((field.name,), "is_null", ())
    else:
        value = UUID(key) if field.kind == "reference" else key == "true" if field.kind == "flag" else key
        mine = Condition((field.name,), "eq", (filled.add(value),))
    tree = query.filter
    if tree is None:
        tree = mine
    elif isinstance(tree, Group) and tree.kind == "and":
        tree = Group("and", (*tree.items, mine))
    else:
        tree = Group("and", (tree, mine))
    return replace(query, filter=tree, values=filled)


# -- the statement ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    resource: Resource
    shape: Shape
    filter: Filter | None
    sort: tuple[str, ...]
    by: str
    asker: tuple[Any, ...]


@lru_cache(maxsize=512)
def _statement(catalogue: Catalogue, asked: _Asked) -> Statement:
    binds, resource = Binds.signed(asked.asker), asked.resource
    field = resource.by_name[asked.by]

    def matching(record: FromClause) -> list[ColumnElement[bool]]:
        wheres: list[ColumnElement[bool]] = [
            record.c.tenant_id == binds.tenant,
            record.c.deleted_at.is_(None),
        ]
        if (seen := visible(resource, record, binds)) is not None:
            wheres.append(seen)
        if asked.filter is not None:
            wheres.append(condition_of(catalogue, resource, record, binds, asked.filter))
        return wheres

    every = resource.table.alias("e")
    counted = _counted(resource, field, every, matching(every), binds).cte("counted")
    groups = _groups(catalogue, asked, field, counted, binds)
    page = _page(catalogue, asked, field, groups, matching, binds)
    return compiled(
        select(
            groups.c.place,
            cast(groups.c.key, Text).label("key"),
            groups.c.label,
            groups.c.count,
            *(groups.c[name] for name in resource.amounts),
            *page.c,
        )
        .select_from(groups.outerjoin(page, true()))
        .order_by(groups.c.place, page.c.n)
    )


def _counted(
    resource: Resource, field: Field, every: FromClause, wheres: list[ColumnElement[bool]], binds: Binds
) -> Any:
    """`(key, count, sums …)`, each record's amount converted by itself and weighted with all that share a weight."""
    key, count = every.c[field.name].label("key"), func.count().label("count")
    if (worth := resource.worth) is None:
        return select(key, count).where(*wheres).group_by(every.c[field.name])
    over = list(dict.fromkeys(name for weight in worth.sums.values() if weight for name in weight.over))
    amount, currency = every.c[worth.amount], every.c[worth.currency]
    records, home = converted(every, binds, amount, currency, worth.day(every, binds))
    part = (
        select(key, count, func.sum(home).label("home"), *(every.c[name] for name in over))
        .select_from(records)
        .where(*wheres)
        .group_by(every.c[field.name], *(every.c[name] for name in over))
        .subquery("part")
    )
    sums = [
        func.sum(part.c.home if weight is None else part.c.home * weight.value(part, binds)).label(name)
        for name, weight in worth.sums.items()
    ]
    total = cast(func.sum(part.c.count), BigInteger).label("count")
    return select(part.c.key, total, *sums).group_by(part.c.key)


def _groups(catalogue: Catalogue, asked: _Asked, field: Field, counted: Any, binds: Binds) -> Any:
    """The groups with their place, label and sums: what a board always shows, else the largest."""
    amounts = asked.resource.amounts
    shown = _always_shown(catalogue, asked, field, binds)
    most = bindparam("most_groups", type_=Integer, required=True)
    if shown is None:
        found = (
            select(counted, null().cast(Integer).label("rank")).order_by(counted.c.count.desc()).limit(most)
        )
    else:
        listed = shown.cte("shown")
        keys = union(select(listed.c.key), select(counted.c.key)).subquery("keys")
        found = (
            select(
                keys.c.key,
                func.coalesce(counted.c.count, 0).label("count"),
                *(
                    case((counted.c.count.is_(None), 0), else_=counted.c[name]).label(name)
                    for name in amounts
                ),
                listed.c.rank,
            )
            .select_from(
                keys.outerjoin(listed, listed.c.key == keys.c.key).outerjoin(
                    counted, counted.c.key.is_not_distinct_from(keys.c.key)
                )
            )
            .order_by(listed.c.rank.is_(None), counted.c.count.desc().nulls_last())
            .limit(most)
        )
    part = found.subquery("found")
    label = _label(catalogue, field, part, binds, asked.resource)
    place = func.row_number().over(
        order_by=(part.c.key.is_(None), part.c.rank.asc().nulls_last(), label, part.c.key)
    )
    return select(
        part.c.key,
        part.c.count,
        *(part.c[name] for name in amounts),
        label.label("label"),
        place.label("place"),
    ).cte("groups")


def _always_shown(catalogue: Catalogue, asked: _Asked, field: Field, binds: Binds) -> Select[Any, Any] | None:
    """`(key, rank)` of the groups that are there even when they are empty."""
    if field.kind in ("choice", "flag"):
        kind = metadata.tables[asked.resource.table.name].c[field.name].type
        keys = (
            [constant(x) for x in field.values]
            if field.kind == "choice"
            else [true(), literal_column("false")]
        )
        rows = [select(cast(key, kind).label("key"), constant(i).label("rank")) for i, key in enumerate(keys)]
        return select(union_all(*rows).subquery("listed"))
    if field.kind == "picklist":
        offered = metadata.tables["picklist_values"].alias("offered")
        rank = func.row_number().over(order_by=(offered.c.position, offered.c.value))
        return select(offered.c.value.label("key"), rank.label("rank")).where(
            offered.c.tenant_id == binds.tenant,
            offered.c.field == constant(f"{asked.resource.name}.{field.name}"),
            offered.c.active,
            offered.c.deleted_at.is_(None),
        )
    if not field.board:
        return None
    assert field.target is not None
    target = catalogue[field.target]
    row = target.table.alias("listed")
    wheres: list[ColumnElement[bool]] = [row.c.tenant_id == binds.tenant, row.c.deleted_at.is_(None)]
    wheres += [
        condition_of(catalogue, target, row, binds, condition)
        for condition in _about_target(asked.filter, field)
    ]
    if (seen := visible(target, row, binds)) is not None:
        wheres.append(seen)
    order = ordering(sort_keys(catalogue, target, row, binds, target.default_sort))
    return select(row.c.id.label("key"), func.row_number().over(order_by=order).label("rank")).where(*wheres)


def _about_target(tree: Filter | None, field: Field) -> Iterator[Condition]:
    """Conditions that must hold for all records and say as much of the target: `pipeline_id=…`, `stage.category=open`
    leave a board the stages that can have something in them."""
    items = tree.items if isinstance(tree, Group) and tree.kind == "and" else (tree,)
    for item in items:
        if isinstance(item, Condition):
            if len(item.path) == 1 and item.path[0] in field.board:
                yield item
            elif item.path[0] == field.relation:
                yield replace(item, path=item.path[1:])


def _label(
    catalogue: Catalogue, field: Field, part: Any, binds: Binds, resource: Resource
) -> ColumnElement[Any]:
    if field.target is not None:
        row = catalogue[field.target].table.alias("named")
        wheres = row.c.tenant_id == binds.tenant, row.c.id == part.c.key
        name = row.c[catalogue[field.target].label]
        return select(name).where(*wheres).correlate(part).scalar_subquery()
    if field.kind == "picklist":
        offered = metadata.tables["picklist_values"].alias("named")
        name = (
            select(offered.c.label)
            .where(
                offered.c.tenant_id == binds.tenant,
                offered.c.field == constant(f"{resource.name}.{field.name}"),
                offered.c.value == part.c.key,
                offered.c.deleted_at.is_(None),
            )
            .limit(literal_column("1"))
            .correlate(part)
            .scalar_subquery()
        )
        return func.coalesce(name, part.c.key)
    if field.kind == "flag":
        return case((part.c.key, constant("Yes")), (part.c.key.is_(None), null()), else_=constant("No"))
    plain = func.replace(part.c.key, constant("_"), constant(" "))
    return func.upper(func.left(plain, literal_column("1"))).concat(func.substr(plain, literal_column("2")))


def _page(catalogue: Catalogue, asked: _Asked, field: Field, groups: Any, matching: Any, binds: Binds) -> Any:
    """The first rows of each group, an index range for each. Rows without a value are asked for by themselves, since
    `=` does not find them and an OR would find them by no index."""
    resource = asked.resource

    def first(suffix: str, is_null: bool) -> Any:
        row = resource.table.alias(f"r{suffix}")
        keys = sort_keys(catalogue, resource, row, binds, asked.sort)
        order = ordering(keys)
        column = row.c[field.name]
        mine = and_(groups.c.key.is_(None), column.is_(None)) if is_null else column == groups.c.key
        picked = (
            select(
                record_json(catalogue, binds, resource, asked.shape, row).label("json"),
                *(cast(key.expression, Text).label(f"k{i}") for i, key in enumerate(keys)),
                func.row_number().over(order_by=order).label("n"),
            )
            .where(*matching(row), mine)
            .order_by(*order)
            .limit(bindparam("page_size", type_=Integer, required=True))
            .correlate(groups)
        )
        return select(picked.subquery(f"first{suffix}"))

    both = first("", False)
    if resource.table.c[field.name].nullable:
        both = union_all(both, first("_null", True))
    return both.lateral("page")
