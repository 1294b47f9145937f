"""What is read, what is refused, and where and in which words."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from app.ground.database.session import compiled
from app.language import formula as package
from app.language.formula.errors import MOST_PROBLEMS, FormulaError
from app.language.formula.formula import parse
from app.language.formula.types import FUNCTIONS, Type
from tests.language.formula.dictionary import COLUMNS, VARIABLES

MONEY, NUMBER, RATIO, TEXT, DATE, BOOL = Type

TYPED = [
    ("amount", MONEY), ("amount + quota", MONEY), ("amount * units", MONEY), ("units * amount / 3", MONEY),
    ("amount * attainment * 10%", MONEY), ("amount / quota", RATIO), ("amount / quota * amount", MONEY),
    ("attainment * attainment", RATIO), ("attainment + attainment", RATIO), ("attainment + 1", NUMBER),
    ("attainment - units", NUMBER), ("units / units", NUMBER), ("10%", RATIO), ("round(amount, 2)", MONEY),
    ("round(attainment, 2)", RATIO), ("-amount", MONEY), ("amount + 500", MONEY), ("500 - amount", MONEY),
    ("amount + 2 * 250", MONEY), ("max(amount - 1000, 0)", MONEY), ("if(won, amount, 0)", MONEY),
    ("if(won, if(won, 1, 2), amount)", MONEY), ("coalesce(amount, -1)", MONEY), ("min(units, attainment)", NUMBER),
    ("max(closed_on, hired_on)", DATE), ("date('2026-01-31')", DATE), ("days_between(closed_on, hired_on)", NUMBER),
    ("if(won, 'a', \"b\")", TEXT), ("coalesce(region, 'none')", TEXT), ("region = 'x'", BOOL), ("won", BOOL),
    ("won = true", BOOL), ("closed_on < hired_on", BOOL), ("amount >= 50000", BOOL), ("amount in (1, quota)", BOOL),
    ("attainment not in (1, 50%)", BOOL), ("not won AND TRUE or False", BOOL), ("custom.tier <> 'x'", BOOL),
    ("sum(amount)", MONEY), ("avg(attainment)", RATIO), ("count(region)", NUMBER), ("Median(Units)", None),
    ("MEDIAN(units)", NUMBER), ("max(closed_on)", DATE), ("sum(if(won, amount, 0)) / sum(amount)", RATIO),
    (".5 + 0.5", NUMBER), ("((amount))", MONEY), ("amount\n\t* 2", MONEY), ("android", None), ("in_it", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "type_"), [(text, type_) for text, type_ in TYPED if type_])
def test_a_formula_has_a_type(text: str, type_: Type) -> None:
    assert parse(text, VARIABLES, expects=type_).type is type_
    for other in Type:
        if (
            other is not type_
            and {other, type_} != {NUMBER, RATIO}
            and not (other is MONEY and type_ is NUMBER)
        ):
            with pytest.raises(FormulaError) as refused:
                parse(text, VARIABLES, expects=other)
            assert [each.code for each in refused.value.problems] == ["type_mismatch"]


REFUSED = [
    # text, code, line, column, and something of what is said
    ("", "syntax", 1, 1, "the formula ends here"),
    ("  \n ", "syntax", 2, 2, "the formula ends here"),
    ("amount +", "syntax", 1, 9, "A value"),
    ("(amount", "syntax", 1, 8, '")" is expected'),
    ("amount)", "syntax", 1, 7, "the end is expected"),
    ("amount quota", "syntax", 1, 8, 'here is "quota"'),
    ("amount == 3", "syntax", 1, 9, 'Write "=" once.'),
    ("units => 3", "syntax", 1, 8, 'Write ">=".'),
    ("won && won", "syntax", 1, 5, 'Write "and".'),
    ("won || won", "syntax", 1, 5, 'Write "or".'),
    ("!won", "syntax", 1, 1, 'Write "not"'),
    ("amount;", "syntax", 1, 7, "semicolon"),
    ("if(won; 1; 2)", "syntax", 1, 7, "commas between arguments"),
    ("=amount", "syntax", 1, 1, 'begins without "="'),
    ("amount ** 2", "syntax", 1, 9, "no powers"),
    ("units ^ 2", "syntax", 1, 7, "no powers"),
    ("units % 2", "syntax", 1, 7, "no remainder"),
    ("$500", "syntax", 1, 1, "without a sign of currency"),
    ("[amount]", "syntax", 1, 1, "round parentheses"),
    ("amount − 1", "syntax", 1, 8, 'MINUS SIGN, which means nothing in a formula. Write "-".'),
    ("region = “West”", "syntax", 1, 10, "straight quotes"),
    ("units ≥ 3", "syntax", 1, 7, 'Write ">=".'),
    ("аmount", "syntax", 1, 1, "U+0430 CYRILLIC SMALL LETTER A"),
    ("amount\u00a0* 2", "syntax", 1, 7, "NO-BREAK SPACE"),
    ("\uff11", "syntax", 1, 1, 'Write a plain "1".'),
    ("amount\x00", "syntax", 1, 7, "U+0000"),
    ("'a\x00b'", "syntax", 1, 3, "U+0000"),
    ("'a\u202eb'", "syntax", 1, 3, "RIGHT-TO-LEFT OVERRIDE"),
    ("'\ud800'", "syntax", 1, 2, "U+D800"),
    ("'a\nb'", "syntax", 1, 3, "of one line"),
    ("won = 'abc", "syntax", 1, 7, "not closed"),
    ("amount is null", "syntax", 1, 8, "coalesce"),
    ("won ? 1 : 2", "syntax", 1, 5, "if(condition, a, b)"),
    ("1 < units < 3", "syntax", 1, 11, "two values at a time"),
    ("--amount", "syntax", 1, 2, "one sign"),
    ("amount // why", "syntax", 1, 9, "comments"),
    ("not not won", "syntax", 1, 5, "A value"),
    ("units not 3", "syntax", 1, 11, '"in" is expected'),
    ("units in 3", "syntax", 1, 10, "A list in parentheses"),
    ("units in ()", "syntax", 1, 11, "A value"),
    ("x" * 2001, "too_long", 1, 2001, "2,000 characters"),
    ("1 + " * 101 + "1", "too_long", 1, 401, "200 words"),
    ("(" * 21, "too_deep", 1, 21, "20 deep"),
    ("amuont", "unknown_name", 1, 1, 'Did you mean "amount"?'),
    ("Amount", "unknown_name", 1, 1, 'Did you mean "amount"? Names are spelled exactly.'),
    ("custom.teir", "unknown_name", 1, 1, 'Did you mean "custom.tier"?'),
    ("qqqq", "unknown_name", 1, 1, "There are amount, attainment, closed_on"),
    ("sum + 1", "unknown_name", 1, 1, "Write sum(x)."),
    ("averge(amount)", "unknown_function", 1, 1, 'There is no function "averge".'),
    ("medain(amount)", "unknown_function", 1, 1, 'Did you mean "median"?'),
    ("amount(2)", "unknown_function", 1, 1, "is a value"),
    ("amount +\n  region", "type_mismatch", 2, 3, '"+" takes amounts and numbers; here is a text.'),
    ("amount + attainment", "type_mismatch", 1, 10, "a ratio meets an amount of money"),
    ("amount + 10%", "type_mismatch", 1, 10, "a ratio meets an amount of money"),
    ("units + amount", "type_mismatch", 1, 9, "an amount of money meets a number"),
    ("1 / amount", "type_mismatch", 1, 5, "cannot be divided by money"),
    ("closed_on + 1", "type_mismatch", 1, 1, "days_between"),
    ("-closed_on", "type_mismatch", 1, 2, "days_between"),
    ("won * 2", "type_mismatch", 1, 1, "if(condition, 1, 0)"),
    ("won = 1", "type_mismatch", 1, 7, "a number meets a condition"),
    ("region < 'a'", "type_mismatch", 1, 1, "only equal or not"),
    ("amount > attainment", "type_mismatch", 1, 10, "a ratio meets an amount of money"),
    ("closed_on = '2026-01-31'", "type_mismatch", 1, 13, "a text meets a date"),
    ("region in ('a', 1)", "type_mismatch", 1, 17, "a number meets a text"),
    ("won in (true)", "type_mismatch", 1, 1, '"in"'),
    ("not amount", "type_mismatch", 1, 5, "amount > 0"),
    ("won and region", "type_mismatch", 1, 9, '"and" takes conditions; here is a text.'),
    ("amount or won", "type_mismatch", 1, 1, '"or" takes conditions'),
    ("if(units, 1, 2)", "type_mismatch", 1, 4, "if takes conditions"),
    ("if(won, 1, 'a')", "type_mismatch", 1, 12, "a text meets a number"),
    ("coalesce(amount, region)", "type_mismatch", 1, 18, "coalesce chooses from"),
    ("min(region, 'a')", "type_mismatch", 1, 5, "min takes amounts, numbers and dates"),
    ("sum(region)", "type_mismatch", 1, 5, "sum takes amounts and numbers; here is a text."),
    ("median(closed_on)", "type_mismatch", 1, 8, "a date"),
    ("round(region, 2)", "type_mismatch", 1, 7, "a text"),
    ("days_between(closed_on, 1)", "type_mismatch", 1, 25, "takes dates"),
    ("amount * quota", "money_times_money", 1, 10, "no squared money"),
    ("amount * 2 * quota", "money_times_money", 1, 14, "no squared money"),
    ("if(won, 1)", "wrong_arguments", 1, 1, "Write if(condition, a, b)."),
    ("coalesce(amount)", "wrong_arguments", 1, 1, "does not take 1 argument."),
    ("count()", "wrong_arguments", 1, 1, "Write count(x)."),
    ("sum(amount, quota)", "wrong_arguments", 1, 1, "Write sum(x)."),
    ("round(amount, units)", "wrong_arguments", 1, 15, "0 to 6 digits"),
    ("round(amount, 7)", "wrong_arguments", 1, 15, "0 to 6 digits"),
    ("round(amount, -1)", "wrong_arguments", 1, 15, "0 to 6 digits"),
    ("amount > 1,000", "bad_number", 1, 10, "1000 for a thousand"),
    ("min(attainment, 1,5)", "bad_number", 1, 17, "1.5 for a decimal"),
    ("1e9", "bad_number", 1, 1, "is no number"),
    ("1.", "bad_number", 1, 1, "is no number"),
    ("1234567890123456", "bad_number", 1, 1, "at most 15 digits"),
    ("0.0000000000000001", "bad_number", 1, 1, "at most 15 digits"),
    ("date('2026-02-30')", "bad_date", 1, 6, 'date("2026-01-31")'),
    ("date(region)", "bad_date", 1, 6, "in quotes"),
    ("sum(1 + avg(amount))", "nested_aggregate", 1, 9, "inside another function of many rows"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "line", "column", "said"), REFUSED, ids=lambda x: str(x)[:20])
def test_what_is_refused_is_told_where_and_why(
    text: str, code: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(FormulaError) as refused:
        parse(text, VARIABLES, expects=MONEY)
    first = refused.value.problems[0]
    assert (first.code, first.line, first.column) == (code, line, column), first
    assert said in str(first)


@pytest.mark.parametrize("name", ["sum", "count", "avg", "median", "min", "max"])
def test_aggregates_may_be_refused(name: str) -> None:
    with pytest.raises(FormulaError) as refused:
        parse(f"1 + {name}(units)", VARIABLES, expects=NUMBER, aggregates=False)
    [problem] = refused.value.problems
    assert (problem.code, problem.column) == ("no_aggregates", 5)
    assert parse("min(units, 1)", VARIABLES, expects=NUMBER, aggregates=False).aggregates == ()


def test_all_problems_are_told_at_once_in_the_order_of_the_text() -> None:
    with pytest.raises(FormulaError) as refused:
        parse("if(wno, amount * quota,\n sum(regoin)) + foo(hired_on + 1)", VARIABLES, expects=MONEY)
    assert [(each.line, each.column, each.code) for each in refused.value.problems] == [
        (1, 4, "unknown_name"),
        (1, 18, "money_times_money"),
        (2, 6, "unknown_name"),
        (2, 17, "unknown_function"),
        (2, 21, "type_mismatch"),
    ]
    with pytest.raises(FormulaError) as refused:
        parse(" + ".join(["nothing"] * 50), VARIABLES, expects=MONEY)
    assert len(refused.value.problems) == MOST_PROBLEMS
    invalid = refused.value.as_invalid("/formula")
    assert invalid.status == 422
    assert invalid.errors[0].pointer == "/formula"
    assert invalid.errors[0].message.startswith('Line 1, column 1: Nothing here is called "nothing".')


def test_a_formula_says_what_it_uses() -> None:
    read = parse("sum(amount) + sum( amount ) + amount * max(units) * attainment", VARIABLES, expects=MONEY)
    assert read.names == ("amount", "units", "attainment")
    assert [each.function for each in read.aggregates] == ["sum", "max"]
    assert read == parse(read.text, VARIABLES, expects=MONEY)
    assert hash(read) == hash(parse(read.text, VARIABLES, expects=MONEY))


def test_what_a_caller_writes_travels_beside_the_statement() -> None:
    text = (
        "if(region in ('it''s', \"x; drop table y\") and closed_on > date('2026-01-31') or true, 12.75, 10%)"
    )
    statement = compiled(select(parse(text, VARIABLES, expects=NUMBER).compile(COLUMNS)))
    for written in ("it", "drop", "2026", "12.75", "0.1", "true"):
        assert written not in statement.sql
    assert len(statement.order) == 6


@pytest.mark.parametrize(
    "text",
    [
        "amount * " + "min(1, 1/-" * 19 + "weight" + ")" * 19,
        "(" * 20 + "amount" + ")" * 20,
        "amount" + " * (1 - units" * 20 + ")" * 20,
        "if(won or won and not units = 1 + 2 * -units, " * 8 + "amount" + ", 1)" * 8,
        " - ".join(["amount"] * 100),
        "amount" + " / units" * 99,
    ],
    ids=lambda text: text[:20],
)
def test_the_deepest_formula_leaves_most_of_the_stack(text: str) -> None:
    limit, used = sys.getrecursionlimit(), len(_frames())
    try:
        sys.setrecursionlimit(used + 300)
        compiled(select(parse(text, VARIABLES, expects=MONEY).compile(COLUMNS)))
    finally:
        sys.setrecursionlimit(limit)


def _frames() -> list[object]:
    frames: list[object] = []
    frame = sys._getframe()
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def test_no_float_comes_near_it() -> None:
    [folder] = package.__path__
    for file in Path(folder).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), file
            assert not (isinstance(node, ast.Name) and node.id in ("float", "Float", "Double", "REAL")), file


def test_the_page_tells_every_function_and_code() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "formulas.md").read_text()
    for function in FUNCTIONS.values():
        assert f"`{function.usage}`" in page
        assert function.description in page
    for _, code, *_ in REFUSED:
        assert f"`{code}`" in page
    assert "`no_aggregates`" in page
