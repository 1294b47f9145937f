"""Strawberry types from data: what a class with decorated attributes would say, said by a list."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from app.faces.graphql.finished import Finished
from app.faces.graphql.names import attribute, camel

if TYPE_CHECKING:
    from app.faces.graphql.place import Place

Run = Callable[[], Awaitable[Finished]]
Resolve = Callable[["Place", dict[str, Any]], Run]
"""`(place, the arguments that were given)`: what there is to refuse is refused now, what there is to read or write
happens in the `Run`."""


@dataclass(frozen=True, slots=True)
class Member:
    """A field of an object or an input; `arguments` and `resolve` are an object's alone."""

    name: str
    type: Any
    description: str
    arguments: tuple[Argument, ...] = ()
    resolve: Resolve | None = None
    keys: tuple[tuple[str, str], ...] = field(init=False, default=())
    """Of the arguments: the GraphQL name and the declared one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple((camel(x.name), x.name) for x in self.arguments))


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    type: Any
    description: str
    required: bool = False


def declare(name: str, *interfaces: type) -> type:
    """An empty class to refer to; `fill` gives it its members once everything it refers to exists."""
    return type(name, interfaces, {"__module__": __name__, "__annotations__": {}})


def fill(cls: type, description: str, members: Iterable[Member], *, input: bool = False) -> type:
    for member in members:
        name = attribute(member.name)
        cls.__annotations__[name] = member.type
        setattr(cls, name, _field(member, input=input))
    strawberry.type(cls, is_input=input, description=description)  # pyright: ignore[reportCallIssue]
    if input:
        cls.__strawberry_definition__.from_input = _as_sent  # pyright: ignore[reportAttributeAccessIssue]
    return cls


def enum(name: str, members: Iterable[tuple[str, str]], description: str) -> Any:
    """`members` are `(NAME, value)`; a resolver is given the value's member."""
    made: Any = Enum(name, list(members))  # pyright: ignore[reportArgumentType]
    return strawberry.enum(made, name=name, description=description)


def _as_sent(_type: type, value: Any, _context: Any) -> Any:
    """Inputs stay the mapping that was sent: what is absent differs from what is null, and `inputs.py` reads it."""
    return value


def _field(member: Member, *, input: bool) -> StrawberryField:
    field = StrawberryField(
        python_name=attribute(member.name),
        graphql_name=camel(member.name),
        type_annotation=StrawberryAnnotation(member.type),
        description=member.description,
        **({"default": strawberry.UNSET} if input else {}),  # pyright: ignore[reportArgumentType]
    )
    if member.resolve is not None or member.arguments:
        field.base_resolver = StrawberryResolver(_resolver(member))
    return field


def _resolver(member: Member) -> Any:
    """Tells Strawberry the arguments. It is never called: `execute.py` runs the root fields, and what is inside a
    record comes with it."""

    def run(**_: Any) -> Any:
        raise TypeError(f"{member.name} was left to the ordinary executor")

    run.__name__ = attribute(member.name)
    parameters: list[inspect.Parameter] = []
    for argument in member.arguments:
        parameters.append(
            inspect.Parameter(
                attribute(argument.name),
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if argument.required else strawberry.UNSET,
                annotation=Annotated[
                    argument.type if argument.required else argument.type | None,
                    strawberry.argument(description=argument.description, name=camel(argument.name)),
                ],
            )
        )
    run.__signature__ = inspect.Signature(parameters, return_annotation=member.type)  # pyright: ignore[reportFunctionMemberAccess]
    return run
