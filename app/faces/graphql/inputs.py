"""The inputs, made from the declarations, and the way back: from what was sent to the languages' own form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import NoneType
from typing import Any, ClassVar, cast, get_args, get_origin

import strawberry

from app.faces.graphql.build import Argument, Member, declare, enum, fill
from app.faces.graphql.names import action_input_name, camel, child_type_name, enum_name, type_name
from app.faces.graphql.scalars import Amount, Day, Json, Moment
from app.faces.graphql.types import Types
from app.language.resources import aliases
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.payload import DELETED, MERGED, MERGED_INTO, SOURCE_UPDATED_AT, STUB, class_name
from app.language.resources.resource import Action, Child, Inquiry, Resource

_OPERATOR_TEXT = {
    "eq": "Equal to.",
    "ne": "Not equal to, or without a value.",
    "in": "One of.",
    "nin": "None of.",
    "lt": "Less than, or before.",
    "lte": "At most, or at the latest.",
    "gt": "Greater than, or after.",
    "gte": "At least, or at the earliest.",
    "contains": "Contains this text, in any case.",
    "starts_with": "Starts with this text, in any case.",
    "is_null": "Whether it has no value.",
    "in_period": "Within a period: `2026`, `2026-Q1`, `2026-03`, `this_quarter`, `last_90_days`, `FY2026`.",
}

Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """How one input type is read back: GraphQL names to declared names, and what is to be done with the values."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Read] = field(default_factory=dict)
    """Only of members whose value is not taken as it is."""

    def __call__(self, sent: Mapping[str, Any] | None) -> Any:
        if sent is None:
            return None
        names, values = self.names, self.values
        return {names[name]: values[name](value) if name in values else value for name, value in sent.items()}


