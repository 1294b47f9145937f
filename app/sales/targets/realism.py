"""Whether an amount can be reached: what the past says, as plain arithmetic over what was reached and expected then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from app.language.metrics.interval import FEW, wilson
from app.language.metrics.spread import halfway

BANDS = (("under_50", 0, 50), ("50_to_70", 50, 70), ("70_to_100", 70, 100), ("100_to_120", 100, 120))
OVER = "120_and_more"


@dataclass(frozen=True, slots=True)
class Past:
    """One holder in one period of the past; `quota` is None where it had none."""

    holder: str
    reached: Decimal
    quota: Decimal | None

    @property
    def attainment(self) -> Fraction | None:
        return Fraction(self.reached) / Fraction(self.quota) if self.quota else None


def quantile(values: Sequence[Decimal], wanted: Fraction) -> Decimal | None:
    """A value that was reached, or the middle of the two next to the rank: as the numbers' own medians are told."""
    if not values:
        return None
    ordered = sorted(values)
    rank = wanted * len(ordered)
    if rank.denominator > 1:
        return ordered[int(rank)]
    middle = halfway(ordered[int(rank) - 1], ordered[int(rank)], 1)
    return Decimal(middle.numerator) / Decimal(middle.denominator)


def achievable(past: Sequence[Past]) -> dict[str, Any]:
    reached = [x.reached for x in past]
    return {
        "periods": len(reached),
        "median": quantile(reached, Fraction(1, 2)),
        "p75": quantile(reached, Fraction(3, 4)),
        "best": max(reached, default=None),
    }


def bands(past: Iterable[Past]) -> list[dict[str, Any]]:
    """How many reached how much of their quota; whoever had none is in no band."""
    counts = dict.fromkeys([name for name, *_ in BANDS] + [OVER], 0)
    for one in past:
        if (attained := one.attainment) is not None:
            name = next((name for name, _, below in BANDS if attained < Fraction(below, 100)), OVER)
            counts[name] += 1
    return [{"band": name, "count": n} for name, n in counts.items()]


def likelihood(past: Sequence[Past], amount: Decimal) -> dict[str, Any]:
    """In which share of these the amount was reached, and how sure that is."""
    hits, n = sum(x.reached >= amount for x in past), len(past)
    bounds = wilson(Fraction(hits), Fraction(n))
    return {
        "reached": hits,
        "n": n,
        "share": round(Decimal(hits) / n, 6) if n else None,
        "low": bounds[0] if bounds else None,
        "high": bounds[1] if bounds else None,
        "small_sample": n < FEW,
    }
