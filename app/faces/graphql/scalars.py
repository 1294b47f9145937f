"""The four scalars. Values arrive as JSON and leave as PostgreSQL wrote them; the languages judge what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NewType

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode
from strawberry.types.scalar import ScalarDefinition

Amount = NewType("Amount", object)
Day = NewType("Day", object)
Moment = NewType("Moment", object)
Json = NewType("Json", object)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise GraphQLError(f"Decimal takes a JSON number, not {_shown(value)}.")
    return value


def _number_literal(node: ValueNode, _variables: Any = None) -> Any:
    if isinstance(node, IntValueNode):
        return int(node.value)
    if isinstance(node, FloatValueNode):
        return float(node.value)
    raise GraphQLError("Decimal takes a number.", node)


def _text(name: str) -> tuple[Callable[[Any], Any], Callable[..., Any]]:
    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            raise GraphQLError(f"{name} takes a string, not {_shown(value)}.")
        return value

    def parse_literal(node: ValueNode, _variables: Any = None) -> Any:
        if not isinstance(node, StringValueNode):
            raise GraphQLError(f"{name} takes a string.", node)
        return node.value

    return parse, parse_literal


def _shown(value: Any) -> str:
    return repr(value)[:60]


def _same(value: Any) -> Any:
    return value


_parse_day, _parse_day_literal = _text("Date")
_parse_moment, _parse_moment_literal = _text("DateTime")

SCALARS: dict[object, ScalarDefinition] = {
    Amount: strawberry.scalar(
        name="Decimal",
        description="A JSON number of at most 15 significant digits, so that no double loses a cent.",
        serialize=_same,
        parse_value=_number,
        parse_literal=_number_literal,
    ),
    Day: strawberry.scalar(
        name="Date",
        description="A business day, `2026-03-31`.",
        serialize=_same,
        parse_value=_parse_day,
        parse_literal=_parse_day_literal,
    ),
    Moment: strawberry.scalar(
        name="DateTime",
        description=(
            "A moment, RFC 3339 in UTC. As an input also with another offset, or as a day: its start in the "
            "tenant's zone."
        ),
        serialize=_same,
        parse_value=_parse_moment,
        parse_literal=_parse_moment_literal,
    ),
    Json: strawberry.scalar(
        name="JSON",
        description="Any JSON value, keys as they are in REST.",
        serialize=_same,
        parse_value=_same,
    ),
}