def plain(value: Any) -> Any:
    """An enum's member as the value that is stored."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def each(read: Read) -> Read:
    return lambda sent: None if sent is None else [read(item) for item in sent]


@dataclass(slots=True)
class Input:
    """An input type with its reading, filled in one go."""

    type: type
    reading: Reading = field(default_factory=Reading)
    members: list[Member] = field(default_factory=list)

    def add(self, name: str, type_: Any, description: str, read: Read | None = None) -> None:
        self.members.append(Member(name, type_, description))
        self.reading.names[camel(name)] = name
        if read is not None:
            self.reading.values[camel(name)] = read

    def fill(self, description: str) -> None:
        fill(self.type, description, self.members, input=True)


@dataclass(slots=True)
class Inputs:
    """By plural; actions and inquiries by plural and name."""

    filters: dict[str, Input] = field(default_factory=dict)
    sorts: dict[str, Any] = field(default_factory=dict)
    creates: dict[str, Input] = field(default_factory=dict)
    patches: dict[str, Input] = field(default_factory=dict)
    rows: dict[str, Input] = field(default_factory=dict)
    actions: dict[tuple[str, str], Input] = field(default_factory=dict)


def make(types: Types) -> Inputs:
    inputs = Inputs()
    operators = _Operators(types)
    for resource in types.catalogue:
        inputs.filters[resource.plural] = Input(declare(f"{type_name(resource)}Filter"))
        inputs.sorts[resource.plural] = _sort(resource)
    for resource in types.catalogue:
        _fill_filter(types, inputs, operators, resource)
        _make_writes(types, inputs, resource)
    return inputs


class _Operators:
    """One input for each kind of value, one for each enum: `DecimalOperators`, `OpportunityTypeOperators`."""

    _NAMES: ClassVar[dict[str, str]] = {
        "id": "Id", "reference": "Reference", "text": "Text", "picklist": "Picklist", "integer": "Int",
        "money": "Decimal", "number": "Decimal", "flag": "Boolean", "day": "Date", "moment": "DateTime",
    }  # fmt: skip

    def __init__(self, types: Types) -> None:
        self._types = types
        self._made: dict[str, Input] = {}

    def of(self, owner: str, field: Field) -> Input:
        name = enum_name(owner, field) if field.kind == "choice" else self._NAMES[field.kind]
        if name not in self._made:
            value = self._types.scalar(owner, field)
            made = self._made[name] = Input(declare(f"{name}Operators"))
            for operator in field.operators:
                type_, read = self._operand(operator, value)
                made.add(operator, type_ | None, _OPERATOR_TEXT[operator], read)
            made.fill("What a value may be compared with; several of them must all hold.")
        return self._made[name]

    @staticmethod
    def _operand(operator: str, value: Any) -> tuple[Any, Read | None]:
        read = plain if isinstance(value, type) and issubclass(value, Enum) else None
        match operator:
            case "in" | "nin":
                return list[value], read
            case "is_null":
                return bool, None
            case "in_period":
                return str, None
            case _:
                return value, read


def _sort(resource: Resource) -> Any:
    members = []
    for declared in resource.all_fields:
        if declared.sortable:
            members += [
                (f"{declared.name.upper()}_ASC", declared.name),
                (f"{declared.name.upper()}_DESC", f"-{declared.name}"),
            ]
    return enum(f"{type_name(resource)}Sort", members, "What has no value comes last in either direction.")


def _fill_filter(types: Types, inputs: Inputs, operators: _Operators, resource: Resource) -> None:
    """A filter reads as its parts joined by and."""
    made = inputs.filters[resource.plural]
    some = "Some of its {} are so."
    made.add("and", list[made.type] | None, "All of these hold.", each(made.reading))
    made.add("or", list[made.type] | None, "At least one of these holds.", each(made.reading))
    made.add("not", made.type | None, "This does not hold.", made.reading)
    for declared in resource.all_fields:
        if declared.operators:
            operator = operators.of(type_name(resource), declared)
            made.add(declared.name, operator.type | None, declared.description, operator.reading)
    if CUSTOM in resource.by_name:
        made.add(
            CUSTOM, list[_CUSTOM_FILTER.type] | None, "Fields that the tenant has added are so, all of them.",
            _custom_conditions,
        )  # fmt: skip
    for relation in resource.relations.values():
        target = inputs.filters[relation.target]
        made.add(relation.name, target.type | None, "Its own fields are so.", target.reading)
    for child in resource.children:
        rows = _child_filter(types, operators, resource, child)
        made.add(child.name, rows.type | None, some.format(child.name.replace("_", " ")), rows.reading)
    for listing in resource.listings:
        target = inputs.filters[listing.target]
        made.add(listing.name, target.type | None, some.format(listing.name), target.reading)
    made.fill(f"Which {resource.plural.replace('_', ' ')}: everything that is named must hold.")


def _child_filter(types: Types, operators: _Operators, resource: Resource, child: Child) -> Input:
    name = child_type_name(resource, child)
    made = Input(declare(f"{name}Filter"))
    for declared in child.fields:
        if declared.operators:
            operator = operators.of(name, declared)
            made.add(declared.name, operator.type | None, declared.description, operator.reading)
    made.fill(f"Which {child.name.replace('_', ' ')}: everything that is named must hold.")
    return made


def _external_id() -> Input:
    made = Input(declare("ExternalIdInput"))
    made.add("source", str, "The tenant's own name of the source.")
    made.add("external_id", str, "The record's id there.")
    made.add("url", str | None, "Where to see it there.")
    made.add("stub", bool | None, STUB, bool)
    made.add("merged", bool | None, MERGED, bool)
    made.fill("A name that a source gives a record.")
    return made


_EXTERNAL_ID = _external_id()


def _custom_filter() -> Input:
    made = Input(declare("CustomFilter"))
    made.add("field", str, "Its name.")
    for operator, text in _OPERATOR_TEXT.items():
        type_: Any = list[Json] if operator in ("in", "nin") else Json
        type_ = {"is_null": bool, "in_period": str, "contains": str, "starts_with": str}.get(operator, type_)
        made.add(operator, type_ | None, text)
    made.fill(
        "A field that the tenant has added (`custom_fields`) and what it is compared with, as its kind has it."
    )
    return made


def _custom_sort() -> type:
    made = Input(declare("CustomSort"))
    made.add("field", str, "Its name.")
    made.add("descending", bool | None, "From the largest, or the latest.")
    made.fill("An order by a field that the tenant has added.")
    return made.type


_CUSTOM_FILTER = _custom_filter()
CUSTOM_SORT = Argument(
    "custom_sort",
    list[_custom_sort()],
    "By which fields that the tenant has added; `sort` comes behind them.",
)


def _custom_conditions(sent: Any) -> Any:
    return [{x.pop("field"): x} for x in map(_CUSTOM_FILTER.reading, sent or ())]


def _add_writable(
    types: Types, made: Input, owner: str, fields: Iterable[Field], *, require: bool, creating: bool
) -> None:
    for declared in fields:
        if declared.write == "never" or (declared.write == "create" and not creating):
            continue
        # A list of texts is the only JSON that may be written.
        type_: Any = list[str] if declared.kind == "json" else types.scalar(owner, declared)
        made.add(
            declared.name,
            type_ if require and declared.required else type_ | None,
            declared.description,
            plain if declared.kind == "choice" else None,
        )


def _make_writes(types: Types, inputs: Inputs, resource: Resource) -> None:
    name = type_name(resource)
    create = inputs.creates[resource.plural] = Input(declare(f"{name}Create"))
    patch = inputs.patches[resource.plural] = Input(declare(f"{name}Patch"))
    row = inputs.rows[resource.plural] = Input(declare(f"{name}UpsertRow"))
    _add_writable(types, create, name, resource.fields, require=True, creating=True)
    _add_writable(types, patch, name, resource.fields, require=False, creating=False)
    row.add("external_id", str, "The record's id at the source.")
    row.add("url", str | None, "Where to see it there.")
    row.add("if_version", int | None, "Refuse the row unless the stored version is this one.")
    row.add("source_updated_at", Moment | None, SOURCE_UPDATED_AT)
    if "delete" in resource.operations:
        row.add("deleted", bool | None, DELETED, bool)
    if aliases.mergeable(resource):
        row.add("merged_into", str | None, MERGED_INTO)
    _add_writable(types, row, name, resource.fields, require=False, creating=True)
    for child in resource.children:
        rows = _child_row(types, resource, child)
        for made in (create, patch, row):
            made.add(
                child.name, list[rows.type] | None, f"{child.description} Replaces the stored list.",
                each(rows.reading),
            )  # fmt: skip
        for made in (patch, row):
            made.add(
                f"{child.name}_merge", list[rows.type] | None, f"Added to the stored {child.name.replace('_', ' ')}.",
                each(rows.reading),
            )  # fmt: skip
    for made in (create, patch):
        made.add(
            "external_ids", list[_EXTERNAL_ID.type] | None, "Every name that a source gives this record.",
            each(_EXTERNAL_ID.reading),
        )  # fmt: skip
    if resource.takes_past:
        point = Input(declare(f"{name}HistoryPoint"))
        point.add("at", Moment, "Since when.")
        _add_writable(types, point, name, resource.fields, require=False, creating=True)
        point.fill("Fields and since when they had these values.")
        row.add("history", list[point.type] | None, "How it came to be.", each(point.reading))
    create.fill(f"A new {resource.title.lower()}.")
    patch.fill("What is absent stays, null clears, a child list that is present replaces the stored one.")
    row.fill(f"One {resource.title.lower()} as its source has it: absent stays, null clears.")
    for action in (*resource.actions, *types.catalogue.inquiries[resource.plural]):
        inputs.actions[resource.plural, action.name] = _action(types, resource, action)


def _child_row(types: Types, resource: Resource, child: Child) -> Input:
    name = child_type_name(resource, child)
    made = Input(declare(f"{name}Row"))
    _add_writable(types, made, name, child.fields, require=True, creating=True)
    made.fill(child.description)
    return made


_PYTHON_SCALARS: dict[type, Any] = {str: str, int: int, float: Amount, bool: bool}


def _action(types: Types, resource: Resource, action: Action | Inquiry) -> Input:
    """An action's field takes the type of the noun's field of that name, else that of its annotation."""
    made = Input(declare(action_input_name(resource, action)))
    for name, info in action.input.model_fields.items():
        several = get_origin(info.annotation) is list
        options = set((not several and get_args(info.annotation)) or (info.annotation,))
        nullable = NoneType in options
        declared = resource.by_name.get(name)
        if declared is not None:
            type_ = types.scalar(type_name(resource), declared)
            read = plain if declared.kind == "choice" else None
        else:
            (python,) = options - {NoneType}
            type_, read = list[str] if several else _PYTHON_SCALARS[cast(type, python)], None
        required = info.is_required() and not nullable
        made.add(name, type_ if required else type_ | None, info.description or "", read)
    made.fill(action.description)
    return made


def needs_input(action: Action | Inquiry) -> bool:
    return any(info.is_required() for info in action.input.model_fields.values())


__all__ = ["Day", "Input", "Inputs", "Reading", "class_name", "make", "needs_input", "plain", "strawberry"]
