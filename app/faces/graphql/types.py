"""The object types, made from the declarations: one for each noun and each kind of row inside a record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import strawberry

from app.faces.graphql.build import Argument, Member, declare, enum, fill
from app.faces.graphql.names import camel, child_type_name, enum_name, type_name
from app.faces.graphql.scalars import Amount, Day, Json, Moment
from app.language.resources import board
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.resource import Catalogue, Child, Listing, Relation, Resource

MOST_ROWS = 200
DEFAULT_ROWS = 50

_SCALARS: dict[str, Any] = {
    "id": strawberry.ID,
    "reference": strawberry.ID,
    "text": str,
    "picklist": str,
    "integer": int,
    "money": Amount,
    "number": Amount,
    "flag": bool,
    "day": Day,
    "moment": Moment,
    "json": Json,
    "numbers": list[Amount],
    "question": Json,
    "custom": Json,
}


@strawberry.interface(description="Anything with an id of its own. Ids are unique over all nouns.")
class Node:
    id: strawberry.ID = strawberry.field(description="UUIDv7.")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows behind `endCursor`.")
    has_previous_page: bool = strawberry.field(description="Whether something lies before `startCursor`.")
    start_cursor: str | None = strawberry.field(
        description="Of the first record of the page; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="Of the last record of the page; null on an empty page."
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """What the GraphQL names of one object type stand for; `select.py` reads a selection by it."""

    type_name: str
    leaves: dict[str, Field] = field(default_factory=dict)
    parents: dict[str, Relation] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)


@dataclass(slots=True)
class Types:
    """Everything that is made once from the catalogue. Keys are plurals; of a child `(plural, child name)`."""

    catalogue: Catalogue
    records: dict[str, type] = field(default_factory=dict)
    connections: dict[str, type] = field(default_factory=dict)
    children: dict[tuple[str, str], type] = field(default_factory=dict)
    parts: dict[str, Parts] = field(default_factory=dict)
    """By the name of the object type."""
    enums: dict[tuple[str, str], Any] = field(default_factory=dict)
    """By the name of the owning object type and the field."""

    def scalar(self, owner: str, field: Field) -> Any:
        """The type of a field's value, without its nullability."""
        if field.kind != "choice":
            return _SCALARS[field.kind]
        key = owner, field.name
        if key not in self.enums:
            values = [(value.upper(), value) for value in field.values]
            self.enums[key] = enum(enum_name(owner, field), values, field.description)
        return self.enums[key]

    def parts_of(self, resource: Resource) -> Parts:
        return self.parts[type_name(resource)]


def make(catalogue: Catalogue) -> Types:
    """Declare every class before any is filled: nouns refer to each other in circles."""
    types = Types(catalogue)
    for resource in catalogue:
        types.records[resource.plural] = declare(type_name(resource), Node)
        types.connections[resource.plural] = declare(f"{type_name(resource)}Connection")
        for child in resource.children:
            types.children[resource.plural, child.name] = declare(child_type_name(resource, child))
    return types


def complete(types: Types, filters: dict[str, type], sorts: dict[str, Any], custom_sort: Argument) -> None:
    """Give the classes their fields. Lists inside a record take the filter and the sort of what they list."""
    for resource in types.catalogue:
        name = type_name(resource)
        parts = types.parts[name] = Parts(name)
        members = _leaves(types, name, resource.all_fields, parts) + _parents(
            types, list(resource.relations.values()), parts
        )
        for child in resource.children:
            parts.children[camel(child.name)] = child
            row = _complete_child(types, resource, child)
            members.append(Member(child.name, list[row] | None, child.description))
        for listing in resource.listings:
            parts.listings[camel(listing.name)] = listing
            target = types.records[listing.target]
            arguments = (
                Argument("first", int, f"At most so many, up to {MOST_ROWS}; {DEFAULT_ROWS} when left out."),
                Argument("filter", filters[listing.target], "Which of them."),
                Argument("sort", list[sorts[listing.target]], "In which order."),
                *((custom_sort,) if CUSTOM in types.catalogue[listing.target].by_name else ()),
            )
            members.append(Member(listing.name, list[target] | None, listing.description, arguments))
        fill(types.records[resource.plural], resource.description, members)
        _complete_connection(types, resource)


