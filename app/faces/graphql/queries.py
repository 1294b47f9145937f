"""The root fields that read: for each noun one record and one list, and whatever has an id by `node`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import Text, Uuid, bindparam, literal_column, select, union_all

from app.faces.graphql.ask import Ask
from app.faces.graphql.build import Argument, Member, Run
from app.faces.graphql.connection import Connection
from app.faces.graphql.finished import Finished, record
from app.faces.graphql.inputs import CUSTOM_SORT, Inputs
from app.faces.graphql.moments import ARGUMENTS as MOMENTS
from app.faces.graphql.moments import moment
from app.faces.graphql.place import Place
from app.faces.graphql.select import Compiler, rows_asked
from app.faces.graphql.types import DEFAULT_ROWS, MOST_ROWS, Node, Types
from app.ground.access.permissions import demand
from app.ground.database.session import Session, compiled
from app.ground.errors import Forbidden, Invalid, NotFound
from app.language.resources import read
from app.language.resources.board import grouped
from app.language.resources.fields import CUSTOM
from app.language.resources.filter import Values, both, searched
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.shape import Shape

_DELETED = Argument(
    "include_deleted", bool, "Whether deleted records are among them; their `deletedAt` says so."
)
_ID = "By id or `source:external_id`."


def members(types: Types, inputs: Inputs) -> list[Member]:
    found = [_node(types, inputs)]
    for resource in types.catalogue:
        if "get" in resource.operations:
            found.append(_one(types, inputs, resource))
        if "list" in resource.operations:
            found.append(_list(types, inputs, resource))
    return found


def _record(types: Types, inputs: Inputs, place: Place, resource: Resource) -> tuple[Shape, Values, int]:
    """What this selection wants of one record, the values it compares with, and the rows it may reach."""
    made = Compiler(types, inputs, place.ask.principal, place.selected)
    return made.record(resource, place.nodes), made.values, made.cost


def _one(types: Types, inputs: Inputs, resource: Resource) -> Member:
    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        shape, values, cost = place.planned(lambda: _record(types, inputs, place, resource))
        ask.charge(cost)
        as_of, known_at = _moments(arguments, ask)
        deleted = bool(arguments.get("include_deleted"))

        async def run() -> Finished:
            return record(
                await ask.read(
                    lambda session: read.one(
                        session, ask.principal, types.catalogue, resource, arguments["id"], shape,
                        values=values, deleted=deleted, as_of=as_of, known_at=known_at,
                    )
                )
            )  # fmt: skip

        return run

    noun = resource.name.replace("_", " ")
    me = ", or `me`" if resource.plural == "reps" else ""
    id_ = Argument("id", strawberry.ID, f"{_ID[:-1]}{me}.", required=True)
    time = MOMENTS if resource.tracked else ()
    return Member(
        resource.name, types.records[resource.plural] | None, f"One {noun}. {resource.description}",
        (id_, *time, _DELETED), resolve,
    )  # fmt: skip


def _list(types: Types, inputs: Inputs, resource: Resource) -> Member:
    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        demand(ask.principal, resource.permission_name, "read")
        after, before, limit = _window(arguments)
        connection = place.planned(
            lambda: Connection.of(
                Compiler(types, inputs, ask.principal, place.selected), resource, place.nodes
            )
        )
        ask.charge(connection.cost(limit))
        made = Compiler(types, inputs, ask.principal, place.selected, connection.values.copy())
        as_of, known_at = _moments(arguments, ask)
        where = made.filter(resource, arguments.get("filter"))
        if (text := arguments.get("q")) is not None:
            where = both(where, searched(resource, text, made.values, "/q", past=as_of is not None))
        query = read.Query(
            resource=resource,
            shape=connection.shape,
            filter=where,
            values=made.values,
            sort=made.sort(resource, arguments) or resource.default_sort,
            limit=limit if connection.needs_rows else 1,
            after=after,
            before=before,
            deleted=bool(arguments.get("include_deleted")),
            total=connection.total,
            as_of=as_of,
            known_at=known_at,
            cursors=connection.needs_cursors,
        )

        boards = {key: (groups, groups.asked(query)) for key, groups in connection.groups.items()}

        async def work(session: Session) -> dict[str, Any]:
            page = read.NO_PAGE
            if connection.needs_page:
                page = await read.page(session, ask.principal, types.catalogue, query)
            answer = connection.assemble(page)
            empty = not page.rows
            for key, (groups, asked) in boards.items():
                found = await grouped(session, ask.principal, types.catalogue, asked, groups.by)
                answer[key] = groups.assemble(found)
                empty = empty and not any(x.count for x in found.columns)
            if empty and made.values.references:
                await _demand_references(session, ask, types.catalogue, made.values)
            return answer

        async def run() -> Finished:
            return Finished(await ask.read(work))

        return run

    nouns = resource.plural.replace("_", " ")
    time = MOMENTS if resource.tracked else ()
    search = (
        Argument(
            "q", str, f"Beginnings of words of {' or '.join(resource.search)}, all of which a record has."
        ),
    )
    arguments = (
        Argument("filter", inputs.filters[resource.plural].type, "Which of them."),
        *(search if resource.search else ()),
        Argument("sort", list[inputs.sorts[resource.plural]], "In which order."),
        *((CUSTOM_SORT,) if CUSTOM in resource.by_name else ()),
        Argument("first", int, f"At most so many, up to {MOST_ROWS}; {DEFAULT_ROWS} when left out."),
        Argument("after", str, "Only those behind this cursor."),
        Argument("last", int, "At most so many before `before`, the nearest ones."),
        Argument("before", str, "Only those before this cursor."),
        *time,
        _DELETED,
    )
    return Member(
        resource.plural,
        types.connections[resource.plural] | None,
        f"The {nouns} that you may see.",
        arguments,
        resolve,
    )


async def _demand_references(session: Session, ask: Ask, catalogue: Catalogue, values: Values) -> None:
    """An empty page may be a question about nothing: a record that is another tenant's, invisible, or was never
    there. All three get the same answer."""
    if missing := await read.missing_reference(session, ask.principal, catalogue, values):
        raise NotFound(f"There is no such {missing}.")


def _window(arguments: Mapping[str, Any]) -> tuple[str | None, str | None, int]:
    """Forwards with `first` and `after`, backwards with `last` and `before`; Relay leaves both at once unclear."""
    first, last = arguments.get("first"), arguments.get("last")
    after, before = arguments.get("after"), arguments.get("before")
    if after is not None and before is not None:
        raise Invalid.field("/before", "contradiction", "Give `after` or `before`, not both.")
    if last is not None:
        if first is not None:
            raise Invalid.field("/last", "contradiction", "Give `first` or `last`, not both.")
        if before is None:
            raise Invalid.field(
                "/last", "needs_before", "`last` goes with `before`; to read from the end turn the sort."
            )
        return None, before, rows_asked(last, "last")
    return after, before, rows_asked(first)


def _moments(arguments: Mapping[str, Any], ask: Ask) -> tuple[Any, Any]:
    """Where only `knownAt` is given, `asOf` is the same moment."""
    tenant = ask.principal.tenant
    as_of, known_at = moment(arguments, "as_of", tenant), moment(arguments, "known_at", tenant)
    return (known_at if as_of is None else as_of), known_at


def _node(types: Types, inputs: Inputs) -> Member:
    probe = _probe(types.catalogue)

    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        try:
            id_ = UUID(arguments["id"])
        except ValueError:
            raise NotFound("There is no record with this id.") from None
        # Which noun it is shows only when it is found, so the dearest one that it may be is charged.
        nouns = place.planned(lambda: _of_any(types, inputs, place))
        ask.charge(max((cost for _, _, cost in nouns.values()), default=0))

        async def work(session: Any) -> str:
            plural = await session.fetchval(probe, id=id_)
            if plural is None:
                raise NotFound("There is no record with this id.")
            resource = types.catalogue[plural]
            shape, values, _ = _record(types, inputs, place, resource)
            try:
                return await read.one(
                    session, ask.principal, types.catalogue, resource, str(id_), shape, values=values
                )
            except NotFound:
                # In the same words as for an id that nobody has.
                raise NotFound("There is no record with this id.") from None

        async def run() -> Finished:
            return record(await ask.read(work))

        return run

    return Member(
        "node",
        Node | None,
        "Whatever has this id.",
        (Argument("id", strawberry.ID, "UUIDv7.", required=True),),
        resolve,
    )


def _of_any(types: Types, inputs: Inputs, place: Place) -> dict[str, tuple[Shape, Values, int]]:
    """By plural, for every noun that the caller may read."""
    found: dict[str, tuple[Shape, Values, int]] = {}
    for resource in types.catalogue:
        with suppress(Forbidden):
            found[resource.plural] = _record(types, inputs, place, resource)
    return found


def _probe(catalogue: Catalogue) -> Any:
    """One statement over all primary keys. What it finds is then read under its own noun's visibility."""
    id_ = bindparam("id", type_=Uuid(), required=True)
    tenant = bindparam("tenant", type_=Uuid(), required=True)
    return compiled(
        union_all(
            *(
                select(literal_column(f"'{resource.plural}'", Text()).label("noun")).where(
                    resource.table.c.tenant_id == tenant, resource.table.c.id == id_
                )
                for resource in catalogue
                if "get" in resource.operations
            )
        )
    )
