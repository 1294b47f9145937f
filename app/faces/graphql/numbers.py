"""The root fields of the numbers: what they are, what they come to, and which rows they come from.

Names of metrics, dimensions and grains are texts here as in REST: users will define metrics of their own, and a
schema that changes with a tenant's data is no contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry

from app.faces.graphql.ask import COUNT_COST, Ask
from app.faces.graphql.build import Argument, Member, Run, declare, fill
from app.faces.graphql.finished import Finished
from app.faces.graphql.names import camel
from app.faces.graphql.place import Place
from app.faces.graphql.scalars import Amount, Day, Json, Moment
from app.ground.access.permissions import demand
from app.ground.errors import Invalid
from app.language.metrics import moment
from app.language.metrics.describe import describe
from app.language.metrics.explain import explain
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.question import MetricQuery, from_json
from app.language.resources.resource import Catalogue

MOST_CONTRIBUTIONS = 1_000


@strawberry.type(description="What a number can be broken down and filtered by.")
class MetricDimension:
    name: str
    title: str
    noun: str | None = strawberry.field(
        description="The noun whose records are the groups; null for plain values."
    )
    multiplies: bool = strawberry.field(description="Whether one row can stand in several groups.")


@strawberry.type(description="Over what the values of a number may be summed.")
class Additivity:
    dimensions: list[str]
    time: bool


@strawberry.type(description="A number's definition.")
class Metric:
    name: str
    title: str
    description: str
    kind: str = strawberry.field(description="`flow`, `stock`, `cohort` or `ratio`.")
    unit: str
    formula: str = strawberry.field(description="In words.")
    date_field: str = strawberry.field(description="The date that puts a row into a period.")
    parts: list[str] = strawberry.field(description="The sums that it is made of.")
    dimensions: list[MetricDimension]
    additive: Additivity
    edge_rules: list[str]
    exclusions: list[str] = strawberry.field(
        description="Every reason for which a row may be left out and counted."
    )
    beside: Json = strawberry.field(description="Further numbers that its rows carry, and what they mean.")
    version: str
    example: str


@strawberry.type(description="A number of another period, beside one.")
class MetricComparison:
    period_start: Day | None
    period_end: Day | None = strawberry.field(description="The first day behind the period.")
    value: Amount | None
    n: int | None
    null_reason: str | None
    change: Amount | None = strawberry.field(description="The value less this one.")
    change_ratio: Amount | None = strawberry.field(
        description="The change ÷ this one; null where this one is not above 0."
    )


@strawberry.type(description="Wilson's score interval of a share of counted rows.")
class MetricInterval:
    low: Amount
    high: Amount
    confidence: Amount


@strawberry.type(description="One number of one period and group.")
class MetricRow:
    row_key: str = strawberry.field(description="The same for the same cell at every time; to merge by.")
    metric: str
    period_start: Day | None
    period_end: Day | None = strawberry.field(description="The first day behind the period.")
    dimensions: Json = strawberry.field(description="By dimension: `{id, name}`.")
    value: Amount | None = strawberry.field(description="Null where it is undefined; `nullReason` says why.")
    numerator: Amount | None
    denominator: Amount | None
    n: int = strawberry.field(description="How many rows it comes from.")
    excluded: Json = strawberry.field(description="How many rows were left out, by reason.")
    inferred: int = strawberry.field(description="How many rows come from an inferred history.")
    unit: str
    null_reason: str | None
    interval: MetricInterval | None = strawberry.field(
        description="How sure a share of counted rows is; null for any other number."
    )
    small_sample: bool = strawberry.field(description="Whether a share comes from fewer than 30 rows.")
    beside: Json = strawberry.field(description="Further numbers of the same cell.")
    compare: MetricComparison | None = strawberry.field(
        description="What it was in the period that `compare` names."
    )
    restated: MetricComparison | None = strawberry.field(
        description="What it was when its period ended, by what is known now, where `restated` is asked for."
    )
    partial: bool = strawberry.field(description="Whether the period is not over yet.")
    total: bool = strawberry.field(description="Whether this row sums up others, for `totals`.")
    rank: int | None = strawberry.field(description="The group's place, where `sort` was given.")


@strawberry.type(description="How the numbers were reckoned.")
class MetricMeta:
    timezone: str
    currency: str
    fx: str
    rates: Json
    credit: str
    attribution: str
    as_of: Moment
    known_at: Moment
    data_through: Moment
    period: str | None
    period_start: Day | None
    period_end: Day | None
    grain: str | None
    compare: str | None
    compare_start: Day | None
    compare_end: Day | None
    running: str | None
    window: str | None
    definitions: Json = strawberry.field(description="By metric, the version of its definition.")


@strawberry.type(description="Numbers, every period and group present, also the empty ones.")
class MetricAnswer:
    rows: list[MetricRow]
    meta: MetricMeta


@strawberry.type(description="One row behind a number: what it counts for, or why it was left out.")
class MetricContribution:
    metric: str
    part: str = strawberry.field(description="The population that the row was found in.")
    noun: str
    id: strawberry.ID
    label: str | None
    date: Moment | None
    period_start: Day | None
    period_end: Day | None
    amount: Amount | None
    currency: str | None
    rate: Amount | None
    weight: Amount | None
    weight_source: str | None
    split: Amount | None = strawberry.field(
        description="What share of it is credited here, where several are."
    )
    contribution: Json = strawberry.field(description="What it counts for in each sum of the formula.")
    excluded: str | None = strawberry.field(description="The reason, where it does not count.")
    inferred: bool
    dimensions: Json


@strawberry.type(description="The rows behind a number; their contributions add up to it exactly.")
class MetricExplanation:
    rows: list[MetricContribution]
    has_more: bool
    next_cursor: str | None


def members(catalogue: Catalogue, metrics: MetricCatalogue) -> list[Member]:
    arguments = _arguments(metrics)
    return [
        _metrics(catalogue, metrics, arguments),
        _explain(catalogue, metrics, arguments),
        _catalogue(metrics),
    ]


def _arguments(metrics: MetricCatalogue) -> tuple[Argument, ...]:
    filter_ = fill(
        declare("MetricFilter"),
        "By dimension: ids, `source:external_id`, names of unique nouns, `me`; null means those without a value.",
        [
            Member(name, list[str | None] | None, dimension.title)
            for name, dimension in metrics.dimensions.items()
        ]
        + [
            Member("custom", list[_custom_filter()] | None, "Fields that the tenant has added.")  # pyright: ignore[reportInvalidTypeForm]
        ],
        input=True,
    )
    return (
        Argument(
            "period",
            str,
            "`2026`, `2026-Q1`, `FY2026-Q3`, `this_quarter`, `last_90_days`, `2026-03-01/2026-04-01` …",
        ),
        Argument("grain", str, "`day`, `week`, `month`, `quarter`, `year`, `fiscal_period` … or none."),
        Argument("running", str, "`period`: each bucket from the period's beginning on."),
        Argument(
            "window", str, "Each bucket over what ends with it: `rolling_90_days`, `rolling_4_quarters` …"
        ),
        Argument("by", list[str], "Dimensions to break down by."),
        Argument("filter", filter_, "Which rows count."),
        Argument("as_of", Moment, "As it was at this moment."),
        Argument("known_at", Moment, "By what was known at this moment; now when left out."),
        Argument("currency", str, "ISO 4217; the home currency when left out."),
        Argument("fx", str, "`transaction`, `period_end` or `constant:<date>`."),
        Argument("timezone", str, "The zone whose days and months are meant; the tenant's when left out."),
        Argument("credit", str, "`at_close` or `current`: whose a closed deal is."),
        Argument(
            "attribution",
            str,
            "`owner`, `split`, `overlay` or `team`: to whom deals are credited, and their amounts divided.",
        ),
    )


def _custom_filter() -> type:
    return fill(
        declare("MetricCustomFilter"),
        "A field that the tenant has added, and its values; null means those without one.",
        [
            Member("field", str, "`custom.<name>`, or `account.custom.<name>`."),
            Member("values", list[str | None], "Any of them."),
        ],
        input=True,
    )


def _metrics(catalogue: Catalogue, metrics: MetricCatalogue, shared: tuple[Argument, ...]) -> Member:
    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        question = _question(metrics, ask, arguments, arguments["names"])
        ask.charge(COUNT_COST * len(arguments["names"]))

        async def run() -> Finished:
            timeout = ask.settings.metric_statement_timeout_ms
            async with ask.gate:
                [found] = await moment.answers(
                    ask.database, ask.principal, catalogue, metrics, [question], timeout_ms=timeout
                )
            return Finished(place.take({"rows": found.data, "meta": found.meta}))

        return run

    return Member(
        "metrics",
        MetricAnswer | None,
        "Numbers, by period and dimension, all of one moment.",
        (
            Argument("names", list[str], "Which numbers; `metricCatalogue` lists them.", required=True),
            *shared,
            Argument(
                "compare",
                str,
                "Beside `previous`, `same_length`, `year_ago` or another period, bucket by bucket.",
            ),
            Argument("restated", bool, "Beside each number what it was when its period ended."),
            Argument("totals", bool, "Also the sums over periods, over groups, and over both."),
            Argument(
                "sort", str, "A metric of this question, `-` before it for the largest first; adds `rank`."
            ),
            Argument("limit", int, "At most so many groups."),
        ),
        resolve,
    )


def _explain(catalogue: Catalogue, metrics: MetricCatalogue, shared: tuple[Argument, ...]) -> Member:
    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        question = _question(metrics, ask, arguments, [arguments["name"]])
        first = arguments.get("first")
        if first is None:
            first = 50
        if not 1 <= first <= MOST_CONTRIBUTIONS:
            raise Invalid.field(
                "/first", "out_of_range", f"`first` is a whole number from 1 to {MOST_CONTRIBUTIONS}."
            )
        ask.charge(first)

        async def run() -> Finished:
            found = await ask.read(
                lambda session: explain(
                    session,
                    ask.principal,
                    catalogue,
                    metrics,
                    question,
                    limit=first,
                    cursor=arguments.get("after"),
                ),
                isolation=moment.SNAPSHOT,
            )
            told = {"rows": found.data, "has_more": found.has_more, "next_cursor": found.next_cursor}
            return Finished(place.take(told))

        return run

    return Member(
        "explain_metric",
        MetricExplanation | None,
        "The rows behind a number: those that count, and those that were left out, with the reason.",
        (
            Argument("name", str, "Which number.", required=True),
            *shared,
            Argument("first", int, f"At most so many rows, up to {MOST_CONTRIBUTIONS}; 50 when left out."),
            Argument("after", str, "Only those behind this cursor."),
        ),
        resolve,
    )


def _catalogue(metrics: MetricCatalogue) -> Member:
    def resolve(place: Place, _: dict[str, Any]) -> Run:
        demand(place.ask.principal, "metrics", "read")

        async def run() -> Finished:
            custom = place.ask.principal.tenant.custom
            return Finished(place.take([describe(metric, custom) for metric in metrics]))

        return run

    return Member("metric_catalogue", list[Metric] | None, "Every number that can be asked for.", (), resolve)


def _question(
    metrics: MetricCatalogue, ask: Ask, arguments: Mapping[str, Any], names: list[str]
) -> MetricQuery:
    demand(ask.principal, "metrics", "read")
    asked = {name: value for name, value in arguments.items() if name not in _OWN and value is not None}
    filters = arguments.get("filter") or {}
    by_camel = {camel(name): name for name in metrics.dimensions}
    added = {each["field"]: each["values"] for each in filters.get("custom") or ()}
    asked["filters"] = added | {
        by_camel[name]: values for name, values in filters.items() if name in by_camel and values is not None
    }
    return from_json(metrics, ask.principal, asked | {"metrics": names})


_OWN = ("names", "name", "filter", "first", "after")
