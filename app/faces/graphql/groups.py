"""`groups(by:)` of a list: what `:grouped` answers in REST, under the names that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from graphql import FieldNode

from app.faces.graphql.ask import COUNT_COST
from app.faces.graphql.inputs import plain
from app.faces.graphql.names import camel, type_name
from app.faces.graphql.rows import Places, Rows
from app.faces.graphql.select import Compiler, rows_asked
from app.ground.errors import Invalid
from app.language.resources import board
from app.language.resources.board import Board, Column
from app.language.resources.read import Query
from app.language.resources.resource import Resource

Write = Callable[[Column, Rows], Any]


@dataclass(slots=True)
class Groups:
    """One `groups` of a list: what its statement is asked for, and how its answer is put together."""

    by: str
    first: int
    places: Places
    parts: list[tuple[str, Callable[[Board], Any]]] = field(default_factory=list)

    @classmethod
    def of(cls, compiler: Compiler, resource: Resource, nodes: Sequence[FieldNode]) -> Groups:
        name = type_name(resource)
        given = compiler.selected.arguments(f"{name}Connection", nodes[0])
        by = plain(given["by"])
        compiler.demand_readable(resource, by)
        first = rows_asked(given.get("first"), usual=board.USUAL_ROWS, most=board.MOST_ROWS)
        rows = first * board.most_groups(resource.by_name[by])
        # Beside the rows of the page, which are reckoned for each of its rows.
        own = replace(compiler, cost=COUNT_COST)
        made = cls(by, first, Places(own, resource, rows))
        for key, found in compiler.selected.fields(f"{name}Groups", nodes).items():
            match found[0].name.value:
                case "nodes":
                    made.parts.append((key, made._nodes(found)))
                case "hasMore":
                    made.parts.append((key, lambda found: found.has_more))
                case _:
                    made.parts.append((key, lambda _: f"{name}Groups"))
        return made

    @property
    def cost(self) -> int:
        return self.places.compiler.cost

    def asked(self, query: Query) -> Query:
        """All that `query` is a page of. Invalid for the list of a past moment, or with deleted records."""
        if query.as_of is not None:
            raise Invalid.field("/as_of", "not_in_the_past", "Groups are of the present; leave this out.")
        if query.deleted:
            raise Invalid.field("/include_deleted", "contradiction", "Groups hold living records alone.")
        return replace(query, shape=self.places.shape, limit=self.first, after=None, before=None, total=False)

    def assemble(self, found: Board) -> dict[str, Any]:
        return {key: write(found) for key, write in self.parts}

    def _nodes(self, nodes: Sequence[FieldNode]) -> Callable[[Board], Any]:
        name = f"{type_name(self.places.resource)}Group"
        selected = self.places.compiler.selected
        parts = [(key, self._part(name, found)) for key, found in selected.fields(name, nodes).items()]

        def one(column: Column) -> dict[str, Any]:
            rows = self.places.split(column.rows)
            return {key: write(column, rows) for key, write in parts}

        return lambda found: [one(column) for column in found.columns]

    def _part(self, type_: str, nodes: Sequence[FieldNode]) -> Write:
        resource = self.places.resource
        match nodes[0].name.value:
            case "nodes":
                place = self.places.add(nodes)
                return lambda _, rows: rows[place]
            case "key" if resource.by_name[self.by].kind == "choice":
                return lambda column, _: column.key and column.key.upper()
            case "key" | "label" | "count" as name:
                return lambda column, _: getattr(column, name)
            case "nextCursor":
                return lambda column, _: column.next_cursor
            case "__typename":
                return lambda *_: type_
            case other:
                amount = next(x for x in resource.amounts if camel(x) == other)
                return lambda column, _: _number(column.amounts[amount])


def _number(digits: str | None) -> Any:
    return None if digits is None else orjson.Fragment(digits)
