"""Numbers as a table holds them: one level, one row a number, or where they are wide one a period and group."""

from __future__ import annotations

from typing import Any

from app.language.metrics import wide
from app.language.metrics.question import MetricQuery


def columns(question: MetricQuery) -> list[str]:
    ends = ["rank"] if question.sort and question.by else []
    if question.wide:
        return [*_place(question), *numbers(question), "null_reasons", "partial", "total", *ends]
    return [
        "metric", *_place(question),
        "value", "numerator", "denominator", "n", "excluded_n", "inferred", "unit", "null_reason",
        "interval_low", "interval_high", "small_sample", "partial", "total",
        *(f"compare_{name}" for name in _COMPARED if question.compare),
        *(f"restated_{name}" for name in _COMPARED if question.restated), *ends,
    ]  # fmt: skip


def numbers(question: MetricQuery) -> list[str]:
    """The columns of a wide table that hold numbers."""
    beside = [
        *(["compare"] if question.compare else []),
        *(["restated"] if question.restated else []),
    ]
    return wide.columns((m.name for m in question.metrics), beside)


_COMPARED = ("value", "n", "null_reason", "change", "change_ratio")


def _place(question: MetricQuery) -> list[str]:
    return [
        "period_start",
        "period_end",
        *(f"{name}_{part}" for name in question.by for part in ("id", "name")),
    ]


def explained_columns(question: MetricQuery) -> list[str]:
    return [
        "metric", "part", "noun", "id", "label", "date", *_place(question),
        "amount", "currency", "rate", "weight", "weight_source", "split", "contribution", "excluded", "left_out",
        "inferred",
    ]  # fmt: skip


def tidy(row: dict[str, Any]) -> dict[str, Any]:
    flat = {
        name: value
        for name, value in row.items()
        if name not in ("dimensions", "excluded", "compare", "restated", "interval", "null_reasons")
    }
    for name, group in row["dimensions"].items():
        flat |= {f"{name}_id": group["id"], f"{name}_name": group["name"]}
    if "null_reasons" in row:
        flat["null_reasons"] = (
            "; ".join(f"{name}: {why}" for name, why in row["null_reasons"].items()) or None
        )
        return flat
    flat |= {f"interval_{name}": row["interval"][name] for name in ("low", "high") if row.get("interval")}
    for other in ("compare", "restated"):
        flat |= {f"{other}_{name}": row[other][name] for name in _COMPARED if row.get(other)}
    if isinstance(row["excluded"], dict):
        flat["excluded_n"] = sum(row["excluded"].values())
    else:
        flat["excluded"] = row["excluded"]
    return flat
