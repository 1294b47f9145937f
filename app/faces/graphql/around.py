"""The root fields that are no noun's: who asks, what changed."""

from __future__ import annotations

from typing import Any

import strawberry

from app.faces.graphql.build import Argument, Member, Run
from app.faces.graphql.finished import Finished
from app.faces.graphql.names import camel
from app.faces.graphql.place import Place
from app.faces.graphql.scalars import Json, Moment
from app.ground.access.identity import me
from app.ground.errors import Invalid
from app.language.resources.changes import changes
from app.language.resources.describe import describe, noun_called
from app.language.resources.resource import Catalogue

MOST_EVENTS = 1_000


@strawberry.type(description="A person by id, name and e-mail.")
class Person:
    id: strawberry.ID
    name: str | None
    email: str | None


@strawberry.type(description="The customer whose data this is, with what its numbers need.")
class TenantInfo:
    id: strawberry.ID
    name: str
    timezone: str
    home_currency: str


@strawberry.type(description="The fiscal calendar that fiscal words in questions mean.")
class CalendarInfo:
    id: strawberry.ID
    name: str
    start_month: int


@strawberry.type(description="Who asks, and what that permits.")
class Me:
    name: str
    role: str
    scopes: list[str] = strawberry.field(
        description="What the key is narrowed to; empty means nothing is narrowed."
    )
    permissions: Json = strawberry.field(description="By noun: `read`, `write`.")
    user: Person | None
    rep: Person | None = strawberry.field(
        description="The place in the hierarchy; `me` stands for it wherever a rep does."
    )
    tenant: TenantInfo
    calendar: CalendarInfo | None


@strawberry.type(description="One change of one record.")
class Event:
    id: strawberry.ID
    sequence: str = strawberry.field(description="The cursor of this event.")
    type: str = strawberry.field(description="`opportunity.won`, `account.updated` …")
    at: Moment
    noun: str
    record_id: strawberry.ID
    version: int
    changed: list[str]
    origin: str
    actor: strawberry.ID | None


@strawberry.type(description="Changes in the order in which they were committed.")
class EventPage:
    nodes: list[Event]
    has_more: bool
    next_cursor: str = strawberry.field(description="Where to go on, also when nothing was found.")


def members(catalogue: Catalogue) -> list[Member]:
    return [_me(), _events(catalogue), _describe(catalogue)]


def _me() -> Member:
    def resolve(place: Place, _: dict[str, Any]) -> Run:
        ask = place.ask

        async def run() -> Finished:
            return Finished(place.take(await ask.read(lambda session: me(session, ask.principal))))

        return run

    return Member("me", Me | None, "Who asks, and what that permits.", (), resolve)


def _events(catalogue: Catalogue) -> Member:
    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        first = arguments.get("first")
        if first is None:
            first = 100
        if not 1 <= first <= MOST_EVENTS:
            raise Invalid.field(
                "/first", "out_of_range", f"`first` is a whole number from 1 to {MOST_EVENTS}."
            )
        ask.charge(first)

        async def run() -> Finished:
            batch = await ask.read(
                lambda session: changes(
                    session,
                    ask.principal,
                    catalogue,
                    arguments.get("after"),
                    types=arguments.get("types") or (),
                    limit=first,
                )
            )
            answer = {
                "nodes": [
                    entry.as_dict() | {"changed": [camel(name) for name in entry.changed]}
                    for entry in batch.entries
                ],
                "has_more": batch.has_more,
                "next_cursor": batch.cursor,
            }
            return Finished(place.take(answer))

        return run

    return Member(
        "events",
        EventPage | None,
        "What changed among the records that you may see.",
        (
            Argument("after", str, "Only those behind this cursor; all when left out."),
            Argument("types", list[str], "Only of these types."),
            Argument("first", int, f"At most so many, up to {MOST_EVENTS}; 100 when left out."),
        ),
        resolve,
    )


def _describe(catalogue: Catalogue) -> Member:
    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        resource = noun_called(catalogue, arguments["noun"])

        async def run() -> Finished:
            return Finished(
                await ask.read(lambda session: describe(session, ask.principal, catalogue, resource))
            )

        return run

    return Member(
        "describe",
        Json | None,
        "What a noun is made of: fields, picklists, relations, verbs, inquiries, and what you may do. Names are those "
        "of REST.",
        (Argument("noun", str, "`opportunity` or `opportunities`.", required=True),),
        resolve,
    )
