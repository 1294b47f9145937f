"""Line items take their list price from the deal's price book, and are held against its floor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.ground.errors import Invalid

LATER = datetime.now(UTC).date() + timedelta(days=30)
"""Also where midnight comes while the tests run."""


async def books(firm: Any) -> None:
    await firm.taken(
        "price_books",
        {"external_id": "std", "name": "Standard", "is_default": True},
        {"external_id": "soft", "name": "Partners", "below_floor": "flag"},
    )
    common = {"product_id": "crm:gtx", "currency": "USD", "floor_price": 80}
    await firm.taken(
        "prices",
        {"external_id": "1", "price_book_id": "crm:std", "starts_on": "2026-01-01", "list_price": 100, **common},
        {"external_id": "2", "price_book_id": "crm:std", "starts_on": "2026-03-01", "list_price": 120, **common},
        {"external_id": "3", "price_book_id": "crm:soft", "starts_on": "2026-01-01", "list_price": 90, **common},
        {
            "external_id": "4", "price_book_id": "crm:std", "starts_on": str(LATER),
            "list_price": 999, **common,
        },
    )  # fmt: skip


async def line(firm: Any, deal: Any) -> dict[str, Any]:
    [found] = (await firm.get("opportunities", deal, "line_items"))["line_items"]
    return found


async def test_the_price_of_the_day_and_of_the_book_is_filled_in(firm: Any) -> None:
    await books(firm)
    base = {"name": "Deal", "stage_id": "crm:s1", "currency": "USD"}
    sold = [{"product_id": "crm:gtx", "quantity": 3}]
    deal = (await firm.create("opportunities", {**base, "line_items": sold})).id
    filled = await line(firm, deal)
    assert (filled["list_price"], filled["unit_price"], filled["amount"]) == (120, 120, 360)
    won = {"name": "Won", "stage_id": "crm:won", "currency": "USD", "opened_at": "2026-01-10"}
    past = await firm.create("opportunities", {**won, "closed_at": "2026-02-28", "line_items": sold})
    assert (await line(firm, past.id))["list_price"] == 100
    partner = await firm.create("opportunities", {**base, "price_book_id": "crm:soft", "line_items": sold})
    assert (await line(firm, partner.id))["list_price"] == 90
    euros = await firm.create("opportunities", {**base, "currency": "EUR", "line_items": sold})
    assert (await line(firm, euros.id))["list_price"] is None, "prices of another currency price nothing"
    given = [{"product_id": "crm:gtx", "list_price": 110, "unit_price": 90}]
    own = await firm.create("opportunities", {**base, "line_items": given})
    assert (await line(firm, own.id))["list_price"] == 110


async def test_what_was_priced_stays_priced(firm: Any) -> None:
    await books(firm)
    row = {
        "external_id": "d", "name": "Deal", "stage_id": "crm:s1", "currency": "USD",
        "line_items": [{"product_id": "crm:gtx", "unit_price": 85}],
    }  # fmt: skip
    await firm.taken("opportunities", row)
    await firm.taken("prices", {"external_id": "2", "list_price": 200, "floor_price": 150})
    [again] = await firm.taken("opportunities", row)
    assert again.outcome == "unchanged"
    assert (await line(firm, "crm:d"))["list_price"] == 120
    assert (await line(firm, "crm:d"))["below_floor"] is False
    cheaper = {**row, "line_items": [{"product_id": "crm:gtx", "unit_price": 84}]}
    [refused] = await firm.put("opportunities", [cheaper])
    assert [(e.pointer, e.code) for e in refused.errors] == [("/line_items/0/unit_price", "below_floor")]


async def test_below_the_floor_is_refused_or_flagged_as_the_book_says(firm: Any) -> None:
    await books(firm)
    base = {"name": "Deal", "stage_id": "crm:s1", "currency": "USD"}
    cheap = [{"product_id": "crm:gtx", "unit_price": 100}, {"product_id": "crm:gtx", "unit_price": 79.99}]
    with pytest.raises(Invalid) as refused:
        await firm.create("opportunities", {**base, "line_items": cheap})
    assert [(e.pointer, e.code) for e in refused.value.errors] == [
        ("/line_items/1/unit_price", "below_floor")
    ]
    let_in = await firm.create("opportunities", {**base, "price_book_id": "crm:soft", "line_items": cheap})
    lines = (await firm.get("opportunities", let_in.id, "line_items"))["line_items"]
    assert [x["below_floor"] for x in lines] == [False, True]
    told = await firm.taken(
        "opportunities", {**base, "external_id": "old", "line_items": cheap}, origin="backfill"
    )
    assert told[0].outcome == "created", "what was sold long ago cannot be refused any more"
    lines = (await firm.get("opportunities", "crm:old", "line_items"))["line_items"]
    assert [x["below_floor"] for x in lines] == [False, True]


async def test_a_price_without_sense_is_refused(firm: Any) -> None:
    await books(firm)
    base = {"price_book_id": "crm:std", "product_id": "crm:gtx", "currency": "EUR", "list_price": 10}
    bad = [
        {"external_id": "a", **base, "starts_on": "2026-01-01", "ends_on": "2026-01-01"},
        {"external_id": "b", **base, "starts_on": "2026-01-01", "floor_price": 11},
        {"external_id": "c", **base, "starts_on": "2026-01-01"},
        {"external_id": "d", **base, "starts_on": "2026-01-01"},
    ]
    receipts = await firm.put("prices", bad)
    assert [[e.code for e in r.errors] for r in receipts[:2]] == [["ends_before_start"], ["floor_above_list"]]
    assert [r.outcome for r in receipts[2:]] == ["created", "failed"]
    assert receipts[3].errors[0].code == "duplicate"
