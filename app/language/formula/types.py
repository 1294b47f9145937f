"""What a formula speaks of: the types of its values, the variables it is given, the functions it may call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    """A ratio is a number that came of dividing alike by alike; it may stand wherever a number may."""

    MONEY = "money"
    NUMBER = "number"
    RATIO = "ratio"
    TEXT = "text"
    DATE = "date"
    BOOL = "bool"


NUMBERS = (Type.NUMBER, Type.RATIO)
COUNTABLE = (Type.MONEY, *NUMBERS)
ORDERED = (*COUNTABLE, Type.DATE)

WORDS = {
    Type.MONEY: "an amount of money",
    Type.NUMBER: "a number",
    Type.RATIO: "a ratio",
    Type.TEXT: "a text",
    Type.DATE: "a date",
    Type.BOOL: "a condition",
}


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    type: Type
    description: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """`least` and `most` arguments; an aggregate takes one, over all rows that the caller groups."""

    usage: str
    description: str
    least: int
    most: int | None
    aggregate: bool = False


FUNCTIONS = {
    "sum": Function("sum(x)", "All of them added up.", 1, 1, True),
    "count": Function("count(x)", "How many there are, whatever their type.", 1, 1, True),
    "avg": Function("avg(x)", "Their mean.", 1, 1, True),
    "median": Function("median(x)", "The middle one, or half way between the middle two.", 1, 1, True),
    "min": Function("min(x), min(a, b, …)", "The least of all rows; with several arguments, of these.", 1, None),
    "max": Function("max(x), max(a, b, …)", "The greatest likewise.", 1, None),
    "if": Function("if(condition, a, b)", "a where the condition holds, else b.", 3, 3),
    "round": Function("round(x, digits)", "To 0 to 6 decimals, halves away from zero.", 2, 2),
    "coalesce": Function("coalesce(a, b, …)", "The first that is defined.", 2, None),
    "days_between": Function("days_between(from, to)", "Days from one date to another; negative if back.", 2, 2),
    "date": Function('date("2026-01-31")', "A date.", 1, 1),
}  # fmt: skip
