"""Numbers about leads."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from sqlalchemy import and_, case, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import (
    Before,
    Dimension,
    Fact,
    Join,
    Measure,
    Metric,
    Population,
    Result,
    Tallies,
    divide,
    middle,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.metrics.unborn import recorded_later
from app.language.metrics.wording import PRECEDING, STOCK
from app.language.query.binds import Binds, constant
from app.language.query.source import source
from app.sales.org.metrics import credited_to, standing
from app.sales.pipeline.models import opportunities
from app.sales.prospecting.models import leads


def _rows(binds: Binds) -> FromClause:
    return source(leads, binds, "lead", tracked_only=True)


def _of(column: str) -> Any:
    return lambda s: s.row.c[column]


def _deal(s: Scope) -> FromClause:
    """What the lead became, as it stood at the same moment, whoever may see it."""
    deal = s.source(opportunities, "deal")
    return (
        select(deal.c.category)
        .where(
            deal.c.tenant_id == s.binds.tenant, deal.c.id == s.row.c.converted_opportunity_id,
            deal.c.deleted_at.is_(None),
        )
        .limit(1)
        .correlate(s.row)
        .lateral("became")
    )  # fmt: skip


LEADS = Fact(
    name="leads",
    noun="leads",
    rows=_rows,
    unborn=recorded_later(leads, "received_at", "lead"),
    joins={**standing(_of("owner_id")), "became": Join(rows=_deal, on=lambda s, deal: true())},
    custom={"custom": ("leads", lambda s: s.row)},
    dimensions=(
        *credited_to(_of("owner_id")),
        Dimension(name="queue", title="Queue", noun="lead_queues", value=_of("queue_id")),
        Dimension(name="campaign", title="Campaign", noun="campaigns", value=_of("campaign_id")),
        Dimension(name="lead_source", title="Lead source", value=_of("lead_source")),
        Dimension(name="industry", title="Industry", value=_of("industry")),
        Dimension(name="country", title="Country", value=_of("country")),
    ),
)


def _reached(column: str) -> Any:
    return lambda s: s.row.c[column].is_not(None)


def _qualified_meanwhile(s: Scope) -> ColumnElement[bool]:
    at = s.row.c.qualified_at
    return and_(at >= bucket("starts"), at < bucket("ends"), at <= bucket("at"))


def _undecided_by_its_ends(s: Scope) -> ColumnElement[bool]:
    return and_(*(
        or_(s.row.c[end].is_(None), s.row.c[end] > bucket("at")) for end in ("disqualified_at", "converted_at")
    ))  # fmt: skip


RECEIVED = Population(
    name="received",
    fact=LEADS,
    kind="flow",
    where=lambda s: true(),
    date=_of("received_at"),
    undated="no_open_date",
    unborn=lambda s: true(),
)
QUALIFIED = Population(
    name="qualified",
    fact=LEADS,
    kind="flow",
    where=_reached("qualified_at"),
    date=_of("qualified_at"),
    unborn=_qualified_meanwhile,
)
QUALIFIED_LEADS = Measure(name="qualified_leads", population=QUALIFIED)
OPEN = Population(
    name="open_leads",
    fact=LEADS,
    kind="stock",
    where=lambda s: and_(s.row.c.disqualified_at.is_(None), s.row.c.converted_at.is_(None)),
    date=_of("received_at"),
    unborn=_undecided_by_its_ends,
)


def _velocity(p: Tallies) -> Result:
    now, before = p["qualified"].total, p["before"].total
    return divide(now - before, before, p["qualified"].n, beside={"qualified": now, "before": before})


MEDIAN, NINE_TENTHS, NINETEEN = Fraction(1, 2), Fraction(9, 10), Fraction(19, 20)
_MINUTES = (5, 15, 60)


def _response(s: Scope) -> ColumnElement[Any]:
    return func.extract("epoch", s.row.c.first_response_at - s.row.c.received_at)


def _answered_within(minutes: int) -> Measure:
    return Measure(
        name=f"within_{minutes}",
        population=RECEIVED,
        only=lambda s: _response(s).between(0, minutes * 60),
    )


RESPONSES = Measure(
    name="responses",
    population=RECEIVED,
    value=_response,
    only=_reached("first_response_at"),
    exclusions=(("negative_response", lambda s: s.row.c.first_response_at < s.row.c.received_at),),
    quantiles=(MEDIAN, NINE_TENTHS, NINETEEN),
)


def _speed(p: Tallies) -> Result:
    answered, created = p["responses"], p["created"].total
    return middle(
        answered,
        MEDIAN,
        mean=share(answered.total, answered.n),
        p90=answered.quantiles.get(NINE_TENTHS),
        p95=answered.quantiles.get(NINETEEN),
        **{f"within_{m}_minutes": share(p[f"within_{m}"].total, created) for m in _MINUTES},
        unanswered_share=share(p["unanswered"].total, created),
    )


def _undecided(s: Scope) -> ColumnElement[bool]:
    """No deal yet where there may be one, or one that is open."""
    row, deal = s.row, s.join("became").c.category
    no_end = and_(row.c.disqualified_at.is_(None), row.c.converted_at.is_(None))
    return case((deal.is_(None), no_end), else_=deal == constant("open"))


def _to_win(p: Tallies) -> Result:
    created, won, undecided = p["created"].total, p["won"].total, p["open"].total
    beside = {
        "of_resolved": share(won, created - undecided),
        "open_share": share(undecided, created),
        "deal_share": share(p["with_deal"].total, created),
    }
    return divide(won, created, p["created"].n, beside=beside)


def _conversion(p: Tallies) -> Result:
    created, converted, given_up = p["created"].total, p["converted"].total, p["disqualified"].total
    beside = {
        "of_resolved": share(converted, converted + given_up),
        "open_share": share(created - converted - given_up, created),
    }
    return divide(converted, created, p["created"].n, beside=beside)


_MERGED = (
    "A lead that was merged into another counts once, with the other; one taken up again keeps its first day."
)
_UNDATED = "Leads of which nobody knows when they came in are excluded as `no_open_date`."
_OWNER = (
    "By rep, manager, team and territory, a lead is its owner's, with the place that the owner had on the number's "
    "date; one in a queue is nobody's."
)

METRICS = (
    Metric(
        name="leads_created",
        title="Leads",
        description="Leads that came in during the period.",
        kind="flow",
        unit="count",
        formula="Number of leads by the day on which they came in",
        date_field="received",
        parts={"leads_created": Measure(name="leads_created", population=RECEIVED)},
        edge_rules=(_UNDATED, _MERGED, _OWNER),
        example="Three leads came in in March, one of them was disqualified in April. Leads in March: 3.",
    ),
    Metric(
        name="qualified_leads",
        title="Qualified leads",
        description="Leads that were found worth pursuing in the period.",
        kind="flow",
        unit="count",
        formula="Number of leads by the day on which they were first qualified",
        date_field="qualified",
        parts={"qualified_leads": QUALIFIED_LEADS},
        edge_rules=("Whatever became of them afterwards.", _MERGED, _OWNER),
        example="Came in in February, qualified on 2 March, converted in April. Qualified leads in March: 1.",
    ),
    Metric(
        name="speed_to_lead",
        title="Speed to lead",
        description="The time until the first answer that half of the answered leads of the period waited at most.",
        kind="cohort",
        unit="seconds",
        formula="The middle of (first response - received) of the leads that came in during the period",
        date_field="received",
        parts={
            "responses": RESPONSES,
            "created": Measure(name="created", population=RECEIVED),
            "unanswered": Measure(
                name="unanswered", population=RECEIVED, only=lambda s: s.row.c.first_response_at.is_(None)
            ),
            **{f"within_{m}": _answered_within(m) for m in _MINUTES},
        },
        combine=_speed,
        beside={
            "mean": "Of the answered leads.", "p90": "Nine tenths of the answered leads waited at most so long.",
            "p95": "Nineteen of twenty waited at most so long.",
            **{f"within_{m}_minutes": f"Of all leads, the share answered within {m} minutes." for m in _MINUTES},
            "unanswered_share": "Of all leads, those that nobody has answered yet.",
        },
        edge_rules=("By the clock, not by hours of work.",
                    "Leads without an answer have no time to count: their share stands beside, for they are the worst.",
                    "An answer before the lead came in is excluded as `negative_response`.", _UNDATED, _MERGED, _OWNER),
        example="Answered after 1, 4 and 50 minutes, one lead never. Speed: 240 seconds, within 5 minutes 0.5, "
        "unanswered 0.25.",
    ),
    Metric(
        name="lead_velocity_rate",
        title="Lead velocity",
        description="By how much the qualified leads of the period exceed those of the period before.",
        kind="ratio",
        unit="ratio",
        formula="(Qualified leads - those of the period before) ÷ those of the period before",
        date_field="qualified",
        parts={"qualified": QUALIFIED_LEADS, "before": Before(QUALIFIED_LEADS)},
        combine=_velocity,
        beside={"qualified": "Of the period.", "before": "Of the period before."},
        edge_rules=(PRECEDING, "Nothing qualified before is null, not 0.", "Whatever became of them afterwards.",
                    _MERGED, _OWNER),
        example="Qualified in February: 40, in March: 50. Lead velocity in March: 10 ÷ 40 = 0.25.",
    ),
    Metric(
        name="open_leads",
        title="Open leads",
        description="Leads that are neither converted nor disqualified at a moment.",
        kind="stock",
        unit="count",
        formula="Number of leads without a conversion and without a disqualification",
        date_field="moment",
        parts={"open_leads": Measure(name="open_leads", population=OPEN)},
        edge_rules=(STOCK, "As of a moment before they were recorded, leads without a day on which they came in are "
                    "excluded as `no_open_date`.", _MERGED, _OWNER),
        example="Came in in January, converted on 2 April: open at the end of March. Open leads: 1.",
    ),
    Metric(
        name="lead_conversion",
        title="Lead conversion",
        description="Of the leads that came in during the period, the share that has been converted by now.",
        kind="cohort",
        unit="ratio",
        formula="Converted ÷ all leads that came in during the period",
        date_field="received",
        parts={
            "created": Measure(name="created", population=RECEIVED),
            "converted": Measure(name="converted", population=RECEIVED, only=_reached("converted_at")),
            "disqualified": Measure(
                name="disqualified", population=RECEIVED,
                only=lambda s: and_(s.row.c.disqualified_at.is_not(None), s.row.c.converted_at.is_(None)),
            ),
        },
        combine=_conversion,
        proportion=True,
        beside={
            "of_resolved": "Converted ÷ (converted + disqualified): the other reading of the word.",
            "open_share": "Share of the cohort that is still open: while it is high, the rate will grow.",
        },
        edge_rules=("A cohort: by the day on which they came in, not on which they were converted.", _UNDATED, _MERGED,
                    _OWNER),
        example="Came in in March: 4 leads, 1 converted, 1 disqualified. Lead conversion: 0.25, of resolved 0.5.",
    ),
    Metric(
        name="lead_to_win_rate",
        title="Lead to win",
        description="Of the leads that came in during the period, the share that has become won deals by now.",
        kind="cohort",
        unit="ratio",
        formula="Leads whose deal is won ÷ all leads that came in during the period",
        date_field="received",
        parts={
            "created": Measure(name="created", population=RECEIVED),
            "won": Measure(
                name="won", population=RECEIVED, only=lambda s: s.join("became").c.category == constant("won")
            ),
            "open": Measure(name="undecided", population=RECEIVED, only=_undecided),
            "with_deal": Measure(
                name="with_deal", population=RECEIVED, only=lambda s: s.join("became").c.category.is_not(None)
            ),
        },
        combine=_to_win,
        proportion=True,
        beside={
            "of_resolved": "Won ÷ all of the cohort that is decided: without those of `open_share`.",
            "open_share": "Share that may still be won, as a lead or as a deal: while it is high, the rate will grow.",
            "deal_share": "Share that became deals at all, whatever came of these.",
        },
        edge_rules=("A cohort: by the day on which the leads came in, not on which their deals were won.",
                    "The deal is the one that the lead was converted into, in its state at the moment asked for: "
                    "reopened since, it is not won. One that was deleted was not won.",
                    "A lead converted without a deal, or whose deal was lost or abandoned, is decided and not won.",
                    "Deals count whoever may see them; it is told that a lead's was won, not which it is.",
                    _UNDATED, _MERGED, _OWNER),
        example="Came in in March: 4 leads; the deal of 1 was won, that of 1 is open, 1 was disqualified, 1 is new. "
        "Lead to win: 0.25, of resolved 0.5, open share 0.5.",
    ),
)  # fmt: skip
