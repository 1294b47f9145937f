"""A question about numbers, read from the strings of `api.md` (the same for REST, JSON and GraphQL)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NoReturn

from babel import Locale

from app.ground.access.principal import Principal
from app.ground.errors import Forbidden, Invalid, did_you_mean
from app.language.metrics.metric import GROUPING, Dimension, Measure, Metric, MetricCatalogue, Trailing
from app.language.query import periods

PARAMETERS = (
    "metric", "period", "grain", "compare", "running", "window", "by", "as_of", "known_at", "currency", "fx",
    "timezone", "credit", "attribution", "restated", "totals", "sort", "limit",
)  # fmt: skip
FX = ("transaction", "period_end", "constant:<date>")
CREDIT = ("at_close", "current")
ATTRIBUTION = ("owner", "split", "overlay", "team")
RUNNING = ("period",)
COMPARE = ("previous", "same_length", "year_ago")
WINDOW = re.compile(r"rolling_([1-9]\d{0,3})_(day|week|month|quarter|year)s?")
TOLD_BESIDE = ("metric", "compare", "restated", "totals", "sort", "limit")
"""What a question for the rows behind one number does not say: they are the same whatever stands beside it."""
FLAGS = ("restated", "totals")
MOST_METRICS = 20
NOBODY = "null"
"""In a filter: those without a value."""


@dataclass(frozen=True, kw_only=True)
class MetricQuery:
    """One question. `filters` hold what the caller wrote; names and `source:id` are resolved when it is asked."""

    metrics: tuple[Metric, ...]
    timezone: str
    currency: str
    period: str | None = None
    grain: str | None = None
    by: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    as_of: datetime | None = None
    known_at: datetime | None = None
    fx: str = "transaction"
    constant_day: date | None = None
    credit: str = "at_close"
    attribution: str = "owner"
    """Whom a deal is credited to: its owner, the holders of its revenue splits or of its overlays, or all its team."""
    compare: str | None = None
    """Beside which period: one of `COMPARE`, or one as `period` is written."""
    running: bool = False
    """Each bucket from the beginning of the period on."""
    window: tuple[int, str] | None = None
    """Each bucket over so many units that end with it."""
    restated: bool = False
    """Beside each number what it was when its period ended."""
    totals: bool = False
    sort: tuple[str, bool] | None = None
    """A metric's name, and whether the largest comes first."""
    limit: int | None = None

    @property
    def added(self) -> list[str]:
        """The fields of the tenant's own among its dimensions."""
        return [name for name in (*self.by, *self.filters) if "." in name]

    def dimension(self, name: str) -> Dimension:
        found = self.metrics[0].facts[0].dimension(name)
        assert found is not None
        return found


