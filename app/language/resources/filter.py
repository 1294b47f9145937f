"""What a caller asks for: conditions on fields, on paths through references, and on what refers to a record.

A filter is a frozen tree whose values stand outside in `Values`, so that one compiled statement serves every value.
Names that the caller's role may not read are unknown names, here as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic_core import PydanticCustomError
from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    Numeric,
    Text,
    and_,
    any_,
    bindparam,
    exists,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.access.principal import Principal
from app.ground.database.tables import MOMENT, external_ids
from app.ground.errors import FieldError, Invalid, did_you_mean
from app.language.query import merged, periods
from app.language.query.binds import Binds
from app.language.query.source import source
from app.language.resources import custom, words
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.payload import parse_moment
from app.language.resources.references import parse as parse_reference
from app.language.resources.resource import Catalogue, Child, Resource
from app.language.resources.sight import visible

MAX_CONDITIONS = 60
MAX_DEPTH = 8
MAX_STEPS = 2
MAX_VALUES = 1000


@dataclass(frozen=True, slots=True)
class Condition:
    """`path` leads to the field: relation, child or listing names, then the field. `slots` name the values.

    Of a field that the tenant has added the path ends in its kind (`custom`, `number`), and the last slot is its name.
    """

    path: tuple[str, ...]
    operator: str
    slots: tuple[str, ...]
    form: str = "value"


@dataclass(frozen=True, slots=True)
class Group:
    kind: str
    items: tuple[Filter, ...]


Filter = Condition | Group


@dataclass(slots=True)
class Values:
    """What the slots of a filter hold. `references` remembers every record that a filter names, and where."""

    binds: dict[str, Any] = field(default_factory=dict)
    references: list[tuple[str, UUID | tuple[str, str]]] = field(default_factory=list)
    periods: list[tuple[str, str, str, str]] = field(default_factory=list)
    """`(slot of the start, slot of the end, period, kind of field)`, resolved by the tenant's calendar when it runs."""
    conditions: int = 0

    def add(self, value: Any) -> str:
        name = f"v{len(self.binds)}"
        self.binds[name] = value
        return name

    def copy(self) -> Values:
        """To go on from, where what is there already serves several questions."""
        return Values(dict(self.binds), list(self.references), list(self.periods), self.conditions)


_SQL_TYPES: dict[str, Any] = {
    "id": postgresql.UUID(as_uuid=True),
    "reference": postgresql.UUID(as_uuid=True),
    "integer": BigInteger(),
    "money": Numeric(),
    "number": Numeric(),
    "flag": Boolean(),
    "day": Date(),
    "moment": MOMENT,
}


# -- reading ----------------------------------------------------------------------------------------------------------


def from_parameters(
    catalogue: Catalogue,
    resource: Resource,
    principal: Principal,
    items: Sequence[tuple[str, str]],
    values: Values,
) -> Filter | None:
    """`[("amount_home[gte]", "1000"), ("account.industry", "retail,medical")]`; all of them must hold."""
    conditions: list[Filter] = []
    for name, text in items:
        path, bracket, rest = name.partition("[")
        operator = rest.removesuffix("]") if bracket else "eq"
        if bracket and not rest.endswith("]"):
            raise Invalid.field(
                f"?{name}", "unknown_parameter", f'The parameter "{name[:80]}" cannot be read.'
            )
        reader = _Reader(catalogue, principal, values, f"?{name}", in_url=True)
        conditions.append(reader.condition(resource, path.split("."), operator, text))
    return _all(conditions)


def from_tree(
    catalogue: Catalogue,
    resource: Resource,
    principal: Principal,
    tree: Any,
    values: Values,
    pointer: str = "/filter",
) -> Filter | None:
    """`{"or": [{"amount_home": {"gte": 1000}}, {"owner_id": "me"}], "account": {"industry": "retail"}}`."""
    return _Reader(catalogue, principal, values, pointer).tree(resource, tree, ())


