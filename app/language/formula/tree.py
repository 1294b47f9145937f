"""A formula as a typed tree, each node of which knows its SQL.

No statement can fail on it, whatever the rows hold. What would divide by zero is NULL, dates are never moved, and digits
cannot outgrow numeric's 131,072: a leaf has some twenty, a product has those of its factors together, a quotient at
most 24 more, and there are 200 tokens. Each operand is written once, so that text does not double with depth.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any, Protocol

from sqlalchemy import (
    Boolean,
    Date,
    Integer,
    Numeric,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    not_,
    or_,
)
from sqlalchemy.sql.elements import ColumnElement, Grouping

from app.language.formula.types import Type

Columns = Mapping[str, ColumnElement[Any]]
Aggregates = Mapping["Aggregate", ColumnElement[Any]]

_NUMERIC = Numeric()
"""Without precision: a column's own would round what is computed with it."""
_SQL: dict[Type, Any] = {
    Type.MONEY: _NUMERIC,
    Type.NUMBER: _NUMERIC,
    Type.RATIO: _NUMERIC,
    Type.TEXT: Text(),
    Type.DATE: Date(),
    Type.BOOL: Boolean(),
}
_ZERO = literal_column("0", _NUMERIC)
_HALF = literal_column("0.5", _NUMERIC)
_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Node(Protocol):
    @property
    def type(self) -> Type: ...

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any: ...


@dataclass(frozen=True, slots=True)
class Constant:
    type: Type
    value: Decimal | str | date | bool

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        return bindparam(None, self.value, type_=_SQL[self.type], unique=True)


@dataclass(frozen=True, slots=True)
class Name:
    type: Type
    name: str

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        return cast(columns[self.name], _SQL[self.type])


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Over the rows of a group; `argument` speaks of one row."""

    type: Type
    function: str
    argument: Node

    def compile(self, columns: Columns) -> ColumnElement[Any]:
        """What to select in the caller's grouped query."""
        of, sql = self.argument.compile(columns, {}), _SQL[self.type]
        if self.function == "count":
            return cast(func.count(of), sql)
        if self.function == "median":
            # percentile_cont works in double precision; these are two of the values, one where their number is odd.
            lower, upper = (
                cast(func.percentile_disc(_HALF).within_group(order), sql) for order in (of.asc(), of.desc())
            )
            return (lower + upper) * _HALF
        return getattr(func, self.function)(of, type_=sql)


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Where a formula takes what the caller has aggregated."""

    aggregate: Aggregate

    @property
    def type(self) -> Type:
        return self.aggregate.type

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        return cast(aggregated[self.aggregate], _SQL[self.type])


@dataclass(frozen=True, slots=True)
class Negative:
    type: Type
    operand: Node

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        return -self.operand.compile(columns, aggregated)


@dataclass(frozen=True, slots=True)
class Sum:
    type: Type
    plus: tuple[Node, ...]
    minus: tuple[Node, ...]

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        plus, minus = (
            reduce(operator.add, [each.compile(columns, aggregated) for each in terms]) if terms else None
            for terms in (self.plus, self.minus)
        )
        return plus if minus is None else plus - minus


@dataclass(frozen=True, slots=True)
class Product:
    """Multiplied first and divided once: `amount / 3 * 3` is `amount`, where thirds would have been rounded."""

    type: Type
    over: tuple[Node, ...]
    under: tuple[Node, ...]

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        over, under = (
            reduce(operator.mul, [each.compile(columns, aggregated) for each in factors]) if factors else None
            for factors in (self.over, self.under)
        )
        return over if under is None else over / func.nullif(under, _ZERO, type_=_NUMERIC)


@dataclass(frozen=True, slots=True)
class Comparison:
    sign: str
    left: Node
    right: Node
    type: Type = Type.BOOL

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        # In parentheses, since PostgreSQL lets "not" reach over what follows it.
        left, right = (Grouping(each.compile(columns, aggregated)) for each in (self.left, self.right))
        return _COMPARE[self.sign](left, right)


@dataclass(frozen=True, slots=True)
class Among:
    operand: Node
    options: tuple[Node, ...]
    type: Type = Type.BOOL

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        options = [each.compile(columns, aggregated) for each in self.options]
        return self.operand.compile(columns, aggregated).in_(options)


@dataclass(frozen=True, slots=True)
class Not:
    operand: Node
    type: Type = Type.BOOL

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        return not_(self.operand.compile(columns, aggregated))


@dataclass(frozen=True, slots=True)
class Every:
    operands: tuple[Node, ...]
    type: Type = Type.BOOL

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        return and_(*(each.compile(columns, aggregated) for each in self.operands))


@dataclass(frozen=True, slots=True)
class Some:
    operands: tuple[Node, ...]
    type: Type = Type.BOOL

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        return or_(*(each.compile(columns, aggregated) for each in self.operands))


@dataclass(frozen=True, slots=True)
class Choice:
    type: Type
    condition: Node
    then: Node
    otherwise: Node

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        condition, then, otherwise = (
            each.compile(columns, aggregated) for each in (self.condition, self.then, self.otherwise)
        )
        return case((condition, then), else_=otherwise)


@dataclass(frozen=True, slots=True)
class FirstDefined:
    type: Type
    options: tuple[Node, ...]

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        options = (each.compile(columns, aggregated) for each in self.options)
        return func.coalesce(*options, type_=_SQL[self.type])


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or greatest of several, undefined where one is.

    PostgreSQL's passes NULL over: `min(attainment, 1.5)` would pay a rep without a quota by the factor of the best.
    Nothing here is infinite, so infinity stands for NULL on the way through and comes out as what wins.
    """

    type: Type
    greatest: bool
    options: tuple[Node, ...]

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        sql = _SQL[self.type]
        undefined = literal_column(
            f"'{'' if self.greatest else '-'}infinity'::{'date' if self.type is Type.DATE else 'numeric'}",
            sql,
        )
        options = (
            func.coalesce(each.compile(columns, aggregated), undefined, type_=sql) for each in self.options
        )
        extreme = func.greatest if self.greatest else func.least
        return func.nullif(extreme(*options, type_=sql), undefined, type_=sql)


@dataclass(frozen=True, slots=True)
class Rounded:
    type: Type
    operand: Node
    digits: int

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        digits = literal_column(str(self.digits), Integer())
        return func.round(self.operand.compile(columns, aggregated), digits, type_=_NUMERIC)


@dataclass(frozen=True, slots=True)
class DaysBetween:
    """Of dates that are infinite, as no day, there is no difference: PostgreSQL would refuse the statement."""

    first: Node
    last: Node
    type: Type = Type.NUMBER

    def compile(self, columns: Columns, aggregated: Aggregates) -> Any:
        first, last = (_finite(each.compile(columns, aggregated)) for each in (self.first, self.last))
        return cast(last.op("-", return_type=Integer())(first), _NUMERIC)


def _finite(day: Any) -> Any:
    for sign in ("", "-"):
        day = func.nullif(day, literal_column(f"'{sign}infinity'::date", Date()), type_=Date())
    return day
