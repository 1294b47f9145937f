"""How much of some days others are, by the days on which a rep works; by all days where no calendar says which."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Numeric, case, cast, false, func, literal_column
from sqlalchemy.sql.elements import ColumnElement

from app.language.metrics.scope import Scope
from app.sales.org.days import Span, length
from app.sales.org.working_time import working_days

_WHOLE = literal_column("1000000", Numeric())
"""Of a day off the share has six decimals, so millionths of days are whole numbers."""


def part_of(s: Scope, part: Span, whole: Span) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Numerator and denominator, whole numbers both. Where nobody works on any of the days, every day counts."""
    worked = working_days(s.binds, s.row.c.rep_id, *whole)
    known = func.coalesce(worked > 0, false())
    numerator = case(
        (known, working_days(s.binds, s.row.c.rep_id, *part)), else_=cast(length(part), Numeric)
    )
    return numerator * _WHOLE, case((known, worked), else_=cast(length(whole), Numeric)) * _WHOLE
