"""A shape, a filter and an order become one statement whose JSON PostgreSQL writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Integer, Select, Text, bindparam, case, cast, func, literal_column, null, or_, select
from sqlalchemy.dialects.postgresql import JSON, JSONB, UUID
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.access.principal import Principal
from app.ground.database.session import Statement, compiled
from app.ground.database.tables import external_ids
from app.ground.errors import Invalid, did_you_mean
from app.language.query import merged, paging
from app.language.query.binds import Binds, constant
from app.language.query.paging import Key
from app.language.query.source import source
from app.language.resources import custom
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.filter import Filter, condition_of, fixed
from app.language.resources.resource import Catalogue, Child, Resource
from app.language.resources.shape import Constant, Leaf, Many, Parent, Picked, Shape
from app.language.resources.sight import visible


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that shapes the text of a read; hashable, so that the text is made once."""

    plural: str
    shape: Shape
    filter: Filter | None
    sort: tuple[str, ...]
    nulls: tuple[bool, ...] | None
    backwards: bool
    deleted: bool
    total: bool
    single: str | None
    trusted: bool
    asker: tuple[Any, ...]
    cursors: bool = True


Sight = Literal["unknown", "visible", "living"]
"""What is sure of a record where it is written: nothing, that the asker sees it, or also that it is not deleted."""


class _Writer:
    """Renders shapes; numbers the aliases, so that a noun may stand in a statement any number of times."""

    def __init__(self, catalogue: Catalogue, binds: Binds) -> None:
        self.catalogue = catalogue
        self.binds = binds
        self.count = 0

    def alias(self, stem: str) -> str:
        # No caller can name a column so: where `row_to_json(x)` finds a column x, it takes that for the row.
        self.count += 1
        return f"{stem}${self.count}"

    def json(
        self,
        resource: Resource | Child,
        shape: Shape,
        record: FromClause,
        *,
        known: frozenset[str] | None = None,
        seen: Sight = "unknown",
    ) -> ColumnElement[Any]:
        """One record as a JSON object. `known` limits it to some fields; the others are null."""
        columns = [self.item(resource, item, record, known, seen).label(name) for name, item in shape.items]
        row = select(*columns).correlate(record).subquery(self.alias("j"))
        return (
            select(func.row_to_json(literal_column(row.name), type_=JSON)).select_from(row).scalar_subquery()
        )

    def item(
        self,
        resource: Resource | Child,
        item: Any,
        record: FromClause,
        known: frozenset[str] | None,
        seen: Sight,
    ) -> ColumnElement[Any]:
        match item:
            case Constant():
                return constant(item.text)
            case Leaf():
                if known is not None and item.field not in known:
                    return null()
                return self.leaf(resource, item, record)
            case Parent():
                return null() if known is not None else self.parent(resource, item, record, seen)
            case Picked():
                return null() if known is not None else self.picked(item, record)
            case Many():
                return (
                    literal_column("'[]'::json") if known is not None else self.many(resource, item, record)
                )
            case _:
                raise TypeError(item)

    def leaf(self, resource: Resource | Child, leaf: Leaf, record: FromClause) -> ColumnElement[Any]:
        if leaf.field == "id":
            return record.c.id
        field = resource.by_name[leaf.field]
        if field.kind == "custom":
            assert isinstance(resource, Resource)
            return custom.shown(resource, record, self.binds)
        column = expression(field, record, self.binds)
        if leaf.form == "upper":
            return func.upper(column)
        if field.kind in ("money", "number"):
            column = func.trim_scale(column)
            return cast(column, Text) if leaf.form == "text" else column
        return column

    def picked(self, item: Picked, record: FromClause) -> ColumnElement[Any]:
        values = (
            record.c[CUSTOM].op("->", return_type=JSONB())(constant(x)).label(x) for x, _ in item.fields
        )
        row = select(*values).correlate(record).subquery(self.alias("j"))
        return (
            select(func.row_to_json(literal_column(row.name), type_=JSON)).select_from(row).scalar_subquery()
        )

    def parent(
        self, resource: Resource | Child, item: Parent, record: FromClause, known_sight: Sight
    ) -> ColumnElement[Any]:
        reference = next(x for x in resource.fields if x.relation == item.relation)
        assert reference.target is not None
        target = self.catalogue[reference.target]
        row = source(target.table, self.binds, self.alias(target.name))
        body = self.json(target, item.shape, row, seen="visible")
        seen = visible(target, row, self.binds.for_few())
        # As it was then, a record may refer to what today nobody sees because of it.
        shown = reference.shows and not self.binds.as_of
        if seen is not None and not (shown and known_sight == "living"):
            if shown and known_sight == "visible":
                seen = or_(record.c.deleted_at.is_(None), seen)
            body = case(
                (seen, body), else_=self.json(target, item.shape, row, known=frozenset({"id", target.label}))
            )
        return (
            select(body)
            .select_from(row)
            .where(row.c.tenant_id == self.binds.tenant, row.c.id == record.c[reference.name])
            .correlate(record)
            .scalar_subquery()
        )

    def many(self, resource: Resource | Child, item: Many, record: FromClause) -> ColumnElement[Any]:
        assert isinstance(resource, Resource)
        if item.name in resource.children_by_name:
            target: Resource | Child = resource.children_by_name[item.name]
            row = source(target.table, self.binds, self.alias(target.singular))
            wheres = [row.c.tenant_id == self.binds.tenant, row.c[target.parent] == record.c.id]
            order = [row.c.position, row.c.id] if "position" in row.c else [row.c.id]
        else:
            listing = resource.listings_by_name[item.name]
            target = self.catalogue[listing.target]
            row = source(target.table, self.binds, self.alias(target.name))
            wheres = [
                row.c.tenant_id == self.binds.tenant,
                row.c[listing.via] == record.c.id,
                row.c.deleted_at.is_(None),
            ]
            if (seen := visible(target, row, self.binds)) is not None:
                wheres.append(seen)
            keys = sort_keys(self.catalogue, target, row, self.binds, item.sort or target.default_sort)
            order = ordering(keys)
        if item.filter is not None:
            assert isinstance(target, Resource)
            wheres.append(condition_of(self.catalogue, target, row, self.binds, item.filter))
        rows = (
            select(self.json(target, item.shape, row, seen="living").label("j"))
            .select_from(row)
            .where(*wheres)
            .order_by(*order)
        )
        if item.first is not None:
            rows = rows.limit(literal_column(str(int(item.first)), Integer))
        page = rows.correlate(record).subquery(self.alias("l"))
        return select(
            func.coalesce(func.json_agg(page.c.j, type_=JSON), literal_column("'[]'::json"))
        ).scalar_subquery()


