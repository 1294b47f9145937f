"""The operations that are no noun's: who asks, what changed, what a noun is, and the life of API keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.faces.rest import accept, bodies, descriptions, feed, identity, keys, stream_tickets, streams
from app.faces.rest.filtering import parameter, shared, words
from app.faces.rest.operation import Operation
from app.faces.rest.schemas import ref
from app.language.resources.resource import Catalogue


def operations(catalogue: Catalogue) -> Iterator[Operation]:
    yield Operation(
        id="getMe", method="GET", path="/v1/me", handler=identity.shown, tag="Access", summary="Who asks",
        description="User, rep, role, permissions by noun, and the tenant's zone, currency and calendar.",
        answers={accept.JSON: ref("Me")},
    )  # fmt: skip
    yield Operation(
        id="listEvents", method="GET", path="/v1/events", handler=feed.read, noun="events", right="read", tag="Events",
        summary="What changed",
        description=(
            "Changes of the records that you may see, in the order in which they were committed: nothing ever appears "
            "before a cursor. As `text/event-stream` they come as they settle, from now on where no cursor is given; "
            "the stream ends with an event `end` when the key or the process does."
        ),
        takes_ticket=True,
        parameters=(
            parameter("ticket", {"type": "string", "examples": ["attain_ticket_01929b6e…"]},
                      "For a stream, in the place of a key: from `POST /v1/stream_tickets`."),
            {"name": "Last-Event-ID", "in": "header", "required": False,
             "schema": {"type": "string", "examples": ["742.1083"]},
             "description": "For a stream: only what is behind this cursor. A browser sends it by itself."},
            parameter("after", {"type": "string", "examples": ["742.1083"]}, "Only those behind this cursor."),
            words("types", "Only of these types, say opportunity.won."),
            parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "In this page."),
        ),
        answers={accept.JSON: ref("EventPage"), streams.MEDIA_TYPE: {"type": "string"}}, errors=(400, 406),
    )  # fmt: skip
    yield Operation(
        id="createStreamTicket", method="POST", path="/v1/stream_tickets", handler=stream_tickets.issued,
        noun="events", right="read", tag="Events", summary="Make a ticket for a stream",
        description="Good once, within 60 seconds, for what you may see: `new EventSource('/v1/events?ticket=…')`.",
        parameters=(shared("idempotency_key"),), status=201, answers={accept.JSON: ref("StreamTicket")},
        errors=(400, 409, 413, 415),
    )  # fmt: skip
    yield Operation(
        id="describeNoun", method="GET", path="/v1/describe/{noun}", handler=descriptions.described, tag="Access",
        summary="What a noun is made of",
        description="Fields with their types, operators and picklists, relations, verbs, inquiries, and what you may "
        "do.",
        answers={accept.JSON: ref("Description")}, errors=(404,),
    )  # fmt: skip
    api_keys = catalogue["api_keys"]
    about: dict[str, Any] = {
        "noun": "api_keys",
        "right": "write",
        "tag": api_keys.title,
        "resource": api_keys,
    }
    secret = {accept.JSON: ref("ApiKeySecret")}
    yield Operation(
        id="createApiKey", method="POST", path="/v1/api_keys", handler=keys.created, summary="Make an API key",
        description="The key itself is in this answer and nowhere else, not even in the answer to a retry.",
        parameters=(shared("idempotency_key"),), body={bodies.JSON: ref("ApiKeyCreate")}, status=201, answers=secret,
        headers=("Location",), errors=(400, 404, 409, 413, 415), **about,
    )  # fmt: skip
    yield Operation(
        id="rotateApiKey", method="POST", path="/v1/api_keys/{id}:rotate", handler=keys.rotated,
        summary="Replace an API key",
        description="A new key in the old one's place, which ends now or after an overlap.",
        parameters=(shared("idempotency_key"),), body={bodies.JSON: ref("ApiKeyRotate")}, body_optional=True,
        answers=secret, errors=(400, 404, 409, 413, 415), **about,
    )  # fmt: skip
    yield Operation(
        id="revokeApiKey", method="POST", path="/v1/api_keys/{id}:revoke", handler=keys.revoked,
        summary="End an API key", description="At once: the next request with it is refused.",
        parameters=(shared("idempotency_key"),), answers={accept.JSON: ref("ApiKey")},
        errors=(400, 404, 409), **about,
    )  # fmt: skip
