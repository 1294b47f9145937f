"""Amounts and currencies: what may be stored, and nothing that rounds."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from babel.numbers import list_currencies

MAX_DIGITS = 15
MAX_DECIMALS = 4


@lru_cache
def currencies() -> frozenset[str]:
    """ISO 4217 codes, those no longer in use included: old deals name them."""
    return frozenset(list_currencies())


def fault(amount: Decimal, *, decimals: int = MAX_DECIMALS, digits: int = MAX_DIGITS) -> str | None:
    """Why an amount cannot be kept exactly, as JSON numbers and as `numeric(19,4)`; None where it can.

    Fifteen significant digits are what a double carries without loss.
    """
    if not amount.is_finite():
        return "must be a finite number"
    _, figures, exponent = amount.normalize().as_tuple()
    assert isinstance(exponent, int)
    if -exponent > decimals:
        return f"may have at most {decimals} decimals"
    if len(figures) + max(exponent, 0) > digits:
        return f"may have at most {digits} significant digits"
    return None
