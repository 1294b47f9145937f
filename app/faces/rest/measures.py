"""The operations of the numbers, and their schemas in the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.faces.rest import accept, bodies, numbers
from app.faces.rest.filtering import parameter, shared, words
from app.faces.rest.operation import Operation, Schema
from app.faces.rest.schemas import ID_EXAMPLE, MOMENT_EXAMPLE, array, nullable, obj, ref
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.question import ATTRIBUTION, CREDIT, PARAMETERS, RUNNING, SHAPE, WINDOW
from app.language.query.periods import GRAINS

_PERIODS = (
    "`2017`, `2017-Q1`, `2017-03`, `FY2026-Q3`, `this_quarter`, `qtd`, `ytd`, `last_90_days`, or "
    "`2017-03-01/2017-06-01` (half open). A stock may do without: now."
)
_TEXT: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": ["number", "null"]}


def operations(metrics: MetricCatalogue) -> Iterator[Operation]:
    common: dict[str, Any] = {"noun": "metrics", "right": "read", "tag": "Metrics"}
    yield Operation(
        id="listMetrics", method="GET", path="/v1/metrics", handler=numbers.catalogue, summary="Every number",
        description="What each number is: unit, kind, formula, date, dimensions, edge rules, a worked example.",
        answers={accept.JSON: ref("MetricList")}, **common,
    )  # fmt: skip
    yield Operation(
        id="getMetric", method="GET", path="/v1/metrics/{name}", handler=numbers.one, summary="One number's definition",
        description="Its formula in words, its date, its dimensions and edge rules, with a worked example.",
        answers={accept.JSON: ref("Metric")}, errors=(404,), **common,
    )  # fmt: skip
    shapes = [ref("MetricAnswer"), ref("MetricTable")]
    answers = {accept.JSON: {"anyOf": shapes}, accept.NDJSON: _TEXT, accept.CSV: _TEXT}
    yield Operation(
        id="queryMetrics", method="GET", path="/v1/metrics/query", handler=numbers.asked, summary="Numbers",
        description="By period and dimension, each with what it was divided from and what was left out.",
        parameters=(
            words("metric", "Which numbers.", sorted(metrics.by_name)) | {"required": True},
            *_question(metrics),
            parameter(
                "compare", _TEXT | {"examples": ["previous", "year_ago", "2025-Q4"]},
                "Beside `previous`, `same_length` or `year_ago`, or another period: bucket by bucket, in their order.",
            ),
            parameter(
                "restated", {"type": "boolean", "default": False},
                "Beside each number what it was when its period ended, by what is known of it now.",
            ),
            parameter("totals", {"type": "boolean", "default": False}, "Also over all periods and all groups."),
            parameter("sort", _TEXT | {"examples": ["-bookings"]}, "A metric of the question; adds `rank`."),
            parameter("limit", {"type": "integer", "minimum": 1, "maximum": 10_000}, "At most so many groups."),
            parameter(
                "shape", {"type": "string", "enum": list(SHAPE), "default": SHAPE[0]},
                "`long`: a row a number, with all that is told of it. `wide`: a row a period and group, a column a "
                "metric (`bookings`, beside it `bookings_compare`, `_change`, `_change_ratio`).",
            ),
        ),
        answers=answers, errors=(404, 406), **common,
    )  # fmt: skip
    yield Operation(
        id="queryMetricsByBody", method="POST", path="/v1/metrics:query", handler=numbers.queried,
        summary="Numbers by JSON", description="One question, or `queries`: up to twenty, answered of one moment.",
        body={bodies.JSON: {"anyOf": [ref("MetricQuestion"), ref("MetricQuestions")]}},
        answers=answers | {accept.JSON: {"anyOf": [*shapes, ref("MetricAnswers")]}},
        errors=(400, 404, 406, 413, 415), **common,
    )  # fmt: skip
    yield Operation(
        id="explainMetric", method="GET", path="/v1/metrics/{name}/rows", handler=numbers.explained,
        summary="The rows behind a number",
        description="Those that count with what they count for, and those that were left out with the reason.",
        parameters=(
            *_question(metrics),
            parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}, "Rows in this page."),
            shared("cursor"),
        ),
        answers={accept.JSON: ref("ContributionPage"), accept.NDJSON: _TEXT, accept.CSV: _TEXT},
        errors=(400, 404, 406), **common,
    )  # fmt: skip


def _question(metrics: MetricCatalogue) -> tuple[Schema, ...]:
    return (
        parameter("period", _TEXT | {"examples": ["this_quarter"]}, _PERIODS),
        parameter("grain", {"type": "string", "enum": list(GRAINS)}, "How the period is cut."),
        parameter("running", {"type": "string", "enum": list(RUNNING)}, "Each bucket from the period's beginning on."),
        parameter(
            "window", _TEXT | {"examples": ["rolling_90_days", "rolling_4_quarters"], "pattern": f"^{WINDOW.pattern}$"},
            "Each bucket over so many days, weeks, months, quarters or years that end with it.",
        ),
        parameter(
            "by", array(_dimension_name(metrics)),
            "What the numbers are broken down by; fields that the tenant has added as `custom.<name>`, those of a "
            "deal's account as `account.custom.<name>`, which filter too.",
            style="form", explode=False,
        ),
        parameter("as_of", _TEXT | {"examples": ["2026-03-31"]}, "As it was then; a moment or a day."),
        parameter("known_at", _TEXT | {"examples": ["2026-03-31"]}, "… by what was known then."),
        parameter("currency", _TEXT | {"examples": ["EUR"]}, "ISO 4217; the home currency when left out."),
        parameter(
            "fx", _TEXT | {"default": "transaction", "examples": ["constant:2026-01-01"]},
            "Which rates: `transaction`, `period_end` or `constant:<date>`.",
        ),
        parameter("timezone", _TEXT | {"examples": ["Europe/Berlin"]}, "Whose days; the tenant's when left out."),
        parameter("credit", {"type": "string", "enum": list(CREDIT), "default": CREDIT[0]},
                  "By the organisation of the close, or of today."),
        parameter("attribution", {"type": "string", "enum": list(ATTRIBUTION), "default": ATTRIBUTION[0]},
                  "Whom deals are credited to: the owner, who has a share of the revenue, who has an overlay beside "
                  "it, or the whole team, each in full. Amounts are divided; a deal counts once for each of them, and "
                  "once in total."),
        *(
            words(name, f"{x.title}: ids, `source:id`, names, `me`, or `null` for those without one.")
            for name, x in sorted(metrics.dimensions.items())
            if name not in PARAMETERS
        ),
    )  # fmt: skip


def _dimension_name(metrics: MetricCatalogue) -> Schema:
    return {
        "anyOf": [
            {"type": "string", "enum": sorted(metrics.dimensions)},
            {"type": "string", "pattern": r"^(account\.)?custom\.[a-z][a-z0-9_]{0,39}$"},
        ],
        "examples": [next(iter(sorted(metrics.dimensions)))],
    }


def schemas_of(metrics: MetricCatalogue) -> dict[str, Schema]:
    names = sorted(metrics.by_name)
    group = obj(
        {"id": _MAYBE, "name": _MAYBE}, required=["id", "name"], example={"id": ID_EXAMPLE, "name": "West"}
    )
    groups = {"type": "object", "additionalProperties": group, "examples": [{"territory": group["example"]}]}
    day = {"type": ["string", "null"], "format": "date", "examples": ["2026-03-01"]}
    own = next(iter(metrics))
    metric = {
        "name": _TEXT | {"examples": [own.name]},
        "title": _TEXT | {"examples": [own.title]},
        "description": _TEXT,
        "kind": {"type": "string", "enum": ["flow", "stock", "cohort", "ratio"], "examples": [own.kind]},
        "unit": _TEXT | {"examples": [own.unit]},
        "formula": _TEXT | {"examples": [own.formula]},
        "date_field": _TEXT | {"examples": [own.date_field]},
        "parts": array(_TEXT),
        "dimensions": array(
            obj(
                {"name": _TEXT, "title": _TEXT, "noun": _MAYBE, "multiplies": {"type": "boolean"}},
                required=["name", "title", "noun", "multiplies"],
                example={"name": "rep", "title": "Rep", "noun": "reps", "multiplies": False},
            )
        ),
        "additive": obj(
            {"dimensions": array(_TEXT), "time": {"type": "boolean"}},
            required=["dimensions", "time"],
            description="Over what its values may be summed.",
            example={"dimensions": ["rep"], "time": True},
        ),
        "edge_rules": array(_TEXT),
        "exclusions": array(_TEXT),
        "beside": {"type": "object", "additionalProperties": _TEXT},
        "version": _TEXT | {"examples": ["1"]},
        "example": _TEXT,
    }
    row = {
        "row_key": _TEXT | {"description": "Stable, for merges."},
        "metric": _TEXT | {"examples": ["win_rate"]},
        "period_start": day,
        "period_end": day | {"description": "The day behind the last one."},
        "dimensions": groups,
        "value": _NUMBER
        | {"examples": [0.82], "description": "Null where undefined; `null_reason` says why."},
        "numerator": _NUMBER | {"examples": [531]},
        "denominator": _NUMBER | {"examples": [647]},
        "n": {"type": "integer", "examples": [647], "description": "Rows that count."},
        "excluded": {
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "examples": [{"no_close_date": 3}],
        },
        "inferred": {"type": "integer", "examples": [0], "description": "Rows whose past was inferred."},
        "unit": _TEXT | {"examples": ["ratio"]},
        "null_reason": _MAYBE,
        "interval": {
            "anyOf": [ref("MetricInterval"), {"type": "null"}],
            "description": "How sure a share of counted rows is; null for any other number.",
        },
        "small_sample": {
            "type": "boolean",
            "examples": [False],
            "description": "Whether a share comes from fewer than 30 rows.",
        },
        "beside": {"type": "object", "additionalProperties": _NUMBER},
        "compare": {
            "anyOf": [ref("MetricComparison"), {"type": "null"}],
            "description": "What it was in the period that `compare` names.",
        },
        "restated": {
            "anyOf": [ref("MetricComparison"), {"type": "null"}],
            "description": "What it was when its period ended, where `restated` is asked for.",
        },
        "partial": {
            "type": "boolean",
            "examples": [False],
            "description": "Whether the period is not over yet.",
        },
        "total": {"type": "boolean", "examples": [False], "description": "A total over periods or groups."},
    }
    line = {
        "row_key": _TEXT | {"description": "Stable, for merges."},
        **{name: row[name] for name in ("period_start", "period_end", "dimensions")},
        "null_reasons": {
            "type": "object",
            "additionalProperties": _TEXT,
            "examples": [{"win_rate": "zero_denominator"}],
            "description": "By metric, why it is null.",
        },
        **{name: row[name] for name in ("partial", "total")},
        "rank": {
            "type": ["integer", "null"],
            "examples": [1],
            "description": "The group's place, where `sort` was given.",
        },
    }
    share = {"type": "number", "minimum": 0, "maximum": 1}
    interval = {
        "low": share | {"examples": [0.789]},
        "high": share | {"examples": [0.849]},
        "confidence": share | {"examples": [0.95]},
    }
    comparison = {
        "period_start": day,
        "period_end": day,
        "value": _NUMBER | {"examples": [0.75]},
        "n": {"type": ["integer", "null"], "examples": [601]},
        "null_reason": _MAYBE,
        "change": _NUMBER | {"examples": [0.07], "description": "The value less this one."},
        "change_ratio": _NUMBER
        | {"examples": [0.09], "description": "The change ÷ this one; null where this one is not above 0."},
    }
    question = {
        "metrics": array({"type": "string", "enum": names}, minItems=1, maxItems=20),
        "period": _MAYBE | {"description": _PERIODS, "examples": ["this_quarter"]},
        "grain": {"type": ["string", "null"], "enum": [*GRAINS, None]},
        "by": array(_dimension_name(metrics)) | {"type": ["array", "null"]},
        "filters": {
            "type": ["object", "null"],
            "additionalProperties": {"anyOf": [_MAYBE, array(_MAYBE, minItems=1)]},
            "description": "In a list null means those without a value; beside a name it leaves the filter out.",
            "examples": [{"territory": ["West"]}],
        },
        **dict.fromkeys(
            (
                "compare",
                "running",
                "window",
                "as_of",
                "known_at",
                "currency",
                "fx",
                "timezone",
                "credit",
                "attribution",
                "sort",
            ),
            _MAYBE,
        ),
        "restated": {"type": ["boolean", "null"], "default": False},
        "totals": {"type": ["boolean", "null"], "default": False},
        "limit": {"type": ["integer", "null"], "minimum": 1, "maximum": 10_000},
        "shape": {"type": ["string", "null"], "enum": [*SHAPE, None]},
    }
    asked = {"metrics": ["bookings", "win_rate"], "period": "this_quarter", "by": ["rep"]}
    contribution = {
        "metric": _TEXT,
        "part": _TEXT | {"description": "Which of the number's populations the row belongs to."},
        "noun": _TEXT | {"examples": ["opportunities"]},
        "id": _TEXT | {"format": "uuid", "examples": [ID_EXAMPLE]},
        "label": _MAYBE | {"examples": ["Isdom, 2 x GTX Pro"]},
        "date": _MAYBE | {"examples": [MOMENT_EXAMPLE]},
        "period_start": day,
        "period_end": day,
        "amount": _NUMBER,
        "currency": _MAYBE | {"examples": ["USD"]},
        "rate": _NUMBER,
        "weight": _NUMBER,
        "weight_source": _MAYBE,
        "split": _NUMBER | {"description": "What share of it is credited here, where several are."},
        "contribution": {"type": "object", "additionalProperties": _NUMBER},
        "excluded": _MAYBE | {"description": "Why it does not count; null where it does."},
        "left_out": {
            "type": "object",
            "additionalProperties": _TEXT,
            "description": "By sum: why it is not in it; also of a row that counts in another.",
        },
        "inferred": {"type": "boolean"},
        "dimensions": groups,
    }
    page = {"data": array(ref("Contribution")), "has_more": {"type": "boolean"}, "next_cursor": _MAYBE}
    example = {"data": [], "has_more": False, "next_cursor": None}
    answer = {
        "data": array(ref("MetricRow")),
        "meta": {"type": "object", "description": "How it was reckoned."},
    }
    none = {"data": []}
    shapes = [ref("MetricAnswer"), ref("MetricTable")]
    in_west = {
        "row_key": f"2026-01-01|2026-04-01|territory={ID_EXAMPLE}",
        "period_start": "2026-01-01",
        "period_end": "2026-04-01",
        "dimensions": {"territory": group["example"]},
        "bookings": 1550,
        "win_rate": 0.75,
        "null_reasons": {},
        "partial": False,
        "total": False,
    }
    seen_by = {
        "name": "Darcel Schlecht",
        "role": "manager",
        "rep": {"id": ID_EXAMPLE, "name": "Darcel Schlecht"},
    }
    return {
        "Metric": obj(metric, required=list(metric), description="A number's definition."),
        "MetricList": obj({"data": array(ref("Metric"))}, required=["data"], description="Numbers.", example=none),
        "MetricRow": obj(row, required=list(row), description="One number.", additionalProperties=True),
        "MetricComparison": obj(
            comparison, required=list(comparison), description="A number of another period, beside one."
        ),
        "MetricInterval": obj(
            interval, required=list(interval), description="Wilson's score interval of a share of counted rows."
        ),
        "MetricAnswer": obj(answer, required=["data", "meta"], description="Numbers.", example=none | {"meta": {}}),
        "MetricTableRow": obj(
            line, required=[name for name in line if name != "rank"], example=in_west, additionalProperties=True,
            description="All numbers of one period and group, each under its metric's name: a number or null.",
        ),
        "MetricTable": obj(
            answer | {"data": array(ref("MetricTableRow"))}, required=["data", "meta"],
            description="Numbers in the wide shape.", example={"data": [in_west], "meta": {}},
        ),
        "HeldNumbers": obj(
            answer | {"data": array({"anyOf": [ref("MetricRow"), ref("MetricTableRow")]}), "as_seen_by": ref("SeenBy")},
            required=["data", "meta", "as_seen_by"], description="Numbers with another one's view.",
            example={"data": [in_west], "meta": {}, "as_seen_by": seen_by},
        ),
        "SeenBy": obj(
            {
                "name": _TEXT, "role": _TEXT,
                "rep": nullable(obj({"id": _TEXT | {"format": "uuid"}, "name": _TEXT}, required=["id", "name"])),
            },
            required=["name", "role", "rep"], example=seen_by,
            description="With whose view the numbers were asked: a user or a key, its role, and the rep that it is.",
        ),
        "MetricAnswers": obj(
            {"answers": array({"anyOf": shapes})}, required=["answers"], description="In the order of the questions.",
            example={"answers": []},
        ),
        "MetricQuestion": obj(question, required=["metrics"], description="A question about numbers.", example=asked),
        "MetricQuestions": obj(
            {"queries": array(ref("MetricQuestion"), minItems=1, maxItems=numbers.MOST_QUERIES)}, required=["queries"],
            description="Questions that are answered of one moment.", example={"queries": [asked]},
        ),
        "Contribution": obj(contribution, required=list(contribution), description="A row behind a number."),
        "ContributionPage": obj(page, required=list(page), description="Rows behind a number.", example=example),
    }  # fmt: skip