def record_json(
    catalogue: Catalogue, binds: Binds, resource: Resource, shape: Shape, record: FromClause
) -> ColumnElement[Any]:
    """One record of `record` in this shape."""
    return _Writer(catalogue, binds).json(resource, shape, record)


def expression(field: Field, record: FromClause, binds: Binds) -> ColumnElement[Any]:
    return field.expression(record, binds) if field.expression else record.c[field.name]


def sort_keys(
    catalogue: Catalogue, resource: Resource, record: FromClause, binds: Binds, sort: Sequence[str]
) -> list[Key]:
    """An order that always ends in the id. A name may be a path to one (`account.name`, `-owner.name`)."""
    keys: list[Key] = []
    for name in sort:
        descending, path = name.startswith("-"), name.removeprefix("-").split(".")
        keys.append(Key(*_sort_expression(catalogue, resource, record, binds, path, descending)))
    if not any(name.removeprefix("-") == "id" for name in sort):
        keys.append(Key(record.c.id, bool(keys) and keys[-1].descending, False))
    return keys


def _sort_expression(
    catalogue: Catalogue,
    resource: Resource,
    record: FromClause,
    binds: Binds,
    path: list[str],
    descending: bool,
) -> tuple[ColumnElement[Any], bool, bool]:
    if path[0] == CUSTOM:
        kind, _, slot = path[1].partition(":")
        name = bindparam(slot, type_=Text(), required=True)
        return custom.value(record, name, kind), descending, True
    if len(path) == 1:
        field = resource.by_name[path[0]]
        column = resource.table.columns.get(field.name) if field.expression is None else None
        return expression(field, record, binds), descending, column is None or bool(column.nullable)
    reference = next(x for x in resource.fields if x.relation == path[0])
    assert reference.target is not None
    target = catalogue[reference.target]
    row = source(target.table, binds, f"sort_{path[0]}")
    inner, _, _ = _sort_expression(catalogue, target, row, binds, path[1:], descending)
    if path[1] != target.label and (seen := visible(target, row, binds)) is not None:
        inner = case((seen, inner))
    value = (
        select(inner)
        .select_from(row)
        .where(row.c.tenant_id == binds.tenant, row.c.id == record.c[reference.name])
        .correlate(record)
        .scalar_subquery()
    )
    return value, descending, True


def ordering(keys: Sequence[Key], *, backwards: bool = False) -> list[Any]:
    """Nulls last in both directions; said only where there can be any, so that an index may serve the rest."""
    order: list[Any] = []
    for key in keys:
        descending = key.descending != backwards
        column = key.expression.desc() if descending else key.expression.asc()
        if key.nullable and (descending != backwards or backwards):
            column = column.nulls_first() if backwards else column.nulls_last()
        order.append(column)
    return order


