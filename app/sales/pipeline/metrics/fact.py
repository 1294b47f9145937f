"""Deals, as what is counted: where their rows come from, and what they can be broken down by."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, and_, func, literal_column, null, select, true, union_all
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import Dimension, Fact, Join
from app.language.metrics.scope import Scope, bucket
from app.language.metrics.unborn import recorded_later
from app.language.query.binds import Binds
from app.language.query.source import halves, held, source
from app.sales.accounts.models import accounts
from app.sales.org.metrics import credited_to, standing
from app.sales.pipeline.metrics.customers import first_win
from app.sales.pipeline.metrics.holders import holders
from app.sales.pipeline.metrics.stays import usual_stays
from app.sales.pipeline.models import opportunities, opportunities_history, opportunity_line_items, stages
from app.sales.pricing.models import products


def _deals(binds: Binds) -> FromClause:
    return source(opportunities, binds, "deal", tracked_only=True)


def credited(s: Scope) -> ColumnElement[Any]:
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
    told = union_all(
        *(
            select(h.c.valid_from, h.c.amount, h.c.currency)
            .where(
                h.c.tenant_id == s.binds.tenant,
                h.c.record_id == s.row.c.id,
                h.c.amount.is_not(None),
                h.c.valid_from <= bucket("at"),
                half,
            )
            .correlate(s.row)
            for half in halves(h, s.binds)
        )
    ).subquery("told")
    return (
        select(told.c.amount, told.c.currency)
        .order_by(told.c.valid_from)
        .limit(1)
        .correlate(s.row)
        .lateral("first_version")
    )  # fmt: skip


def _version(s: Scope, at: ColumnElement[Any], name: str) -> FromClause:
    """The same deal at another moment."""
    h = opportunities_history.alias(f"{name}_h")
    looks = (
        select(h.c.owner_id, h.c.category, h.c.expected_close_on)
        .where(held(h, s.binds, at), h.c.record_id == s.row.c.id, half)
        .correlate(s.row)
        for half in halves(h, s.binds)
    )
    return union_all(*looks).lateral(name)


def _at_the_end(s: Scope) -> FromClause:
    """In the bucket's last instant, or at the moment asked for where that is earlier."""
    end = func.least(bucket("ends") - literal_column("interval '1 microsecond'"), s.asked)
    return _version(s, end, "outcome")


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


def of(column: str) -> Any:
    return lambda s: s.row.c[column]


def of_account(column: str) -> Any:
    return lambda s: s.join("account").c[column]


def forecast_category(s: Scope) -> ColumnElement[Any]:
    """The deal's own, else its stage's."""
    return func.coalesce(s.row.c.forecast_category, s.join("stage").c.forecast_category)


DEALS = Fact(
    name="deals",
    noun="opportunities",
    rows=_deals,
    unborn=recorded_later(opportunities, "opened_at", "deal"),
    parts=_lines,
    holders=holders(credited),
    custom={
        "custom": ("opportunities", lambda s: s.row),
        "account.custom": ("accounts", lambda s: s.join("account")),
    },
    joins={
        **standing(credited),
        "asked": Join(rows=lambda s: _version(s, s.asked, "asked"), on=lambda s, asked: true()),
        "account": _record(accounts, "account", "account_id"),
        "stage": _record(stages, "stage", "stage_id"),
        "outcome": Join(rows=_at_the_end, on=lambda s, outcome: true()),
        "usual": Join(
            rows=usual_stays, on=lambda s, usual: usual.c.stage_id == s.row.c.stage_id
        ),
        "first_version": Join(rows=_first_version, on=lambda s, first: true()),
        "first_win": Join(rows=first_win, on=lambda s, first: true()),
    },
    dimensions=(
        *credited_to(credited),
        Dimension(
            name="product", title="Product", noun="products", value=lambda s: s.part.c.product, multiplies=True,
            nobody="unallocated",
        ),
        Dimension(
            name="product_family", title="Product family", value=lambda s: s.part.c.product_family, multiplies=True,
            nobody="unallocated",
        ),
        Dimension(name="account", title="Account", noun="accounts", value=of("account_id")),
        Dimension(name="industry", title="Industry of the account", value=of_account("industry")),
        Dimension(name="segment", title="Segment of the account", value=of_account("segment")),
        Dimension(name="country", title="Country of the account", value=of_account("country")),
        Dimension(name="type", title="Type of business", value=of("type")),
        Dimension(name="pipeline", title="Pipeline", noun="pipelines", value=of("pipeline_id")),
        Dimension(name="stage", title="Stage", noun="stages", value=of("stage_id")),
        Dimension(name="forecast_category", title="Forecast category", value=forecast_category),
        Dimension(name="sales_channel", title="Sales channel", value=of("sales_channel")),
        Dimension(name="lead_source", title="Lead source", value=of("lead_source")),
        Dimension(name="loss_reason", title="Loss reason", value=of("loss_reason")),
        Dimension(name="competitor", title="Competitor", value=of("competitor")),
        Dimension(name="currency", title="Currency of the deal", value=of("currency")),
    ),
)  # fmt: skip
