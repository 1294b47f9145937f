"""One row of the REST face: a method, a path, who may, what runs, and what the contract says about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from app.ground.access.principal import Principal
from app.language.resources.resource import Action, Inquiry, Resource

if TYPE_CHECKING:
    from app.faces.rest.edge import Call, Edge

Handler = Callable[["Call"], Awaitable[Response]]
Identify = Callable[["Edge", Request, str], Awaitable[Principal]]
Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`path` is an OpenAPI template; `{id}` and `{name}` stand for one segment, up to the colon of a verb.

    `noun` and `right` are what the caller's role and scopes must permit; `right` is empty where any key will do.
    """

    id: str
    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    noun: str = ""
    right: str = ""
    description: str = ""
    resource: Resource | None = None
    action: Action | None = None
    inquiry: Inquiry | None = None
    identify: Identify | None = None
    """Who asks, where not a key says so but a signature in the link."""
    bulk: bool = False
    """Takes the larger body and the longer statement timeout."""
    takes_ticket: bool = False
    """May be opened by `?ticket=` instead of a key."""
    parameters: tuple[Schema, ...] = ()
    body: Mapping[str, Schema] = field(default_factory=dict)
    body_optional: bool = False
    status: int = 200
    answers: Mapping[str, Schema] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    """Refusals beyond those of every operation (401, 403, 422, 429, 503)."""
