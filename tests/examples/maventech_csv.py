"""What the MavenTech files say, by the csv module and exact numbers; nothing of Attain or of the loader is used."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "maventech"
"""Beside the clone. Without it the test fails: a check that is left out proves nothing."""

Key = Callable[["Deal"], str | None]


@dataclass(frozen=True)
class Deal:
    id: str
    agent: str
    product: str
    account: str | None
    stage: str
    engaged: date | None
    closed: date | None
    value: int | None


@dataclass(frozen=True)
class Sums:
    """Of the deals that were closed, in all or in one group."""

    bookings: int
    won: int
    lost: int
    days: int

    @property
    def expected(self) -> dict[str, Fraction | None]:
        closed = self.won + self.lost
        return {
            "bookings": Fraction(self.bookings),
            "won_deals": Fraction(self.won),
            "lost_deals": Fraction(self.lost),
            "win_rate": Fraction(self.won, closed) if closed else None,
            "average_deal_size": Fraction(self.bookings, self.won) if self.won else None,
            "sales_cycle": Fraction(self.days, self.won) if self.won else None,
        }


class Files:
    def __init__(self, folder: Path = FOLDER) -> None:
        def rows(name: str) -> list[dict[str, str]]:
            with (folder / name).open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))

        def day(text: str) -> date | None:
            return date.fromisoformat(text) if text else None

        self.team = {row["sales_agent"]: row for row in rows("sales_teams.csv")}
        self.accounts = {row["account"]: row for row in rows("accounts.csv")}
        self.deals = [
            Deal(
                row["opportunity_id"],
                row["sales_agent"],
                "GTX Pro" if row["product"] == "GTXPro" else row["product"],
                row["account"] or None,
                row["deal_stage"],
                day(row["engage_date"]),
                day(row["close_date"]),
                int(row["close_value"]) if row["close_value"] else None,
            )
            for row in rows("sales_pipeline.csv")
        ]

    def month(self, deal: Deal) -> str | None:
        return f"{deal.closed:%Y-%m}-01" if deal.closed else None

    def rep(self, deal: Deal) -> str:
        return deal.agent

    def manager(self, deal: Deal) -> str:
        return self.team[deal.agent]["manager"]

    def territory(self, deal: Deal) -> str:
        return self.team[deal.agent]["regional_office"]

    def industry(self, deal: Deal) -> str | None:
        if deal.account is None:
            return None
        sector = self.accounts[deal.account]["sector"]
        return "technology" if sector == "technolgy" else sector

    def product(self, deal: Deal) -> str:
        return deal.product

    def by(self, key: Key) -> dict[str | None, Sums]:
        groups: dict[str | None, list[Deal]] = defaultdict(list)
        for deal in self.deals:
            if deal.stage in ("Won", "Lost"):
                groups[key(deal)].append(deal)
        return {name: self._sums(deals) for name, deals in groups.items()}

    def total(self) -> Sums:
        return self.by(lambda _: None)[None]

    def open_on(self, day: date, key: Key = lambda _: None) -> dict[str | None, int]:
        """Engaged by the start of the day and not yet closed then; those without an engage date are nowhere."""
        counts: dict[str | None, int] = defaultdict(int)
        for deal in self.deals:
            if deal.engaged and deal.engaged <= day and (deal.closed is None or deal.closed > day):
                counts[key(deal)] += 1
        return dict(counts)

    def _sums(self, deals: list[Deal]) -> Sums:
        won = [deal for deal in deals if deal.stage == "Won"]
        return Sums(
            bookings=sum(deal.value or 0 for deal in won),
            won=len(won),
            lost=len(deals) - len(won),
            days=sum((deal.closed - deal.engaged).days for deal in won if deal.closed and deal.engaged),
        )
