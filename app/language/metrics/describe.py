"""What a number says of itself: the catalogue's entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.ground.access.custom import NONE, Custom
from app.language.metrics.metric import GROUPING, Metric
from app.language.metrics.plan import window_of


def describe(metric: Metric, custom: Custom = NONE) -> dict[str, Any]:
    """With the fields that the asking tenant has added, where it can be broken down by them."""
    added = [name for name, kind in metric.custom(custom).items() if kind in GROUPING]
    return {
        "name": metric.name,
        "title": metric.title,
        "description": metric.description,
        "kind": metric.kind,
        "unit": metric.unit,
        "formula": metric.formula,
        "date_field": metric.date_field,
        "parts": list(metric.parts),
        "dimensions": [
            {"name": d.name, "title": d.title, "noun": d.noun, "multiplies": d.multiplies}
            for d in (*metric.dimensions, *filter(None, map(metric.facts[0].dimension, added)))
        ],
        "additive": additive(metric, added),
        "edge_rules": list(metric.edge_rules),
        "exclusions": exclusions(metric),
        "beside": dict(metric.beside),
        "version": metric.version,
        "example": metric.example,
    }


def additive(metric: Metric, added: Sequence[str] = ()) -> dict[str, Any]:
    """Over what its values may be summed. Quotients never; a stock not over time; a dimension in whose groups one row
    can stand several times is left out. Nothing over that is reckoned for each rep: one may stand in several groups."""
    sums = metric.kind in ("flow", "stock") and metric.each is None
    return {
        "dimensions": [*(d.name for d in metric.dimensions if not d.multiplies), *added] if sums else [],
        "time": sums and metric.kind == "flow",
    }


def exclusions(metric: Metric) -> list[str]:
    """Every reason for which a row, or a group that the number is over, may be left out and counted."""
    if metric.left_out:
        return list(metric.left_out)
    found: dict[str, None] = {}
    for name, part in metric.parts.items():
        if name in metric.aside:
            continue
        measure, _ = window_of(metric, part)
        population = measure.population
        reasons = [reason for reason, _ in measure.exclusions]
        if measure.money:
            reasons += ["no_amount", "missing_fx"]
        if population.undated:
            reasons.append(population.undated)
        if population.unborn:
            reasons.append("no_open_date")
        found |= dict.fromkeys(reasons)
    return list(found)
