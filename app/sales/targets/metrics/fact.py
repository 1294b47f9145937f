"""Quotas, as what is counted: day by day, and by whom.

A quota spreads over the days of its period. What holds on a day is cut out of the tables as *pieces*: the version
that holds then, and of two quotas of one holder over the same days the one with the shorter period (a year's quota
does not add to the quarter's), cut further where the season or the rep's ramp says that a day counts for more or less.
A bucket takes from a piece its share of days, exactly.

Rolled up and assigned are never added. The value is what reps carry, summed upwards over the dated organisation. A
quota of a team, of a territory, or of a rep below whom somebody carries a quota for the same days is that level's own
number: it stands beside as `assigned`, is excluded from the sum with that reason, and so nothing counts twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import (
    CTE,
    Date,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import DATERANGE
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import MOMENT
from app.language.metrics.metric import (
    Dimension,
    Fact,
    Join,
    Measure,
    Population,
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import held, known, known_until, source
from app.sales.org.days import (
    day_of,
    days,
    first_day,
    piece,
    reported_to_by_day,
    span,
    standing_by_day,
)
from app.sales.org.metrics import MANAGER_LEVELS
from app.sales.org.models import reps_history
from app.sales.targets.metrics import parts
from app.sales.targets.metrics.working import ONE, part_of
from app.sales.targets.models import quota_versions, quotas, quotas_history

# --- who leads whom over these days ----------------------------------------------------------------------------------


def _led_days(binds: Binds, *, ever_after: bool) -> CTE:
    """For every rep the days on which somebody who reported to it, directly or not, carries a quota for a metric:
    those around the buckets, or these and all after."""
    zone, asked = binds.named("zone", Text()), binds.named("asked", MOMENT)
    place, above = reps_history.alias("carrier"), reps_history.alias("above")
    if binds.as_of:
        carried: FromClause = quotas_history.alias("carried")
        live = held(carried, binds, asked)
    else:
        carried = quotas.alias("carried")
        live = and_(carried.c.tenant_id == binds.tenant, carried.c.deleted_at.is_(None))
    since, to = first_day(zone, place.c.valid_from), first_day(zone, known_until(place, binds))
    lines = (
        select(
            place.c.manager_id.label("leader_id"),
            carried.c.metric,
            func.greatest(carried.c.starts_on, since).label("since"),
            func.least(carried.c.ends_on, to).label("until"),
        )
        .select_from(carried.join(place, place.c.record_id == carried.c.rep_id))
        .where(
            live,
            place.c.tenant_id == binds.tenant,
            known(place, binds),
            place.c.manager_id.is_not(None),
            *(() if ever_after else (carried.c.starts_on < binds.named("span_last", Date()),)),
            carried.c.ends_on > binds.named("span_first", Date()),
            since < carried.c.ends_on,
            to > carried.c.starts_on,
        )
        .cte(recursive=True)
    )
    since, to = first_day(zone, above.c.valid_from), first_day(zone, known_until(above, binds))
    lines = lines.union(
        select(
            above.c.manager_id,
            lines.c.metric,
            func.greatest(lines.c.since, since),
            func.least(lines.c.until, to),
        ).where(
            above.c.tenant_id == binds.tenant,
            known(above, binds),
            above.c.record_id == lines.c.leader_id,
            above.c.manager_id.is_not(None),
            since < lines.c.until,
            to > lines.c.since,
        )
    )
    return (
        select(
            lines.c.leader_id,
            lines.c.metric,
            func.range_agg(func.daterange(lines.c.since, lines.c.until)).label("days"),
        )
        .group_by(lines.c.leader_id, lines.c.metric)
        .cte()
        .prefix_with("MATERIALIZED")
    )


# --- what holds on which days -----------------------------------------------------------------------------------------


_CUT_BY = ("seasonality", "seasons", "ramp_schedule_id")
"""What has been said of a piece once it is cut."""


def pieces(binds: Binds, *holders: Select[Any], ever_after: bool = False) -> FromClause:
    """Of those holders alone, where any are named; of the bucket, or of its days and all after.

    A day of a piece is worth its amount x `weight` ÷ `of`, and what of it is expected `ramped` as much.

    Where every bucket is read as of one moment they are cut once, for the days of all.
    """
    once = binds.once and not holders
    reach = binds.named("every_first", Date()), binds.named("every_last", Date())
    first, last = reach if once else (bucket("first"), bucket("last"))
    stored = source(quotas, binds, "stored", tracked_only=True)
    length = stored.c.ends_on - stored.c.starts_on
    finer = func.range_agg(func.daterange(stored.c.starts_on, stored.c.ends_on)).over(
        partition_by=(
            func.coalesce(stored.c.rep_id, stored.c.team_id, stored.c.territory_id),
            stored.c.metric,
        ),
        order_by=length,
        range_=(None, -1),
    )
    quota = (
        select(*stored.c, finer.label("finer"))
        .where(
            stored.c.tenant_id == binds.tenant,
            stored.c.deleted_at.is_(None),
            *(() if ever_after else (stored.c.starts_on < last,)),
            stored.c.ends_on > first,
            *(stored.c.rep_id.in_(some) for some in holders),
        )
        .subquery("quota")
    )
    version = source(quota_versions, binds, "version")
    step = union_all(
        select(quota.c.starts_on.label("day"), quota.c.amount, literal_column("0").label("later")).correlate(
            quota
        ),
        select(version.c.effective_from, version.c.amount, literal_column("1"))
        .where(version.c.tenant_id == binds.tenant, version.c.quota_id == quota.c.id)
        .correlate(quota),
    ).subquery("step")
    until = func.lead(step.c.day).over(order_by=(step.c.day, step.c.later))
    held_for = (
        select(step.c.day, func.coalesce(until, quota.c.ends_on).label("until"), step.c.amount)
        .correlate(quota)
        .lateral("span")
    )
    own = func.datemultirange(func.daterange(held_for.c.day, held_for.c.until))
    left = own.op("-")(func.coalesce(quota.c.finer, literal_column("'{}'::datemultirange")))
    piece = (
        select(func.unnest(left, type_=DATERANGE()).label("days")).correlate(held_for, quota).lateral("piece")
    )
    began, ended = func.lower(piece.c.days, type_=Date()), func.upper(piece.c.days, type_=Date())
    season, ramp = parts.seasons(quota), parts.ramp(quota, binds)
    led = _led_days(binds, ever_after=ever_after)
    shares_days = and_(
        led.c.leader_id == quota.c.rep_id,
        led.c.metric == quota.c.metric,
        led.c.days.op("&&")(func.daterange(quota.c.starts_on, quota.c.ends_on)),
    )
    found = (
        select(
            *(c for c in quota.c if c.name not in ("amount", "finer", *_CUT_BY)),
            led.c.leader_id.is_not(None).label("leads"),
            held_for.c.amount,
            func.greatest(began, season.c.begins, ramp.c.begins).label("from_day"),
            func.least(ended, season.c.ends, ramp.c.ends).label("to_day"),
            func.coalesce(season.c.weight, ONE).label("weight"),
            func.coalesce(season.c.of, cast(quota.c.ends_on - quota.c.starts_on, Numeric)).label("of"),
            func.coalesce(ramp.c.share, ONE).label("ramped"),
        )
        .select_from(quota)
        .join(held_for, literal_column("true"))
        .join(piece, literal_column("true"))
        .outerjoin(season, parts.overlap(season, began, ended))
        .outerjoin(
            ramp,
            parts.overlap(ramp, func.greatest(began, season.c.begins), func.least(ended, season.c.ends)),
        )
        .outerjoin(led, shares_days)
    )
    return found.cte().prefix_with("MATERIALIZED") if once else found.subquery("piece_of_quota")


def _leads(s: Scope) -> ColumnElement[bool]:
    """Whether the holder leads somebody who carries a quota over some of the same days."""
    return s.row.c.leads


def _assigned(s: Scope) -> ColumnElement[bool]:
    return or_(s.row.c.rep_id.is_(None), _leads(s))


def _assigned_to_group(s: Scope) -> ColumnElement[bool]:
    """Assigned at the very level that the question groups by; levels are never added to each other."""
    level = s.by[0] if len(s.by) == 1 else None
    if level in ("team", "territory"):
        return s.row.c[f"{level}_id"].is_not(None)
    if level in ("rep", "manager"):
        return and_(s.row.c.rep_id.is_not(None), _leads(s))
    if level is not None and level in {d.name for d in MANAGER_LEVELS}:
        stands_there = func.cardinality(s.join("command").c.line) == int(level.rpartition("_")[2])
        return and_(stands_there, s.row.c.rep_id.is_not(None), _leads(s))
    return false()


def _holder(s: Scope) -> ColumnElement[Any]:
    return s.row.c.rep_id


QUOTAS = Fact(
    name="quotas",
    noun="quotas",
    rows=pieces,
    label=lambda s: s.row.c.period,
    piece=piece,
    joins={
        **standing_by_day(_holder),
    },
    dimensions=(
        Dimension(name="rep", title="Rep", noun="reps", value=_holder),
        Dimension(
            name="manager", title="Direct manager", noun="reps", within=reported_to_by_day(_holder),
            value=lambda s: case(
                (and_(s.row.c.rep_id.is_not(None), _leads(s)), s.row.c.rep_id), else_=s.join("place").c.manager_id
            ),
        ),
        Dimension(
            name="team", title="Team", noun="teams",
            value=lambda s: func.coalesce(s.row.c.team_id, s.join("place").c.team_id),
        ),
        Dimension(
            name="territory", title="Territory", noun="territories",
            value=lambda s: func.coalesce(s.row.c.territory_id, s.join("place").c.territory_id),
        ),
        *MANAGER_LEVELS,
    ),
)  # fmt: skip

FOR_BOOKINGS = Population(
    name="quota",
    fact=QUOTAS,
    kind="flow",
    where=lambda s: s.row.c.metric == constant("bookings"),
    date=lambda s: s.row.c.starts_on,
    within=lambda s: and_(s.row.c.from_day < bucket("last"), s.row.c.to_day > bucket("first")),
    rate_day=lambda s: s.row.c.starts_on,
)


def full(s: Scope) -> ColumnElement[Any]:
    """What a day counts for, of `whole`."""
    return s.row.c.weight


def expected(s: Scope) -> ColumnElement[Any]:
    """The same as far as its rep has ramped."""
    return full(s) * s.row.c.ramped


def whole(s: Scope) -> ColumnElement[Any]:
    return s.row.c.of


_AMOUNT: dict[str, Any] = {
    "population": FOR_BOOKINGS,
    "money": True,
    "value": lambda s: s.amount,
    "weight": lambda s: days(s) * expected(s),
    "over": whole,
}
NOT_ITS_LEVEL = ("assigned", _assigned)

QUOTA = Measure(name="quota", only=lambda s: days(s) > 0, exclusions=(NOT_ITS_LEVEL,), **_AMOUNT)
BEFORE_RAMP = replace(QUOTA, name="before_ramp", weight=lambda s: days(s) * full(s))
ASSIGNED = Measure(name="assigned", only=lambda s: and_(days(s) > 0, _assigned_to_group(s)), **_AMOUNT)

# --- as far as its days have begun -----------------------------------------------------------------------------------


def _tomorrow(s: Scope) -> ColumnElement[Any]:
    return day_of(s.zone, s.asked) + 1


def _begun(s: Scope) -> FromClause:
    whole = span(s)
    return part_of(s, span(s, _tomorrow(s)), whole, over=whole[1] <= _tomorrow(s))


DUE = replace(
    FOR_BOOKINGS,
    name="due",
    fact=replace(QUOTAS, joins={**QUOTAS.joins, "begun": Join(rows=_begun, on=lambda s, begun: true())}),
)
_SO_FAR: dict[str, Any] = {
    "population": DUE,
    "exclusions": (NOT_ITS_LEVEL,),
    "over": lambda s: whole(s) * s.join("begun").c.of,
}

DUE_TO_DATE = Measure(
    name="due",
    only=lambda s: days(s, _tomorrow(s)) > 0,
    money=True,
    value=lambda s: s.amount,
    weight=lambda s: days(s) * expected(s) * s.join("begun").c.some,
    **_SO_FAR,
)
DAYS_BEGUN = Measure(
    name="days_begun",
    only=lambda s: days(s, _tomorrow(s)) > 0,
    value=lambda s: ONE,
    weight=lambda s: days(s) * s.join("begun").c.some * whole(s),
    **_SO_FAR,
)
DAYS = Measure(
    name="days",
    only=lambda s: days(s) > 0,
    value=lambda s: ONE,
    weight=lambda s: cast(days(s), Numeric),
    **{**_SO_FAR, "over": 1},
)
