"""Quantiles: asked for when the sums are there, since the rates that price a row are found with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from app.ground.database import script
from app.ground.database.session import Session
from app.language.metrics import compile as compiler
from app.language.metrics.metric import Measure, MetricCatalogue, Tally
from app.language.metrics.plan import Asked, Slot


@dataclass(frozen=True, slots=True)
class Wanted:
    """One measure at one level, and the cells that its quantiles belong into."""

    asked: Asked
    measure: Measure
    by: tuple[str, ...]
    slots: Sequence[Slot]
    prices: Mapping[tuple[int, str, date | None], Decimal]
    """What one unit is worth, by bucket, currency and day; the bucket alone counts where no day is given."""
    cells: dict[tuple[int, tuple[Any, ...]], Tally]


async def quantiles(session: Session, metrics: MetricCatalogue, wanted: Sequence[Wanted]) -> None:
    """Fill in those of every measure, all asked at once."""
    if not wanted:
        return
    statements = []
    parts = []
    for each in wanted:
        shape = each.asked.shape(each.measure.population, (each.measure,), each.by, each.slots)
        visible = each.asked.visible(each.measure.population)
        text = metrics.statement(
            ("spread", shape), partial(compiler.spread, shape, each.asked.binds, visible)
        )
        values = {
            "tenant": each.asked.principal.tenant_id, **each.asked.values(each.slots), **_columns(each.prices)
        }  # fmt: skip
        statements.append(text)
        parts.append(script.Part(text.sql, text.arguments(values)))
    for each, text, rows in zip(wanted, statements, await script.gather(session, parts), strict=True):
        at = text.places
        for row in rows:
            group = tuple(row[at[f"d_{k}"]] for k in range(len(each.by)))
            tally = each.cells.get((row[at["i"]], group))
            if tally is None:
                continue
            for k, quantile in enumerate(each.measure.quantiles):
                low, high = row[at[f"low_{k}"]], row[at[f"high_{k}"]]
                if low is not None:
                    over = each.measure.over if isinstance(each.measure.over, int) else 1
                    tally.quantiles[quantile] = halfway(low, high, over)


def halfway(low: Decimal, high: Decimal, over: int) -> Fraction:
    return (exactly(low) + exactly(high)) / (2 * over)


def exactly(number: Decimal | int) -> Fraction:
    """Of two whole numbers: of anything else `Fraction` first asks what kind of number it might be."""
    return Fraction(*number.as_integer_ratio())


def _columns(prices: Mapping[tuple[int, str, date | None], Decimal]) -> dict[str, list[Any]]:
    return {
        "price_i": [i for i, _, _ in prices],
        "price_currency": [currency for _, currency, _ in prices],
        "price_day": [day for _, _, day in prices],
        "price_rate": [*prices.values()],
    }
