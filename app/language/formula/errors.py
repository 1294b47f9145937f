"""What is wrong with a formula, where, and what was probably meant. A formula is refused with all its problems."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.ground.errors import FieldError, Invalid

MOST_PROBLEMS = 20
"""Enough to mend. Nobody is made to look for what was meant by 200 unknown names."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Lines and columns count from 1; a column is a character. The suggestion is a sentence, or nothing."""

    line: int
    column: int
    code: str
    message: str
    suggestion: str = ""

    @classmethod
    def at(cls, text: str, offset: int, code: str, message: str, suggestion: str = "") -> Problem:
        line = text.count("\n", 0, offset) + 1
        return cls(line, offset - text.rfind("\n", 0, offset), code, message, suggestion.strip())

    def __str__(self) -> str:
        return f"Line {self.line}, column {self.column}: {self.message} {self.suggestion}".rstrip()


class FormulaError(Exception):
    """A formula that cannot be taken. `problems` come in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))

    def as_invalid(self, pointer: str) -> Invalid:
        """The same as a refusal of the field that held the formula."""
        errors = [FieldError(pointer, each.code, str(each)) for each in self.problems]
        return Invalid(errors[0].message, code=errors[0].code, errors=errors)
