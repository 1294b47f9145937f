"""What stands around the faces, from the outside in: the observer, CORS, the shield, the body's limit.

All of it is pure ASGI, and all requests pass it, whatever answers them.
"""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.faces.rest.health import Health
from app.faces.rest.limits import BodyLimit
from app.faces.rest.observe import Observe, Shield
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


def around(app: ASGIApp, settings: Settings, health: Health) -> ASGIApp:
    app = BodyLimit(
        app,
        usual=settings.max_body_bytes,
        bulk=settings.max_bulk_body_bytes,
        file=settings.max_import_bytes,
    )
    app = Shield(app)
    if settings.cors_origins or settings.cors_origin_pattern:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_origin_regex=settings.cors_origin_pattern,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "QUERY"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
            max_age=600,
        )
    return Observe(app, health)
