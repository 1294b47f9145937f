"""A day belongs to the bucket of its zone, also where the clock jumps, and a period is what its name says."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from app.ground import fiscal
from app.ground.fiscal import Calendar, Rule
from app.language.query import periods

ZONES = (
    "UTC", "America/New_York", "Europe/Berlin", "Asia/Calcutta", "Europe/Kiev", "America/Buenos_Aires",
    "Australia/Lord_Howe", "America/Sao_Paulo", "Atlantic/Azores", "Pacific/Apia", "Pacific/Chatham", "Asia/Gaza",
    "America/St_Johns", "Africa/Cairo", "America/Havana",
)  # fmt: skip


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_an_instant_falls_into_the_bucket_of_its_local_day(name: str, grain: str) -> None:
    zone = periods.zone(name)
    dice = random.Random(name)
    for year in (2011, 2018, 2024):
        span = (date(year, 1, 1), date(year + 1, 1, 1))
        cuts = periods.buckets(span, grain, zone, Calendar([]))
        assert all(a.ends == b.starts for a, b in pairwise(cuts))
        for _ in range(150):
            instant = datetime(year, 1, 2, tzinfo=UTC) + timedelta(seconds=dice.randrange(362 * 86_400))
            [bucket] = [b for b in cuts if b.starts <= instant < b.ends]
            assert bucket.first <= instant.astimezone(ZoneInfo(name)).date() < bucket.last


def test_names_of_periods() -> None:
    today, calendar = date(2026, 5, 20), Calendar.of(Rule(start_month=2))

    def days(text: str) -> tuple[str, str] | None:
        found = fiscal.span(text, today, calendar)
        return (found[0].isoformat(), found[1].isoformat()) if found else None

    assert days("2017") == ("2017-01-01", "2018-01-01")
    assert days("2024-Q1") == ("2024-01-01", "2024-04-01")
    assert days("2024-02") == ("2024-02-01", "2024-03-01")
    assert days("2024-02-29") == ("2024-02-29", "2024-03-01")
    assert days("FY2026-Q3") == ("2025-08-01", "2025-11-01")
    assert days("this_quarter") == ("2026-04-01", "2026-07-01")
    assert days("this_fiscal_quarter") == ("2026-05-01", "2026-08-01")
    assert days("next_quarter") == ("2026-07-01", "2026-10-01")
    assert days("qtd") == ("2026-04-01", "2026-05-21")
    assert days("last_90_days") == ("2026-02-19", "2026-05-20"), "whole days before today"
    assert days("2017-03-01/2017-06-01") == ("2017-03-01", "2017-06-01")
    assert days("2020-W53") == ("2020-12-28", "2021-01-04")
    for text in (
        "2026-13",
        "2017-06-01/2017-03-01",
        "2023-02-29",
        "next_year_or_so",
        "",
        "0000",
        "/",
        "2021-W53",
    ):
        assert days(text) is None, text


def test_a_calendar_of_four_four_five_is_rows_like_any_other() -> None:
    calendar = Calendar.of(Rule("weeks_4_4_5", start_month=2, week_starts_on="sunday"))
    span = fiscal.span("FY2026-Q2", date(2025, 6, 1), calendar)
    assert span is not None
    assert span == (date(2025, 5, 4), date(2025, 8, 3))
    cuts = periods.buckets(span, "fiscal_period", ZoneInfo("UTC"), calendar)
    assert [(b.last - b.first).days for b in cuts] == [28, 28, 35]
