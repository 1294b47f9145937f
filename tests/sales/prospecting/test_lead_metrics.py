"""Numbers about leads: by hand, and over random leads against plain loops."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.language.metrics.answer import decimal
from app.language.metrics.metric import Tally
from tests.language.metrics.leads import MONTHS, invented, load
from tests.language.metrics.model import quantile
from tests.language.metrics.world import Row, World, new_world

METRICS = ("leads_created", "qualified_leads", "open_leads", "lead_conversion", "lead_velocity_rate",
           "speed_to_lead", "lead_to_win_rate")  # fmt: skip
MANAGER = {"ann": "boss", "bob": "boss", "cleo": None, None: None}


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
    reached = ("first_response_at", "qualified_at", "converted_at", "disqualified_at")
    return lead | {name: lead[name] if lead[name] and lead[name] <= moment else None for name in reached}


def stands(lead: Row, moment: datetime, past: bool) -> str | None:
    """What the deal was by the moment that the lead had become by then."""
    deal = lead["deal"]
    if deal is None or (deal["deleted"] and not past):
        return None
    return next((stage for at, stage in reversed(deal["path"]) if at <= moment), None)


Parts = dict[str, list[Fraction]]
"""What every sum is made of, row by row."""


def counted(
    metric: str, leads: list[Row], begin: datetime, end: datetime, moment: datetime, past: bool
) -> tuple[Parts, Counter[str]]:
    if metric == "lead_velocity_rate":
        now, excluded = counted("qualified_leads", leads, begin, end, moment, past)
        first, last = preceding(begin, end, moment)
        earlier, left_out = counted("qualified_leads", leads, first, last, moment, past)
        if earlier:
            now["before"] = earlier["qualified_leads"]
        return now, excluded + left_out
    parts: Parts = defaultdict(list)
    excluded: Counter[str] = Counter()
    inside: Callable[[datetime | None], bool] = lambda at: at is not None and begin <= at < end  # noqa: E731
    cohort = metric in ("leads_created", "lead_conversion", "speed_to_lead", "lead_to_win_rate")
    for lead in leads:
        now = state(lead, moment, past)
        if lead["received_at"] is None and (past or cohort):
            stays = [lead[x] is None or lead[x] > moment for x in ("converted_at", "disqualified_at")]
            excluded["no_open_date"] += {
                "qualified_leads": inside(lead["qualified_at"]) and lead["qualified_at"] <= moment,
                "open_leads": all(stays),
            }.get(metric, True)
        elif now is None:
            continue
        elif metric == "qualified_leads":
            parts[metric] += [Fraction(1)] * inside(now["qualified_at"])
        elif metric == "open_leads":
            parts[metric] += [Fraction(1)] * (now["converted_at"] is None and now["disqualified_at"] is None)
        elif inside(now["received_at"]):
            parts["leads_created"].append(Fraction(1))
            parts["converted"] += [Fraction(1)] * (now["converted_at"] is not None)
            if metric == "lead_to_win_rate":
                deal = stands(lead, moment, past)
                ended = now["converted_at"] is not None or now["disqualified_at"] is not None
                parts["won"] += [Fraction(1)] * (deal == "won")
                parts["undecided"] += [Fraction(1)] * (deal == "open" or (deal is None and not ended))
                parts["with_deal"] += [Fraction(1)] * (deal is not None)
            if metric == "speed_to_lead" and now["first_response_at"] is not None:
                waited = Fraction((now["first_response_at"] - now["received_at"]) // timedelta(seconds=1))
                excluded["negative_response"] += waited < 0
                parts["responses"] += [waited] * (waited >= 0)
    return {name: rows for name, rows in parts.items() if rows}, +excluded


def preceding(begin: datetime, end: datetime, moment: datetime) -> tuple[datetime, datetime]:
    """The month before; of a month that is not over its first days, as many as have begun of this one."""
    last_month = (begin - timedelta(days=1)).replace(day=1)
    if not begin <= moment < end:
        return last_month, begin
    return last_month, min(last_month + timedelta(days=(moment - begin).days + 1), begin)


def value(metric: str, parts: Parts) -> Fraction | None:
    def count(name: str) -> Fraction:
        return Fraction(len(parts.get(name, [])))

    match metric:
        case "lead_conversion":
            return count("converted") / count("leads_created") if parts.get("leads_created") else None
        case "lead_to_win_rate":
            return count("won") / count("leads_created") if parts.get("leads_created") else None
        case "lead_velocity_rate":
            before = count("before")
            return (count("qualified_leads") - before) / before if before else None
        case "speed_to_lead":
            return statistics.median(parts["responses"]) if parts.get("responses") else None
    return count(metric)


def shares(parts: Parts) -> dict[str, Any]:
    created, won, undecided, deals = (
        len(parts.get(x, [])) for x in ("leads_created", "won", "undecided", "with_deal")
    )
    told = {
        "of_resolved": (won, created - undecided), "open_share": (undecided, created), "deal_share": (deals, created),
    }  # fmt: skip
    return {name: decimal(Fraction(a, b)) if b else None for name, (a, b) in told.items()}


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
                assert (parts, excluded) == ({}, {})
                continue
            row = found[begin.date().isoformat(), group]
            assert (row["value"], row["excluded"]) == (decimal(value(metric, parts)), dict(excluded)), (
                begin,
                group,
            )
            if metric == "lead_to_win_rate":
                assert row["beside"] == shares(parts), (begin, group)
    tallies: dict[Any, dict[str, Tally]] = {}
    single: dict[Any, list[Fraction]] = defaultdict(list)
    for c in await world.contributions(metric, **asked):
        key = (c.row["period_start"], c.row["dimensions"][by]["name"] if by else None)
        for name, worth in c.parts.items():
            tally = tallies.setdefault(key, {}).setdefault(name, Tally())
            tally.total, tally.n = tally.total + worth, tally.n + 1
            single[key, name].append(worth)
    declared = METRIC_CATALOGUE.by_name[metric]
    for (key, name), worths in single.items():
        for wanted in declared.measures[name].quantiles:
            tallies[key][name].quantiles[wanted] = quantile(worths, wanted)
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
    row = await world.one("lead_velocity_rate", period="2025-05")
    assert (row["value"], row["null_reason"]) == (None, "zero_denominator"), "none in April"
    row = await world.one("lead_velocity_rate", period="2025-04", filters={})
    assert (row["value"], row["beside"]) == (-1, {"qualified": 0, "before": 1})
    answers = ("2025-06-01T09:01:00Z", "2025-06-01T09:04:00Z", "2025-06-01T09:50:00Z", None)
    await world.put("leads", *(
        {"external_id": f"{n}", "name": f"{n}", "received_at": "2025-06-01T09:00:00Z", "first_response_at": at}
        for n, at in enumerate(answers)
    ))  # fmt: skip
    row = await world.one("speed_to_lead", period="2025-06")
    assert (row["value"], row["n"], row["unit"]) == (240, 3, "seconds")
    beside = {
        "within_5_minutes": decimal(Fraction(1, 2)), "within_60_minutes": decimal(Fraction(3, 4)),
        "unanswered_share": decimal(Fraction(1, 4)), "p90": 3000,
    }  # fmt: skip
    assert beside.items() <= row["beside"].items()
    row = await world.one("lead_conversion", **march)
    assert (row["value"], row["numerator"], row["denominator"]) == (decimal(Fraction(1, 4)), 1, 4)
    assert row["beside"] == {"of_resolved": decimal(Fraction(1, 2)), "open_share": decimal(Fraction(1, 2))}
    then = await world.one("lead_conversion", **march, as_of="2025-04-05")
    assert then["beside"] == {"of_resolved": 1, "open_share": decimal(Fraction(3, 4))}, "two was open still"


async def test_lead_to_win_by_hand(owner_url: str, database: Database) -> None:
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "ann", "name": "Ann"}, {"external_id": "bob", "name": "Bob"})
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", *(
        {"external_id": x, "name": x, "pipeline_id": "t:p", "category": x} for x in ("open", "won", "lost")
    ))  # fmt: skip
    wins: dict[str, list[Row]] = {
        "one": [{"at": "2025-04-01", "stage_id": "t:open"}, {"at": "2025-05-20", "stage_id": "t:won"}],
        "two": [{"at": "2025-04-01", "stage_id": "t:won"}, {"at": "2025-05-20", "stage_id": "t:open"}],
    }
    await world.put("opportunities", *(
        {"external_id": key, "name": key, "opened_at": "2025-04-01", "stage_id": past[-1]["stage_id"], "history": past,
         "owner_id": "t:bob"}
        for key, past in wins.items()
    ))  # fmt: skip
    became = {"converted_at": "2025-04-01", "owner_id": "t:ann"}
    await world.put("leads", *(
        {"external_id": key, "name": key, "received_at": "2025-03-05", **rest}
        for key, rest in {
            "1": {"converted_opportunity_id": "t:one", **became}, "2": {"converted_opportunity_id": "t:two", **became},
            "3": {"status": "disqualified", "disqualified_at": "2025-04-10", "owner_id": "t:ann"},
            "4": {"owner_id": "t:ann"},
        }.items()
    ))  # fmt: skip
    march: Row = {"period": "2025-03"}
    row = await world.one("lead_to_win_rate", **march)
    half, quarter = decimal(Fraction(1, 2)), decimal(Fraction(1, 4))
    assert (row["value"], row["numerator"], row["denominator"], row["n"]) == (quarter, 1, 4, 4)
    assert row["beside"] == {"of_resolved": half, "open_share": half, "deal_share": half}
    assert (row["interval"] is not None, row["small_sample"]) == (True, True)
    then = await world.one("lead_to_win_rate", **march, as_of="2025-05-01")
    assert (then["value"], then["beside"]["open_share"]) == (quarter, half), "the other one was won then"
    early = await world.one("lead_to_win_rate", **march, as_of="2025-03-20")
    assert (early["value"], early["beside"]) == (0, {"of_resolved": None, "open_share": 1, "deal_share": 0})

    reps = {c.row["label"]: UUID(c.row["id"]) for c in await world.contributions("headcount")}
    ann = world.company.principal("rep", rep_id=reps["Ann"])
    assert (await world.one("lead_to_win_rate", principal=ann, **march))["value"] == quarter, (
        "of a deal of Bob's"
    )
    rows = await world.contributions("lead_to_win_rate", principal=ann, **march)
    assert {c.row["noun"] for c in rows} == {"leads"}
    assert {c.row["label"] for c in rows if "won" in c.parts} == {"1"}
    before = datetime.now(UTC).isoformat()
    await world.delete("opportunities", "t:one")
    row = await world.one("lead_to_win_rate", **march)
    assert (row["value"], row["beside"]["of_resolved"]) == (0, 0), "there is no deal that was won"
    assert await world.value("lead_to_win_rate", **march, as_of=before, known_at=before) == quarter
