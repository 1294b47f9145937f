"""The variables that the tests' formulas speak of, and rows that hold them: ordinary ones, and the worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import column, select, table
from sqlalchemy.sql.elements import ColumnElement

from app.ground.database.session import Statement, compiled
from app.language.formula.formula import Formula
from app.language.formula.types import Type, Variable

_TYPES = {
    "amount": (Type.MONEY, "numeric(19,4)"),
    "quota": (Type.MONEY, "numeric(19,4)"),
    "attainment": (Type.RATIO, "numeric(9,6)"),
    "units": (Type.NUMBER, "integer"),
    "weight": (Type.NUMBER, "numeric"),
    "region": (Type.TEXT, "text"),
    "custom.tier": (Type.TEXT, "varchar"),
    "closed_on": (Type.DATE, "date"),
    "hired_on": (Type.DATE, "date"),
    "won": (Type.BOOL, "boolean"),
}
VARIABLES = {name: Variable(name, type_, f"the {name}") for name, (type_, _) in _TYPES.items()}
_ROWS = table("rows", column("n"), column("group"), *map(column, VARIABLES))
COLUMNS: Mapping[str, ColumnElement[Any]] = {name: _ROWS.c[name] for name in VARIABLES}

Row = dict[str, Any]


def _row(group: int, *values: Any) -> Row:
    return {"group": group, **dict(zip(VARIABLES, values, strict=True))}


def _d(text_: str) -> Decimal:
    return Decimal(text_)


ROWS = [
    _row(1, _d("1200.5000"), _d("1000.0000"), _d("1.200500"), 3, _d("0.25"), "West", "gold", date(2026, 1, 31),
         date(2020, 2, 29), True),
    _row(1, _d("-33.3333"), _d("0.0000"), _d("0.000000"), 0, _d("7"), "East", "", date(2025, 12, 31),
         date(2026, 1, 31), False),
    _row(1, None, _d("50000.0000"), None, 12, None, None, "it's", None, date(1999, 1, 1), None),
    _row(1, _d("50000.0000"), _d("50000.0000"), _d("1.000000"), -4, _d("-1.5"), "west", "gold",
         date(2026, 1, 31), None, True),
    _row(2, _d("0.0001"), _d("3.0000"), _d("0.000033"), 7, _d("0.000001"), "West", None, date(2026, 3, 1),
         date(2026, 2, 28), False),
    _row(2, _d("123456789012345.0000"), None, None, None, _d("1000000"), "", "silver", date(9999, 12, 31),
         date(1, 1, 1), None),
    _row(3, *[None] * 10),
]  # fmt: skip

_MOST = _d("999999999999999.9999")
HOSTILE = [
    _row(1, _MOST, -_MOST, _d("999.999999"), 2**31 - 1, _d("0.0000000001"), "x" * 5000, "'", date(9999, 12, 31),
         date(1, 1, 1), True),
    _row(1, -_MOST, _MOST, _d("-999.999999"), -(2**31), _MOST, "\\", '"', date(1, 1, 1), date(9999, 12, 31), False),
    _row(1, _d("0.0000"), _d("0.0000"), _d("0.000000"), 0, _d("0"), "", "%s $1 :x", date(2026, 1, 1),
         date(2026, 1, 1), False),
    _row(2, _d("0.0001"), _d("-0.0001"), _d("0.000001"), 1, _d("-0.0000000001"), "é\U0001f600", "\n",
         date(2024, 2, 29), None, True),
    _row(3, *[None] * 10),
]  # fmt: skip


def _literal(value: Any, type_: str) -> str:
    if value is None:
        return f"null::{type_}"
    return "'" + str(value).replace("'", "''") + f"'::{type_}"


def question(formulas: Sequence[Formula], rows: Sequence[Row], *, infinite: bool = False) -> Statement:
    """All formulas of all rows in one statement, their aggregates over each group joined in."""
    typed = [[str(n), str(row["group"]), *(_literal(row[name], t) for name, (_, t) in _TYPES.items())]
             for n, row in enumerate(rows)]  # fmt: skip
    if infinite:
        days = {"closed_on": "'infinity'::date", "hired_on": "'-infinity'::date"}
        typed.append(
            [str(len(rows)), "1", *(days.get(name, f"null::{t}") for name, (_, t) in _TYPES.items())]
        )
    names = ", ".join(f'"{each.name}"' for each in _ROWS.c)
    held = f"with rows ({names}) as (values {', '.join(f'({chr(44).join(values)})' for values in typed)})"

    aggregates = list({aggregate: None for formula in formulas for aggregate in formula.aggregates})
    compiled_ = (of.compile(COLUMNS).label(f"a{n}") for n, of in enumerate(aggregates))
    groups = select(_ROWS.c.group, *compiled_).group_by(_ROWS.c.group).subquery("groups")
    aggregated = {aggregate: groups.c[f"a{n}"] for n, aggregate in enumerate(aggregates)}
    asked = [formula.compile(COLUMNS, aggregated).label(f"f{n}") for n, formula in enumerate(formulas)]
    statement = compiled(
        select(*asked).select_from(_ROWS.join(groups, groups.c.group == _ROWS.c.group)).order_by(_ROWS.c.n)
    )
    return replace(statement, sql=f"{held} {statement.sql}")
