"""For whom a board is: each row names a role, a team, a territory or a rep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.ground.errors import FieldError
from app.language.metrics.metric import Metric

WAYS = ("role", "team_id", "territory_id", "rep_id")


def misread(rows: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Rows that name none or several."""
    return [
        FieldError(
            f"/audience/{index}", "one_of_them", "Name a role, a team, a territory or a rep, one of them."
        )
        for index, row in enumerate(rows)
        if sum(row.get(way) is not None for way in WAYS) != 1
    ]


def kept(metrics: Iterable[Metric]) -> list[FieldError]:
    """Numbers that no board gives to anybody."""
    return [
        FieldError(
            "/question/metrics", "not_for_boards",
            f"{metric.name} is for those who may see what is behind it, and they ask for it themselves.",
        )
        for metric in metrics
        if not metric.handed_on
    ]  # fmt: skip


def not_for_them(
    metrics: Iterable[Metric], rows: Sequence[Mapping[str, Any]], *, everyone: bool
) -> list[FieldError]:
    """Who would be given a number that they may not ask for. A team may hold people of any role, and so may a
    territory; what a rep's role is shows only when they come in."""
    errors: list[FieldError] = []
    for metric in metrics:
        if metric.read_roles is None:
            continue
        allowed = ", ".join(sorted(metric.read_roles))
        message = f"{metric.name} may be published to these roles only: {allowed}."
        places = ["/for_everyone"] if everyone else []
        places += [
            f"/audience/{index}" for index, row in enumerate(rows) if row.get("role") not in metric.read_roles
        ]
        errors += (FieldError(place, "not_for_them", message) for place in places)
    return errors
