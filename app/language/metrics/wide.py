"""Numbers as one table: a row for each period and group, a column for each metric.

What is told of a single number (what it was divided from, what was left out) has no place in such a row; the long
shape tells it. Why a number is undefined is kept, since a null alone would say nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

_BESIDE = {
    "compare": {"compare": "value", "change": "change", "change_ratio": "change_ratio"},
    "restated": {"restated": "value", "restated_change": "change", "restated_change_ratio": "change_ratio"},
}
"""What of a number of another period or moment stands beside the metric's own column, by the end of its name."""


def rows(numbers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of one level, at which every metric has the same periods and groups."""
    cells: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for number in numbers:
        # Not by the row's key: as a text, a group without a value is one that is called None.
        cells[number["period_start"], number["_group"]].append(number)
    return [_row(cell) for cell in cells.values()]


def _row(cell: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = cell[0]
    return {
        "row_key": first["row_key"].removeprefix(f"{first['metric']}|"),
        **{name: first[name] for name in ("period_start", "period_end", "dimensions")},
        **{name: value for number in cell for name, value in _values(number)},
        "null_reasons": {x["metric"]: x["null_reason"] for x in cell if x["null_reason"] is not None},
        **{name: first[name] for name in ("partial", "total", "_group")},
    }


def _values(number: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    yield number["metric"], number["value"]
    for other, ends in _BESIDE.items():
        if number[other] is not None:
            for end, part in ends.items():
                yield f"{number['metric']}_{end}", number[other][part]


def columns(metrics: Iterable[str], beside: Iterable[str]) -> list[str]:
    """Those of the numbers themselves, for each metric beside each other; `beside` names `compare` and `restated`."""
    ends = ["", *(f"_{end}" for other in beside for end in _BESIDE[other])]
    return [f"{name}{end}" for name in metrics for end in ends]
