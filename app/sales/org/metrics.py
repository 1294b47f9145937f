"""The dimensions of who is credited: rep, and the manager, team, territory and function that it had at that time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, TIMESTAMP, Integer, and_, exists, func, literal_column, select
from sqlalchemy.dialects.postgresql import UUID, array
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


def lines(s: Scope) -> CTE:
    """For every rep the `line` of those above it, from the top down to itself, each `since`, `until`.

    The tree is the dated one. A rep whose line leads to nobody at the top (in a ring, or below somebody who was
    deleted) is in no row for that time.
    """
    top, below = reps_history.alias("top"), reps_history.alias("below")
    line = (
        select(
            top.c.record_id.label("rep_id"),
            array([top.c.record_id]).label("line"),
            top.c.valid_from.label("since"),
            known_until(top, s.binds).label("until"),
        )
        .where(top.c.tenant_id == s.binds.tenant, top.c.manager_id.is_(None), known(top, s.binds))
        .cte(recursive=True)
    )
    ends = known_until(below, s.binds)
    return line.union_all(
        select(
            below.c.record_id,
            func.array_append(line.c.line, below.c.record_id),
            func.greatest(line.c.since, below.c.valid_from),
            func.least(line.c.until, ends),
        ).where(
            below.c.tenant_id == s.binds.tenant,
            below.c.manager_id == line.c.rep_id,
            below.c.valid_from < line.c.until,
            ends > line.c.since,
            known(below, s.binds),
        )
    )


def command(rep: Expression) -> Join:
    """The line of those above a rep that held when the row is credited."""
    return Join(
        rows=lines,
        on=lambda s, line: and_(line.c.rep_id == rep(s), line.c.since <= s.at, line.c.until > s.at),
    )


def _credited(rep: Expression) -> Expression:
    """The row's one rep, or whoever else is credited for it."""
    return lambda s: rep(s) if s.holder is None else s.holder.c.rep_id


def standing(rep: Expression) -> dict[str, Join]:
    """Where whoever is credited stands, and below whom."""
    return {"place": placement(_credited(rep)), "command": command(_credited(rep))}


def _at_level(level: int) -> Dimension:
    return Dimension(
        name=f"manager_level_{level}",
        title=f"Who leads at level {level} of the hierarchy, counted from the top",
        noun="reps",
        value=lambda s: s.join("command").c.line[literal_column(str(level), Integer())],
        credits=True,
    )


MANAGER_LEVELS = tuple(_at_level(level) for level in range(1, 9))
"""By those who stand on one level of the hierarchy, each with all that is theirs and below them; what stands above the
level, and who is in no line, is in the group without."""


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
    """For a fact whose row is credited to one rep at one moment; the fact has the joins of
    `standing(rep)`."""
    rep = _credited(rep)

    def reported_to(s: Scope, managers: ColumnElement[Any]) -> ColumnElement[bool]:
        tree = subtree(s, managers)
        there = select(1).where(tree.c.rep_id == rep(s), tree.c.since <= s.at, tree.c.until > s.at)
        return exists(there.correlate_except(tree))

    def of_place(column: str) -> Expression:
        return lambda s: s.join("place").c[column]

    return (
        Dimension(name="rep", title="Rep", noun="reps", value=rep, credits=True),
        Dimension(
            name="manager", title="Direct manager", noun="reps", value=of_place("manager_id"), within=reported_to,
            credits=True,
        ),
        Dimension(name="team", title="Team", noun="teams", value=of_place("team_id"), credits=True),
        Dimension(
            name="territory", title="Territory", noun="territories", value=of_place("territory_id"), credits=True
        ),
        Dimension(name="function", title="Function of the rep", value=of_place("function"), credits=True),
        *MANAGER_LEVELS,
    )  # fmt: skip
