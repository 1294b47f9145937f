"""Every refusal that a caller can meet.

    AttainError
      Invalid              422  the request is understood and wrong; `errors` says where
        BadCursor          400
      Unauthorized         401
      Forbidden            403
      NotFound             404  also what is there but not visible
      MethodNotAllowed     405
      TooSlow              408
      Conflict             409  the state refuses it (duplicate, in flight, still referenced)
      Gone                 410  what was read of before no longer leads on: begin anew
      VersionConflict      412  If-Match or expectedVersion is behind; `current` carries the record
      TooLarge             413
      UnsupportedMedia     415
      RangeNotSatisfiable  416
      TooManyRequests      429
      Unavailable          503

One file per face translates this tree: `faces/rest/problems.py` and `faces/graphql/errors.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in a request: a JSON pointer into the body (`/rows/3/amount`), or `?name` for a parameter."""

    pointer: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"pointer": self.pointer, "code": self.code, "message": self.message}


class AttainError(Exception):
    status = 500
    code = "internal"
    title = "Internal error"

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.code = code or self.code
        self.errors = tuple(errors)
        self.headers = headers or {}
        self.extra = extra or {}


class Invalid(AttainError):
    status, code, title = 422, "invalid", "The request is not valid"

    @classmethod
    def field(cls, pointer: str, code: str, message: str) -> Invalid:
        return cls(message, code=code, errors=[FieldError(pointer, code, message)])


class BadCursor(Invalid):
    status, code, title = 400, "bad_cursor", "The cursor does not belong to this query"


class BadRequest(AttainError):
    status, code, title = 400, "bad_request", "The request cannot be read"


class Unauthorized(AttainError):
    status, code, title = 401, "unauthorized", "A valid API key is needed"

    def __init__(self, detail: str = "", **rest: Any) -> None:
        rest.setdefault("headers", {"WWW-Authenticate": 'Bearer realm="attain", Basic realm="attain"'})
        super().__init__(detail, **rest)


class Forbidden(AttainError):
    status, code, title = 403, "forbidden", "Your role does not permit this"


class NotFound(AttainError):
    status, code, title = 404, "not_found", "No such record"


class MethodNotAllowed(AttainError):
    status, code, title = 405, "method_not_allowed", "This path does not take that method"


class NotAcceptable(AttainError):
    status, code, title = 406, "not_acceptable", "None of the accepted media types can be served"


class TooSlow(AttainError):
    status, code, title = 408, "too_slow", "The request took too long to arrive"


class Conflict(AttainError):
    status, code, title = 409, "conflict", "The current state refuses this"


class Gone(AttainError):
    status, code, title = 410, "resync_needed", "Begin anew"


class VersionConflict(AttainError):
    status, code, title = 412, "version_conflict", "The record has changed since you read it"

    def __init__(self, detail: str = "", *, current: Any = None, **rest: Any) -> None:
        super().__init__(detail, **rest)
        self.current = current


class TooLarge(AttainError):
    status, code, title = 413, "too_large", "The body is too large"


class UnsupportedMedia(AttainError):
    status, code, title = 415, "unsupported_media_type", "This content type is not taken here"


class RangeNotSatisfiable(AttainError):
    status, code, title = 416, "range_not_satisfiable", "The file does not reach so far"


class TooManyRequests(AttainError):
    status, code, title = 429, "too_many_requests", "Too many requests"


class Unavailable(AttainError):
    status, code, title = 503, "unavailable", "The service cannot take this now"

    def __init__(self, detail: str = "", **rest: Any) -> None:
        rest.setdefault("headers", {"Retry-After": "1"})
        super().__init__(detail, **rest)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that ends an error message, or nothing: ` Did you mean "amount"?`"""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
