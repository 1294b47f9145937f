"""Day by day: what holds of a rep over some days, and who led it, and where it stood, on each of them.

For facts whose rows last (`from_day`, `to_day`, half-open) and are credited to one rep. A day belongs to the placement
that holds as it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import CTE, Date, and_, cast, func, literal_column, null, select, union_all
from sqlalchemy.dialects.postgresql import TSTZMULTIRANGE
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.language.metrics.metric import Expression, Join
from app.language.metrics.scope import Scope, bucket
from app.language.query.source import held, known, known_until
from app.sales.org.metrics import lines, subtree
from app.sales.org.models import reps_history


def day_of(zone: ColumnElement[Any], moment: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.timezone(zone, moment), Date)


def first_day(zone: ColumnElement[Any], moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The first day that begins at or after a moment."""
    return day_of(zone, moment - literal_column("interval '1 microsecond'")) + 1


Span = tuple[ColumnElement[Any], ColumnElement[Any]]
"""Two days, half-open; empty where the second is not behind the first."""


def span(s: Scope, *until: ColumnElement[Any]) -> Span:
    """What of the row is inside the bucket, inside the placements that the question asks about, and before these
    days."""
    begins, ends = [s.row.c.from_day, bucket("first")], [s.row.c.to_day, bucket("last"), *until]
    if s.credit == "at_close":
        if s.has_joined("place"):
            place = s.join("place")
            begins.append(
                func.coalesce(first_day(s.zone, place.c.valid_from), literal_column("'-infinity'::date"))
            )
            ends.append(
                func.coalesce(
                    first_day(s.zone, known_until(place, s.binds)), literal_column("'infinity'::date")
                )
            )
        if s.has_joined("below"):
            below = s.join("below")
            begins.append(first_day(s.zone, func.lower(below.c.span)))
            ends.append(first_day(s.zone, func.upper(below.c.span)))
        if s.has_joined("command"):
            line = s.join("command")
            begins.append(func.coalesce(first_day(s.zone, line.c.since), literal_column("'-infinity'::date")))
            ends.append(func.coalesce(first_day(s.zone, line.c.until), literal_column("'infinity'::date")))
    return func.greatest(*begins), func.least(*ends)


def length(days: Span) -> ColumnElement[Any]:
    return func.greatest(days[1] - days[0], 0)


def days(s: Scope, *until: ColumnElement[Any]) -> ColumnElement[Any]:
    """How many days that is."""
    return length(span(s, *until))


def piece(s: Scope) -> ColumnElement[Any]:
    """What tells the rows of one record apart: when each begins, and the placements into which it is cut."""
    begins: list[ColumnElement[Any]] = [s.row.c.from_day]
    if s.has_joined("place"):
        begins.append(s.join("place").c.valid_from)
    if s.has_joined("below"):
        begins.append(func.lower(s.join("below").c.span))
    if s.has_joined("command"):
        begins.append(s.join("command").c.since)
    return func.concat_ws("|", *begins)


def placement_by_day(rep: Expression) -> Join:
    """The versions of a rep's record that hold on some of the row's days; with `credit=current` the one of today."""

    def on(s: Scope, place: FromClause) -> ColumnElement[bool]:
        same = place.c.record_id == rep(s)
        if s.credit == "current":
            return and_(same, held(place, s.binds, s.asked))
        return and_(
            same,
            place.c.tenant_id == s.binds.tenant,
            known(place, s.binds),
            first_day(s.zone, place.c.valid_from) < func.least(s.row.c.to_day, bucket("last")),
            first_day(s.zone, known_until(place, s.binds)) > func.greatest(s.row.c.from_day, bucket("first")),
        )

    return Join(rows=lambda s: reps_history.alias("place"), on=on)


def _every_line(s: Scope) -> CTE:
    """Of every rep the lines above it with the spans in which they hold, whatever else of those in it changed, and for
    the rest of all time none: so that no day is lost."""
    told, rep = lines(s), reps_history.alias("somebody")
    spans = func.range_agg(func.tstzrange(told.c.since, told.c.until), type_=TSTZMULTIRANGE())
    of_rep = func.coalesce(
        select(spans).where(told.c.rep_id == rep.c.record_id).correlate(rep).scalar_subquery(),
        literal_column("'{}'::tstzmultirange"),
    )
    always = literal_column("'{[-infinity,infinity)}'::tstzmultirange")
    every = union_all(
        select(told.c.rep_id, told.c.line, func.unnest(spans).label("span")).group_by(
            told.c.rep_id, told.c.line
        ),
        select(rep.c.record_id, null().cast(told.c.line.type), func.unnest(always.op("-")(of_rep)))
        .where(rep.c.tenant_id == s.binds.tenant)
        .distinct(),
    ).subquery("every_line")
    return select(
        every.c.rep_id,
        every.c.line,
        func.lower(every.c.span).label("since"),
        func.upper(every.c.span).label("until"),
    ).cte()


def command_by_day(rep: Expression) -> Join:
    """The lines of those above a rep that hold on some of the row's days; with `credit=current` the one of today."""

    def on(s: Scope, line: FromClause) -> ColumnElement[bool]:
        same = line.c.rep_id == rep(s)
        if s.credit == "current":
            return and_(same, line.c.since <= s.asked, line.c.until > s.asked)
        return and_(
            same,
            first_day(s.zone, line.c.since) < func.least(s.row.c.to_day, bucket("last")),
            first_day(s.zone, line.c.until) > func.greatest(s.row.c.from_day, bucket("first")),
        )

    return Join(rows=_every_line, on=on)


def standing_by_day(rep: Expression) -> dict[str, Join]:
    return {"place": placement_by_day(rep), "command": command_by_day(rep)}


def reported_to_by_day(rep: Expression) -> Callable[[Scope, ColumnElement[Any]], ColumnElement[bool]]:
    """Everyone below these managers, on the days on which they were; two of them in one line count a rep once."""

    def within(s: Scope, managers: ColumnElement[Any]) -> ColumnElement[bool]:
        tree = subtree(s, managers)
        spans = (
            select(
                tree.c.rep_id,
                func.unnest(func.range_agg(func.tstzrange(tree.c.since, tree.c.until))).label("span"),
            )
            .group_by(tree.c.rep_id)
            .cte()
        )
        on = spans.c.rep_id == rep(s)
        if s.credit == "current":
            on = and_(on, spans.c.span.op("@>")(s.asked))
        s.add("below", spans, on)
        return literal_column("true")

    return within
