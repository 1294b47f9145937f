"""How each number is asked: by month for a year, by rep for a quarter, by month as of a past day, and as it was known
then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from app.ground.access.principal import Principal

ZONE = "America/New_York"
CURRENCY = "USD"
_INSTANT = timedelta(microseconds=1)

FORMS = ("months", "reps", "past", "known")
TITLES = {
    "months": "by month for a year",
    "reps": "by rep for a quarter",
    "past": "by month as of a past day",
    "known": "by month as it was known then",
}


@dataclass(frozen=True, slots=True)
class Form:
    """One way of asking: in the product's words, and as the parameters of a statement written by hand.

    Edges are reckoned here by themselves, so that the product's are checked with its numbers.
    """

    name: str
    period: str
    grain: str | None
    by: tuple[str, ...]
    as_of: datetime | None
    known_then: bool
    days: tuple[tuple[date, date], ...]
    """Each bucket's first day, and the day after its last."""
    before: tuple[tuple[date, date], ...]
    """The stretch before each bucket."""

    @property
    def question(self) -> dict[str, Any]:
        moment = self.as_of.isoformat() if self.as_of else None
        return {
            "period": self.period, "grain": self.grain, "by": self.by, "as_of": moment,
            "known_at": moment if self.known_then else None,
            "timezone": ZONE, "currency": CURRENCY,
        }  # fmt: skip

    def parameters(self, principal: Principal, now: datetime) -> dict[str, Any]:
        """By the names that the statements use; `at` is the last instant of each bucket."""
        asked = self.as_of or now
        firsts, lasts = [first for first, _ in self.days], [last for _, last in self.days]
        return {
            "tenant": principal.tenant_id,
            "manager": principal.rep_id,
            "zone": ZONE,
            "target": CURRENCY,
            "home": principal.tenant.home_currency,
            "asked": asked,
            "known": asked,
            "i": [*range(len(self.days))],
            "first": firsts,
            "last": lasts,
            "starts": [_midnight(day) for day in firsts],
            "ends": [_midnight(day) for day in lasts],
            "at": [min(_midnight(day) - _INSTANT, asked) for day in lasts],
            "year_before": [_midnight(_months(day, -12)) for day in lasts],
            "before_starts": [_midnight(first) for first, _ in self.before],
            "before_ends": [_midnight(last) for _, last in self.before],
            "first_day": firsts[0],
            "before_first": self.before[0][0],
            "last_day": lasts[-1],
        }


def forms(now: datetime) -> Mapping[str, Form]:
    """Of the months and the quarter that are over, and of a day eleven weeks ago."""
    today = now.astimezone(ZoneInfo(ZONE)).date()
    month = today.replace(day=1)
    quarter = _months(month, -((month.month - 1) % 3) - 3)
    past = today - timedelta(days=77)
    return {
        "months": _by_month("months", month),
        "reps": Form(
            "reps",
            f"{quarter.year}-Q{(quarter.month + 2) // 3}",
            None,
            ("rep",),
            None,
            False,
            ((quarter, _months(quarter, 3)),),
            ((_months(quarter, -3), quarter),),
        ),
        "past": _by_month("past", past.replace(day=1), _midnight(past)),
        "known": _by_month("known", past.replace(day=1), _midnight(past)),
    }


def _by_month(name: str, until: date, as_of: datetime | None = None) -> Form:
    edges = [_months(until, n) for n in range(-13, 1)]
    spans = [*pairwise(edges)]
    days, before = tuple(spans[1:]), tuple(spans[:-1])
    return Form(name, f"{edges[1]}/{until}", "month", (), as_of, name == "known", days, before)


def _months(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)
