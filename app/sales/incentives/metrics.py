"""Numbers about pay: what the ledger has posted, and what it is measured by.

An entry counts on its day: that of the close, and of what a later period adjusts the first day of that one, when it
became known. Entries are only ever added, so the ledger as of a moment is what was in it by then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import TIMESTAMP, Numeric, and_, cast, func, literal_column, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

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
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import source
from app.sales.incentives.models import comp_plans, ledger_entries, plan_assignments, statement_lines
from app.sales.org.days import days, piece, reported_to_by_day, standing_by_day
from app.sales.org.metrics import MANAGER_LEVELS, credited_to, standing
from app.sales.pipeline.metrics import BOOKINGS

READERS = frozenset({"admin", "manager", "rep"})
"""Who may ask for pay at all; whose, is a matter of the rows."""


def _rep(s: Scope) -> ColumnElement[Any]:
    return s.row.c.rep_id


def _entries(binds: Binds) -> FromClause:
    entry = ledger_entries.alias("entry")
    if not binds.as_of:
        return entry
    posted = select(*entry.c).where(entry.c.created_at <= binds.moment)
    if not binds.known_now:
        posted = posted.where(entry.c.created_at <= binds.known)
    return posted.subquery("entry")


def _midnight(s: Scope) -> ColumnElement[Any]:
    return func.timezone(s.zone, cast(s.row.c.on_day, TIMESTAMP()))


ENTRIES = Fact(
    name="ledger_entries",
    noun="ledger_entries",
    rows=_entries,
    label=lambda s: func.coalesce(s.join("line").c.component, s.row.c.kind),
    joins={
        **standing(_rep),
        "line": Join(
            rows=lambda s: statement_lines.alias("line"),
            on=lambda s, line: and_(line.c.tenant_id == s.binds.tenant, line.c.id == s.row.c.line_id),
        ),
    },
    dimensions=(
        *credited_to(_rep),
        Dimension(name="component", title="Component of the plan", value=lambda s: s.join("line").c.component),
        Dimension(name="posting", title="Kind of entry", value=lambda s: s.row.c.kind),
        Dimension(name="opportunity", title="Deal", noun="opportunities", value=lambda s: s.row.c.opportunity_id),
        Dimension(name="currency", title="Currency of the pay", value=lambda s: s.row.c.currency),
    ),
)  # fmt: skip


def _posted(name: str, where: Callable[[Scope], ColumnElement[bool]]) -> Measure:
    population = Population(
        name=name,
        fact=ENTRIES,
        kind="flow",
        where=where,
        date=_midnight,
        within=lambda s: and_(s.row.c.on_day >= bucket("first"), s.row.c.on_day < bucket("last")),
        rate_day=lambda s: s.row.c.on_day,
    )
    return Measure(name=name, population=population, value=lambda s: s.amount, money=True)


def _is(*kinds: str) -> Callable[[Scope], ColumnElement[bool]]:
    return lambda s: s.row.c.kind.in_([constant(kind) for kind in kinds])


_EARNED = ("earning", "adjustment", "clawback")
EARNINGS = _posted("earnings", _is(*_EARNED))
OF_DEALS = _posted("of_deals", lambda s: and_(_is(*_EARNED)(s), s.row.c.opportunity_id.is_not(None)))
EXPENSE = _posted("pay", _is(*_EARNED, "draw"))
PAID = _posted("paid", _is("payment"))

# --- what full attainment would earn ---------------------------------------------------------------------------------

_NEVER = literal_column("'infinity'::date")


def _assigned(binds: Binds) -> FromClause:
    one = source(plan_assignments, binds, "assignment", tracked_only=True)
    return (
        select(
            *one.c,
            one.c.starts_on.label("from_day"),
            func.coalesce(one.c.ends_on, _NEVER).label("to_day"),
        )
        .where(one.c.tenant_id == binds.tenant, one.c.deleted_at.is_(None))
        .subquery("assigned")
    )


ASSIGNMENTS = Fact(
    name="plan_assignments",
    noun="plan_assignments",
    rows=_assigned,
    label=lambda s: s.join("plan").c.name,
    piece=piece,
    currency=lambda s: s.join("plan").c.currency,
    amount=lambda s: s.row.c.on_target_earnings * s.row.c.variable_share,
    joins={
        **standing_by_day(_rep),
        "plan": Join(
            rows=lambda s: comp_plans.alias("plan"),
            on=lambda s, plan: and_(plan.c.tenant_id == s.binds.tenant, plan.c.id == s.row.c.plan_id),
        ),
    },
    dimensions=(
        Dimension(name="rep", title="Rep", noun="reps", value=_rep),
        Dimension(
            name="manager", title="Direct manager", noun="reps", within=reported_to_by_day(_rep),
            value=lambda s: s.join("place").c.manager_id,
        ),
        Dimension(name="team", title="Team", noun="teams", value=lambda s: s.join("place").c.team_id),
        Dimension(
            name="territory", title="Territory", noun="territories", value=lambda s: s.join("place").c.territory_id
        ),
        Dimension(name="function", title="Function of the rep", value=lambda s: s.join("place").c.function),
        *MANAGER_LEVELS,
    ),
)  # fmt: skip

DAYS_OF_A_YEAR = 365

TARGET = Measure(
    name="target",
    population=Population(
        name="assigned",
        fact=ASSIGNMENTS,
        kind="flow",
        where=lambda s: true(),
        date=lambda s: s.row.c.from_day,
        within=lambda s: and_(s.row.c.from_day < bucket("last"), s.row.c.to_day > bucket("first")),
        rate_day=lambda s: func.greatest(s.row.c.from_day, bucket("first")),
    ),
    money=True,
    value=lambda s: s.amount,
    weight=lambda s: cast(days(s), Numeric),
    over=DAYS_OF_A_YEAR,
    only=lambda s: days(s) > 0,
    exclusions=(("no_target_earnings", lambda s: ASSIGNMENTS.amount(s).is_(None)),),
)


def _per_booking(name: str) -> Callable[[Tallies], Result]:
    def told(p: Tallies) -> Result:
        pay, booked = p[name], p["bookings"]
        if pay.unpriced or booked.unpriced:
            return Result(None, 0, None, booked.total, "missing_fx")
        return divide(pay.total, booked.total, pay.n, booked.undefined)

    return told


def _to_target(p: Tallies) -> Result:
    earned, target = p["earnings"], p["target"]
    if earned.unpriced:
        return Result(None, 0, None, target.total, "missing_fx")
    reason = "missing_fx" if target.excluded.get("missing_fx") else "no_target_earnings"
    return divide(earned.total, target.total, earned.n, reason)


_RULES = (
    "As posted: a period that was not calculated yet has earned nothing.",
    "An entry counts on the day of the close; an adjustment or a clawback of a closed period on the first day of the "
    "period that pays it. A bonus and a draw count on the period's last day.",
    "For the rep, those above and admins. Where the pay of some is seen and the deals of others too, both parts of a "
    "ratio stand beside it.",
    "As of a moment: the entries that were posted by then.",
)
_FX = "Each entry is converted at the rate of its day; without one it is excluded as `missing_fx`."
_SPLITS = "Pay goes by splits: ask with `attribution=split` to divide by what reps are credited."

METRICS = (
    Metric(
        name="earnings",
        title="Earnings",
        description="What reps have earned by their plans, adjustments and clawbacks included, draws not.",
        kind="flow",
        unit="money",
        formula="Sum of the ledger's entries of the kinds earning, adjustment and clawback",
        date_field="on_day",
        parts={"earnings": EARNINGS},
        edge_rules=(*_RULES, _FX),
        example="Earned 1,000 on a deal of February and 600 on one of March; a clawback of January's posted on 1 "
                "April. Earnings of 2026-Q1: 1,600.",
        read_roles=READERS,
        handed_on=False,
    ),
    Metric(
        name="payout",
        title="Payout",
        description="What was paid out to reps.",
        kind="flow",
        unit="money",
        formula="Sum of the ledger's entries of the kind payment",
        date_field="paid_on",
        parts={"paid": PAID},
        edge_rules=("A payment counts on the day on which it was made.", *_RULES[2:], _FX),
        example="Payouts of 1,600 and 900 paid on 25 April. Payout of 2026-Q2: 2,500.",
        read_roles=READERS,
        handed_on=False,
    ),
    Metric(
        name="commission_rate",
        title="Commission rate",
        description="What deals have earned their reps, as a share of bookings.",
        kind="ratio",
        unit="ratio",
        formula="Earnings of deals ÷ bookings",
        date_field="closed",
        parts={"of_deals": OF_DEALS, "bookings": BOOKINGS},
        combine=_per_booking("of_deals"),
        edge_rules=(*_RULES, _SPLITS, "Bonuses and draws are of no deal, and not in it. Nothing booked is null.", _FX),
        example="Bookings 100,000, earned on them 8,000, a bonus of 2,000 beside. Commission rate: 0.08.",
        read_roles=READERS,
        handed_on=False,
    ),
    Metric(
        name="cost_of_sales_pay",
        title="Cost of sales pay",
        description="All that pay has cost, bonuses and draws included, as a share of bookings.",
        kind="ratio",
        unit="ratio",
        formula="(Earnings + draws) ÷ bookings",
        date_field="closed",
        parts={"pay": EXPENSE, "bookings": BOOKINGS},
        combine=_per_booking("pay"),
        edge_rules=(*_RULES, _SPLITS, "A recovered draw is below 0. Nothing booked is null.", _FX),
        example="Bookings 100,000, earned 8,000, a bonus of 2,000. Cost: 0.1.",
        read_roles=READERS,
        handed_on=False,
    ),
    Metric(
        name="earnings_to_target",
        title="Earnings to target",
        description="What was earned, as a share of what full attainment would have earned.",
        kind="ratio",
        unit="ratio",
        formula="Earnings ÷ sum over assignments of (on-target earnings x variable share x days ÷ 365)",
        date_field="on_day",
        parts={"earnings": EARNINGS, "target": TARGET},
        combine=_to_target,
        edge_rules=(
            *_RULES,
            "Target earnings are for a year of 365 days and count for the days of the assignment in the period. "
            "Assignments without them are excluded as `no_target_earnings`; none at all is null with that reason.",
            _FX,
        ),
        example="On-target earnings 146,000, half of it variable: 200 a day, 18,000 for the 90 days of 2026-Q1. Earned "
                "9,000: 0.5.",
        read_roles=READERS,
        handed_on=False,
    ),
)  # fmt: skip
