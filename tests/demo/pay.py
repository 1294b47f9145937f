"""What the demo's reps earn, by plain Python from the generated rows: deal by deal, without the engine.

A plan's terms are read from its rows, and what they mean is worked out here a second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any

from tests.demo.oracle import Oracle, quarter

Row = dict[str, Any]
QUARTERS = [
    quarter(2025, 1),
    quarter(2025, 2),
    quarter(2025, 3),
    quarter(2025, 4),
    *(quarter(2026, x) for x in (1, 2, 3)),
]
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Credit:
    closed_at: datetime
    deal: Row
    rep: str
    share: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Earned:
    plan: str
    rep: str
    component: str
    amount: Decimal


def cents(exact: Decimal) -> Decimal:
    return exact.quantize(_CENT, ROUND_HALF_UP)


class Payroll:
    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle
        self.versions: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(oracle.demo["comp_plan_versions"], key=lambda x: x["effective_from"]):
            self.versions[row["plan_id"]].append(row)

    @cached_property
    def quarters(self) -> dict[date, list[Earned]]:
        """By the first day; draws included, each after what the quarters before it have advanced."""
        advanced: dict[str, Decimal] = defaultdict(Decimal)
        found: dict[date, list[Earned]] = {}
        for period in QUARTERS:
            lines = list(self._of(period))
            for plan, rep, component in self._draws(period):
                earned = sum((x.amount for x in lines if x.rep == rep), Decimal(0))
                least = Decimal(component["amount"])
                drawn = least - earned if earned < least else -min(advanced[rep], earned - least)
                advanced[rep] += drawn
                if drawn:
                    lines.append(Earned(plan, rep, component["code"], drawn))
            found[period[0]] = lines
        return found

    def by_rep(self, first: date) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for x in self.quarters[first]:
            sums[x.rep] += x.amount
        return {rep: amount for rep, amount in sums.items() if amount}

    def by_plan(self, first: date) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for x in self.quarters[first]:
            sums[x.plan] += x.amount
        return dict(sums)

    def _assigned(self, period: tuple[date, date]) -> Iterator[tuple[Row, Row]]:
        """Whoever is on a plan for the whole quarter, which here is everyone on it, with the terms in force."""
        first, last = (x.isoformat() for x in period)
        for row in self.oracle.demo["plan_assignments"]:
            if row["starts_on"] < last and (row["ends_on"] or "9999") > first:
                assert row["starts_on"] <= first
                assert (row["ends_on"] or "9999") >= last
                yield row, [x for x in self.versions[row["plan_id"]] if x["effective_from"] <= first][-1]

    def _draws(self, period: tuple[date, date]) -> Iterator[tuple[str, str, Row]]:
        for row, terms in self._assigned(period):
            for component in terms["components"]:
                if component["kind"] == "draw":
                    yield row["plan_id"], row["rep_id"], component

    def _of(self, period: tuple[date, date]) -> Iterator[Earned]:
        own, overlays = self._credits(period, "revenue"), self._credits(period, "overlay")
        quotas = self.oracle.quotas(period)
        for row, terms in self._assigned(period):
            rep = row["rep_id"]
            for component in terms["components"]:
                match component["kind"]:
                    case "commission":
                        mine = [x for x in own if x.rep == rep]
                        amounts = _tiered(mine, component, terms["tiers"], quotas.get(rep))
                    case "spiff":
                        assert component["applies_when"] == "term_months >= 24"
                        amounts = [
                            cents(component["amount"] * x.share) for x in own
                            if x.rep == rep and (x.deal.get("term_months") or 0) >= 24
                            and component["starts_on"] <= x.closed_at.date().isoformat() < component["ends_on"]
                        ]  # fmt: skip
                    case "overlay":
                        amounts = [
                            cents(x.amount * _exact(component["rate"])) for x in overlays if x.rep == rep
                        ]
                    case "override":
                        amounts = [cents(x.amount * _exact(component["rate"])) for x in self._below(rep, own)]
                    case "bonus":
                        least = Decimal(component["applies_when"].removeprefix("credited >= "))
                        reached = sum((x.amount for x in self._below(rep, own)), Decimal(0))
                        amounts = [Decimal(component["amount"])] if reached >= least else []
                    case _:
                        amounts = []
                yield Earned(row["plan_id"], rep, component["code"], sum(amounts, Decimal(0)))

    def _credits(self, period: tuple[date, date], kind: str) -> list[Credit]:
        """In the order of the closes. Whoever holds a revenue split has that, else who was credited has all of it."""
        found = []
        for deal, state in self.oracle.closed(period, "won"):
            priced = self.oracle.priced(deal, state, state["closed_at"].date())
            if priced is None:
                continue
            held = [x for x in deal.row.get("splits", ()) if x["kind"] == kind]
            shares = [(x["rep_id"], _exact(x["share"])) for x in held]
            if kind == "revenue" and not shares:
                shares = [(state["credited"], Decimal(1))]
            found += [
                Credit(state["closed_at"], deal.row, rep, share, priced * share) for rep, share in shares
            ]
        return sorted(found, key=lambda x: (x.closed_at, x.deal["external_id"]))

    def _below(self, leader: str, credits: list[Credit]) -> list[Credit]:
        return [x for x in credits if leader in self._above(x.rep, x.closed_at)]

    def _above(self, rep: str | None, when: datetime) -> Iterator[str]:
        while rep and (rep := self.oracle.rep_at(rep, when)["manager_id"]):
            yield rep


def _tiered(credits: list[Credit], component: Row, tiers: list[Row], target: Decimal | None) -> list[Decimal]:
    if target is None:
        return []
    total = sum((x.amount for x in credits), Decimal(0))
    if component["tiering"] == "retroactive":
        rate = [x["rate"] for x in tiers if total >= _exact(x["above"]) * target][-1]
        return [cents(x.amount * _exact(rate)) for x in credits]
    paid, reached = [], Decimal(0)
    for credit in credits:
        low, reached = reached, reached + credit.amount
        exact = Decimal(0)
        for tier, above in zip(tiers, [*tiers[1:], None], strict=True):
            begins = _exact(tier["above"]) * target
            ends = _exact(above["above"]) * target if above else max(reached, begins)
            exact += max(min(reached, ends) - max(low, begins), Decimal(0)) * _exact(tier["rate"])
        paid.append(cents(exact))
    return paid


def _exact(number: float) -> Decimal:
    return Decimal(str(number))
