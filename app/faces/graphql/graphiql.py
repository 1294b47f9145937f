"""The page for people: GraphiQL from the packages that `make ui` installs, else the one that Strawberry brings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from strawberry.http.ides import get_graphql_ide_html

PACKAGES = Path(__file__).parents[3] / "node_modules"
ASSETS = {
    "react.js": "react/umd/react.production.min.js",
    "react-dom.js": "react-dom/umd/react-dom.production.min.js",
    "graphiql.js": "graphiql/graphiql.min.js",
    "graphiql.css": "graphiql/graphiql.min.css",
}
ASSET_PATH = "/graphql/ui"

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Attain, GraphQL</title>
  <link rel="stylesheet" href="{assets}/graphiql.css">
  <style>html, body, #root {{ height: 100%; margin: 0 }}</style>
</head>
<body>
  <div id="root"></div>
  <script src="{assets}/react.js"></script>
  <script src="{assets}/react-dom.js"></script>
  <script src="{assets}/graphiql.js"></script>
  <script src="{assets}/start.js"></script>
</body>
</html>
"""
_START = """const fetcher = GraphiQL.createFetcher({ url: "/graphql" });
ReactDOM.createRoot(document.getElementById("root")).render(
  React.createElement(GraphiQL, {
    fetcher,
    shouldPersistHeaders: false,
    defaultEditorToolsVisibility: "headers",
    defaultHeaders: '{\\n  "Authorization": "Bearer <API key>"\\n}',
    defaultQuery: "{\\n  me {\\n    name\\n    role\\n  }\\n}\\n",
  })
);
"""


def shown(request: Request) -> Response | None:
    """The page for a browser that asks for one, or a file of it; None for everybody else."""
    path = request.scope["path"]
    if path.startswith(f"{ASSET_PATH}/"):
        return asset(path.removeprefix(f"{ASSET_PATH}/"))
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(
            _PAGE.format(assets=ASSET_PATH) if installed() else get_graphql_ide_html("graphiql")
        )
    return None


def asset(name: str) -> Response | None:
    """One of the page's own files, from this machine: no other host is asked for anything."""
    if name == "start.js":
        return Response(_START, media_type=_TYPES[".js"])
    if name not in ASSETS or not installed():
        return None
    return Response(
        _read(name), media_type=_TYPES[Path(name).suffix], headers={"Cache-Control": "max-age=86400"}
    )


def installed() -> bool:
    return all((PACKAGES / path).is_file() for path in ASSETS.values())


@lru_cache
def _read(name: str) -> bytes:
    return (PACKAGES / ASSETS[name]).read_bytes()
