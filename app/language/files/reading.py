"""Records out of a file that arrives block by block, each with the place behind it, from where one can go on.

A place is always between two records. So whoever continues, after a crash or on another machine, needs the place and
the blocks behind it, and nothing of what was read before.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from app.ground.errors import Invalid

MOST_COLUMNS = 1000
LONGEST_FIELD = 131_072
LONGEST_LINE = 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = {"utf-8": "utf-8", "latin-1": "latin-1", "windows-1252": "cp1252"}
_BOM = b"\xef\xbb\xbf"

csv.field_size_limit(LONGEST_FIELD)


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes, lines and records that lie behind; the header and delimiter found at the beginning of a CSV file."""

    byte: int = 0
    line: int = 0
    row: int = 0
    sequence: int = 0
    header: tuple[str, ...] = ()
    delimiter: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Place:
        values: dict[str, Any] = {**kept, "header": tuple(kept.get("header", ()))}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a record as it stands in the file; `column` counts from 0."""

    code: str
    message: str
    column: int | None = None


@dataclass(slots=True)
class Record:
    """`values` are the cells of a CSV record or the object of an NDJSON line."""

    row: int
    line: int
    values: Any
    fault: Fault | None = None


class _NeedMore(Exception):
    """The lines at hand end within a record."""


class _Lines:
    """Physical lines of the blocks fed so far. Those taken since `mark` can be put back."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.waiting: deque[bytes] = deque()
        self.taken: list[bytes] = []
        self.rest = b""
        self.ended = False
        self.suspect = False

    def feed(self, block: bytes) -> None:
        lines = (self.rest + block).splitlines(keepends=True)
        # What ends in CR may be half of a CRLF.
        whole = bool(lines) and lines[-1].endswith(b"\n")
        self.rest = b"" if whole or not lines else lines.pop()
        self.waiting.extend(lines)
        if len(self.rest) > LONGEST_LINE:
            raise too_long()

    def end(self) -> None:
        if self.rest:
            self.waiting.append(self.rest)
            self.rest = b""
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.waiting:
            if self.ended:
                raise StopIteration
            raise _NeedMore
        line = self.waiting.popleft()
        self.taken.append(line)
        try:
            text = line.decode(self.encoding)
        except UnicodeDecodeError:
            self.suspect = True
            return line.decode(
                self.encoding, errors="surrogateescape" if self.encoding == "utf-8" else "replace"
            )
        if "\x00" in text:
            self.suspect = True
        return text

    def mark(self) -> None:
        self.taken.clear()
        self.suspect = False

    def put_back(self) -> None:
        self.waiting.extendleft(reversed(self.taken))
        self.mark()


