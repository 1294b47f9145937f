"""Line items, splits, team and contacts of a deal: what a row leaves out, and what a list must add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any


def complete_line(line: dict[str, Any], index: int) -> None:
    """A line's amount is quantity times unit price, rounded half even to four decimals, unless it is given."""
    if line.get("position") is None:
        line["position"] = index
    if line.get("quantity") is None:
        line["quantity"] = Decimal(1)
    if line.get("amount") is None and line.get("unit_price") is not None:
        line["amount"] = (line["quantity"] * line["unit_price"]).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def complete_split(split: dict[str, Any], _: int) -> None:
    if split.get("kind") is None:
        split["kind"] = "revenue"


def check_splits(splits: Sequence[Mapping[str, Any]]) -> str | None:
    """Revenue splits sum to the whole deal; overlay splits are credit beside it and may exceed it."""
    revenue = [s["share"] for s in splits if s["kind"] == "revenue"]
    whole = sum(revenue, Decimal(0))
    if revenue and whole != 1:
        return f"Revenue splits must sum to 1; these sum to {whole.normalize():f}."
    return None


def check_contact_roles(roles: Sequence[Mapping[str, Any]]) -> str | None:
    if sum(1 for x in roles if x["is_primary"]) > 1:
        return "A deal has at most one primary contact."
    return None
