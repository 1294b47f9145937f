"""Ten thousand formulas that nobody should write: refused at a place of their text, or asked of the worst rows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import asyncpg
import pytest

from app.ground.database.session import Database
from app.language.formula import grammar
from app.language.formula.errors import MOST_PROBLEMS, FormulaError
from app.language.formula.formula import Formula, parse
from app.language.formula.types import FUNCTIONS, Type
from tests.language.formula.dictionary import HOSTILE, VARIABLES, Row, question
from tests.language.formula.oracle import Maker, written

TOKENS = [
    *VARIABLES, *FUNCTIONS, "+", "-", "*", "/", "=", "<=", "<>", "(", ")", "(", ")", ",", "and", "or", "not", "in",
    "true", "0", "1.5", "10%", "999999999999999", "0.000000000000001", "'x'", '"', "'", "date('2026-01-31')", " ",
    ";", "==", "--", "/*", "$1", ":x", "%s", "\\", "\x00", "\ud800", "\U0001f600", "а", "−", "“", "\u202e", "\u2028",
    "1e308", "1,000", "NaN", "infinity", "null", "9" * 400, "\n", "\r", "\t", "::float8", "pg_sleep", "sum(", "min(",
]  # fmt: skip


def soup(chance: random.Random) -> str:
    return chance.choice(["", " "]).join(chance.choices(TOKENS, k=chance.randint(0, 60)))


def noise(chance: random.Random) -> str:
    highest = chance.choice([0x7F, 0xFF, 0xFFFF, 0x10FFFF])
    return "".join(chr(chance.randint(0, highest)) for _ in range(chance.randint(0, 80)))


def valid(chance: random.Random) -> str:
    return written(Maker(chance).make(chance.choice(list(Type)), chance.randint(1, 5)))


def mutated(chance: random.Random) -> str:
    text = valid(chance)
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(text))
        until = min(len(text), at + chance.choice([0, 1, 1, 5]))
        text = text[:at] + chance.choice(["", *TOKENS]) + text[until:]
    return text


def deep(chance: random.Random) -> str:
    levels = chance.choice([5, 19, 20, 21, 100, 400, 5000])
    opening, inner, closing = chance.choice([
        ("(", "1", ")"), ("-(", "amount", ")"), ("not (", "won", ")"), ("min(1, 1/", "units", ")"), ("((", "won", ")"),
        ("round(", "amount", ", 2)"), ("sum(", "amount", ")"), ("(1 - ", "weight", " / 7)"), ("- ", "amount", ""),
        ("if(won, 1, ", "2", ")"), ("not ", "won", ""), ("'", "", "'"), ("(", "", ""), ("", "", ")"), ("x(", "", ","),
        ("max(-", "amount", ", 1)"), ("coalesce(", "closed_on", ", hired_on)"), ("if(1 = ", "units", ", 1, 2)"),
    ])  # fmt: skip
    return opening * levels + inner + closing * levels


def huge(chance: random.Random) -> str:
    part = chance.choice(["weight", "amount / quota", "999999999999999", "0.000000000000001", "(1/weight)", "units",
                          "(weight - 1/3)", "9" * 40])  # fmt: skip
    sign = chance.choice([" * ", " / ", " + ", " - ", "*-"])
    return chance.choice(["amount * ", "1 / ", ""]) + sign.join(
        [part] * chance.choice([2, 10, 30, 60, 99, 500])
    )


KINDS: list[tuple[Callable[[random.Random], str], int]] = [
    (soup, 2500), (noise, 1000), (valid, 2000), (mutated, 3500), (deep, 500), (huge, 500),
]  # fmt: skip


def read(text: str) -> Formula | None:
    """By the first type that takes it."""
    for expects in Type:
        try:
            return parse(text, VARIABLES, expects=expects)
        except FormulaError as error:
            well_placed(error, text)
            if error.problems[0].code != "type_mismatch":
                return None
    return None


def well_placed(error: FormulaError, text: str) -> None:
    lines = text.split("\n")
    assert 0 < len(error.problems) <= MOST_PROBLEMS
    for problem in error.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.message.isprintable()


async def test_ten_thousand_are_refused_or_answered(database: Database) -> None:
    chance = random.Random(20260131)
    formulas: list[Formula] = []
    slowest = 0.0
    for kind, times in KINDS:
        taken = len(formulas)
        for _ in range(times):
            text = kind(chance)
            began = time.process_time()
            formula = read(text)
            slowest = max(slowest, time.process_time() - began)
            if formula is not None:
                formulas.append(formula)
        assert kind is noise or len(formulas) > taken
    assert slowest < 1
    assert len(formulas) > 2_000
    async with database.connection() as connection, connection.transaction():
        await connection.execute("set local statement_timeout = '2s'")
        # The service's own codec does not read what is no day, so who answers with dates is not given any.
        for dates in (True, False):
            some = [formula for formula in formulas if (formula.type is Type.DATE) == dates]
            for start in range(0, len(some), 100):
                await answered(connection, some[start : start + 100], HOSTILE, infinite=not dates)


async def answered(
    connection: asyncpg.Connection, formulas: list[Formula], rows: list[Row], *, infinite: bool = False
) -> None:
    statement = question(formulas, rows, infinite=infinite)
    found = await connection.fetch(statement.sql, *statement.arguments({}))
    assert len(found) == len(rows) + infinite


@pytest.mark.parametrize(
    "text",
    [
        "amount" + "*-(1 / (weight - 1 / 3" * 9 + ") / 7)" * 9,
        "amount * " + " * ".join(["999999999999999"] * 99),
        "amount / " + " / ".join(["0.00000000000001"] * 98),
        "amount / (" + " * ".join(["(1 / weight)"] * 32) + ")",
        "amount * " + "min(1, 1/-" * 19 + "weight" + ")" * 19,
        " + ".join(["amount"] * 100),
    ],
    ids=lambda text: text[:20],
)
async def test_the_worst_of_a_thousand_rows_is_soon_done(database: Database, text: str) -> None:
    formula = parse(text, VARIABLES, expects=Type.MONEY)
    async with database.connection() as connection, connection.transaction():
        await connection.execute("set local statement_timeout = '2s'")
        await answered(connection, [formula], HOSTILE * 200)


def test_the_longest_is_read_in_time_linear_in_it() -> None:
    for text in (
        "(" * 2000,
        "'" * 2000,
        "9" * 2000,
        "a." * 1000,
        "''" * 999 + "'",
        "x " * 1000,
        "- " * 1000,
        ".," * 999,
    ):
        began = time.process_time()
        with pytest.raises(FormulaError):
            parse(text, VARIABLES, expects=Type.MONEY)
        assert time.process_time() - began < 0.2
    with pytest.raises(FormulaError):
        parse("x" * (grammar.MOST_CHARACTERS + 1), VARIABLES, expects=Type.MONEY)
