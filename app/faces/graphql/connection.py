"""A page of records under the names that were asked for: edges, nodes, pageInfo, totalCount."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import FieldNode

from app.faces.graphql.names import type_name
from app.faces.graphql.select import Compiler
from app.language.resources.filter import Values
from app.language.resources.read import Page
from app.language.resources.resource import Resource
from app.language.resources.shape import Constant, Shape

_NOTHING = Shape((("", Constant("")),))
"""For whoever counts only."""

Rows = list[list[Any]]
"""For each shape the rows of the page."""


@dataclass(slots=True)
class Connection:
    """Which rows a selection needs, and how they are put together once they are there.

    `nodes` and `edges { node }` usually ask for the same, or only one of them is there: then the rows of the statement
    are the rows of the answer. Where they differ, one statement brings both, and only then is its JSON read here.
    Once made it is only read, by every request that asks the same.
    """

    compiler: Compiler
    resource: Resource
    shapes: list[Shape] = field(default_factory=list)
    parts: list[tuple[str, Callable[[Page, Rows], Any]]] = field(default_factory=list)
    total: bool = False
    needs_rows: bool = False
    needs_cursors: bool = False
    shape: Shape = _NOTHING

    @property
    def values(self) -> Values:
        return self.compiler.values

    @property
    def cost_of_a_row(self) -> int:
        return self.compiler.cost

    @classmethod
    def of(cls, compiler: Compiler, resource: Resource, nodes: Sequence[FieldNode]) -> Connection:
        name = f"{type_name(resource)}Connection"
        made = cls(compiler, resource)
        for key, found in compiler.selected.fields(name, nodes).items():
            match found[0].name.value:
                case "nodes":
                    write = made._nodes(found)
                case "edges":
                    write = made._edges(found)
                case "pageInfo":
                    write = made._page_info(found)
                case "totalCount":
                    made.total = True
                    write = _total
                case _:
                    write = _constant(name)
            made.parts.append((key, write))
        made.shape = made._whole_shape()
        return made

    def assemble(self, page: Page) -> dict[str, Any]:
        rows = self._rows(page)
        return {key: write(page, rows) for key, write in self.parts}

    def _place(self, nodes: Sequence[FieldNode]) -> int:
        """The number of the shape that these nodes want."""
        self.needs_rows = True
        shape = self.compiler.record(self.resource, nodes)
        if shape not in self.shapes:
            self.shapes.append(shape)
        return self.shapes.index(shape)

    def _whole_shape(self) -> Shape:
        if len(self.shapes) < 2:
            return self.shapes[0] if self.shapes else _NOTHING
        return Shape(
            tuple(
                (f"{number}.{alias}", item)
                for number, shape in enumerate(self.shapes)
                for alias, item in shape.items
            )
        )

    def _rows(self, page: Page) -> Rows:
        if len(self.shapes) < 2:
            return [[orjson.Fragment(row) for row in page.rows]]
        split: Rows = [[] for _ in self.shapes]
        for row in page.rows:
            parts: list[dict[str, Any]] = [{} for _ in self.shapes]
            for name, value in orjson.loads(row).items():
                number, _, alias = name.partition(".")
                parts[int(number)][alias] = value
            for kept, part in zip(split, parts, strict=True):
                kept.append(part)
        return split

    def _nodes(self, found: Sequence[FieldNode]) -> Callable[[Page, Rows], Any]:
        place = self._place(found)
        return lambda _, rows: rows[place]

    def _edges(self, found: Sequence[FieldNode]) -> Callable[[Page, Rows], Any]:
        self.needs_rows = True
        name = f"{type_name(self.resource)}Edge"
        parts: list[tuple[str, Callable[[Page, Rows, int], Any]]] = []
        for key, below in self.compiler.selected.fields(name, found).items():
            match below[0].name.value:
                case "node":
                    place = self._place(below)
                    parts.append((key, lambda _, rows, i, place=place: rows[place][i]))
                case "cursor":
                    self.needs_cursors = True
                    parts.append((key, lambda page, _, i: page.cursor(i)))
                case _:
                    parts.append((key, lambda *_, name=name: name))
        return lambda page, rows: [
            {key: write(page, rows, index) for key, write in parts} for index in range(len(page.rows))
        ]

    def _page_info(self, found: Sequence[FieldNode]) -> Callable[[Page, Rows], Any]:
        self.needs_rows = self.needs_cursors = True
        selected = self.compiler.selected
        take = selected.taker(selected.named("PageInfo"), found)

        def write(page: Page, _: Rows) -> Any:
            last = len(page.rows) - 1
            return take(
                {
                    "has_next_page": page.has_more,
                    "has_previous_page": page.has_previous,
                    "start_cursor": page.cursor(0) if last >= 0 else None,
                    "end_cursor": page.cursor(last) if last >= 0 else None,
                }
            )

        return write


def _total(page: Page, _: Rows) -> Any:
    return page.total


def _constant(text: str) -> Callable[[Page, Rows], Any]:
    return lambda *_: text
