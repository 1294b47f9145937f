"""The wide shape: the very numbers of the long one, laid out as one table."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.faces.rest.numbers import table
from app.ground.access.principal import Principal, Tenant
from app.ground.database.session import Database
from app.ground.errors import Invalid
from app.language.metrics import tidy
from app.language.metrics.question import TOLD_BESIDE, from_json, parse
from tests.language.metrics import leads
from tests.language.metrics.history import invent, load, load_again
from tests.language.metrics.world import Row, World, new_world

ASKER = Principal(Tenant(UUID(int=1), "Acme"), "admin")
NAMES = list(METRIC_CATALOGUE.by_name)
TOGETHER = [NAMES[i : i + 20] for i in range(0, len(NAMES), 20)]


@pytest_asyncio.fixture(scope="module")
async def firm(owner_url: str, database: Database) -> AsyncIterator[World]:
    world = await new_world(owner_url, database, timezone="America/New_York")
    model = invent(7, datetime.now(UTC))
    await load(world, model)
    await load_again(world, model)
    await leads.load(world, leads.invented(2))
    yield world


def place(row: Row) -> tuple[Any, ...]:
    groups = tuple((name, group["id"]) for name, group in row["dimensions"].items())
    return row["period_start"], row["period_end"], groups, row["total"]


@pytest.mark.parametrize("metrics", TOGETHER)
async def test_every_number_stands_where_its_row_says(firm: World, metrics: list[str]) -> None:
    now = datetime.now(UTC)
    asked: dict[str, Any] = {
        "period": "2025", "grain": "quarter", "by": ["rep"], "compare": "previous", "restated": True,
        "totals": True, "sort": f"-{metrics[0]}", "now": now,
    }  # fmt: skip
    long = await firm.rows(*metrics, **asked)
    wide = await firm.rows(*metrics, **asked, shape="wide")
    by_place = {place(row): row for row in wide}
    assert len(by_place) == len(wide) == len({place(row) for row in long})
    assert len(long) == len(metrics) * len(wide)
    for number in long:
        row, name = by_place[place(number)], number["metric"]
        beside = number["compare"]
        assert row[name] == number["value"]
        assert row[f"{name}_compare"] == beside["value"]
        assert row[f"{name}_change"] == beside["change"]
        assert row[f"{name}_change_ratio"] == beside["change_ratio"]
        then = number["restated"]
        assert row[f"{name}_restated"] == then["value"]
        assert row[f"{name}_restated_change"] == then["change"]
        assert row[f"{name}_restated_change_ratio"] == then["change_ratio"]
        assert row["null_reasons"].get(name) == number["null_reason"]
        assert (row["rank"], row["partial"]) == (number["rank"], number["partial"])
        assert number["row_key"] == f"{name}|{row['row_key']}"
    first = [place(x) for x in long if x["metric"] == metrics[0]]
    assert [place(x) for x in wide] == first, "in the order of the long rows"
    assert any(row["null_reasons"] for row in wide)


async def test_without_what_is_not_asked_for(firm: World) -> None:
    [row] = await firm.rows("bookings", "win_rate", period="2025", shape="wide")
    assert list(row) == [
        "row_key", "period_start", "period_end", "dimensions", "bookings", "win_rate", "null_reasons", "partial",
        "total",
    ]  # fmt: skip
    assert row["row_key"] == "2025-01-01|2026-01-01"
    [now] = await firm.rows("open_deals", shape="wide")
    assert (now["period_start"], now["row_key"]) == (None, "now|now")


async def test_a_group_without_a_value_is_not_one_called_none(firm: World) -> None:
    deal = {"name": "x", "amount": 1, "currency": "USD", "opened_at": "2024-03-01", "closed_at": "2024-03-02"}
    stage = {
        "external_id": "none_won",
        "name": "None won",
        "pipeline_id": "t:none",
        "category": "won",
        "position": 9,
    }
    await firm.put("pipelines", {"external_id": "none", "name": "None"})
    await firm.put("stages", stage)
    await firm.put(
        "opportunities",
        deal | {"external_id": "none-1", "lead_source": "None", "stage_id": "t:none_won"},
        deal | {"external_id": "none-2", "lead_source": None, "stage_id": "t:none_won"},
    )
    wide = await firm.rows("won_deals", period="2024-03", by=["lead_source"], shape="wide")
    long = await firm.rows("won_deals", period="2024-03", by=["lead_source"])
    assert [(x["dimensions"], x["won_deals"]) for x in wide] == [(x["dimensions"], x["value"]) for x in long]
    assert {x["dimensions"]["lead_source"]["id"] for x in wide} >= {"None", None}


async def test_the_table(firm: World) -> None:
    asked: dict[str, Any] = {"period": "2025", "by": ["rep"], "compare": "year_ago", "shape": "wide"}
    metrics = ["bookings", "win_rate"]
    question = parse(METRIC_CATALOGUE, firm.admin, metrics=metrics, sort="-bookings", **asked)
    data = await firm.rows(*metrics, sort="-bookings", **asked)
    body = table("text/csv", tidy.columns(question), map(tidy.tidy, data)).body
    read = list(csv.DictReader(io.StringIO(bytes(body).decode())))
    assert list(read[0]) == [
        "period_start", "period_end", "rep_id", "rep_name",
        "bookings", "bookings_compare", "bookings_change", "bookings_change_ratio",
        "win_rate", "win_rate_compare", "win_rate_change", "win_rate_change_ratio",
        "null_reasons", "partial", "total", "rank",
    ]  # fmt: skip
    for line, row in zip(read, data, strict=True):
        assert line["rep_name"] == (row["dimensions"]["rep"]["name"] or "")
        assert line["bookings"] == ("" if row["bookings"] is None else format(row["bookings"], "f"))
        told = "; ".join(f"{name}: {why}" for name, why in row["null_reasons"].items())
        assert (line["null_reasons"], line["rank"]) == (told, str(row["rank"]))


def test_no_two_columns_of_any_table_have_one_name() -> None:
    """Whatever numbers and dimensions are asked for together."""
    dimensions = [f"{name}_{part}" for name in METRIC_CATALOGUE.dimensions for part in ("id", "name")]
    question = parse(METRIC_CATALOGUE, ASKER, metrics=NAMES[:1], period="2025", compare="previous",
                     sort=NAMES[0], shape="wide")  # fmt: skip
    fixed = [x for x in tidy.columns(question) if not x.startswith(NAMES[0])]
    ends = ("", "_compare", "_change", "_change_ratio")
    every = [
        *fixed,
        "row_key",
        "dimensions",
        "rank",
        *dimensions,
        *(f"{n}{end}" for n in NAMES for end in ends),
    ]
    assert len(every) == len(set(every))


def test_what_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        parse(METRIC_CATALOGUE, ASKER, metrics=["bookings"], period="2025", shape="wid")
    [error] = refused.value.errors
    assert (error.code, "wide" in error.message) == ("unknown_shape", True)
    with pytest.raises(Invalid):
        from_json(METRIC_CATALOGUE, ASKER, {"metrics": ["bookings"], "period": "2025", "shape": True})
    assert "shape" in TOLD_BESIDE
