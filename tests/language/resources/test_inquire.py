"""What an inquiry may be called, and the parts of what it answers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app.areas import CATALOGUE
from app.language.resources.answers import Document, Money, Number, models, with_money_as_text
from app.language.resources.payload import unusable
from app.language.resources.resource import Catalogue

[ESTIMATE] = [x for x in CATALOGUE.inquiries["opportunities"] if x.name == "estimate"]


class Inner(Document):
    paid: list[Money]
    share: Number | None


class Outer(Document):
    total: Money | None
    inner: Inner
    many: list[Inner]


@pytest.mark.parametrize("name", ["close_won", "restore", "history", "upsert"])
def test_no_inquiry_is_called_as_a_verb(name: str) -> None:
    with pytest.raises(ValueError, match=f"opportunities:{name} is there"):
        Catalogue(CATALOGUE, [replace(ESTIMATE, name=name)])


def test_nor_are_two_of_a_noun_called_the_same() -> None:
    with pytest.raises(ValueError, match="there already"):
        Catalogue(CATALOGUE, [ESTIMATE, ESTIMATE])


def test_a_name_of_a_record_does_not_end_in_it() -> None:
    assert unusable("0061:estimate", CATALOGUE.verbs["opportunities"])
    assert not unusable("0061:estimate", CATALOGUE.verbs["accounts"])
    assert not unusable("estimate", CATALOGUE.verbs["opportunities"])


def test_money_alone_becomes_text() -> None:
    inner = {"paid": [Decimal("1.50"), Decimal("1E+3")], "share": Decimal("0.5")}
    told = with_money_as_text(Outer, {"total": None, "inner": inner, "many": [inner]})
    text = {"paid": ["1.50", "1000"], "share": Decimal("0.5")}
    assert told == {"total": None, "inner": text, "many": [text]}
    assert models(Outer) == [Inner, Outer]
