"""SQL of any depth as one flat expression.

SQLAlchemy renders a nested expression by recursion, some forty frames for a `min` within a `min`: twenty of them
overflow Python's stack. So a formula is a row of pieces: words of this package, with columns and parameters between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Boolean, Date, Numeric, Text, literal_column, type_coerce
from sqlalchemy.sql.elements import ClauseList, ColumnElement, Grouping

from app.language.formula.types import Type

Pieces = list[str | ColumnElement[Any]]

_BLANK: Any = None
"""What SQLAlchemy puts between the pieces of a list that has no operator: a blank, though its types do not say so."""
_NUMERIC = Numeric()
"""Without precision: a column's own would round what is computed with it."""
TYPES: dict[Type, Any] = {
    Type.MONEY: _NUMERIC,
    Type.NUMBER: _NUMERIC,
    Type.RATIO: _NUMERIC,
    Type.TEXT: Text(),
    Type.DATE: Date(),
    Type.BOOL: Boolean(),
}


def fill(template: str, *parts: Pieces) -> Pieces:
    """A template with a part for each `{}`."""
    first, *words = template.split("{}")
    pieces: Pieces = [first]
    for part, word in zip(parts, words, strict=True):
        pieces += part
        pieces.append(word)
    return pieces


def listed(separator: str, parts: Iterable[Pieces]) -> Pieces:
    pieces: Pieces = []
    for part in parts:
        if pieces:
            pieces.append(separator)
        pieces += part
    return pieces


def expression(pieces: Pieces, type_: Type) -> ColumnElement[Any]:
    clauses = [literal_column(each) if isinstance(each, str) else each for each in pieces]
    return type_coerce(Grouping(ClauseList(*clauses, operator=_BLANK, group=False)), TYPES[type_])
