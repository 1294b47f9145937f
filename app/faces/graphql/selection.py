"""What a caller selected, under the names that the answer must carry: aliases, fragments and directives resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    VariableNode,
    get_argument_values,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.values import VariableValues

from app.faces.graphql.names import snake

TYPENAME = "__typename"
_INTERFACES = frozenset({"Node"})


class Selected:
    """The selections of one request's document, read with its variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
    ) -> None:
        self._types = schema.type_map
        self._fragments = fragments
        self._variables = variables

    def fields(self, type_name: str, nodes: Iterable[FieldNode]) -> dict[str, list[FieldNode]]:
        """By the name in the answer; several nodes where the same field is selected in several places."""
        found: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        for node in nodes:
            if node.selection_set is not None:
                self._collect(type_name, node.selection_set, found, spread)
        return found

    def within(self, type_name: str, selections: SelectionSetNode) -> dict[str, list[FieldNode]]:
        found: dict[str, list[FieldNode]] = {}
        self._collect(type_name, selections, found, set())
        return found

    def taker(self, type_: Any, nodes: Sequence[FieldNode]) -> Callable[[Any], Any]:
        """Takes what was selected out of plain values that are there already, keyed by declared names."""
        if is_non_null_type(type_):
            return self.taker(type_.of_type, nodes)
        if is_list_type(type_):
            each = self.taker(type_.of_type, nodes)
            return lambda values: None if values is None else [each(value) for value in values]
        if not is_object_type(type_):
            return _whole
        parts: list[tuple[str, str, Callable[[Any], Any]]] = []
        for key, found in self.fields(type_.name, nodes).items():
            name = found[0].name.value
            if name == TYPENAME:
                parts.append((key, "", lambda _, name=type_.name: name))
            else:
                parts.append((key, snake(name), self.taker(type_.fields[name].type, found)))

        def take(value: Any) -> Any:
            if value is None:
                return None
            return {key: read(value.get(name)) for key, name, read in parts}

        return take

    def named(self, name: str) -> Any:
        return self._types[name]

    def arguments(self, type_name: str, node: FieldNode) -> dict[str, Any]:
        """The arguments that were given, by their GraphQL names and checked against the schema."""
        if not node.arguments:
            return {}
        definition = cast(GraphQLObjectType, self._types[type_name]).fields[node.name.value]
        return get_argument_values(definition, node, self._variables)

    def _collect(
        self,
        type_name: str,
        selections: SelectionSetNode,
        found: dict[str, list[FieldNode]],
        spread: set[str],
    ) -> None:
        for selection in selections.selections:
            if selection.directives and not self._included(selection.directives):
                continue
            if isinstance(selection, FieldNode):
                name = selection.alias.value if selection.alias else selection.name.value
                found.setdefault(name, []).append(selection)
            elif isinstance(selection, InlineFragmentNode):
                if _applies(selection.type_condition, type_name):
                    self._collect(type_name, selection.selection_set, found, spread)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name in spread:
                    continue
                spread.add(name)
                fragment = self._fragments[name]
                if _applies(fragment.type_condition, type_name):
                    self._collect(type_name, fragment.selection_set, found, spread)

    def _included(self, directives: Sequence[Any]) -> bool:
        for directive in directives:
            name = directive.name.value
            if name in ("include", "skip"):
                condition = directive.arguments[0].value
                if isinstance(condition, VariableNode):
                    holds = self._variables.coerced[condition.name.value]
                else:
                    holds = cast(BooleanValueNode, condition).value
                if holds is (name == "skip"):
                    return False
        return True


def _whole(value: Any) -> Any:
    return value


def _applies(condition: Any, type_name: str) -> bool:
    return condition is None or condition.name.value == type_name or condition.name.value in _INTERFACES
