"""The rows behind a number: each that counts with what it counts for, each left out with the reason.

The sum of the contributions is the number's sums, exactly: contribution = amount x rate x weight x split ÷ `over`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import BadCursor
from app.language.metrics import compile as compiler
from app.language.metrics.answer import decimal
from app.language.metrics.metric import Measure, Metric, MetricCatalogue, Population
from app.language.metrics.nouns import Names, Nouns, names
from app.language.metrics.plan import Asked, Slot, Window, prepare, window_of
from app.language.metrics.question import MetricQuery
from app.language.metrics.rates import Rates, load, statement


@dataclass(frozen=True, slots=True)
class Contribution:
    """One row of explain. `parts` says what it counts for in each sum of the formula, exactly, and `left_out` why it is
    in none of the others that it might be in."""

    parts: dict[str, Fraction]
    left_out: dict[str, str]
    reason: str | None
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    data: list[dict[str, Any]]
    contributions: list[Contribution]
    has_more: bool
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Section:
    """The rows of one population and window; a formula over several facts has several, one after the other."""

    population: Population
    window: Window
    measures: dict[str, Measure]


@dataclass(frozen=True, slots=True)
class _Place:
    """Behind which row a page begins."""

    section: int = 0
    branch: int = 0
    after: tuple[int, datetime | None, UUID, str] | None = None


async def explain(
    session: Session,
    principal: Principal,
    catalogue: Nouns,
    metrics: MetricCatalogue,
    question: MetricQuery,
    *,
    limit: int = 50,
    cursor: str | None = None,
    now: datetime | None = None,
) -> Explanation:
    """A page of the rows behind the first metric of the question, in the order of the fact's date and id.

    `grain` and `by` show each row's bucket and group; a row that stands in several groups comes once for each.
    """
    metric = question.metrics[0]
    question = replace(question, by=metric.level(question.by))
    bound = _bound(principal, question)
    place, now = _read(cursor, bound, now)
    asked = await prepare(session, principal, catalogue, question, now)
    sections = _sections(metric)
    found: list[tuple[_Section, Slot, Any]] = []
    ends = place
    while len(found) <= limit and place.section < len(sections):
        section = sections[place.section]
        slots = asked.slots(question.grain, section.window)
        rows = await _rows(session, metrics, asked, section, slots, place, limit + 1 - len(found))
        if rows is None:
            place = _Place(place.section + 1)
            continue
        for row in rows[: limit - len(found)]:
            ends = replace(place, after=(row["i"], row["dated"], row["id"], row["part"]))
        found += [(section, slots[row["i"]], row) for row in rows]
        place = replace(place, branch=place.branch + 1, after=None)
    more = len(found) > limit
    found = found[:limit]
    text = metrics.statement(("rates", asked.rate_binds.signature), partial(statement, asked.rate_binds))
    wanted = {
        (row[currency], asked.rate_day(section.population, slot, row["k_day"]))
        for section, slot, row in found
        if any(m.money for m in section.measures.values())
        for currency in ("k_currency", *(["k_against"] if section.population.against else []))
        if row[currency] is not None
    }
    rates = await load(session, text, wanted, question.currency, asked.home, asked.values(()))
    width = len(question.by)
    dimensions = [question.dimension(name) for name in question.by]
    groups = [[row[f"d_{k}"] for k in range(width)] for _, _, row in found]
    called = await names(session, catalogue, metrics, asked, dimensions, groups)
    contributions = [_contribution(asked, metric, called, rates, *each) for each in found]
    return Explanation(
        [c.row for c in contributions], contributions, more, _write(ends, bound, asked.now) if more else None
    )


def _sections(metric: Metric) -> list[_Section]:
    sections: dict[tuple[Population, Window], _Section] = {}
    for name, part in metric.parts.items():
        measure, window = window_of(metric, part)
        section = sections.setdefault((measure.population, window), _Section(measure.population, window, {}))
        section.measures[name] = measure
    return list(sections.values())


async def _rows(
    session: Session,
    metrics: MetricCatalogue,
    asked: Asked,
    section: _Section,
    slots: list[Slot],
    place: _Place,
    limit: int,
) -> list[Any] | None:
    after = place.after
    shape = asked.shape(section.population, tuple(section.measures.values()), asked.question.by, slots)
    text = metrics.statement(
        ("explain", shape, place.branch, after is not None),
        partial(
            compiler.explain, shape, asked.binds, asked.visible(section.population), place.branch,
            after=after is not None,
        ),
    )  # fmt: skip
    if text is None:
        return None
    values = asked.every(slots)
    if after is not None:
        slots = [slot for slot in slots if slot.i >= after[0]]
        if place.branch == 0 and section.population.kind == "flow" and section.population.within is None:
            slots[0] = slots[0]._replace(starts=max(slots[0].starts, after[1] or slots[0].starts))
        values |= zip(("after_i", "after_dated", "after_id", "after_part"), after, strict=True)
    # A page is mostly of the first bucket; whatever is asked must be sorted as a whole.
    found: list[Any] = []
    count = 1
    while slots and len(found) < limit:
        some, slots = slots[:count], slots[count:]
        found += await session.fetch(text, **{**asked.values(some), **values, "limit": limit - len(found)})
        count *= 2
    return found


def _contribution(
    asked: Asked, metric: Metric, called: Names, rates: Rates, section: _Section, slot: Slot, row: Any
) -> Contribution:
    question = asked.question
    parts: dict[str, Fraction] = {}
    left_out: dict[str, str] = {}
    reason = rate = weight = amount = weighed_by = None
    counted_for_money = False
    for index, (name, measure) in enumerate(section.measures.items()):
        if not row[f"in_{index}"]:
            continue
        why = row[f"reason_{index}"]
        if measure.money and why is None:
            day = asked.rate_day(section.population, slot, row["k_day"])
            against = row["k_against"] if section.population.against else None
            rate = rates.rate(row["k_currency"], day, against)
            why = "missing_fx" if rate is None else None
        if measure.money or amount is None:
            amount = row[f"amount_{index}"]
        over = measure.over if isinstance(measure.over, int) else row["k_over"] if measure.over else 1
        factor = Fraction(1) if row[f"weight_{index}"] is None else Fraction(row[f"weight_{index}"])
        if measure.weight or over != 1:
            weight, weighed_by = (factor / over if over else None), row[f"source_{index}"]
        if why is not None:
            left_out[name] = why
            reason = reason or why
            continue
        value = Fraction(1) if measure.value is None else Fraction(row[f"amount_{index}"])
        if measure.money:
            value *= Fraction(1 if rate is None else rate) * Fraction(
                1 if row["split"] is None else row["split"]
            )
        parts[name] = value * factor / over
        counted_for_money |= measure.money
    start = None if asked.days is None else asked.buckets(question.grain)[slot.i]
    return Contribution(
        parts,
        left_out,
        None if parts else reason,
        {
            "metric": metric.name,
            "part": section.population.name,
            "noun": section.population.fact.noun,
            "id": str(row["id"]),
            "label": row["label"],
            "date": row["dated"].isoformat() if row["dated"] else None,
            "period_start": start.first.isoformat() if start else None,
            "period_end": start.last.isoformat() if start else None,
            "amount": amount,
            "currency": row["k_currency"] if any(m.money for m in section.measures.values()) else None,
            "rate": rate,
            "weight": decimal(weight) if isinstance(weight, Fraction) else None,
            "weight_source": weighed_by,
            "split": row["split"],
            "contribution": {name: decimal(value) for name, value in parts.items()},
            "excluded": None if parts else reason,
            "left_out": left_out,
            "inferred": bool(row["told_later"]),
            "dimensions": {
                dimension.name: {
                    "id": None if row[f"d_{k}"] is None else str(row[f"d_{k}"]),
                    "name": called.name(dimension, row[f"d_{k}"]),
                }
                for k, dimension in enumerate(map(question.dimension, question.by))
            },
        },
    )


# --- cursors ----------------------------------------------------------------------------------------------------------


def _bound(principal: Principal, question: MetricQuery) -> str:
    """A cursor belongs to one question of one asker."""
    parts = (
        principal.tenant_id, principal.rep_id, principal.role, question.metrics[0].name, question.period,
        question.grain, question.by, sorted(question.filters.items()), question.as_of, question.known_at,
        question.timezone, question.credit, question.attribution, question.running, question.window,
        question.currency, question.fx,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _write(place: _Place, bound: str, now: datetime) -> str:
    assert place.after is not None
    i, dated, id_, part = place.after
    text = [
        bound,
        now.isoformat(),
        place.section,
        place.branch,
        i,
        dated and dated.isoformat(),
        str(id_),
        part,
    ]
    return base64.urlsafe_b64encode(orjson.dumps(text)).decode().rstrip("=")


def _read(cursor: str | None, bound: str, now: datetime | None) -> tuple[_Place, datetime | None]:
    """Later pages ask as of the first page's now, so that no bucket slides between two pages."""
    if cursor is None:
        return _Place(), now
    try:
        text = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        made_for, at, section, branch, i, dated, id_, part = text
        after = (int(i), dated and datetime.fromisoformat(dated), UUID(id_), str(part))
        place = _Place(int(section), int(branch), after)
        began = datetime.fromisoformat(at)
    except (ValueError, TypeError, KeyError):
        raise BadCursor("The cursor cannot be read.") from None
    if made_for != bound or place.section < 0 or place.branch < 0:
        raise BadCursor("The cursor belongs to another question.")
    return place, began