def _all(conditions: list[Filter]) -> Filter | None:
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else Group("and", tuple(conditions))


def searched(resource: Resource, text: str, values: Values, pointer: str, *, past: bool = False) -> Filter:
    """`q`: records that have a word beginning with each of these. Invalid where the noun is not searched so."""
    if not resource.search:
        raise Invalid.field(
            pointer,
            "unknown_parameter" if pointer.startswith("?") else "unknown_field",
            f"{resource.title} is not searched by words; filter it by `{resource.label}[contains]`.",
        )
    if past:
        raise Invalid.field(
            pointer,
            "not_in_the_past",
            "A search finds records as they are; it does not go with a past moment.",
        )
    if len(text) > words.LONGEST_SEARCH:
        raise Invalid.field(pointer, "too_long", f"A search has at most {words.LONGEST_SEARCH} characters.")
    found = words.asked(text)
    if not found:
        raise Invalid.field(pointer, "no_words", "Give at least one word: letters or digits.")
    if len(found) > words.MOST_ASKED:
        raise Invalid.field(pointer, "too_many_words", f"Give at most {words.MOST_ASKED} words.")
    slots = tuple(values.add(bound) for word in sorted(found) for bound in words.bounds(word))
    return Condition(("id",), "words", slots)


def both(*parts: Filter | None) -> Filter | None:
    return _all([x for x in parts if x is not None])


