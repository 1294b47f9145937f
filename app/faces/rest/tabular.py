"""Records as lines of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson


def header(columns: Sequence[str]) -> bytes:
    return _lines([columns])


def lines(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> bytes:
    """One line a record; `account.name` is looked up inside. Null is empty, a list is its JSON."""
    paths = [tuple(column.split(".")) for column in columns]
    return _lines([_cell(_at(record, path)) for path in paths] for record in records)


def _at(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return "" if value is None else value


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()
