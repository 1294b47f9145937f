"""What is expected of whom, by plain loops over days: random quotas, and their numbers without a look at the engine."""

from __future__ import annotations

import calendar
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from app.ground.fiscal import Rule

Row = dict[str, Any]
Month = tuple[int, int]

FIRST, LAST = date(2025, 1, 1), date(2027, 1, 1)
CHANGED = date(2025, 7, 1)
"""When quotas and schedules got the terms that they have now."""
BEFORE = date(2025, 6, 10)
LEADS, TEAMS, LANDS = 4, 3, 3
LEVELS = ("manager", "team", "territory")
FISCAL = Rule(pattern="weeks_4_4_5", start_month=2, week_starts_on="sunday")


def days(first: date, last: date) -> Iterator[date]:
    while first < last:
        yield first
        first += timedelta(days=1)


def months_after(day: date, count: int) -> date:
    """The same day so many months later, or the last of a month that has none."""
    index = day.year * 12 + day.month - 1 + count
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True)
class Terms:
    amount: int
    seasonality: tuple[float, ...] | None
    schedule: str | None


@dataclass(frozen=True)
class Quota:
    key: str
    rep: str
    period: str
    first: date
    last: date
    months: tuple[date, ...]
    """First days of its months, calendar or fiscal."""
    now: Terms
    before: Terms
    versions: tuple[tuple[date, int], ...]

    def seasons(self, terms: Terms) -> list[tuple[date, date, Fraction]]:
        """First day, day after the last, part of the amount."""
        if terms.seasonality is None:
            return [(self.first, self.last, Fraction(1))]
        weights = [Fraction(str(weight)) for weight in terms.seasonality]
        starts = self.months[:: len(self.months) // len(weights)]
        ends = [*starts[1:], self.last]
        return [(a, b, w / sum(weights)) for a, b, w in zip(starts, ends, weights, strict=True)]


@dataclass(frozen=True)
class Relief:
    key: str
    rep: str
    first: date
    last: date
    share: Fraction | None
    amount: int | None


@dataclass(frozen=True)
class Rep:
    key: str
    hired: date | None
    places: tuple[tuple[date, str, str, str], ...]
    """From when on: lead, team, territory."""

    def place(self, day: date) -> tuple[str, str, str]:
        *_, (_, *place) = (x for x in self.places if x[0] <= day)
        return tuple(place)  # type: ignore[return-value]


@dataclass(frozen=True)
class Deal:
    key: str
    rep: str
    day: date
    amount: int


class Stretch(NamedTuple):
    """Days of one quota that count alike, in one month and one place of its rep."""

    quota: Quota
    month: Month
    run: int
    place: tuple[str, str, str]
    a_day: Fraction
    ramped: Fraction


@dataclass
class Company:
    reps: dict[str, Rep] = field(default_factory=dict)
    schedules: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    """Its months now, and as they were."""
    quotas: list[Quota] = field(default_factory=list)
    reliefs: list[Relief] = field(default_factory=list)
    deals: list[Deal] = field(default_factory=list)

    # -- by plain loops ----------------------------------------------------------------------------------------------

    def assigned(self, quota: Quota) -> bool:
        """Whether somebody below its rep carries a quota on a day of it."""
        return any(
            self.reps[q.rep].place(day)[0] == quota.rep
            for q in (self.quotas if quota.rep.startswith("lead") else ())
            for day in days(max(q.first, quota.first), min(q.last, quota.last))
        )

    def ramped(self, quota: Quota, terms: Terms, day: date, *, before: bool) -> tuple[int, Fraction]:
        """The month of the career, and what is expected in it."""
        hired = self.reps[quota.rep].hired
        if terms.schedule is None or hired is None:
            return 0, Fraction(1)
        if day < hired:
            return 0, Fraction(0)
        shares = self.schedules[terms.schedule][before]
        number = 0
        while number < len(shares) and months_after(hired, number + 1) <= day:
            number += 1
        return number + 1, Fraction(str(shares[number])) if number < len(shares) else Fraction(1)

    def stretches(self, *, before: bool = False) -> dict[Stretch, list[date]]:
        found: dict[Stretch, list[date]] = defaultdict(list)
        by_rep: dict[str, list[Quota]] = defaultdict(list)
        for quota in self.quotas:
            by_rep[quota.rep].append(quota)
        for quota in self.quotas:
            if self.assigned(quota):
                continue
            terms = quota.before if before else quota.now
            shorter = [q for q in by_rep[quota.rep] if q.last - q.first < quota.last - quota.first]
            run, alike = 0, None
            for day in days(quota.first, quota.last):
                if any(q.first <= day < q.last for q in shorter):
                    alike = None
                    continue
                [(a, b, part)] = [x for x in quota.seasons(terms) if x[0] <= day < x[1]]
                version = [v for v in quota.versions if v[0] <= day]
                amount = version[-1][1] if version else terms.amount
                number, ramped = self.ramped(quota, terms, day, before=before)
                now = (a, len(version), number)
                run, alike = (run, alike) if now == alike else (run + 1, now)
                a_day = amount * part / (b - a).days
                stretch = Stretch(
                    quota, (day.year, day.month), run, self.reps[quota.rep].place(day), a_day, ramped
                )
                found[stretch].append(day)
        return found

    def let_off(self, stretches: dict[Stretch, list[date]]) -> dict[tuple[str, Month], Fraction]:
        """By rep and month. A share is of what a month has of days that count alike, by days worked."""
        found: dict[tuple[str, Month], Fraction] = defaultdict(Fraction)
        alike: dict[tuple[Quota, Month, int], list[tuple[date, Fraction]]] = defaultdict(list)
        for s, on in stretches.items():
            alike[s.quota, s.month, s.run] += [(day, s.a_day * s.ramped) for day in on]
        of_rep: dict[str, list[Relief]] = defaultdict(list)
        for relief in self.reliefs:
            of_rep[relief.rep].append(relief)
        for (quota, month, _), counted in alike.items():
            for relief in of_rep[quota.rep]:
                inside = [day for day, _ in counted if relief.first <= day < relief.last]
                if relief.share is not None:
                    worth = relief.share * sum(value for _, value in counted)
                    of = [day for day, _ in counted]
                else:
                    worth, of = Fraction(relief.amount or 0), [*days(relief.first, relief.last)]
                found[quota.rep, month] += worth * _worked(inside, of)
        return found


def _worked(some: list[date], of: list[date]) -> Fraction:
    """Monday to Friday; all days where no such day is among them."""
    week = [day for day in of if day.weekday() < 5]
    counted = week or of
    return Fraction(sum(day in counted for day in some), len(counted))


def due(stretches: dict[Stretch, list[date]], today: date) -> dict[tuple[str, Month], Fraction]:
    """By rep and month, what is expected of days that have begun, by days worked."""
    found: dict[tuple[str, Month], Fraction] = defaultdict(Fraction)
    alike: dict[tuple[Quota, Month, int], list[tuple[date, Fraction]]] = defaultdict(list)
    for s, on in stretches.items():
        alike[s.quota, s.month, s.run] += [(day, s.a_day * s.ramped) for day in on]
    for (quota, month, _), counted in alike.items():
        begun = _worked([d for d, _ in counted if d <= today], [d for d, _ in counted])
        found[quota.rep, month] += begun * sum(value for _, value in counted)
    return found


def added(
    stretches: dict[Stretch, list[date]], by: str, *, ramp: bool = True
) -> dict[tuple[str, Month], Fraction]:
    """By rep, lead, team or territory, and month."""
    found: dict[tuple[str, Month], Fraction] = defaultdict(Fraction)
    for s, on in stretches.items():
        group = s.quota.rep if by == "rep" else s.place[LEVELS.index(by)]
        found[group, s.month] += len(on) * s.a_day * (s.ramped if ramp else 1)
    return found


# --- invented ---------------------------------------------------------------------------------------------------------


def invent(seed: int, count: int) -> Company:
    """So many quotas; leads carry some of their own."""
    dice, made = random.Random(seed), Company()
    for n in range(3 + count // 20):
        now = [dice.randrange(0, 10_001) / 10_000 for _ in range(dice.randint(1, 8))]
        made.schedules[f"s{n}"] = now, [*now[1:], 0.5]
    for n in range(LEADS):
        made.reps[f"lead{n}"] = Rep(f"lead{n}", None, ((date(2000, 1, 1), "boss", "team0", "land0"),))
    while len(made.quotas) < count:
        key = f"rep{len(made.reps)}"
        made.reps[key] = _rep(dice, key)
        _give(dice, made, key)
    for n in range(LEADS):
        _give(dice, made, f"lead{n}", most=1)
    return made


def _rep(dice: random.Random, key: str) -> Rep:
    hired = date(2024, 6, 1) + timedelta(days=dice.randrange(800)) if dice.random() < 0.9 else None
    moves = sorted({FIRST + timedelta(days=dice.randrange(700)) for _ in range(dice.choice((0, 0, 1, 2)))})
    places = tuple(
        (day, f"lead{dice.randrange(LEADS)}", f"team{dice.randrange(TEAMS)}", f"land{dice.randrange(LANDS)}")
        for day in (date(2000, 1, 1), *moves)
    )
    return Rep(key, hired, places)


def _give(dice: random.Random, made: Company, rep: str, most: int = 4) -> None:
    periods = _fiscal() if dice.random() < 0.3 else _calendar()
    for n, (period, starts, last) in enumerate(dice.sample(periods, dice.randint(1, most))):
        first = starts[0]
        terms = _terms(dice, made, len(starts))
        length = (last - first).days
        changes = {first + timedelta(days=dice.randrange(length)) for _ in range(dice.choice((0, 0, 1, 2)))}
        made.quotas.append(
            Quota(
                f"{rep}-{n}", rep, period, first, last, tuple(starts), terms,
                terms if dice.random() < 0.5 else _terms(dice, made, len(starts)),
                tuple((day, dice.randrange(1, 10**6)) for day in sorted(changes)),
            )
        )  # fmt: skip
        made.deals.append(
            Deal(f"{rep}-{n}", rep, FIRST + timedelta(days=dice.randrange(700)), dice.randrange(10**5))
        )
        if dice.random() < 0.4:
            began = first + timedelta(days=dice.randrange(-9, length))
            share = Fraction(dice.randrange(10**6), 10**6) if dice.random() < 0.7 else None
            made.reliefs.append(
                Relief(
                    f"{rep}-{n}", rep, began, began + timedelta(days=dice.randrange(1, 60)),
                    share, dice.randrange(9_000) if share is None else None,
                )
            )  # fmt: skip


def _terms(dice: random.Random, made: Company, count: int) -> Terms:
    weights = None
    if count > 1 and dice.random() < 0.6:
        weights = tuple(
            dice.choice((0, 1, 2, dice.randrange(10_000) / 100, dice.randrange(50_000_000) / 10_000))
            for _ in range(dice.choice((12, 4)) if count == 12 else count)
        )
        weights = weights if any(weights) else (1, *weights[1:])
    schedule = dice.choice([*made.schedules]) if dice.random() < 0.5 else None
    return Terms(dice.randrange(10**6), weights, schedule)


def _calendar() -> list[tuple[str, list[date], date]]:
    found = []
    for year in (2025, 2026):
        starts, last = [date(year, n, 1) for n in range(1, 13)], date(year + 1, 1, 1)
        found.append((str(year), starts, last))
        found += [
            (f"{year}-Q{q + 1}", starts[3 * q : 3 * q + 3], [*starts, last][3 * q + 3]) for q in range(4)
        ]
        found += [(f"{year}-{n + 1:02}", starts[n : n + 1], [*starts, last][n + 1]) for n in range(12)]
    return found


def _fiscal() -> list[tuple[str, list[date], date]]:
    found = []
    for year in (2026, 2027):
        periods = FISCAL.year(year)
        starts, last = [p.starts_on for p in periods], periods[-1].ends_on
        found.append((f"FY{year}", starts, last))
        found += [
            (f"FY{year}-Q{q + 1}", starts[3 * q : 3 * q + 3], [*starts, last][3 * q + 3]) for q in range(4)
        ]
    return found