@dataclass(slots=True)
class _Reader:
    catalogue: Catalogue
    principal: Principal
    values: Values
    pointer: str
    depth: int = 0
    in_url: bool = False
    """Every value is a text there, and commas part a list; in JSON a value has its own type."""

    def tree(self, resource: Resource, tree: Any, prefix: tuple[str, ...]) -> Filter | None:
        if not isinstance(tree, Mapping):
            raise Invalid.field(self.pointer, "invalid_filter", "A filter is an object.")
        if self.depth > MAX_DEPTH:
            raise Invalid.field(
                self.pointer, "filter_too_deep", f"A filter nests at most {MAX_DEPTH} levels."
            )
        conditions: list[Filter] = []
        for name, value in tree.items():
            at = _Reader(
                self.catalogue, self.principal, self.values, f"{self.pointer}/{name}", self.depth + 1
            )
            if name in ("and", "or"):
                if not isinstance(value, Sequence) or isinstance(value, str):
                    raise Invalid.field(at.pointer, "invalid_filter", f'"{name}" takes a list of filters.')
                parts = [p for item in value if (p := at.tree(resource, item, prefix)) is not None]
                if parts:
                    conditions.append(Group(name, tuple(parts)))
            elif name == "not":
                inner = at.tree(resource, value, prefix)
                if inner is not None:
                    conditions.append(Group("not", (inner,)))
            else:
                conditions += at.member(resource, prefix, name, value)
        return _all(conditions)

    def member(self, resource: Resource, prefix: tuple[str, ...], name: str, value: Any) -> list[Filter]:
        path = [*prefix, *name.split(".")]
        last = path[-1]
        owner = self.walk(resource, path[:-1])
        nested = last in owner.children or last in owner.listings or last in owner.relations
        if nested or (last == CUSTOM and owner.custom):
            parts = value if last == CUSTOM and isinstance(value, list) else [value]
            inner = [self.tree(resource, part, tuple(path)) for part in parts]
            return [part for part in inner if part is not None]
        if isinstance(value, Mapping):
            return [self.condition(resource, path, operator, operand) for operator, operand in value.items()]
        if value is None:
            return [self.condition(resource, path, "is_null", True)]
        operator = "in" if isinstance(value, Sequence) and not isinstance(value, str) else "eq"
        return [self.condition(resource, path, operator, value)]

    def walk(self, resource: Resource, steps: Sequence[str]) -> _Place:
        if len(steps) > MAX_STEPS:
            raise Invalid.field(self.pointer, "path_too_long", f"A path takes at most {MAX_STEPS} steps.")
        place = _Place.of(resource, self.principal.role)
        for step in steps:
            target = place.step(step, self.catalogue, self.principal)
            if target is None:
                raise self.unknown(step, place)
            place = target
        return place

    def unknown(self, name: str, place: _Place) -> Invalid:
        known = [*place.fields, *place.relations, *place.children, *place.listings]
        return Invalid.field(
            self.pointer,
            "unknown_parameter" if self.pointer.startswith("?") else "unknown_field",
            f'{place.title} has no "{name[:80]}" to filter by.' + did_you_mean(name, known),
        )

    def condition(self, resource: Resource, path: Sequence[str], operator: str, raw: Any) -> Filter:
        self.values.conditions += 1
        if self.values.conditions > MAX_CONDITIONS:
            raise Invalid.field(
                self.pointer, "too_many_conditions", f"At most {MAX_CONDITIONS} conditions a filter."
            )
        place = self.walk(resource, path[:-1])
        target = place.fields.get(path[-1])
        if target is None:
            raise self.unknown(path[-1], place)
        name = (self.values.add(path[-1]),) if place.of_tenant else ()
        if (
            self.in_url
            and operator == "eq"
            and target.kind not in ("text",)
            and isinstance(raw, str)
            and "," in raw
        ):
            operator = "in"
        if operator not in target.operators:
            raise Invalid.field(
                self.pointer,
                "unknown_operator",
                f'"{target.name}" takes no operator "{operator[:40]}"; it takes {", ".join(target.operators)}.'
                + did_you_mean(operator, target.operators),
            )
        path = (*path[:-1], target.kind) if name else tuple(path)
        if operator == "is_null":
            return Condition(path, "is_null" if self.truth(raw) else "is_not_null", name)
        if operator == "in_period":
            if not isinstance(raw, str) or len(raw) > 60:
                raise Invalid.field(
                    self.pointer, "period_unknown", "A period is a text such as this_quarter."
                )
            start, end = self.values.add(None), self.values.add(None)
            self.values.periods.append((start, end, raw, target.kind))
            return Condition(path, "in_period", (start, end, *name))
        if operator in ("in", "nin"):
            listed = raw.split(",") if self.in_url and isinstance(raw, str) else raw
            return self.members(path, target, operator, listed, name)
        value = self.value(target, raw)
        form = "key" if isinstance(value, tuple) else "value"
        slots = (
            tuple(self.values.add(x) for x in value)
            if isinstance(value, tuple)
            else (self.values.add(value),)
        )
        return Condition(path, operator, (*slots, *name), form)

    def members(
        self, path: tuple[str, ...], target: Field, operator: str, raw: Any, name: tuple[str, ...]
    ) -> Filter:
        if not isinstance(raw, Sequence) or isinstance(raw, str) or len(raw) > MAX_VALUES:
            raise Invalid.field(self.pointer, "invalid_value", f"Give a list of at most {MAX_VALUES} values.")
        found = [self.value(target, x) for x in raw]
        plain = [x for x in found if not isinstance(x, tuple)]
        keys = [x for x in found if isinstance(x, tuple)]
        parts: list[Filter] = (
            [Condition(path, operator, (self.values.add(plain), *name))] if plain or not keys else []
        )
        if keys:
            slots = (self.values.add([x[0] for x in keys]), self.values.add([x[1] for x in keys]))
            parts.append(Condition(path, operator, slots, "keys"))
        return parts[0] if len(parts) == 1 else Group("or" if operator == "in" else "and", tuple(parts))

    def truth(self, raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        if self.in_url and raw in ("true", "1"):
            return True
        if self.in_url and raw in ("false", "0"):
            return False
        raise Invalid.field(self.pointer, "invalid_value", "Must be true or false.")

    def value(self, target: Field, raw: Any) -> Any:
        try:
            return self._value(target, raw)
        except PydanticCustomError as error:
            raise Invalid.field(self.pointer, error.type, error.message()) from None
        except (ValueError, InvalidOperation, TypeError, OverflowError):
            raise Invalid.field(
                self.pointer, "invalid_value", f'"{target.name}" cannot be compared with this value.'
            ) from None

    def _value(self, target: Field, raw: Any) -> Any:
        match target.kind:
            case "id" | "reference":
                return self.reference(target, raw)
            case "integer":
                if not self.in_url and (isinstance(raw, bool) or not isinstance(raw, int)):
                    raise ValueError
                number = int(raw)
                if abs(number) >= 2**63:
                    raise ValueError
                return number
            case "money" | "number":
                if (
                    isinstance(raw, bool)
                    or not isinstance(raw, (int, float, str, Decimal))
                    or len(str(raw)) > 60
                ):
                    raise ValueError
                amount = Decimal(str(raw))
                if not amount.is_finite() or abs(amount.adjusted()) > 60:
                    raise ValueError
                return amount
            case "flag":
                return self.truth(raw)
            case "day":
                if isinstance(raw, datetime) or not isinstance(raw, (str, date)):
                    raise ValueError
                return raw if isinstance(raw, date) else date.fromisoformat(raw)
            case "moment":
                moment = parse_moment(raw)
                if isinstance(moment, datetime):
                    return moment
                return periods.midnight(moment, self.principal.tenant.zone)
            case "choice":
                if raw not in target.values:
                    raise Invalid(
                        "",
                        errors=[
                            FieldError(
                                self.pointer,
                                "not_in_list",
                                f'"{target.name}" is one of {", ".join(target.values)}.'
                                + did_you_mean(str(raw), target.values),
                            )
                        ],
                    )
                return raw
            case _:
                if not isinstance(raw, str) or "\x00" in raw or len(raw) > 2000:
                    raise ValueError
                raw.encode()
                return raw

    def reference(self, target: Field, raw: Any) -> Any:
        if raw == "me" and target.target == "reps":
            # Without a rep of one's own nothing is mine: an id that no record has.
            return self.principal.rep_id or UUID(int=0)
        found = parse_reference(raw) if isinstance(raw, str) else raw if isinstance(raw, UUID) else None
        if found is None:
            raise ValueError
        if target.target is not None:
            self.values.references.append((target.target, found))
        return found


@dataclass(frozen=True, slots=True)
class _Place:
    """What may be named at one step of a path."""

    title: str
    fields: Mapping[str, Field]
    relations: Mapping[str, str]
    children: Mapping[str, Child]
    listings: Mapping[str, Any]
    custom: Resource | None = None
    """The noun, where its tenants may add fields."""
    of_tenant: bool = False
    """Whether these are fields that the tenant has added."""

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, resource: Resource, role: str) -> _Place:
        return cls(
            resource.title,
            {x.name: x for x in resource.all_fields if x.readable_by(role) and x.operators},
            {name: r.target for name, r in resource.relations.items()},
            resource.children_by_name,
            resource.listings_by_name,
            resource if CUSTOM in resource.by_name else None,
        )

    def step(self, name: str, catalogue: Catalogue, principal: Principal) -> _Place | None:
        if name in self.relations:
            return _Place.of(catalogue[self.relations[name]], principal.role)
        if name in self.listings:
            return _Place.of(catalogue[self.listings[name].target], principal.role)
        if name == CUSTOM and self.custom is not None:
            added = custom.fields(principal.tenant.custom, self.custom.plural)
            return _Place(f"{self.title}'s {CUSTOM}", added, {}, {}, {}, of_tenant=True)
        if name in self.children:
            child = self.children[name]
            relations = {x.relation: x.target for x in child.fields if x.relation and x.target}
            return _Place(child.singular, child.by_name, relations, {}, {})
        return None


