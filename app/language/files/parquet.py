"""Parquet, with the types that the fields have. Needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.language.files.writers import Typed

_NUMBER_SCALE = 10


def _moment(value: Any) -> datetime:
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).astimezone(UTC)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _rounded(value: Any) -> Decimal:
    return round(_decimal(value), _NUMBER_SCALE)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


_TYPES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "money": (pa.decimal128(38, 4), _decimal),
    "number": (pa.decimal128(38, _NUMBER_SCALE), _rounded),
    "integer": (pa.int64(), int),
    "flag": (pa.bool_(), bool),
    "day": (pa.date32(), _day),
    "moment": (pa.timestamp("us", tz="UTC"), _moment),
}
_ANY: tuple[Any, Callable[[Any], Any]] = (pa.string(), _text)


class _Sink:
    """A file that is only ever written on: what was written since the last look can be taken away."""

    closed = False

    def __init__(self) -> None:
        self.held = bytearray()
        self.at = 0

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self.held += view
        self.at += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.at

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        found = bytes(self.held)
        self.held.clear()
        return found


class ParquetWriter:
    """One row group for each call of `write`."""

    def __init__(self, columns: Sequence[Typed]) -> None:
        self.columns = [(c.name, tuple(c.name.split(".")), *_TYPES.get(c.kind, _ANY)) for c in columns]
        self.schema = pa.schema([(name, type_) for name, _, type_, _ in self.columns])
        self.sink = _Sink()
        self.writer = pq.ParquetWriter(pa.PythonFile(self.sink, mode="w"), self.schema, compression="zstd")

    def write(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        arrays = [
            pa.array([_at(row, path, read) for row in rows], type=type_)
            for _, path, type_, read in self.columns
        ]
        self.writer.write_batch(pa.record_batch(arrays, schema=self.schema))
        return self.sink.take()

    def close(self) -> bytes:
        self.writer.close()
        return self.sink.take()


def _at(value: Any, path: tuple[str, ...], read: Callable[[Any], Any]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else read(value)
