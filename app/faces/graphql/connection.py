"""A page of records under the names that were asked for: edges, nodes, pageInfo, totalCount, groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import FieldNode

from app.faces.graphql.ask import COUNT_COST
from app.faces.graphql.groups import Groups
from app.faces.graphql.names import type_name
from app.faces.graphql.rows import Places, Rows
from app.faces.graphql.select import Compiler
from app.language.resources.filter import Values
from app.language.resources.read import Page
from app.language.resources.resource import Resource
from app.language.resources.shape import Shape


@dataclass(slots=True)
class Connection:
    """Which rows a selection needs, and how they are put together once they are there.

    Once made it is only read, by every request that asks the same.
    """

    compiler: Compiler
    resource: Resource
    places: Places
    parts: list[tuple[str, Callable[[Page, Rows], Any]]] = field(default_factory=list)
    total: bool = False
    needs_rows: bool = False
    needs_cursors: bool = False
    shape: Shape = field(init=False)
    groups: dict[str, Groups] = field(default_factory=dict)
    """By the name in the answer."""

    @property
    def needs_page(self) -> bool:
        return self.needs_rows or self.total or not self.groups

    @property
    def values(self) -> Values:
        return self.compiler.values

    def cost(self, rows: int) -> int:
        """Of a page of so many."""
        own = self.compiler.cost * rows + COUNT_COST * self.total
        return own + sum(x.cost for x in self.groups.values())

    @classmethod
    def of(cls, compiler: Compiler, resource: Resource, nodes: Sequence[FieldNode]) -> Connection:
        name = f"{type_name(resource)}Connection"
        made = cls(compiler, resource, Places(compiler, resource))
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
                case "groups":
                    made.groups[key] = Groups.of(compiler, resource, found)
                    write = _later
                case _:
                    write = _constant(name)
            made.parts.append((key, write))
        made.shape = made.places.shape
        return made

    def assemble(self, page: Page) -> dict[str, Any]:
        rows = self.places.split(page.rows)
        return {key: write(page, rows) for key, write in self.parts}

    def _place(self, nodes: Sequence[FieldNode]) -> int:
        """The number of the shape that these nodes want."""
        self.needs_rows = True
        return self.places.add(nodes)

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


def _later(*_: Any) -> Any:
    """What another statement brings; its place among the names is kept."""


def _constant(text: str) -> Callable[[Page, Rows], Any]:
    return lambda *_: text