def meaning(tree: Filter | None, values: Values) -> str:
    """What a filter asks for, in one form however it was written: values in place of slots, conditions in order."""
    if tree is None:
        return ""
    if isinstance(tree, Group):
        parts = sorted(meaning(item, values) for item in tree.items)
        return f"{tree.kind}({', '.join(parts)})"
    periods = {start: text for start, _, text, _ in values.periods}
    found = [periods.get(slot, values.binds[slot]) for slot in tree.slots]
    return repr((tree.path, tree.operator, tree.form, found))


# -- compiling --------------------------------------------------------------------------------------------------------


def condition_of(
    catalogue: Catalogue, resource: Resource, record: FromClause, binds: Binds, tree: Filter
) -> ColumnElement[bool]:
    """The filter as SQL over `record`. What lies behind a reference counts only where the asker sees it."""
    if isinstance(tree, Group):
        parts = [condition_of(catalogue, resource, record, binds, item) for item in tree.items]
        if tree.kind == "not":
            return not_(func.coalesce(parts[0], False))
        return or_(*parts) if tree.kind == "or" else and_(*parts)
    return _along(catalogue, resource, record, binds, tree, tree.path)


def fixed(resource: Resource, record: FromClause, tree: Filter | None) -> dict[ColumnElement[Any], Any]:
    """The columns of `record` that can have one value only where the filter holds, with that value."""
    if isinstance(tree, Group) and tree.kind == "and":
        return {column: x for part in tree.items for column, x in fixed(resource, record, part).items()}
    if (
        not isinstance(tree, Condition)
        or tree.operator != "eq"
        or tree.form != "value"
        or len(tree.path) != 1
    ):
        return {}
    field = resource.by_name[tree.path[0]]
    if field.expression is not None:
        return {}
    type_ = _SQL_TYPES.get(field.kind, Text())
    return {record.c[field.name]: bindparam(tree.slots[0], type_=type_, required=True)}


