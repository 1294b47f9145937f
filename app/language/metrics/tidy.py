"""Numbers as a table holds them: one level, one row a number."""

from __future__ import annotations

from typing import Any

from app.language.metrics.question import MetricQuery


def columns(question: MetricQuery) -> list[str]:
    return [
        "metric", "period_start", "period_end",
        *(f"{name}_{part}" for name in question.by for part in ("id", "name")),
        "value", "numerator", "denominator", "n", "excluded_n", "inferred", "unit", "null_reason",
        "interval_low", "interval_high", "small_sample", "partial", "total",
        *(f"compare_{name}" for name in _COMPARED if question.compare),
        *(f"restated_{name}" for name in _COMPARED if question.restated),
        *(["rank"] if question.sort and question.by else []),
    ]  # fmt: skip


_COMPARED = ("value", "n", "null_reason", "change", "change_ratio")


def explained_columns(question: MetricQuery) -> list[str]:
    return [
        "metric", "part", "noun", "id", "label", "date", "period_start", "period_end",
        *(f"{name}_{part}" for name in question.by for part in ("id", "name")),
        "amount", "currency", "rate", "weight", "weight_source", "split", "contribution", "excluded", "inferred",
    ]  # fmt: skip


def tidy(row: dict[str, Any]) -> dict[str, Any]:
    flat = {
        name: value
        for name, value in row.items()
        if name not in ("dimensions", "excluded", "compare", "restated", "interval")
    }
    flat |= {f"interval_{name}": row["interval"][name] for name in ("low", "high") if row.get("interval")}
    for other in ("compare", "restated"):
        flat |= {f"{other}_{name}": row[other][name] for name in _COMPARED if row.get(other)}
    for name, group in row["dimensions"].items():
        flat |= {f"{name}_id": group["id"], f"{name}_name": group["name"]}
    if isinstance(row["excluded"], dict):
        flat["excluded_n"] = sum(row["excluded"].values())
    else:
        flat["excluded"] = row["excluded"]
    return flat
