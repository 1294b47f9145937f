"""From syntax to a typed tree: each name is known, each operator fits its values, and every problem is told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from lark import Token

from app.ground.errors import did_you_mean
from app.language.formula import tree
from app.language.formula.errors import MOST_PROBLEMS, FormulaError, Problem
from app.language.formula.fitting import common, fits
from app.language.formula.grammar import Syntax
from app.language.formula.tree import Node
from app.language.formula.types import COUNTABLE, FUNCTIONS, ORDERED, WORDS, Function, Type, Variable

MOST_DIGITS = 15
_NUMBER = re.compile(r"([0-9]*)(?:\.([0-9]+))?%?")
_COMMAS = "Write 1000 for a thousand, 1.5 for a decimal, and a space after a comma between two numbers."
_DIGITS = re.compile(r"[0-6]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Check:
    """One formula. What is wrong below has been told there: such a part has no node, and nothing is said above it."""

    def __init__(self, text: str, variables: Mapping[str, Variable], *, aggregates: bool) -> None:
        self.text = text
        self.variables = variables
        self.aggregates_allowed = aggregates
        self.names: dict[str, None] = {}
        self.aggregates: dict[tree.Aggregate, None] = {}
        self.problems: list[Problem] = []
        self._aggregating = False

    def formula(self, syntax: Syntax, expects: Type) -> Node:
        node = self._node(syntax)
        if node is not None and not fits(node, expects):
            message = f"The formula gives {WORDS[node.type]}; {WORDS[expects]} is expected."
            self._problem(syntax, "type_mismatch", message)
        if node is None or self.problems:
            raise FormulaError(self.problems)
        return node

    def _problem(self, at: Syntax, code: str, message: str, suggestion: str = "") -> None:
        self.problems.append(Problem.at(self.text, _offset(at), code, message, suggestion))
        if len(self.problems) == MOST_PROBLEMS:
            raise FormulaError(self.problems)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _node(self, at: Syntax) -> Node | None:
        if isinstance(at, Token):
            return getattr(self, f"_{at.type.lower()}")(at)
        return getattr(self, f"_{at.data}")(at, at.children)

    def _nodes(self, parts: Sequence[Syntax]) -> list[Node] | None:
        return _all([self._node(each) for each in parts])

    def _number(self, at: Token) -> Node | None:
        found = _NUMBER.fullmatch(at)
        if found is None:
            suggestion = _COMMAS if "," in at else "Write digits, as in 1500 or 0.25."
            self._problem(at, "bad_number", f'"{at[:40]}" is no number.', suggestion)
            return None
        if len(found[1]) + len(found[2] or "") > MOST_DIGITS:
            self._problem(at, "bad_number", f"A number has at most {MOST_DIGITS} digits.")
            return None
        if at.endswith("%"):
            return tree.Constant(Type.RATIO, Decimal(at[:-1]).scaleb(-2))
        return tree.Constant(Type.NUMBER, Decimal(at))

    def _text(self, at: Token) -> Node:
        return tree.Constant(Type.TEXT, at[1:-1].replace(at[0] * 2, at[0]))

    def _bool(self, at: Token) -> Node:
        return tree.Constant(Type.BOOL, at.lower() == "true")

    def _name(self, at: Token) -> Node | None:
        variable = self.variables.get(at)
        if variable is None:
            function = FUNCTIONS.get(at.lower())
            suggestion = (f"Write {function.usage}." if function else _meant(at, self.variables)) or _listed(
                self.variables
            )
            self._problem(at, "unknown_name", f'Nothing here is called "{at[:40]}".', suggestion)
            return None
        self.names[variable.name] = None
        return tree.Name(variable.type, variable.name)

    # -- arithmetic -------------------------------------------------------------------------------------------------

    def _negative(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        node = self._countable(parts[0], parts[1])
        return None if node is None else tree.Negative(node.type, node)

    def _sum(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        terms, signs = parts[::2], ["+", *parts[1::2]]
        nodes = self._operands(parts)
        kind = self._joined(terms, nodes, "What is added or subtracted")
        if nodes is None or kind is None:
            return None
        return tree.Sum(kind, _with("+", signs, nodes), _with("-", signs, nodes))

    def _product(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        factors, signs = parts[::2], ["*", *parts[1::2]]
        nodes = self._operands(parts)
        if nodes is None:
            return None
        kind: Type | None = nodes[0].type
        for sign, node, at in zip(signs[1:], nodes[1:], factors[1:], strict=True):
            kind = self._scaled(kind, str(sign), node.type, at)
            if kind is None:
                return None
        return tree.Product(kind, _with("*", signs, nodes), _with("/", signs, nodes))

    def _operands(self, parts: Sequence[Syntax]) -> list[Node] | None:
        """Of a chain of operands with signs between them."""
        signs = [parts[1], *parts[1::2]]
        return _all([self._countable(sign, each) for sign, each in zip(signs, parts[::2], strict=True)])

    def _scaled(self, left: Type, sign: str, right: Type, at: Syntax) -> Type | None:
        match left, sign, right:
            case Type.MONEY, "*", Type.MONEY:
                message = "Two amounts of money cannot be multiplied: there is no squared money."
                self._problem(at, "money_times_money", message, "Divide one by an amount, or use a number.")
                return None
            case Type.MONEY, "/", Type.MONEY:
                return Type.RATIO
            case (Type.MONEY, _, _) | (_, "*", Type.MONEY):
                return Type.MONEY
            case _, "/", Type.MONEY:
                self._problem(at, "type_mismatch", f"{WORDS[left].capitalize()} cannot be divided by money.")
                return None
        return Type.RATIO if left is right is Type.RATIO else Type.NUMBER

    def _countable(self, sign: Syntax, at: Syntax) -> Node | None:
        node = self._node(at)
        if node is None or node.type in COUNTABLE:
            return node
        suggestion = {
            Type.DATE: "For the days from one date to another write days_between(from, to).",
            Type.BOOL: "Write if(condition, 1, 0) for a number.",
        }.get(node.type, "")
        message = f'"{sign}" takes amounts and numbers; here is {WORDS[node.type]}.'
        self._problem(at, "type_mismatch", message, suggestion)
        return None

    # -- conditions -------------------------------------------------------------------------------------------------

    def _comparison(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        sides, sign = parts[::2], str(parts[1])
        nodes = self._nodes(sides)
        kind = self._joined(sides, nodes, "What is compared")
        if nodes is None or kind is None:
            return None
        if kind not in ORDERED and sign not in ("=", "!=", "<>"):
            message = f'"{sign}" takes amounts, numbers and dates; here is {WORDS[kind]}.'
            self._problem(sides[0], "type_mismatch", message, "Texts and conditions are only equal or not.")
            return None
        return tree.Comparison(sign, nodes[0], nodes[1])

    def _among(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        compared = [parts[0], *_list(parts[-1])]
        nodes = self._nodes(compared)
        kind = self._joined(compared, nodes, "What is compared")
        if nodes is None or kind is None:
            return None
        if kind is Type.BOOL:
            self._problem(parts[0], "type_mismatch", 'A condition is not looked for with "in".')
            return None
        among = tree.Among(nodes[0], tuple(nodes[1:]))
        return tree.Not(among) if len(parts) == 3 else among

    def _negation(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        node = self._condition(parts[1], '"not"')
        return None if node is None else tree.Not(node)

    def _conjunction(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        nodes = _all([self._condition(each, '"and"') for each in parts])
        return None if nodes is None else tree.Every(tuple(nodes))

    def _disjunction(self, _: Syntax, parts: Sequence[Syntax]) -> Node | None:
        nodes = _all([self._condition(each, '"or"') for each in parts])
        return None if nodes is None else tree.Some(tuple(nodes))

    def _condition(self, at: Syntax, what: str) -> Node | None:
        node = self._node(at)
        if node is None or node.type is Type.BOOL:
            return node
        message = f"{what} takes conditions; here is {WORDS[node.type]}."
        self._problem(at, "type_mismatch", message, "Compare it with something, as in amount > 0.")
        return None

    def _joined(self, parts: Sequence[Syntax], nodes: Sequence[Node] | None, what: str) -> Type | None:
        """The type that all have together, told at the first that has another."""
        if nodes is None:
            return None
        kind = nodes[0].type
        for n, node in enumerate(nodes):
            joined = common(nodes[: n + 1])
            if joined is None:
                message = f"{what} must be of one type; here {WORDS[node.type]} meets {WORDS[kind]}."
                self._problem(parts[n], "type_mismatch", message)
                return None
            kind = joined
        return kind

    # -- functions --------------------------------------------------------------------------------------------------

    def _call(self, at: Syntax, parts: Sequence[Syntax]) -> Node | None:
        called = str(parts[0])
        arguments = _list(parts[1]) if len(parts) > 1 else []
        name = called.lower()
        function = FUNCTIONS.get(name)
        if function is None:
            suggestion = (
                f'"{called[:40]}" is a value: write it without parentheses, or "*" before them.'
                if called in self.variables
                else did_you_mean(name, FUNCTIONS) or _listed(FUNCTIONS)
            )
            self._problem(at, "unknown_function", f'There is no function "{called[:40]}".', suggestion)
            self._nodes(arguments)
            return None
        if len(arguments) < function.least or (function.most and len(arguments) > function.most):
            self._wrong(
                at, function, f"{name} does not take {len(arguments)} argument{'s' * (len(arguments) != 1)}."
            )
            self._nodes(arguments)
            return None
        if function.aggregate or (name in ("min", "max") and len(arguments) == 1):
            return self._aggregate(at, name, function, arguments[0])
        match name:
            case "date":
                return self._date(arguments[0])
            case "if":
                return self._if(arguments)
            case "round":
                return self._round(arguments)
            case "days_between":
                return self._days_between(arguments)
        nodes = self._nodes(arguments)
        kind = self._joined(arguments, nodes, f"What {name} chooses from")
        if nodes is None or kind is None:
            return None
        options = tuple(nodes)
        if name == "coalesce":
            return tree.FirstDefined(kind, options)
        if kind not in ORDERED:
            self._mismatch(arguments[0], f"{name} takes amounts, numbers and dates", kind)
            return None
        return tree.Extreme(kind, name == "max", options)

    def _wrong(self, at: Syntax, function: Function, message: str) -> None:
        self._problem(at, "wrong_arguments", message, f"Write {function.usage}.")

    def _mismatch(self, at: Syntax, takes: str, kind: Type) -> None:
        self._problem(at, "type_mismatch", f"{takes}; here is {WORDS[kind]}.")

    def _aggregate(self, at: Syntax, name: str, function: Function, argument: Syntax) -> Node | None:
        if not self.aggregates_allowed:
            two = f"With one argument {name} looks" if name in ("min", "max") else f"{name} looks"
            self._problem(at, "no_aggregates", f"{two} at many rows; this formula is about one.")
            return None
        if self._aggregating:
            message = f"{name} stands inside another function of many rows; there is one row here."
            self._problem(at, "nested_aggregate", message)
            return None
        self._aggregating = True
        try:
            node = self._node(argument)
        finally:
            self._aggregating = False
        if node is None:
            return None
        taken = {"count": tuple(Type), "min": ORDERED, "max": ORDERED}.get(name, COUNTABLE)
        if node.type not in taken:
            dates = "amounts, numbers and dates" if Type.DATE in taken else "amounts and numbers"
            self._mismatch(argument, f"{name} takes {dates}", node.type)
            return None
        aggregate = tree.Aggregate(Type.NUMBER if name == "count" else node.type, name, node)
        self.aggregates[aggregate] = None
        return tree.Aggregated(aggregate)

    def _date(self, argument: Syntax) -> Node | None:
        written = str(argument)[1:-1] if isinstance(argument, Token) and argument.type == "TEXT" else ""
        try:
            if _DAY.fullmatch(written):
                return tree.Constant(Type.DATE, date.fromisoformat(written))
        except ValueError:
            pass
        message = "date takes a day of the calendar, written out in quotes."
        self._problem(argument, "bad_date", message, 'Write it as in date("2026-01-31").')
        return None

    def _if(self, arguments: Sequence[Syntax]) -> Node | None:
        condition = self._condition(arguments[0], "if")
        nodes = self._nodes(arguments[1:])
        kind = self._joined(arguments[1:], nodes, "What if chooses from")
        if condition is None or nodes is None or kind is None:
            return None
        return tree.Choice(kind, condition, *nodes)

    def _round(self, arguments: Sequence[Syntax]) -> Node | None:
        node, digits = self._node(arguments[0]), arguments[1]
        if isinstance(digits, Token) and digits.type == "NUMBER" and self._number(digits) is None:
            return None
        if not (isinstance(digits, Token) and _DIGITS.fullmatch(digits)):
            self._wrong(digits, FUNCTIONS["round"], "round takes 0 to 6 digits, written out.")
            return None
        if node is not None and node.type not in COUNTABLE:
            self._mismatch(arguments[0], "round takes amounts and numbers", node.type)
            return None
        return None if node is None else tree.Rounded(node.type, node, int(digits))

    def _days_between(self, arguments: Sequence[Syntax]) -> Node | None:
        nodes = self._nodes(arguments)
        if nodes is None:
            return None
        wrong = [
            (at, node.type) for at, node in zip(arguments, nodes, strict=True) if node.type is not Type.DATE
        ]
        for at, kind in wrong:
            self._mismatch(at, "days_between takes dates", kind)
        return None if wrong else tree.DaysBetween(nodes[0], nodes[1])


def _all(nodes: Sequence[Node | None]) -> list[Node] | None:
    there = [each for each in nodes if each is not None]
    return there if len(there) == len(nodes) else None


def _with(which: str, signs: Sequence[object], nodes: Sequence[Node]) -> tuple[Node, ...]:
    return tuple(node for sign, node in zip(signs, nodes, strict=True) if sign == which)


def _list(at: Syntax) -> Sequence[Syntax]:
    assert not isinstance(at, Token)
    return at.children


def _offset(at: Syntax) -> int:
    return (at.start_pos if isinstance(at, Token) else at.meta.start_pos) or 0


def _meant(name: str, known: Mapping[str, Variable]) -> str:
    spelled = {each.lower(): each for each in known}
    if name.lower() in spelled:
        return f'Did you mean "{spelled[name.lower()]}"? Names are spelled exactly.'
    return did_you_mean(name, known)


def _listed(known: Mapping[str, object]) -> str:
    return (
        f"There {'are' if len(known) > 1 else 'is'} {', '.join(sorted(known))}."
        if 0 < len(known) <= 12
        else ""
    )
