"""docs/pay-plans.md read: under each heading a plan, and in the order of the page the tables that happen to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parents[3] / "docs" / "pay-plans.md"


@dataclass
class Table:
    heads: list[str]
    rows: list[dict[str, str]]


@dataclass
class Section:
    title: str
    plan: dict[str, Any]
    tables: list[Table]
    sums: list[str] = field(default_factory=list)


def sections(text: str) -> list[Section]:
    """Fails where a heading has no plan, or no table of what it pays."""
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        blocks = re.findall(r"^```json\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
        assert len(blocks) == 1, f"{title}: one plan under each heading"
        rest = re.sub(r"^```json\n.*?^```", "", body, flags=re.MULTILINE | re.DOTALL)
        tables = list(_tables(rest))
        kinds = {table.heads[0].partition(" ")[0] for table in tables}
        assert "deal" in kinds, f"{title}: deals"
        assert any(kind[0].isdigit() for kind in kinds), f"{title}: what they earn"
        sums = re.findall(r"`([^`]*=[^`]*)`", "\n".join(x for x in rest.splitlines() if x.startswith("*")))
        found.append(Section(title, json.loads(blocks[0]), tables, sums))
    return found


def _tables(text: str) -> Iterator[Table]:
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        heads, _, *rows = (_cells(line) for line in block.strip().splitlines())
        for row in rows:
            assert len(row) == len(heads), row
        yield Table(heads, [dict(zip(heads, row, strict=True)) for row in rows])


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line != "|" else []


def is_true(equation: str) -> bool:
    """`10,000 × 5 % = 500`, in fractions."""
    left, _, right = equation.partition("=")
    return _value(left) == _value(right)


def _value(text: str) -> Fraction:
    for written, meant in ((",", ""), ("×", "*"), ("÷", "/"), ("%", "* 0.01")):
        text = text.replace(written, meant)
    assert re.fullmatch(r"[\d.+*/() -]+", text), text
    return eval(re.sub(r"\d+(\.\d+)?", r'Fraction("\g<0>")', text.strip()))
