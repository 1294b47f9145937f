"""From declarations to SQL: the value of measures, and the rows behind it.

Both statements gather a population's rows LATERAL to the buckets, one index range each. The value is aggregated
inside it, by dimension ids, currency and day: rates of exchange and names are joined to the few groups afterwards,
and a converted sum is still the sum of exact products. Rows that have no date, or whose opening is unknown, come as
branches of their own that carry their reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Integer,
    Numeric,
    Text,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import ColumnElement

from app.ground.database.session import Statement, compiled
from app.ground.database.tables import MOMENT
from app.language.metrics.metric import Dimension, Measure, Population, Visible
from app.language.metrics.scope import BucketBinds, Scope, bucket, buckets
from app.language.query.binds import Binds, constant

NO_OPEN_DATE = "no_open_date"
NO_AMOUNT = "no_amount"
_PRICE = {"i": Integer(), "currency": Text(), "day": Date(), "rate": Numeric()}
"""Of rates that are given: the bucket, or else the day, for which a currency's holds."""
END_OF_TIME = literal_column("'infinity'::timestamptz", MOMENT)


@dataclass(frozen=True)
class Shape:
    """What of a question shapes the text of its statement; everything else is a bind."""

    population: Population
    measures: tuple[Measure, ...]
    by: tuple[str, ...]
    filters: tuple[tuple[str, bool, bool], ...]
    """Dimension, whether values are asked for, whether the group without a value is."""
    history: bool
    known_now: bool
    once: bool
    """Whether all buckets are read as of one moment."""
    credit: str
    attribution: str
    daily_rates: bool
    asker: tuple[object, ...]

    @property
    def money(self) -> bool:
        return any(m.money for m in self.measures)


