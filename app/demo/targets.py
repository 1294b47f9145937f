"""What is expected of each seller, quarter by quarter; some of it changed when the quarter was half over."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

from app.demo.calendar import QUARTERS
from app.demo.company import TERRITORIES, Company, Row, Seller, ref
from app.demo.dice import Dice
from app.ground.fiscal import month_after

_SHARE_OF_YEAR = (0.23, 0.24, 0.23, 0.30)
_GROWTH = {2025: 1.0, 2026: 1.12}
_RAISED, _RELIEVED = (2025, 3), (2026, 2)


def quotas(company: Company, seed: str, per_year: float) -> Iterator[Row]:
    """`per_year` is what an account executive is to book in FY2025. Each team has a number of its own beside those of
    its members, somewhat below their sum, as is usual."""
    dice = Dice(f"{seed}:quotas")
    of_teams: dict[tuple[int, int, int], int] = {}
    for seller in company.sellers:
        # Whoever did well is asked for more, though not in proportion.
        ambition = dice.around(0.85, 1.15) * math.sqrt(seller.pace * seller.skill)
        for year, quarter in QUARTERS:
            starts_on = date(year, quarter * 3 - 2, 1)
            if not _carries(seller, starts_on):
                continue
            amount = _rounded(per_year * ambition * _GROWTH[year] * _SHARE_OF_YEAR[quarter - 1])
            team = (seller.territory_on(starts_on), year, quarter)
            of_teams[team] = of_teams.get(team, 0) + amount
            row = _row(f"quota-{seller.key}", year, quarter, amount) | {"rep_id": seller.ref}
            middle = date(year, quarter * 3 - 1, 15)
            if (year, quarter) == _RAISED and dice.chance(0.2):
                row["versions"] = [{"effective_from": middle.isoformat(), "amount": _rounded(amount * 1.15)}]
            if (year, quarter) == _RELIEVED and dice.chance(0.15):
                row["versions"] = [{"effective_from": middle.isoformat(), "amount": _rounded(amount * 0.7)}]
            yield row
    for (territory, year, quarter), amount in of_teams.items():
        key = TERRITORIES[territory].key
        yield _row(f"quota-{key}", year, quarter, _rounded(amount * 0.93)) | {"team_id": ref("team", key)}


def _row(key: str, year: int, quarter: int, amount: int) -> Row:
    return {
        "external_id": f"{key}-{year}-q{quarter}", "metric": "bookings", "period": f"FY{year}-Q{quarter}",
        "amount": amount, "currency": "USD",
    }  # fmt: skip


def _carries(seller: Seller, starts_on: date) -> bool:
    """From the first whole quarter to the last one that was begun in service."""
    last = seller.left_on or date.max
    return seller.hired_on <= starts_on < last and month_after(starts_on, 2) <= last


def _rounded(amount: float) -> int:
    return round(amount / 500) * 500
