"""From a selection to one shape, which the language turns into one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode

from app.faces.graphql.inputs import Inputs, plain
from app.faces.graphql.names import camel, child_type_name, type_name
from app.faces.graphql.selection import TYPENAME, Selected
from app.faces.graphql.types import DEFAULT_ROWS, MOST_ROWS, Parts, Types
from app.ground.access.permissions import demand
from app.ground.access.principal import Principal
from app.ground.errors import Forbidden, Invalid
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.filter import Values, from_tree
from app.language.resources.resource import Resource
from app.language.resources.select import checked_sort, named_sort
from app.language.resources.shape import Constant, Item, Leaf, Many, Parent, Shape

CHILD_ROWS = 10
"""What a list inside a record is taken to hold when the cost of a selection is reckoned."""


@dataclass(slots=True)
class Compiler:
    """One root field's selection. `values` holds what its filters compare with, in the order of the walk, `cost` how
    many rows it may reach."""

    types: Types
    inputs: Inputs
    principal: Principal
    selected: Selected
    values: Values = field(default_factory=Values)
    cost: int = 0

    def record(self, resource: Resource, nodes: Sequence[FieldNode], rows: int = 1) -> Shape:
        """`rows` is how many such records the answer may hold."""
        demand(self.principal, resource.permission_name, "read")
        self.cost += rows
        return self._shape(resource, self.types.parts_of(resource), nodes, rows)

    def _shape(self, resource: Resource, parts: Parts, nodes: Sequence[FieldNode], rows: int) -> Shape:
        items: list[tuple[str, Item]] = []
        for alias, found in self.selected.fields(parts.type_name, nodes).items():
            items.append((alias, self._item(resource, parts, found, rows)))
        return Shape(tuple(items))

    def _item(self, resource: Resource, parts: Parts, nodes: Sequence[FieldNode], rows: int) -> Item:
        name = nodes[0].name.value
        if declared := parts.leaves.get(name):
            return self._leaf(resource, declared, name)
        if relation := parts.parents.get(name):
            self._demand_field(resource, relation.reference, name, parts)
            return Parent(relation.name, self.record(self.types.catalogue[relation.target], nodes, rows))
        if child := parts.children.get(name):
            self.cost += rows * CHILD_ROWS
            row = self.types.parts[child_type_name(resource, child)]
            return Many(name=child.name, shape=self._shape(resource, row, nodes, rows * CHILD_ROWS))
        if listing := parts.listings.get(name):
            target = self.types.catalogue[listing.target]
            arguments = self.selected.arguments(parts.type_name, nodes[0])
            first = rows_asked(arguments.get("first"))
            return Many(
                name=listing.name,
                shape=self.record(target, nodes, rows * first),
                first=first,
                filter=self.filter(target, arguments.get("filter")),
                sort=self._bound(target, self.sort(target, arguments)),
            )
        if name != TYPENAME:
            raise TypeError(f"validation let the unknown field {name} pass")
        return Constant(parts.type_name)

    def filter(self, resource: Resource, sent: Any) -> Any:
        if not sent:
            return None
        tree = self.inputs.filters[resource.plural].reading(sent)
        return from_tree(self.types.catalogue, resource, self.principal, tree, self.values)

    def sort(self, resource: Resource, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Fields that the tenant has added come first."""
        sent = arguments.get("sort")
        names = plain(sent) if sent else ()
        for name in names:
            field = resource.by_name[name.removeprefix("-")]
            self._leaf(resource, field, name)
        by_custom = arguments.get("custom_sort") or arguments.get("customSort") or ()
        return (*(f"{'-' if x.get('descending') else ''}{CUSTOM}.{x['field']}" for x in by_custom), *names)

    def _bound(self, resource: Resource, names: tuple[str, ...]) -> tuple[str, ...]:
        """The order of a list inside of the statement."""
        if not any(CUSTOM in name for name in names):
            return names
        checked = checked_sort(self.types.catalogue, resource, self.principal, names)
        return named_sort(self.types.catalogue, resource, self.principal, checked, self.values.add)

    def _leaf(self, resource: Resource, field: Field, name: str) -> Leaf:
        if not field.readable_by(self.principal.role):
            raise _unreadable(resource, name, self.principal.role)
        return Leaf(field.name, "upper" if field.kind == "choice" else "plain")

    def demand_readable(self, resource: Resource, name: str) -> None:
        self._leaf(resource, resource.by_name[name], camel(name))

    def _demand_field(self, resource: Resource, reference: str, name: str, parts: Parts) -> None:
        field = resource.by_name.get(reference)
        if field is not None and not field.readable_by(self.principal.role):
            raise _unreadable(resource, name, self.principal.role)


def _unreadable(resource: Resource, name: str, role: str) -> Forbidden:
    return Forbidden(f"A {role} may not read {name} of {type_name(resource)}.")


def rows_asked(
    first: int | None, name: str = "first", *, usual: int = DEFAULT_ROWS, most: int = MOST_ROWS
) -> int:
    if first is None:
        return usual
    if not 1 <= first <= most:
        raise Invalid.field(f"/{name}", "out_of_range", f"`{name}` is a whole number from 1 to {most}.")
    return first
