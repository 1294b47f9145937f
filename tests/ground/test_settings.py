"""Settings as an operator writes them."""

from __future__ import annotations

import re

import pytest

from app.ground.settings import LOCALHOST, Settings


def test_origins_stand_in_one_variable_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTAIN_CORS_ORIGINS", "https://a.example, https://b.example")
    assert Settings().cors_origins == ["https://a.example", "https://b.example"]
    monkeypatch.setenv("ATTAIN_CORS_ORIGINS", "")
    assert Settings().cors_origins == []


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("http://localhost:5173", True),
        ("https://127.0.0.1", True),
        ("http://localhost.example.com", False),
        ("http://example.com/?http://localhost", False),
    ],
)
def test_the_demo_lets_in_pages_of_this_machine(origin: str, let_in: bool) -> None:
    assert bool(re.fullmatch(LOCALHOST, origin)) is let_in