def parse(
    catalogue: MetricCatalogue,
    principal: Principal,
    *,
    metrics: Sequence[str],
    period: str | None = None,
    grain: str | None = None,
    by: Sequence[str] = (),
    filters: Mapping[str, Sequence[str]] | None = None,
    as_of: str | None = None,
    known_at: str | None = None,
    currency: str | None = None,
    fx: str = "transaction",
    timezone: str | None = None,
    credit: str = "at_close",
    attribution: str = "owner",
    compare: str | None = None,
    running: str | None = None,
    window: str | None = None,
    restated: bool = False,
    totals: bool = False,
    sort: str | None = None,
    limit: int | None = None,
    now: datetime | None = None,
) -> MetricQuery:
    """Refuses what is unknown or does not go together, with a pointer and the nearest name that exists."""
    now = now or datetime.now(UTC)
    if not 1 <= len(metrics) <= MOST_METRICS:
        raise Invalid.field("?metric", "metric_count", f"Name 1 to {MOST_METRICS} metrics.")
    found = tuple(dict.fromkeys(catalogue.find(name) for name in metrics))
    zone_name = timezone or principal.tenant.timezone
    zone = periods.zone(zone_name)
    if grain is not None and grain not in periods.GRAINS:
        _unknown("?grain", "unknown_grain", "grain", grain, periods.GRAINS)
    if grain is not None and period is None:
        raise Invalid.field("?period", "period_required", "A grain needs a period to cut.")
    for metric in found:
        if metric.read_roles is not None and principal.role not in metric.read_roles:
            raise Forbidden(f"{metric.name} is not for your role.")
        if period is None and not needs_no_period(metric):
            raise Invalid.field(
                "?period",
                "period_required",
                f"{metric.name} is a {metric.kind} over a period; name one, say this_year.",
            )
        for name in (*by, *(filters or {})):
            _known_dimension(catalogue, principal, metric, name, "?by" if name in by else f"?{name}")
    moment = periods.moment(as_of, zone, "?as_of") if as_of else None
    known = periods.moment(known_at, zone, "?known_at") if known_at else None
    if moment is not None and moment > now:
        raise Invalid.field("?as_of", "in_the_future", "as_of lies in the future; nothing is known of it.")
    if known is not None and known > now:
        raise Invalid.field("?known_at", "in_the_future", "known_at lies in the future.")
    if known is not None and known < (moment or now):
        raise Invalid.field(
            "?known_at", "known_before", "known_at must not be before as_of (now, when as_of is left out)."
        )
    currency = (currency or principal.tenant.home_currency).upper()
    if currency not in _currencies():
        _unknown("?currency", "unknown_currency", "ISO 4217 currency", currency, sorted(_currencies()))
    if credit not in CREDIT:
        _unknown("?credit", "unknown_credit", "credit", credit, CREDIT)
    if running is not None and running not in RUNNING:
        _unknown("?running", "unknown_running", "running total", running, RUNNING)
    if attribution not in ATTRIBUTION:
        _unknown("?attribution", "unknown_attribution", "attribution", attribution, ATTRIBUTION)
    if attribution != "owner" and not any(f.holders for m in found for f in m.facts):
        raise Invalid.field(
            "?attribution",
            "attribution_unavailable",
            "What these numbers count is never shared: each row is one rep's.",
        )
    for name, told in (
        ("compare", compare), ("running", running), ("window", window), ("restated", restated or None),
    ):  # fmt: skip
        if told is not None and period is None:
            raise Invalid.field("?period", "period_required", f"{name} needs a period.")
    if running is not None and window is not None:
        raise Invalid.field(
            "?window", "contradiction", "A number runs from the period's beginning or in a window."
        )
    if limit is not None and not 1 <= limit <= 10_000:
        raise Invalid.field("?limit", "out_of_range", "limit is 1 to 10,000 groups.")
    return MetricQuery(
        metrics=found,
        timezone=zone_name,
        currency=currency,
        period=period,
        grain=grain,
        by=tuple(dict.fromkeys(by)),
        filters={name: tuple(values) for name, values in (filters or {}).items()},
        as_of=moment,
        known_at=known,
        fx=fx,
        constant_day=_constant_day(fx),
        credit=credit,
        attribution=attribution,
        compare=compare,
        running=running is not None,
        window=_window(window) if window is not None else None,
        restated=restated,
        totals=totals,
        sort=_sort(sort, found),
        limit=limit,
    )


def from_parameters(
    catalogue: MetricCatalogue,
    principal: Principal,
    items: Sequence[tuple[str, str]],
    *,
    metric: str | None = None,
    now: datetime | None = None,
) -> MetricQuery:
    """From a URL's parameters; lists by comma or repeated. `metric` comes from the path where rows are asked for."""
    given: dict[str, list[str]] = {}
    for name, value in items:
        given.setdefault(name, []).extend(part.strip() for part in value.split(","))
    own = [p for p in PARAMETERS if metric is None or p not in TOLD_BESIDE]
    known = (*own, *catalogue.dimensions)
    for name in given:
        if name not in known and "." not in name:
            _unknown(f"?{name}", "unknown_parameter", "parameter", name, known)
    one = {
        name: _single(name, given[name])
        for name in PARAMETERS
        if name in given and name not in ("metric", "by")
    }  # fmt: skip
    return parse(
        catalogue,
        principal,
        metrics=[metric] if metric else given.get("metric", []),
        by=given.get("by", []),
        # `currency` is a dimension too; as a parameter it says in which the amounts are told.
        filters={name: given[name] for name in given if name not in PARAMETERS},
        now=now,
        **_typed(one),
    )


