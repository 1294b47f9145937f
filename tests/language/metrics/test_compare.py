"""What stands beside a number is the number of the other period, bucket by bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from app.areas import METRIC_CATALOGUE
from app.ground import fiscal
from app.ground.database.session import Database
from app.ground.errors import Invalid
from app.ground.fiscal import Calendar, Rule
from tests.language.metrics import leads
from tests.language.metrics.history import invent, load, load_again
from tests.language.metrics.world import Row, World, new_world

MONTHS, WEEKS = Calendar.of(Rule()), Calendar.of(Rule(pattern="weeks_4_4_5", start_month=2))


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database, timezone="America/New_York")
    model = invent(5, datetime.now(UTC))
    await load(world, model)
    await load_again(world, model)
    await leads.load(world, leads.invented(1))
    yield world


def told(rows: list[Row]) -> dict[Any, Row]:
    return {(row["period_start"], row["dimensions"].get("rep", {}).get("id")): row for row in rows}


@pytest.mark.parametrize("metric", METRIC_CATALOGUE.by_name)
async def test_it_is_the_number_of_the_other_period(firm: World, metric: str) -> None:
    this: dict[str, Any] = {"period": "2025-Q3", "grain": "month", "by": ["rep"]}
    rows = told(await firm.rows(metric, **this, compare="previous"))
    alone = told(await firm.rows(metric, **{**this, "period": "2025-Q2"}))
    earlier = {"2025-07-01": "2025-04-01", "2025-08-01": "2025-05-01", "2025-09-01": "2025-06-01"}
    found = set()
    for (start, rep), row in rows.items():
        beside, other = row["compare"], alone.get((earlier[start], rep))
        assert beside["period_start"] == earlier[start]
        found.add((earlier[start], rep))
        if other is None:
            assert (beside["n"], beside["value"] or 0) == (0, 0)
            continue
        assert (beside["value"], beside["n"]) == (other["value"], other["n"])
        if row["value"] is not None and other["value"] is not None:
            assert beside["change"] == pytest.approx(row["value"] - other["value"])
            ratio = (row["value"] - other["value"]) / other["value"] if other["value"] > 0 else None
            assert beside["change_ratio"] == (ratio if ratio is None else pytest.approx(ratio))
        else:
            assert (beside["change"], beside["change_ratio"]) == (None, None)
    assert found >= set(alone), "who had something then and has nothing now is shown too"


async def test_totals_ranks_and_all_buckets(firm: World) -> None:
    asked: dict[str, Any] = {"by": ["rep"], "totals": True, "sort": "-bookings"}
    rows = await firm.rows("bookings", period="2025-Q3", compare="2025-Q1", **asked)
    [total] = [row for row in rows if row["total"]]
    assert total["compare"]["value"] == await firm.value("bookings", period="2025-Q1")
    assert [row["rank"] for row in rows if not row["total"]] == list(range(1, len(rows)))
    months = await firm.rows("won_deals", period="2025-Q3", grain="month", compare="2025-02")
    assert [row["compare"]["null_reason"] for row in months] == [None, "no_such_bucket", "no_such_bucket"]
    assert [row["compare"] for row in await firm.rows("won_deals", period="2025-Q3")] == [None]


async def test_a_bucket_that_is_not_over_is_partial(firm: World) -> None:
    rows = await firm.rows("won_deals", period="2025", grain="quarter", as_of="2025-05-10")
    assert [row["partial"] for row in rows] == [False, True, False, False]


async def test_what_is_no_period_is_refused(firm: World) -> None:
    for asked in ({"compare": "last_tuesday"}, {"compare": "previous", "period": "1900"}):
        with pytest.raises(Invalid) as refused:
            await firm.rows("won_deals", **{"period": "2025", **asked})
        assert refused.value.errors[0].pointer == "?compare"
    with pytest.raises(Invalid) as refused:
        await firm.rows("open_deals", compare="previous")
    assert refused.value.errors[0].pointer == "?period"


# --- which period: pure -----------------------------------------------------------------------------------------------

TODAY = date(2026, 5, 10)


@pytest.mark.parametrize(
    ("text", "calendar", "previous", "year_ago"),
    [
        ("2026", MONTHS, ("2025-01-01", "2026-01-01"), ("2025-01-01", "2026-01-01")),
        ("2026-Q1", MONTHS, ("2025-10-01", "2026-01-01"), ("2025-01-01", "2025-04-01")),
        ("2026-03", MONTHS, ("2026-02-01", "2026-03-01"), ("2025-03-01", "2025-04-01")),
        ("2026-01-01/2026-07-01", MONTHS, ("2025-07-01", "2026-01-01"), ("2025-01-01", "2025-07-01")),
        # Thirty-one days are not compared with thirty.
        ("2026-03-05/2026-04-05", MONTHS, ("2026-02-02", "2026-03-05"), ("2025-03-05", "2025-04-05")),
        ("last_90_days", MONTHS, ("2025-11-11", "2026-02-09"), ("2025-02-09", "2025-05-10")),
        ("qtd", MONTHS, ("2026-01-01", "2026-02-10"), ("2025-04-01", "2025-05-11")),
        ("mtd", MONTHS, ("2026-04-01", "2026-04-11"), ("2025-05-01", "2025-05-11")),
        ("2026-W10", MONTHS, ("2026-02-23", "2026-03-02"), ("2025-03-03", "2025-03-10")),
        ("2024-02-29/2024-03-10", MONTHS, ("2024-02-19", "2024-02-29"), ("2023-03-01", "2023-03-10")),
    ],
)
def test_which_period_stands_beside(text: str, calendar: Calendar, previous: Any, year_ago: Any) -> None:
    days = fiscal.span(text, TODAY, calendar)
    assert days is not None
    assert tuple(map(str, fiscal.before(text, days, calendar))) == previous
    assert tuple(map(str, fiscal.year_before(days, calendar))) == year_ago


@given(st.integers(2000, 2050), st.integers(1, 4), st.sampled_from(["", "-Q{}"]))
def test_units_of_weeks_stand_beside_units_of_weeks(year: int, quarter: int, form: str) -> None:
    """However long each is: a year of 53 weeks beside one of 52."""
    days = fiscal.span(f"FY{year}{form.format(quarter)}", TODAY, WEEKS)
    assert days is not None
    before = (year, quarter - 1) if form and quarter > 1 else (year - 1, 4)
    expected = fiscal.span(f"FY{before[0]}{form.format(before[1])}", TODAY, WEEKS)
    assert fiscal.before("this_fiscal_quarter", days, WEEKS) == expected
    ago = fiscal.span(f"FY{year - 1}{form.format(quarter)}", TODAY, WEEKS)
    assert fiscal.year_before(days, WEEKS) == ago