class Branch:
    """The rows of one kind: dated inside the bucket, without a date, or not yet known to exist."""

    def __init__(
        self, shape: Shape, asker: Binds, visible: Visible, reason: str | None, *, unborn: bool = False
    ) -> None:
        self.shape, self.reason = shape, reason
        population = shape.population
        binds = BucketBinds(asker, as_of=shape.history, known_now=shape.known_now, once=shape.once)
        scope = self.scope = Scope(
            population, binds, by=shape.by, credit=shape.credit, attribution=shape.attribution, unborn=unborn
        )
        dimensions = [d for name in shape.by if (d := scope.fact.dimension(name))]
        filters = [(d, some, none) for name, some, none in shape.filters if (d := scope.fact.dimension(name))]
        dividing = [f for f in filters if f[0].multiplies]
        if dividing or any(d.multiplies for d in dimensions):
            scope.divide([d.name for d in dimensions if d.multiplies], dividing)
        shared = self._shared(dimensions, filters)
        self.keys = [scope.key(d).label(f"d_{index}") for index, d in enumerate(dimensions)]
        self.several = [
            key
            for key, d in zip(self.keys, dimensions, strict=True)
            if d.multiplies or (shared and d.credits)
        ]
        """The keys by which one row can come several times."""
        conditions = [scope.row.c.tenant_id == binds.tenant]
        if "deleted_at" in scope.row.c:
            conditions.append(scope.row.c.deleted_at.is_(None))
        if unborn:
            assert population.unborn is not None
            conditions.append(population.unborn(scope))
        else:
            conditions.append(population.where(scope))
            conditions += self._range()
        conditions += [
            scope.filter(d, some, none)
            for d, some, none in filters
            if not d.multiplies and not (shared and d.credits)
        ]
        seen = visible(scope.row, binds)
        if seen is not None:
            conditions.append(seen)
        self.conditions = conditions

    def _shared(
        self, dimensions: Sequence[Dimension], filters: Sequence[tuple[Dimension, bool, bool]]
    ) -> bool:
        """Credit the row to all its holders, where the question tells one from another.

        Who has a share of the revenue has it of the whole: where nobody is told from another, that is the whole. An
        overlay stands beside it, and adds up to what it adds up to.
        """
        attribution = self.shape.attribution
        if attribution == "owner" or self.scope.fact.holders is None:
            return False
        keys = [d for d in dimensions if d.credits]
        asked = [f for f in filters if f[0].credits]
        if not keys and not asked and attribution != "overlay":
            return False
        self.scope.credit_to(keys, asked, whole=attribution == "team")
        return True

    def _range(self) -> list[ColumnElement[bool]]:
        population, scope = self.shape.population, self.scope
        if self.reason is not None:
            return [population.dateless(scope) if population.dateless else scope.date.is_(None)]
        if population.within is not None:
            return [population.within(scope)]
        if population.kind == "flow":
            return [scope.date >= bucket("starts"), scope.date < bucket("ends")]
        return []

    @property
    def rate(self) -> list[ColumnElement[Any]]:
        """Currency, and the day of its rate; neither for what is in the wanted currency already, so groups stay few."""
        if not self.shape.money:
            return []
        if self.reason is not None:
            return [_nothing("k_currency", Text()), _nothing("k_day", Date())]
        currency = self.scope.currency
        day: ColumnElement[Any] = null().cast(Date)
        if self.shape.daily_rates:
            population, binds = self.shape.population, self.scope.binds
            target = binds.named("target", Text())
            foreign = [c != target for c in (currency, self._against) if c is not None]
            if population.rate_day is not None:
                day = population.rate_day(self.scope)
            else:
                day = cast(func.timezone(binds.named("zone", Text()), self.scope.date), Date)
            day = case((or_(*foreign), day))
        return [currency.label("k_currency"), day.label("k_day")]

    @property
    def against(self) -> list[ColumnElement[Any]]:
        """The second currency that a row needs a rate for."""
        if self._against is None:
            return []
        return [_nothing("k_against", Text()) if self.reason else self._against.label("k_against")]

    @property
    def _against(self) -> ColumnElement[Any] | None:
        expression = self.shape.population.against
        return expression(self.scope) if expression else None

    def worth(self, value: ColumnElement[Any]) -> ColumnElement[Any]:
        """A row's amount in the wanted currency, by the rates that are given; null where there is none."""
        prices = func.unnest(*(
            bindparam(f"price_{name}", type_=ARRAY(type_), required=True) for name, type_ in _PRICE.items()
        )).table_valued(*_PRICE).render_derived(name="price")  # fmt: skip
        currency, day = self.rate
        when = prices.c.day == day.element if self.shape.daily_rates else prices.c.i == bucket("i")
        self.scope.origin = self.scope.origin.outerjoin(
            prices, and_(prices.c.currency == currency.element, when)
        )
        ours = currency.element == self.scope.binds.named("target", Text())
        return value * case((ours, literal_column("1")), else_=prices.c.rate)

    @property
    def over(self) -> list[ColumnElement[Any]]:
        """What sums are divided by afterwards, where it differs from row to row."""
        expression = next((m.over for m in self.shape.measures if callable(m.over)), None)
        if expression is None:
            return []
        return [
            _nothing("k_over", BigInteger())
            if self.reason
            else cast(expression(self.scope), BigInteger).label("k_over")
        ]

    @property
    def infers(self) -> bool:
        """Whether rows say it of themselves: those of the past do, and those that last from earlier days on."""
        return "inferred" in self.scope.row.c

    @property
    def inferred(self) -> ColumnElement[bool]:
        return self.scope.row.c.inferred if self.infers else false()

    def only(self, measure: Measure) -> ColumnElement[bool] | None:
        return measure.only(self.scope) if measure.only is not None else None

    def value(self, measure: Measure) -> ColumnElement[Any] | None:
        return measure.value(self.scope) if measure.value is not None else None

    def split(self, measure: Measure) -> ColumnElement[Any] | None:
        """What an amount is multiplied by, where several are credited for it. What is no amount is whole for each."""
        return self.scope.share if measure.money else None

    def exclusions(self, measure: Measure) -> list[tuple[str, ColumnElement[bool]]]:
        found = [(reason, condition(self.scope)) for reason, condition in measure.exclusions]
        return [(NO_AMOUNT, self.scope.whole.is_(None)), *found] if measure.money else found

    def select(self, *columns: ColumnElement[Any]) -> Any:
        return select(*columns).select_from(self.scope.origin).where(*self.conditions)


def _text(value: str | None) -> ColumnElement[Any]:
    return null().cast(Text) if value is None else constant(value).cast(Text)


def _nothing(name: str, type_: Any) -> ColumnElement[Any]:
    return null().cast(type_).label(name)


def branches(shape: Shape, asker: Binds, visible: Visible) -> list[Branch]:
    population = shape.population
    found = [Branch(shape, asker, visible, None)]
    if population.undated:
        found.append(Branch(shape, asker, visible, population.undated))
    if shape.history and population.unborn is not None:
        found.append(Branch(shape, asker, visible, NO_OPEN_DATE, unborn=True))
    return found


