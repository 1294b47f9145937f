"""A formula as a typed tree, each node of which knows its SQL.

No statement can fail on it, whatever the rows hold. What would divide by zero is NULL, dates are never moved, and
digits cannot outgrow numeric's 131,072: a leaf has some twenty, a product those of its factors together, a quotient
at most 24 more, and there are 200 tokens. Each operand is written once, so that text does not double with depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import bindparam, cast
from sqlalchemy.sql.elements import ColumnElement

from app.language.formula.sql import TYPES, Pieces, expression, fill, listed
from app.language.formula.types import Type


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a formula's values are: its variables, and what was aggregated for it."""

    columns: Mapping[str, ColumnElement[Any]]
    aggregated: Mapping[Aggregate, ColumnElement[Any]]


class Node(Protocol):
    @property
    def type(self) -> Type: ...

    def sql(self, sources: Sources) -> Pieces: ...


def _each(nodes: Iterable[Node], sources: Sources) -> list[Pieces]:
    return [each.sql(sources) for each in nodes]


@dataclass(frozen=True, slots=True)
class Constant:
    type: Type
    value: Decimal | str | date | bool

    def sql(self, sources: Sources) -> Pieces:
        return [bindparam(None, self.value, type_=TYPES[self.type], unique=True)]


@dataclass(frozen=True, slots=True)
class Name:
    type: Type
    name: str

    def sql(self, sources: Sources) -> Pieces:
        return [cast(sources.columns[self.name], TYPES[self.type])]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Over the rows of a group; `argument` speaks of one row."""

    type: Type
    function: str
    argument: Node

    def compile(self, columns: Mapping[str, ColumnElement[Any]]) -> ColumnElement[Any]:
        """What to select in the caller's grouped query."""
        template = _AGGREGATES[self.function]
        arguments = [self.argument.sql(Sources(columns, {})) for _ in range(template.count("{}"))]
        return expression(fill(template, *arguments), self.type)


_AGGREGATES = {
    "sum": "sum({})",
    "count": "count({})::numeric",
    "avg": "avg({})",
    "min": "min({})",
    "max": "max({})",
    # percentile_cont works in double precision. These are two of the values, and one where their number is odd.
    "median": "((percentile_disc(0.5) within group (order by {})"
    " + percentile_disc(0.5) within group (order by {} desc)) * 0.5)",
}


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Where a formula takes what the caller has aggregated."""

    aggregate: Aggregate

    @property
    def type(self) -> Type:
        return self.aggregate.type

    def sql(self, sources: Sources) -> Pieces:
        return [cast(sources.aggregated[self.aggregate], TYPES[self.type])]


@dataclass(frozen=True, slots=True)
class Negative:
    type: Type
    operand: Node

    def sql(self, sources: Sources) -> Pieces:
        return fill("(- {})", self.operand.sql(sources))


@dataclass(frozen=True, slots=True)
class Sum:
    type: Type
    plus: tuple[Node, ...]
    minus: tuple[Node, ...]

    def sql(self, sources: Sources) -> Pieces:
        return fill(
            "({})", listed(" - ", [listed(" + ", _each(self.plus, sources)), *_each(self.minus, sources)])
        )


@dataclass(frozen=True, slots=True)
class Product:
    """Multiplied first and divided once: `amount / 3 * 3` is `amount`, where thirds would have been rounded."""

    type: Type
    over: tuple[Node, ...]
    under: tuple[Node, ...]

    def sql(self, sources: Sources) -> Pieces:
        over = listed(" * ", _each(self.over, sources))
        if not self.under:
            return fill("({})", over)
        return fill("({} / nullif({}, 0))", over, listed(" * ", _each(self.under, sources)))


@dataclass(frozen=True, slots=True)
class Comparison:
    sign: str
    left: Node
    right: Node
    type: Type = Type.BOOL

    def sql(self, sources: Sources) -> Pieces:
        return fill(f"({{}} {self.sign} {{}})", self.left.sql(sources), self.right.sql(sources))


@dataclass(frozen=True, slots=True)
class Among:
    operand: Node
    options: tuple[Node, ...]
    type: Type = Type.BOOL

    def sql(self, sources: Sources) -> Pieces:
        return fill("({} in ({}))", self.operand.sql(sources), listed(", ", _each(self.options, sources)))


@dataclass(frozen=True, slots=True)
class Not:
    operand: Node
    type: Type = Type.BOOL

    def sql(self, sources: Sources) -> Pieces:
        return fill("(not {})", self.operand.sql(sources))


@dataclass(frozen=True, slots=True)
class Every:
    operands: tuple[Node, ...]
    type: Type = Type.BOOL

    def sql(self, sources: Sources) -> Pieces:
        return fill("({})", listed(" and ", _each(self.operands, sources)))


@dataclass(frozen=True, slots=True)
class Some:
    operands: tuple[Node, ...]
    type: Type = Type.BOOL

    def sql(self, sources: Sources) -> Pieces:
        return fill("({})", listed(" or ", _each(self.operands, sources)))


@dataclass(frozen=True, slots=True)
class Choice:
    type: Type
    condition: Node
    then: Node
    otherwise: Node

    def sql(self, sources: Sources) -> Pieces:
        parts = _each((self.condition, self.then, self.otherwise), sources)
        return fill("(case when {} then {} else {} end)", *parts)


@dataclass(frozen=True, slots=True)
class FirstDefined:
    type: Type
    options: tuple[Node, ...]

    def sql(self, sources: Sources) -> Pieces:
        return fill("coalesce({})", listed(", ", _each(self.options, sources)))


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or greatest of several, undefined where one is.

    PostgreSQL's passes NULL over: `min(attainment, 1.5)` would pay a rep without a quota by the factor of the best.
    Nothing here is infinite, so infinity stands for NULL on the way through and comes out as what wins.
    """

    type: Type
    greatest: bool
    options: tuple[Node, ...]

    def sql(self, sources: Sources) -> Pieces:
        function, sign = ("greatest", "") if self.greatest else ("least", "-")
        undefined = f"'{sign}infinity'::{'date' if self.type is Type.DATE else 'numeric'}"
        options = [fill(f"coalesce({{}}, {undefined})", each) for each in _each(self.options, sources)]
        return fill(f"nullif({function}({{}}), {undefined})", listed(", ", options))


@dataclass(frozen=True, slots=True)
class Rounded:
    type: Type
    operand: Node
    digits: int

    def sql(self, sources: Sources) -> Pieces:
        return fill(f"round({{}}, {self.digits:d})", self.operand.sql(sources))


@dataclass(frozen=True, slots=True)
class DaysBetween:
    first: Node
    last: Node
    type: Type = Type.NUMBER

    def sql(self, sources: Sources) -> Pieces:
        # An infinite date is no day: PostgreSQL would refuse the statement over its difference.
        finite = "nullif(nullif({}, 'infinity'::date), '-infinity'::date)"
        return fill(f"({finite} - {finite})::numeric", self.last.sql(sources), self.first.sql(sources))
