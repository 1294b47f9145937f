"""The demo's KPIs by plain Python from the generated rows, without the engine and without the write path.

What follows from the rows is worked out here a second time: the state of each deal at a moment by replaying its
history, the close and its credit, the dated rate, the dated team, the day-weighted quota. Money is exact.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.demo.generate import Demo

Row = dict[str, Any]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def quarter(year: int, number: int) -> tuple[date, date]:
    first = date(year, number * 3 - 2, 1)
    return first, date(year + number // 4, number * 3 % 12 + 1, 1)


def year(number: int) -> tuple[date, date]:
    return date(number, 1, 1), date(number + 1, 1, 1)


@dataclass
class Deal:
    """A deal with all of its past: `states` are the moments from which it stood so."""

    row: Row
    opened_at: datetime
    currency: str
    states: list[tuple[datetime, Row]] = field(default_factory=list)

    def at(self, when: datetime) -> Row | None:
        """How it stood at a moment; None before it was opened."""
        place = bisect_right([begun for begun, _ in self.states], when)
        return self.states[place - 1][1] if place else None


class Oracle:
    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.stages = {f"demo:{row['external_id']}": row for row in demo["stages"]}
        self.reps = {f"demo:{row['external_id']}": row for row in demo["reps"]}
        self.accounts = {f"demo:{row['external_id']}": row for row in demo["accounts"]}
        self.products = {f"demo:{row['external_id']}": row for row in demo["products"]}
        self.rates: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        for row in demo["exchange_rates"]:
            assert row["to_currency"] == "USD"
            self.rates[row["from_currency"]].append(
                (date.fromisoformat(row["on_day"]), Decimal(str(row["rate"])))
            )
        self.deals = [self._replayed(row) for row in demo["opportunities"]]

    def _replayed(self, row: Row) -> Deal:
        deal = Deal(row, moment(row["opened_at"]), row["currency"])
        state: Row = {"closed_at": None, "credited": None}
        for point in row["history"]:
            when = moment(point["at"])
            before = state
            state = {**state, **{name: value for name, value in point.items() if name != "at"}}
            category = self.stages[state["stage_id"]]["category"]
            if category == "open":
                state |= {"closed_at": None, "credited": None}
            elif category != before.get("category"):
                state |= {"closed_at": when, "credited": state["owner_id"]}
            state["category"] = category
            deal.states.append((when, state))
        return deal

    # -- what the numbers are made of -----------------------------------------------------------------------------

    def rate(self, currency: str, day: date) -> Decimal | None:
        """Of the last rate on or before the day."""
        if currency == "USD":
            return Decimal(1)
        known = [rate for since, rate in sorted(self.rates[currency]) if since <= day]
        return known[-1] if known else None

    def priced(self, deal: Deal, state: Row, day: date) -> Decimal | None:
        rate = self.rate(deal.currency, day)
        return None if rate is None else Decimal(str(state["amount"])) * rate

    def closed(
        self, period: tuple[date, date], category: str, as_of: datetime | None = None
    ) -> list[tuple[Deal, Row]]:
        """Deals that stand closed with this category, and were closed in the period."""
        begin, end = map(midnight, period)
        found = []
        for deal in self.deals:
            state = deal.at(as_of) if as_of else deal.states[-1][1]
            if state and state["category"] == category and begin <= state["closed_at"] < end:
                found.append((deal, state))
        return found

    def open(self, when: datetime) -> list[tuple[Deal, Row]]:
        return [
            (deal, state) for deal in self.deals if (state := deal.at(when)) and state["category"] == "open"
        ]

    def rep_at(self, rep: str, when: datetime) -> Row:
        """The rep's row as it stood at a moment: its team, territory and manager."""
        row = dict(self.reps[rep])
        points = row.pop("history", ())
        for index, point in enumerate(points):
            if index == 0 or moment(point["at"]) <= when:
                row |= {name: value for name, value in point.items() if name != "at"}
        return row

    # -- the numbers ----------------------------------------------------------------------------------------------

    def bookings(self, period: tuple[date, date], as_of: datetime | None = None) -> Decimal:
        return sum((x for x in self._won_amounts(period, as_of) if x is not None), Decimal(0))

    def unpriced(self, period: tuple[date, date]) -> int:
        return sum(x is None for x in self._won_amounts(period, None))

    def _won_amounts(self, period: tuple[date, date], as_of: datetime | None) -> list[Decimal | None]:
        won = self.closed(period, "won", as_of)
        return [self.priced(deal, state, state["closed_at"].date()) for deal, state in won]

    def bookings_by(
        self, period: tuple[date, date], key: Callable[[Deal, Row], str | None]
    ) -> dict[str | None, Decimal]:
        sums: dict[str | None, Decimal] = defaultdict(Decimal)
        for deal, state in self.closed(period, "won"):
            sums[key(deal, state)] += self.priced(deal, state, state["closed_at"].date()) or 0
        return dict(sums)

    def bookings_by_product(self, period: tuple[date, date]) -> dict[str | None, Decimal]:
        """Each line to its product; what the lines do not cover to None."""
        sums: dict[str | None, Decimal] = defaultdict(Decimal)
        for deal, state in self.closed(period, "won"):
            rate = self.rate(deal.currency, state["closed_at"].date())
            if rate is None:
                continue
            lines = deal.row["line_items"]
            for line in lines:
                sums[line["product_id"]] += line["amount"] * rate
            if rest := Decimal(str(state["amount"])) - sum(line["amount"] for line in lines):
                sums[None] += rest * rate
        return dict(sums)

    def count(self, period: tuple[date, date], category: str, as_of: datetime | None = None) -> int:
        return len(self.closed(period, category, as_of))

    def win_rate(self, period: tuple[date, date]) -> Decimal:
        won, lost = self.count(period, "won"), self.count(period, "lost")
        return Decimal(won) / (won + lost)

    def average_deal_size(self, period: tuple[date, date]) -> Decimal:
        amounts = [x for x in self._won_amounts(period, None) if x is not None]
        return sum(amounts, Decimal(0)) / len(amounts)

    def sales_cycle(self, period: tuple[date, date]) -> Decimal:
        """Days from the first opening to the last close."""
        spans = [state["closed_at"] - deal.opened_at for deal, state in self.closed(period, "won")]
        return Decimal(sum(spans, timedelta()) // timedelta(microseconds=1)) / len(spans) / 86_400_000_000

    def open_pipeline(self, when: datetime) -> Decimal:
        return self._open_sum(when, lambda _: Decimal(1))

    def weighted_pipeline(self, when: datetime) -> Decimal:
        """By the deal's own probability where it has one, else by its stage's."""

        def weight(deal_and_state: tuple[Deal, Row]) -> Decimal:
            deal, state = deal_and_state
            own = deal.row.get("probability")
            return Decimal(str(self.stages[state["stage_id"]]["probability"] if own is None else own))

        return self._open_sum(when, weight)

    def _open_sum(self, when: datetime, weight: Callable[[tuple[Deal, Row]], Decimal]) -> Decimal:
        total = Decimal(0)
        for deal, state in self.open(when):
            amount = self.priced(deal, state, when.date())
            total += (amount or Decimal(0)) * weight((deal, state))
        return total

    def pipeline_created(self, period: tuple[date, date]) -> Decimal:
        """The amount that a deal was opened with, not what became of it."""
        begin, end = map(midnight, period)
        total = Decimal(0)
        for deal in self.deals:
            if begin <= deal.opened_at < end:
                total += self.priced(deal, deal.states[0][1], deal.opened_at.date()) or 0
        return total

    def quotas(self, period: tuple[date, date]) -> dict[str, Decimal]:
        """By rep; each amount weighted by the days on which it held. What teams carry stands beside."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.demo["quotas"]:
            begin, end = quarter(int(row["period"][2:6]), int(row["period"][-1]))
            if not (period[0] <= begin and end <= period[1]) or "rep_id" not in row:
                continue
            since = [(begin, row["amount"])] + [
                (date.fromisoformat(x["effective_from"]), x["amount"]) for x in row.get("versions", ())
            ]
            until = [first for first, _ in since[1:]] + [end]
            for (first, amount), last in zip(since, until, strict=True):
                sums[row["rep_id"]] += Decimal(amount) * (last - first).days / (end - begin).days
        return dict(sums)

    def attainment(self, period: tuple[date, date], reps: Iterable[str] | None = None) -> Decimal:
        """Bookings credited to those who carry a quota, over their quota."""
        quotas = self.quotas(period)
        booked = self.bookings_by(period, lambda _, state: state["credited"])
        wanted = list(quotas if reps is None else reps)
        return sum((booked.get(x, Decimal(0)) for x in wanted), Decimal(0)) / sum(quotas[x] for x in wanted)
