"""A hundred bad rows among ten thousand: the others go in, each bad one is told with its place and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from app.areas import CATALOGUE
from app.ground.errors import Invalid
from app.language.resources import write
from tests.language.resources.test_write import seed

ROWS, BAD = 10_000, 100

FAULTS: tuple[tuple[str, str, Callable[[dict[str, Any]], Any]], ...] = (
    ("/currency", "unknown_currency", lambda row: row | {"currency": "XXL"}),
    ("/amount", "not_a_number", lambda row: row | {"amount": "a lot"}),
    ("/amount", "amount_digits", lambda row: row | {"amount": 1e300}),
    ("/name", "bad_character", lambda row: row | {"name": "a\x00b"}),
    ("/name", "too_long", lambda row: row | {"name": "x" * 1_000_000}),
    ("/name", "required", lambda row: {k: v for k, v in row.items() if k != "name"}),
    ("/owner_id", "reference_not_found", lambda row: row | {"owner_id": "crm:nobody"}),
    ("/stage_id", "reference_not_found", lambda row: row | {"stage_id": "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"}),
    ("/history/0/at", "in_the_future", lambda row: row | {"history": [{"at": "2990-01-01", "amount": 1}]}),
    ("/nmae", "unknown_field", lambda row: row | {"nmae": "x"}),
    ("/type", "not_in_list", lambda row: row | {"type": "gift"}),
    ("/external_id", "duplicate_row", lambda row: row | {"external_id": "d0"}),
    ("/external_id", "invalid_value", lambda row: row | {"external_id": "a/b"}),
    ("", "invalid_value", lambda _: "no record"),
    ("/splits", "splits_refused", lambda row: row | {"splits": [{"rep_id": "crm:r1", "share": 0.4}]}),
    ("/probability", "too_large", lambda row: row | {"probability": 1.5}),
)  # fmt: skip


def rows() -> tuple[list[Any], dict[int, tuple[str, str]]]:
    """The rows, and of each bad one its pointer and code."""
    made: list[Any] = [
        {
            "external_id": f"d{n}", "name": f"Deal {n}", "owner_id": "crm:r1", "account_id": "crm:a1",
            "stage_id": "crm:s1", "amount": n, "currency": "USD",
        }
        for n in range(ROWS)
    ]  # fmt: skip
    expected: dict[int, tuple[str, str]] = {}
    for n in range(BAD):
        index = 50 + n * (ROWS // BAD)
        pointer, code, spoil = FAULTS[n % len(FAULTS)]
        made[index] = spoil(made[index])
        expected[index] = (pointer, code)
    return made, expected


async def stored(database: Any, principal: Any) -> int:
    async with database.transaction(principal.tenant_id) as session:
        return await session.connection.fetchval("select count(*) from opportunities")


async def send(database: Any, principal: Any, given: list[Any], **options: Any) -> list[Any]:
    async with database.transaction(principal.tenant_id, timeout_ms=120_000) as session:
        return await write.upsert(
            session, principal, CATALOGUE, CATALOGUE["opportunities"], "crm", given, **options
        )


def told(receipts: list[Any]) -> str:
    failed = [(x.index, [e.as_dict() for e in x.errors]) for x in receipts if x.outcome == "failed"]
    return orjson.dumps(failed).decode()


async def test_the_good_go_in_and_the_bad_are_told_alike_at_every_replay(database: Any, tenant: Any) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    given, expected = rows()
    with pytest.raises(Invalid) as refused:
        await send(database, principal, given, atomic=True)
    assert refused.value.code == "atomic_refused"
    assert await stored(database, principal) == 0
    first = await send(database, principal, given)
    assert await stored(database, principal) == ROWS - BAD
    assert {x.index: (x.errors[0].pointer, x.errors[0].code) for x in first if x.errors} == expected
    again = await send(database, principal, given)
    assert told(again) == told(first)
    assert {x.outcome for x in again} == {"unchanged", "failed"}
