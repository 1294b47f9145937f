"""The composition: the areas' nouns and numbers, rendered by each face, around one pool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
from fastapi import FastAPI
from starlette.routing import Route

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql import trusted
from app.faces.graphql.router import PATH, GraphQL
from app.faces.graphql.schema import sdl
from app.faces.rest import documents, middleware, openapi, routes
from app.faces.rest.edge import Edge
from app.faces.rest.router import Router
from app.faces.rest.streams import Streams
from app.ground.access.gate import Gate
from app.ground.database.session import Database
from app.ground.settings import Settings


def create_app(settings: Settings, database: Database) -> FastAPI:
    """`database` is open, and whoever opened it closes it."""
    app = FastAPI(title="Attain", openapi_url=None, docs_url=None, redoc_url=None)
    health = middleware.install(app, settings, database)
    gate = Gate(database, settings)
    operations = routes.operations(CATALOGUE, METRIC_CATALOGUE)
    document = openapi.document(CATALOGUE, METRIC_CATALOGUE, operations)
    app.include_router(documents.router(document, sdl(CATALOGUE, METRIC_CATALOGUE)))
    app.mount("/docs/static", documents.static_files())
    graphql = GraphQL(database, settings, CATALOGUE, METRIC_CATALOGUE, gate)
    app.router.routes += [Route(PATH, graphql), Route(f"{PATH}/{{rest:path}}", graphql)]
    streams = Streams(database, lambda: health.draining, settings.tenant_streams)
    app.state.streams = streams
    edge = Edge(database, settings, CATALOGUE, METRIC_CATALOGUE, gate, streams)
    app.mount("", Router(edge, operations, list(app.router.routes)))
    return app


def trust_documents(settings: Settings, files: Sequence[Path]) -> list[tuple[str, bool]]:
    """Their hashes, and whether they are new. Raises Invalid for a document that would be refused when it is asked."""
    return trusted.trust(settings, CATALOGUE, METRIC_CATALOGUE, files)


def contract_files() -> dict[str, str]:
    """The contract as files, by their paths in the repository."""
    document = openapi.document(CATALOGUE, METRIC_CATALOGUE, routes.operations(CATALOGUE, METRIC_CATALOGUE))
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    return {"openapi/openapi.json": text + "\n", "openapi/schema.graphql": sdl(CATALOGUE, METRIC_CATALOGUE)}
