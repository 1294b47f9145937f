"""How sure a rate is: Wilson's score interval, and from how many rows on it says something.

E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927). Unlike the textbook's
interval it stays within 0 and 1 and has a width where all or none were won.
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

FEW = 30
"""Below so many rows a rate is a small sample."""
CONFIDENCE = Decimal("0.95")
_EXACT = Context(prec=50)
_Z = Decimal("1.959963984540054")
_SQUARE = _EXACT.multiply(_Z, _Z)
_HALF = _EXACT.divide(_SQUARE, Decimal(2))
_QUARTER = _EXACT.divide(_SQUARE, Decimal(4))
_DIGITS = Decimal("1e-12")


@lru_cache(maxsize=4096)
def wilson(hits: Fraction, n: Fraction) -> tuple[Decimal, Decimal] | None:
    """Between which shares the rate lies behind `hits` of `n` with a confidence of 95 %; None where n is 0."""
    if n <= 0:
        return None
    k, of = _decimal(hits), _decimal(n)
    failed = _EXACT.subtract(of, k)
    spread = _EXACT.add(_EXACT.divide(_EXACT.multiply(k, failed), of), _QUARTER)
    half = _EXACT.multiply(_Z, _EXACT.sqrt(spread))
    middle, whole = _EXACT.add(k, _HALF), _EXACT.add(of, _SQUARE)
    ends = (_EXACT.subtract(middle, half), _EXACT.add(middle, half))
    low, high = (_EXACT.divide(end, whole).quantize(_DIGITS) for end in ends)
    return max(low, Decimal(0)), min(high, Decimal(1))


def _decimal(number: Fraction) -> Decimal:
    return _EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))
