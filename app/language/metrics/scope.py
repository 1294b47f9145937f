"""One branch of a statement while it is built: the fact's rows, the bucket beside them, and the joins asked for."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from sqlalchemy import (
    ARRAY,
    Date,
    Integer,
    Table,
    Text,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.database.tables import MOMENT
from app.language.metrics.metric import Dimension, Population
from app.language.query.binds import Binds
from app.language.query.source import source

_BUCKET: dict[str, Any] = {
    "i": Integer(), "starts": MOMENT, "ends": MOMENT, "first": Date(), "last": Date(), "at": MOMENT,
}  # fmt: skip


def bucket(name: str) -> ColumnElement[Any]:
    """A column of the bucket that rows are gathered for; they stand LATERAL to it, so it is an index range."""
    return literal_column(f"bucket.{name}", _BUCKET[name])


def buckets() -> FromClause:
    """The buckets as rows, out of one array per column: `bucket_i`, `bucket_starts` …"""
    arrays = [
        bindparam(f"bucket_{name}", type_=ARRAY(type_), required=True) for name, type_ in _BUCKET.items()
    ]
    return func.unnest(*arrays).table_valued(*_BUCKET).render_derived(name="bucket")


class BucketBinds(Binds):
    """Binds whose moment is the bucket's, so that one statement can read each bucket as of another moment."""

    def __init__(self, asker: Binds, *, as_of: bool, known_now: bool, once: bool) -> None:
        super().__init__(
            role=asker.role, sees_all=asker.sees_all, sees_unowned=asker.sees_unowned, as_of=as_of
        )
        self.known_now = known_now
        self.once = once

    @property
    def moment(self) -> Any:
        """What is the same for all buckets is said once, so that what follows from it alone is read once."""
        return self.named("every_at", MOMENT) if self.once else bucket("at")


