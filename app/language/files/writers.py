"""Rows as the bytes of a file, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import orjson

from app.ground.errors import Invalid
from app.language.files import tabular

TEXT = frozenset({"text", "choice", "picklist", "reference", "id", "json", "question", "custom"})


@dataclass(frozen=True, slots=True)
class Typed:
    """A column of the file, `account.name`, and the kind of field whose values it holds."""

    name: str
    kind: str


class Writer(Protocol):
    def write(self, rows: Sequence[Any]) -> bytes: ...

    def close(self) -> bytes: ...


class CsvWriter:
    """`raw` writes text as it is, also where a spreadsheet would run it."""

    def __init__(self, columns: Sequence[Typed], *, raw: bool) -> None:
        self.names = [column.name for column in columns]
        self.guarded = frozenset() if raw else frozenset(c.name for c in columns if c.kind in TEXT)
        self.head = tabular.header(self.names)

    def write(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        head, self.head = self.head, b""
        return head + tabular.lines(self.names, map(_plain, rows), self.guarded)

    def close(self) -> bytes:
        return self.head


class NdjsonWriter:
    """A row that is JSON text already is written as it is."""

    def write(self, rows: Sequence[Any]) -> bytes:
        return b"".join(
            (row.encode() if isinstance(row, str) else orjson.dumps(row, default=_number)) + b"\n"
            for row in rows
        )

    def close(self) -> bytes:
        return b""


MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


def writer(form: str, columns: Sequence[Typed], *, raw: bool) -> Writer:
    if form == "csv":
        return CsvWriter(columns, raw=raw)
    if form == "ndjson":
        return NdjsonWriter()
    return _parquet()(columns)


def demand_parquet() -> None:
    """Before the work begins: the extra may not be installed."""
    _parquet()


def _parquet() -> Any:
    try:
        from app.language.files.parquet import ParquetWriter
    except ImportError:
        raise Invalid.field(
            "/format",
            "extra_not_installed",
            "Parquet needs the extra: install `attain[parquet]` on the server.",
        ) from None
    return ParquetWriter


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: format(v, "f") if isinstance(v, Decimal) else v for k, v in row.items()}


def _number(value: Any) -> Any:
    """Digit by digit: a double would round what was added up exactly."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} is not JSON")