def value(shape: Shape, asker: Binds, visible: Visible) -> Statement:
    """Rows of `i, reason, d_0…`, what keeps sums apart (`k_currency, k_day, k_against, k_over`), and per measure `n_m,
    s_m, inferred_m, x_m_0…`."""
    grouped = [_grouped(branch) for branch in branches(shape, asker, visible)]
    cells = (union_all(*grouped) if len(grouped) > 1 else grouped[0]).lateral("cell")
    table = buckets()
    columns = [c for c in cells.c if not c.name.startswith("sorted_")]
    for index, measure in enumerate(shape.measures):
        if spreads(shape, measure):
            columns += _around(cells.c[f"sorted_{index}"], measure, f"_{index}")
    return compiled(select(table.c.i, *columns).select_from(table.join(cells, true())))


def spreads(shape: Shape, measure: Measure) -> bool:
    """Whether its quantiles are told with its sums: they are where nothing but the question's own dimensions keeps
    rows apart."""
    return bool(measure.quantiles) and not shape.money and all(not callable(m.over) for m in shape.measures)


def _around(values: ColumnElement[Any], measure: Measure, suffix: str = "") -> list[ColumnElement[Any]]:
    """For each quantile the two of the sorted values in whose middle it lies.

    A rank is reckoned in whole numbers here: PostgreSQL's own `percentile_cont` goes through floats.
    """
    n, found = func.cardinality(values), []
    for k, wanted in enumerate(measure.quantiles):
        above, below = (literal_column(str(x), Integer()) for x in wanted.as_integer_ratio())
        found.append(values[(n * above + below - 1) // below].label(f"low{suffix}_{k}"))
        found.append(values[n * above // below + 1].label(f"high{suffix}_{k}"))
    return found


def _sorted(value: ColumnElement[Any], counted: ColumnElement[bool] | None) -> ColumnElement[Any]:
    return _filtered(func.array_agg(aggregate_order_by(value, value), type_=ARRAY(Numeric())), counted)


def _grouped(branch: Branch) -> Any:
    keys = [*branch.keys, *branch.rate, *branch.against, *branch.over]
    columns: list[ColumnElement[Any]] = [_text(branch.reason).label("reason"), *keys]
    for index, measure in enumerate(branch.shape.measures):
        only, excluded = branch.only(measure), branch.exclusions(measure)
        if branch.reason is not None:
            columns += [_count(only).label(f"n_{index}"), _nothing(f"s_{index}", Numeric()),
                        literal_column("0").label(f"inferred_{index}"),
                        *(literal_column("0").label(f"x_{index}_{k}") for k in range(len(excluded)))]  # fmt: skip
            if spreads(branch.shape, measure):
                columns.append(_nothing(f"sorted_{index}", ARRAY(Numeric())))
            continue
        counted = _all(only, *(condition.is_not(true()) for _, condition in excluded))
        amount, weight = branch.value(measure), measure.weight
        if amount is not None and weight is not None:
            amount = amount * weight(branch.scope)
        if amount is not None and (split := branch.split(measure)) is not None:
            amount = amount * split
        total = _nothing(f"s_{index}", Numeric()) if amount is None else _filtered(func.sum(amount), counted)
        told_later = _count(_all(counted, branch.inferred)) if branch.infers else literal_column("0")
        columns += [
            _count(counted).label(f"n_{index}"), total.label(f"s_{index}"), told_later.label(f"inferred_{index}"),
        ]  # fmt: skip
        for k, (_, condition) in enumerate(excluded):
            earlier = (c.is_not(true()) for _, c in excluded[:k])
            columns.append(_count(_all(only, *earlier, condition)).label(f"x_{index}_{k}"))
        if spreads(branch.shape, measure):
            assert amount is not None
            columns.append(
                _sorted(cast(amount, Numeric), _all(counted, amount.is_not(None))).label(f"sorted_{index}")
            )
    # Labels that no table has as a column: PostgreSQL would group by the column.
    return branch.select(*columns).group_by(*(literal_column(key.name) for key in keys))


def spread(shape: Shape, asker: Binds, visible: Visible) -> Statement:
    """Rows of `i, d_0…`, and for each quantile of the only measure the two single values in whose middle it lies:
    `low_k, high_k`, in the wanted currency.
    """
    (measure,) = shape.measures
    branch = Branch(shape, asker, visible, None)
    value = branch.value(measure)
    assert value is not None
    if measure.weight is not None:
        value = value * measure.weight(branch.scope)
    if (split := branch.split(measure)) is not None:
        value = value * split
    if measure.money:
        value = branch.worth(value)
    left_out = (condition.is_not(true()) for _, condition in branch.exclusions(measure))
    counted = _all(branch.only(measure), *left_out, value.is_not(None))
    keys = [literal_column(key.name) for key in branch.keys]
    cells = (
        branch.select(*branch.keys, _sorted(value, counted).label("sorted")).group_by(*keys).lateral("cell")
    )
    table = buckets()
    columns: list[ColumnElement[Any]] = [
        table.c.i,
        *(cells.c[key.name] for key in branch.keys),
        *_around(cells.c.sorted, measure),
    ]
    return compiled(select(*columns).select_from(table.join(cells, true())))


def _all(*conditions: ColumnElement[bool] | None) -> ColumnElement[bool] | None:
    standing = [c for c in conditions if c is not None]
    return and_(*standing) if standing else None


def _filtered(aggregate: Any, condition: ColumnElement[bool] | None) -> ColumnElement[Any]:
    return aggregate if condition is None else aggregate.filter(condition)


def _count(condition: ColumnElement[bool] | None) -> ColumnElement[Any]:
    return _filtered(func.count(), condition)


def explain(
    shape: Shape, asker: Binds, visible: Visible, branch_index: int, *, after: bool
) -> Statement | None:
    """The rows that `value` adds up, in the order (bucket, date, id, part), from behind a key on; None when the
    population has no such branch.

    Behind a key the caller moves the first bucket's start to the key's date, so that the index range begins there.
    """
    found = branches(shape, asker, visible)
    if branch_index >= len(found):
        return None
    branch = found[branch_index]
    scope, binds = branch.scope, branch.scope.binds
    pieces = [scope.fact.piece(scope)] if scope.fact.piece else []
    part = func.concat_ws(
        "|", "", *pieces, *(func.coalesce(cast(k.element, Text), "") for k in branch.several)
    )
    date = cast(scope.date, MOMENT)
    columns: list[ColumnElement[Any]] = [
        scope.row.c.id.label("id"),
        date.label("dated"),
        part.label("part"),
        scope.fact.label(scope).label("label"),
        branch.inferred.label("told_later"),
        (scope.share if scope.share is not None else null().cast(Numeric)).label("split"),
        *branch.keys,
        *branch.rate,
        *branch.against,
        *branch.over,
    ]
    for index, measure in enumerate(shape.measures):
        columns += _contribution(branch, measure, index)
    narrowed = [branch.only(m) for m in shape.measures]
    if all(condition is not None for condition in narrowed):
        branch.conditions.append(or_(*(c for c in narrowed if c is not None)))
    rows = branch.select(*columns).lateral("contribution")
    table = buckets()
    order = (table.c.i, func.coalesce(rows.c.dated, END_OF_TIME), rows.c.id, rows.c.part)
    statement = select(table.c.i, *rows.c).select_from(table.join(rows, true()))
    if after:
        key = [binds.named("after_i", Integer()), func.coalesce(binds.named("after_dated", MOMENT), END_OF_TIME),
               binds.named("after_id", rows.c.id.type), binds.named("after_part", Text())]  # fmt: skip
        statement = statement.where(tuple_(*order) > tuple_(*key))
    return compiled(statement.order_by(*order).limit(binds.named("limit", Integer())))


def _contribution(branch: Branch, measure: Measure, index: int) -> list[ColumnElement[Any]]:
    only, excluded = branch.only(measure), branch.exclusions(measure)
    scope = branch.scope
    if branch.reason is not None:
        reason: ColumnElement[Any] = _text(branch.reason)
    else:
        reason = case(*((c, constant(r)) for r, c in excluded)) if excluded else null().cast(Text)
    amount = branch.value(measure)
    weight = measure.weight(scope) if measure.weight else None
    source = measure.weight_source(scope) if measure.weight_source else None
    return [
        (only if only is not None else true()).label(f"in_{index}"),
        reason.label(f"reason_{index}"),
        (amount if amount is not None else null().cast(Numeric)).label(f"amount_{index}"),
        (weight if weight is not None else null().cast(Numeric)).label(f"weight_{index}"),
        (source if source is not None else null().cast(Text)).label(f"source_{index}"),
    ]
