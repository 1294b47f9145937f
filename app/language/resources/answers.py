"""What the document is made of that an inquiry answers, for the faces that render its type.

Amounts are exact decimals from the database to the wire; `Money` and `Number` are shown as JSON numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, WithJsonSchema

_MONEY = object()
_AS_NUMBER = WithJsonSchema({"type": "number"})
Money = Annotated[Decimal, _MONEY, _AS_NUMBER]
"""An amount; text where a caller of REST asks for `money=string`."""
Number = Annotated[Decimal, _AS_NUMBER]


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a document; `type` is another model or the class of a value."""

    name: str
    description: str
    type: type
    several: bool
    nullable: bool
    is_money: bool


@cache
def parts(model: type[BaseModel]) -> tuple[Part, ...]:
    return tuple(_part(name, info) for name, info in model.model_fields.items())


def _part(name: str, info: Any) -> Part:
    type_, several, nullable, marks = info.annotation, False, False, list(info.metadata)
    while (origin := get_origin(type_)) is not None:
        if origin is list:
            several, (type_,) = True, get_args(type_)
        elif origin in (Union, UnionType):
            nullable, (type_,) = True, [x for x in get_args(type_) if x is not NoneType]
        elif origin is Annotated:
            type_, *more = get_args(type_)
            marks += more
        else:
            raise TypeError(f"{name}: {origin} is no part of a document")
    return Part(name, info.description or "", type_, several, nullable, _MONEY in marks)


def models(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Those inside of it, each before whatever holds it; itself last."""
    found: list[type[BaseModel]] = []
    for part in parts(model):
        if issubclass(part.type, BaseModel):
            found += (x for x in models(part.type) if x not in found)
    return [*found, model]


def with_money_as_text(model: type[BaseModel], document: Mapping[str, Any]) -> dict[str, Any]:
    return {x.name: _as_text(x, document[x.name], several=x.several) for x in parts(model)}


def _as_text(part: Part, value: Any, *, several: bool) -> Any:
    if value is None:
        return None
    if several:
        return [_as_text(part, each, several=False) for each in value]
    if issubclass(part.type, BaseModel):
        return with_money_as_text(part.type, value)
    return format(value, "f") if part.is_money else value
