"""Who carries a quota, day by day: careers, cut to the days on which the rep carries one."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Date, and_, func, select
from sqlalchemy.dialects.postgresql import DATERANGE
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.scope import bucket
from app.language.query.binds import Binds
from app.language.query.source import source
from app.sales.org.people import CAREERS, IN_REACH_BY_DAY, days_so_far, person_days
from app.sales.targets.models import quotas


def _carried_days(binds: Binds) -> FromClause:
    """For every rep the days of the bucket on which it carries a quota, for whatever number; several are one."""
    quota = source(quotas, binds, "quota", tracked_only=True)
    days = func.unnest(func.range_agg(func.daterange(quota.c.starts_on, quota.c.ends_on)), type_=DATERANGE())
    return (
        select(quota.c.rep_id, days.label("days"))
        .where(
            quota.c.tenant_id == binds.tenant, quota.c.deleted_at.is_(None), quota.c.rep_id.is_not(None),
            quota.c.starts_on < bucket("last"), quota.c.ends_on > bucket("first"),
        )
        .group_by(quota.c.rep_id)
        .subquery("carried")
    )  # fmt: skip


def _rows(binds: Binds) -> FromClause:
    career, carried = CAREERS.rows(binds), _carried_days(binds)
    since = func.greatest(career.c.from_day, func.lower(carried.c.days, type_=Date()))
    until = func.least(career.c.to_day, func.upper(carried.c.days, type_=Date()))
    return (
        select(
            *(c for c in career.c if c.name not in ("from_day", "to_day")),
            since.label("from_day"),
            until.label("to_day"),
        )
        .select_from(career.join(carried, and_(carried.c.rep_id == career.c.id, since < until)))
        .subquery("carrier")
    )


CARRIERS = replace(CAREERS, name="carriers", rows=_rows)
CARRYING_BY_DAY = replace(IN_REACH_BY_DAY, name="carrying_by_day", fact=CARRIERS)
AVERAGE_CARRIERS = person_days("average_carriers", CARRYING_BY_DAY, over=days_so_far)
"""The mean over the days of the bucket that have begun, of the reps whose work the asker sees."""
