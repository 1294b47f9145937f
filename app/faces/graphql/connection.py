"""A page of records under the names that were asked for: edges, nodes, pageInfo, totalCount."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import FieldNode

from app.faces.graphql.names import type_name
from app.faces.graphql.select import Compiler
from app.faces.graphql.selection import Selected
from app.language.resources.read import Page
from app.language.resources.resource import Resource
from app.language.resources.shape import Constant, Shape

_NOTHING = Shape((("", Constant("")),))
"""For whoever counts only."""


@dataclass(slots=True)
class Connection:
    """Which rows a selection needs, and how they are put together once they are there.

    `nodes` and `edges { node }` usually ask for the same, or only one of them is there: then the rows of the statement
    are the rows of the answer. Where they differ, one statement brings both, and only then is its JSON read here.
    """

    resource: Resource
    selected: Selected
    keys: dict[str, list[FieldNode]]
    shapes: list[Shape] = field(default_factory=list)
    places: dict[tuple[str, ...], int] = field(default_factory=dict)
    total: bool = False
    needs_rows: bool = False

    @classmethod
    def of(cls, compiler: Compiler, resource: Resource, nodes: Sequence[FieldNode], rows: int) -> Connection:
        selected = compiler.selected
        name = type_name(resource)
        made = cls(resource, selected, selected.fields(f"{name}Connection", nodes))
        for key, found in made.keys.items():
            match found[0].name.value:
                case "nodes":
                    made._place((key,), compiler.record(resource, found, rows))
                case "edges":
                    made.needs_rows = True
                    for inner, below in selected.fields(f"{name}Edge", found).items():
                        if below[0].name.value == "node":
                            made._place((key, inner), compiler.record(resource, below, rows))
                case "pageInfo":
                    made.needs_rows = True
                case "totalCount":
                    made.total = True
        return made

    def _place(self, key: tuple[str, ...], shape: Shape) -> None:
        self.needs_rows = True
        if shape not in self.shapes:
            self.shapes.append(shape)
        self.places[key] = self.shapes.index(shape)

    @property
    def shape(self) -> Shape:
        if len(self.shapes) < 2:
            return self.shapes[0] if self.shapes else _NOTHING
        return Shape(
            tuple(
                (f"{number}.{alias}", item)
                for number, shape in enumerate(self.shapes)
                for alias, item in shape.items
            )
        )

    def assemble(self, page: Page) -> dict[str, Any]:
        rows = self._rows(page)
        answer: dict[str, Any] = {}
        for key, found in self.keys.items():
            match found[0].name.value:
                case "nodes":
                    answer[key] = rows[self.places[key,]]
                case "edges":
                    answer[key] = self._edges(page, rows, key, found)
                case "pageInfo":
                    answer[key] = self._page_info(page, found)
                case "totalCount":
                    answer[key] = page.total
                case _:
                    answer[key] = f"{type_name(self.resource)}Connection"
        return answer

    def _rows(self, page: Page) -> list[list[Any]]:
        if len(self.shapes) < 2:
            return [[orjson.Fragment(row) for row in page.rows]]
        split: list[list[Any]] = [[] for _ in self.shapes]
        for row in page.rows:
            parts: list[dict[str, Any]] = [{} for _ in self.shapes]
            for name, value in orjson.loads(row).items():
                number, _, alias = name.partition(".")
                parts[int(number)][alias] = value
            for kept, part in zip(split, parts, strict=True):
                kept.append(part)
        return split

    def _edges(
        self, page: Page, rows: list[list[Any]], key: str, nodes: list[FieldNode]
    ) -> list[dict[str, Any]]:
        name = f"{type_name(self.resource)}Edge"
        wanted = [(inner, below[0].name.value) for inner, below in self.selected.fields(name, nodes).items()]
        edges = []
        for index in range(len(page.rows)):
            edge: dict[str, Any] = {}
            for inner, what in wanted:
                if what == "node":
                    edge[inner] = rows[self.places[key, inner]][index]
                elif what == "cursor":
                    edge[inner] = page.cursor(index)
                else:
                    edge[inner] = name
            edges.append(edge)
        return edges

    def _page_info(self, page: Page, nodes: list[FieldNode]) -> dict[str, Any]:
        last = len(page.rows) - 1
        values = {
            "has_next_page": page.has_more,
            "has_previous_page": page.has_previous,
            "start_cursor": page.cursor(0) if last >= 0 else None,
            "end_cursor": page.cursor(last) if last >= 0 else None,
        }
        return self.selected.taker(self.selected.named("PageInfo"), nodes)(values)
