"""Fiscal calendars of months and of weeks, against a walk from day to day that knows nothing of their arithmetic."""

from __future__ import annotations

import calendar as civil
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ground import fiscal
from app.ground.fiscal import Calendar, Rule

FIRST, LAST = 1995, 2054
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
WEEKS = {"weeks_4_4_5": "445", "weeks_4_5_4": "454", "weeks_5_4_4": "544"}
rules = st.builds(
    Rule, st.sampled_from(fiscal.PATTERNS), st.integers(1, 12), st.sampled_from(fiscal.WEEKDAYS),
    st.sampled_from(fiscal.ANCHORS), st.sampled_from(fiscal.NAMINGS),
)  # fmt: skip


def last_days(rule: Rule) -> Iterator[tuple[int, date]]:
    """The year's name and its last day, by looking at every day near the end of the month in which it ends."""
    month = 12 if rule.start_month == 1 else rule.start_month - 1
    for year in range(FIRST - 1, LAST + 1):
        end = date(year, month, civil.monthrange(year, month)[1])
        near = [end + timedelta(days=i) for i in range(-6, 4)]
        # A year ends on the day before its week begins.
        right = [x for x in near if fiscal.WEEKDAYS[(x + DAY).weekday()] == rule.week_starts_on]
        if rule.anchor == "last":
            right = [x for x in right if x <= end]
        best = min(right, key=lambda x: abs(x - end))
        yield (year if rule.named_for == "end" or month == 12 else year - 1), best


def walked(rule: Rule) -> list[tuple[int, int, int, date, date]]:
    """Every period of the years, week by week."""
    found = []
    for (_, before), (name, end) in pairwise(last_days(rule)):
        day = before + DAY
        for place, weeks in enumerate(WEEKS[rule.pattern] * 4):
            begin = day
            for _ in range(int(weeks)):
                day += WEEK
            if place == 11:
                while day <= end:
                    day += WEEK
            found.append((name, place // 3 + 1, place + 1, begin, day))
        assert day == end + DAY
    return found


@pytest.mark.parametrize("pattern", list(WEEKS))
def test_sixty_years_of_every_rule(pattern: str) -> None:
    for month, weekday, anchor in product(range(1, 13), fiscal.WEEKDAYS, fiscal.ANCHORS):
        rule = Rule(pattern, month, weekday, anchor, fiscal.NAMINGS[month % 2])
        expected = walked(rule)
        made = [
            (p.fiscal_year, p.quarter, p.period, p.starts_on, p.ends_on)
            for p in rule.periods(expected[0][0], expected[-1][0])
        ]
        assert made == expected, rule


@settings(max_examples=60, deadline=None)
@given(rules, st.integers(FIRST, LAST))
def test_each_day_is_in_one_period_of_one_year(rule: Rule, year: int) -> None:
    periods = list(rule.periods(year - 1, year + 1))
    assert all(a.ends_on == b.starts_on for a, b in pairwise(periods))
    assert all(p.starts_on < p.ends_on for p in periods)
    found, mine = Calendar(periods), rule.year(year)
    assert [(p.quarter, p.period) for p in mine] == [(i // 3 + 1, i + 1) for i in range(12)]
    day = mine[0].starts_on
    while day < mine[-1].ends_on:
        assert [p for p in mine if p.starts_on <= day < p.ends_on] == [found.at(day)]
        day += timedelta(days=5)
    length = (mine[-1].ends_on - mine[0].starts_on).days
    assert length in ((365, 366) if rule.pattern == "months" else (364, 371))


@settings(max_examples=40, deadline=None)
@given(rules, st.integers(2000, 2050), st.integers(0, 370))
def test_periods_by_name_are_those_of_their_days(rule: Rule, year: int, offset: int) -> None:
    found = Calendar.of(rule)
    today = rule.first_day(year) + timedelta(days=offset)
    at = found.at(today)
    assert at is not None
    name = f"FY{at.fiscal_year}"
    for text, word in (
        (name, "this_fiscal_year"),
        (f"{name}-Q{at.quarter}", "this_fiscal_quarter"),
        (f"{name}-{at.period:02}", "this_fiscal_period"),
        (f"{name}-P{at.period:02}", "this_fiscal_period"),
    ):
        days = fiscal.span(text, today, found)
        assert days is not None
        assert days[0] <= today < days[1]
        assert fiscal.span(word, today, found) == days
    quarters = [fiscal.span(f"{name}-Q{i}", today, found) for i in (1, 2, 3, 4)]
    assert all(a and b and a[1] == b[0] for a, b in pairwise(quarters))
    whole, begun = fiscal.span(name, today, found), fiscal.span("fytd", today, found)
    assert (whole, begun) == ((quarters[0][0], quarters[3][1]), (quarters[0][0], today + DAY))  # pyright: ignore


def test_the_retail_calendar_is_the_published_one() -> None:
    """The National Retail Federation's: weeks from Sunday, ends nearest to the end of January, named for the start."""
    retail = Rule("weeks_4_5_4", 2, "sunday", "nearest", "start")
    begins = {
        2022: "2022-01-30",
        2023: "2023-01-29",
        2024: "2024-02-04",
        2025: "2025-02-02",
        2026: "2026-02-01",
    }
    assert {year: retail.first_day(year).isoformat() for year in begins} == begins
    weeks = {year: [(p.ends_on - p.starts_on).days // 7 for p in retail.year(year)] for year in (2023, 2024)}
    assert weeks == {
        2023: [4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 5, 5],
        2024: [4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 5, 4],
    }


def test_months_are_named_for_either_end() -> None:
    for naming, begin in (("end", date(2025, 2, 1)), ("start", date(2026, 2, 1))):
        calendar = Calendar.of(Rule(start_month=2, named_for=naming))
        assert fiscal.span("FY2026-Q1", begin, calendar) == (begin, fiscal.month_after(begin, 3))
