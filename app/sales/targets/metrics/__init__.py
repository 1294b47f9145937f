"""Numbers about quotas: one fact, its sums, and what is said of them."""

from app.sales.targets.metrics.attainment import ATTAINMENT
from app.sales.targets.metrics.participation import PARTICIPATION

METRICS = (*ATTAINMENT, *PARTICIPATION)

__all__ = ["METRICS"]
