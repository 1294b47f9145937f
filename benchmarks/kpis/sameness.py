"""Whether the product and the statement by hand say the same: value, n, what is left out, the numbers beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from benchmarks.cases import Differ
from benchmarks.kpis.forms import Form

_DIGITS = Fraction(1, 10**20)
"""A quotient has 28 digits in the product's answer."""

Cell = tuple[int, str | None]


def demand(
    what: str, form: Form, data: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> int:
    """Raises `Differ` at the first cell in which they differ; how many cells there were."""
    starts = {first.isoformat(): i for i, (first, _) in enumerate(form.days)}
    ours = {_cell(starts, row): row for row in data}
    theirs = {(row["i"], str(row["rep"]) if row.get("rep") else None): row for row in rows}
    for cell, row in theirs.items():
        found = _found(row)
        if cell not in ours and (found["n"] or found["excluded"]):
            raise Differ(f"{what}: the product has no row for {cell}")
    if not any(row["n"] for row in theirs.values()):
        raise Differ(f"{what}: the statement by hand counts nothing, so nothing is compared")
    for cell, row in ours.items():
        told, found = _told(row, theirs.get(cell)), _found(theirs.get(cell))
        if not _alike(told, found):
            raise Differ(f"{what}, {cell}:\n  the product {told}\n  by hand     {found}")
    return len(ours)


def _cell(starts: Mapping[str, int], row: Mapping[str, Any]) -> Cell:
    rep = row["dimensions"].get("rep")
    return starts[row["period_start"]], rep["id"] if rep else None


def _told(row: Mapping[str, Any], beside: Mapping[str, Any] | None) -> dict[str, Any]:
    value = row["value"]
    if value is None and row["n"] == 0:
        value = Decimal(0)
    return {
        "value": value,
        "n": row["n"],
        "excluded": dict(row["excluded"]),
        **{name: row["beside"][name] for name in row["beside"] if beside is not None and name in beside},
    }


_OWN = ("i", "rep", "value", "numerator", "denominator", "n")


def _found(row: Mapping[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {"value": Fraction(0), "n": 0, "excluded": {}}
    n = int(row["n"])
    quotient = _quotient(row["numerator"], row["denominator"]) if "value" not in row else None
    value = _fraction(row["value"]) if "value" in row else quotient
    beside = {
        name: _quotient(row[name], row[f"{name}_over"]) if f"{name}_over" in row else _fraction(row[name])
        for name in row
        if name not in _OWN and not name.startswith("x_") and not name.endswith("_over")
    }
    excluded = {name[2:]: int(row[name]) for name in row if name.startswith("x_") and row[name]}
    return {"value": value if n or value else Fraction(0), "n": n, "excluded": excluded, **beside}


def _fraction(value: Any) -> Fraction | None:
    return None if value is None else Fraction(value)


def _quotient(above: Any, below: Any) -> Fraction | None:
    if above is None or not below:
        return None
    return Fraction(above) / Fraction(below)


def _alike(told: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    return told.keys() == found.keys() and all(_same(told[name], found[name]) for name in told)


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, Mapping) or ours is None or theirs is None:
        return ours == theirs
    difference = abs(Fraction(ours) - Fraction(theirs))
    return difference <= abs(Fraction(theirs)) * _DIGITS
