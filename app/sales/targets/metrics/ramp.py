"""How long reps take until a month's bookings first reach the month's quota: one row a rep.

A cohort is all who were hired in a bucket; what came after is read as far as the moment that is asked for. Bookings and
quotas are compared in the home currency, since it is the rep who is counted and no amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    Boolean,
    Date,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    extract,
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
from app.language.metrics.metric import Fact, Measure, Metric, Population, Result, Tallies, share
from app.language.metrics.scope import bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import source
from app.sales.org import visibility
from app.sales.org.days import day_of
from app.sales.org.metrics import credited_to, standing
from app.sales.org.models import exchange_rates, reps
from app.sales.targets import ramp
from app.sales.targets.metrics.fact import pieces

_FINE = literal(f"1.{60 * '0'}", Numeric())
"""A quotient of a number so fine has sixty decimals. Two sums that differ at all do so in the first fifty: amounts have
four, rates twelve, and what divides them, the days of periods and the weights of their months, comes to less than ten
to the 32nd for three quotas of one month."""
_NOTHING = literal(f"0.{54 * '0'}1", Numeric())
_MONTH = literal("interval '1 month'")


def _rate(binds: Binds, currency: ColumnElement[Any], day: ColumnElement[Any]) -> ColumnElement[Any]:
    """What one unit is worth at home; null where there is no rate for either direction."""
    home = binds.named("home", Text())

    def latest(name: str, from_: ColumnElement[Any], to: ColumnElement[Any]) -> ColumnElement[Any]:
        rate = source(exchange_rates, binds, name, tracked_only=True)
        return (
            select(rate.c.rate)
            .where(
                rate.c.tenant_id == binds.tenant, rate.c.deleted_at.is_(None), rate.c.from_currency == from_,
                rate.c.to_currency == to, rate.c.on_day <= day,
            )
            .order_by(rate.c.on_day.desc())
            .limit(1)
            .correlate_except(rate)
            .scalar_subquery()
        )  # fmt: skip

    opposite = func.round(_FINE / latest("opposite", home, currency), 12)
    return case((currency == home, 1), else_=func.coalesce(latest("direct", currency, home), opposite))


def _hired(rep: FromClause, binds: Binds) -> ColumnElement[bool]:
    return and_(
        rep.c.tenant_id == binds.tenant,
        rep.c.deleted_at.is_(None),
        rep.c.hired_on >= bucket("first"),
        rep.c.hired_on < bucket("last"),
    )


def _cohort(binds: Binds, name: str) -> Any:
    rep = source(reps, binds, name, tracked_only=True)
    return select(rep.c.id).where(_hired(rep, binds))


def _booked(binds: Binds) -> FromClause:
    """By rep and month, in the zone that is asked for."""
    deal = source(metadata.tables["opportunities"], binds, "deal", tracked_only=True)
    closed = func.timezone(binds.named("zone", Text()), deal.c.closed_at)
    seller = func.coalesce(deal.c.credited_owner_id, deal.c.owner_id)
    rate = _rate(binds, deal.c.currency, cast(closed, Date))
    won = (
        select(
            seller.label("rep_id"),
            cast(func.date_trunc("month", closed), Date).label("month"),
            (deal.c.amount * rate).label("worth"),
        )
        .where(
            deal.c.tenant_id == binds.tenant, deal.c.deleted_at.is_(None), deal.c.category == constant("won"),
            deal.c.closed_at >= bucket("starts"), deal.c.closed_at <= bucket("at"), deal.c.amount.is_not(None),
            seller.in_(_cohort(binds, "seller")),
        )
        .subquery("won")
    )  # fmt: skip
    return (
        select(
            won.c.rep_id, won.c.month, func.sum(won.c.worth).label("amount"),
            func.bool_or(won.c.worth.is_(None)).label("unpriced"),
        )
        .group_by(won.c.rep_id, won.c.month)
        .subquery("booked")
    )  # fmt: skip


def _quotas(binds: Binds) -> FromClause:
    """Those that count, by what holds on which days, each with what a day of it is worth."""
    piece = pieces(binds, _cohort(binds, "holder"), ever_after=True)
    rate = _rate(binds, piece.c.currency, piece.c.starts_on)
    return (
        select(
            piece.c.rep_id,
            piece.c.from_day,
            piece.c.to_day,
            (piece.c.amount * rate * piece.c.weight * _FINE).label("worth"),
            piece.c.of.label("days"),
        )
        .where(piece.c.metric == constant("bookings"), ~piece.c.leads)
        .subquery("expected")
    )


def _careers(binds: Binds) -> FromClause:
    """Every rep with the months for which it was watched, whether it got there in the last of them, and whether that
    can be told."""
    rep = source(reps, binds, "rep", tracked_only=True)
    hired, left = rep.c.hired_on, rep.c.left_on
    today = day_of(binds.named("zone", Text()), bucket("at"))
    until = func.least(today, left + 1)
    booked, quota = _booked(binds), _quotas(binds)
    begins = func.generate_series(
        func.date_trunc("month", cast(hired, TIMESTAMP)), cast(func.least(today, left), TIMESTAMP), _MONTH
    ).table_valued("month", with_ordinality="number").render_derived(name="begins")  # fmt: skip
    first = cast(begins.c.month, Date)
    last = cast(begins.c.month + _MONTH, Date)
    share_of_days = func.least(quota.c.to_day, last) - func.greatest(quota.c.from_day, first)
    expected = (
        select(
            func.sum(quota.c.worth * share_of_days / quota.c.days).label("amount"),
            func.bool_or(quota.c.worth.is_(None)).label("unpriced"),
            (func.count() > 0).label("carries"),
        )
        .where(quota.c.rep_id == rep.c.id, quota.c.from_day < last, quota.c.to_day > first)
        .correlate(rep, begins)
        .lateral("of_month")
    )
    got_there = and_(expected.c.amount > 0, func.coalesce(booked.c.amount, 0) + _NOTHING >= expected.c.amount)
    months = (
        select(
            cast(func.min(begins.c.number).filter(got_there), Integer).label("there"),
            func.bool_or(expected.c.carries).label("carries"),
            func.bool_or(or_(expected.c.unpriced, booked.c.unpriced)).label("unpriced"),
        )
        .select_from(
            begins.join(expected, true()).outerjoin(
                booked, and_(booked.c.rep_id == rep.c.id, booked.c.month == first)
            )
        )
        .correlate(rep)
        .lateral("months")
    )
    passed = (
        (extract("year", until) - extract("year", hired)) * 12
        + extract("month", until)
        - extract("month", hired)
    )
    there = months.c.there
    return (
        select(
            *rep.c,
            func.coalesce(there, cast(func.greatest(passed, 0), Integer)).label("months"),
            there.is_not(None).label("ramped"),
            func.coalesce(months.c.carries, false(), type_=Boolean).label("carries"),
            func.coalesce(months.c.unpriced, false(), type_=Boolean).label("unpriced"),
        )
        .select_from(rep.join(months, true()))
        .where(rep.c.tenant_id == binds.tenant, rep.c.deleted_at.is_(None))
        .where(or_(hired.is_(None), _hired(rep, binds)))
        .subquery("watched")
    )


RAMPS = Fact(
    name="ramps",
    noun="reps",
    rows=_careers,
    joins=standing(lambda s: s.row.c.id),
    dimensions=credited_to(lambda s: s.row.c.id),
)
HIRED = Population(
    name="hired",
    fact=RAMPS,
    kind="flow",
    where=lambda s: true(),
    date=lambda s: func.timezone(s.zone, cast(s.row.c.hired_on, TIMESTAMP)),
    within=lambda s: s.row.c.hired_on.is_not(None),
    undated="no_hire_date",
    visible=visibility.in_reach,
)
_LEFT_OUT = (
    ("no_quota", lambda s: ~s.row.c.carries),
    ("missing_fx", lambda s: s.row.c.unpriced),
    ("no_last_day", lambda s: and_(s.row.c.status != constant("active"), s.row.c.left_on.is_(None))),
)
MONTHS = Measure(
    name="months", population=HIRED, value=lambda s: cast(s.row.c.months, Numeric), exclusions=_LEFT_OUT
)
RAMPED = Measure(name="ramped", population=HIRED, only=lambda s: s.row.c.ramped, exclusions=_LEFT_OUT)


def _of_rep(p: Tallies) -> Result:
    months = p["months"]
    if not months.n:
        return Result(None, 0, null_reason=next(iter(months.excluded), "no_quota"))
    return Result(months.total, 1, beside={"ramped": p["ramped"].total})


def _median(found: Sequence[Result]) -> Result:
    watched = [(int(x.value), bool(x.beside["ramped"])) for x in found if x.value is not None]
    left_out: dict[str, int] = {}
    for reason in (x.null_reason for x in found if x.null_reason):
        left_out[reason] = left_out.get(reason, 0) + 1
    months, there = ramp.median(watched), sum(ramped for _, ramped in watched)
    censored = len(watched) - there
    beside: dict[str, Fraction | None] = {
        "still_ramping": share(Fraction(censored), len(watched)),
        "ramped": Fraction(there),
        "censored": Fraction(censored),
    }
    reason = None if months is not None else "still_ramping" if watched else "nobody_watched"
    value = None if months is None else Fraction(months)
    return Result(value, len(watched), null_reason=reason, beside=beside, excluded=left_out)


RAMP_TIME = Metric(
    name="ramp_time",
    title="Ramp time",
    description="How many months it takes reps, from the one in which they were hired, to reach a month's full quota.",
    kind="cohort",
    unit="months",
    formula="The month, that of the hire the first, by which half of the reps reached it (median by Kaplan-Meier)",
    date_field="hired",
    parts={"months": MONTHS, "ramped": RAMPED},
    combine=_of_rep,
    each="rep",
    over=_median,
    beside={
        "still_ramping": "The share that has not reached it, or left before.",
        "ramped": "How many have reached it.",
        "censored": "How many have not: they count for as long as they were watched, and are not left out.",
    },
    edge_rules=(
        "The reps are those hired in the period, in the place that they had on that day; with `credit=current`, in "
        "today's.",
        "Reached is a month's quota once the bookings of the calendar month are at least all of it, before relief, if "
        "only once. A month without a quota passes and cannot be reached.",
        "Who has not reached it was watched for the months that are over, or that were over on the last day at work.",
        "Until half are estimated to be there it is null with `still_ramping`; where nobody could be watched, with "
        "`nobody_watched`.",
        "Reps who never carried a quota of their own since are excluded as `no_quota`, those whose bookings or quotas "
        "lack a rate of exchange as `missing_fx`, those who are inactive without a last day as `no_last_day`, those "
        "without a first day as `no_hire_date`.",
        "Bookings are those of the rep at the close, whoever may see the deals. They and the quotas are compared in "
        "the home currency, at the rate of the close and of the first day of the quota's period.",
        "Asked of the reps whose work one sees: one's own and that of those below.",
    ),
    example="Hired in January: one rep reached its quota in March, month 3, another in June, month 6, a third left in "
            "its fifth month without it. After month 3 two thirds are not there yet, after month 6 nobody: 6 months.",
)  # fmt: skip
