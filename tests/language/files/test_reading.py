"""Files as they come: cut anywhere, with every way of being wrong, and taken up again from every place."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ground.errors import Invalid
from app.language.files.reading import CsvReader, NdjsonReader, Place, Reader, Record
from app.language.files.safety import neutralised, restored

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)


def read(reader: Reader, content: bytes, size: int = 7) -> list[Record]:
    found: list[Record] = []
    for start in range(0, len(content), size):
        reader.feed(content[start : start + size])
        found += reader.records()
    reader.end()
    return [*found, *reader.records()]


def of_csv(content: bytes, **options: Any) -> CsvReader:
    return CsvReader(Place(), **{"delimiter": None, "encoding": "utf-8"} | options)


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=8), st.sampled_from(["\n", "\r\n", "\r"]),
       st.integers(1, 40))  # fmt: skip
def test_what_was_written_is_read_however_it_arrives(rows: list[list[str]], ending: str, size: int) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=ending, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *rows])
    content = buffer.getvalue().encode()
    records = read(of_csv(content), content, size)
    assert [record.values for record in records] == rows
    assert [record.row for record in records] == list(range(1, len(rows) + 1))
    assert not any(record.fault for record in records)


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=8), st.data())
def test_it_goes_on_behind_any_record(rows: list[list[str]], data: st.DataObject) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *rows])
    content = b"\xef\xbb\xbf" + buffer.getvalue().encode()
    first = of_csv(content)
    first.feed(content)
    count = data.draw(st.integers(0, len(rows)))
    taken = list(islice(first.records(), count))
    place = Place.of(first.place.as_dict())
    second = CsvReader(place, delimiter=None, encoding="utf-8")
    rest = read(second, content[place.byte :])
    assert [record.values for record in taken + rest] == rows
    assert [record.row for record in taken + rest] == list(range(1, len(rows) + 1))
    lines = buffer.getvalue().encode()
    for record in taken + rest:
        begins = lines.splitlines(keepends=True)[record.line - 1]
        assert begins.startswith(b'"' + record.values[0].encode()[:1])


def test_every_fault_is_told_where_it_is_and_the_others_are_read() -> None:
    content = (
        b'id;name;note\n'
        b'1;"two\nlines";x\n'
        b'2;short\n'
        b'3;"quote"s;x\n'
        b'4;nul\x00;x\n'
        b'5;bad\xff;x\n'
        b'\n'
        b'6;good;x\n'
        b'7;"open;x\n'
    )  # fmt: skip
    reader = of_csv(content)
    records = read(reader, content)
    assert reader.place.delimiter == ";"
    told = [(r.row, r.line, r.fault and r.fault.code, r.fault and r.fault.column) for r in records]
    assert told == [
        (1, 2, None, None), (2, 4, "cell_count", None), (3, 5, "malformed_csv", None), (4, 6, "bad_character", 1),
        (5, 7, "bad_encoding", 1), (6, 9, None, None), (7, 10, "malformed_csv", None),
    ]  # fmt: skip


def test_other_encodings() -> None:
    content = "id,name\n1,Ärger\n2,€ 5\n".encode("cp1252")
    assert [r.values[1] for r in read(of_csv(content, encoding="windows-1252"), content)] == ["Ärger", "€ 5"]
    latin = "id,name\n1,Ärger\n".encode("latin-1")
    assert [r.values[1] for r in read(of_csv(latin, encoding="latin-1"), latin)] == ["Ärger"]
    undefined = b"id,name\n1,x\x81\n"
    [record] = read(of_csv(undefined, encoding="windows-1252"), undefined)
    assert record.fault is not None
    assert record.fault.code == "bad_encoding"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b",".join(b"c%d" % i for i in range(100_000)) + b"\n1\n", "too_many_columns"),
        (b"id,name\n1,\"" + b"x" * 10_000_000 + b"\"\n", "field_too_long"),
        (b"id,name\n1,\"" + b"x\n" * 100_000, "field_too_long"),
        (b"x" * 5_000_000, "line_too_long"),
        (b"\n1,2\n", "malformed_header"),
        (b"id,n\xff\n", "malformed_header"),
    ],
    ids=["columns", "field", "open quote", "line", "no header", "header"],
)  # fmt: skip
def test_what_no_record_can_be_found_in_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(of_csv(content), content, 65536)
    assert refused.value.code in (code, "line_too_long")


def test_lines_of_json() -> None:
    content = b'\xef\xbb\xbf{"a": 1}\n\n[1]\n{"a": \n{"a": "\\u0000"}\n{"a": 2}'
    records = read(NdjsonReader(Place()), content, 5)
    assert [(r.row, r.line, r.fault and r.fault.code) for r in records] == [
        (1, 1, None), (2, 3, "not_an_object"), (3, 4, "malformed_json"), (4, 5, "bad_character"), (5, 6, None),
    ]  # fmt: skip
    assert [r.values for r in records if r.fault is None] == [{"a": 1}, {"a": 2}]


@given(st.text(st.sampled_from("'=+-@\t\r\n＝a1"), max_size=6))
def test_an_apostrophe_is_taken_away_as_it_was_put(text: str) -> None:
    safe = neutralised(text)
    assert restored(safe) == text
    assert not safe.startswith(tuple("=+-@\t\r\n＝＋－＠"))
