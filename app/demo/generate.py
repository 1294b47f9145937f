"""The demo tenant's rows: pure, and the same for the same seed.

Two fiscal years of the default calendar, FY2025 and FY2026 (calendar years), told as of 1 October 2026.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.demo import activities, company, deals, pay, prices, prospecting, targets
from app.demo.company import Row

SEED = "attain"


@dataclass(frozen=True)
class Demo:
    """Rows by noun as `:upsert` takes them, in an order in which every reference is there before it is used."""

    steps: tuple[tuple[str, list[Row]], ...]

    def __getitem__(self, plural: str) -> list[Row]:
        return [row for name, rows in self.steps if name == plural for row in rows]

    @property
    def size(self) -> int:
        return sum(len(rows) for _, rows in self.steps)


def generate(
    seed: str = SEED, *, opportunities: int = 20_000, accounts: int = 1_500, internal_activities: int = 5_000
) -> Demo:
    """Fewer opportunities bring quotas that are smaller in proportion."""
    firm = company.found(seed, accounts)
    lives = list(deals.live(firm, seed, opportunities))
    rows = firm.rows
    rows |= {"price_books": list(prices.books()), "prices": list(prices.prices())}
    rows |= prospecting.reach(firm, lives, seed, opportunities // 16).rows
    rows["opportunities"] = [deal.row for deal in lives]
    rows["activities"] = list(activities.done_and_planned(firm, lives, seed, internal_activities))
    rows["quotas"] = list(targets.quotas(firm, seed, per_year=opportunities * 79.0))
    rows |= pay.rows(firm, strong_quarter=opportunities * 70.0)
    steps: list[tuple[str, list[Row]]] = []
    for plural, above in _ORDER:
        steps += [(plural, level) for level in _levels(rows[plural], above)]
    return Demo(tuple(steps))


_ORDER = (
    ("territories", None), ("teams", "parent_id"), ("reps", "manager_id"), ("products", None),
    ("price_books", None), ("prices", None), ("pipelines", None), ("stages", None), ("exchange_rates", None),
    ("accounts", "parent_id"), ("contacts", None), ("campaigns", None), ("opportunities", None),
    ("lead_queues", None), ("scoring_rules", None), ("leads", None), ("campaign_members", None), ("touches", None),
    ("activities", None), ("quotas", None), ("comp_plans", None), ("comp_plan_versions", None),
    ("plan_assignments", None), ("comp_periods", None),
)  # fmt: skip


def _levels(rows: list[Row], above: str | None) -> list[list[Row]]:
    """A row comes after the row above it, so a noun that refers to itself is written level by level."""
    if above is None:
        return [rows]
    depth: dict[str, int] = {}
    for row in rows:
        depth[f"{company.SOURCE}:{row['external_id']}"] = depth[row[above]] + 1 if row[above] else 0
    levels: list[list[Row]] = [[] for _ in range(max(depth.values()) + 1)]
    for row, level in zip(rows, depth.values(), strict=True):
        levels[level].append(row)
    return levels
