"""What came in a request's body, read within bounds and refused where it is not what it says."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from app.ground.errors import BadRequest, FieldError, Invalid, UnsupportedMedia

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
NDJSON = "application/x-ndjson"
_NDJSON_NAMES = frozenset({NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines"})


def media_type(request: Request) -> str:
    """Without a Content-Type a body is taken for JSON: that is what it is in every case but a mistake."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return sent or JSON


async def raw(request: Request) -> bytes:
    """The bytes; `limits.py` counts them while they come."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise BadRequest("The body ended before it was complete.", code="incomplete_body") from None


def expect(request: Request, *accepted: str) -> str:
    found = media_type(request)
    if found in _NDJSON_NAMES:
        found = NDJSON
    if found not in accepted:
        raise UnsupportedMedia(
            f'This path takes {" or ".join(accepted)}, not "{found[:80]}".',
            headers={"Accept-Patch" if MERGE_PATCH in accepted else "Accept-Post": ", ".join(accepted)},
        )
    return found


def json_object(body: bytes, *, optional: bool = False) -> dict[str, Any]:
    """One JSON object; an absent body is an empty one where `optional`."""
    if not body and optional:
        return {}
    value = parse(body)
    if not isinstance(value, dict):
        raise Invalid.field("", "not_an_object", "The body must be a JSON object.")
    return value


def parse(body: bytes) -> Any:
    """Strict JSON: no NaN, no lone surrogate, no number beyond a double, at most 1,024 levels."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error}.", code="malformed_json") from None
    if b"\\u0000" in body:
        _refuse_nul(value)
    return value


def lines(body: bytes, most: int) -> list[Any]:
    """NDJSON: one JSON value on each line that is not empty. What is too long is refused before it is all parsed."""
    found = []
    for number, line in enumerate(io.BytesIO(body), start=1):
        if line.strip():
            if len(found) == most:
                raise Invalid.field("/rows", "too_long", f"At most {most:,} rows a request.")
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise BadRequest(
                    f"Line {number} is not valid JSON: {error}.", code="malformed_json"
                ) from None
    if b"\\u0000" in body:
        _refuse_nul(found)
    return found


def _refuse_nul(value: Any) -> None:
    """PostgreSQL's text cannot hold U+0000, wherever it stands."""
    errors = [
        FieldError(pointer, "bad_character", "Text may not contain the character U+0000.")
        for pointer in _nul_pointers(value, "")
    ]
    if errors:
        raise Invalid("Text may not contain the character U+0000.", errors=errors[:100])


def _nul_pointers(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\x00" in value:
            yield pointer
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nul_pointers(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for name, item in value.items():
            if "\x00" in name:
                yield pointer
            else:
                yield from _nul_pointers(item, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
