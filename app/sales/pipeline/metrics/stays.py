"""How long deals stay in a stage where they are won in the end."""

from __future__ import annotations

from sqlalchemy import ARRAY, Numeric, and_, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.scope import Scope, bucket
from app.language.query.binds import constant
from app.language.query.source import known
from app.sales.pipeline.models import opportunities, opportunities_history

_A_YEAR = literal_column("interval '1 year'")


def usual_stays(s: Scope) -> FromClause:
    """By stage, the seconds within which three quarters of the stays of the deals won in the last four quarters ended.

    A stay runs from the entry to the next stage; a deal that came back stayed twice.
    """
    won, h = s.source(opportunities, "won_deal"), opportunities_history.alias("stay")
    recent = [won.c.deleted_at.is_(None)] if "deleted_at" in won.c else []
    stays = (
        select(
            h.c.stage_id,
            func.extract("epoch", func.max(h.c.valid_to) - h.c.stage_entered_at).label("seconds"),
        )
        .select_from(won.join(h, and_(h.c.tenant_id == won.c.tenant_id, h.c.record_id == won.c.id)))
        .where(
            *recent, won.c.tenant_id == s.binds.tenant, won.c.category == constant("won"),
            won.c.closed_at > bucket("at") - _A_YEAR, won.c.closed_at <= bucket("at"),
            known(h, s.binds), h.c.category == constant("open"), h.c.stage_id.is_not(None),
            h.c.valid_from < bucket("at"),
        )
        .group_by(h.c.record_id, h.c.stage_id, h.c.stage_entered_at)
        .subquery("stays")
    )  # fmt: skip
    in_order = func.array_agg(
        aggregate_order_by(stays.c.seconds, stays.c.seconds), type_=ARRAY(Numeric())
    ).label("seconds")
    by_stage = select(stays.c.stage_id, in_order).group_by(stays.c.stage_id).subquery("by_stage")
    n = func.cardinality(by_stage.c.seconds)
    low, high = by_stage.c.seconds[(n * 3 + 3) // 4], by_stage.c.seconds[n * 3 // 4 + 1]
    usual = select(by_stage.c.stage_id, ((low + high) / 2).label("seconds"))
    # Of deals not yet recorded the planner expects one, and would reckon a year anew for each of a hundred.
    return usual.cte(nesting=True).prefix_with("materialized")
