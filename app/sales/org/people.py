"""Numbers about the people who sell: how many there are, day by day, and how many leave.

A career is read from the versions of a rep's record. Whoever has a last day works until then, whatever the status says;
whoever has none works while the status is active. The average headcount of a period is the mean of what `headcount` is
as each of its days begins.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    Boolean,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    column,
    exists,
    false,
    func,
    or_,
    select,
    true,
)
from sqlalchemy import literal_column as literal
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import metadata
from app.language.metrics.metric import (
    Dimension,
    Fact,
    Join,
    Measure,
    Metric,
    Population,
    Result,
    Tallies,
    divide,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import known, known_until, source
from app.sales.org.days import (
    Span,
    day_of,
    days,
    first_day,
    length,
    piece,
    reported_to_by_day,
    span,
    standing_by_day,
)
from app.sales.org.metrics import MANAGER_LEVELS, credited_to, standing
from app.sales.org.models import reps, reps_history
from app.sales.org.visibility import in_reach
from app.sales.org.working_time import of_rep, scheduled, worked, working_hours

DAYS_OF_A_YEAR = 365


def _rep(s: Scope) -> ColumnElement[Any]:
    return s.row.c.id


# --- at a moment ------------------------------------------------------------------------------------------------------


def _today(s: Scope) -> ColumnElement[Any]:
    return day_of(s.zone, bucket("at"))


def _employed(rep: FromClause) -> ColumnElement[bool]:
    return or_(rep.c.left_on.is_not(None), rep.c.status == constant("active"))


def _works(s: Scope) -> ColumnElement[bool]:
    hired, left = s.row.c.hired_on, s.row.c.left_on
    return and_(
        _employed(s.row), func.coalesce(hired <= _today(s), true()), func.coalesce(left >= _today(s), true())
    )


def _untold(s: Scope) -> ColumnElement[bool]:
    """Whether nobody has said since when: of the time before it was recorded nothing is known."""
    return and_(s.row.c.inferred, s.row.c.hired_on.is_(None)) if "inferred" in s.row.c else false()


def _carries_a_quota(s: Scope) -> ColumnElement[Any]:
    quota = s.source(metadata.tables["quotas"], "carried")
    today = _today(s)
    carried = select(1).where(
        quota.c.tenant_id == s.binds.tenant, quota.c.rep_id == s.row.c.id, quota.c.deleted_at.is_(None),
        quota.c.starts_on <= today, quota.c.ends_on > today,
    )  # fmt: skip
    return case((exists(carried), constant("yes")), else_=constant("no"))


REPS = Fact(
    name="reps",
    noun="reps",
    rows=lambda binds: source(reps, binds, "rep", tracked_only=True),
    joins=standing(_rep),
    dimensions=(
        *credited_to(_rep),
        Dimension(name="quota_carrying", title="Whether the rep carries a quota", value=_carries_a_quota),
    ),
)

AT_WORK = Population(
    name="at_work",
    fact=REPS,
    kind="stock",
    where=_works,
    date=lambda s: s.row.c.hired_on,
)
LEFT = Population(
    name="left",
    fact=REPS,
    kind="flow",
    where=lambda s: s.row.c.left_on <= _today(s),
    date=lambda s: func.timezone(s.zone, cast(s.row.c.left_on, TIMESTAMP)),
    within=lambda s: and_(s.row.c.left_on >= bucket("first"), s.row.c.left_on < bucket("last")),
)

# --- day by day -------------------------------------------------------------------------------------------------------

_BY_DAY = ("name", "manager_id", "team_id", "territory_id", "function", "hired_on", "left_on", "status")
"""What of a rep is that of the day, and not of the moment asked for."""


def _careers(binds: Binds) -> FromClause:
    """The days of the bucket, as far as they have begun, on which each version of a rep's record says that it works.

    What was carried back from a record without a first day is cut where it was recorded; before, it is `untold`.
    """
    zone = binds.named("zone", Text())
    rep, version = source(reps, binds, "rep", tracked_only=True), reps_history.alias("version")
    since = func.greatest(first_day(zone, version.c.valid_from), version.c.hired_on, bucket("first"))
    until = func.least(
        first_day(zone, version.c.valid_to),
        version.c.left_on + 1,
        bucket("last"),
        day_of(zone, bucket("at")) + 1,
    )
    recorded = first_day(zone, version.c.recorded_at)
    told = case((and_(version.c.inferred, version.c.hired_on.is_(None)), recorded))
    part = (
        func.unnest(literal("'{f,t}'::boolean[]"))
        .table_valued(column("untold", Boolean))
        .render_derived("part")
    )
    untold = part.c.untold
    cut = (
        select(
            *(c for c in rep.c if c.name not in ("inferred", *_BY_DAY)),
            *(version.c[name] for name in _BY_DAY),
            and_(version.c.inferred, recorded > since).label("inferred"),
            untold.label("untold"),
            case((untold, since), else_=func.greatest(since, told)).label("from_day"),
            case((untold, func.least(until, told)), else_=until).label("to_day"),
        )
        .select_from(rep)
        .join(version, version.c.record_id == rep.c.id)
        .join(part, or_(~untold, told.is_not(None)))
        .where(
            rep.c.tenant_id == binds.tenant,
            version.c.tenant_id == binds.tenant,
            known(version, binds),
            _employed(version),
        )
        .subquery("cut")
    )
    return select(*cut.c).where(cut.c.from_day < cut.c.to_day).subquery("career")


def _stood(column: str) -> Any:
    return lambda s: (s.join("place") if s.credit == "current" else s.row).c[column]


CAREERS = Fact(
    name="careers",
    noun="reps",
    rows=_careers,
    piece=piece,
    joins=standing_by_day(_rep),
    dimensions=(
        Dimension(name="rep", title="Rep", noun="reps", value=_rep),
        Dimension(
            name="manager", title="Direct manager", noun="reps", value=_stood("manager_id"),
            within=reported_to_by_day(_rep),
        ),
        Dimension(name="team", title="Team", noun="teams", value=_stood("team_id")),
        Dimension(name="territory", title="Territory", noun="territories", value=_stood("territory_id")),
        Dimension(name="function", title="Function of the rep", value=_stood("function")),
        *MANAGER_LEVELS,
    ),
)  # fmt: skip


def _days_at_work(name: str, **more: Any) -> Population:
    return Population(
        name=name,
        fact=CAREERS,
        kind="flow",
        where=lambda s: true(),
        date=lambda s: func.timezone(s.zone, cast(s.row.c.from_day, TIMESTAMP)),
        within=lambda s: and_(s.row.c.from_day < bucket("last"), s.row.c.to_day > bucket("first")),
        **more,
    )


def person_days(name: str, population: Population, **more: Any) -> Measure:
    return Measure(
        name=name,
        population=population,
        value=lambda s: cast(literal("1"), Numeric),
        weight=lambda s: cast(days(s), Numeric),
        only=lambda s: days(s) > 0,
        exclusions=(("no_hire_date", lambda s: s.row.c.untold),),
        **more,
    )


def days_so_far(s: Scope) -> ColumnElement[Any]:
    return cast(func.least(bucket("last"), _today(s) + 1) - bucket("first"), Integer)


AT_WORK_BY_DAY = _days_at_work("at_work_by_day")
IN_REACH_BY_DAY = _days_at_work("in_reach_by_day", visible=in_reach)

PERSON_DAYS = person_days("person_days", AT_WORK_BY_DAY)
AVERAGE_HEADCOUNT = person_days("average_headcount", AT_WORK_BY_DAY, over=days_so_far)
"""The mean of the daily headcount over the days of the bucket that have begun."""
AVERAGE_REPS_IN_REACH = person_days("average_reps", IN_REACH_BY_DAY, over=days_so_far)
"""The same of those reps whose work the asker sees: what work is divided by."""


# --- by the hours that they work --------------------------------------------------------------------------------------


def _so_far(s: Scope) -> ColumnElement[Any]:
    return func.least(bucket("last"), _today(s) + 1)


def _at_work_all_of_it(s: Scope) -> FromClause:
    return worked(s.binds, of_rep(s.binds, _rep(s)), bucket("first"), _so_far(s))


def leaders(s: Scope) -> FromClause:
    """Everybody to whom somebody reports, and when."""
    below = reps_history.alias("reports")
    return (
        select(
            below.c.manager_id.label("rep_id"),
            func.range_agg(func.tstzrange(below.c.valid_from, known_until(below, s.binds))).label(
                "while_leading"
            ),
        )
        .where(below.c.tenant_id == s.binds.tenant, below.c.manager_id.is_not(None), known(below, s.binds))
        .group_by(below.c.manager_id)
        .cte()
        # Where it stands once, PostgreSQL would write it into the join, and gather it anew for each row.
        .prefix_with("materialized")
    )


def _leading(s: Scope) -> FromClause:
    found = leaders(s)
    return select(found.c.rep_id, func.unnest(found.c.while_leading).label("span")).subquery("leading")


def _hours_worked(s: Scope, days_: Span) -> ColumnElement[Any]:
    """Most work all of the bucket, for which each calendar is added up once."""
    first, last = days_
    all_of_it = and_(first == bucket("first"), last == _so_far(s))
    own = working_hours(s.binds, _rep(s), first, func.greatest(first, last))
    return case((all_of_it, s.join("all_of_it").c.working_hours), else_=own)


def _led(s: Scope) -> Span:
    """Of the row's days those that began while somebody reported to the rep."""
    first, last = span(s)
    led = s.join("leading").c.span
    return (
        func.greatest(first, first_day(s.zone, func.lower(led))),
        func.least(last, first_day(s.zone, func.upper(led))),
    )


