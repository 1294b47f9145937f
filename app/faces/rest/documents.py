"""What needs no key: the first page, the contract, and Swagger UI from files of our own."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Attain</title>
<link rel="stylesheet" href="docs/static/swagger-ui.css">
<link rel="icon" href="docs/static/favicon.png">
</head>
<body>
<div id="ui"></div>
<script src="docs/static/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#ui",
  deepLinking: true,
  docExpansion: "none",
  persistAuthorization: true,
  validatorUrl: null,
});
"""
_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}
LINKS = {
    "name": "Attain",
    "docs": "/docs",
    "openapi": "/openapi.json",
    "graphql": "/graphql",
    "schema": "/schema.graphql",
    "me": "/v1/me",
    "metrics": "/v1/metrics",
    "health": "/readyz",
}


def static_files() -> StaticFiles:
    """Swagger UI as the package `fastapi-offline` carries it: no foreign host is asked."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))


def router(openapi: dict[str, Any], sdl: str) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    text = orjson.dumps(openapi)

    @routes.get("/")
    async def links() -> Response:
        return JSONResponse(LINKS)

    @routes.get("/openapi.json")
    async def contract() -> Response:
        return Response(text, media_type="application/json", headers={"Cache-Control": "no-cache"})

    @routes.get("/schema.graphql")
    async def schema() -> Response:
        return Response(sdl, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})

    @routes.get("/docs")
    async def docs() -> Response:
        return HTMLResponse(_PAGE, headers=_POLICY)

    @routes.get("/docs/start.js")
    async def start() -> Response:
        return Response(_START, media_type="text/javascript")

    return routes
