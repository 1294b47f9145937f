"""The small table that greets whoever has filled the demo tenant: asked of the metrics like any other question."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.demo.calendar import FIRST_DAY, TODAY, midnight
from app.ground.access.principal import Principal
from app.ground.database.session import Database, Session
from app.language.metrics.answer import query
from app.language.metrics.question import parse

_COLUMNS = {
    "bookings": "bookings",
    "won_deals": "won",
    "win_rate": "win rate",
    "average_deal_size": "deal size",
    "sales_cycle": "cycle, days",
    "quota_attainment": "attainment",
}


async def show(database: Database, principal: Principal, say: Console) -> None:
    async with database.transaction(principal.tenant_id) as session:
        rows = await _ask(
            session, principal, metrics=list(_COLUMNS), period=f"{FIRST_DAY}/{TODAY}", grain="quarter"
        )
        stocks = await _ask(
            session, principal, metrics=["open_deals", "open_pipeline"], as_of=midnight(TODAY)
        )
    table = Table(title="The demo's closed quarters, in US dollars", title_justify="left")
    table.add_column("quarter")
    for heading in _COLUMNS.values():
        table.add_column(heading, justify="right")
    quarters: dict[str, dict[str, str]] = {}
    for row in rows:
        quarters.setdefault(str(row["period_start"]), {})[row["metric"]] = _shown(row)
    for first, values in quarters.items():
        name = f"{first[:4]}-Q{(int(first[5:7]) + 2) // 3}"
        table.add_row(name, *(values[metric] for metric in _COLUMNS))
    say.print(table)
    deals, amount = (_shown(row) for row in stocks)
    say.print(f"Open on {TODAY}: {deals} deals worth {amount}.")


async def _ask(session: Session, principal: Principal, **question: Any) -> list[dict[str, Any]]:
    answer = await query(
        session, principal, CATALOGUE, METRIC_CATALOGUE, parse(METRIC_CATALOGUE, principal, **question)
    )
    return answer.data


def _shown(row: dict[str, Any]) -> str:
    value = row["value"]
    if value is None:
        return row["null_reason"]
    match row["unit"]:
        case "ratio":
            return f"{value * 100:.1f} %"
        case "days":
            return f"{value:.1f}"
    return f"{value:,.0f}"
