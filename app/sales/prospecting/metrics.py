"""Numbers about leads."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, or_, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import (
    Dimension,
    Fact,
    Measure,
    Metric,
    Population,
    Result,
    Tallies,
    divide,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.metrics.unborn import recorded_later
from app.language.query.binds import Binds
from app.language.query.source import source
from app.sales.org.metrics import credited_to, placement
from app.sales.prospecting.models import leads


def _rows(binds: Binds) -> FromClause:
    return source(leads, binds, "lead", tracked_only=True)


def _of(column: str) -> Any:
    return lambda s: s.row.c[column]


LEADS = Fact(
    name="leads",
    noun="leads",
    rows=_rows,
    unborn=recorded_later(leads, "received_at", "lead"),
    joins={"place": placement(_of("owner_id"))},
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
OPEN = Population(
    name="open_leads",
    fact=LEADS,
    kind="stock",
    where=lambda s: and_(s.row.c.disqualified_at.is_(None), s.row.c.converted_at.is_(None)),
    date=_of("received_at"),
    unborn=_undecided_by_its_ends,
)


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
_STOCK = (
    "The value at the end of each bucket, or at `as_of` or now where that is earlier; without a period, now."
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
        parts={"qualified_leads": Measure(name="qualified_leads", population=QUALIFIED)},
        edge_rules=("Whatever became of them afterwards.", _MERGED, _OWNER),
        example="Came in in February, qualified on 2 March, converted in April. Qualified leads in March: 1.",
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
        edge_rules=(_STOCK, "As of a moment before they were recorded, leads without a day on which they came in are "
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
)  # fmt: skip
