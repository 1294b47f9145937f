"""What a question refuses, and how it says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.ground.access.principal import Principal, Tenant
from app.ground.database.session import Database
from app.ground.errors import AttainError, BadCursor, Invalid
from app.language.metrics.describe import describe
from app.language.metrics.explain import explain
from app.language.metrics.question import from_json, from_parameters, parse
from tests.language.metrics.world import World, new_world

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
ASKER = Principal(Tenant(datetime.now(UTC), "Acme"), "admin")  # type: ignore[arg-type]


def refused(**parameters: str) -> Any:
    with pytest.raises(Invalid) as caught:
        from_parameters(
            METRIC_CATALOGUE,
            ASKER,
            list({"metric": "bookings", "period": "2026", **parameters}.items()),
            now=NOW,
        )
    [error] = caught.value.errors
    return error


@pytest.mark.parametrize(
    ("parameters", "code", "says"),
    [
        ({"metric": "bokings"}, "unknown_metric", 'Did you mean "bookings"?'),
        ({"by": "managr"}, "unknown_dimension", 'Did you mean "manager"?'),
        ({"grain": "mnth"}, "unknown_grain", 'Did you mean "month"?'),
        ({"timezone": "Europe/Berlim"}, "unknown_timezone", 'Did you mean "Europe/Berlin"?'),
        ({"currency": "EURO"}, "unknown_currency", "Did you mean"),
        ({"teritory": "West"}, "unknown_parameter", 'Did you mean "territory"?'),
        ({"fx": "constant:soon"}, "unknown_fx", "constant"),
        ({"credit": "curent"}, "unknown_credit", 'Did you mean "current"?'),
        ({"sort": "-won_deals"}, "unknown_sort", "won_deals"),
        ({"as_of": "2026-05-21"}, "in_the_future", "future"),
        ({"as_of": "yesterday"}, "unreadable_moment", "2026-03-31"),
        ({"as_of": "2026-05-02", "known_at": "2026-05-01"}, "known_before", "as_of"),
        ({"known_at": "2026-05-01"}, "known_before", "now"),
        ({"limit": "many"}, "type", "whole number"),
        ({"metric": "quota", "by": "product"}, "dimension_unavailable", "rep, manager, team, territory"),
    ],
)
def test_refusals(parameters: dict[str, str], code: str, says: str) -> None:
    error = refused(**parameters)
    assert error.code == code
    assert says in error.message


def test_a_flow_needs_a_period_and_a_stock_does_not() -> None:
    with pytest.raises(Invalid, match="period"):
        from_parameters(METRIC_CATALOGUE, ASKER, [("metric", "bookings")], now=NOW)
    assert from_parameters(METRIC_CATALOGUE, ASKER, [("metric", "open_pipeline")], now=NOW).period is None


def test_lists_by_comma_and_by_repetition_are_the_same() -> None:
    comma = from_parameters(
        METRIC_CATALOGUE,
        ASKER,
        [("metric", "bookings,won_deals"), ("period", "2026"), ("by", "rep,team")],
        now=NOW,
    )
    repeated = from_json(
        METRIC_CATALOGUE,
        ASKER,
        {"metrics": ["bookings", "won_deals"], "period": "2026", "by": ["rep", "team"]},
        now=NOW,
    )
    assert comma == repeated


def test_an_empty_filter_is_neither_everybody_nor_nobody() -> None:
    asked: dict[str, Any] = {"metrics": ["bookings"], "period": "2026"}
    with pytest.raises(Invalid) as caught:
        from_json(METRIC_CATALOGUE, ASKER, {**asked, "filters": {"rep": []}}, now=NOW)
    [error] = caught.value.errors
    assert (error.code, error.pointer) == ("empty_filter", "/filters/rep")
    left_out = from_json(METRIC_CATALOGUE, ASKER, {**asked, "filters": {"rep": None}}, now=NOW)
    nobody = from_json(METRIC_CATALOGUE, ASKER, {**asked, "filters": {"rep": [None]}}, now=NOW)
    assert (left_out.filters, nobody.filters) == ({}, {"rep": ("null",)})


def test_every_number_describes_itself() -> None:
    for metric in METRIC_CATALOGUE:
        said = describe(metric)
        assert said["example"]
        assert said["edge_rules"]
        assert said["formula"]
        assert set(said["additive"]["dimensions"]) <= {d["name"] for d in said["dimensions"]}
    assert "product" not in describe(METRIC_CATALOGUE.by_name["bookings"])["additive"]["dimensions"]
    assert describe(METRIC_CATALOGUE.by_name["open_deals"])["additive"]["time"] is False
    assert describe(METRIC_CATALOGUE.by_name["win_rate"])["additive"] == {"dimensions": [], "time": False}


@pytest_asyncio.fixture
async def world(owner_url: str, database: Database) -> World:
    world = await new_world(owner_url, database, timezone="America/New_York")
    await world.put("teams", {"external_id": "1", "name": "Red"}, {"external_id": "2", "name": "Twin"},
                    {"external_id": "3", "name": "Twin"})  # fmt: skip
    return world


async def test_names_of_records(world: World) -> None:
    for name in ("Red", "red", "t:1"):
        assert (await world.one("won_deals", period="2026", filters={"team": name}))["value"] == 0
    for name, code in (("Twin", "ambiguous"), ("Rad", "unknown_reference"), ("t:9", "reference_not_found")):
        with pytest.raises(AttainError) as caught:
            await world.one("won_deals", period="2026", filters={"team": name})
        assert caught.value.errors[0].code == code
    with pytest.raises(Invalid):
        await world.one("won_deals", period="2026", filters={"rep": "me"})


async def test_every_bucket_is_there_and_is_of_the_zone(world: World) -> None:
    rows = await world.rows(
        "won_deals", "win_rate", period="2026-Q1", grain="month", timezone="Asia/Calcutta"
    )
    assert [(r["metric"], r["period_start"], r["value"]) for r in rows] == [
        *(("won_deals", f"2026-0{m}-01", 0) for m in (1, 2, 3)),
        *(("win_rate", f"2026-0{m}-01", None) for m in (1, 2, 3)),
    ]
    answer = await world.answer("won_deals", period="FY2026-Q2", grain="fiscal_period")
    assert [row["period_start"] for row in answer.data] == ["2026-04-01", "2026-05-01", "2026-06-01"]
    assert answer.meta["timezone"] == "America/New_York"


async def test_a_cursor_belongs_to_its_question(world: World) -> None:
    question = parse(METRIC_CATALOGUE, world.admin, metrics=["won_deals"], period="2026")
    async with world.company.database.transaction(world.company.id) as session:
        for cursor in ("abc", "%%%", "W10"):
            with pytest.raises(BadCursor):
                await explain(session, world.admin, CATALOGUE, METRIC_CATALOGUE, question, cursor=cursor)
        await world.put("reps", *({"external_id": x, "name": x, "hired_on": "2025-01-01"} for x in "ab"))
        asked = parse(METRIC_CATALOGUE, world.admin, metrics=["headcount"])
        page = await explain(session, world.admin, CATALOGUE, METRIC_CATALOGUE, asked, limit=1)
        others: list[dict[str, Any]] = [
            {"currency": "EUR"}, {"fx": "period_end"}, {"credit": "current"}, {"timezone": "UTC"},
        ]  # fmt: skip
        for other in others:
            question = parse(METRIC_CATALOGUE, world.admin, metrics=["headcount"], **other)
            with pytest.raises(BadCursor):
                await explain(
                    session, world.admin, CATALOGUE, METRIC_CATALOGUE, question, cursor=page.next_cursor
                )
