"""A body's values are of their own JSON types: a truth value is no number there, and a text is neither."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from app.areas import CATALOGUE
from app.faces.rest.keys import ApiKeyCreate, ApiKeyRotate
from app.faces.rest.question import Question
from app.language.files.exports import ExportCreate
from app.language.files.imports import ImportCreate

BODIES: list[type[BaseModel]] = [
    Question, ApiKeyCreate, ApiKeyRotate, ExportCreate, ImportCreate,
    *dict.fromkeys(verb.input for noun in CATALOGUE for verb in (*noun.actions, *CATALOGUE.inquiries[noun.plural])),
]  # fmt: skip
WRONG: dict[type, tuple[Any, ...]] = {
    int: (True, "5", 5.0), float: (True, "5"), bool: (1, 0, "true", "1"), str: (5, True),
}  # fmt: skip
CASES = [
    pytest.param(model, name, wrong, id=f"{model.__name__}.{name}-{wrong!r}")
    for model in BODIES
    for name, field in model.model_fields.items()
    for type_ in {field.annotation, *get_args(field.annotation)} & WRONG.keys()
    for wrong in WRONG[type_]
]  # fmt: skip


@pytest.mark.parametrize(("model", "name", "wrong"), CASES)
def test_no_value_is_taken_for_another_type(model: type[BaseModel], name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate({name: wrong})
    assert any(error["loc"][:1] == (name,) for error in refusal.value.errors())