def from_json(
    catalogue: MetricCatalogue,
    principal: Principal,
    body: Mapping[str, Any],
    *,
    pointer: str = "",
    now: datetime | None = None,
) -> MetricQuery:
    """From a JSON object: `{"metrics": […], "period": …, "by": […], "filters": {"territory": ["West"]}, …}`."""
    known = ("metrics", "filters", *(p for p in PARAMETERS if p != "metric"))
    for name in body:
        if name not in known:
            _unknown(f"{pointer}/{name}", "unknown_field", "field", name, known)
    filters = {} if body.get("filters") is None else body["filters"]
    if not isinstance(filters, Mapping):
        raise Invalid.field(f"{pointer}/filters", "type", "filters is an object of dimension to values.")
    one = {
        name: body[name] for name in PARAMETERS if name not in ("metric", "by") and body.get(name) is not None
    }
    for name in PARAMETERS:
        if name not in (*FLAGS, "limit") and name in one and not isinstance(one[name], str):
            raise Invalid.field(f"{pointer}/{name}", "type", f"{name} is a text.")
    for name in ("metrics", "by"):
        if not isinstance(body.get(name), list | None):
            raise Invalid.field(f"{pointer}/{name}", "type", f"{name} is a list.")
    for name in FLAGS:
        if not isinstance(one.get(name, False), bool):
            raise Invalid.field(f"{pointer}/{name}", "type", f"{name} is true or false.")
    if isinstance(one.get("limit", 1), bool | str | float):
        raise Invalid.field(f"{pointer}/limit", "type", "limit is a whole number.")
    return parse(
        catalogue,
        principal,
        metrics=_texts(body.get("metrics"), f"{pointer}/metrics"),
        by=_texts(body.get("by"), f"{pointer}/by"),
        filters={name: _texts(values, f"{pointer}/filters/{name}") for name, values in filters.items()},
        now=now,
        **_typed(one),
    )


def _texts(value: Any, pointer: str) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    found = [NOBODY if v is None else v for v in values]
    if not all(isinstance(v, str) for v in found):
        raise Invalid.field(pointer, "type", "A list of texts.")
    return found


def _typed(one: dict[str, Any]) -> dict[str, Any]:
    if "limit" in one and not (isinstance(one["limit"], int) and not isinstance(one["limit"], bool)):
        try:
            one["limit"] = int(str(one["limit"]))
        except ValueError:
            raise Invalid.field("?limit", "type", "limit is a whole number.") from None
    for name in FLAGS:
        if name in one and not isinstance(one[name], bool):
            if str(one[name]).lower() not in ("true", "false"):
                raise Invalid.field(f"?{name}", "type", f"{name} is true or false.")
            one[name] = str(one[name]).lower() == "true"
    return one


def _single(name: str, values: list[str]) -> str:
    if len(values) != 1:
        raise Invalid.field(f"?{name}", "repeated", f"{name} is given once.")
    return values[0]


def needs_no_period(metric: Metric) -> bool:
    """A stock without a period is that of now; so is what mixes a stock with trailing rates only."""
    return all(
        isinstance(part, Trailing)
        or (isinstance(part, Measure) and part.population.kind == "stock" and part.population.within is None)
        for part in metric.parts.values()
    )


def _known_dimension(
    catalogue: MetricCatalogue, principal: Principal, metric: Metric, name: str, pointer: str
) -> None:
    added = metric.custom(principal.tenant.custom)
    names = [d.name for d in metric.dimensions] + [x for x, kind in added.items() if kind in GROUPING]
    if name in names:
        return
    if name in added:
        raise Invalid.field(
            pointer,
            "dimension_unavailable",
            f"{name} is a {added[name]}, whose values are no groups; those of {', '.join(sorted(GROUPING))} are.",
        )
    if name in catalogue.dimensions:
        raise Invalid.field(
            pointer,
            "dimension_unavailable",
            f"{metric.name} has no dimension {name}; it has {', '.join(names)}.",
        )
    _unknown(pointer, "unknown_dimension", "dimension", name, names)


def _unknown(pointer: str, code: str, what: str, name: str, known: Sequence[str]) -> NoReturn:
    raise Invalid.field(pointer, code, f'There is no {what} "{name}".{did_you_mean(name, known)}')


def _constant_day(fx: str) -> date | None:
    if fx in ("transaction", "period_end"):
        return None
    mode, _, day = fx.partition(":")
    try:
        if mode == "constant":
            return date.fromisoformat(day)
    except ValueError:
        pass
    raise Invalid.field("?fx", "unknown_fx", f"fx is {', '.join(FX)}.{did_you_mean(fx, FX)}")


def _window(window: str) -> tuple[int, str]:
    if found := WINDOW.fullmatch(window):
        return int(found[1]), found[2]
    raise Invalid.field(
        "?window", "unknown_window", f'"{window}" is no window. Write rolling_90_days or rolling_4_quarters.'
    )


def _sort(sort: str | None, metrics: tuple[Metric, ...]) -> tuple[str, bool] | None:
    if sort is None:
        return None
    name, names = sort.removeprefix("-"), [m.name for m in metrics]
    if name not in names:
        _unknown("?sort", "unknown_sort", "metric in this question", name, names)
    return name, sort.startswith("-")


@lru_cache
def _currencies() -> frozenset[str]:
    return frozenset(Locale("en").currencies)
