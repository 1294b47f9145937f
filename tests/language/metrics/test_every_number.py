"""No number without an oracle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from app.areas import METRIC_CATALOGUE

TESTS = Path(__file__).parents[2]


def held_against_loops() -> Iterator[str]:
    """A module of tests that holds numbers against plain loops names them in `METRICS`."""
    for path in TESTS.rglob("test_*.py"):
        if re.search(r"^METRICS\b", path.read_text(), re.MULTILINE):
            name = ".".join(path.relative_to(TESTS.parent).with_suffix("").parts)
            yield from import_module(name).METRICS


def test_every_number_has_an_oracle() -> None:
    assert set(held_against_loops()) == set(METRIC_CATALOGUE.by_name)
