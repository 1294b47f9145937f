"""What a lead is worth by the tenant's rules: pure, so that the same lead always gets the same score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """`value` is compared as a number by `gte` and `lte`, and as `true` or `false` by `is_null`."""

    field: str
    operator: str
    value: str
    points: int


def score(lead: Mapping[str, Any], rules: Iterable[Rule]) -> int | None:
    """The sum of the points of every rule that holds; None where there are no rules, which is not a score of zero."""
    points = [rule.points if holds(rule, lead.get(rule.field)) else 0 for rule in rules]
    return sum(points) if points else None


def holds(rule: Rule, have: Any) -> bool:
    """As filters compare: a null is unlike every value, and neither contains nor exceeds one."""
    match rule.operator:
        case "is_null":
            return (have is None) == (rule.value == "true")
        case "ne":
            return have is None or str(have) != rule.value
        case _ if have is None:
            return False
        case "eq":
            return str(have) == rule.value
        case "contains":
            return rule.value.lower() in str(have).lower()
        case "starts_with":
            return str(have).lower().startswith(rule.value.lower())
        case "gte":
            return have >= int(rule.value)
        case "lte":
            return have <= int(rule.value)
    raise ValueError(rule.operator)
