"""Numbers about quotas: one fact, its sums, and what is said of them."""

from app.sales.targets.metrics.attainment import ATTAINMENT
from app.sales.targets.metrics.others import OTHER_ATTAINMENT
from app.sales.targets.metrics.participation import PARTICIPATION
from app.sales.targets.metrics.productivity import PRODUCTIVITY
from app.sales.targets.metrics.ramp import RAMP_TIME

METRICS = (*ATTAINMENT, *OTHER_ATTAINMENT, *PARTICIPATION, *PRODUCTIVITY, RAMP_TIME)

__all__ = ["METRICS"]
