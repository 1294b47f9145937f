"""What contracts are worth a year, over deals that fit on a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from app.ground.errors import Invalid
from tests.language.metrics.world import World, new_world

D = Decimal


def won(key: str, day: str, amount: float | None, term: int | None, **rest: Any) -> dict[str, Any]:
    return {
        "external_id": key, "name": key, "stage_id": "t:won", "opened_at": "2025-01-02", "closed_at": day,
        "amount": amount, "term_months": term, **rest,
    }  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def shop(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "ann", "name": "Ann"})
    await world.put("products", *({"external_id": x, "name": x} for x in ("suite", "setup")))
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": x, "name": x, "pipeline_id": "t:p", "category": category}
        for x, category in (("talk", "open"), ("won", "won"))
    ))  # fmt: skip
    await world.put("exchange_rates", {
        "external_id": "r", "from_currency": "EUR", "to_currency": "USD", "on_day": "2025-01-01", "rate": 1.1,
    })  # fmt: skip
    await world.put(
        "opportunities",
        won("long", "2025-03-10", 3600, 36, owner_id="t:ann", type="new_business"),
        won("short", "2025-03-11", 500, 6, type="renewal"),
        won("bare", "2025-03-12", 900, None),
        won("odd", "2025-04-10", 100, 7, currency="EUR"),
        won("unpriced", "2025-04-11", None, 12),
        won("pounds", "2025-04-12", 10, 12, currency="GBP"),
        won("lines", "2025-05-10", 3000, 24,
            line_items=[{"product_id": "t:suite", "amount": 2400}, {"product_id": "t:setup", "amount": 500}]),
    )  # fmt: skip
    yield world


async def test_the_worked_examples(shop: World) -> None:
    row = await shop.one("acv", period="2025-03")
    assert (row["value"], row["n"], row["excluded"], row["unit"]) == (2200, 2, {"no_term": 1}, "money")
    row = await shop.one("first_year_value", period="2025-03")
    assert (row["value"], row["n"], row["excluded"]) == (1700, 2, {"no_term": 1})
    assert await shop.grouped("acv", "type", period="2025-03") == {
        "new_business": 1200, "renewal": 1000, None: 0,
    }  # fmt: skip
    assert await shop.grouped("acv", "rep", period="2025-03") == {"Ann": 1200, None: 1000}


async def test_what_does_not_divide_evenly_stays_exact(shop: World) -> None:
    row = await shop.one("acv", period="2025-04")
    assert (row["n"], row["excluded"]) == (1, {"missing_fx": 1, "no_amount": 1})
    [odd] = [c for c in await shop.contributions("acv", period="2025-04") if c.parts]
    assert odd.parts["acv"] == Fraction(1320, 7), "100 EUR at 1.1 for 7 months"
    assert Fraction(row["value"]) == pytest.approx(Fraction(1320, 7), rel=1e-27)
    assert (odd.row["amount"], odd.row["rate"], odd.row["weight_source"]) == (100, D("1.1"), "12 of 7 months")
    assert Fraction(odd.row["weight"]) == pytest.approx(Fraction(12, 7), rel=1e-27)
    seven = [await shop.value("acv", period="2025-04", filters={"currency": "EUR"}, currency="EUR")]
    assert Fraction(seven[0] or 0) * 7 == pytest.approx(1200, rel=1e-27)


async def test_what_explains_a_deal_without_a_term(shop: World) -> None:
    rows = {c.row["label"]: c.row for c in await shop.contributions("first_year_value", period="2025-03")}
    assert {x: row["weight_source"] for x, row in rows.items()} == {
        "long": "12 of 36 months", "short": "6 of 6 months", "bare": None,
    }  # fmt: skip
    assert (rows["bare"]["excluded"], rows["bare"]["weight"], rows["bare"]["contribution"]) == (
        "no_term",
        None,
        {},
    )


async def test_by_product(shop: World) -> None:
    assert await shop.grouped("acv", "product", period="2025-05") == {
        "suite": 1200, "setup": 250, "unallocated": 50,
    }  # fmt: skip
    both = await shop.rows("acv", "bookings", period="2025-05")
    assert [row["value"] for row in both] == [1500, 3000], "asked together, each by its own rule"


async def test_as_it_was_and_as_it_was_known(shop: World) -> None:
    """A term that is told later counts from then on; one that is corrected for the past is another one as of then."""
    june: dict[str, Any] = {"period": "2025-06"}
    await shop.put("opportunities", won("later", "2025-06-02", 1200, None))
    before = datetime.now(UTC).isoformat()
    await shop.put("opportunities", {"external_id": "later", "term_months": 24})
    between = datetime.now(UTC).isoformat()
    await shop.put("opportunities", {
        "external_id": "later", "history": [{"at": "2025-06-01", "term_months": 6}], "term_months": 24,
    })  # fmt: skip
    assert await shop.value("acv", **june) == 600
    then = await shop.one("acv", **june, as_of=before, known_at=before)
    assert (then["value"], then["excluded"]) == (0, {"no_term": 1})
    assert await shop.value("acv", **june, as_of=between, known_at=between) == 600
    assert await shop.value("acv", **june, as_of="2025-06-03") == 2400, "six months, as we know now"


async def test_a_term_given_with_a_close_of_an_earlier_day_holds_since_that_day(shop: World) -> None:
    await shop.put("opportunities", {
        "external_id": "closing", "name": "closing", "stage_id": "t:talk", "amount": 120, "opened_at": "2025-07-01",
    })  # fmt: skip
    closed = {"stage_id": "t:won", "closed_at": "2025-07-10", "term_months": 6, "amount": 240}
    await shop.put("opportunities", {"external_id": "closing", **closed}, origin="live")
    row = await shop.one("acv", period="2025-07", as_of="2025-07-11")
    assert (row["value"], row["excluded"]) == (480, {})


@pytest.mark.parametrize("term", [0, -12, 1.5, "a year"])
async def test_a_term_is_a_whole_number_of_months(shop: World, term: Any) -> None:
    rows = [won("bad", "2025-08-01", 1, None), won("worse", "2025-08-01", 1, 12)]
    rows[0]["term_months"] = term
    rows[1]["history"] = [{"at": "2025-08-01", "term_months": term}]
    for row in rows:
        with pytest.raises((AssertionError, Invalid), match="term_months"):
            await shop.put("opportunities", row)
