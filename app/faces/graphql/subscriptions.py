"""The subscription root, and how its one field is followed, whichever way the answers travel.

A stream holds no connection to the database while it waits, and no place among the tenant's requests. Each look asks
anew who it is that looks: a key that was revoked, or a role that was narrowed, ends or narrows the stream as well.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from graphql import OperationType
from graphql.execution.values import get_argument_values

from app.faces.graphql.around import Event
from app.faces.graphql.ask import Ask
from app.faces.graphql.build import Argument, Member
from app.faces.graphql.documents import Operation
from app.faces.graphql.execute import Executor
from app.faces.graphql.names import camel
from app.faces.graphql.place import Place
from app.faces.graphql.selection import Selected
from app.ground.access.principal import Principal
from app.ground.errors import TooManyRequests, Unavailable
from app.ground.events import feed
from app.language.resources.changes import changes
from app.language.resources.resource import Catalogue

LOOK_SECONDS = 1.0
MOST_EACH = 200
"""Streams of one tenant in this process."""

_BATCH = 200

Who = Callable[[], Awaitable[Principal]]
Draining = Callable[[], bool]

EVENTS = Member(
    "events",
    Event,
    "Changes of the records that you may see, from now on or from a cursor on, in the order in which they were "
    "committed.",
    (
        Argument("types", list[str], "Only of these types, say `opportunity.won`."),
        Argument(
            "after", str, "Begin behind this cursor, so that nothing is missed between two connections."
        ),
    ),
)


class Ending(Unavailable):
    """The process is about to end: whoever comes back finds another one."""


@dataclass(slots=True)
class Streams:
    """`draining` says that the process is about to end."""

    catalogue: Catalogue
    executor: Executor
    draining: Draining
    open: Counter[UUID] = field(default_factory=Counter)

    @contextmanager
    def seat(self, tenant_id: UUID) -> Iterator[None]:
        if self.open[tenant_id] >= MOST_EACH:
            raise TooManyRequests(
                f"{MOST_EACH} streams are open; close one of them.",
                code="too_many_streams",
                headers={"Retry-After": "30"},
            )
        self.open[tenant_id] += 1
        try:
            yield
        finally:
            self.open[tenant_id] -= 1

    def start(
        self, operation: Operation, sent: dict[str, Any], ask: Ask, who: Who
    ) -> AsyncGenerator[dict[str, Any] | None]:
        """Answers, and None where a look found nothing. Raises at once what refuses the operation as a whole."""
        documents = self.executor.documents
        variables = self.executor.variables(operation, sent)
        selected = Selected(documents.schema, operation.fragments, variables)
        root = documents.schema.get_root_type(OperationType.SUBSCRIPTION)
        assert root is not None
        # That there is one, and that it is no introspection, is a rule of validation.
        [(key, nodes)] = selected.within(root.name, operation.node.selection_set).items()
        place = Place(ask, documents, operation, variables, nodes, root.fields[nodes[0].name.value])
        arguments = get_argument_values(place.definition, nodes[0], variables)
        after = arguments.get("after")
        if after is not None:
            feed.parse_cursor(after)
        return self._followed(place, key, after, arguments.get("types") or [], who)

    async def _followed(
        self, place: Place, key: str, after: str | None, types: list[str], who: Who
    ) -> AsyncGenerator[dict[str, Any] | None]:
        ask = place.ask
        with self.seat(ask.principal.tenant_id):
            cursor = after or await ask.read(feed.latest)
            while True:
                if self.draining():
                    raise Ending("The service is about to end; come back.", code="draining")
                principal = ask.principal = await who()
                batch = await ask.read(
                    lambda session, after=cursor, principal=principal: changes(
                        session, principal, self.catalogue, after, types=types, limit=_BATCH
                    )
                )
                cursor = batch.cursor
                for entry in batch.entries:
                    shown = entry.as_dict() | {"changed": [camel(name) for name in entry.changed]}
                    yield {"data": {key: place.take(shown)}}
                if not batch.has_more:
                    yield None
                    await asyncio.sleep(LOOK_SECONDS)
