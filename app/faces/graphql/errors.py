"""The one translation of refusals into GraphQL's top-level errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import structlog
from graphql import GraphQLError

from app.faces.graphql.names import pointer
from app.ground.database.refusals import translated
from app.ground.errors import AttainError, VersionConflict

MOST_ERRORS = 20
_LONGEST_MESSAGE = 400

_log = structlog.get_logger(__name__)


class _Masked(AttainError):
    title = "Internal error"


class BadQuery(AttainError):
    """The document or its variables do not fit the schema; nothing was run."""

    status, code, title = 400, "invalid_query", "The query does not fit the schema"


def refusal_of(error: BaseException) -> AttainError:
    """Any exception as one of the tree. What nobody foresaw is logged whole and told to the caller as nothing."""
    if isinstance(error, AttainError):
        return error
    if isinstance(error, RecursionError):
        return BadQuery("The query is nested too deeply.", code="too_deep")
    known = translated(error)
    if known is not None:
        return known
    _log.error("unhandled_error", exc_info=error)
    return _Masked("The fault is ours; the request id finds it in the logs.")


def shown(
    errors: Iterable[GraphQLError], request_id: str | None, *, suggestions: bool
) -> list[dict[str, Any]]:
    """What a caller is told of each error. A broken document can break many rules at once: the first ones do."""
    return [_shown(error, request_id, suggestions) for error in list(errors)[:MOST_ERRORS]]


def whole(refusal: AttainError, request_id: str | None) -> dict[str, Any]:
    """An answer that is nothing but a refusal."""
    return {"errors": [_told(refusal, request_id)]}


def _shown(error: GraphQLError, request_id: str | None, suggestions: bool) -> dict[str, Any]:
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if cause is None or (error.path is None and not isinstance(cause, (AttainError, RecursionError))):
        # Raised by graphql-core itself: the document, a variable or an argument is wrong.
        message = error.message if suggestions else error.message.partition(" Did you mean")[0]
        told = _told(BadQuery(message[:_LONGEST_MESSAGE]), request_id)
    else:
        told = _told(refusal_of(cause), request_id)
    if error.locations:
        told["locations"] = [{"line": x.line, "column": x.column} for x in error.locations]
    if error.path is not None:
        told["path"] = error.path
    return told


def _told(refusal: AttainError, request_id: str | None) -> dict[str, Any]:
    extensions: dict[str, Any] = {
        "code": refusal.code,
        "status": refusal.status,
        "errors": [{**fault.as_dict(), "pointer": pointer(fault.pointer)} for fault in refusal.errors],
        "requestId": request_id,
    }
    if isinstance(refusal, VersionConflict):
        current = refusal.current
        extensions["current"] = orjson.Fragment(current) if isinstance(current, str | bytes) else current
    return {"message": refusal.detail, "extensions": extensions | refusal.extra}
