"""The demo's rows as the company's systems would have told them: each evening what the day has brought.

Nothing is told of earlier days but what the rows themselves say of them (`opened_at`, `closed_at`, `received_at`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from app.demo.calendar import FIRST_OPENING, NOW, TODAY
from app.demo.generate import Demo
from tests.demo.oracle import midnight, moment, quarter

Row = dict[str, Any]
Points = Iterator[tuple[datetime, Row]]
"""What was told of a row when: at first all that was so then, afterwards what had changed."""

FOUNDED = midnight(FIRST_OPENING - timedelta(days=1))
ENDED = ("won", "lost", "abandoned")


def evening(day: date) -> datetime:
    """When all that a day has brought is told."""
    return datetime.combine(day, time(22), UTC)


def told(demo: Demo) -> dict[date, list[tuple[str, list[Row]]]]:
    """Day by day the rows by noun, those that are referred to first."""
    days: dict[date, dict[int, dict[str, Row]]] = {}
    for place, (plural, rows) in enumerate(demo.steps):
        points = _POINTS.get(plural, _from_the_beginning)
        for row in rows:
            key = row["external_id"]
            for at, what in points(row):
                todays = days.setdefault(at.date(), {}).setdefault(place, {})
                todays[key] = {"external_id": key, **todays.get(key, {}), **what}
    return {
        day: [(demo.steps[place][0], [*rows.values()]) for place, rows in sorted(places.items())]
        for day, places in days.items()
    }


def _from_the_beginning(row: Row) -> Points:
    """What moved later moves when its history says so."""
    row = dict(row)
    first, *later = row.pop("history", [{"at": FOUNDED.isoformat()}])
    changing = {name for point in (first, *later) for name in point}
    yield FOUNDED, _but({**_but(row, *changing), **first}, "at")
    for point in later:
        yield moment(point["at"]), _but(point, "at")


def _deal(row: Row) -> Points:
    (_, first), *later = _from_the_beginning(row)
    yield moment(row["opened_at"]), first
    for at, what in later:
        ended = what.get("stage_id", "").endswith(ENDED)
        yield at, {**what, **({"closed_at": at.isoformat()} if ended else {})}


def _lead(row: Row) -> Points:
    ends = {
        "first_response_at": [], "qualified_at": [], "disqualified_at": ["disqualified_reason"],
        "converted_at": ["converted_account_id", "converted_contact_id", "converted_opportunity_id"],
    }  # fmt: skip
    later = {*ends, "status", *(name for names in ends.values() for name in names)}
    yield moment(row["received_at"]), {**_but(row, *later), "status": "new"}
    for end, names in ends.items():
        if end in row:
            status = {} if end == "first_response_at" else {"status": end.removesuffix("_at")}
            yield (
                moment(row[end]),
                {end: row[end], **{name: row[name] for name in names if name in row}, **status},
            )


def _activity(row: Row) -> Points:
    yield moment(row["occurred_at"]) if row["done"] else NOW - timedelta(days=1), row


def _quota(row: Row) -> Points:
    begins, _ = quarter(int(row["period"][2:6]), int(row["period"][-1]))
    if (set_at := midnight(begins) - timedelta(days=20)) < NOW:
        yield set_at, _but(row, "versions")
        for version in row.get("versions", ()):
            yield (
                midnight(datetime.fromisoformat(version["effective_from"]).date()),
                {"versions": row["versions"]},
            )


def _rate(row: Row) -> Points:
    day = datetime.fromisoformat(row["on_day"]).date()
    if day < TODAY:
        yield midnight(day), row


def _campaign(row: Row) -> Points:
    begins, ends = (midnight(datetime.fromisoformat(row[name]).date()) for name in ("starts_on", "ends_on"))
    if begins - timedelta(days=10) < NOW:
        yield begins - timedelta(days=10), {**_but(row, "actual_cost"), "status": "planned"}
    if begins < NOW:
        yield begins, {"status": "active"}
    if ends < NOW and "actual_cost" in row:
        yield ends, {"status": "completed", "actual_cost": row["actual_cost"]}


def _member(row: Row) -> Points:
    """Whom a campaign brought is known when it has answered."""
    yield moment(row.get("responded_at", row["joined_at"])), row


def _touch(row: Row) -> Points:
    yield moment(row["occurred_at"]), row


_POINTS: dict[str, Callable[[Row], Points]] = {
    "opportunities": _deal, "leads": _lead, "activities": _activity, "quotas": _quota, "exchange_rates": _rate,
    "campaigns": _campaign, "campaign_members": _member, "touches": _touch,
}  # fmt: skip


def _but(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
