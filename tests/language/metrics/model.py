"""A company with a random past, and its numbers by plain loops over days and deals.

Nothing here knows the engine: the state of a deal is replayed from its points, a quota is added up day by day, a
tree is walked from the rep to the top at the moment in question.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]

ZONE = ZoneInfo("America/New_York")
CATEGORY = {"new": "open", "talk": "open", "won": "won", "lost": "lost", "gone": "abandoned"}
CHANCE = {
    "new": Fraction(1, 10),
    "talk": Fraction(2, 5),
    "won": Fraction(1),
    "lost": Fraction(0),
    "gone": Fraction(0),
}
FORECAST = {"talk": "best_case"}
NO_REASON: Counter[str] = Counter()
NEVER = datetime.max.replace(tzinfo=UTC)


def midnight(day: date) -> datetime:
    # In UTC: Python subtracts two moments of one zone by their wall clocks.
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def day_of(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


def at_or_before(points: Iterable[tuple[datetime, Row]], moment: datetime) -> Row | None:
    found = None
    for at, state in points:
        if at <= moment:
            found = state
    return found


@dataclass(frozen=True)
class Line:
    product: str | None
    amount: Fraction | None
    quantity: Fraction
    price: Fraction | None


@dataclass
class Product:
    family: str | None
    currency: str | None
    costs: list[tuple[datetime, Fraction | None]]
    """From when on; the first of them holds as far back as anyone asks."""


@dataclass
class Deal:
    key: str
    row: Row
    points: list[Row]
    """As first told; `told_later` came in a second load."""
    told_later: list[Row] = field(default_factory=list)
    deleted: bool = False

    def versions(self, second_load: bool) -> list[tuple[datetime, Row]]:
        points = sorted(self.points + (self.told_later if second_load else []), key=lambda p: p["at"])
        state: Row = {
            "stage": None, "amount": None, "owner": None, "due": None, "chance": None, "closed_at": None,
            "credited": None, "category": None, "term": None,
        }  # fmt: skip
        found = []
        for point in points:
            before = state
            state = {**state, **{k: v for k, v in point.items() if k != "at"}}
            state["category"] = CATEGORY[state["stage"]]
            if state["category"] == "open":
                state |= {"closed_at": None, "credited": None}
            elif state["category"] != before["category"]:
                state |= {"closed_at": point["at"], "credited": state["owner"]}
            found.append((point["at"], state))
        return found


@dataclass
class Quota:
    holder: tuple[str, str]
    first: date
    last: date
    amount: int
    versions: list[tuple[date, int]]
    period: str
    currency: str

    def amount_on(self, day: date) -> int:
        amount = self.amount
        for since, changed in sorted(self.versions):
            if since <= day:
                amount = changed
        return amount


HOURS_A_DAY = 8


@dataclass
class Week:
    """The weekdays that are worked, Monday 0, and what of some days is off."""

    days: frozenset[int]
    off: dict[date, Fraction]

    def worked(self, day: date) -> Fraction:
        return 1 - self.off.get(day, Fraction(0)) if day.weekday() in self.days else Fraction(0)


@dataclass
class Relief:
    rep: str
    first: date
    last: date
    share: Fraction | None
    amount: Fraction | None
    currency: str
    states: list[tuple[datetime, str]]
    """As first told; `told_later` came in a second load."""
    told_later: list[tuple[datetime, str]] = field(default_factory=list)
    deleted: bool = False

    def state(self, moment: datetime, second_load: bool) -> str:
        points = self.states + (self.told_later if second_load else [])
        return next((state for at, state in reversed(points) if at <= moment), "requested")


def days_between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days)]


@dataclass
class Model:
    places: dict[str, list[tuple[datetime, Row]]]
    accounts: dict[str, Row]
    products: dict[str, Product]
    rates: dict[tuple[str, str], list[tuple[date, Fraction]]]
    deals: list[Deal]
    quotas: list[Quota]
    reliefs: list[Relief] = field(default_factory=list)
    weeks: dict[str, Week] = field(default_factory=dict)
    """Of some reps their own."""
    usual: Week | None = None
    careers: dict[str, Row] = field(default_factory=dict)
    """Of some reps since when they are there, until when, and whether they are active."""
    leading: dict[int, bool] = field(default_factory=dict)
    """By quota, whether it is one of a leader; found once."""

    # -- money ---------------------------------------------------------------------------------------------------

    def rate(self, currency: str, target: str, day: date) -> Fraction | None:
        if currency == target:
            return Fraction(1)
        found = self._one(currency, target, day)
        if found is None and "USD" not in (currency, target):
            first, second = self._one(currency, "USD", day), self._one("USD", target, day)
            found = round(first * second, 12) if first and second else None
        return found

    def _one(self, source: str, target: str, day: date) -> Fraction | None:
        for pair, turn in (((source, target), False), ((target, source), True)):
            known = [rate for since, rate in sorted(self.rates.get(pair, [])) if since <= day]
            if known:
                return round(1 / known[-1], 12) if turn else known[-1]
        return None

    # -- who ------------------------------------------------------------------------------------------------------

    def place(self, rep: str | None, moment: datetime) -> Row:
        return (at_or_before(self.places[rep], moment) if rep else None) or {
            "manager": None, "team": None, "territory": None,
        }  # fmt: skip

    def chain(self, rep: str | None, moment: datetime) -> list[str]:
        found = []
        while rep is not None:
            found.append(rep)
            rep = self.place(rep, moment)["manager"]
        return found

    def levels(self, rep: str | None, moment: datetime) -> Row:
        """Who leads at each level above a rep, itself included, 1 being the top."""
        line = [*reversed(self.chain(rep, moment))]
        return {f"manager_level_{n + 1}": line[n] if n < len(line) else None for n in range(8)}


@dataclass
class Question:
    """What is asked of engine and model alike. `buckets` are `(first day, day after the last)`."""

    buckets: list[tuple[date, date]] | None
    by: tuple[str, ...]
    filters: dict[str, list[str]]
    moment: datetime
    past: bool
    second_load: bool
    currency: str
    fx: str
    credit: str
    attribution: str = "owner"


CREDITED = frozenset({"rep", "manager", "team", "territory", *(f"manager_level_{n}" for n in range(1, 9))})
"""Dimensions of who is credited, by which a deal that several are credited for stands in several groups."""
PLACE = {"new": 1, "talk": 2, "won": 3}


@dataclass
class Step:
    stage: str
    reached: datetime
    passed: datetime | None
    category: str
    left_out: bool
    unknown: bool


@dataclass
class Cell:
    total: Fraction = Fraction(0)
    n: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    values: list[Fraction] = field(default_factory=list)


WHAT = ("product", "product_family")
Group = tuple[str | None, ...]
Cells = dict[tuple[int, Group], Cell]


def left_out(number: Any, deal: Deal, state: Row) -> bool:
    """Whether a deal is no part of the sum at all, also where it has no date."""
    how = number(deal, {**state, "closed_at": state["closed_at"] or NEVER})
    return how is not None and how(None) == "left out"


def quantile(values: list[Fraction], wanted: Fraction) -> Fraction:
    """So that at least the wanted share is not above it, and at least the rest not below: the middle of all such."""
    n, order = len(values), sorted(values)
    fit = [
        v for v in order
        if sum(x <= v for x in order) >= wanted * n and sum(x >= v for x in order) >= (1 - wanted) * n
    ]  # fmt: skip
    return (fit[0] + fit[-1]) / 2


def _runs(
    versions: list[tuple[datetime, str | None]],
) -> Iterable[tuple[tuple[datetime, str | None], datetime | None]]:
    """Each stay in a stage with the moment at which it ended."""
    starts = [v for n, v in enumerate(versions) if n == 0 or v[1] != versions[n - 1][1]]
    return zip(starts, [*(at for at, _ in starts[1:]), None], strict=True)


class Answers:
    """The model's answer to one question."""

    def __init__(self, model: Model, question: Question) -> None:
        self.model, self.q = model, question

    # -- deals at a moment ----------------------------------------------------------------------------------------

    def living(self, moment: datetime, current: bool) -> Iterable[tuple[Deal, Row]]:
        for deal in self.model.deals:
            if current and deal.deleted:
                continue
            state = at_or_before(deal.versions(self.q.second_load), moment)
            if state is not None:
                yield deal, state

    def unborn(self, moment: datetime) -> Iterable[tuple[Deal, Row]]:
        for deal in self.model.deals:
            at, state = deal.versions(self.q.second_load)[0]
            if at > moment and deal.row["opened_at"] is None:
                yield deal, state

    def holders(self, deal: Deal, owner: str, recorded: bool) -> list[tuple[str, Fraction]]:
        """Who is credited, each with what share; before a deal was recorded nothing is known but its owner."""
        splits = deal.row["splits"] if recorded else []
        match self.q.attribution:
            case "owner":
                return [(owner, Fraction(1))]
            case "team":
                members: list[str] = deal.row["members"] if recorded else []
                return [(rep, Fraction(1)) for rep in sorted({owner, *members})]
            case kind:
                wanted = "revenue" if kind == "split" else "overlay"
                held = [(rep, share) for rep, share, of in splits if of == wanted]
                return held or ([] if kind == "overlay" else [(owner, Fraction(1))])

    def standings(
        self, deal: Deal, state: Row, when: datetime, stage: str | None = None, *, recorded: bool = True
    ) -> list[tuple[Row, Fraction]]:
        """What a deal is in each dimension, for everyone who is credited with a share; those whom no filter is
        against."""
        rep = state["credited"] or state["owner"]
        if self.q.credit == "current":
            gone = deal.deleted and not self.q.past
            today = None if gone else at_or_before(deal.versions(self.q.second_load), self.q.moment)
            rep, when = (today or state)["owner"], self.q.moment
        found = [
            (values, share)
            for holder, share in self.holders(deal, rep, recorded)
            if (values := self.standing(deal, state, holder, when, stage)) is not None
        ]
        asks = CREDITED & {*self.q.by, *self.q.filters}
        if asks or self.q.attribution == "overlay":
            return found
        # Nobody is told from another: the whole of it, whoever has which share.
        return [(values, Fraction(1)) for values, _ in found[:1]]

    def standing(self, deal: Deal, state: Row, rep: str, when: datetime, stage: str | None) -> Row | None:
        place = self.model.place(rep, when)
        account = self.model.accounts.get(deal.row["account"] or "", {"industry": None, "tier": None})
        values = {
            "rep": rep, **place, **self.model.levels(rep, when), "industry": account["industry"],
            "type": deal.row["type"], "custom.region": deal.row["region"], "account.custom.tier": account["tier"],
            "stage": stage or state["stage"],
            "currency": deal.row["currency"], "competitor": deal.row["competitor"],
            "sales_channel": deal.row["channel"], "forecast_category": forecast(deal, state),
        }  # fmt: skip
        for name, wanted in self.q.filters.items():
            if name == "manager":
                if not set(wanted) & set(self.model.chain(rep, when)):
                    return None
            elif name not in WHAT and values[name] not in wanted:
                return None
        return values

    def what(self, line: Line | None) -> Row | None:
        """The same of a line, or of what no line covers."""
        product = line.product if line else None
        values = {
            "product": product,
            "product_family": self.model.products[product].family if product else None,
        }
        wanted = self.q.filters
        return values if all(values[name] in wanted[name] for name in WHAT if name in wanted) else None

    def groups(
        self,
        deal: Deal,
        state: Row,
        when: datetime,
        lines: list[Line],
        stage: str | None = None,
        *,
        recorded: bool = True,
    ) -> list[tuple[Group, Fraction | None, Fraction]]:
        """The groups in which a deal counts, each with the amount of its lines there, and the share of that which is
        credited there; filters applied."""
        standings, whole = self.standings(deal, state, when, stage, recorded=recorded), state["amount"]
        found: list[tuple[Group, Fraction | None, Fraction]] = []
        for values, share in pooled(standings, self.q):
            found += [
                (tuple({**values, **what}[d] for d in self.q.by), amount, share)
                for what, amount in self.pieces(whole, lines)
            ]
        return found

    def pieces(self, whole: Fraction | None, lines: list[Line]) -> list[tuple[Row, Fraction | None]]:
        if not set(WHAT) & {*self.q.by, *self.q.filters}:
            return [({}, whole)]
        pieces: list[tuple[Line | None, Fraction]] = [(line, line.amount or Fraction(0)) for line in lines]
        covered = sum((amount for _, amount in pieces), Fraction(0))
        if not pieces or (whole is not None and whole != covered):
            pieces.append((None, (whole or 0) - covered))
        parts: dict[Group, Fraction] = defaultdict(Fraction)
        asked = [d for d in WHAT if d in self.q.by]
        for line, amount in pieces:
            what = self.what(line)
            if what is not None:
                parts[tuple(what[d] for d in asked)] += amount
        return [(dict(zip(asked, values, strict=True)), amount) for values, amount in parts.items()]

    # -- gathering ------------------------------------------------------------------------------------------------

    def spans(self) -> list[tuple[date, date] | None]:
        return list(self.q.buckets) if self.q.buckets is not None else [None]

    def end(self, span: tuple[date, date] | None) -> datetime:
        if span is None:
            return self.q.moment
        return min(midnight(span[1]) - timedelta(microseconds=1), self.q.moment)

    def begun(self, span: tuple[date, date]) -> tuple[date, date]:
        """The days of it that have begun."""
        return span[0], max(span[0], min(span[1], day_of(self.q.moment) + timedelta(days=1)))

    def preceding(self, span: tuple[date, date]) -> tuple[date, date]:
        """Whole months before whole months, else as many days; before what is not over as many days as it has had."""
        first, last = span
        before = (first - (last - first), first)
        if first.day == last.day == 1:
            months = (last.year - first.year) * 12 + last.month - first.month
            index = first.year * 12 + first.month - 1 - months
            before = (date(index // 12, index % 12 + 1, 1), first)
        today = day_of(self.q.moment)
        if first <= today < last:
            before = (before[0], min(before[0] + (today - first) + timedelta(days=1), before[1]))
        return before

    def add(
        self, cells: Cells, i: int, deal: Deal, state: Row, when: datetime, *, reason: str | None = None,
        number: Callable[[Fraction | None], Fraction | str] | None = None, rate_day: date | None = None,
    ) -> None:  # fmt: skip
        """`number` turns the amount in the group into what is added, or into the reason why it is not."""
        # Of lines that were not there yet nothing is known.
        lines = (
            []
            if reason == "no_open_date" and deal.versions(self.q.second_load)[0][0] > when
            else deal.row["lines"]
        )
        recorded = lines is deal.row["lines"]
        for group, amount, share in self.groups(deal, state, when, lines, recorded=recorded):
            cell = cells.setdefault((i, group), Cell())
            worth: Fraction | str = reason or (number(amount) if number else Fraction(1))
            if isinstance(worth, Fraction) and rate_day is not None:
                rate = self.model.rate(deal.row["currency"], self.q.currency, rate_day)
                worth = "missing_fx" if rate is None else worth * rate * share
            if isinstance(worth, str):
                cell.excluded[worth] += 1
            else:
                cell.total += worth
                cell.n += 1
                cell.values.append(worth)

    def priced_on(self, span: tuple[date, date] | None, own: date) -> date:
        if self.q.fx.startswith("constant:"):
            return date.fromisoformat(self.q.fx.partition(":")[2])
        return day_of(self.end(span)) if self.q.fx == "period_end" else own

    def flow(
        self, date_of: str, wanted: Callable[[Row], bool], undated: str,
        number: Callable[[Deal, Row], Callable[[Fraction | None], Fraction | str] | None], *, money: bool,
        at_end: bool = False, trailing: bool = False,
    ) -> Cells:  # fmt: skip
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            moment = self.end(span) if at_end else self.q.moment
            current = not self.q.past and moment == self.q.moment and self._all_now(at_end)
            if trailing:
                last = day_of(moment) + timedelta(days=1)
                if span is not None and moment < self.q.moment:
                    last = span[1]
                year = last.year - 1
                first = last.replace(year=year, day=min(last.day, 28) if last.month == 2 else last.day)
                inside = (first, last)
            else:
                assert span is not None
                inside = span
            begin, end = midnight(inside[0]), midnight(inside[1])
            for deal, state in self.living(moment, current):
                when = {**state, "opened_at": deal.row["opened_at"]}[date_of]
                if not wanted(state):
                    continue
                if when is None:
                    if not left_out(number, deal, state):
                        self.add(cells, i, deal, state, moment, reason=undated)
                elif begin <= when < end:
                    day = self.priced_on(inside if trailing else span, day_of(when)) if money else None
                    self.add(cells, i, deal, state, when, number=number(deal, state), rate_day=day)
            if not current:
                for deal, state in self.unborn(moment):
                    closed = state["closed_at"]
                    meanwhile = (
                        wanted(state) and closed is not None and begin <= closed < end and closed <= moment
                    )
                    if (date_of == "opened_at" or meanwhile) and not left_out(number, deal, state):
                        self.add(cells, i, deal, state, moment, reason="no_open_date")
        return cells

    def _all_now(self, at_end: bool) -> bool:
        """Deleted deals are missing from the current tables, not from the past; one old bucket reads the past."""
        return not at_end or all(self.end(span) == self.q.moment for span in self.spans())

    def open(
        self, number: Callable[[Deal, Row], Callable[[Fraction | None], Fraction | str] | None], *, money: bool,
        due: bool = False, by_moment: Callable[[datetime], Any] | None = None,
    ) -> Cells:  # fmt: skip
        """`by_moment` makes the number for the moment of each bucket, where it depends on it."""
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            moment = self.end(span)
            number = by_moment(moment) if by_moment else number
            current = not self.q.past and self._all_now(True)
            day = self.priced_on(span, day_of(moment)) if money else None
            for deal, state in self.living(moment, current):
                if state["category"] != "open":
                    continue
                if due and state["due"] is None:
                    self.add(cells, i, deal, state, moment, reason="no_expected_close")
                elif not due or (span is not None and span[0] <= state["due"] < span[1]):
                    late = due and state["due"] < day_of(moment)
                    how = (lambda _: "past_due") if late else number(deal, state)
                    if late and state["amount"] is None:
                        how = lambda _: "no_amount"  # noqa: E731
                    self.add(cells, i, deal, state, moment, number=how, rate_day=day)
            if not current and not due:
                for deal, state in self.unborn(moment):
                    how = number(deal, state)
                    if how is not None and how(None) == "left out":
                        continue
                    if state["closed_at"] is None or state["closed_at"] > moment:
                        self.add(cells, i, deal, state, moment, reason="no_open_date")
        return cells

    # -- what was due -----------------------------------------------------------------------------------------------

    def due(self, wanted: Callable[[Row, Row, date, bool], bool], *, later: bool = False) -> Cells:
        """Deals that were open and due in a bucket (or `later`) when it began; `wanted` sees them then and at its end,
        the day after the bucket and whether it is over."""
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            assert span is not None
            begin, end = midnight(span[0]), self.end(span)
            if begin > self.q.moment:
                continue
            for deal, state in self.living(begin, False):
                if state["category"] != "open":
                    continue
                after = at_or_before(deal.versions(self.q.second_load), end)
                assert after is not None
                fits = state["due"] is not None and (
                    state["due"] >= span[1] if later else span[0] <= state["due"] < span[1]
                )
                over = midnight(span[1]) <= self.q.moment
                if state["due"] is None and not later and wanted(state, after, span[1], over):
                    self.add(cells, i, deal, state, begin, reason="no_expected_close")
                elif fits and wanted(state, after, span[1], over):
                    self.add(cells, i, deal, state, begin)
        return cells

    # -- what was put off ------------------------------------------------------------------------------------------

    def pushes(self, worth: Callable[[date, date, bool], Fraction | None]) -> Cells:
        """Each day on which an open deal came to be expected later; `worth` sees the day on which it was expected, that
        on which it is, and whether it is the deal's first push of the bucket."""
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            assert span is not None
            for deal, state in self.living(self.q.moment, not self.q.past):
                first = True
                for when, before, moved in self._pushes_of(deal, span):
                    counts, first = worth(before["due"], moved["due"], first), False
                    pushed = {**state, "credited": None, "owner": moved["owner"], "stage": moved["stage"]}
                    if counts is not None:
                        for group, *_ in self.groups(deal, pushed, when, deal.row["lines"]):
                            cell = cells.setdefault((i, group), Cell())
                            cell.total, cell.n = cell.total + counts, cell.n + 1
        return cells

    def _pushes_of(self, deal: Deal, span: tuple[date, date]) -> Iterable[tuple[datetime, Row, Row]]:
        """When, and the deal before and after."""
        versions = [(at, s) for at, s in deal.versions(self.q.second_load) if at <= self.q.moment]
        for day in sorted({day_of(at) for at, _ in versions}):
            earlier = [s for at, s in versions if day_of(at) < day]
            today = [(at, s) for at, s in versions if day_of(at) == day]
            if not earlier or not span[0] <= day < span[1]:
                continue
            before, last = earlier[-1], today[-1][1]
            still_open = before["category"] == last["category"] == "open"
            if still_open and before["due"] and last["due"] and last["due"] > before["due"]:
                dues = [before["due"], *(s["due"] for _, s in today)]
                n = max(n for n in range(len(today)) if dues[n] != dues[n + 1])
                yield (today[n][0], before, today[n][1])

    # -- time in a stage --------------------------------------------------------------------------------------------

    def entered(self, deal: Deal, moment: datetime) -> datetime | None:
        """Since when the deal has been in the stage that it was in at the moment."""
        found = stage = None
        for at, state in deal.versions(self.q.second_load):
            if at <= moment and (found is None or state["stage"] != stage):
                found, stage = at, state["stage"]
        return None if stage is None else found

    def age(self, moment: datetime) -> Any:
        def number(deal: Deal, state: Row) -> Any:
            since = self.entered(deal, moment)
            if since is None:
                return lambda _: "unknown_stage"
            return lambda _: Fraction((moment - since) // timedelta(microseconds=1), 86_400_000_000)

        return number

    def stalled(self, moment: datetime) -> Any:
        usual = self._usual_stays(moment)

        def number(deal: Deal, state: Row) -> Any:
            since = self.entered(deal, moment)
            if since is None:
                # Not in any stage that is known; or not heard of yet at all.
                known = deal.versions(self.q.second_load)[0][0] <= moment
                return (lambda _: "unknown_stage") if known else None
            if state["stage"] not in usual:
                return lambda _: "no_limit"
            age = Fraction((moment - since) // timedelta(microseconds=1), 1_000_000)
            return None if age > usual[state["stage"]] else (lambda _: "left out")

        return number

    def _usual_stays(self, moment: datetime) -> dict[str, Fraction]:
        found: dict[str, list[Fraction]] = defaultdict(list)
        year_ago = moment.replace(year=moment.year - 1)
        current = not self.q.past and self._all_now(True)
        for deal, state in self.living(moment, current):
            if state["category"] != "won" or state["closed_at"] is None:
                continue
            if year_ago < state["closed_at"] <= moment:
                versions = [(at, s["stage"]) for at, s in deal.versions(self.q.second_load)]
                for (since, stage), moves in _runs(versions):
                    if since < moment and CATEGORY.get(stage or "") == "open" and moves is not None:
                        found[stage or ""].append(
                            Fraction((moves - since) // timedelta(microseconds=1), 1_000_000)
                        )
        return {stage: quantile(stays, Fraction(3, 4)) for stage, stays in found.items()}

    # -- stages travelled -----------------------------------------------------------------------------------------

    def steps(self, wanted: Callable[[Step], Fraction | None]) -> Cells:
        """Each stage that a deal reached inside a bucket; `wanted` is what it counts for, None where it does not."""
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            assert span is not None
            begin, end = midnight(span[0]), midnight(span[1])
            for deal, state in self.living(self.q.moment, not self.q.past):
                for step in self._steps_of(deal, state):
                    if begin <= step.reached < end and (worth := wanted(step)) is not None:
                        for group, *_ in self.groups(deal, state, step.reached, [], step.stage):
                            cell = cells.setdefault((i, group), Cell())
                            if step.unknown:
                                cell.excluded["unknown_stages"] += 1
                            else:
                                cell.total, cell.n = cell.total + worth, cell.n + 1
                                cell.values.append(worth)
        return cells

    def _steps_of(self, deal: Deal, state: Row) -> Iterable[Step]:
        past = [(at, s["stage"]) for at, s in deal.versions(self.q.second_load) if at <= self.q.moment]
        furthest = 0
        for n, (at, stage) in enumerate(past):
            place = PLACE.get(stage, 0)
            if place <= furthest:
                continue
            for reached in ("new", "talk"):
                if furthest < PLACE[reached] <= place:
                    passed = [then for then, s in past[n:] if PLACE.get(s, 0) > PLACE[reached]]
                    yield Step(
                        reached, at, passed[0] if passed else None, state["category"], reached != stage,
                        furthest == 0 and (stage == "won" or any(s is None for _, s in past[:n])),
                    )  # fmt: skip
            furthest = place

    # -- lines ----------------------------------------------------------------------------------------------------

    def sold(
        self, number: Callable[[Deal, Row, Line | None], Fraction | str],
        currencies: Callable[[Deal, Row, Line | None], list[str]] = lambda deal, state, line: [],
    ) -> Cells:  # fmt: skip
        """Of won deals the lines, or None where there are none. `currencies`: that of the number, and what else must
        have a rate."""
        cells: Cells = {}
        moment = self.q.moment
        there = [
            (deal, state, line, None) for deal, state in self.living(moment, not self.q.past)
            for line in deal.row["lines"] or [None]
        ]  # fmt: skip
        later = [
            (deal, state, None, "no_open_date")
            for deal, state in (self.unborn(moment) if self.q.past else [])
            if state["closed_at"] is not None and state["closed_at"] <= moment
        ]
        for i, span in enumerate(self.spans()):
            assert span is not None
            for deal, state, line, reason in [*there, *later]:
                closed = state["closed_at"]
                inside = closed is None or midnight(span[0]) <= closed < midnight(span[1])
                if state["category"] != "won" or not inside:
                    continue
                what = self.what(line)
                if number(deal, state, line) == "left out" or what is None:
                    continue
                when = moment if reason or closed is None else closed
                for standing, share in pooled(self.standings(deal, state, when, recorded=not reason), self.q):
                    cell = cells.setdefault((i, tuple({**standing, **what}[d] for d in self.q.by)), Cell())
                    worth = number(deal, state, line)
                    if reason or closed is None:
                        worth = reason or "no_close_date"
                    elif isinstance(worth, Fraction) and (needed := currencies(deal, state, line)):
                        day = self.priced_on(span, day_of(closed))
                        rates = [self.model.rate(currency, self.q.currency, day) for currency in needed]
                        worth = "missing_fx" if None in rates else worth * (rates[0] or 0) * share
                    if isinstance(worth, str):
                        cell.excluded[worth] += 1
                    else:
                        cell.total += worth
                        cell.n += 1
                        cell.values.append(worth)
        return cells

    def cost(self, state: Row, line: Line | None) -> Fraction | None:
        """What a line cost when its deal was closed."""
        if line is None or line.product is None or state["closed_at"] is None:
            return None
        found = None
        for since, cost in self.model.products[line.product].costs:
            if found is None or since <= state["closed_at"]:
                found = (cost,)
        return None if found is None or found[0] is None else found[0] * line.quantity

    def wins(self) -> dict[str | None, list[tuple[datetime, Deal]]]:
        """The dated ones of each account, in their order."""
        found: dict[str | None, list[tuple[datetime, Deal]]] = defaultdict(list)
        for deal, state in self.living(self.q.moment, not self.q.past):
            if deal.row["account"] and state["category"] == "won" and state["closed_at"]:
                found[deal.row["account"]].append((state["closed_at"], deal))
        return {account: sorted(wins, key=lambda win: win[0]) for account, wins in found.items()}

    # -- quotas ---------------------------------------------------------------------------------------------------

    def leads_carriers(self, quota: Quota) -> bool:
        """Whether somebody below the holder carries a quota on a day of this one."""
        if id(quota) not in self.model.leading:
            self.model.leading[id(quota)] = self._leads_carriers(quota)
        return self.model.leading[id(quota)]

    def _leads_carriers(self, quota: Quota) -> bool:
        kind, holder = quota.holder
        for other in self.model.quotas:
            if other.holder[0] != "rep" or other.holder[1] == holder:
                continue
            day = max(quota.first, other.first)
            while day < min(quota.last, other.last):
                if holder in self.model.chain(other.holder[1], midnight(day))[1:]:
                    return kind == "rep"
                day += timedelta(days=1)
        return False

    def quota(self) -> Cells:
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            assert span is not None
            for quota in self.model.quotas:
                kind, _ = quota.holder
                assigned = kind != "rep" or self.leads_carriers(quota)
                finer = [
                    q for q in self.model.quotas
                    if q.holder == quota.holder and (q.last - q.first) < (quota.last - quota.first)
                ]  # fmt: skip
                rate = self.model.rate(quota.currency, self.q.currency, self.priced_on(span, quota.first))
                reasons: dict[Group, str] = {}
                day = max(span[0], quota.first)
                while day < min(span[1], quota.last):
                    group = (
                        None
                        if any(q.first <= day < q.last for q in finer)
                        else self._quota_group(quota, day, assigned)
                    )
                    if group is not None:
                        cell = cells.setdefault((i, group), Cell())
                        if assigned or rate is None:
                            reasons[group] = "assigned" if assigned else "missing_fx"
                        else:
                            cell.total += (
                                Fraction(quota.amount_on(day)) * rate / (quota.last - quota.first).days
                            )
                    day += timedelta(days=1)
                for group, reason in reasons.items():
                    cells[i, group].excluded[reason] += 1
        return cells

    def carriers(self) -> Cells:
        """By day, who carries a quota: the mean over the days of each bucket that have begun."""
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            assert span is not None
            first, last = self.begun(span)
            for n in range((last - first).days):
                day = first + timedelta(days=n)
                for rep in self.model.places:
                    if any(q.holder == ("rep", rep) and q.first <= day < q.last for q in self.model.quotas):
                        group = self._group_of(rep, day)
                        if group is not None:
                            cells.setdefault((i, group), Cell()).total += Fraction(1, (last - first).days)
        return cells

    def _counting(self) -> Iterable[Quota]:
        return (q for q in self.model.quotas if q.holder[0] == "rep" and not self.leads_carriers(q))

    def _runs_of(self, quota: Quota) -> Iterable[list[date]]:
        """The days on which one amount of it holds, and no finer quota."""
        finer = [
            q for q in self.model.quotas if q.holder == quota.holder and q.last - q.first < quota.last - quota.first
        ]  # fmt: skip
        begins = {quota.first, *(day for day, _ in quota.versions)}
        run: list[date] = []
        for day in days_between(quota.first, quota.last):
            covered = any(q.first <= day < q.last for q in finer)
            if run and (covered or day in begins):
                yield run
                run = []
            if not covered:
                run.append(day)
        if run:
            yield run

    def part(self, rep: str, some: Iterable[date], among: Iterable[date]) -> Fraction:
        week, days = self.model.weeks.get(rep) or self.model.usual, [*among]
        worked = sum(week.worked(day) for day in days) if week else Fraction(0)
        if not week or not worked:
            return Fraction(len([*some]), len(days))
        return sum((week.worked(day) for day in some), Fraction(0)) / worked

    def relief(self) -> Cells:
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            assert span is not None
            for relief in self.model.reliefs:
                state = relief.state(self.q.moment, self.q.second_load)
                if state != "approved" or (relief.deleted and not self.q.past):
                    continue
                for quota in self._counting():
                    if quota.holder[1] == relief.rep:
                        for run in self._runs_of(quota):
                            self._relieve(cells, i, span, relief, quota, run)
        return cells

    def _relieve(
        self, cells: Cells, i: int, span: tuple[date, date], relief: Relief, quota: Quota, run: list[date]
    ) -> None:
        here = [day for day in run if span[0] <= day < span[1]]
        for day in here:
            group = self._quota_group(quota, day, assigned=False)
            if group is None or not relief.first <= day < relief.last:
                continue
            if relief.share is not None:
                of_quota = Fraction(quota.amount_on(day)) * len(here) / (quota.last - quota.first).days
                worth = of_quota * relief.share * self.part(relief.rep, [day], here)
            else:
                of_days = self.part(relief.rep, [day], days_between(relief.first, relief.last))
                worth = (relief.amount or Fraction(0)) * of_days
            currency = relief.currency if relief.share is None else quota.currency
            rate = self.model.rate(currency, self.q.currency, self.priced_on(span, quota.first))
            cell = cells.setdefault((i, group), Cell())
            if rate is None:
                cell.excluded["missing_fx"] += 1
            else:
                cell.total, cell.n = cell.total + worth * rate, cell.n + 1

    def _places(self, quota: Quota, days: list[date]) -> Iterable[list[date]]:
        """The same days as far as the place asked for is one."""
        rep = quota.holder[1]
        leveled = any(name.startswith("manager_level_") for name in (*self.q.by, *self.q.filters))
        placed = "manager" in self.q.by or {"team", "territory"} & {*self.q.by, *self.q.filters}

        def where(day: date) -> Any:
            begins = midnight(day)
            if self.q.credit == "current":
                return None
            known = [state for at, state in self.model.places[rep] if at <= begins]
            chain = self.model.chain(rep, begins)
            below = set(self.q.filters.get("manager", ())) & set(chain)
            placing = len([*itertools.groupby(known)]) if placed else 0
            return bool(below), placing, tuple(chain) if leveled else ()

        return ([*group] for _, group in itertools.groupby(days, where))

    def begun_of_quota(
        self, number: Callable[[Quota, date, int, Fraction], Fraction], *, money: bool
    ) -> Cells:
        """`number` of a quota, one of its days, how many there are and the share of them that have begun."""
        cells: Cells = {}
        for i, span in enumerate(self.spans()):
            assert span is not None
            for quota in self._counting():
                rate = self.model.rate(quota.currency, self.q.currency, self.priced_on(span, quota.first))
                for run in self._runs_of(quota):
                    here = [day for day in run if span[0] <= day < span[1]]
                    for days in self._places(quota, here):
                        group = self._quota_group(quota, days[0], assigned=False)
                        begun = [day for day in days if day <= day_of(self.q.moment)]
                        if group is None or (money and rate is None):
                            continue
                        share = self.part(quota.holder[1], begun, days)
                        cell = cells.setdefault((i, group), Cell())
                        worth = number(quota, days[0], len(days), Fraction(1) if begun == days else share)
                        cell.total += worth * (rate or 1) if money else worth
        return cells

    def due_of_quota(self) -> Cells:
        def number(quota: Quota, day: date, length: int, share: Fraction) -> Fraction:
            return Fraction(quota.amount_on(day)) * length / (quota.last - quota.first).days * share

        return self.begun_of_quota(number, money=True)

    def days_of_quota(self) -> Cells:
        return self.begun_of_quota(lambda quota, day, length, share: Fraction(length), money=False)

    def days_begun(self) -> Cells:
        return self.begun_of_quota(lambda quota, day, length, share: length * share, money=False)

    def _quota_group(self, quota: Quota, day: date, assigned: bool) -> Group | None:
        kind, holder = quota.holder
        if kind == "rep":
            return self._group_of(holder, day, {"manager": holder} if assigned else {})
        return self._group_of(None, day, {kind: holder})

    def _group_of(self, rep: str | None, day: date, own: Row | None = None) -> Group | None:
        """Where a rep stands as a day begins; nothing where a filter is against it."""
        when = self.q.moment if self.q.credit == "current" else midnight(day)
        values = {
            "rep": rep, **self.model.place(rep, when), **self.model.levels(rep, when), **(own or {}),
        }  # fmt: skip
        for name, wanted in self.q.filters.items():
            if name == "manager":
                if not set(wanted) & set(self.model.chain(rep, when)):
                    return None
            elif values[name] not in wanted:
                return None
        return tuple(values[d] for d in self.q.by)


def pooled(standings: list[tuple[Row, Fraction]], q: Question) -> list[tuple[Row, Fraction]]:
    """Those who stand in one group as one: their shares together, but of a team each has all of it."""
    found: dict[Group, tuple[Row, Fraction]] = {}
    for values, share in standings:
        group = tuple(values[d] for d in q.by if d not in WHAT)
        before = found[group][1] if group in found else Fraction(0)
        found[group] = (values, Fraction(1) if q.attribution in ("owner", "team") else before + share)
    return list(found.values())


def forecast(deal: Deal, state: Row) -> str | None:
    return deal.row["forecast"] or FORECAST.get(state["stage"])


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def pick(dice: random.Random, options: list[Any], chance_of_none: float = 0.0) -> Any:
    return None if dice.random() < chance_of_none else dice.choice(options)
