"""Filters and orders as plain Python over records as they were read: what PostgreSQL must come to as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import cmp_to_key
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.language.resources.fields import Field


def value(field: Field, raw: Any, zone: ZoneInfo) -> Any:
    """A JSON value as what it means, so that two of them compare as they should."""
    if raw is None:
        return None
    match field.kind:
        case "moment":
            moment = datetime.fromisoformat(raw)
            return moment if moment.tzinfo else datetime.combine(moment, time(), zone)
        case "day":
            return date.fromisoformat(raw)
        case "id" | "reference":
            return UUID(raw)
        case _:
            return raw


MATCH: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda have, want: have is not None and have == want,
    "ne": lambda have, want: have != want,
    "lt": lambda have, want: have is not None and have < want,
    "lte": lambda have, want: have is not None and have <= want,
    "gt": lambda have, want: have is not None and have > want,
    "gte": lambda have, want: have is not None and have >= want,
    "in": lambda have, want: have is not None and have in want,
    "nin": lambda have, want: have is None or have not in want,
    "contains": lambda have, want: have is not None and want.lower() in have.lower(),
    "starts_with": lambda have, want: have is not None and have.lower().startswith(want.lower()),
    "is_null": lambda have, want: (have is None) is want,
}


def holds(field: Field, operator: str, have: Any, operand: Any, zone: ZoneInfo) -> bool:
    stored = value(field, have, zone)
    if operator == "in_period":
        return stored is not None and _in_period(field, stored, operand, zone)
    if operator in ("is_null", "contains", "starts_with"):
        return MATCH[operator](stored, operand)
    wanted = (
        [value(field, x, zone) for x in operand] if operator in ("in", "nin") else value(field, operand, zone)
    )
    return MATCH[operator](stored, wanted)


def _in_period(field: Field, stored: Any, period: str, zone: ZoneInfo) -> bool:
    """`2026`, `2026-Q1` or `2026-03` of the calendar, in the tenant's zone."""
    day = stored if field.kind == "day" else stored.astimezone(zone).date()
    year, _, rest = period.partition("-")
    if day.year != int(year):
        return False
    if rest.startswith("Q"):
        return (day.month + 2) // 3 == int(rest[1:])
    return not rest or day.month == int(rest)


def ordered(rows: Sequence[dict[str, Any]], keys: Sequence[tuple[Field, bool]], zone: ZoneInfo) -> list[str]:
    """Ids in the order of `(field, descending)`; nulls last in both directions, the id in the last one's direction."""

    def compare(left: dict[str, Any], right: dict[str, Any]) -> int:
        for field, descending in keys:
            a, b = value(field, left[field.name], zone), value(field, right[field.name], zone)
            if a == b:
                continue
            if a is None or b is None:
                return 1 if a is None else -1
            return (-1 if a < b else 1) * (-1 if descending else 1)
        a, b = UUID(left["id"]), UUID(right["id"])
        return (-1 if a < b else 1 if a > b else 0) * (-1 if keys and keys[-1][1] else 1)

    return [row["id"] for row in sorted(rows, key=cmp_to_key(compare))]


__all__ = ["MATCH", "UTC", "holds", "ordered", "value"]
