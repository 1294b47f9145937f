"""The way of deals through the stages, as what is counted: one row a deal and stage that it reached.

A deal has reached a stage when it first stood in it or beyond it, or was won, and has passed it when it first stood
beyond it, or was won. So a stage that was left out counts as passed, standing in one twice counts once, and a step
back takes nothing away.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import CTE, Integer, and_, case, cast, false, func, literal_column, or_, select
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

    Of each deal that entered a stage in the bucket the whole way is read once. What goes beyond all before it is an
    advance: it reaches every stage between the furthest one so far and its own, and the next advance passes it.
    """
    places = _places(binds)
    deal = source(opportunities, binds, "deal", tracked_only=True)
    reached = places.alias("reached")
    way = _advances(binds, places)
    # Pushed without its past, or won before anybody told where it stood.
    unknown = and_(way.c.furthest.is_(None), or_(way.c.category == constant("won"), way.c.unseen))
    own = [c for c in deal.c if c.name not in ("inferred", "name")]
    return (
        select(
            *own,
            deal.c.name,
            reached.c.id.label("reached_stage_id"),
            reached.c.name.label("stage_name"),
            way.c.stage_entered_at.label("reached_at"),
            case((reached.c.id == way.c.stage_id, way.c.next_at), else_=way.c.valid_from).label("passed_at"),
            (reached.c.id != way.c.stage_id).label("left_out"),
            unknown.label("unknown"),
            and_(way.c.inferred, way.c.recorded_at > bucket("at")).label("inferred"),
        )
        .select_from(way)
        .join(deal, and_(deal.c.tenant_id == binds.tenant, deal.c.id == way.c.record_id))
        .join(
            reached,
            and_(
                reached.c.pipeline_id == way.c.pipeline_id, reached.c.category == constant("open"),
                reached.c.place > func.coalesce(way.c.furthest, 0), reached.c.place <= way.c.place,
            ),
        )
        .where(way.c.valid_from == way.c.stage_entered_at)
        .subquery("step")
    )  # fmt: skip


def _advances(binds: Binds, places: CTE) -> FromClause:
    """Of the deals that entered a stage in the bucket: each version that stands beyond all before it in its pipeline,
    with how far those had come (`furthest`) and whether one of them stood nowhere (`unseen`)."""
    entry, told, there = (
        opportunities_history.alias("entry"),
        opportunities_history.alias("told"),
        places.alias("there"),
    )
    entered = select(entry.c.record_id).where(
        entry.c.tenant_id == binds.tenant, known(entry, binds), entry.c.valid_from == entry.c.stage_entered_at,
        entry.c.stage_entered_at >= bucket("starts"), entry.c.stage_entered_at < bucket("ends"),
        entry.c.valid_from <= bucket("at"),
    )  # fmt: skip
    so_far: Any = {"order_by": told.c.valid_from, "rows": (None, -1)}
    standing = (
        select(
            *(told.c[x] for x in ("record_id", "valid_from", "stage_entered_at", "inferred", "recorded_at")),
            *(there.c[x] for x in ("pipeline_id", "category", "place")),
            there.c.id.label("stage_id"),
            func.max(there.c.place)
            .over(partition_by=(told.c.record_id, there.c.pipeline_id), **so_far)
            .label("furthest"),
            func.coalesce(
                func.bool_or(told.c.stage_id.is_(None)).over(partition_by=told.c.record_id, **so_far), false()
            ).label("unseen"),
        )
        .select_from(
            told.outerjoin(
                there,
                and_(
                    there.c.id == told.c.stage_id, there.c.category.in_([constant("open"), constant("won")])
                ),
            )
        )
        .where(
            told.c.tenant_id == binds.tenant, known(told, binds), told.c.valid_from <= bucket("at"),
            told.c.record_id.in_(entered),
        )
        .subquery("standing")
    )  # fmt: skip
    next_ = func.lead(standing.c.valid_from).over(
        partition_by=(standing.c.record_id, standing.c.pipeline_id), order_by=standing.c.valid_from
    )
    return (
        select(*standing.c, next_.label("next_at"))
        .where(standing.c.place > func.coalesce(standing.c.furthest, 0))
        .subquery("way")
    )


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
