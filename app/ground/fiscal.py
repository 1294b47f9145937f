"""Fiscal periods: days in, days out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date


def month_after(first: date, months: int) -> date:
    """The first of the month `months` after the month of `first`."""
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def first_day(fiscal_year: int, start_month: int) -> date:
    """A fiscal year is named for the calendar year in which it ends: FY2026 from February begins 2025-02-01."""
    return date(fiscal_year if start_month == 1 else fiscal_year - 1, start_month, 1)


def monthly_periods(start_month: int, first_year: int, last_year: int) -> Iterator[tuple[int, int, int, date, date]]:
    """`(fiscal_year, quarter, period, starts_on, ends_on)`, half open, for each month of the years given."""
    for year in range(first_year, last_year + 1):
        begin = first_day(year, start_month)
        for period in range(1, 13):
            starts_on, ends_on = month_after(begin, period - 1), month_after(begin, period)
            yield year, (period + 2) // 3, period, starts_on, ends_on
