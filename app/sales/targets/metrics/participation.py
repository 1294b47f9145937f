"""Numbers over the attainment of each rep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from app.language.metrics.metric import Metric, Result, Tallies, Tally, divide, share
from app.sales.pipeline.metrics import BOOKINGS
from app.sales.targets.metrics.attainment import attainment
from app.sales.targets.metrics.fact import QUOTA
from app.sales.targets.metrics.wording import QUOTA_RULES

_BANDS: tuple[tuple[str, Fraction, Fraction | None], ...] = (
    ("below_50", Fraction(-(10**30)), Fraction(1, 2)),
    ("from_50_to_70", Fraction(1, 2), Fraction(7, 10)),
    ("from_70_to_100", Fraction(7, 10), Fraction(1)),
    ("from_100_to_120", Fraction(1), Fraction(6, 5)),
    ("above_120", Fraction(6, 5), None),
)


def _of_rep(p: Tallies) -> Result:
    """A rep's attainment; who carries nothing but a level's own quota is told apart from who carries none."""
    found = attainment({**p, "assigned": Tally(), "relief": Tally()})
    if found.null_reason == "no_quota" and p["quota"].excluded.get("assigned"):
        return found._replace(null_reason="assigned")
    return found


def _carriers(reps: Sequence[Result]) -> tuple[list[Fraction], dict[str, int]]:
    """The attainments of those who carry a quota, and why others have none."""
    left_out = Counter(rep.null_reason for rep in reps if rep.value is None and rep.null_reason)
    return [rep.value for rep in reps if rep.value is not None], dict(left_out)


def _participation(reps: Sequence[Result]) -> Result:
    carried, left_out = _carriers(reps)
    met = sum(attained >= 1 for attained in carried)
    beside = {"at_least_70": share(Fraction(sum(x >= Fraction(7, 10) for x in carried)), len(carried))}
    found = divide(Fraction(met), len(carried), len(carried), "no_quota", beside)
    return found._replace(excluded=left_out)


def _bands(reps: Sequence[Result]) -> Result:
    carried, left_out = _carriers(reps)
    counts: dict[str, Fraction | None] = {
        name: Fraction(sum(low <= x and (high is None or x < high) for x in carried))
        for name, low, high in _BANDS
    }
    return Result(Fraction(len(carried)), len(carried), beside=counts, excluded=left_out)


_LEFT_OUT = ("no_quota", "assigned", "missing_fx")
_OF_REPS = (
    "Reps without a quota are excluded as `no_quota`, those with nothing but a quota of their level as `assigned`, "
    "those of whom the amounts cannot be priced as `missing_fx`."
)

PARTICIPATION = (
    Metric(
        name="quota_participation",
        title="Quota participation",
        description="Of the reps who carry a quota, the share that reached it.",
        kind="ratio",
        unit="ratio",
        formula="Reps whose attainment is at least 1 ÷ reps with a quota",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA},
        combine=_of_rep,
        each="rep",
        over=_participation,
        left_out=_LEFT_OUT,
        proportion=True,
        beside={"at_least_70": "The share that reached at least 70 % of it."},
        edge_rules=(_OF_REPS, "It is not the attainment of the team, which a single rep can carry.", *QUOTA_RULES),
        example="Attainments of 1.8, 0.9, 0.6 and 0.3, one rep without a quota. Participation: 0.25, no_quota: 1.",
    ),
    Metric(
        name="attainment_bands",
        title="Attainment bands",
        description="How many reps carry a quota, by how much of it they reached.",
        kind="stock",
        unit="count",
        formula="Number of reps with a quota, in bands of their attainment",
        date_field="closed",
        parts={"bookings": BOOKINGS, "quota": QUOTA},
        combine=_of_rep,
        each="rep",
        over=_bands,
        left_out=_LEFT_OUT,
        beside={
            "below_50": "Below 50 %, also what went below 0 by reversals.",
            "from_50_to_70": "At least 50 %, below 70 %.", "from_70_to_100": "At least 70 %, below 100 %.",
            "from_100_to_120": "At least 100 %, below 120 %.", "above_120": "At least 120 %.",
        },
        edge_rules=(_OF_REPS, *QUOTA_RULES),
        example="Attainments of 1.8, 0.9, 0.6 and 0.3: 4 reps, one each above 120, from 70, from 50, below 50.",
    ),
)  # fmt: skip
