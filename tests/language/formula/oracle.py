"""Formulas made up at random, and what they are worth, by Python's decimals and without the module under test.

A formula is a tuple of its kind and parts. It knows its text, with the parentheses that its operators need and none
beside, so that reading it again tries the precedence too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

from app.language.formula.types import Type
from tests.language.formula.dictionary import VARIABLES, Row

Made = tuple[Any, ...]
MONEY, NUMBER, RATIO, TEXT, DATE, BOOL = Type
EXACT = Context(prec=20_000, Emax=999_999, Emin=-999_999, rounding=ROUND_HALF_UP)


# -- made up ----------------------------------------------------------------------------------------------------------


class Maker:
    def __init__(self, chance: random.Random, *, aggregates: bool = True) -> None:
        self.chance = chance
        self.aggregating = not aggregates

    def make(self, type_: Type, depth: int = 4) -> Made:
        pick = self.chance.choice
        if depth <= 0:
            return self.leaf(type_)
        if type_ is not BOOL and self.chance.random() < 0.3:
            return pick([self.choice, self.coalesce])(type_, depth - 1)
        if type_ is MONEY:
            return pick([self.money_sum, self.money_product, self.negative, self.rounded, self.extreme,
                         self.aggregate, self.leaf_of])(type_, depth - 1)  # fmt: skip
        if type_ in (NUMBER, RATIO):
            return pick([self.number_sum, self.number_product, self.share, self.days, self.negative, self.rounded,
                         self.extreme, self.aggregate, self.counted, self.leaf_of])(NUMBER, depth - 1)  # fmt: skip
        if type_ is DATE:
            return pick([self.extreme, self.date_aggregate, self.leaf_of])(type_, depth - 1)
        if type_ is BOOL:
            return pick([self.compared, self.compared, self.among, self.both, self.negated, self.leaf_of])(
                type_, depth - 1
            )
        return self.leaf(type_)

    def leaf_of(self, type_: Type, depth: int) -> Made:
        return self.leaf(type_)

    def leaf(self, type_: Type) -> Made:
        names = [v.name for v in VARIABLES.values() if v.type is type_ or {v.type, type_} == {NUMBER, RATIO}]
        if type_ is MONEY or self.chance.random() < 0.6:
            return ("name", self.chance.choice(names))
        return self.constant(type_)

    def constant(self, type_: Type) -> Made:
        pick = self.chance.choice
        if type_ is TEXT:
            return ("text", pick(["West", "gold", "it's", 'say "so"', "", "é", "50%"]))
        if type_ is DATE:
            return ("date", pick([date(2026, 1, 31), date(2024, 2, 29), date(9999, 12, 31), date(1, 1, 1)]))
        if type_ is BOOL:
            return ("bool", pick([True, False]))
        return ("number", pick(["0", "1", "2", "3", "7", "0.5", ".07", "1.20", "12.5%", "10%", "999999999999999",
                                "0.00000000000001", "100"]))  # fmt: skip

    def several(self, type_: Type, depth: int, least: int = 2) -> list[Made]:
        return [self.make(type_, depth) for _ in range(self.chance.randint(least, 3))]

    def negative(self, type_: Type, depth: int) -> Made:
        return ("negative", self.make(type_, depth))

    def rounded(self, type_: Type, depth: int) -> Made:
        return ("round", self.make(type_, depth), self.chance.randint(0, 6))

    def signed(self, signs: str, parts: Iterable[Made]) -> Made:
        return tuple((self.chance.choice(signs), part) for part in parts)

    def money_sum(self, type_: Type, depth: int) -> Made:
        parts = self.several(MONEY, depth)
        if self.chance.random() < 0.3:
            parts.append(("number", "500"))
        return ("sum", *self.signed("+-", parts))

    def number_sum(self, type_: Type, depth: int) -> Made:
        return ("sum", *self.signed("+-", self.several(NUMBER, depth)))

    def money_product(self, type_: Type, depth: int) -> Made:
        return ("product", ("*", self.make(MONEY, depth)), *self.signed("*/", self.several(NUMBER, depth, 1)))

    def number_product(self, type_: Type, depth: int) -> Made:
        return ("product", *self.signed("*/", self.several(NUMBER, depth)))

    def share(self, type_: Type, depth: int) -> Made:
        return ("product", ("*", self.make(MONEY, depth)), ("/", self.make(MONEY, depth)))

    def days(self, type_: Type, depth: int) -> Made:
        return ("days_between", self.make(DATE, depth), self.make(DATE, depth))

    def choice(self, type_: Type, depth: int) -> Made:
        return ("if", self.make(BOOL, depth), self.make(type_, depth), self.make(type_, depth))

    def coalesce(self, type_: Type, depth: int) -> Made:
        return ("coalesce", *self.several(type_, depth))

    def extreme(self, type_: Type, depth: int) -> Made:
        return (self.chance.choice(["min", "max"]), *self.several(type_, depth))

    def aggregate(self, type_: Type, depth: int) -> Made:
        return self.aggregated(["sum", "avg", "min", "max", "median"], type_, depth)

    def date_aggregate(self, type_: Type, depth: int) -> Made:
        return self.aggregated(["min", "max"], type_, depth)

    def counted(self, type_: Type, depth: int) -> Made:
        return self.aggregated(["count"], self.chance.choice(list(Type)), depth, NUMBER)

    def aggregated(self, functions: Sequence[str], of: Type, depth: int, type_: Type | None = None) -> Made:
        if self.aggregating:
            return self.leaf(type_ or of)
        self.aggregating = True
        made = ("over", self.chance.choice(functions), self.make(of, depth))
        self.aggregating = False
        return made

    def compared(self, type_: Type, depth: int) -> Made:
        of = self.chance.choice(list(Type))
        signs = ["=", "!=", "<>"] + ["<", "<=", ">", ">="] * (of not in (TEXT, BOOL))
        other = ("number", "50000") if of is MONEY and self.chance.random() < 0.5 else self.make(of, depth)
        return ("compare", self.chance.choice(signs), self.make(of, depth), other)

    def among(self, type_: Type, depth: int) -> Made:
        of = self.chance.choice([TEXT, TEXT, NUMBER, DATE])
        options = [self.leaf(of) for _ in range(self.chance.randint(1, 4))]
        return ("in", self.chance.random() < 0.5, self.make(of, depth), *options)

    def both(self, type_: Type, depth: int) -> Made:
        return (self.chance.choice(["and", "or"]), *self.several(BOOL, depth))

    def negated(self, type_: Type, depth: int) -> Made:
        return ("not", self.make(BOOL, depth))


# -- written ----------------------------------------------------------------------------------------------------------

_TIGHT = {"or": 0, "and": 1, "not": 2, "compare": 3, "in": 3, "sum": 4, "product": 5, "negative": 6}


def written(made: Made, within: int = 0) -> str:
    kind, *parts = made
    text = _written(kind, parts)
    return f"({text})" if _TIGHT.get(kind, 7) < within else text


def _written(kind: str, parts: list[Any]) -> str:
    match kind:
        case "name" | "number":
            return parts[0]
        case "text":
            quote = "'" if '"' in parts[0] else '"'
            return quote + parts[0].replace(quote, quote * 2) + quote
        case "date":
            return f"date('{parts[0]}')"
        case "bool":
            return str(parts[0]).lower()
        case "negative":
            return f"-{written(parts[0], 7)}"
        case "sum" | "product":
            tight = _TIGHT[kind] + 1
            (_, first), *rest = parts
            return written(first, tight) + "".join(f" {sign} {written(part, tight)}" for sign, part in rest)
        case "compare":
            return f"{written(parts[1], 4)} {parts[0]} {written(parts[2], 4)}"
        case "in":
            options = ", ".join(map(written, parts[2:]))
            return f"{written(parts[1], 4)} {'NOT ' * parts[0]}in ({options})"
        case "not":
            return f"not {written(parts[0], 3)}"
        case "and" | "or":
            return f" {kind} ".join(written(part, _TIGHT[kind] + 1) for part in parts)
        case "round":
            return f"round({written(parts[0])}, {parts[1]})"
        case "over":
            return f"{parts[0].upper()}({written(parts[1])})"
    return f"{kind}({', '.join(map(written, parts))})"


# -- reckoned ---------------------------------------------------------------------------------------------------------


def reckon(made: Made, row: Row, group: Sequence[Row]) -> Any:
    """What a formula is worth for a row, among the rows of its group."""
    kind, *parts = made

    def of(part: Made) -> Any:
        return reckon(part, row, group)

    match kind:
        case "name":
            value = row[parts[0]]
            return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
        case "number":
            percent = parts[0].endswith("%")
            return Decimal(parts[0].rstrip("%")) * (Decimal("0.01") if percent else 1)
        case "text" | "date" | "bool":
            return parts[0]
        case "if":
            return of(parts[1]) if of(parts[0]) is True else of(parts[2])
        case "coalesce":
            return next((value for value in map(of, parts) if value is not None), None)
        case "and" | "or":
            values = list(map(of, parts))
            decisive = kind == "or"
            return decisive if decisive in values else None if None in values else not decisive
        case "over":
            values = [reckon(parts[1], each, group) for each in group]
            return _over(parts[0], [value for value in values if value is not None])
        case "round":
            value = of(parts[0])
            return value if value is None else value.quantize(Decimal(1).scaleb(-parts[1]), context=EXACT)
        case "sum":
            return _strict(
                lambda *terms: _total(sign for sign, _ in parts)(*terms), [of(term) for _, term in parts]
            )
        case "product":
            return _strict(_chain([sign for sign, _ in parts]), [of(factor) for _, factor in parts])
        case "compare":
            return _strict(_COMPARE[parts[0]], [of(parts[1]), of(parts[2])])
        case "in":
            return _among(parts[0], of(parts[1]), [of(option) for option in parts[2:]])
    return _strict(_SCALAR[kind], list(map(of, parts)))


def _strict(function: Callable[..., Any], values: list[Any]) -> Any:
    return None if None in values else function(*values)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_SCALAR: dict[str, Callable[..., Any]] = {
    "negative": lambda a: EXACT.minus(a),
    "not": lambda a: not a,
    "min": min,
    "max": max,
    "days_between": lambda a, b: Decimal((b - a).days),
}


def _among(negated: bool, value: Any, options: list[Any]) -> bool | None:
    if value is None:
        return None
    if value in options:
        return not negated
    return None if None in options else negated


def _total(signs: Iterable[str]) -> Callable[..., Decimal]:
    rest = list(signs)[1:]

    def total(*terms: Decimal) -> Decimal:
        result = terms[0]
        for sign, term in zip(rest, terms[1:], strict=True):
            result = EXACT.add(result, term) if sign == "+" else EXACT.subtract(result, term)
        return result

    return total


def _chain(signs: Sequence[str]) -> Callable[..., Decimal | None]:
    def chain(*factors: Decimal) -> Decimal | None:
        over, under = factors[0], None
        for sign, factor in zip(signs[1:], factors[1:], strict=True):
            if sign == "*":
                over = EXACT.multiply(over, factor)
            else:
                under = factor if under is None else EXACT.multiply(under, factor)
        return over if under is None else divide(over, under)

    return chain


def divide(over: Decimal, under: Decimal) -> Decimal | None:
    """As PostgreSQL does: to sixteen digits at least, and no fewer decimals than either has; halves away from zero."""
    if not under:
        return None
    (high, first), (low, second) = _head(over), _head(under)
    weight = high - low - (first <= second)
    decimals = min(max(16 - 4 * weight, _decimals(over), _decimals(under), 0), 1000)
    scaled = abs(Fraction(over) / Fraction(under)) * 10**decimals
    digits = Decimal(int(scaled + Fraction(1, 2))).scaleb(-decimals, context=EXACT)
    return digits if (over < 0) == (under < 0) else digits.copy_negate()


def _decimals(value: Decimal) -> int:
    return -int(value.as_tuple().exponent)


def _head(value: Decimal) -> tuple[int, int]:
    """The place of the first digit to the base of 10,000, and that digit."""
    if not value:
        return 0, 0
    place = value.adjusted() // 4
    return place, int(abs(Fraction(value)) / Fraction(10_000) ** place)


def _over(function: str, values: list[Any]) -> Any:
    if function == "count":
        return Decimal(len(values))
    if not values:
        return None
    if function in ("min", "max"):
        return min(values) if function == "min" else max(values)
    if function == "median":
        ordered, n = sorted(values), len(values)
        return EXACT.multiply(EXACT.add(ordered[(n - 1) // 2], ordered[n // 2]), Decimal("0.5"))
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total if function == "sum" else divide(total, Decimal(len(values)))
