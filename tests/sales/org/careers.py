"""Random careers, as rows for the one write path and as plain loops over days."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from tests.language.metrics.history import load_weeks, some_week
from tests.language.metrics.model import Week, at_or_before, day_of, midnight
from tests.language.metrics.world import Row, World

MANAGERS = ("m1", "m2")
SELLERS = ("s1", "s2", "s3", "s4", "s5", "s6")
BUCKETS = [
    (date(2025, month, 1), date(2025 + month // 12, month % 12 + 1, 1)) for month in range(1, 13)
]  # fmt: skip
LONG_AGO = midnight(date(2020, 1, 1))


@dataclass
class Career:
    name: str
    hired_on: date | None
    points: list[tuple[datetime, Row]]
    """Each with all that changes; the first says what is carried back, and so is inferred until the second."""
    told: bool
    """Whether the points are told, or the last of them alone and carried back."""
    deleted: bool = False

    def at(self, moment: datetime) -> tuple[Row, bool]:
        """What was so, and whether that is only inferred."""
        if not self.told:
            return self.points[-1][1], True
        state = at_or_before(self.points[1:], moment)
        return (state, False) if state else (self.points[0][1], True)

    def works(self, moment: datetime, *, recorded: bool = False) -> str | None:
        """`at work` or `no_hire_date`; `recorded` where the moment is one since which we know."""
        state, inferred = self.at(moment)
        day = day_of(moment)
        if state["left_on"] < day if state["left_on"] else state["status"] != "active":
            return None
        if self.hired_on is None and inferred and not recorded:
            return "no_hire_date"
        return None if self.hired_on and self.hired_on > day else "at work"


@dataclass
class Staff:
    careers: dict[str, Career]
    quotas: dict[str, tuple[date, date]] = field(default_factory=dict)
    weeks: dict[str, Week] = field(default_factory=dict)
    """Of some reps their own calendar."""
    usual: Week | None = None

    def week(self, rep: str | None) -> Week | None:
        return self.weeks.get(rep or "") or self.usual

    def living(self, *, past: bool) -> Iterator[Career]:
        """What is deleted now was there then."""
        return (c for c in self.careers.values() if past or not c.deleted)

    def place(self, rep: str | None, moment: datetime) -> Row:
        nowhere: Row = {"manager": None, "team": None, "function": None}
        return {"rep": rep, **(self.careers[rep].at(moment)[0] if rep else nowhere)}

    def chain(self, rep: str | None, moment: datetime) -> list[str]:
        found: list[str] = []
        while rep is not None:
            found.append(rep)
            rep = self.place(rep, moment)["manager"]
        return found

    def average(
        self, group_of: Callable[[str, datetime], object], first: date, last: date, moment: datetime, *, past: bool
    ) -> tuple[dict[object, Fraction], Counter[object]]:  # fmt: skip
        """By group: the days at work, and how many reps had days of which nothing is known, by their pieces."""
        worked: Counter[object] = Counter()
        untold: set[object] = set()
        last = min(last, day_of(moment) + timedelta(days=1))
        for career in self.living(past=past):
            day = first
            while day < last:
                begins = midnight(day)
                how = career.works(begins)
                if how == "at work":
                    worked[group_of(career.name, begins)] += 1
                elif how:
                    untold.add((group_of(career.name, begins), career.name))
                day += timedelta(days=1)
        length = max((last - first).days, 1)
        return {g: Fraction(n, length) for g, n in worked.items()}, Counter(g for g, _ in untold)  # type: ignore[misc]


def invented(seed: int) -> Staff:
    dice = random.Random(seed)

    def some_day(first: date = date(2024, 6, 1), days: int = 560) -> date:
        return first + timedelta(days=dice.randrange(days))

    def moment() -> datetime:
        found = midnight(some_day())
        return found if dice.random() < 0.4 else found + timedelta(minutes=dice.randrange(1440))

    def state(managers: tuple[str | None, ...]) -> Row:
        return {
            "manager": dice.choice(managers), "team": dice.choice(["red", "blue", None]), "left_on": None,
            "function": dice.choice(["field", "inside", None]), "status": dice.choice(["active"] * 4 + ["inactive"]),
        }  # fmt: skip

    careers: dict[str, Career] = {}
    for name in ("boss", *MANAGERS, *SELLERS):
        above: tuple[str | None, ...] = {"boss": (None,), "m1": ("boss",), "m2": ("boss", "m1")}.get(
            name, MANAGERS
        )
        points = [(LONG_AGO + timedelta(hours=5), state(above))]
        points += sorted(((moment(), state(above)) for _ in range(dice.randrange(3))), key=lambda p: p[0])
        if name in SELLERS and dice.random() < 0.5:
            left = some_day()
            at = midnight(left) + timedelta(hours=dice.randrange(-400, 400))
            points = [p for p in points if p[0] < at] or points[:1]
            points.append(
                (at, {**points[-1][1], "left_on": left, "status": dice.choice(["active", "inactive"])})
            )
            if dice.random() < 0.2:
                points.append((at + timedelta(days=40, minutes=7), {**state(above)}))
        points = [
            p for p, before in zip(points, [None, *points], strict=False) if not before or p[1] != before[1]
        ]
        hired = None if dice.random() < 0.3 else some_day(date(2023, 1, 1), 900)
        careers[name] = Career(name, hired, points, told=dice.random() < 0.7)
    careers["s6"].deleted = True
    quotas = {rep: (date(2025, 4, 1), date(2025, 7, 1)) for rep in dice.sample(SELLERS, 3)}
    # Nobody has one, some have one of their own, or everybody has one.
    own = seed % 3 != 1
    weeks = {rep: some_week(dice) for rep in careers if own and dice.random() < 0.6}
    return Staff(careers, quotas, weeks, some_week(dice) if seed % 3 == 0 else None)


def _told(state: Row) -> Row:
    return {
        "manager_id": f"t:{state['manager']}" if state["manager"] else None,
        "team_id": f"t:{state['team']}" if state["team"] else None,
        "left_on": state["left_on"].isoformat() if state["left_on"] else None,
        "function": state["function"], "status": state["status"],
    }  # fmt: skip


async def load(world: World, staff: Staff) -> None:
    await world.put("teams", *({"external_id": x, "name": x} for x in ("red", "blue")))
    await load_weeks(world, staff.weeks, staff.usual)
    for career in staff.careers.values():
        row: Row = {"external_id": career.name, "name": career.name, **_told(career.points[-1][1])}
        if career.hired_on:
            row["hired_on"] = career.hired_on.isoformat()
        if career.name in staff.weeks:
            row["working_calendar_id"] = f"t:{career.name}"
        if career.told:
            row["history"] = [{"at": at.isoformat(), **_told(state)} for at, state in career.points]
        await world.put("reps", row)
    await world.put("quotas", *(
        {"external_id": rep, "rep_id": f"t:{rep}", "period": "2025-Q2", "amount": 100} for rep in staff.quotas
    ))  # fmt: skip
    for career in staff.careers.values():
        if career.deleted:
            await world.delete("reps", f"t:{career.name}")


def now_or(as_of: str | None) -> datetime:
    return datetime.fromisoformat(as_of) if as_of else datetime.now(UTC)
