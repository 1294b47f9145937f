"""A source's full list of ids, and what it and we have that the other lacks."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, nullcontext
from typing import Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.faces.rest import accept, bodies, lists
from app.faces.rest.edge import Call
from app.faces.rest.streaming import Streamed
from app.ground.errors import BadRequest, Invalid
from app.language.resources import reconcile
from app.language.resources.payload import SOURCE

_IN_MEMORY = 1024 * 1024


async def reconciled(call: Call) -> Response:
    accept.chosen(call.request)
    named = call.parameters.one("source")
    call.parameters.nothing_else()
    if bodies.expect(call.request, bodies.JSON, bodies.NDJSON) == bodies.NDJSON:
        # It waits on the disk until it is whole: no transaction is held for a slow sender.
        source = _source(named)
        body = await _spooled(call)
        ids = _lines(body)
    else:
        body = None
        source, told = _read(bodies.json_object(await bodies.raw(call.request)), named)
        ids = (_checked(x, f"/external_ids/{i}") for i, x in enumerate(told))
    return Streamed(_answer(call, source, ids, body), accept.JSON, lists.VARIES)


async def _answer(
    call: Call, source: str, ids: Iterator[str], body: tempfile.SpooledTemporaryFile[bytes] | None
) -> AsyncGenerator[bytes]:
    database, settings = call.edge.database, call.edge.settings
    with body or nullcontext():
        async with (
            database.transaction(
                call.principal.tenant_id,
                isolation="repeatable read",
                timeout_ms=settings.bulk_statement_timeout_ms,
            ) as session,
            reconcile.telling(session, _bounded(ids)) as count,
        ):
            counts = {"external_ids": count}
            found = reconcile.difference(session, call.principal, call.resource, source)
            head = b'{"source":' + orjson.dumps(source)
            for name in ("missing_at_source", "missing_here"):
                yield head + b',"' + name.encode() + b'":['
                counts[name] = 0
                async for part in _listed(getattr(found, name), counts, name):
                    yield part
                head = b"]"
            yield b'],"counts":' + orjson.dumps(counts) + b"}"


async def _listed(
    chunks: AsyncIterator[list[str]], counts: dict[str, int], name: str
) -> AsyncIterator[bytes]:
    async for rows in chunks:
        yield (b"," if counts[name] else b"") + ",".join(rows).encode()
        counts[name] += len(rows)


async def _spooled(call: Call) -> tempfile.SpooledTemporaryFile[bytes]:
    with ExitStack() as held:
        file = held.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))
        try:
            async for piece in call.request.stream():
                file.write(piece)
        except ClientDisconnect:
            raise BadRequest("The body ended before it was complete.", code="incomplete_body") from None
        file.seek(0)
        held.pop_all()
        return file


def _lines(body: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[str]:
    """Each line holds an id, or an object with it under `external_id`."""
    for number, line in enumerate(body, start=1):
        if line.strip():
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise BadRequest(
                    f"Line {number} is not valid JSON: {error}.", code="malformed_json"
                ) from None
            yield _checked(value.get("external_id") if isinstance(value, dict) else value, f"/{number - 1}")


def _read(data: dict[str, Any], named: str | None) -> tuple[str, list[Any]]:
    for name in data:
        if name not in ("source", "external_ids"):
            raise Invalid.field(f"/{name}", "unknown_field", "A list holds `source` and `external_ids`.")
    if named is not None and data.get("source", named) != named:
        raise Invalid.field("?source", "contradiction", "The body names another source.")
    told = data.get("external_ids")
    if not isinstance(told, list):
        raise Invalid.field(
            "/external_ids", "required", "`external_ids` is the list of all that the source has."
        )
    return _source(data.get("source", named)), told


def _source(named: Any) -> str:
    if named is None:
        raise Invalid.field("?source", "required", "Name the source that the external ids belong to.")
    if not isinstance(named, str) or not SOURCE.fullmatch(named):
        raise Invalid.field("?source", "invalid_value", "A source is 1 to 60 characters of a-z, 0-9 and _.")
    return named


def _checked(value: Any, pointer: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or "\x00" in value:
        raise Invalid.field(pointer, "invalid_value", "An external id is a text of 1 to 255 characters.")
    return value


def _bounded(ids: Iterator[str]) -> Iterator[str]:
    for count, id_ in enumerate(ids):
        if count == reconcile.MOST_IDS:
            raise Invalid.field("/external_ids", "too_long", f"At most {reconcile.MOST_IDS:,} ids a request.")
        yield id_
