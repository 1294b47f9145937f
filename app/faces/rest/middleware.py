"""What stands around the faces, from the outside in: the observer, CORS, the shield, the body's limit.

`create_app` calls `install` once. All of it is pure ASGI.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.faces.rest.health import Health, router
from app.faces.rest.limits import BodyLimit
from app.faces.rest.observe import Observe, Shield
from app.ground.database.session import Database
from app.ground.settings import Settings

EXPOSED = (
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "X-Request-Id",
    "Idempotency-Replayed",
    "Range",
    "Content-Range",
    "Accept-Ranges",
    "Content-Disposition",
)


def install(app: FastAPI, settings: Settings, database: Database) -> Health:
    """Also puts the `Health` on `app.state.health`, where the server tells it that it drains."""
    health = Health(database)
    app.state.health = health
    app.include_router(router(health))
    # The last one added is the outermost.
    app.add_middleware(
        BodyLimit,
        usual=settings.max_body_bytes,
        bulk=settings.max_bulk_body_bytes,
        file=settings.max_import_bytes,
    )
    app.add_middleware(Shield)
    if settings.cors_origins or settings.cors_origin_pattern:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_origin_regex=settings.cors_origin_pattern,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "QUERY"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=600,
        )
    app.add_middleware(Observe, health=health)
    return health
