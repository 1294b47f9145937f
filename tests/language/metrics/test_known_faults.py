"""Faults that other systems were found with, one test each: a number here has none of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from tests.language.metrics.world import Row, World, new_world

D = Decimal

STAGES = (
    ("new", "New", "open"),
    ("talk", "Won", "open"),
    ("signed", "Signed", "won"),
    ("not_now", "Not now", "lost"),
)
"""Their names say nothing of what they mean, or the wrong thing."""


def deal(key: str, owner: str, amount: float, *history: tuple[str, str], **rest: Any) -> Row:
    points: list[Row] = [{"at": at, "stage_id": f"t:{stage}"} for at, stage in history]
    points[0] |= {"owner_id": f"t:{owner}", "amount": amount}
    row = {"external_id": key, "name": key, "owner_id": f"t:{owner}", "amount": amount, "history": points}
    return {**row, "stage_id": points[-1]["stage_id"], "opened_at": history[0][0], **rest}


DEALS = (
    deal("before", "ann", 200, ("2024-11-01", "new"), ("2024-12-01", "signed")),
    deal("returning", "ann", 1000, ("2025-01-10", "new"), ("2025-01-20", "talk"), ("2025-01-25", "new"),
         ("2025-02-01", "talk"), ("2025-03-11T12:00:00Z", "signed"), expected_close_on="2025-05-15"),
    deal("lost", "bob", 3000, ("2025-02-01", "new"), ("2025-02-03", "talk"), ("2025-03-05", "not_now"),
         expected_close_on="2025-05-20", loss_reason="price", forecast_category="commit"),
    deal("open", "ann", 500, ("2025-02-10", "new"), ("2025-03-01", "talk"), expected_close_on="2025-05-25",
         probability=0.5, forecast_category="commit"),
    deal("lost_later", "bob", 800, ("2025-01-05", "new"), ("2025-01-06", "talk"), ("2025-05-03", "not_now")),
    deal("yen", "bob", 90_000, ("2025-04-05", "new"), ("2025-04-10", "signed"), currency="JPY"),
    deal("euro", "bob", 50, ("2025-04-01", "new"), ("2025-06-03", "signed"), currency="EUR"),
    deal("dollar", "ann", 50, ("2025-04-01", "new"), ("2025-06-04", "signed")),
    {"external_id": "backwards", "name": "backwards", "owner_id": "t:ann", "amount": 70, "stage_id": "t:signed",
     "opened_at": "2025-03-20", "closed_at": "2025-03-18"},
)  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "ann", "name": "Ann"}, {"external_id": "bob", "name": "Bob"})
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": key, "name": name, "pipeline_id": "t:p", "category": category, "position": position,
         "probability": 0.1}
        for position, (key, name, category) in enumerate(STAGES)
    ))  # fmt: skip
    await world.put("exchange_rates", {
        "external_id": "e", "from_currency": "EUR", "to_currency": "USD", "on_day": "2025-01-01", "rate": 2,
    })  # fmt: skip
    await world.put("quotas", {"external_id": "q", "rep_id": "t:ann", "period": "2025-05", "amount": 10_000})
    await world.put("opportunities", *DEALS)
    yield world


AT_A_MOMENT = [metric.name for metric in METRIC_CATALOGUE if metric.kind == "stock" or metric.at_end]


@pytest.mark.parametrize("metric", AT_A_MOMENT)
async def test_a_bucket_that_is_over_does_not_change_with_the_day_on_which_it_is_asked(
    firm: World, metric: str
) -> None:
    """Elsewhere reckoned as of the present moment, whatever the bucket."""
    months: Row = {"period": "2025-Q1", "grain": "month"}
    april, june = [await firm.rows(metric, **months, as_of=day) for day in ("2025-04-10", "2025-06-10")]
    assert april == june


async def test_a_lost_deal_is_not_forecast(firm: World) -> None:
    """Elsewhere with its full expected value."""
    assert (await firm.one("weighted_pipeline"))["value"] == 500 * D("0.5")
    assert (await firm.one("commit_pipeline"))["value"] == 500


async def test_an_unknown_rate_is_not_one_to_one(firm: World) -> None:
    april = await firm.one("bookings", period="2025-04")
    assert (april["value"], april["null_reason"], april["excluded"]) == (
        None,
        "missing_fx",
        {"missing_fx": 1},
    )
    quarter = await firm.one("bookings", period="2025-Q2")
    assert (quarter["value"], quarter["excluded"]) == (150, {"missing_fx": 1})


async def test_what_was_won_counts_when_it_closed_and_not_when_it_was_expected_to(firm: World) -> None:
    assert await firm.value("bookings", period="2025-03") == 1070
    assert await firm.value("bookings", period="2025-05") == 0


async def test_what_was_won_counts_when_it_closed_and_not_when_it_was_created(firm: World) -> None:
    assert await firm.bucketed("won_deals", period="2025-Q1", grain="month") == {
        "2025-01-01": 0, "2025-02-01": 0, "2025-03-01": 2,
    }  # fmt: skip


async def test_loss_reasons_are_those_of_the_deals_lost_in_the_period_and_not_created_in_it(
    firm: World,
) -> None:
    march = await firm.rows("lost_deals", period="2025-03", by="loss_reason")
    assert [(row["dimensions"]["loss_reason"]["id"], row["value"]) for row in march] == [("price", 1)]
    assert await firm.rows("lost_deals", period="2025-02", by="loss_reason") == []


async def test_the_funnel_keeps_who_was_lost(firm: World) -> None:
    """Elsewhere every deal that is lost by now is dropped, which makes any conversion look better."""
    rows = await firm.rows("funnel", period="2025-Q1", by="stage")
    told = {row["dimensions"]["stage"]["name"]: row["beside"]["dropped"] for row in rows}
    assert told == {"New": 0, "Won": 2}
    conversion = await firm.grouped("stage_conversion", "stage", period="2025-Q1")
    assert conversion["Won"] == D("0.25"), "one of four"


async def test_who_enters_a_stage_twice_is_in_the_funnel_once(firm: World) -> None:
    assert await firm.grouped("funnel", "stage", period="2025-Q1") == {"New": 4, "Won": 4}


async def test_a_month_of_31_days_is_compared_with_31_days(firm: World) -> None:
    """Elsewhere with 30: the difference of two inclusive days, without the one between."""
    row = await firm.one("bookings", period="2025-01-01/2025-02-01", compare="same_length")
    beside = row["compare"]
    assert (beside["period_start"], beside["period_end"]) == ("2024-12-01", "2025-01-01")
    assert beside["value"] == 200, "won on the first of these days"


async def test_what_is_undefined_is_not_zero(firm: World) -> None:
    """Elsewhere "no data" and "no change" look alike."""
    nothing, lost = [await firm.one("win_rate", period=month) for month in ("2024-06", "2025-05")]
    assert (nothing["value"], nothing["null_reason"]) == (None, "zero_denominator")
    assert (lost["value"], lost["null_reason"]) == (0, None)
    march = (await firm.one("won_deals", period="2025-03", compare="previous"))["compare"]
    assert (march["value"], march["change"], march["change_ratio"]) == (0, 2, None)


async def test_a_bucket_in_which_nothing_happened_is_there(firm: World) -> None:
    """Zero where that is the truth, null where nothing can be said."""
    quarter: Row = {"period": "2025-Q1", "grain": "month"}
    assert [*(await firm.bucketed("bookings", **quarter)).values()] == [0, 0, 1070]
    assert [*(await firm.bucketed("win_rate", **quarter)).values()][:2] == [None, None]


async def test_a_cycle_is_neither_made_positive_nor_cut_to_whole_days(firm: World) -> None:
    """Elsewhere a deal that closed before it was created looks healthy."""
    row = await firm.one("sales_cycle", period="2025-03")
    assert (row["value"], row["n"], row["excluded"]) == (D("60.5"), 1, {"negative_cycle": 1})


async def test_what_is_won_is_not_expected_to_close(firm: World) -> None:
    row = await firm.one("pipeline_coverage", period="2025-05", as_of="2025-05-10")
    assert (row["numerator"], row["n"]) == (500, 1)
    assert (await firm.one("open_deals"))["value"] == 1


async def test_fifty_dollars_and_fifty_euros_are_not_a_hundred(firm: World) -> None:
    assert await firm.value("bookings", period="2025-06") == 50 + 50 * 2
    assert await firm.value("bookings", period="2025-06", currency="EUR") == D(50) / 2 + 50


async def test_a_new_rate_leaves_what_was_converted_at_an_older_one(firm: World) -> None:
    await firm.put("exchange_rates", {
        "external_id": "new", "from_currency": "EUR", "to_currency": "USD", "on_day": "2025-07-01", "rate": 3,
    })  # fmt: skip
    assert await firm.value("bookings", period="2025-06") == 150


async def test_the_total_of_an_average_is_divided_anew(firm: World) -> None:
    """Elsewhere averages are added up, or averaged."""
    rows = await firm.rows("average_deal_size", period="2025", by="rep", totals=True)
    reps = {row["dimensions"]["rep"]["name"]: row["value"] for row in rows if not row["total"]}
    assert reps == {"Ann": pytest.approx(D(1120) / 3), "Bob": 100}
    assert [row["value"] for row in rows if row["total"]] == [D(1220) / 4]


async def test_won_and_lost_is_what_a_stage_means_and_not_what_it_is_called(firm: World) -> None:
    assert await firm.value("won_deals", period="2025") == 5
    assert await firm.value("lost_deals", period="2025") == 2
    assert await firm.value("open_deals") == 1, "in the stage that is called Won"
