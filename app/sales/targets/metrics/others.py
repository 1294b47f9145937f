"""Attainment of quotas that are not set for bookings: one number for each, made by one rule."""

from __future__ import annotations

from dataclasses import replace

from app.language.metrics.metric import Metric, Result, Tallies
from app.language.query.binds import constant
from app.sales.activities.metrics import METRICS as ACTIVITIES
from app.sales.pipeline.metrics import METRICS as PIPELINE
from app.sales.prospecting.metrics import METRICS as PROSPECTING
from app.sales.targets.attainable import OTHERS
from app.sales.targets.metrics.attainment import BESIDE_ATTAINMENT, attainment
from app.sales.targets.metrics.fact import ASSIGNED, FOR_BOOKINGS, QUOTA
from app.sales.targets.metrics.relief import RELIEF
from app.sales.targets.metrics.wording import LET_OFF_RULES, NO_QUOTA, QUOTA_RULES


def _attained(p: Tallies) -> Result:
    return attainment({**p, "bookings": p["reached"]})


def attainment_of(reached: Metric) -> Metric:
    """Of a number that is one sum. What is counted has quotas that are numbers, without a currency."""
    (part,) = reached.measures.values()
    what, money = reached.title.lower(), reached.unit == "money"
    quotas = replace(FOR_BOOKINGS, where=lambda s: s.row.c.metric == constant(reached.name))
    reliefs = replace(quotas, name=RELIEF.population.name, fact=RELIEF.population.fact)
    return Metric(
        name=f"{reached.name}_attainment",
        title=f"Attainment of {what}",
        description=f"What was reached of the quota set for {what}, of the whole period.",
        kind="ratio",
        unit="ratio",
        formula=f"{reached.title} ÷ the quota whose metric is {reached.name}",
        date_field=reached.date_field,
        parts={
            "reached": part,
            "quota": replace(QUOTA, population=quotas, money=money),
            "assigned": replace(ASSIGNED, population=quotas, money=money),
            "relief": replace(RELIEF, population=reliefs, money=money),
        },
        aside=frozenset({"assigned", "relief"}),
        combine=_attained,
        beside=BESIDE_ATTAINMENT,
        edge_rules=(
            NO_QUOTA,
            *reached.edge_rules,
            *(QUOTA_RULES if money else (*_UNPRICED, "The quota is a number, whatever its currency.")),
            *LET_OFF_RULES,
        ),
        example=f"{reached.title} of the quarter: 42,000. Quota: 50,000. Attainment: 0.84."
        if money
        else f"{reached.title} of the quarter: 42. Quota: 50. Attainment: 0.84.",
        read_roles=reached.read_roles,
    )


_UNPRICED = tuple(rule for rule in QUOTA_RULES if not rule.startswith("Converted"))
_BY_NAME = {metric.name: metric for metric in (*PIPELINE, *PROSPECTING, *ACTIVITIES)}
OTHER_ATTAINMENT = tuple(attainment_of(_BY_NAME[name]) for name in OTHERS)
