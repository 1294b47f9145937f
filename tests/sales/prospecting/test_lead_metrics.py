"""Numbers about leads: by hand, and over random leads against plain loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from app.language.metrics.metric import Tally
from tests.language.metrics import test_random_histories
from tests.language.metrics.leads import MONTHS, invented, load
from tests.language.metrics.world import Row, World, new_world

METRICS = ("leads_created", "qualified_leads", "open_leads", "lead_conversion")
MANAGER = {"ann": "boss", "bob": "boss", "cleo": None, None: None}


def test_every_number_has_an_oracle() -> None:
    assert {*METRICS, *test_random_histories.METRICS} == set(METRIC_CATALOGUE.by_name)


@pytest_asyncio.fixture(scope="module", params=[1, 2])
async def market(
    request: pytest.FixtureRequest, owner_url: str, database: Database
) -> AsyncIterator[tuple[World, list[Row]]]:
    world, leads = await new_world(owner_url, database), invented(request.param)
    await load(world, leads)
    yield world, leads


# --- the same by loops ------------------------------------------------------------------------------------------------


def state(lead: Row, moment: datetime, past: bool) -> Row | None:
    """What was so at the moment, or None where the lead was not there. Nothing is known of the past of one of which
    nobody knows when it came in."""
    if not past:
        return lead
    if lead["received_at"] is None or lead["received_at"] > moment:
        return None
    reached = ("qualified_at", "converted_at", "disqualified_at")
    return lead | {name: lead[name] if lead[name] and lead[name] <= moment else None for name in reached}


def counted(
    metric: str, leads: list[Row], begin: datetime, end: datetime, moment: datetime, past: bool
) -> tuple[Counter[str], Counter[str]]:
    parts: Counter[str] = Counter()
    excluded: Counter[str] = Counter()
    inside: Callable[[datetime | None], bool] = lambda at: at is not None and begin <= at < end  # noqa: E731
    for lead in leads:
        now = state(lead, moment, past)
        if lead["received_at"] is None and (past or metric in ("leads_created", "lead_conversion")):
            stays = [lead[x] is None or lead[x] > moment for x in ("converted_at", "disqualified_at")]
            excluded["no_open_date"] += {
                "qualified_leads": inside(lead["qualified_at"]) and lead["qualified_at"] <= moment,
                "open_leads": all(stays),
            }.get(metric, True)
        elif now is None:
            continue
        elif metric == "qualified_leads":
            parts[metric] += inside(now["qualified_at"])
        elif metric == "open_leads":
            parts[metric] += now["converted_at"] is None and now["disqualified_at"] is None
        elif inside(now["received_at"]):
            parts["leads_created"] += 1
            parts["converted"] += now["converted_at"] is not None
    return parts, +excluded


def value(metric: str, parts: Counter[str]) -> Fraction | None:
    if metric != "lead_conversion":
        return Fraction(parts[metric])
    return Fraction(parts["converted"], parts["leads_created"]) if parts["leads_created"] else None


@pytest.mark.parametrize("as_of", [None, "2025-06-15T12:00:00Z", "2025-11-01"])
@pytest.mark.parametrize("by", [None, "rep", "manager", "lead_source"])
@pytest.mark.parametrize("metric", METRICS)
async def test_numbers_equal_the_loops(
    market: tuple[World, list[Row]], metric: str, by: str | None, as_of: str | None
) -> None:
    world, leads = market
    asked: dict[str, Any] = {"period": "2025", "grain": "month", "as_of": as_of, "by": [by] if by else []}
    rows = await world.rows(metric, **asked)
    now = datetime.fromisoformat(as_of).replace(tzinfo=UTC) if as_of else datetime.now(UTC)
    group_of: Callable[[Row], Any] = {
        None: lambda _: None, "rep": lambda x: x["owner"], "manager": lambda x: MANAGER[x["owner"]],
        "lead_source": lambda x: x["lead_source"],
    }[by]  # fmt: skip
    found = {(row["period_start"], row["dimensions"][by]["name"] if by else None): row for row in rows}
    groups = {group for _, group in found}
    for begin, end in zip(MONTHS, [*MONTHS[1:], datetime(2026, 1, 1, tzinfo=UTC)], strict=True):
        moment, past = now, as_of is not None
        if metric == "open_leads":
            moment, past = min(end - timedelta(microseconds=1), now), True
        for group in {group_of(lead) for lead in leads}:
            mine = [lead for lead in leads if group_of(lead) == group]
            parts, excluded = counted(metric, mine, begin, end, moment, past)
            if group not in groups:
                assert (+parts, excluded) == ({}, {})
                continue
            row = found[begin.date().isoformat(), group]
            assert (row["value"], row["excluded"]) == (decimal(value(metric, parts)), dict(excluded)), (
                begin,
                group,
            )
    tallies: dict[Any, dict[str, Tally]] = {}
    for c in await world.contributions(metric, **asked):
        key = (c.row["period_start"], c.row["dimensions"][by]["name"] if by else None)
        for name, worth in c.parts.items():
            tally = tallies.setdefault(key, {}).setdefault(name, Tally())
            tally.total, tally.n = tally.total + worth, tally.n + 1
    declared = METRIC_CATALOGUE.by_name[metric]
    for key, row in found.items():
        told = {name: tallies.get(key, {}).get(name, Tally()) for name in declared.parts}
        assert decimal(declared.evaluate(told).value) == row["value"], "the rows behind it are the number"


async def test_the_worked_examples(owner_url: str, database: Database) -> None:
    world = await new_world(owner_url, database)
    await world.put("leads", *(
        {"external_id": name, "name": name, "received_at": "2025-03-05", **rest}
        for name, rest in {
            "one": {"qualified_at": "2025-03-08", "converted_at": "2025-04-02"},
            "two": {"status": "disqualified", "disqualified_at": "2025-04-10"},
            "three": {}, "four": {"qualified_at": "2025-05-01"},
        }.items()
    ))  # fmt: skip
    march = {"period": "2025-03"}
    assert await world.value("leads_created", **march) == 4
    assert await world.bucketed("qualified_leads", period="2025-03-01/2025-06-01", grain="month") == {
        "2025-03-01": 1, "2025-04-01": 0, "2025-05-01": 1,
    }  # fmt: skip
    assert await world.bucketed("open_leads", period="2025-03-01/2025-05-01", grain="month") == {
        "2025-03-01": 4, "2025-04-01": 2,
    }  # fmt: skip
    assert await world.value("open_leads") == 2
    row = await world.one("lead_conversion", **march)
    assert (row["value"], row["numerator"], row["denominator"]) == (decimal(Fraction(1, 4)), 1, 4)
    assert row["beside"] == {"of_resolved": decimal(Fraction(1, 2)), "open_share": decimal(Fraction(1, 2))}
    then = await world.one("lead_conversion", **march, as_of="2025-04-05")
    assert then["beside"] == {"of_resolved": 1, "open_share": decimal(Fraction(3, 4))}, "two was open still"