def _scheduled(s: Scope) -> ColumnElement[bool]:
    return s.row.c.id.in_(scheduled(s.binds))


_JOINS = {"all_of_it": Join(rows=_at_work_all_of_it, on=lambda s, worked_: true())}
_IN_REACH = replace(
    IN_REACH_BY_DAY, name="working_time", fact=replace(CAREERS, joins={**CAREERS.joins, **_JOINS})
)
_LEADING = replace(
    IN_REACH_BY_DAY,
    name="leading_time",
    fact=replace(
        CAREERS,
        piece=lambda s: func.concat_ws("|", piece(s), func.lower(s.join("leading").c.span)),
        joins={
            **CAREERS.joins,
            **_JOINS,
            "leading": Join(rows=_leading, on=lambda s, leading: leading.c.rep_id == s.row.c.id),
        },
    ),
)

WORKING_HOURS = Measure(
    name="working_hours",
    population=_IN_REACH,
    value=lambda s: _hours_worked(s, span(s)),
    only=lambda s: and_(days(s) > 0, _scheduled(s)),
    exclusions=(("no_hire_date", lambda s: s.row.c.untold),),
)
"""Of the reps whose work the asker sees and whose calendar is known, on the days that they were at work."""
LEADING_HOURS = Measure(
    name="leading_hours",
    population=_LEADING,
    value=lambda s: _hours_worked(s, _led(s)),
    only=lambda s: and_(s.join("leading").c.rep_id.is_not(None), length(_led(s)) > 0, _scheduled(s)),
    exclusions=(("no_hire_date", lambda s: s.row.c.untold),),
)
"""The same, while somebody reports to them."""


