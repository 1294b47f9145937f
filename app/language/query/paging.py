"""Keyset paging: a cursor is a place in an order, bound to the question that made it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Text, and_, bindparam, cast, or_, tuple_
from sqlalchemy.sql.elements import ColumnElement

from app.ground.errors import BadCursor


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an order. Nulls come last in both directions."""

    expression: ColumnElement[Any]
    descending: bool
    nullable: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """The key values of a row, as text; None where the row has none."""

    values: tuple[str | None, ...]

    @property
    def nulls(self) -> tuple[bool, ...]:
        return tuple(x is None for x in self.values)


def fingerprint(question: Any) -> str:
    """What a cursor is bound to: the tenant, the noun, the filter with its values and the sort."""
    return hashlib.sha256(repr(question).encode()).hexdigest()[:12]


def encode(values: Sequence[str | None], question: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([question, *values])).decode().rstrip("=")


def decode(text: str, question: str, length: int) -> Cursor:
    """Raises BadCursor for a cursor that is damaged, or made by another sort or filter."""
    try:
        if len(text) > 4000:
            raise ValueError
        found = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if not isinstance(found, list) or not all(x is None or isinstance(x, str) for x in found):
            raise ValueError
    except (ValueError, binascii.Error):
        raise BadCursor("The cursor cannot be read.") from None
    if len(found) != length + 1 or found[0] != question or any(x is not None and "\x00" in x for x in found):
        raise BadCursor("The cursor was made by a query with another filter or sort.")
    return Cursor(tuple(found[1:]))


def beyond(keys: Sequence[Key], nulls: Sequence[bool], *, backwards: bool = False) -> ColumnElement[bool]:
    """The rows behind a cursor (before it, when `backwards`), its values being the binds `k0`, `k1` …

    Where no key can be null and all point the same way it is one row comparison, which an index answers.
    """
    at = [
        cast(bindparam(f"k{i}", type_=Text(), required=True), key.expression.type)
        for i, key in enumerate(keys)
    ]
    if not any(key.nullable for key in keys) and len({key.descending for key in keys}) == 1:
        place, cursor = tuple_(*(key.expression for key in keys)), tuple_(*at)
        return place > cursor if keys[0].descending == backwards else place < cursor
    ways: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for key, value, null in zip(keys, at, nulls, strict=True):
        forward = key.descending == backwards
        if null:
            # Nulls are last: behind them is nothing of this key, before them is every value.
            ways += [and_(*equal, key.expression.is_not(None))] if backwards else []
            equal = [*equal, key.expression.is_(None)]
            continue
        step = key.expression > value if forward else key.expression < value
        if key.nullable and not backwards:
            step = or_(step, key.expression.is_(None))
        ways.append(and_(*equal, step))
        equal = [*equal, key.expression == value]
    return or_(*ways)
