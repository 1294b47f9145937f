"""How sure a rate is: Wilson's score interval, and from how many rows on it says something.

E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927). Unlike the textbook's
interval it stays within 0 and 1 and has a width where all or none were won.
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

FEW = 30
"""Below so many rows a rate is a small sample."""
CONFIDENCE = Decimal("0.95")
_Z = Fraction("1.959963984540054")
_EXACT = Context(prec=50)
_DIGITS = Decimal("1e-12")


def wilson(hits: Fraction, n: Fraction) -> tuple[Decimal, Decimal] | None:
    """Between which shares the rate lies behind `hits` of `n` with a confidence of 95 %; None where n is 0."""
    if n <= 0:
        return None
    rate, square = hits / n, _Z * _Z
    middle = rate + square / (2 * n)
    spread = rate * (1 - rate) / n + square / (4 * n * n)
    half = _EXACT.multiply(_decimal(_Z), _EXACT.sqrt(_decimal(spread)))
    whole = _decimal(1 + square / n)
    ends = (_EXACT.add(_decimal(middle), side) for side in (half.copy_negate(), half))
    low, high = (_EXACT.divide(end, whole).quantize(_DIGITS) for end in ends)
    return max(low, Decimal(0)), min(high, Decimal(1))


def _decimal(number: Fraction) -> Decimal:
    return _EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))