class CsvReader:
    """Strict: what RFC 4180 does not know is a fault of its record, and reading goes on behind it."""

    def __init__(self, place: Place, *, delimiter: str | None, encoding: str) -> None:
        self.place = place
        self.wanted = delimiter
        self.lines = _Lines(ENCODINGS[encoding])
        self.reader = self._reader() if place.delimiter else None

    def _reader(self) -> Any:
        return csv.reader(self.lines, delimiter=self.place.delimiter, strict=True)

    def feed(self, block: bytes) -> None:
        self.lines.feed(block)

    def end(self) -> None:
        self.lines.end()

    def records(self) -> Iterator[Record]:
        """All that stand whole in what was fed."""
        while True:
            self.lines.mark()
            try:
                if self.reader is None:
                    self._begin()
                    continue
                values, fault = self._next()
            except (_NeedMore, StopIteration):
                self.lines.put_back()
                return
            line = self.place.line + 1
            self._advance(1 if values or fault else 0)
            if fault is None and not values:
                continue  # an empty line
            record = Record(self.place.row, line, values, fault)
            if fault is None:
                self._check(record)
            yield record

    def _begin(self) -> None:
        """The first line: how the file is cut, and what its columns are called."""
        if not self.lines.waiting:
            raise StopIteration if self.lines.ended else _NeedMore
        first = self.lines.waiting[0]
        bom = len(_BOM) if first.startswith(_BOM) and self.lines.encoding == "utf-8" else 0
        if bom:
            self.lines.waiting[0] = first = first[bom:]
        delimiter = self.wanted or _sniffed(first)
        self.place = replace(self.place, delimiter=delimiter, byte=self.place.byte + bom)
        self.reader = self._reader()
        try:
            header, fault = self._next()
        except (_NeedMore, StopIteration):
            self.reader = None
            self.place = replace(self.place, delimiter="", byte=self.place.byte - bom)
            self.lines.put_back()
            if bom and self.lines.waiting:
                self.lines.waiting[0] = _BOM + self.lines.waiting[0]
            raise
        names = tuple(name.strip() for name in header)
        if fault is not None or self.lines.suspect or not any(names):
            why = fault.message if fault else "It holds no names of columns, or bytes that are no text."
            raise Invalid(f"The first line cannot be read. {why}", code="malformed_header")
        if len(names) > MOST_COLUMNS:
            raise Invalid(
                f"The file has {len(names):,} columns; {MOST_COLUMNS:,} are taken.", code="too_many_columns"
            )
        self._advance(0)
        self.place = replace(self.place, header=names)

    def _next(self) -> tuple[list[str], Fault | None]:
        assert self.reader is not None
        try:
            return next(self.reader), None
        except csv.Error as error:
            if "field larger" in str(error):
                raise Invalid(
                    f"The record that begins on line {self.place.line + 1:,} holds a field of more than "
                    f"{LONGEST_FIELD:,} characters; is a quote left open?",
                    code="field_too_long",
                ) from None
            if not self.lines.taken:
                raise
            self.reader = self._reader()
            said = (
                "The quotes are not closed." if "end of data" in str(error) else "The quotes are misplaced."
            )
            return [], Fault("malformed_csv", said)

    def _advance(self, rows: int) -> None:
        taken = self.lines.taken
        place = self.place
        self.place = replace(
            place, byte=place.byte + sum(map(len, taken)), line=place.line + len(taken), row=place.row + rows
        )

    def _check(self, record: Record) -> None:
        cells, columns = record.values, self.place.header
        if len(cells) != len(columns):
            record.fault = Fault(
                "cell_count",
                f"The record has {len(cells)} cells, the first line names {len(columns)} columns.",
            )
        elif self.lines.suspect:
            for index, cell in enumerate(cells):
                if "\x00" in cell:
                    record.fault = Fault("bad_character", "Text may not contain the character U+0000.", index)
                elif "�" in cell or not _is_text(cell):
                    record.fault = Fault("bad_encoding", "The bytes are no text in this encoding.", index)


class NdjsonReader:
    """One JSON object on each line that is not empty."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.lines: deque[bytes] = deque()
        self.rest = b""

    def feed(self, block: bytes) -> None:
        *lines, self.rest = (self.rest + block).split(b"\n")
        self.lines.extend(line + b"\n" for line in lines)
        if len(self.rest) > LONGEST_LINE:
            raise too_long()

    def end(self) -> None:
        if self.rest:
            self.lines.append(self.rest)
            self.rest = b""

    def records(self) -> Iterator[Record]:
        while self.lines:
            line = self.lines.popleft()
            place = self.place
            empty = not line.strip()
            self.place = replace(
                place, byte=place.byte + len(line), line=place.line + 1, row=place.row + (not empty)
            )
            if empty:
                continue
            if place.byte == 0 and line.startswith(_BOM):
                line = line[len(_BOM) :]
            record = Record(self.place.row, self.place.line, None)
            try:
                record.values = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                record.fault = Fault("malformed_json", f"The line is not valid JSON: {error}.")
            else:
                if not isinstance(record.values, dict):
                    record.fault = Fault("not_an_object", "The line must be a JSON object.")
                elif b"\\u0000" in line:
                    record.fault = Fault("bad_character", "Text may not contain the character U+0000.")
            yield record


Reader = CsvReader | NdjsonReader


def too_long() -> Invalid:
    return Invalid(f"A line is longer than {LONGEST_LINE:,} bytes.", code="line_too_long")


def _sniffed(line: bytes) -> str:
    """What occurs most in the first line, outside of quotes."""
    outside = b"".join(line.split(b'"')[::2])
    return max(DELIMITERS, key=lambda character: outside.count(character.encode()))


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
