"""A number, declared once. Numbers are data: adding one is one entry in its area.

    Fact          what is counted (deals, quotas): where its rows come from, its dimensions, who sees them
    Population    which of its rows, and which date puts them into a period: ONE indexable WHERE
    Measure       what of them is added up, and what is left out for which reason
    Metric        a measure, or a formula over the sums of several, with its definition in words

A formula sees sums only, so a ratio is divided anew at every level and an average of averages cannot be written.
Expressions are functions of a `Scope`, the statement that is being built; the same ones serve value and explain,
today and as of any moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Text

from app.ground.errors import Invalid, did_you_mean

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import FromClause

    from app.ground.access.custom import Custom
    from app.language.metrics.scope import Scope
    from app.language.query.binds import Binds

Kind = Literal["flow", "stock", "cohort", "ratio"]
Unit = Literal["money", "count", "ratio", "days", "months", "seconds", "money_per_day"]

Visible = Callable[["FromClause", "Binds"], "ColumnElement[bool] | None"]
"""`(rows, binds)` to those that the asking principal may see; None means all of the tenant."""

Expression = Callable[["Scope"], "ColumnElement[Any]"]
Condition = Callable[["Scope"], "ColumnElement[bool]"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Dimension:
    """What a number can be broken down by and filtered by.

    `noun` is the plural of the records that are the groups; without it they are plain values. `within` replaces
    equality in a filter (`manager` means the whole subtree). `multiplies` says that one row can stand in several
    groups; its expression then reads `scope.part`. `credits` says that the groups are those who are credited, or where
    they stand: with another attribution than the owner's one row can stand in several of them.
    """

    name: str
    title: str
    value: Expression
    noun: str | None = None
    within: Callable[[Scope, ColumnElement[Any]], ColumnElement[bool]] | None = None
    multiplies: bool = False
    credits: bool = False
    nobody: str | None = None
    """What the group without a value is called, where it has a name (`unallocated`)."""

    @property
    def asked(self) -> str:
        """The parameter that holds what a filter asks for."""
        return f"f_{self.name.replace('.', '_')}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Join:
    """A table that a fact's dimensions may ask for; joined only where one does."""

    rows: Callable[[Scope], FromClause]
    on: Callable[[Scope, FromClause], ColumnElement[bool]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Fact:
    """What is counted. `rows` goes through `query.source`, so today and any moment read alike.

    `parts` divides one row among the groups of the dimensions that multiply: a select of their columns and `amount`,
    correlated to `scope.row`, with a last row for what no part covers. `unborn` gives the first version of rows that
    began to exist after the moment asked for; those without an opening date might have existed unseen. `holders` gives
    everyone who is credited for a row under `scope.attribution`: a select of `rep_id` and `share`, correlated likewise;
    without it a row is its one rep's however it is asked.

    `custom` leads to the fields that tenants have added: by how a dimension's name begins, the noun's plural and its
    record.
    """

    name: str
    noun: str
    rows: Callable[[Binds], FromClause]
    dimensions: tuple[Dimension, ...]
    joins: Mapping[str, Join] = field(default_factory=dict)
    label: Expression = lambda s: s.row.c.name
    parts: Callable[[Scope], Select[Any]] | None = None
    unborn: Callable[[Binds], FromClause] | None = None
    holders: Callable[[Scope], Select[Any]] | None = None
    custom: Mapping[str, tuple[str, Callable[[Scope], FromClause]]] = field(default_factory=dict)
    piece: Expression | None = None
    """Where one record comes as several rows: what tells them apart, as text."""
    currency: Expression = lambda s: s.row.c.currency
    amount: Expression = lambda s: s.row.c.amount

    def dimension(self, name: str) -> Dimension | None:
        """One that is declared here, or a field that a tenant has added; whether it has is for the question to say."""
        if name in self.by_name:
            return self.by_name[name]
        prefix, _, own = name.rpartition(".")
        return of_custom(name, own, self.custom[prefix][1]) if prefix in self.custom else None

    @cached_property
    def by_name(self) -> dict[str, Dimension]:
        return {d.name: d for d in self.dimensions}


def of_custom(name: str, field_name: str, record: Callable[[Scope], FromClause]) -> Dimension:
    """By a field that a tenant has added, whose values are told apart as texts.

    Its name is a value of the statement, `c_<name>`, however well it was checked.
    """

    def value(s: Scope) -> ColumnElement[Any]:
        own = s.binds.named(f"c_{field_name}", Text())
        return record(s).c.custom.op("->>", return_type=Text())(own)

    return Dimension(name=name, title=f"Custom field {field_name}", value=value)


GROUPING = frozenset({"text", "picklist", "flag", "integer", "day"})
"""Kinds of custom fields whose values are groups; any other number or a moment is rather a measure."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Population:
    """Which rows of a fact belong to a bucket.

    A flow (and a cohort) takes those dated inside the bucket, a stock those that hold at its last instant. `within`
    replaces the range over `date` where a row has no single date. Rows that `where` selects but that have no date
    are counted under the reason `undated`; `unborn` selects among the fact's unborn rows those that might belong.
    """

    name: str
    fact: Fact
    kind: Literal["flow", "stock"]
    where: Condition
    date: Expression
    within: Condition | None = None
    undated: str | None = None
    dateless: Condition | None = None
    """How rows without a date are found, where an index knows them by other words than `is null`."""
    unborn: Condition | None = None
    rate_day: Expression | None = None
    """The day whose rate `fx=transaction` means; the date's own day (flow) or the moment's (stock) when left out."""
    currency: Expression | None = None
    amount: Expression | None = None
    against: Expression | None = None
    """A second currency of each row, in which another sum of the metric takes its amounts: without a rate for both a
    row is priced in neither."""
    visible: Visible | None = None
    """Whom its rows are shown to, where that is not as for the fact's noun."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measure:
    """What is added up over a population: rows (`value` None), an amount in the row's currency, or a plain number.

    `only` narrows the population, `exclusions` name in order what is left out and counted, `weight` multiplies and is
    shown by explain, `over` divides exactly after summing (seconds to days, a year's quota to its days).
    """

    name: str
    population: Population
    value: Expression | None = None
    money: bool = False
    only: Condition | None = None
    exclusions: tuple[tuple[str, Condition], ...] = ()
    weight: Expression | None = None
    weight_source: Expression | None = None
    over: Expression | int | None = None
    quantiles: tuple[Fraction, ...] = ()
    """What is wanted of the single values beside their sum: 1/2 is the median. Of values in another currency those of
    the converted ones. Exact, and no value invented: where the rank falls between two, the middle of the two."""


@dataclass(frozen=True, eq=False)
class Trailing:
    """The same measure over the months that end with a bucket's last instant (or with the moment asked for)."""

    measure: Measure
    months: int = 12


@dataclass(frozen=True, eq=False)
class Before:
    """The same measure over the stretch that precedes a bucket: as long, or a month before a month. Of one that is not
    over yet, over as many days as have passed of it."""

    measure: Measure


@dataclass(frozen=True, eq=False)
class AtStart:
    """The same measure as things stood in the first instant of a bucket."""

    measure: Measure


Part = Measure | Trailing | Before | AtStart


@dataclass(slots=True)
class Tally:
    """What one measure came to in one cell. Exact: amounts and quotients never pass through a float."""

    total: Fraction = Fraction(0)
    n: int = 0
    inferred: int = 0
    excluded: dict[str, int] = field(default_factory=dict)
    quantiles: dict[Fraction, Fraction] = field(default_factory=dict)
    """Those of its measure; none where nothing was counted."""

    def leave_out(self, reason: str, n: int) -> None:
        self.excluded[reason] = self.excluded.get(reason, 0) + n

    @property
    def undefined(self) -> str:
        """Why nothing can be divided by it, where nothing can."""
        return "missing_fx" if self.excluded.get("missing_fx") else "zero_denominator"

    @property
    def unpriced(self) -> bool:
        """Whether all there is lacks a rate of exchange, so that a sum of 0 would be a lie."""
        return self.n == 0 and bool(self.excluded.get("missing_fx"))


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Result(NamedTuple):
    """A formula's answer. `beside` holds further numbers that belong to the same cell."""

    value: Fraction | None
    n: int
    numerator: Fraction | None = None
    denominator: Fraction | None = None
    null_reason: str | None = None
    beside: Mapping[str, Fraction | None] = _NOTHING
    excluded: Mapping[str, int] = _NOTHING
    """Of a number over others: how many of them are left out, by reason."""


Tallies = Mapping[str, Tally]
Formula = Callable[[Tallies], Result]
Over = Callable[[Sequence[Result]], Result]


def divide(
    numerator: Fraction,
    denominator: Fraction | int,
    n: int,
    reason: str = "zero_denominator",
    beside: Mapping[str, Fraction | None] | None = None,
) -> Result:
    """Undefined is null with its reason, never 0."""
    below = Fraction(denominator) if isinstance(denominator, int) else denominator
    if not below:
        return Result(None, n, numerator, below, reason, beside or _NOTHING)
    return Result(numerator / below, n, numerator, below, None, beside or _NOTHING)


def middle(tally: Tally, quantile: Fraction, **beside: Fraction | None) -> Result:
    """A quantile of a sum's single values as the answer."""
    value = tally.quantiles.get(quantile)
    return Result(value, tally.n, null_reason=tally.undefined if value is None else None, beside=beside)


def share(numerator: Fraction, denominator: Fraction | int) -> Fraction | None:
    return numerator / denominator if denominator else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Metric:
    """One number.

    `parts` are the sums it is made of. Without a formula it is the sum of its only part. `at_end` evaluates every part
    as it stood at the end of each bucket: so does any number that mixes a stock with flows.
    """

    name: str
    title: str
    description: str
    kind: Kind
    unit: Unit
    formula: str
    date_field: str
    parts: Mapping[str, Part]
    combine: Formula | None = None
    at_end: bool = False
    edge_rules: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    """What further numbers its rows carry, and what they mean."""
    aside: frozenset[str] = frozenset()
    """Parts of which only those are made: what they leave out is not left out of the value."""
    proportion: bool = False
    """Whether it is a share of counted rows, so that their number says how sure it is."""
    each: str | None = None
    """The dimension for each of whose groups the formula is reckoned, where `over` makes the number of these."""
    over: Over | None = None
    left_out: tuple[str, ...] = ()
    """Why some of these groups are left out, where their rows are left out for other reasons."""
    version: str = "1"
    example: str = ""
    without: frozenset[str] = frozenset()
    """Dimensions of its facts that would make no sense."""
    read_roles: frozenset[str] | None = None
    """Who may ask for it, where it would betray a field that not every role may read."""
    handed_on: bool = True
    """Whether a board may give it to others as its publisher sees it; not what each may only know of some."""

    @property
    def measures(self) -> dict[str, Measure]:
        return {name: p if isinstance(p, Measure) else p.measure for name, p in self.parts.items()}

    @property
    def facts(self) -> tuple[Fact, ...]:
        return tuple(dict.fromkeys(m.population.fact for m in self.measures.values()))

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Those that every fact of it knows."""
        first, *others = self.facts
        return tuple(
            d
            for d in first.dimensions
            if d.name not in self.without and all(d.name in f.by_name for f in others)
        )

    def custom(self, declared: Custom) -> dict[str, str]:
        """The fields that a tenant has added by which it can be broken down too, each with its kind: those of the one
        noun that it counts."""
        first, *others = self.facts
        if any(fact.noun != first.noun for fact in others):
            return {}
        return {
            f"{prefix}.{name}": kind
            for prefix, (noun, _) in first.custom.items()
            if all(prefix in fact.custom for fact in others)
            for name, kind in declared.of(noun).items()
        }

    def level(self, by: tuple[str, ...]) -> tuple[str, ...]:
        """By what its sums are added up, where `by` is asked for."""
        return by if self.each is None or self.each in by else (*by, self.each)

    def evaluate(self, tallies: Tallies) -> Result:
        if self.combine is not None:
            return self.combine(tallies)
        (tally,) = tallies.values()
        if tally.unpriced:
            return Result(None, 0, null_reason="missing_fx")
        return Result(tally.total, tally.n)


MOST_STATEMENTS = 2_000
MOST_SEVERAL = 10_000


class MetricCatalogue:
    """Every number of the service by its name, handed down by `app/areas.py`."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.by_name = {m.name: m for m in metrics}
        self.dimensions = {d.name: d for m in self.by_name.values() for d in m.dimensions}
        self._statements: dict[Any, Any] = {}
        self.several: set[Any] = set()
        """Questions of which one message was not enough."""

    def note_several(self, like: Any) -> None:
        if len(self.several) >= MOST_SEVERAL:
            self.several.clear()
        self.several.add(like)

    def statement(self, key: Any, build: Callable[[], Any]) -> Any:
        """A compiled statement by its shape. Callers can ask for shapes without end, so the store begins anew when it
        is full."""
        if key not in self._statements:
            if len(self._statements) >= MOST_STATEMENTS:
                self._statements.clear()
            self._statements[key] = build()
        return self._statements[key]

    def __iter__(self) -> Any:
        return iter(self.by_name.values())

    def find(self, name: str, pointer: str = "?metric") -> Metric:
        if name not in self.by_name:
            raise Invalid.field(
                pointer, "unknown_metric", f'There is no metric "{name}".{did_you_mean(name, self.by_name)}'
            )
        return self.by_name[name]