def _along(
    catalogue: Catalogue,
    resource: Resource | Child,
    record: FromClause,
    binds: Binds,
    condition: Condition,
    path: tuple[str, ...],
) -> ColumnElement[bool]:
    if condition.operator == "words":
        assert isinstance(resource, Resource)
        return words.matching(resource, record, condition.slots, binds)
    if path[0] == CUSTOM:
        name = bindparam(condition.slots[-1], type_=Text(), required=True)
        target = custom.field(CUSTOM, path[1])  # pyright: ignore[reportArgumentType]
        return _compare(custom.value(record, name, path[1]), target, condition, binds, None)
    if len(path) == 1:
        target = resource.by_name[path[0]]
        column = target.expression(record, binds) if target.expression else record.c[target.name]
        return _compare(column, target, condition, binds, _named(catalogue, resource, target))
    step, rest = path[0], path[1:]
    depth = f"{step}_{len(rest)}"
    if isinstance(resource, Resource) and step in resource.children_by_name:
        child = resource.children_by_name[step]
        row = source(child.table, binds, depth)
        inner = _along(catalogue, child, row, binds, condition, rest)
        return exists(
            select(1)
            .select_from(row)
            .where(row.c.tenant_id == binds.tenant, row.c[child.parent] == record.c.id, inner)
        )
    if isinstance(resource, Resource) and step in resource.listings_by_name:
        listing = resource.listings_by_name[step]
        noun = catalogue[listing.target]
        row = source(noun.table, binds, depth)
        link = row.c[listing.via] == record.c.id
    else:
        reference = next(x for x in _fields(resource) if x.relation == step)
        assert reference.target is not None
        noun = catalogue[reference.target]
        row = source(noun.table, binds, depth)
        link = row.c.id == record.c[reference.name]
    wheres = [row.c.tenant_id == binds.tenant, link, row.c.deleted_at.is_(None)]
    if (seen := visible(noun, row, binds)) is not None:
        wheres.append(seen)
    wheres.append(_along(catalogue, noun, row, binds, condition, rest))
    return exists(select(1).select_from(row).where(*wheres))


