"""How long something takes of which not all have got there: the estimate of Kaplan and Meier, exactly.

E. L. Kaplan and P. Meier, "Nonparametric Estimation from Incomplete Observations", 1958.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

Observed = tuple[int, bool]
"""For how long somebody was watched, and whether it ended with getting there; else nobody knows how much longer it
takes (*censored*)."""


def still_waiting(observed: Iterable[Observed]) -> Iterator[tuple[int, Fraction]]:
    """After each time at which somebody got there, the share that is estimated not to be there yet."""
    watched = [*observed]
    share = Fraction(1)
    for time in sorted({time for time, there in watched if there}):
        at_risk = sum(until >= time for until, _ in watched)
        share *= 1 - Fraction(sum((time, True) == one for one in watched), at_risk)
        yield time, share


def median(observed: Iterable[Observed]) -> int | None:
    """The first time by which half of them are there; None while that cannot be said."""
    return next((time for time, share in still_waiting(observed) if share <= Fraction(1, 2)), None)
