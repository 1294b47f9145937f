"""The records of a list that is selected in several places: one statement brings what each place wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import FieldNode

from app.faces.graphql.select import Compiler
from app.language.resources.resource import Resource
from app.language.resources.shape import Constant, Shape

_NOTHING = Shape((("", Constant("")),))
"""For whoever counts only."""

Rows = list[list[Any]]
"""For each place the rows."""


@dataclass(slots=True)
class Places:
    """`nodes` and `edges { node }` usually ask for the same, or only one of them is there: then the rows of the
    statement are the rows of the answer. Where they differ, one statement brings both, and only then is its JSON read
    here."""

    compiler: Compiler
    resource: Resource
    rows: int = 1
    """How many records the answer may hold for each that is reckoned."""
    shapes: list[Shape] = field(default_factory=list)

    def add(self, nodes: Sequence[FieldNode]) -> int:
        """The number of the place that these nodes want."""
        shape = self.compiler.record(self.resource, nodes, self.rows)
        if shape not in self.shapes:
            self.shapes.append(shape)
        return self.shapes.index(shape)

    @property
    def shape(self) -> Shape:
        """What the statement is asked for."""
        if len(self.shapes) < 2:
            return self.shapes[0] if self.shapes else _NOTHING
        return Shape(
            tuple(
                (f"{number}.{alias}", item)
                for number, shape in enumerate(self.shapes)
                for alias, item in shape.items
            )
        )

    def split(self, texts: Sequence[str]) -> Rows:
        if len(self.shapes) < 2:
            return [[orjson.Fragment(text) for text in texts]]
        split: Rows = [[] for _ in self.shapes]
        for text in texts:
            parts: list[dict[str, Any]] = [{} for _ in self.shapes]
            for name, value in orjson.loads(text).items():
                number, _, alias = name.partition(".")
                parts[int(number)][alias] = value
            for kept, part in zip(split, parts, strict=True):
                kept.append(part)
        return split
