"""Which price holds on a day, and what lies below its floor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from app.language.resources.batch import Batch


@dataclass(frozen=True, slots=True)
class Price:
    """`refuses`: its book lets nothing in below the floor."""

    starts_on: date
    ends_on: date | None
    list_price: Decimal
    floor_price: Decimal | None
    refuses: bool


def holding(prices: Iterable[Price], day: date) -> Price | None:
    """The price that began last; nothing where that one has ended, for the one before it was replaced by it."""
    begun = [price for price in prices if price.starts_on <= day]
    last = max(begun, key=lambda price: price.starts_on, default=None)
    return last if last and (last.ends_on is None or day < last.ends_on) else None


def is_below(
    floor: Decimal | None, quantity: Decimal, unit_price: Decimal | None, amount: Decimal | None
) -> bool:
    """Judged by what is paid: the line's amount where it has one, so that no discount hides beside the unit price."""
    if floor is None:
        return False
    if amount is not None and quantity > 0:
        return amount < (floor * quantity).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
    return unit_price is not None and unit_price < floor


async def check_prices(batch: Batch) -> None:
    for draft in batch.standing:
        after = draft.after
        if after["ends_on"] is not None and after["ends_on"] <= after["starts_on"]:
            draft.refuse("ends_on", "ends_before_start", "A price ends after the day on which it begins.")
        if after["floor_price"] is not None and after["floor_price"] > after["list_price"]:
            draft.refuse("floor_price", "floor_above_list", "The floor lies above the list price.")
