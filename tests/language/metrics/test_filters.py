"""Whatever a number is filtered by, the rows behind it are it: random questions of every number, each asked, explained
to the last page, and put together again.

`ATTAIN_TEST_FILTERS=1000` asks every number that many. A question that fails is said as it can be asked again, with
what records are called in `everything`.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.access.principal import Principal
from app.ground.database.session import Database, connect
from app.language.metrics.metric import Dimension, Metric
from app.language.metrics.question import ATTRIBUTION, NOBODY, needs_no_period
from tests.language.metrics.everything import EVERY_YEAR, Company, found
from tests.language.metrics.explained import explained
from tests.language.metrics.model import midnight
from tests.language.metrics.world import Row

QUESTIONS = int(os.environ.get("ATTAIN_TEST_FILTERS", "1"))
"""Of each number."""
SEED = 1
PERIODS: tuple[Row, ...] = (
    {"period": EVERY_YEAR}, {"period": EVERY_YEAR, "grain": "quarter"}, {"period": "2025"},
    {"period": "2025", "grain": "month"}, {"period": "2025-Q2"}, {"period": "FY2025", "grain": "fiscal_quarter"},
    {"period": "2025-03-05/2025-05-02", "grain": "month"}, {"period": "2025-03", "grain": "week"},
    {"period": "2025-08-28/2025-09-04", "grain": "day"},
    {"period": "2025", "grain": "quarter", "running": "period"},
    {"period": "2025-Q3", "grain": "month", "window": "rolling_200_days"},
)  # fmt: skip
WHEN = midnight(datetime(2025, 1, 1, tzinfo=UTC).date())


@dataclass
class Asker:
    principal: Principal
    sees: dict[str, list[str]]


@dataclass
class Floor:
    company: Company
    askers: dict[str, Asker]

    def fits(self, metric: Metric) -> list[str]:
        return [
            name for name, asker in self.askers.items()
            if metric.read_roles is None or asker.principal.role in metric.read_roles
        ]  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def floor(owner_url: str, database: Database) -> AsyncIterator[Floor]:
    company = await found(owner_url, database, SEED)
    principals = {"admin": company.admin, **{rep: company.manager(rep) for rep in ("boss", "m1")}}
    askers = {name: Asker(principal, await company.seen(principal)) for name, principal in principals.items()}
    # Whoever was there once had numbers: by its id it may be named by all who see everything.
    askers["admin"].sees = {noun: [*ids] for noun, ids in company.ids.items()}
    # As autovacuum does within a minute, where numbers are not asked in the same second.
    owner = await connect(owner_url)
    await owner.execute("analyze")
    await owner.close()
    yield Floor(company, askers)


def filtered(dice: random.Random, floor: Floor, asker: Asker, dimension: Dimension) -> list[str]:
    """Some of what there is, with or without nobody; now and then nobody alone."""
    there = floor.company.said[dimension.name] if dimension.noun is None else asker.sees[dimension.noun]
    if dice.random() < 0.1:
        return [NOBODY]
    some = dice.sample(there, max(1, dice.choice([1, min(2, len(there)), len(there) // 2, len(there) - 1])))
    return [*some, NOBODY] if dice.random() < 0.2 else some


def invented(dice: random.Random, floor: Floor, metric: Metric, asker: Asker) -> Row:
    """A question as it is said; see `asked`."""
    names = [d.name for d in metric.dimensions]
    over = dice.sample(metric.dimensions, min(len(names), dice.choice([1, 1, 1, 2, 2, 3])))
    as_of = WHEN + timedelta(minutes=dice.randrange(600_000)) if dice.random() < 0.5 else None
    known_at = floor.company.between if as_of and dice.random() < 0.4 else None
    return {
        **({} if needs_no_period(metric) and dice.random() < 0.2 else dice.choice(PERIODS)),
        "filters": {d.name: filtered(dice, floor, asker, d) for d in over},
        "by": dice.sample(names, min(len(names), dice.choice([0, 0, 1, 1, 2]))),
        "as_of": as_of and as_of.isoformat(),
        "known_at": known_at and known_at.isoformat(),
        "credit": dice.choice(["at_close", "at_close", "current"]),
        **({"attribution": dice.choice(ATTRIBUTION)} if any(f.holders for f in metric.facts) else {}),
        "currency": dice.choice(["USD", "USD", "EUR", "JPY", "GBP"]),
        "fx": dice.choice(["transaction", "transaction", "period_end", "constant:2025-06-01"]),
        "timezone": dice.choice([None, None, "UTC", "Asia/Kolkata", "Pacific/Auckland"]),
    }


def asked(floor: Floor, metric: Metric, question: Row) -> Row:
    dimensions = {d.name: d for d in metric.dimensions}
    filters = {
        name: [floor.company.named(dimensions[name], value) for value in values]
        for name, values in question["filters"].items()
    }
    return {**question, "filters": filters}


@pytest.mark.parametrize("name", METRIC_CATALOGUE.by_name)
async def test_the_rows_of_any_filter_are_the_number(floor: Floor, name: str) -> None:
    metric, world = METRIC_CATALOGUE.by_name[name], floor.company.world
    dice = random.Random(f"{SEED} {name}")
    counted = 0
    for number in range(QUESTIONS):
        who = dice.choice(floor.fits(metric))
        asker = floor.askers[who]
        said = invented(dice, floor, metric, asker)
        question: dict[str, Any] = {
            **asked(floor, metric, said), "principal": asker.principal, "now": datetime.now(UTC),
        }  # fmt: skip
        try:
            rows = await world.rows(name, **question)
            await explained(world, name, rows, page=dice.choice([7, 50, 1000, 1000]), **question)
        except Exception as fault:
            fault.add_note(f"question {number} of {name}, asked by {who}: {said}")
            raise
        counted += any(row["n"] for row in rows)
    if QUESTIONS >= 100:
        assert counted, "some of them have something to count"
