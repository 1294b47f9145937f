"""The one translation of refusals into `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from starlette.responses import Response

from app.ground.database.refusals import translated
from app.ground.errors import AttainError, Invalid, VersionConflict

MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger(__name__)


class _Masked(AttainError):
    title = "Internal error"


def refusal_of(error: BaseException) -> AttainError:
    """Any exception as one of the tree. What nobody foresaw is logged whole and told to the caller as nothing."""
    if isinstance(error, AttainError):
        return error
    if isinstance(error, RecursionError):
        return Invalid("The request is nested too deeply.", code="too_deep")
    known = translated(error)
    if known is not None:
        return known
    _log.error("unhandled_error", exc_info=error)
    return _Masked("The fault is ours; the request id finds it in the logs.")


def problem(refusal: AttainError, request_id: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": f"urn:attain:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "errors": [error.as_dict() for error in refusal.errors],
        "request_id": request_id,
    }
    if isinstance(refusal, VersionConflict):
        current = refusal.current
        body["current"] = orjson.Fragment(current) if isinstance(current, str | bytes) else current
    return body | refusal.extra


def response(error: BaseException, request_id: str | None) -> Response:
    refusal = refusal_of(error)
    return Response(
        orjson.dumps(problem(refusal, request_id), default=str),
        refusal.status,
        headers=refusal.headers,
        media_type=MEDIA_TYPE,
    )