def _fields(resource: Resource | Child) -> Sequence[Field]:
    return resource.all_fields if isinstance(resource, Resource) else resource.fields


def _named(catalogue: Catalogue, resource: Resource | Child, target: Field) -> Resource | None:
    """The noun whose ids the field holds."""
    if target.target:
        return catalogue[target.target]
    return resource if target.kind == "id" and isinstance(resource, Resource) else None


def _compare(
    column: Any, target: Field, condition: Condition, binds: Binds, noun: Resource | None
) -> ColumnElement[bool]:
    type_ = _SQL_TYPES.get(target.kind, Text())

    def slot(index: int, of: Any = type_) -> Any:
        return bindparam(condition.slots[index], type_=of, required=True)

    if condition.form in ("key", "keys"):
        assert noun is not None
        return _by_key(column, condition, binds, noun)
    by_id = condition.operator in _BY_ID and target.name != merged.LINK
    if by_id and noun is not None and merged.mergeable(noun.table):
        return _by_id(column, target, condition, binds, noun)
    match condition.operator:
        case "eq":
            return column == slot(0)
        case "ne":
            return column.is_distinct_from(slot(0))
        case "lt":
            return column < slot(0)
        case "lte":
            return column <= slot(0)
        case "gt":
            return column > slot(0)
        case "gte":
            return column >= slot(0)
        case "in":
            return column == any_(slot(0, ARRAY(type_)))
        case "nin":
            return or_(column.is_(None), not_(column == any_(slot(0, ARRAY(type_)))))
        case "is_null":
            return column.is_(None)
        case "is_not_null":
            return column.is_not(None)
        case "in_period":
            return and_(column >= slot(0), column < slot(1))
        case "contains":
            return func.strpos(func.lower(column), func.lower(slot(0))) > 0
        case _:
            return func.starts_with(func.lower(column), func.lower(slot(0)))


_BY_ID = ("eq", "ne", "in", "nin")


def _by_id(
    column: Any, target: Field, condition: Condition, binds: Binds, noun: Resource
) -> ColumnElement[bool]:
    """Compare with what the given ids mean today, or did at the moment. A record itself also goes by its own id, for
    where deleted ones are asked for too."""
    one, many = _SQL_TYPES["id"], ARRAY(_SQL_TYPES["id"])
    if condition.operator in ("eq", "ne"):
        given = bindparam(condition.slots[0], type_=one, required=True)
        meant = merged.led(noun.table, binds, given)
        same = column == any_(postgresql.array([given, meant])) if target.kind == "id" else column == meant
    else:
        given = bindparam(condition.slots[0], type_=many, required=True)
        meant = merged.all_led(noun.table, binds, given)
        same = column == any_(func.array_cat(given, meant, type_=many) if target.kind == "id" else meant)
    return same if condition.operator in ("eq", "in") else or_(column.is_(None), not_(same))


def _by_key(column: Any, condition: Condition, binds: Binds, noun: Resource) -> ColumnElement[bool]:
    """Compare with records named `source:external_id`, looked up inside the statement."""
    many = condition.form == "keys"
    of = ARRAY(Text()) if many else Text()
    source_, external = (bindparam(name, type_=of, required=True) for name in condition.slots)
    x = external_ids.alias()
    match = (
        and_(x.c.source == any_(source_), x.c.external_id == any_(external))
        if many
        else and_(x.c.source == source_, x.c.external_id == external)
    )
    ids = select(merged.called(noun.table, binds, x)).where(
        x.c.tenant_id == binds.tenant, x.c.noun == noun.plural, match
    )
    if condition.operator in ("ne", "nin"):
        return or_(column.is_(None), column.not_in(ids))
    return column.in_(ids) if many else column == ids.scalar_subquery()
