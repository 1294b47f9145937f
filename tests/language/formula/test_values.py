"""Random formulas in PostgreSQL against an oracle of Python's decimals: equal to the last digit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.ground.database.session import connect
from app.language.formula.errors import FormulaError
from app.language.formula.formula import Formula, parse
from app.language.formula.types import Type
from tests.language.formula.dictionary import ROWS, VARIABLES, Row, question
from tests.language.formula.oracle import Made, Maker, reckon, written


@pytest.fixture(scope="module")
def ask(app_url: str) -> Iterator[Any]:
    """Formulas of rows, in one statement, on a loop of its own: hypothesis has none."""
    with asyncio.Runner() as loop:
        connection: asyncpg.Connection = loop.run(connect(app_url))

        def asked(formulas: list[Formula], rows: list[Row]) -> list[list[Any]]:
            statement = question(formulas, rows)
            found = loop.run(connection.fetch(statement.sql, *statement.arguments({})))
            return [list(row) for row in found]

        yield asked
        loop.run(connection.close())


def groups(row: Row) -> list[Row]:
    return [each for each in ROWS if each["group"] == row["group"]]


class TooMuch(Exception):
    pass


def taken(text: str, type_: Type) -> Formula:
    """A formula that was made up is refused for its size only."""
    try:
        return parse(text, VARIABLES, expects=type_)
    except FormulaError as error:
        if {each.code for each in error.problems} <= {"too_long", "too_deep"}:
            raise TooMuch from error
        raise


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32))
def test_formulas_are_worth_what_decimals_say(ask: Any, seed: int) -> None:
    maker = Maker(random.Random(seed))
    made: list[tuple[Made, Formula]] = []
    while len(made) < 60:
        type_ = maker.chance.choice(list(Type))
        formula = maker.make(type_)
        with suppress(TooMuch):
            made.append((formula, taken(written(formula), type_)))
    answer = ask([formula for _, formula in made], ROWS)
    assert len(answer) == len(ROWS)
    for row, values in zip(ROWS, answer, strict=True):
        for (formula, read), value in zip(made, values, strict=True):
            assert value == reckon(formula, row, groups(row)), (read.text, row)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("if(attainment >= 1, amount * 0.1 * min(attainment, 1.5), amount * 0.07)", "144.12002500000"),
        ("amount / 3 * 3 = amount", True),
        ("amount / 7 / 0", None),
        ("amount / (units - 3)", None),
        ("min(coalesce(amount / 0, 5), 7)", "5"),
        ("min(amount / 0, 7)", None),
        ("max(1, amount / 0)", None),
        ("if(amount / 0 > 1, 1, 2)", "2"),
        ("-amount--amount", "0"),
        ("2 - 3 - 4", "-5"),
        ("100 / 10 / 5 * 2", "4"),
        ("-2 * 3 + 10%", "-5.9"),
        ("round(2.5, 0) + round(-2.5, 0)", "0"),
        ("round(1.005, 2)", "1.01"),
        ("days_between(hired_on, closed_on)", "2163"),
        ("not won = false", True),
        ("true or amount / 0 > 1", True),
        ("false or amount / 0 > 1", None),
        ("region in ('west', 'West')", True),
        ("region not in ('west')", True),
        ("amount in (1, 1200.5)", True),
        ("custom.tier = 'GOLD'", False),
        ("0.1 + 0.2 = 0.3", True),
        ("sum(amount) / count(amount) = avg(amount)", True),
        ("median(amount)", "1200.5"),
        ("median(quota)", "25500.0000"),
        ("count(won)", "3"),
    ],
)
def test_examples(ask: Any, text: str, value: Any) -> None:
    [found, *_], *_ = ask([of_some_type(text)], ROWS)
    assert found == (Decimal(value) if isinstance(value, str) else value)


def of_some_type(text: str) -> Formula:
    refused: FormulaError | None = None
    for expects in Type:
        try:
            return parse(text, VARIABLES, expects=expects)
        except FormulaError as error:
            refused = error
    raise refused or AssertionError
