"""A field's arguments, read once for each document as far as they do not depend on its variables.

graphql-core looks at every field of an input type at each request, and a filter has fifty of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputType,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_nullable_type,
    is_input_object_type,
    is_non_null_type,
)
from graphql.execution.values import VariableValues, get_argument_values
from graphql.utilities import coerce_input_literal

from app.faces.graphql.documents import variables_in

Arguments = Callable[[VariableValues], dict[str, Any]]
"""What was given, by GraphQL names."""

_Read = Callable[[Mapping[str, Any]], Any]


class _Unclear(Exception):
    """Left to graphql-core, which also knows how to say what is wrong."""


def reading(definition: GraphQLField, node: FieldNode, *, hide_suggestions: bool) -> Arguments:
    """Raises GraphQLError when it is called, as graphql-core does."""

    def ordinary(variables: VariableValues) -> dict[str, Any]:
        return get_argument_values(definition, node, variables, hide_suggestions=hide_suggestions)

    given = {x.name.value: x.value for x in node.arguments or ()}
    try:
        read = _object(definition.args, given)
    except _Unclear:
        return ordinary

    def quick(variables: VariableValues) -> dict[str, Any]:
        try:
            return read(variables.coerced)
        except _Unclear:
            return ordinary(variables)

    return quick


def _object(members: Mapping[str, Any], given: Mapping[str, ValueNode]) -> _Read:
    """In the order of the declaration, as graphql-core has it: cursors are bound to it."""
    if any(x.default_value is not Undefined for x in members.values()):
        raise _Unclear
    parts = [(name, _value(given[name], member.type)) for name, member in members.items() if name in given]

    def read(variables: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, part in parts:
            value = part(variables)
            if value is not Undefined:
                found[name] = value
        return found

    return read


def _value(node: ValueNode, type_: GraphQLInputType) -> _Read:
    if isinstance(node, VariableNode):
        return _variable(node.name.value, required=is_non_null_type(type_))
    if not variables_in([node], {}):
        constant = coerce_input_literal(node, type_)
        if constant is Undefined:
            raise _Unclear
        return lambda _: constant
    target = get_nullable_type(type_)
    if not isinstance(node, ObjectValueNode) or not is_input_object_type(target) or target.is_one_of:
        raise _Unclear
    return _object(target.fields, {x.name.value: x.value for x in node.fields})


def _variable(name: str, *, required: bool) -> _Read:
    def read(variables: Mapping[str, Any]) -> Any:
        value = variables.get(name, Undefined)
        if required and (value is None or value is Undefined):
            raise _Unclear
        return value

    return read
