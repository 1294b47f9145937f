"""Numbers about deals."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, case, false, func, null, select, true, union_all
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import UUID
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
    Trailing,
    divide,
    share,
)
from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import held, known, source
from app.sales.accounts.models import accounts
from app.sales.org.metrics import credited_to, placement
from app.sales.pipeline.models import opportunities, opportunities_history, opportunity_line_items, stages
from app.sales.pricing.models import products

# --- the fact ---------------------------------------------------------------------------------------------------------


def _deals(binds: Binds) -> FromClause:
    return source(opportunities, binds, "deal", tracked_only=True)


def _first_recorded_later(binds: Binds) -> FromClause:
    """Deals without an opening date whose first version begins after the moment: they may have existed unseen.

    Asked as a minimum, which is one look into the index of a record's versions. As NOT EXISTS it is a join, and of a
    tenant that no statistics know yet the planner joined every deal with the whole history.
    """
    h, before = opportunities_history.alias("deal_h"), opportunities_history.alias("before")
    own = [h.c[c.name] for c in opportunities.columns if c.name in h.c and c.name != "tenant_id"]
    first = (
        select(func.min(before.c.valid_from))
        .where(before.c.tenant_id == binds.tenant, before.c.record_id == h.c.record_id, known(before, binds))
        .correlate(h)
        .scalar_subquery()
    )
    return (
        select(h.c.tenant_id, h.c.record_id.label("id"), false().label("inferred"), *own)
        .where(
            h.c.tenant_id == binds.tenant, h.c.opened_at.is_(None), h.c.valid_from > binds.moment, known(h, binds),
            h.c.valid_from == first,
        )
        .subquery("deal")
    )  # fmt: skip


def _credited(s: Scope) -> ColumnElement[Any]:
    """The owner at the close; while open, or with `credit=current`, the owner."""
    if s.credit == "at_close":
        return func.coalesce(s.row.c.credited_owner_id, s.row.c.owner_id)
    return func.coalesce(s.join("asked").c.owner_id, s.row.c.owner_id) if s.binds.as_of else s.row.c.owner_id


def _record(table: Any, alias: str, reference: str) -> Join:
    return Join(
        rows=lambda s: s.source(table, alias),
        on=lambda s, record: and_(record.c.tenant_id == s.binds.tenant, record.c.id == s.row.c[reference]),
    )


def _first_version(s: Scope) -> FromClause:
    """The first amount that the deal was given: later growth is another number."""
    h = opportunities_history.alias("first_h")
    return (
        select(h.c.amount, h.c.currency)
        .where(
            h.c.tenant_id == s.binds.tenant, h.c.record_id == s.row.c.id, h.c.amount.is_not(None),
            h.c.valid_from <= bucket("at"), known(h, s.binds),
        )
        .order_by(h.c.valid_from)
        .limit(1)
        .correlate(s.row)
        .lateral("first_version")
    )  # fmt: skip


def _lines(s: Scope) -> Select[Any]:
    """A deal by its lines; what they do not cover is a last part without a product, also where there are no lines."""
    line, rest = s.source(opportunity_line_items, "line"), s.source(opportunity_line_items, "rest")
    product = s.source(products, "product")
    covered = func.coalesce(func.sum(rest.c.amount), 0)
    lines = (
        select(
            line.c.product_id.label("product"), product.c.family.label("product_family"),
            func.coalesce(line.c.amount, 0).label("amount"),
        )
        .select_from(
            line.outerjoin(product, and_(product.c.tenant_id == s.binds.tenant, product.c.id == line.c.product_id))
        )
        .where(line.c.tenant_id == s.binds.tenant, line.c.opportunity_id == s.row.c.id)
        .correlate(s.row, *s.joined)
    )  # fmt: skip
    remainder = (
        select(
            null().cast(UUID(as_uuid=True)).label("product"), null().cast(SqlText).label("product_family"),
            (s.whole - covered).label("amount"),
        )
        .select_from(rest)
        .where(rest.c.tenant_id == s.binds.tenant, rest.c.opportunity_id == s.row.c.id)
        .having((func.count() == 0) | (s.whole - covered != 0))
        .correlate(s.row, *s.joined)
    )  # fmt: skip
    return union_all(lines, remainder)  # type: ignore[return-value]


def _of(column: str) -> Any:
    return lambda s: s.row.c[column]


def _of_account(column: str) -> Any:
    return lambda s: s.join("account").c[column]


DEALS = Fact(
    name="deals",
    noun="opportunities",
    rows=_deals,
    unborn=_first_recorded_later,
    parts=_lines,
    joins={
        "place": placement(_credited),
        "asked": Join(
            rows=lambda s: opportunities_history.alias("asked"),
            on=lambda s, asked: and_(held(asked, s.binds, s.asked), asked.c.record_id == s.row.c.id),
        ),
        "account": _record(accounts, "account", "account_id"),
        "stage": _record(stages, "stage", "stage_id"),
        "first_version": Join(rows=_first_version, on=lambda s, first: true()),
    },
    dimensions=(
        *credited_to(_credited),
        Dimension(
            name="product", title="Product", noun="products", value=lambda s: s.part.c.product, multiplies=True,
            nobody="unallocated",
        ),
        Dimension(
            name="product_family", title="Product family", value=lambda s: s.part.c.product_family, multiplies=True,
            nobody="unallocated",
        ),
        Dimension(name="account", title="Account", noun="accounts", value=_of("account_id")),
        Dimension(name="industry", title="Industry of the account", value=_of_account("industry")),
        Dimension(name="segment", title="Segment of the account", value=_of_account("segment")),
        Dimension(name="country", title="Country of the account", value=_of_account("country")),
        Dimension(name="type", title="Type of business", value=_of("type")),
        Dimension(name="pipeline", title="Pipeline", noun="pipelines", value=_of("pipeline_id")),
        Dimension(name="stage", title="Stage", noun="stages", value=_of("stage_id")),
        Dimension(name="lead_source", title="Lead source", value=_of("lead_source")),
        Dimension(name="loss_reason", title="Loss reason", value=_of("loss_reason")),
        Dimension(name="currency", title="Currency of the deal", value=_of("currency")),
    ),
)  # fmt: skip

# --- which deals ------------------------------------------------------------------------------------------------------


def _is(category: str) -> Any:
    return lambda s: s.row.c.category == constant(category)


def _closed_meanwhile(category: str | None) -> Any:
    """Of deals not yet recorded at the moment: those that closed in the bucket, by what they said later."""

    def condition(s: Scope) -> ColumnElement[bool]:
        kind = (
            s.row.c.category != constant("open")
            if category is None
            else s.row.c.category == constant(category)
        )
        closed = s.row.c.closed_at
        return and_(kind, closed >= bucket("starts"), closed < bucket("ends"), closed <= bucket("at"))

    return condition


def _closed(name: str, category: str | None) -> Population:
    return Population(
        name=name,
        fact=DEALS,
        kind="flow",
        where=(lambda s: s.row.c.category != constant("open")) if category is None else _is(category),
        date=_of("closed_at"),
        undated="no_close_date",
        unborn=_closed_meanwhile(category),
    )


WON, LOST, CLOSED = _closed("won", "won"), _closed("lost", "lost"), _closed("closed", None)


def _still_open_by_its_close(s: Scope) -> ColumnElement[bool]:
    return s.row.c.closed_at.is_(None) | (s.row.c.closed_at > bucket("at"))


OPEN = Population(
    name="open",
    fact=DEALS,
    kind="stock",
    where=_is("open"),
    date=_of("opened_at"),
    unborn=_still_open_by_its_close,
)
OPEN_DUE = Population(
    name="open_due",
    fact=DEALS,
    kind="stock",
    where=_is("open"),
    date=_of("expected_close_on"),
    within=lambda s: and_(
        s.row.c.expected_close_on >= bucket("first"), s.row.c.expected_close_on < bucket("last")
    ),
    undated="no_expected_close",
)  # fmt: skip
OPENED = Population(
    name="opened",
    fact=DEALS,
    kind="flow",
    where=lambda s: true(),
    date=_of("opened_at"),
    undated="no_open_date",
    unborn=lambda s: true(),
)
CREATED = Population(
    name="created",
    fact=DEALS,
    kind="flow",
    where=lambda s: true(),
    date=_of("opened_at"),
    undated="no_open_date",
    unborn=lambda s: true(),
    amount=lambda s: s.join("first_version").c.amount,
    currency=lambda s: s.join("first_version").c.currency,
)

# --- what of them is added up -----------------------------------------------------------------------------------------


def _amount(s: Scope) -> ColumnElement[Any]:
    return s.amount


def _probability(s: Scope) -> ColumnElement[Any]:
    return func.coalesce(s.row.c.probability, s.join("stage").c.probability)


def _probability_source(s: Scope) -> ColumnElement[Any]:
    return case((s.row.c.probability.is_not(None), constant("deal")), else_=constant("stage"))


_ABANDONED = ("abandoned", _is("abandoned"))

BOOKINGS = Measure(name="bookings", population=WON, value=_amount, money=True)
WON_DEALS = Measure(name="won_deals", population=WON)
WON_OF_CLOSED = Measure(name="won", population=CLOSED, only=_is("won"))
CLOSED_DEALS = Measure(name="closed", population=CLOSED, exclusions=(_ABANDONED,))
SIZED_DEALS = Measure(
    name="sized",
    population=WON,
    value=_amount,
    money=True,
    exclusions=(("zero_amount", lambda s: s.whole == 0),),
)
CYCLES = Measure(
    name="cycles",
    population=WON,
    value=lambda s: func.extract("epoch", s.row.c.closed_at - s.row.c.opened_at),
    over=86_400,
    exclusions=(
        ("no_open_date", lambda s: s.row.c.opened_at.is_(None)),
        ("negative_cycle", lambda s: s.row.c.closed_at < s.row.c.opened_at),
    ),
)
OPEN_DEALS = Measure(name="open_deals", population=OPEN)


def _win_rate(p: Tallies) -> Result:
    return divide(p["won"].total, p["closed"].total, p["closed"].n)


def _close_rate(p: Tallies) -> Result:
    created = p["created"].total
    return divide(
        p["won"].total, created, p["created"].n, beside={"open_share": share(p["open"].total, created)}
    )


def _average_deal_size(p: Tallies) -> Result:
    deals = p["deals"]
    reason = "missing_fx" if deals.excluded["missing_fx"] else "zero_denominator"
    return divide(deals.total, deals.n, deals.n, reason)


def _sales_cycle(p: Tallies) -> Result:
    return divide(p["cycles"].total, p["cycles"].n, p["cycles"].n)


def _pipeline_velocity(p: Tallies) -> Result:
    opened, won, closed, sized, cycles = (p[name] for name in ("open", "won", "closed", "sized", "cycles"))
    win_rate, size = share(won.total, closed.total), share(sized.total, sized.n)
    cycle = share(cycles.total, cycles.n)
    beside = {"win_rate": win_rate, "average_deal_size": size, "sales_cycle": cycle}
    if win_rate is None or size is None or cycle is None:
        reason = "missing_fx" if size is None and sized.excluded["missing_fx"] else "zero_denominator"
        return Result(None, opened.n, null_reason=reason, beside=beside)
    return divide(opened.total * win_rate * size, cycle, opened.n, beside=beside)


_REOPENED = "A reopened deal is counted by its state at `as_of`: won then, it is won; reopened since, it is open again."
_CREDIT = (
    "Credit follows the owner at the close and that owner's team, territory and manager at that time; "
    "`credit=current` follows today's."
)
_UNDATED = "Won or lost deals without a close date belong to no period: excluded as `no_close_date`."
_UNPRICED = (
    "A deal without an amount (`no_amount`) or without a rate of exchange on or before its day (`missing_fx`) is "
    "counted there and not priced; nothing priced at all is null."
)
_PRODUCTS = (
    "By product, amounts are those of the lines, and what they do not cover is `unallocated`; a deal counts once in "
    "each of its groups and once in the total."
)
_UNBORN = (
    "As of a moment before they were recorded, deals without an opening date are excluded as `no_open_date`."
)
_CLOSE_RULES = (_UNDATED, _UNBORN, _REOPENED, _CREDIT, _PRODUCTS)
_STOCK = (
    "The value at the end of each bucket, or at `as_of` or now where that is earlier; without a period, now."
)

METRICS = (
    Metric(
        name="bookings",
        title="Bookings",
        description="Total contract value of the deals won in the period.",
        kind="flow",
        unit="money",
        formula="Sum of the amounts of won deals, each converted at its rate",
        date_field="closed",
        parts={"bookings": BOOKINGS},
        edge_rules=(_UNPRICED, *_CLOSE_RULES),
        example="Won in March: 1,000 USD and 500 EUR at 1.10. Bookings in USD: 1,550.",
    ),
    Metric(
        name="won_deals",
        title="Won deals",
        description="Deals won in the period.",
        kind="flow",
        unit="count",
        formula="Number of deals whose category is won",
        date_field="closed",
        parts={"won_deals": WON_DEALS},
        edge_rules=_CLOSE_RULES,
        example="Two deals closed as won in March, one as lost. Won deals: 2.",
    ),
    Metric(
        name="lost_deals",
        title="Lost deals",
        description="Deals lost in the period.",
        kind="flow",
        unit="count",
        formula="Number of deals whose category is lost",
        date_field="closed",
        parts={"lost_deals": Measure(name="lost_deals", population=LOST)},
        edge_rules=(*_CLOSE_RULES, "Abandoned deals are not lost."),
        example="Two deals closed as won in March, one as lost. Lost deals: 1.",
    ),
    Metric(
        name="open_deals",
        title="Open deals",
        description="Deals that are open at a moment.",
        kind="stock",
        unit="count",
        formula="Number of deals whose category is open",
        date_field="moment",
        parts={"open_deals": OPEN_DEALS},
        edge_rules=(_STOCK, _UNBORN, _PRODUCTS),
        example="Opened in January, closed on 2 April: open at the end of March. Open deals: 1.",
    ),
    Metric(
        name="open_pipeline",
        title="Open pipeline",
        description="The amount of the deals that are open at a moment.",
        kind="stock",
        unit="money",
        formula="Sum of the amounts of open deals, converted at the rate of the moment",
        date_field="moment",
        parts={"open_pipeline": Measure(name="open_pipeline", population=OPEN, value=_amount, money=True)},
        edge_rules=(_STOCK, _UNPRICED, _UNBORN, _PRODUCTS),
        example="Open at the end of March: 3,000 USD and a deal without an amount. Open pipeline: 3,000, no_amount: 1.",
    ),
    Metric(
        name="weighted_pipeline",
        title="Weighted pipeline",
        description="The amount of the open deals, each times its chance of winning.",
        kind="stock",
        unit="money",
        formula="Sum of amount times probability of open deals: the deal's own probability, else its stage's",
        date_field="moment",
        parts={
            "weighted_pipeline": Measure(
                name="weighted_pipeline", population=OPEN, value=_amount, money=True,
                exclusions=(("no_probability", lambda s: _probability(s).is_(None)),), weight=_probability,
                weight_source=_probability_source,
            )
        },
        edge_rules=(
            _STOCK, "Lost deals weigh nothing and won deals are not pipeline.",
            "A deal whose stage at that moment is unknown and that has no probability of its own is excluded as "
            "`no_probability`.", _UNPRICED, _UNBORN, _PRODUCTS,
        ),
        example="Open: 1,000 at its own 50 %, 2,000 in a stage of 10 %. Weighted pipeline: 700.",
    ),
    Metric(
        name="pipeline_created",
        title="Pipeline created",
        description="The pipeline opened in the period, at the first amount that each deal was given.",
        kind="flow",
        unit="money",
        formula="Sum of the first amounts of the deals opened in the period, whatever became of them",
        date_field="opened",
        parts={"pipeline_created": Measure(name="pipeline_created", population=CREATED, value=_amount, money=True)},
        edge_rules=(
            "Later growth does not count.", "Deals without an opening date are excluded as `no_open_date`.", _UNPRICED,
            _CREDIT, "By product, the lines are today's; the remainder of the first amount is `unallocated`.",
        ),
        example="Opened in March at 1,000, grown to 1,500 in April. Pipeline created in March: 1,000.",
    ),
    Metric(
        name="win_rate",
        title="Win rate",
        description="Of the deals decided in the period, the share that was won, by count.",
        kind="ratio",
        unit="ratio",
        formula="Won ÷ (won + lost)",
        date_field="closed",
        parts={"won": WON_OF_CLOSED, "closed": CLOSED_DEALS},
        combine=_win_rate,
        edge_rules=("Closed deals only; abandoned ones are excluded and counted.", "Nothing decided is null, not 0.",
                    *_CLOSE_RULES),
        example="Closed in March: 3 won, 1 lost, 1 abandoned. Win rate: 3 ÷ 4 = 0.75.",
    ),
    Metric(
        name="close_rate",
        title="Close rate",
        description="Of the deals opened in the period, the share that has been won by now.",
        kind="cohort",
        unit="ratio",
        formula="Won ÷ all deals opened in the period",
        date_field="opened",
        parts={
            "won": Measure(name="won", population=OPENED, only=_is("won")),
            "open": Measure(name="open", population=OPENED, only=_is("open")),
            "created": Measure(name="created", population=OPENED),
        },
        combine=_close_rate,
        beside={"open_share": "Share of the cohort that is still open: while it is high, the rate will grow."},
        edge_rules=("A cohort: by the day of opening, not of closing. It is not the win rate.",
                    "Deals without an opening date are excluded as `no_open_date`.", _REOPENED, _CREDIT, _PRODUCTS),
        example="Opened in March: 4 deals, 1 won in May, 2 still open. Close rate: 0.25, open share: 0.5.",
    ),
    Metric(
        name="average_deal_size",
        title="Average deal size",
        description="The mean amount of the deals won in the period.",
        kind="ratio",
        unit="money",
        formula="Sum of won amounts ÷ number of won deals with a price",
        date_field="closed",
        parts={"deals": SIZED_DEALS},
        combine=_average_deal_size,
        edge_rules=("Deals of amount 0 are excluded as `zero_amount`.",
                    "Unpriced deals are out of both sides.", *_CLOSE_RULES),
        example="Won in March: 1,000, 3,000 and 0. Average deal size: 2,000, zero_amount: 1.",
    ),
    Metric(
        name="sales_cycle",
        title="Sales cycle",
        description="The mean time from opening to winning, in days.",
        kind="ratio",
        unit="days",
        formula="Sum of (closed - opened) of won deals ÷ their number, in days as a real number",
        date_field="closed",
        parts={"cycles": CYCLES},
        combine=_sales_cycle,
        edge_rules=("Deals that closed before they opened are excluded as `negative_cycle`, never made positive.",
                    "Deals without an opening date are excluded as `no_open_date`.",
                    "A reopened deal runs from its opening to its last close.", *_CLOSE_RULES),
        example="Won after 10 days and after 15.5 days. Sales cycle: 12.75.",
    ),
    Metric(
        name="pipeline_velocity",
        title="Pipeline velocity",
        description="What the open pipeline yields per day at the rates of the last four quarters.",
        kind="ratio",
        unit="money_per_day",
        formula="Open deals x win rate x average deal size ÷ sales cycle, the rates over the trailing twelve months",
        date_field="moment",
        parts={
            "open": OPEN_DEALS,
            "won": Trailing(WON_OF_CLOSED),
            "closed": Trailing(CLOSED_DEALS),
            "sized": Trailing(SIZED_DEALS),
            "cycles": Trailing(CYCLES),
        },
        combine=_pipeline_velocity,
        at_end=True,
        beside={
            "win_rate": "Over the trailing twelve months.",
            "average_deal_size": "Over the trailing twelve months.",
            "sales_cycle": "Over the trailing twelve months, in days.",
        },
        edge_rules=(_STOCK, "The trailing rates are those known at the same moment, so a past value does not move.",
                    "A cycle of 0, or nothing decided or won in the twelve months, is null."),
        example="10 open, win rate 0.5, size 2,000, cycle 20 days. Velocity: 500 a day.",
    ),
)  # fmt: skip
