"""The way of deals through the stages, as what is counted: one row a deal and stage that it reached.

A deal has reached a stage when it first stood in it or beyond it, or was won, and has passed it when it first stood
beyond it, or was won. So a stage that was left out counts as passed, standing in one twice counts once, and a step
back takes nothing away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import CTE, Integer, and_, case, cast, exists, func, literal_column, or_, select
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import MOMENT
from app.language.metrics.metric import Dimension, Fact
from app.language.metrics.scope import bucket
from app.language.query.binds import Binds, constant
from app.language.query.source import known, source
from app.sales.pipeline.metrics.fact import DEALS, of
from app.sales.pipeline.models import opportunities, opportunities_history, stages_history

_BEYOND = literal_column(str(2**31 - 1), Integer())
"""The place of what is won: beyond every stage."""


def _places(binds: Binds) -> CTE:
    """Every stage with its place in its pipeline, as they were at the moment of the question; also those that have
    been deleted since, for deals stood in them."""
    h = stages_history.alias("stage_h")
    latest = (
        select(
            h.c.record_id.label("id"), h.c.pipeline_id, h.c.category, h.c.name, h.c.position,
        )
        .ext(distinct_on(h.c.record_id))
        .where(h.c.tenant_id == binds.tenant, h.c.valid_from <= binds.named("asked", MOMENT), known(h, binds))
        .order_by(h.c.record_id, h.c.valid_from.desc())
        .subquery("latest")
    )  # fmt: skip
    row = func.row_number().over(partition_by=latest.c.pipeline_id, order_by=(latest.c.position, latest.c.id))
    place = case((latest.c.category == constant("won"), _BEYOND), else_=cast(row, Integer))
    return select(*latest.c, place.label("place")).cte("places")


def _steps(binds: Binds) -> FromClause:
    """Rows of the deal's columns, and `reached_stage_id, stage_name, reached_at, passed_at, left_out, unknown`.

    Each entry into a stage is one look at what came before it: it reaches every stage between the furthest one so far
    and its own.
    """
    places = _places(binds)
    deal = source(opportunities, binds, "deal", tracked_only=True)
    entry, before, later = (opportunities_history.alias(name) for name in ("entry", "before", "later"))
    there, been, reached, next_ = (places.alias(name) for name in ("there", "been", "reached", "next"))
    earlier = and_(
        before.c.tenant_id == binds.tenant, before.c.record_id == entry.c.record_id,
        before.c.valid_from < entry.c.valid_from, known(before, binds),
    )  # fmt: skip
    furthest = (
        select(func.max(been.c.place).label("place"))
        .select_from(before.join(been, been.c.id == before.c.stage_id))
        .where(
            earlier,
            been.c.pipeline_id == there.c.pipeline_id,
            been.c.category.in_([constant("open"), constant("won")]),
        )
        .correlate(entry, there)
        .lateral("furthest")
    )
    passed = (
        select(func.min(later.c.valid_from))
        .select_from(later.join(next_, next_.c.id == later.c.stage_id))
        .where(
            later.c.tenant_id == binds.tenant, later.c.record_id == entry.c.record_id,
            later.c.valid_from >= entry.c.valid_from, later.c.valid_from <= bucket("at"), known(later, binds),
            next_.c.pipeline_id == reached.c.pipeline_id, next_.c.place > reached.c.place,
            next_.c.category.in_([constant("open"), constant("won")]),
        )
        .correlate(entry, reached)
        .scalar_subquery()
    )  # fmt: skip
    # Pushed without its past, or won before anybody told where it stood.
    unknown = and_(
        furthest.c.place.is_(None),
        or_(
            there.c.category == constant("won"),
            exists(select(1).where(earlier, before.c.stage_id.is_(None)).correlate(entry)),
        ),
    )
    own = [c for c in deal.c if c.name not in ("inferred", "name")]
    return (
        select(
            *own,
            deal.c.name,
            reached.c.id.label("reached_stage_id"),
            reached.c.name.label("stage_name"),
            entry.c.stage_entered_at.label("reached_at"),
            passed.label("passed_at"),
            (reached.c.id != there.c.id).label("left_out"),
            unknown.label("unknown"),
            and_(entry.c.inferred, entry.c.recorded_at > bucket("at")).label("inferred"),
        )
        .select_from(entry)
        .join(deal, and_(deal.c.tenant_id == binds.tenant, deal.c.id == entry.c.record_id))
        .join(there, and_(there.c.id == entry.c.stage_id, there.c.category.in_([constant("open"), constant("won")])))
        .join(furthest, literal_column("true"))
        .join(
            reached,
            and_(
                reached.c.pipeline_id == there.c.pipeline_id, reached.c.category == constant("open"),
                reached.c.place > func.coalesce(furthest.c.place, 0), reached.c.place <= there.c.place,
            ),
        )
        .where(
            entry.c.tenant_id == binds.tenant, known(entry, binds), entry.c.valid_from == entry.c.stage_entered_at,
            entry.c.valid_from <= bucket("at"),
        )
        .subquery("step")
    )  # fmt: skip


def _dimension(d: Dimension) -> Dimension:
    return replace(d, title="Stage reached", value=of("reached_stage_id")) if d.name == "stage" else d


def _label(s: Any) -> ColumnElement[Any]:
    return func.concat(s.row.c.name, constant(", "), s.row.c.stage_name)


STEPS = Fact(
    name="steps",
    noun="opportunities",
    rows=_steps,
    holders=DEALS.holders,
    custom=DEALS.custom,
    joins={name: DEALS.joins[name] for name in ("place", "command", "asked", "account", "stage")},
    dimensions=tuple(_dimension(d) for d in DEALS.dimensions if not d.multiplies),
    label=_label,
    piece=lambda s: cast(s.row.c.reached_stage_id, SqlText),
)
