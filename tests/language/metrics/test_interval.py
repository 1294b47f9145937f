"""Wilson's interval, by its own definition and by figures that are published of it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.language.metrics.interval import wilson

Z = Fraction("1.959963984540054")


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (10, 20, "0.2993", "0.7007"),
        (0, 10, "0.0000", "0.2775"),
        (10, 10, "0.7225", "1.0000"),
        (1, 2, "0.0945", "0.9055"),
    ],
)
def test_known_figures(hits: int, n: int, low: str, high: str) -> None:
    found = wilson(Fraction(hits), Fraction(n))
    assert found is not None
    assert tuple(round(bound, 4) for bound in found) == (Decimal(low), Decimal(high))


@given(n=st.integers(1, 10**6), share=st.floats(0, 1))
def test_a_bound_is_where_the_rate_would_be_just_as_unlikely(n: int, share: float) -> None:
    """Of a true rate at the bound, what was seen lies z standard deviations away."""
    hits = round(share * n)
    found = wilson(Fraction(hits), Fraction(n))
    assert found is not None
    low, high = map(Fraction, found)
    rate = Fraction(hits, n)
    assert 0 <= low <= rate <= high <= 1
    for bound in (low, high):
        distance = (rate - bound) ** 2 - Z * Z * bound * (1 - bound) / n
        assert abs(distance) < Fraction(1, 10**9)


def test_of_nothing_nothing_is_said() -> None:
    assert wilson(Fraction(0), Fraction(0)) is None
