"""Records as lines of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson

from app.language.files.safety import neutralised


def header(columns: Sequence[str]) -> bytes:
    return _lines([columns])


def lines(
    columns: Sequence[str], records: Iterable[Mapping[str, Any]], guarded: Collection[str] = ()
) -> bytes:
    """One line a record; `account.name` is looked up inside. Null is empty, a list is its JSON.

    `guarded` are the columns whose text no spreadsheet may run as a formula.
    """
    paths = [(tuple(column.split(".")), column in guarded) for column in columns]
    return _lines([_cell(_at(record, path), guard) for path, guard in paths] for record in records)


def _at(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _cell(value: Any, guard: bool) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if guard and isinstance(value, str):
        return neutralised(value)
    return "" if value is None else value


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()
