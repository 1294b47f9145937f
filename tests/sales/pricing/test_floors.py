"""Which price holds on a day, and what lies below its floor: worked by hand, and by trying every day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sales.pricing.floors import Price, holding, is_below

FIRST = date(2026, 1, 1)


def price(start: int, end: int | None, amount: int) -> Price:
    ends = None if end is None else FIRST + timedelta(days=end)
    return Price(FIRST + timedelta(days=start), ends, Decimal(amount), None, True)


@pytest.mark.parametrize(
    ("day", "expected"), [(-1, None), (0, 1), (9, 1), (10, 2), (14, 2), (15, None), (30, 3)]
)
def test_a_price_holds_until_its_end_or_the_next_one(day: int, expected: int | None) -> None:
    prices = [price(30, None, 3), price(0, None, 1), price(10, 15, 2)]
    found = holding(prices, FIRST + timedelta(days=day))
    assert (found and int(found.list_price)) == expected


@given(
    starts=st.lists(
        st.tuples(st.integers(0, 40), st.one_of(st.none(), st.integers(1, 20))), unique_by=lambda x: x[0]
    ),
    day=st.integers(-5, 60),
)
def test_no_price_reaches_over_the_next(starts: list[tuple[int, int | None]], day: int) -> None:
    """By painting the calendar day by day, in the order in which prices begin."""
    painted: dict[int, int | None] = {}
    for index, (start, length) in sorted(enumerate(starts), key=lambda x: x[1][0]):
        for at in range(start, 100):
            painted[at] = index if length is None or at < start + length else None
    prices = [price(s, None if n is None else s + n, i) for i, (s, n) in enumerate(starts)]
    found = holding(prices, FIRST + timedelta(days=day))
    assert (found and int(found.list_price)) == painted.get(day)


@pytest.mark.parametrize(
    ("quantity", "unit", "amount", "below"),
    [
        ("1", "480", "480", False), ("1", "479.99", "479.99", True), ("2", "600", "959.99", True),
        ("2", "400", "960", False), ("3", None, None, False), ("1", "479", None, True), ("0", "1", "0", True),
        ("0.3333", "480", "159.984", False),
    ],
)  # fmt: skip
def test_the_floor_is_held_against_what_is_paid(
    quantity: str, unit: str | None, amount: str | None, below: bool
) -> None:
    def decimal(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    assert is_below(Decimal(480), Decimal(quantity), decimal(unit), decimal(amount)) == below
    assert not is_below(None, Decimal(quantity), decimal(unit), decimal(amount))
