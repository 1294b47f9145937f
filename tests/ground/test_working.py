"""Working time against a walk from day to day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from app.ground.working import Holiday, Worked, WorkingCalendar

EPOCH = date(1999, 12, 20)
hours = st.decimals(0, 24, places=2)
weeks = st.lists(st.one_of(st.just(Decimal(0)), hours), min_size=7, max_size=7)
days = st.integers(0, 800).map(lambda n: EPOCH + timedelta(days=n))
holidays = st.lists(
    st.builds(Holiday, days, st.just("Off"), st.decimals("0.01", 1, places=2)), max_size=60, unique_by=lambda x: x.day
)  # fmt: skip


def walked(week: list[Decimal], off: list[Holiday], first: date, last: date) -> Worked:
    share = {x.day: x.share for x in off}
    found, time = Decimal(0), Decimal(0)
    for n in range((last - first).days):
        day = first + timedelta(days=n)
        worked = week[day.isoweekday() - 1]
        if worked > 0:
            found += 1 - share.get(day, 0)
            time += worked * (1 - share.get(day, Decimal(0)))
    return Worked(found, time)


@given(weeks, holidays, days, days)
def test_a_span_is_its_days(week: list[Decimal], off: list[Holiday], first: date, last: date) -> None:
    calendar = WorkingCalendar(week, off)
    assert calendar.between(first, last) == walked(week, off, first, last)
    assert calendar.on(first) == walked(week, off, first, first + timedelta(days=1))


@given(weeks, holidays, days, days, days)
def test_spans_add_up(week: list[Decimal], off: list[Holiday], a: date, b: date, c: date) -> None:
    first, middle, last = sorted((a, b, c))
    calendar = WorkingCalendar(week, off)
    left, right = calendar.between(first, middle), calendar.between(middle, last)
    whole = calendar.between(first, last)
    assert whole == Worked(left.days + right.days, left.hours + right.hours)


def test_a_quarter_in_germany() -> None:
    """2026-Q2 has 65 weekdays; Good Friday is on 3 April, Easter Monday on the 6th, 1 May is a Friday, Ascension on 14
    May, Whit Monday on the 25th. Company day is half of 24 June; the Saturday costs nothing."""
    off = [Holiday(date(2026, 4, 3), "Karfreitag"), Holiday(date(2026, 4, 6), "Ostermontag"),
           Holiday(date(2026, 5, 1), "Tag der Arbeit"), Holiday(date(2026, 5, 14), "Himmelfahrt"),
           Holiday(date(2026, 5, 25), "Pfingstmontag"), Holiday(date(2026, 6, 24), "Company day", Decimal("0.5")),
           Holiday(date(2026, 6, 27), "A Saturday")]  # fmt: skip
    week = [Decimal(8)] * 4 + [Decimal("6.5")] + [Decimal(0)] * 2
    worked = WorkingCalendar(week, off).between(date(2026, 4, 1), date(2026, 7, 1))
    # 13 weeks of 38.5 hours; two Fridays and three days of eight are off, and four hours.
    assert worked == Worked(Decimal("59.5"), Decimal("13") * Decimal("38.5") - 2 * Decimal("6.5") - 28)
    assert WorkingCalendar(week, off).on(date(2026, 6, 24)) == Worked(Decimal("0.5"), Decimal(4))
