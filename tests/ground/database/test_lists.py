"""A column of values is the same behind its text as it was before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.ground.database import lists
from app.ground.database.session import Database

HARD = [
    "", "null", "NULL", "{}", "a,b", '"', "\\", '\\"', "\\n", "a\nb", "\t\r\b\f", "\x01\x1f\x7f", "é \U0001f600",
    "\\\\n\n", '{"a": "\\u0000"}', " ",
]  # fmt: skip
AMSTERDAM = ZoneInfo("Europe/Amsterdam")

CASES: dict[str, tuple[str, Sequence[Any]]] = {
    "text": ("text", [None, *HARD]),
    "one text": ("text", ["plain", "words"]),
    "uuid": ("uuid", [UUID(int=1), None, UUID("01a2050f-3bfa-7b13-a02e-dfb801077c79")]),
    "numeric": ("numeric", [Decimal("1E+3"), Decimal("-0.0001"), None, Decimal("999999999999999.1234"), 7]),
    "int": ("int", [1, None, -(2**31)]),
    "flag": ("boolean", [True, None, False]),
    "day": ("date", [None, date(2030, 2, 28), date(1, 1, 1)]),
    "moment": (
        "timestamptz",
        [
            None, datetime(2026, 3, 31, 16, 30, 0, 1, UTC), datetime(2, 1, 1, tzinfo=UTC),
            datetime(2026, 3, 31, tzinfo=timezone(timedelta(hours=2))),
            datetime(1930, 1, 1, tzinfo=AMSTERDAM), datetime(2030, 7, 1, tzinfo=AMSTERDAM),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_every_value_arrives_as_it_was(database: Database, case: str) -> None:
    type_, values = CASES[case]
    sql = f"select array(select x from unnest($1::text::{type_}[]) with ordinality x(x, i) order by i)"
    async with database.connection() as connection:
        found = await connection.fetchval(sql, lists.column(type_, values))
    assert found == list(values)


async def test_the_first_moment_is_the_beginning_of_time(database: Database) -> None:
    """But a text that looks like it stays what it is."""
    first = datetime.min.replace(tzinfo=UTC)
    async with database.connection() as connection:
        sql = "select ($1::text::timestamptz[])[2] = '-infinity'"
        assert await connection.fetchval(sql, lists.column("timestamptz", [None, first]))
        text = [first.isoformat(), "x"]
        assert await connection.fetchval("select $1::text::text[]", lists.column("text", text)) == text


async def test_a_list_without_values_is_filled_up_with_nulls(database: Database) -> None:
    given = lists.column("int", [1, 2]), lists.column("uuid", [None, None])
    async with database.connection() as connection:
        rows = await connection.fetch("select * from unnest($1::text::int[], $2::text::uuid[])", *given)
    assert [tuple(row) for row in rows] == [(1, None), (2, None)]