def _leaves(types: Types, owner: str, fields: tuple[Field, ...], parts: Parts) -> list[Member]:
    """Only the id is sure to be there: a record that is expanded and not visible shows its id and label alone."""
    members = []
    for declared in fields:
        parts.leaves[camel(declared.name)] = declared
        type_ = types.scalar(owner, declared)
        members.append(
            Member(declared.name, type_ if declared.kind == "id" else type_ | None, declared.description)
        )
    return members


def _parents(types: Types, relations: list[Relation], parts: Parts) -> list[Member]:
    members = []
    for relation in relations:
        parts.parents[camel(relation.name)] = relation
        title = types.catalogue[relation.target].title.lower()
        members.append(
            Member(
                relation.name,
                types.records[relation.target] | None,
                f"The {title} of `{camel(relation.reference)}`; id and label alone where you may not see it.",
            )
        )
    return members


def _complete_child(types: Types, resource: Resource, child: Child) -> type:
    name = child_type_name(resource, child)
    parts = types.parts[name] = Parts(name)
    own_id = Field(
        name="id",
        kind="id",
        description="Id of the row; it stays while the row is recognised.",
        example="01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10",
    )
    relations = [
        Relation(name=x.relation, reference=x.name, target=x.target)
        for x in child.fields
        if x.relation and x.target
    ]
    members = _leaves(types, name, (own_id, *child.fields), parts) + _parents(types, relations, parts)
    return fill(types.children[resource.plural, child.name], child.description, members)


def _complete_connection(types: Types, resource: Resource) -> None:
    record = types.records[resource.plural]
    edge = fill(
        declare(f"{type_name(resource)}Edge"),
        f"One record of a page of {resource.plural.replace('_', ' ')}.",
        [
            Member("cursor", str, "Where the record stands in this list; bound to its sort and filter."),
            Member("node", record, "The record."),
        ],
    )
    fill(
        types.connections[resource.plural],
        f"A page of {resource.plural.replace('_', ' ')}.",
        [
            Member("edges", list[edge], "The records, each with its cursor."),
            Member("nodes", list[record], "The records."),
            Member("page_info", PageInfo, "Where the page stands."),
            Member("total_count", int, "How many records the filter holds; counted only when asked for."),
            *_groups(resource, record),
        ],
    )


def _groups(resource: Resource, record: type) -> list[Member]:
    """The whole list by columns; nothing where no field makes groups."""
    fields = board.groupable(resource)
    if not fields:
        return []
    name = type_name(resource)
    nouns = resource.plural.replace("_", " ")
    group = fill(
        declare(f"{name}Group"),
        f"The {nouns} that share a value.",
        [
            Member("key", str | None, "The value, as a filter takes it; null where they have none."),
            Member("label", str | None, "The value in words."),
            Member("count", int, "How many there are."),
            *(
                Member(x, Amount | None, "What they are worth, in the home currency.")
                for x in resource.amounts
            ),
            Member("nodes", list[record], "The first of them, in the order of the list."),
            Member(
                "next_cursor", str | None,
                "Leads on, as `after` of the list whose filter holds this group's value besides.",
            ),
        ],
    )  # fmt: skip
    groups = fill(
        declare(f"{name}Groups"),
        f"The {nouns} of a list by columns.",
        [
            Member("nodes", list[group], "The groups; of picklists and boards also the empty ones."),
            Member("has_more", bool, f"Whether there are groups beyond the largest {board.MOST_GROUPS}."),
        ],
    )
    by = enum(f"{name}GroupBy", [(x.upper(), x) for x in fields], "What makes the groups.")
    most = f"At most so many of each group, up to {board.MOST_ROWS}; {board.USUAL_ROWS} when left out."
    arguments = (
        Argument("by", by, "The field whose values make the groups.", required=True),
        Argument("first", int, most),
    )
    text = "All that the filter holds by the values of a field, whatever page this is."
    return [Member("groups", groups, text, arguments)]