class Scope:
    """What the expressions of facts, populations and measures are functions of.

    `row` is the fact's row, `part` its share in the groups of multiplying dimensions, where one is asked for.
    """

    def __init__(
        self,
        population: Population,
        binds: Binds,
        *,
        by: tuple[str, ...],
        credit: str,
        attribution: str = "owner",
        unborn: bool = False,
    ) -> None:
        self.population = population
        self.fact = population.fact
        self.binds = binds
        self.by = by
        self.credit = credit
        self.attribution = attribution
        self.dated = population.kind == "flow" and not unborn
        rows = self.fact.unborn if unborn else self.fact.rows
        assert rows is not None
        self.row = rows(binds)
        self._part: FromClause | None = None
        self._credit: FromClause | None = None
        self.holder: FromClause | None = None
        """Whoever is credited, while those who are stand in the place of the row's one rep."""
        self.origin: FromClause = self.row
        self._joined: dict[str, FromClause] = {}

    @property
    def date(self) -> ColumnElement[Any]:
        return self.population.date(self)

    @property
    def at(self) -> ColumnElement[Any]:
        """The moment whose organisation is credited: the row's own date; the moment asked for where it has none, and
        with `credit=current`."""
        if self.credit == "current":
            return self.asked
        if not self.dated:
            return bucket("at")
        return func.coalesce(self.date, bucket("at")) if self.population.undated else self.date

    @property
    def asked(self) -> ColumnElement[Any]:
        """`as_of`, or now: the one moment of the whole question."""
        return self.binds.named("asked", MOMENT)

    @property
    def zone(self) -> ColumnElement[Any]:
        return self.binds.named("zone", Text())

    @property
    def whole(self) -> ColumnElement[Any]:
        """The row's amount before it is divided among its parts."""
        return (self.population.amount or self.fact.amount)(self)

    @property
    def part(self) -> FromClause:
        assert self._part is not None
        return self._part

    @property
    def amount(self) -> ColumnElement[Any]:
        return self.whole if self._part is None else self._part.c.amount

    @property
    def share(self) -> ColumnElement[Any] | None:
        """What of an amount is credited here, where it is divided among several."""
        return None if self._credit is None else self._credit.c.share

    @property
    def currency(self) -> ColumnElement[Any]:
        return (self.population.currency or self.fact.currency)(self)

    def source(self, table: Table, alias: str) -> FromClause:
        """Another table as it stood at the same moment."""
        return source(table, self.binds, alias, tracked_only=True)

    def join(self, name: str) -> FromClause:
        if name not in self._joined:
            declared = self.fact.joins[name]
            target = declared.rows(self)
            on = declared.on(self, target)
            self._joined[name] = target
            self.origin = self.origin.outerjoin(target, on)
        return self._joined[name]

    @property
    def joined(self) -> tuple[FromClause, ...]:
        return tuple(self._joined.values())

    def has_joined(self, name: str) -> bool:
        return name in self._joined

    def add(self, name: str, target: FromClause, on: ColumnElement[bool]) -> FromClause:
        """Join what a filter needs; rows without a match fall out."""
        if name not in self._joined:
            self._joined[name] = target
            self.origin = self.origin.join(target, on)
        return self._joined[name]

    def divide(self, keys: Sequence[str], filters: Sequence[tuple[Dimension, bool, bool]]) -> None:
        """Put parts in the place of rows: for each row one per combination of `keys`, so that it counts once in each
        group, with the amounts of what the filters let through."""
        assert self.fact.parts is not None
        whole = self.fact.parts(self).subquery("piece")
        parts = select(*(whole.c[key] for key in keys), func.sum(whole.c.amount).label("amount"))
        for dimension, some, none in filters:
            parts = parts.where(matches(dimension, whole.c[dimension.name], some, none))
        parts = parts.group_by(*(whole.c[key] for key in keys)) if keys else parts.having(func.count() > 0)
        part = self._part = parts.lateral("part")
        self.origin = self.origin.join(part, true())

    def credit_to(
        self, keys: Sequence[Dimension], filters: Sequence[tuple[Dimension, bool, bool]], *, whole: bool
    ) -> None:
        """Credit rows to all their holders: for each row one per combination of `keys`, so that it counts once in each
        group, with what share of it belongs there. A `whole` credit is not divided: each holder has all of it."""
        assert self.fact.holders is not None
        inner = copy(self)
        inner.holder = inner.origin = self.fact.holders(self).subquery("holder")
        inner._joined = {}
        groups = [key.value(inner).label(key.name) for key in keys]
        conditions = [inner.filter(*each) for each in filters]
        share = inner.holder.c.share
        shares = (
            select(*groups, (func.max(share) if whole else func.sum(share)).label("share"))
            .select_from(inner.origin)
            .where(*conditions)
        )
        shares = shares.group_by(*(g.element for g in groups)) if groups else shares.having(func.count() > 0)
        credit = self._credit = shares.correlate(self.row, *self.joined).lateral("credit")
        self.origin = self.origin.join(credit, true())

    def key(self, dimension: Dimension) -> ColumnElement[Any]:
        """What a dimension groups by here."""
        if dimension.credits and self._credit is not None:
            return self._credit.c[dimension.name]
        return dimension.value(self)

    def filter(self, dimension: Dimension, some: bool, none: bool) -> ColumnElement[bool]:
        if dimension.within is not None and some:
            inside = dimension.within(self, wanted(dimension))
            return or_(inside, dimension.value(self).is_(None)) if none else inside
        return matches(dimension, dimension.value(self), some, none)


def wanted(dimension: Dimension) -> ColumnElement[Any]:
    """The values that a filter asks for, as an array."""
    return bindparam(
        dimension.asked, type_=ARRAY(UUID(as_uuid=True) if dimension.noun else Text()), required=True
    )


def matches(dimension: Dimension, value: ColumnElement[Any], some: bool, none: bool) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    if some:
        conditions.append(value == any_(wanted(dimension)))
    if none:
        conditions.append(value.is_(None))
    return or_(*conditions)
