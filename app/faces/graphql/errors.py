"""The one translation of refusals into GraphQL's top-level errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from graphql import FieldNode, GraphQLError, get_location

from app.faces.graphql.names import pointer
from app.ground.database.refusals import translated
from app.ground.errors import AttainError, VersionConflict

MOST_BYTES = 8_000
"""Of all errors of an answer together."""

MOST_LOCATIONS = 4
_LONGEST_MESSAGE = 400

_log = structlog.get_logger(__name__)


class _Masked(AttainError):
    title = "Internal error"


class BadQuery(AttainError):
    """The document or its variables do not fit the schema; nothing was run."""

    status, code, title = 400, "invalid_query", "The query does not fit the schema"


@dataclass(frozen=True, slots=True)
class Failed:
    """A root field that was refused; its siblings stand."""

    key: str
    node: FieldNode
    error: Exception


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


def outage(failures: Iterable[Failed]) -> AttainError | None:
    """The first refusal, where each of them says only that the service cannot answer now."""
    first = None
    for failure in failures:
        known = failure.error if isinstance(failure.error, AttainError) else translated(failure.error)
        if known is None or known.status != 503:
            return None
        first = first or known
    return first


def whole(error: BaseException, request_id: str | None) -> tuple[AttainError, dict[str, Any]]:
    """An answer that is nothing but a refusal, and which one it is."""
    refusal, told = _told(error, request_id)
    if isinstance(error, GraphQLError) and error.locations:
        told["locations"] = [{"line": x.line, "column": x.column} for x in error.locations[:MOST_LOCATIONS]]
    return refusal, {"errors": [told]}


def of_fields(failures: Iterable[Failed], request_id: str | None) -> list[dict[str, Any]]:
    """What was refused of single root fields. Many may be refused at once: what does not fit is only counted."""
    shown: list[dict[str, Any]] = []
    left = MOST_BYTES
    failures = list(failures)
    for failure in failures:
        _, told = _told(failure.error, request_id)
        if failure.node.loc is not None:
            place = get_location(failure.node.loc.source, failure.node.loc.start)
            told["locations"] = [{"line": place.line, "column": place.column}]
        told["path"] = [failure.key]
        left -= len(orjson.dumps(told, default=str))
        if left < 0 and shown:
            more = BadQuery(f"{len(failures) - len(shown)} more fields were refused.", code="more_errors")
            shown.append(_told(more, request_id)[1])
            break
        shown.append(told)
    return shown


def _told(error: BaseException, request_id: str | None) -> tuple[AttainError, dict[str, Any]]:
    if isinstance(error, GraphQLError):
        # Raised by graphql-core: the document, a variable or an argument is wrong.
        cause = error.original_error
        error = cause if isinstance(cause, AttainError) else BadQuery(error.message[:_LONGEST_MESSAGE])
    refusal = refusal_of(error)
    extensions: dict[str, Any] = {
        "code": refusal.code,
        "status": refusal.status,
        "errors": [{**fault.as_dict(), "pointer": pointer(fault.pointer)} for fault in refusal.errors],
        "requestId": request_id,
    }
    if isinstance(refusal, VersionConflict):
        current = refusal.current
        extensions["current"] = orjson.Fragment(current) if isinstance(current, str | bytes) else current
    return refusal, {"message": refusal.detail, "extensions": extensions | refusal.extra}
