"""Numbers about deals over rows that fit on a page, each against a figure worked out by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.ground.database.session import Database
from tests.language.metrics.world import World, new_world

D = Decimal

REPS = (
    {"external_id": "head", "name": "Head"},
    {"external_id": "m1", "name": "Mona", "manager_id": "t:head", "team_id": "t:red", "territory_id": "t:w"},
    {"external_id": "m2", "name": "Nils", "manager_id": "t:head", "team_id": "t:blue", "territory_id": "t:e"},
    {"external_id": "a", "name": "Ann", "manager_id": "t:m1", "team_id": "t:red", "territory_id": "t:w"},
    {
        "external_id": "b", "name": "Bob", "manager_id": "t:m2", "team_id": "t:blue", "territory_id": "t:e",
        "history": [
            {"at": "2020-01-01", "manager_id": "t:m1", "team_id": "t:red", "territory_id": "t:w"},
            {"at": "2025-03-15", "manager_id": "t:m2", "team_id": "t:blue", "territory_id": "t:e"},
        ],
    },
)  # fmt: skip


def deal(
    key: str, owner: str, amount: float | None, *history: tuple[str, str], **rest: Any
) -> dict[str, Any]:
    """A deal that moved through these stages on these days."""
    points: list[dict[str, Any]] = [{"at": day, "stage_id": f"t:{stage}"} for day, stage in history]
    points[0] |= {"owner_id": f"t:{owner}", "amount": amount}
    row = {"external_id": key, "name": key, "owner_id": f"t:{owner}", "amount": amount, "history": points}
    return {**row, "stage_id": points[-1]["stage_id"], "opened_at": history[0][0], **rest}


DEALS = (
    deal("one", "a", 1000, ("2025-01-10", "talk"), ("2025-03-11", "won"), account_id="t:acme", type="new_business",
         competitor="Globex",
         line_items=[{"product_id": "t:p1", "amount": 600}, {"product_id": "t:p1", "amount": 100},
                     {"product_id": "t:p2", "amount": 200}]),
    deal("two", "b", 500, ("2025-01-20", "talk"), ("2025-03-20", "won"), currency="EUR", type="renewal",
         competitor="Initech"),
    deal("three", "b", 3000, ("2025-02-01", "talk"), ("2025-03-05", "lost"), account_id="t:acme",
         competitor="Globex"),
    deal("four", "a", 0, ("2025-02-01", "talk"), ("2025-03-31", "won")),
    deal("five", "a", 800, ("2025-02-10", "talk"), ("2025-04-02", "won"), ("2025-05-10", "talk")),
    deal("six", "b", 2000, ("2025-03-01", "talk"), ("2025-03-02", "gone")),
    deal("seven", "b", 90_000, ("2025-03-03", "talk"), ("2025-04-10", "won"), currency="JPY"),
    deal("eight", "a", 2000, ("2025-04-15", "talk"), probability=0.5, forecast_category="commit"),
    deal("nine", "a", None, ("2025-04-20", "talk")),
    {"external_id": "ten", "name": "ten", "owner_id": "t:a", "amount": 70, "stage_id": "t:won",
     "opened_at": "2025-03-20", "closed_at": "2025-03-18"},
    {"external_id": "undated", "name": "undated", "owner_id": "t:a", "amount": 40, "stage_id": "t:won"},
)  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def shop(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("teams", {"external_id": "red", "name": "Red"}, {"external_id": "blue", "name": "Blue"})
    await world.put("territories", {"external_id": "w", "name": "West"}, {"external_id": "e", "name": "East"})
    for rep in REPS:
        await world.put("reps", rep)
    await world.put(
        "accounts", {"external_id": "acme", "name": "Acme", "industry": "retail", "segment": "smb"}
    )
    await world.put(
        "products",
        {"external_id": "p1", "name": "One", "family": "F"},
        {"external_id": "p2", "name": "Two", "family": "F"},
    )
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    stages = (("talk", "open", 0.1), ("won", "won", 1), ("lost", "lost", 0), ("gone", "abandoned", 0))
    await world.put("stages", *(
        {"external_id": name, "name": name, "pipeline_id": "t:p", "category": category, "probability": chance}
        for name, category, chance in stages
    ))  # fmt: skip
    await world.put(
        "exchange_rates",
        {
            "external_id": "r1",
            "from_currency": "EUR",
            "to_currency": "USD",
            "on_day": "2025-01-01",
            "rate": 1.1,
        },
        {
            "external_id": "r2",
            "from_currency": "EUR",
            "to_currency": "USD",
            "on_day": "2025-03-25",
            "rate": 1.2,
        },
        {
            "external_id": "r3",
            "from_currency": "USD",
            "to_currency": "JPY",
            "on_day": "2025-05-01",
            "rate": 150,
        },
    )
    await world.put("opportunities", *DEALS)
    yield world


MARCH: dict[str, Any] = {"period": "2025-03"}


async def test_bookings(shop: World) -> None:
    row = await shop.one("bookings", **MARCH)
    assert row["value"] == D(1000) + D(500) * D("1.1") + 0 + 70
    assert (row["n"], row["excluded"]) == (4, {"no_close_date": 1})
    april = await shop.one("bookings", period="2025-04")
    assert (april["value"], april["null_reason"]) == (None, "missing_fx")
    assert april["excluded"]["missing_fx"] == 1, "counted, and not priced at 1:1 or at 0"
    quarter = await shop.one("bookings", period="2025-Q2", fx="period_end")
    assert quarter["value"] == 90_000 * D("0.006666666667"), "an inverse rate is rounded to twelve decimals"


async def test_rates_of_exchange(shop: World) -> None:
    assert await shop.value("bookings", **MARCH, fx="period_end") == D(1070) + D(500) * D("1.2")
    assert await shop.value("bookings", **MARCH, fx="constant:2025-01-01") == D(1070) + D(500) * D("1.1")
    answer = await shop.answer("bookings", period="2025-04", fx="constant:2025-06-01", currency="EUR")
    [row] = answer.data
    assert row["value"] == 90_000 * D("0.005555555556"), "JPY to EUR through the home currency"
    assert answer.meta["rates"] == {"derived": {"JPY": "cross"}, "scale": 12}


async def test_credit_is_that_of_the_close(shop: World) -> None:
    assert await shop.grouped("won_deals", "manager", **MARCH) == {"Mona": 3, "Nils": 1}
    assert await shop.grouped("lost_deals", "manager", **MARCH) == {"Mona": 1}, "Bob was still with Mona then"
    assert await shop.grouped("lost_deals", "team", **MARCH, credit="current") == {"Blue": 1}
    assert await shop.grouped("lost_deals", "territory", **MARCH) == {"West": 1}
    assert await shop.value("lost_deals", **MARCH, filters={"manager": "Mona"}) == 1
    assert await shop.value("won_deals", **MARCH, filters={"manager": "Mona"}) == 3
    assert await shop.value("won_deals", **MARCH, filters={"manager": "Head"}) == 4, "the whole subtree"
    assert await shop.value("won_deals", **MARCH, filters={"manager": ["Head", "Mona"]}) == 4, "nobody twice"


async def test_products_divide_amounts_and_repeat_counts(shop: World) -> None:
    filters = {"account": "Acme"}
    assert await shop.grouped("bookings", "product", **MARCH, filters=filters) == {
        "One": 700, "Two": 200, "unallocated": 100,
    }  # fmt: skip
    assert await shop.grouped("won_deals", "product", **MARCH, filters=filters) == {
        "One": 1, "Two": 1, "unallocated": 1,
    }  # fmt: skip
    assert await shop.grouped("won_deals", "product_family", **MARCH, filters=filters) == {
        "F": 1,
        "unallocated": 1,
    }
    rows = await shop.rows("won_deals", **MARCH, by=["product"], filters=filters, totals=True)
    assert [row["value"] for row in rows if row["total"]] == [1], "the deal counts once in the total"
    assert await shop.value("won_deals", **MARCH, filters={"product": ["One", "Two"]}) == 1
    assert await shop.value("bookings", **MARCH, filters={"product": ["One", "Two"]}) == 900
    assert await shop.value("bookings", **MARCH, filters={"product": "null", "account": "Acme"}) == 100


async def test_win_rate(shop: World) -> None:
    row = await shop.one("win_rate", **MARCH)
    assert (row["value"], row["numerator"], row["denominator"], row["n"]) == (D("0.8"), 4, 5, 5)
    assert row["excluded"] == {"abandoned": 1, "no_close_date": 1}
    assert row["small_sample"]
    assert {k: round(v, 4) for k, v in row["interval"].items()} == {
        "low": D("0.3755"), "high": D("0.9638"), "confidence": D("0.95"),
    }  # fmt: skip
    empty = await shop.one("win_rate", period="2024")
    assert (empty["value"], empty["null_reason"], empty["interval"]) == (None, "zero_denominator", None)
    assert (await shop.one("bookings", **MARCH))["interval"] is None
    assert await shop.grouped("win_rate", "industry", **MARCH) == {"retail": D("0.5"), None: 1}


async def test_win_rate_by_value(shop: World) -> None:
    row = await shop.one("win_rate_value", **MARCH)
    assert (row["numerator"], row["denominator"], row["n"]) == (1620, 4620, 5)
    assert row["value"] == pytest.approx(D(1620) / 4620)
    assert row["excluded"] == {"abandoned": 1, "no_close_date": 1}
    april = await shop.one("win_rate_value", period="2025-04")
    assert (april["value"], april["null_reason"]) == (None, "missing_fx")
    assert await shop.value("lost_amount", **MARCH) == 3000


async def test_competitive_win_rate(shop: World) -> None:
    row = await shop.one("competitive_win_rate", **MARCH)
    assert (row["numerator"], row["denominator"], row["excluded"]) == (2, 3, {}), (
        "six was abandoned to nobody"
    )
    assert await shop.grouped("competitive_win_rate", "competitor", **MARCH) == {
        "Globex": D("0.5"),
        "Initech": 1,
    }


async def test_share_of_new_business(shop: World) -> None:
    row = await shop.one("new_business_share", **MARCH)
    assert (row["numerator"], row["denominator"]) == (1000, 1620), "of no type: below the line only"
    none = await shop.one("new_business_share", period="2024")
    assert (none["value"], none["null_reason"]) == (None, "zero_denominator")


async def test_realised_velocity_is_bookings_by_the_cycle(shop: World) -> None:
    row = await shop.one("realised_velocity", **MARCH)
    assert (row["value"], row["beside"]) == (pytest.approx(D(1620) / 59), {"sales_cycle": 59})
    assert row["excluded"] == {"negative_cycle": 1, "no_close_date": 1}
    winless = await shop.one("realised_velocity", period="2024")
    assert (winless["value"], winless["null_reason"]) == (None, "zero_denominator")


async def test_pipeline_by_forecast_category(shop: World) -> None:
    april = {"period": "2025-04"}
    row = await shop.one("commit_pipeline", **april)
    assert (row["value"], row["n"], row["excluded"]) == (2000, 1, {"no_amount": 1, "no_open_date": 1})
    assert row["beside"] == {"cumulative": 2000}
    best = await shop.one("best_case_pipeline", **april)
    assert (best["value"], best["n"], best["beside"]) == (0, 0, {"cumulative": 2000})
    may = await shop.one("most_likely_pipeline", period="2025-05")
    assert (may["value"], may["excluded"]) == (
        0,
        {"no_amount": 1, "no_forecast_category": 1, "no_open_date": 1},
    ), "five, open again, is of none"
    assert await shop.grouped("open_pipeline", "forecast_category", **april) == {"commit": 2000, None: 0}


async def test_a_reopened_deal_counts_as_it_stood(shop: World) -> None:
    april = {"period": "2025-04", "filters": {"rep": "Ann"}}
    assert await shop.value("won_deals", **april) == 0
    assert await shop.value("won_deals", **april, as_of="2025-05-01") == 1
    assert await shop.value("bookings", **april, as_of="2025-05-01") == 800


async def test_average_deal_size(shop: World) -> None:
    row = await shop.one("average_deal_size", **MARCH)
    assert row["value"] == (D(1000) + D(550) + 70) / 3
    assert row["excluded"] == {"no_close_date": 1, "zero_amount": 1}


async def test_growth_of_bookings(shop: World) -> None:
    april = await shop.one("bookings_growth", period="2025-04")
    assert (april["value"], april["null_reason"]) == (None, "missing_fx"), (
        "of seven, in JPY, nothing is known"
    )
    ann = {"period": "2025-04", "filters": {"rep": "Ann"}}
    april = await shop.one("bookings_growth", **ann, as_of="2025-04-20T12:00:00Z")
    assert april["beside"] == {"bookings": 800, "before": 1070}, (
        "twenty days against the first twenty of March"
    )
    assert (april["value"], april["partial"]) == (pytest.approx(D(-270) / 1070), True)
    assert (await shop.one("bookings_growth", **ann, as_of="2025-04-05"))["value"] is None
    quarters = await shop.bucketed("bookings_growth", period="2025", grain="quarter", filters={"rep": "Ann"})
    assert quarters["2025-04-01"] == -1
    assert quarters["2025-01-01"] is None, "nothing was booked before: not 100 %"


async def test_median_deal_size(shop: World) -> None:
    row = await shop.one("median_deal_size", **MARCH)
    assert (row["value"], row["n"], row["beside"]) == (550, 3, {"mean": D(540)}), "70, 550 (500 EUR), 1,000"
    assert row["excluded"] == {"no_close_date": 1, "zero_amount": 1}
    assert await shop.value("median_deal_size", **MARCH, filters={"rep": "Ann"}) == (D(70) + 1000) / 2
    # In EUR another deal may be the middle one, at another day's rate.
    assert await shop.value("median_deal_size", **MARCH, currency="EUR", filters={"rep": "Bob"}) == 500
    april = await shop.one("median_deal_size", period="2025-04")
    assert (april["value"], april["null_reason"]) == (None, "missing_fx"), "seven is in JPY"
    none = await shop.one("median_deal_size", period="2024")
    assert (none["value"], none["null_reason"]) == (None, "zero_denominator")


async def test_median_sales_cycle(shop: World) -> None:
    row = await shop.one("sales_cycle_median", **MARCH)
    assert (row["value"], row["beside"]) == (59, {"mean": 59, "p75": 60, "p90": 60})
    assert row["excluded"] == {"negative_cycle": 1, "no_close_date": 1}
    assert await shop.grouped("sales_cycle_median", "rep", **MARCH) == {"Ann": 59, "Bob": 59}
    totals = await shop.rows("sales_cycle_median", **MARCH, by=["rep"], totals=True)
    assert [row["value"] for row in totals if row["total"]] == [59]


async def test_sales_cycle(shop: World) -> None:
    row = await shop.one("sales_cycle", **MARCH)
    assert row["value"] == (D(60) + 59 + 58) / 3
    assert row["excluded"] == {"negative_cycle": 1, "no_close_date": 1}, "never made positive"


async def test_close_rate_is_a_cohort(shop: World) -> None:
    row = await shop.one("close_rate", period="2025-02")
    assert row["value"] == D(1) / 3
    assert row["beside"] == {"open_share": D(1) / 3}
    assert row["excluded"] == {"no_open_date": 1}


async def test_open_pipeline_at_the_end_of_each_month(shop: World) -> None:
    months = await shop.bucketed("open_deals", period="2025-01-01/2025-06-01", grain="month")
    assert months == {
        "2025-01-01": 2, "2025-02-01": 5, "2025-03-01": 2, "2025-04-01": 2, "2025-05-01": 3,
    }  # fmt: skip
    amounts = await shop.bucketed("open_pipeline", period="2025-04-01/2025-06-01", grain="month")
    assert amounts == {"2025-04-01": 2000, "2025-05-01": 2800}
    row = await shop.one("open_pipeline")
    assert (row["value"], row["n"], row["excluded"], row["period_start"]) == (2800, 2, {"no_amount": 1}, None)


async def test_now_by_the_current_table_equals_now_by_the_history(shop: World) -> None:
    """A period without past buckets reads the current table; one with them reads the history for every bucket."""
    for metric in ("open_deals", "open_pipeline", "weighted_pipeline", "pipeline_velocity"):
        for by in ([], ["rep"], ["stage"], ["product"]):
            now = await shop.rows(metric, period="2099", by=by)
            among = await shop.rows(metric, period="2025-01-01/2100-01-01", grain="year", by=by)
            last = {row["row_key"]: row for row in among if row["period_start"] == "2099-01-01"}
            assert now
            for row in now:
                assert row == last[row["row_key"]]


async def test_weighted_pipeline(shop: World) -> None:
    assert await shop.value("weighted_pipeline") == 800 * D("0.1") + 2000 * D("0.5")
    sources = {
        c.row["label"]: c.row["weight_source"]
        for c in await shop.contributions("weighted_pipeline")
        if c.parts
    }
    assert sources == {"five": "stage", "eight": "deal"}


async def test_pipeline_created_is_the_first_amount(shop: World) -> None:
    await shop.put(
        "opportunities",
        {"external_id": "grown", "name": "grown", "owner_id": "t:a", "stage_id": "t:talk", "amount": 900,
         "opened_at": "2024-06-10",
         "history": [{"at": "2024-06-10", "stage_id": "t:talk", "amount": None, "owner_id": "t:a"},
                     {"at": "2024-06-12", "amount": 300}, {"at": "2024-06-20", "amount": 900}]},
    )  # fmt: skip
    assert await shop.value("pipeline_created", period="2024-06") == 300
    await shop.delete("opportunities", "t:grown")
    assert await shop.value("pipeline_created", period="2024-06") == 0
    assert await shop.value("pipeline_created", period="2024-06", as_of="2024-07-01") == 300, (
        "it was there then"
    )


async def test_velocity_is_made_of_the_numbers_that_it_names(shop: World) -> None:
    row = await shop.one("pipeline_velocity", as_of="2025-04-05")
    year = {"period": "2024-04-06/2025-04-06", "as_of": "2025-04-05"}
    rate, size, cycle = [
        await shop.value(m, **year) for m in ("win_rate", "average_deal_size", "sales_cycle")
    ]
    count = await shop.value("open_deals", as_of="2025-04-05")
    assert rate is not None
    assert size is not None
    assert cycle is not None
    assert count is not None
    assert row["value"] == pytest.approx(count * rate * size / cycle)
    assert row["beside"] == {"win_rate": rate, "average_deal_size": size, "sales_cycle": cycle}


async def test_an_inferred_past_says_so(shop: World) -> None:
    assert (await shop.one("bookings", **MARCH))["inferred"] == 0, "what is so now was told"
    past = await shop.one("bookings", **MARCH, as_of="2025-04-01")
    assert (past["n"], past["inferred"]) == (4, 1)
    assert past["excluded"] == {}, "a close without a date may be of any other time"


async def test_without_an_opening_date_nothing_is_known_of_earlier(shop: World) -> None:
    await shop.put(
        "opportunities", {"external_id": "x", "name": "x", "owner_id": "t:a", "stage_id": "t:talk"}
    )
    row = await shop.one("open_deals", as_of="2025-01-15")
    assert row["excluded"] == {"no_open_date": 2}, "this one, and the won deal without dates"
    await shop.delete("opportunities", "t:x")


async def test_what_was_known_then(shop: World) -> None:
    """Both axes fixed: a change told later does not reach the answer."""
    question = {"period": "2025-03", "as_of": "2025-04-01"}
    before = datetime.now(UTC).isoformat()
    value = await shop.value("bookings", **question)
    await shop.put("opportunities", {
        "external_id": "late", "name": "late", "owner_id": "t:a", "stage_id": "t:won", "amount": 10,
        "opened_at": "2025-03-01", "closed_at": "2025-03-02",
    })  # fmt: skip
    assert await shop.value("bookings", **question) == (value or 0) + 10
    assert await shop.value("bookings", **question, known_at=before) == value
    await shop.delete("opportunities", "t:late")


async def test_order_rank_and_totals(shop: World) -> None:
    question: dict[str, Any] = {**MARCH, "by": ["rep"], "sort": "-bookings"}
    rows = await shop.rows("bookings", "win_rate", **question, totals=True)
    shown = [
        (row["metric"], row["dimensions"].get("rep", {}).get("name"), row["rank"], row["value"])
        for row in rows
    ]
    assert shown == [
        ("bookings", "Ann", 1, 1070), ("bookings", "Bob", 2, 550), ("win_rate", "Ann", 1, 1),
        ("win_rate", "Bob", 2, D("0.5")), ("bookings", None, None, 1620), ("win_rate", None, None, D("0.8")),
    ]  # fmt: skip
    assert [row["total"] for row in rows] == [False] * 4 + [True] * 2
    [first] = await shop.rows("bookings", **question, limit=1)
    assert first["dimensions"]["rep"]["name"] == "Ann"
    months = await shop.rows("bookings", period="2025-Q1", grain="month", by=["rep"], totals=True)
    kinds = [(row["period_start"], bool(row["dimensions"]), row["total"]) for row in months]
    assert kinds.count(("2025-03-01", True, False)) == 2
    assert kinds.count(("2025-01-01", True, True)) == 2, "each group over the whole period"
    assert kinds.count(("2025-03-01", False, True)) == 1, "each bucket over all groups"
    assert len({row["row_key"] for row in months}) == len(months)


async def test_a_past_that_tells_of_no_stage_still_ends_with_the_close(
    owner_url: str, database: Database
) -> None:
    """A closed deal whose history speaks of its owner alone."""
    world = await new_world(owner_url, database)
    await world.put("reps", *({"external_id": x, "name": x} for x in ("ann", "bob")))
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "talk", "name": "talk", "pipeline_id": "t:p"},
                    {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})  # fmt: skip
    row = {
        "external_id": "a", "name": "a", "stage_id": "t:won", "amount": 7, "opened_at": "2025-01-10",
        "closed_at": "2025-03-02", "owner_id": "t:bob", "history": [
            {"at": "2025-02-01", "owner_id": "t:ann"}, {"at": "2025-04-01", "owner_id": "t:bob"},
        ],
    }  # fmt: skip
    for _ in range(2):
        await world.put("opportunities", row)
        assert await world.grouped("bookings", "rep", period="2025-03") == {"ann": 7}, (
            "to whom it belonged then"
        )
        assert await world.value("bookings", period="2025-03", as_of="2025-03-01") == 0
        assert await world.value("open_deals", as_of="2025-03-01") == 1
        assert await world.grouped("bookings", "rep", period="2025-03", as_of="2025-03-03") == {"ann": 7}
    same_day = {**row, "external_id": "b", "closed_at": "2025-04-01"}
    early = {**row, "external_id": "c", "closed_at": "2025-01-02"}
    await world.put("opportunities", same_day, early)
    assert await world.bucketed("won_deals", period="2025-01-01/2025-05-01", grain="month") == {
        "2025-01-01": 1, "2025-02-01": 0, "2025-03-01": 1, "2025-04-01": 1,
    }  # fmt: skip