def checked_sort(
    catalogue: Catalogue, resource: Resource, principal: Principal, names: Sequence[str]
) -> tuple[str, ...]:
    """Refuses what cannot be sorted by, or may not be read. A noun's own order is not questioned."""
    role = principal.role
    if tuple(names) == resource.default_sort:
        return resource.default_sort
    for name in names:
        place, path = resource, name.removeprefix("-").split(".")
        for index, step in enumerate(path):
            last = index == len(path) - 1
            if last and step in place.by_name:
                field = place.by_name[step]
                if field.sortable and field.readable_by(role):
                    break
            if not last and index < 2 and step in place.relations:
                place = catalogue[place.relations[step].target]
                continue
            if index == len(path) - 2 and step == CUSTOM and CUSTOM in place.by_name:
                added = custom.fields(principal.tenant.custom, place.plural)
                if path[-1] in added:
                    break
                hint = custom.unknown(place, path[-1], added)
                raise Invalid.field("?sort", "unknown_sort", hint)
            known = [x.name for x in place.all_fields if x.sortable and x.readable_by(role)]
            raise Invalid.field(
                "?sort",
                "unknown_sort",
                f'{place.title} cannot be sorted by "{step[:80]}".' + did_you_mean(step, known),
            )
    if len(names) > 4 or len(set(names)) < len(names):
        raise Invalid.field("?sort", "invalid_sort", "Sort by at most four different fields.")
    return tuple(names)


def named_sort(
    catalogue: Catalogue,
    resource: Resource,
    principal: Principal,
    names: Sequence[str],
    add: Callable[[str], str],
) -> tuple[str, ...]:
    """A checked order as a statement has it: of a field that the tenant has added it knows the kind and, by what `add`
    makes of the name, where the name will be."""
    if not any(CUSTOM in name for name in names):
        return tuple(names)
    found: list[str] = []
    for name in names:
        *steps, last = name.removeprefix("-").split(".")
        if steps and steps[-1] == CUSTOM:
            place = resource
            for step in steps[:-1]:
                place = catalogue[place.relations[step].target]
            kind = principal.tenant.custom.of(place.plural)[last]
            sign = "-" if name.startswith("-") else ""
            name = sign + ".".join((*steps, f"{kind}:{add(last)}"))
        found.append(name)
    return tuple(found)


@lru_cache(maxsize=2048)
def statement(catalogue: Catalogue, question: Question) -> Statement:
    """The SQL of a read. Each row is `(json, key 0, key 1 …)`, with `total` behind them where it is asked for.

    One row comes beyond the page, by which one knows that there is more; a single record comes alone. Without
    `cursors` there are no keys.
    """
    binds = Binds.signed(question.asker)
    resource = catalogue[question.plural]
    record = source(resource.table, binds, "r")
    wheres: list[ColumnElement[bool]] = [record.c.tenant_id == binds.tenant]
    if not question.deleted:
        wheres.append(record.c.deleted_at.is_(None))
    known = fixed(resource, record, question.filter)
    asker = binds.fixing(known) if question.single is None else binds.for_few()
    if not question.trusted and (seen := visible(resource, record, asker)) is not None:
        wheres.append(seen)
    if question.filter is not None:
        wheres.append(condition_of(catalogue, resource, record, binds, question.filter))
    sight: Sight = "unknown" if question.trusted else "visible" if question.deleted else "living"
    body = _Writer(catalogue, binds).json(resource, question.shape, record, seen=sight)
    if question.single is not None:
        return compiled(
            select(body.label("json"))
            .select_from(record)
            .where(*wheres, _is(resource, record, binds, question))
        )
    keys = sort_keys(catalogue, resource, record, binds, question.sort)
    columns = [cast(x.expression, Text).label(f"k{i}") for i, x in enumerate(keys) if question.cursors]
    page: Select[Any] = (
        select(_behind_the_sort(body).label("json"), *columns).select_from(record).where(*wheres)
    )
    if question.nulls is not None:
        page = page.where(paging.beyond(keys, question.nulls, backwards=question.backwards))
    page = page.order_by(*ordering(keys, backwards=question.backwards)).limit(
        bindparam("page_size", type_=Integer())
    )
    if not question.total:
        return compiled(page)
    total = select(func.count().label("total")).select_from(record).where(*wheres).subquery("t")
    rows = page.subquery("p")
    return compiled(select(*rows.c, total.c.total).select_from(total.outerjoin(rows, literal_column("true"))))


def _behind_the_sort(body: ColumnElement[Any]) -> ColumnElement[Any]:
    """JSON for the page alone. PostgreSQL computes what is cheap before it sorts, and takes JSON for cheap: where no
    index has the order it would write every record that is found. What is volatile waits until the page is cut."""
    return case((func.clock_timestamp().is_not(None), body))


def _is(resource: Resource, record: FromClause, binds: Binds, question: Question) -> ColumnElement[bool]:
    if question.single == "id":
        return record.c.id == bindparam("record_id", type_=UUID(as_uuid=True), required=True)
    x = external_ids
    return record.c.id == (
        select(merged.called(resource.table, binds, x))
        .where(
            x.c.tenant_id == binds.tenant,
            x.c.noun == constant(question.plural),
            x.c.source == bindparam("key_source", type_=Text(), required=True),
            x.c.external_id == bindparam("key_external", type_=Text(), required=True),
        )
        .scalar_subquery()
    )
