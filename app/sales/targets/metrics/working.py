"""How much of some days others are, by the days on which a rep works; by all days where no calendar says which."""

from __future__ import annotations

from sqlalchemy import Numeric, case, cast, false, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.scope import Scope
from app.sales.org.days import Span, length
from app.sales.org.working_time import working_days

ONE = literal_column("1", Numeric())
_MILLION = literal_column("1000000", Numeric())
"""Of a day off the share has six decimals, so millionths of days are whole numbers."""


def part_of(s: Scope, part: Span, whole: Span, *, over: ColumnElement[bool] | None = None) -> FromClause:
    """One row: `some` of `of`, whole numbers both. Where nobody works on any of the days, every day counts; where it
    is `over` all of them are meant, and no calendar is asked."""
    worked = working_days(s.binds, s.row.c.rep_id, *whole)
    known = func.coalesce(worked > 0, false())
    some = case((known, working_days(s.binds, s.row.c.rep_id, *part)), else_=cast(length(part), Numeric))
    of = case((known, worked), else_=cast(length(whole), Numeric))
    columns = [(some * _MILLION).label("some"), (of * _MILLION).label("of")]
    if over is not None:
        columns = [case((over, ONE), else_=column.element).label(column.name) for column in columns]
    return select(*columns).correlate(s.row, *s.joined).lateral("part_of_days")
