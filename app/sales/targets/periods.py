"""A quota's period in days, by the tenant's calendar, and the one holder that it has."""

from __future__ import annotations

import re
from datetime import date

from app.ground import fiscal
from app.language.resources.batch import Batch

_PERIOD = re.compile(r"(?P<fiscal>FY)?(?P<year>\d{4})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?")
_START_MONTH = (
    "select start_month from fiscal_calendars where tenant_id = $1 and is_default and deleted_at is null"
)


def span(period: str, start_month: int) -> tuple[date, date] | None:
    """`[starts_on, ends_on)` of a named period, or None where it cannot be read."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        return None
    begin = fiscal.first_day(int(match["year"]), start_month if match["fiscal"] else 1)
    if match["quarter"]:
        offset, length = (int(match["quarter"]) - 1) * 3, 3
    elif match["month"]:
        offset, length = int(match["month"]) - 1, 1
    else:
        offset, length = 0, 12
    return fiscal.month_after(begin, offset), fiscal.month_after(begin, offset + length)


async def prepare(batch: Batch) -> None:
    start_month = await batch.session.connection.fetchval(_START_MONTH, batch.session.tenant_id) or 1
    for draft in batch.standing:
        if draft.is_new and draft.changes.get("currency") is None:
            draft.changes["currency"] = batch.principal.tenant.home_currency
        if "period" not in draft.changes or draft.changes["period"] is None:
            continue
        days = span(draft.changes["period"], start_month)
        if days is None:
            draft.refuse(
                "period",
                "period_unknown",
                "Write a period as 2026, 2026-Q1, 2026-03, FY2026, FY2026-Q1 or FY2026-03.",
            )
        else:
            draft.changes["starts_on"], draft.changes["ends_on"] = days


async def check(batch: Batch) -> None:
    for draft in batch.standing:
        holders = [
            name for name in ("rep_id", "team_id", "territory_id") if draft.after.get(name) is not None
        ]
        if len(holders) != 1:
            draft.refuse(
                "rep_id", "one_holder", "A quota has exactly one holder: a rep, a team or a territory."
            )
        for index, version in enumerate(draft.children.get("versions", ())):
            if not draft.after["starts_on"] <= version["effective_from"] < draft.after["ends_on"]:
                draft.refuse(
                    f"versions/{index}/effective_from",
                    "outside_period",
                    "The day lies outside the quota's period.",
                )
