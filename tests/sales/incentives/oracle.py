"""Pay reckoned from nothing: plain loops over plain data, in exact fractions, by the words of the fields alone.

It knows no lines that stand, no order of arrival and no SQL: what a period has earned follows from the deals, terms,
targets, rates and managers as they are known now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

Id = Any
"""Of a record: whatever has an order, since ties are broken by it."""


class Split(NamedTuple):
    rep: Id
    kind: str
    share: Fraction


@dataclass(frozen=True)
class Deal:
    """`owner` is who was credited at the close. `reversed_at`: won once and not any more, since then."""

    id: Id
    amount: Fraction | None
    currency: str
    owner: Id
    closed_at: datetime
    closed_on: date
    splits: tuple[Split, ...] = ()
    reversed_at: datetime | None = None
    type: str | None = None
    booked: bool = False
    paid: bool = False
    decimals: int = 0
    """How many its amount is told with."""


@dataclass(frozen=True)
class Component:
    code: str
    kind: str = "commission"
    rate: Fraction | None = None
    amount: Fraction | None = None
    tiers: tuple[tuple[Fraction, Fraction], ...] = ()
    """(above, rate), from the lowest up."""
    tiered_by: str | None = None
    tiering: str | None = None
    threshold: Fraction | None = None
    cap: Fraction | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    hold_until: str | None = None
    clawback_days: int | None = None
    of_type: str | None = None
    """`applies_when: type = '…'`."""
    attained: Fraction | None = None
    """`applies_when: attainment >= …`, of a bonus."""
    formula: Callable[[Fraction, Fraction | None], Fraction | None] | None = None
    """Of a credit and the attainment."""


@dataclass(frozen=True)
class Version:
    effective_from: date
    components: tuple[Component, ...]


@dataclass(frozen=True)
class Plan:
    currency: str
    versions: tuple[Version, ...]


@dataclass(frozen=True)
class Assignment:
    id: Id
    plan: Id
    rep: Id
    starts_on: date
    ends_on: date | None = None
    target: Fraction | None = None


class Rate(NamedTuple):
    source: str
    target: str
    day: date
    rate: Fraction


@dataclass(frozen=True)
class World:
    deals: Sequence[Deal]
    plans: Mapping[Id, Plan]
    assignments: Sequence[Assignment]
    rates: Sequence[Rate]
    managers: Mapping[Id, Sequence[tuple[datetime, Id | None]]]
    """Of each rep: since when by whom, from the earliest on; the first holds for all time before."""
    digits: Mapping[str, int]
    home: str = "USD"


class Key(NamedTuple):
    rep: Id
    currency: str
    component: str
    deal: Id | None
    credited: Id | None
    tier: int
    account: str


@dataclass
class _Credit:
    deal: Deal
    rep: Id | None
    """Of an override, whose credit it is."""
    share: Fraction
    amount: Fraction | None
    before: Fraction = field(default_factory=Fraction)


def rounded(exact: Fraction, digits: int) -> Fraction:
    """Half away from zero."""
    units = abs(exact) * 10**digits
    whole = (2 * units.numerator + units.denominator) // (2 * units.denominator)
    return Fraction(whole if exact >= 0 else -whole, 10**digits)


def half_even(exact: Fraction, digits: int) -> Fraction:
    return Fraction(round(exact * 10**digits), 10**digits)


def parts(amount: Fraction, shares: Mapping[Id, Fraction], unit: Fraction) -> dict[Id, Fraction]:
    """The whole by largest remainder, ties by id: as many units as are left over go to those that lost most."""
    exact = {who: amount * share / unit for who, share in shares.items()}
    units = {who: x.numerator // x.denominator for who, x in exact.items()}
    left = amount / unit - sum(units.values())
    for who in sorted(shares, key=lambda x: (units[x] - exact[x], x))[: int(left)]:
        units[who] += 1
    return {who: x * unit for who, x in units.items()}


def price(world: World, source: str, target: str, day: date) -> Fraction | None:
    """The latest direct rate, else the inverse of the opposite one, else across the home currency."""
    if source == target:
        return Fraction(1)

    def latest(a: str, b: str) -> Fraction | None:
        known = [x for x in world.rates if (x.source, x.target) == (a, b) and x.day <= day]
        return max(known, key=lambda x: x.day).rate if known else None

    def either(a: str, b: str) -> Fraction | None:
        direct, opposite = latest(a, b), latest(b, a)
        if direct is not None:
            return direct
        return None if opposite is None else half_even(1 / opposite, 12)

    found = either(source, target)
    if found is None and world.home not in (source, target):
        there, back = either(source, world.home), either(world.home, target)
        if there is not None and back is not None:
            found = half_even(there * back, 12)
    return found


def _manager(world: World, rep: Id, at: datetime) -> Id | None:
    told = world.managers.get(rep, ())
    current = told[0][1] if told else None
    for since, manager in told:
        if since <= at:
            current = manager
    return current


def _above(world: World, rep: Id, at: datetime) -> Iterable[Id]:
    seen = {rep}
    while (rep := _manager(world, rep, at)) is not None and rep not in seen:
        seen.add(rep)
        yield rep


def _shares(deal: Deal) -> dict[Id, Fraction]:
    told = [x for x in deal.splits if x.kind == "revenue"]
    return {x.rep: x.share for x in told} or {deal.owner: Fraction(1)}


def _held(
    world: World, deal: Deal, rep: Id, via: str
) -> Iterable[tuple[Id | None, Fraction, Fraction | None]]:
    """What of a deal a rep is credited with: (whose it is, share, amount in its own currency)."""
    if via == "overlay":
        for split in deal.splits:
            if split.kind == "overlay" and split.rep == rep:
                yield None, split.share, None if deal.amount is None else deal.amount * split.share
        return
    shares = _shares(deal)
    unit = Fraction(1, 10 ** max(world.digits.get(deal.currency, 2), deal.decimals))
    cut: Mapping[Id, Fraction | None] = (
        dict.fromkeys(shares) if deal.amount is None else parts(deal.amount, shares, unit)
    )
    for who, share in shares.items():
        if via == "own" and who == rep:
            yield None, share, cut[who]
        elif via == "team" and who is not None and rep in _above(world, who, deal.closed_at):
            yield who, share, cut[who]


_VIA = {"overlay": "overlay", "override": "team"}


def _via(component: Component) -> str:
    return _VIA.get(component.kind, "own")


def _credits(
    world: World, assignment: Assignment, version: Version, days: tuple[date, date], via: str
) -> list[_Credit]:
    """In the order of their closes. A deal that was reversed is credited as long as some component keeps it."""
    keeps = [x.clawback_days for x in version.components if x.clawback_days is not None]
    found: list[_Credit] = []
    for deal in world.deals:
        if not days[0] <= deal.closed_on < days[1]:
            continue
        if deal.reversed_at is not None and not any(_kept(deal, x) for x in keeps):
            continue
        rate = price(world, deal.currency, world.plans[assignment.plan].currency, deal.closed_on)
        for who, share, amount in _held(world, deal, assignment.rep, via):
            priced = None if amount is None or rate is None else amount * rate
            found.append(_Credit(deal, who, share, priced))
    found.sort(key=lambda x: (x.deal.closed_at, x.deal.id, "" if x.rep is None else str(x.rep)))
    reached = Fraction(0)
    for credit in found:
        credit.before = reached
        reached += credit.amount or 0
    return found


def _kept(deal: Deal, days: int | None) -> bool:
    if deal.reversed_at is None:
        return True
    return days is not None and deal.reversed_at > deal.closed_at + timedelta(days=days)


def clamped(value: Fraction, low: Fraction | None, high: Fraction | None) -> Fraction:
    if low is not None and value < low:
        return low
    return high if high is not None and value > high else value


def _pieces(
    component: Component,
    credit: _Credit,
    total: Fraction | None,
    attainment: Fraction | None,
    base: Fraction | None,
) -> list[tuple[int, Fraction]]:
    """(tier, what it earns exactly)."""
    amount = credit.amount
    if amount is None:
        return []
    if (component.threshold is not None or component.tiered_by == "attainment") and attainment is None:
        return []
    if component.threshold is not None and attainment is not None and attainment < component.threshold:
        return []
    if component.amount is not None:
        return [(0, component.amount * credit.share)]
    if component.formula is not None:
        told = component.formula(amount, attainment)
        return [] if told is None else [(0, told)]
    if component.rate is not None:
        return [(0, amount * component.rate)]
    assert base is not None
    assert total is not None
    pieces = []
    for number, (above, rate) in enumerate(component.tiers, 1):
        low = None if number == 1 else above * base
        high = component.tiers[number][0] * base if number < len(component.tiers) else None
        if component.tiering == "retroactive":
            if (low is None or total >= low) and (high is None or total < high):
                pieces.append((number, amount * rate))
        else:
            after, before = (clamped(x, low, high) for x in (credit.before + amount, credit.before))
            if after != before:
                pieces.append((number, (after - before) * rate))
    return pieces


def in_force(plan: Plan, day: date) -> Version | None:
    published = [x for x in plan.versions if x.effective_from <= day]
    return max(published, key=lambda x: x.effective_from, default=None)


def earned(world: World, period: tuple[date, date]) -> dict[Key, Fraction]:
    """What the period has earned; what comes to nothing is left out."""
    found: dict[Key, Fraction] = defaultdict(Fraction)
    for assignment in world.assignments:
        first = max(assignment.starts_on, period[0])
        last = min(assignment.ends_on or date.max, period[1])
        if first >= last:
            continue
        plan = world.plans[assignment.plan]
        version = in_force(plan, first)
        if version is None:
            continue
        target = assignment.target
        if target is not None and (first, last) != period:
            target = half_even(target * (last - first).days / (period[1] - period[0]).days, 6)
        digits = world.digits[plan.currency]
        for component in version.components:
            if component.kind == "draw":
                continue
            via = _via(component)
            if component.kind == "bonus":
                via = "team" if any(x.kind == "override" for x in version.components) else "own"
            credits = _credits(world, assignment, version, (first, last), via)
            known = [x.amount for x in credits if x.amount is not None]
            total = sum(known, Fraction(0)) if known else None
            attainment = None if total is None or not target else total / target
            if component.kind == "bonus":
                reached = None if not target else (total or 0) / target
                if component.attained is None or (reached is not None and reached >= component.attained):
                    assert component.amount is not None
                    key = Key(assignment.rep, plan.currency, component.code, None, None, 0, "payable")
                    found[key] += rounded(component.amount, digits)
                continue
            base = Fraction(1) if component.tiered_by == "credited" else target or None
            ran = Fraction(0)
            for credit in credits:
                deal = credit.deal
                if component.of_type is not None and deal.type != component.of_type:
                    continue
                if component.starts_on is not None and deal.closed_on < component.starts_on:
                    continue
                if component.ends_on is not None and deal.closed_on >= component.ends_on:
                    continue
                if not _kept(deal, component.clawback_days):
                    continue
                waits = {"booked": not deal.booked, "paid": not deal.paid}.get(
                    component.hold_until or "", False
                )
                exact = Fraction(0)
                for tier, piece in _pieces(component, credit, total, attainment, base):
                    earns = rounded(exact + piece, digits) - rounded(exact, digits)
                    exact += piece
                    if component.cap is not None:
                        pays = min(ran + earns, component.cap) - min(ran, component.cap)
                        ran += earns
                    else:
                        pays = earns
                    key = Key(
                        assignment.rep, plan.currency, component.code, deal.id, credit.rep, tier,
                        "held" if waits else "payable",
                    )  # fmt: skip
                    found[key] += pays
    return {key: amount for key, amount in found.items() if amount}


def summed(lines: Mapping[Key, Fraction], *names: str) -> dict[Hashable, Fraction]:
    """By some of the key's fields."""
    found: dict[Hashable, Fraction] = defaultdict(Fraction)
    for key, amount in lines.items():
        found[tuple(getattr(key, x) for x in names)] += amount
    return {key: amount for key, amount in found.items() if amount}


def drawn(offered: Fraction, posted: Fraction, advanced: Fraction, *, recoverable: bool) -> Fraction:
    """What a draw pays beside what is posted: up to the draw, or back from what is above it."""
    if posted < offered:
        return offered - posted
    return -min(max(advanced, Fraction(0)), posted - offered) if recoverable else Fraction(0)
