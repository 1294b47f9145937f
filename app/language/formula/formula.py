"""A formula that was read: what it speaks of, what it needs, and what it is in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.sql.elements import ColumnElement

from app.language.formula.check import Check
from app.language.formula.grammar import syntax
from app.language.formula.sql import expression
from app.language.formula.tree import Aggregate, Node, Sources
from app.language.formula.types import NUMBERS, Type, Variable


@dataclass(frozen=True, slots=True)
class Formula:
    """`names` are the variables that it uses, `aggregates` what is to be computed over groups and joined to a row."""

    type: Type
    text: str
    names: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    tree: Node

    def compile(
        self,
        columns: Mapping[str, ColumnElement[Any]],
        aggregated: Mapping[Aggregate, ColumnElement[Any]] | None = None,
    ) -> ColumnElement[Any]:
        return expression(self.tree.sql(Sources(columns, aggregated or {})), self.type)


def parse(text: str, variables: Mapping[str, Variable], *, expects: Type, aggregates: bool = True) -> Formula:
    """Raise `FormulaError` for what is no formula of these variables, or not one of the expected type.

    Numbers and ratios do for each other, and a number that is written out does for money.
    """
    check = Check(text, variables, aggregates=aggregates)
    tree = check.formula(syntax(text), expects)
    type_ = tree.type if expects in NUMBERS else expects
    return Formula(type_, text, tuple(check.names), tuple(check.aggregates), tree)