def _turnover(p: Tallies) -> Result:
    left, average = p["leavers"], p["average_headcount"].total
    beside: dict[str, Fraction | None] = {
        "share": share(left.total, average),
        "leavers": left.total,
        "average_headcount": average,
    }
    return divide(left.total, p["person_days"].total / DAYS_OF_A_YEAR, left.n, beside=beside)


_CAREER = "A rep counts from its first day to its last, both included; without a last day while its status is active."
_UNTOLD = (
    "Of a rep without a first day nothing is known before it was recorded, or before the first change that its history "
    "tells: excluded as `no_hire_date`."
)
_HISTORY = (
    "The record that holds at the moment decides. Who is told late to have left counts until it is told."
)
AVERAGE = (
    "The average headcount is the mean of those with which the days of the period began, as far as they have."
)

METRICS = (
    Metric(
        name="headcount",
        title="Headcount",
        description="Reps who work at a moment.",
        kind="stock",
        unit="count",
        formula="Number of reps whose first day has come and whose last has not passed",
        date_field="moment",
        parts={
            "headcount": Measure(
                name="headcount", population=AT_WORK, exclusions=(("no_hire_date", _untold),)
            )
        },
        edge_rules=(
            "The value at the end of each bucket, or at `as_of` or now where that is earlier; without a period, now.",
            _CAREER, _UNTOLD, _HISTORY,
            "By quota_carrying, a rep carries one on the days of a quota's period, for whatever number it is set.",
            "Everybody sees the whole directory of reps, and so the whole number.",
        ),
        example="Three reps since January; one's last day is 15 March, another starts on 1 April. Headcount at the end "
                "of March: 2, of April: 3.",
    ),
    Metric(
        name="rep_turnover",
        title="Rep turnover",
        description="How many of the reps leave, as a share of the average headcount and of a year.",
        kind="ratio",
        unit="ratio",
        formula=f"Leavers ÷ (days that reps were at work ÷ {DAYS_OF_A_YEAR})",
        date_field="left",
        parts={
            "leavers": Measure(name="leavers", population=LEFT),
            "average_headcount": AVERAGE_HEADCOUNT,
            "person_days": PERSON_DAYS,
        },
        combine=_turnover,
        beside={
            "share": "Leavers ÷ average headcount, not made a year's.",
            "leavers": "Reps whose last day is in the period; of few people few leave, so look at the count.",
            "average_headcount": "Mean of the daily headcount.",
        },
        edge_rules=(
            AVERAGE, "Nobody at work is null, not 0.", "A leaver is dated by its last day, in the place that it had "
            "then. One who is back has no last day any more, and did not leave as of now.",
            "Why somebody left is not recorded. To move within the company is not to leave.",
            _CAREER, _UNTOLD, _HISTORY,
        ),
        example="Of three reps two work all of 2025, one until 14 March, its 73rd day: 803 days, 2.2 on average. One "
                "left: 1 ÷ 2.2 = 0.4545.",
    ),
)  # fmt: skip
