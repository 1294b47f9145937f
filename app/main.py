"""The composition: the areas' nouns and numbers, rendered by each face, around one pool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql import transport_ws, trusted
from app.faces.graphql.router import PATH, GraphQL
from app.faces.graphql.schema import sdl
from app.faces.rest import documents, health, middleware, openapi, routes
from app.faces.rest.edge import Edge
from app.faces.rest.health import Health
from app.faces.rest.observe import Shield
from app.faces.rest.router import Router
from app.faces.rest.streams import Streams
from app.faces.rest.surplus import Surplus
from app.ground.access.gate import Gate
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.language.metrics import handbook


class Service:
    """The faces behind what stands around all of them. `health` is told when the server drains, `streams` to end;
    `surplus` is asked by whoever holds the wire.

    A path of REST or GraphQL leads straight to its face: FastAPI's own way to a route costs as much as the whole rest
    of a short read. It keeps the pages that need no key.
    """

    def __init__(
        self,
        settings: Settings,
        health: Health,
        gate: Gate,
        streams: Streams,
        rest: ASGIApp,
        graphql: ASGIApp,
        sockets: ASGIApp,
        pages: ASGIApp,
    ) -> None:
        self.health = health
        self.streams = streams
        self.surplus = Surplus(gate, health)
        self._rest = rest
        self._graphql = graphql
        self._sockets = sockets
        self._pages = pages
        self._around = middleware.around(self._face, settings, health)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._around(scope, receive, send)

    async def _face(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            face = self._sockets
        elif scope["type"] != "http":
            face = self._pages
        elif (path := scope["path"]).startswith("/v1/"):
            face = self._rest
        elif path == PATH or path.startswith(f"{PATH}/"):
            face = self._graphql
        else:
            face = self._pages
        await face(scope, receive, send)


def create_app(settings: Settings, database: Database) -> Service:
    """`database` is open, and whoever opened it closes it."""
    state = Health(database)
    gate = Gate(database, settings)
    operations = routes.operations(CATALOGUE, METRIC_CATALOGUE)
    document = openapi.document(CATALOGUE, METRIC_CATALOGUE, operations)
    pages = FastAPI(title="Attain", openapi_url=None, docs_url=None, redoc_url=None)
    # FastAPI answers a fault with a page of its own unless it is caught before.
    pages.add_middleware(Shield)
    pages.include_router(health.router(state))
    pages.include_router(documents.router(document, sdl(CATALOGUE, METRIC_CATALOGUE)))
    pages.mount("/docs/static", documents.static_files())
    streams = Streams(database, lambda: state.draining, settings.tenant_streams)
    edge = Edge(database, settings, CATALOGUE, METRIC_CATALOGUE, gate, streams)
    rest = Router(edge, operations, list(pages.router.routes))
    graphql = GraphQL(database, settings, CATALOGUE, METRIC_CATALOGUE, gate, lambda: state.draining)
    # Where nothing is, REST says what there is.
    pages.mount("", rest)
    return Service(settings, state, gate, streams, rest, graphql, transport_ws.Sockets(graphql), pages)


def trust_documents(settings: Settings, files: Sequence[Path]) -> list[tuple[str, bool]]:
    """Their hashes, and whether they are new. Raises Invalid for a document that would be refused when it is asked."""
    return trusted.trust(settings, CATALOGUE, METRIC_CATALOGUE, files)


def contract_files() -> dict[str, str]:
    """The contract, and the handbook of numbers, as files by their paths in the repository."""
    document = openapi.document(CATALOGUE, METRIC_CATALOGUE, routes.operations(CATALOGUE, METRIC_CATALOGUE))
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    return {
        "openapi/openapi.json": text + "\n",
        "openapi/schema.graphql": sdl(CATALOGUE, METRIC_CATALOGUE),
        **handbook.pages(METRIC_CATALOGUE),
    }
