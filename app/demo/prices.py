"""What the products cost: a book for direct sales and one for partners, in three currencies, next year's prices too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from app.demo.calendar import FIRST_OPENING
from app.demo.company import PRODUCTS, Product, Row, ref

PER_DOLLAR = {"USD": 1.0, "EUR": 0.92, "GBP": 0.79}
_STANDARD, _PARTNERS = "standard", "partners"
_SHARE = {_STANDARD: 1.0, _PARTNERS: 0.88}
_FLOOR = 0.7
_NEXT = (date(2027, 1, 1), 1.05)
"""From when on everything costs more, and how much more."""


def books() -> Iterator[Row]:
    yield {
        "external_id": f"book-{_STANDARD}", "name": "Standard", "description": "Direct sales", "is_default": True,
        "below_floor": "flag",
    }  # fmt: skip
    yield {
        "external_id": f"book-{_PARTNERS}", "name": "Partners", "description": "What partners pay",
        "is_default": False, "below_floor": "refuse",
    }  # fmt: skip


def prices() -> Iterator[Row]:
    for book, share in _SHARE.items():
        for product in PRODUCTS:
            for currency in PER_DOLLAR:
                for starts_on, raise_ in ((FIRST_OPENING, 1.0), _NEXT):
                    price = round(listed(product, currency) * share * raise_)
                    key = product.ref.partition("-")[2]
                    yield {
                        "external_id": f"price-{book}-{key}-{currency}-{starts_on.year}".lower(),
                        "price_book_id": ref("book", book), "product_id": product.ref, "currency": currency,
                        "starts_on": starts_on.isoformat(), "list_price": price, "floor_price": round(price * _FLOOR),
                    }  # fmt: skip


def listed(product: Product, currency: str) -> int:
    return round(product.list_price * PER_DOLLAR[currency])
