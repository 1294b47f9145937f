"""A scaled-down demo goes in by the write path; the engine's numbers are the oracle's, to the last digit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from app.areas import CATALOGUE, METRIC_CATALOGUE, found
from app.demo.generate import Demo, generate
from app.demo.load import load
from app.ground.access.principal import Principal
from app.ground.access.tenants import create_tenant
from app.ground.database.session import Database, connect
from app.language.metrics.adding import _sums
from app.language.metrics.answer import _levels, query
from app.language.metrics.plan import prepare
from app.language.metrics.question import parse
from app.language.resources.batch import Receipt
from tests.demo.oracle import Oracle, midnight, quarter, year

PERIOD = (date(2025, 1, 1), date(2026, 10, 1))
SPAN = "2025-01-01/2026-10-01"
QUARTERS = [quarter(y, q) for y in (2025, 2026) for q in (1, 2, 3, 4)][:7]
MOMENTS = (date(2025, 1, 20), date(2025, 7, 1), date(2026, 1, 1), date(2026, 4, 2), date(2026, 10, 1))


@dataclass(frozen=True)
class Filled:
    database: Database
    principal: Principal
    demo: Demo
    oracle: Oracle
    created: Counter[str]

    async def ask(self, *metrics: str, **question: Any) -> list[dict[str, Any]]:
        asked = parse(METRIC_CATALOGUE, self.principal, metrics=list(metrics), **question)
        async with self.database.transaction(self.principal.tenant_id) as session:
            answer = await query(session, self.principal, CATALOGUE, METRIC_CATALOGUE, asked)
        return answer.data

    async def count(self, table: str) -> int:
        async with self.database.transaction(self.principal.tenant_id) as session:
            rows = await session.connection.fetch(
                f"select 1 from {table} where tenant_id = $1", self.principal.tenant_id
            )
        return len(rows)


@pytest_asyncio.fixture(scope="module")
async def filled(database: Database, owner_url: str) -> Filled:
    owner = await connect(owner_url)
    try:
        principal = Principal(await create_tenant(owner, name="Demo, scaled down", seed=found), "admin")
        demo = generate(opportunities=3_000, accounts=300, internal_activities=200)
        created = await outcomes(database, principal, demo)
        # What PostgreSQL does by itself within a minute; until then it may plan by what the tables held before.
        await owner.execute(
            "analyze opportunities, opportunities_history, opportunity_line_items, reps_history"
        )
    finally:
        await owner.close()
    return Filled(database, principal, demo, Oracle(demo), created)


async def outcomes(database: Database, principal: Principal, demo: Demo) -> Counter[str]:
    seen: Counter[str] = Counter()

    def told(_: str, receipts: list[Receipt]) -> None:
        seen.update(receipt.outcome for receipt in receipts)

    await load(database, principal, demo, told)
    return seen


def same(value: Any, expected: Decimal | int) -> bool:
    return Decimal(str(value)) == pytest.approx(Decimal(expected), rel=Decimal("1e-18"))


async def test_every_row_is_created_and_a_second_load_leaves_no_trace(filled: Filled) -> None:
    assert filled.created == {"created": filled.demo.size}
    tables = ("opportunities_history", "reps_history", "opportunity_line_items_history", "events")
    before = [await filled.count(table) for table in tables]
    again = await outcomes(filled.database, filled.principal, filled.demo)
    assert again == {"unchanged": filled.demo.size}
    assert [await filled.count(table) for table in tables] == before


async def test_flows_and_ratios_by_quarter(filled: Filled) -> None:
    oracle = filled.oracle
    expected = {
        "bookings": oracle.bookings,
        "won_deals": lambda p: oracle.count(p, "won"),
        "lost_deals": lambda p: oracle.count(p, "lost"),
        "win_rate": oracle.win_rate,
        "average_deal_size": oracle.average_deal_size,
        "sales_cycle": oracle.sales_cycle,
        "pipeline_created": oracle.pipeline_created,
        "quota": lambda p: sum(oracle.quotas(p).values(), Decimal(0)),
        "quota_attainment": oracle.attainment,
    }
    rows = await filled.ask(*expected, period=SPAN, grain="quarter")
    assert len(rows) == len(expected) * len(QUARTERS)
    for row in rows:
        period = next(p for p in QUARTERS if p[0].isoformat() == str(row["period_start"])[:10])
        assert same(row["value"], expected[row["metric"]](period)), row


async def test_what_has_no_price_is_counted_and_not_priced(filled: Filled) -> None:
    [row] = await filled.ask("bookings", period="2025-Q1")
    assert filled.oracle.unpriced(quarter(2025, 1)) > 0
    assert row["excluded"]["missing_fx"] == filled.oracle.unpriced(quarter(2025, 1))


@pytest.mark.parametrize("day", MOMENTS, ids=str)
async def test_stocks_as_of_a_moment(filled: Filled, day: date) -> None:
    when, oracle = midnight(day), filled.oracle
    rows = await filled.ask("open_deals", "open_pipeline", "weighted_pipeline", as_of=day.isoformat())
    values = {row["metric"]: row["value"] for row in rows}
    assert same(values["open_deals"], len(oracle.open(when)))
    assert same(values["open_pipeline"], oracle.open_pipeline(when))
    assert same(values["weighted_pipeline"], oracle.weighted_pipeline(when))


@pytest.mark.parametrize("number", [2, 3, 4])
async def test_a_period_asked_as_of_its_own_end(filled: Filled, number: int) -> None:
    """Before what was reopened later came to be known as lost."""
    period = quarter(2025, number)
    when = midnight(period[1])
    rows = await filled.ask("bookings", "won_deals", period=f"2025-Q{number}", as_of=period[1].isoformat())
    values = {row["metric"]: row["value"] for row in rows}
    assert same(values["bookings"], filled.oracle.bookings(period, when))
    assert values["won_deals"] == filled.oracle.count(period, "won", when)


def attributed(oracle: Oracle) -> Iterator[tuple[str, Any]]:
    names = {
        f"demo:{row['external_id']}": row["name"]
        for plural in ("reps", "teams", "territories", "accounts", "products")
        for row in oracle.demo[plural]
    }

    def at_close(field: str) -> Any:
        return lambda _, state: names[oracle.rep_at(state["credited"], state["closed_at"])[field]]

    yield "rep", lambda _, state: names[state["credited"]]
    yield "manager", at_close("manager_id")
    yield "team", at_close("team_id")
    yield "territory", at_close("territory_id")
    yield "industry", lambda deal, _: oracle.accounts[deal.row["account_id"]]["industry"]
    yield "segment", lambda deal, _: oracle.accounts[deal.row["account_id"]]["segment"]
    yield "country", lambda deal, _: oracle.accounts[deal.row["account_id"]]["country"]
    yield "type", lambda deal, _: deal.row["type"]
    yield "lead_source", lambda deal, _: deal.row["lead_source"]
    yield "currency", lambda deal, _: deal.currency


@pytest.mark.parametrize("dimension", [name for name, _ in attributed(Oracle(Demo(())))])
async def test_bookings_by(filled: Filled, dimension: str) -> None:
    """Whoever moved, left or handed a closed deal on: the credit stays where it was at the close."""
    key = dict(attributed(filled.oracle))[dimension]
    for period, asked in ((year(2025), "2025"), (quarter(2026, 1), "2026-Q1")):
        expected = filled.oracle.bookings_by(period, key)
        rows = await filled.ask("bookings", period=asked, by=[dimension])
        found = {row["dimensions"][dimension]["name"]: row["value"] for row in rows if row["value"]}
        assert found.keys() == {name for name, value in expected.items() if value}
        assert all(same(found[name], expected[name]) for name in found)


async def test_bookings_by_product_with_what_no_line_covers(filled: Filled) -> None:
    names = {f"demo:{row['external_id']}": row["name"] for row in filled.demo["products"]}
    expected = {
        names.get(key or ""): value for key, value in filled.oracle.bookings_by_product(year(2025)).items()
    }
    rows = await filled.ask("bookings", period="2025", by=["product"])
    found = {row["dimensions"]["product"]["name"]: row["value"] for row in rows if row["value"]}
    assert len(found) == len(expected)
    for name, value in expected.items():
        assert same(found[name or "unallocated"], value), name


async def test_attainment_of_each_rep(filled: Filled) -> None:
    period = quarter(2025, 3)
    rows = await filled.ask("quota_attainment", period="2025-Q3", by=["rep"])
    found = {row["dimensions"]["rep"]["name"]: row["value"] for row in rows if row["value"] is not None}
    quotas = filled.oracle.quotas(period)
    assert len(found) == len(quotas)
    for rep in quotas:
        assert same(found[filled.oracle.reps[rep]["name"]], filled.oracle.attainment(period, [rep]))


@pytest.mark.parametrize("metric", ["pipeline_created", "push_count"])
async def test_what_was_known_is_looked_up_by_record(filled: Filled, metric: str) -> None:
    """And not in the whole history of the tenant, for each of its deals anew."""
    now = datetime.now(UTC)
    moments: dict[str, Any] = {"as_of": "2026-04-01", "known_at": now.isoformat()}
    question = parse(METRIC_CATALOGUE, filled.principal, metrics=[metric], period="2025", **moments)
    async with filled.database.transaction(filled.principal.tenant_id) as session:
        asked = await prepare(session, filled.principal, CATALOGUE, question, now)
        [part] = [each.part for each in _sums(METRIC_CATALOGUE, asked, _levels(question))]
        plan = await session.connection.fetch(f"explain {part.sql}", *part.arguments)
    assert "ix_opportunities_history_past" in "\n".join(row[0] for row in plan)
