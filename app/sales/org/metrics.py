"""The dimensions of who is credited: rep, and the manager, team, territory and function that it had at that time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, TIMESTAMP, and_, exists, func, literal_column, select
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.metric import Dimension, Expression, Join
from app.language.metrics.scope import Scope
from app.language.query.source import held, known, known_until
from app.sales.org.models import reps_history

_MOMENT = TIMESTAMP(timezone=True)


def placement(rep: Expression) -> Join:
    """The version of a rep's record that held when the row is credited."""
    return Join(
        rows=lambda s: reps_history.alias("place"),
        on=lambda s, place: and_(held(place, s.binds, s.at), place.c.record_id == rep(s)),
    )


def subtree(s: Scope, managers: ColumnElement[Any]) -> CTE:
    """Everyone who reported to these managers, directly or not, themselves included, each `since`, `until`.

    The tree is the dated one: an interval is what all the links above have in common. `union` ends a ring in the data.
    """
    tree = select(
        func.unnest(managers, type_=UUID(as_uuid=True)).label("rep_id"),
        literal_column("'-infinity'::timestamptz", _MOMENT).label("since"),
        literal_column("'infinity'::timestamptz", _MOMENT).label("until"),
    ).cte(recursive=True)
    below = reps_history.alias("below")
    ends = known_until(below, s.binds)
    return tree.union(
        select(
            below.c.record_id,
            func.greatest(tree.c.since, below.c.valid_from),
            func.least(tree.c.until, ends),
        ).where(
            below.c.tenant_id == s.binds.tenant,
            below.c.manager_id == tree.c.rep_id,
            below.c.valid_from < tree.c.until,
            ends > tree.c.since,
            known(below, s.binds),
        )
    )


def credited_to(rep: Expression) -> tuple[Dimension, ...]:
    """For a fact whose row is credited to one rep at one moment; the fact joins `placement(rep)` as `place`."""

    def reported_to(s: Scope, managers: ColumnElement[Any]) -> ColumnElement[bool]:
        tree = subtree(s, managers)
        return exists(select(1).where(tree.c.rep_id == rep(s), tree.c.since <= s.at, tree.c.until > s.at))

    return (
        Dimension(name="rep", title="Rep", noun="reps", value=rep),
        Dimension(
            name="manager", title="Direct manager", noun="reps", value=lambda s: s.join("place").c.manager_id,
            within=reported_to,
        ),
        Dimension(name="team", title="Team", noun="teams", value=lambda s: s.join("place").c.team_id),
        Dimension(
            name="territory", title="Territory", noun="territories", value=lambda s: s.join("place").c.territory_id
        ),
        Dimension(name="function", title="Function of the rep", value=lambda s: s.join("place").c.function),
    )  # fmt: skip
