"""A fiscal calendar's periods, written as rows when the calendar is."""

from __future__ import annotations

from dataclasses import astuple

from app.ground import fiscal
from app.language.resources.batch import Batch

FIRST_YEAR, LAST_YEAR = 1990, 2060

_RULE = ("pattern", "start_month", "week_starts_on", "anchor", "named_for")

_REPLACE = """
insert into fiscal_periods (tenant_id, calendar_id, fiscal_year, quarter, period, starts_on, ends_on)
select $1, $2, * from unnest($3::int[], $4::int[], $5::int[], $6::date[], $7::date[])
"""


async def write_periods(batch: Batch) -> None:
    for draft in batch.standing:
        if draft.outcome != "created" and not {*_RULE} & {*draft.changed}:
            continue
        rule = fiscal.Rule(**{name: draft.after[name] for name in _RULE})
        rows = [astuple(period) for period in rule.periods(FIRST_YEAR, LAST_YEAR)]
        connection, tenant = batch.session.connection, batch.session.tenant_id
        await connection.execute(
            "delete from fiscal_periods where tenant_id = $1 and calendar_id = $2", tenant, draft.record_id
        )
        await connection.execute(_REPLACE, tenant, draft.record_id, *map(list, zip(*rows, strict=True)))
