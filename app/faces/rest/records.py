"""One record: read, written, deleted, restored, and moved by its verbs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from app.faces.rest import accept, bodies
from app.faces.rest.edge import Call, Written
from app.faces.rest.parameters import Parameters
from app.ground.access.idempotency import Claim, Keeping
from app.ground.errors import VersionConflict
from app.language.resources import read, write
from app.language.resources.batch import Receipt
from app.language.resources.columns import shape_of
from app.language.resources.reply import Reply
from app.language.resources.shape import Shape

_UNSHARED = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


async def got(call: Call) -> Response:
    accept.chosen(call.request)
    parameters, zone = call.parameters, call.principal.tenant.zone
    shape = _shape(call, parameters)
    deleted = "deleted" in parameters.words("include", ("deleted",))
    as_of = parameters.moment("as_of", zone) if call.resource.tracked else None
    known_at = parameters.moment("known_at", zone) if call.resource.tracked else None
    plain = not parameters.sent
    parameters.nothing_else()

    async def work(session: Any) -> str:
        return await read.one(
            session, call.principal, call.catalogue, call.resource, call.reference, shape,
            deleted=deleted, as_of=as_of, known_at=known_at,
        )  # fmt: skip

    text = await call.read(work)
    tag = etag(text)
    # The version vouches for the record alone, not for what is expanded in it.
    if plain and _is_known(call.request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=_UNSHARED | {"ETag": tag})
    return Response(text, headers=_UNSHARED | {"ETag": tag}, media_type=accept.JSON)


async def created(call: Call) -> Response:
    data, body = await _object(call, bodies.JSON)
    return await _written(
        call, body,
        lambda session, reply: write.create(
            session, call.principal, call.catalogue, call.resource, data, reply=reply
        ),
        status=201, asks_itself=True,
    )  # fmt: skip


async def updated(call: Call) -> Response:
    data, body = await _object(call, bodies.JSON, bodies.MERGE_PATCH)
    version = call.if_version()
    return await _written(
        call, body,
        lambda session, reply: write.update(
            session, call.principal, call.catalogue, call.resource, call.reference, data, if_version=version,
            reply=reply,
        ),
    )  # fmt: skip


async def deleted(call: Call) -> Response:
    version = call.if_version()
    return await _written(
        call, b"",
        lambda session, reply: write.delete(
            session, call.principal, call.catalogue, call.resource, call.reference, if_version=version, reply=reply
        ),
    )  # fmt: skip


async def restored(call: Call) -> Response:
    _, body = await _object(call, bodies.JSON, optional=True)
    version = call.if_version()
    return await _written(
        call, body,
        lambda session, reply: write.restore(
            session, call.principal, call.catalogue, call.resource, call.reference, if_version=version, reply=reply
        ),
    )  # fmt: skip


async def acted(call: Call) -> Response:
    data, body = await _object(call, bodies.JSON, optional=True)
    version = call.if_version()
    return await _written(
        call, body,
        lambda session, reply: write.act(
            session, call.principal, call.catalogue, call.resource, call.action, call.reference, data,
            if_version=version, reply=reply,
        ),
    )  # fmt: skip


async def _object(call: Call, *types: str, optional: bool = False) -> tuple[dict[str, Any], bytes]:
    body = await bodies.raw(call.request)
    if body or not optional:
        bodies.expect(call.request, *types)
    return bodies.json_object(body, optional=optional), body


def _shape(call: Call, parameters: Parameters) -> Shape:
    return shape_of(
        call.catalogue, call.resource, call.principal.role,
        expand=tuple(parameters.many("expand")),
        money_as_text=parameters.word("money", ("number", "string"), "number") == "string",
    )  # fmt: skip


async def _written(
    call: Call,
    body: bytes,
    run: Callable[[Any, Reply], Awaitable[Receipt]],
    *,
    status: int = 200,
    asks_itself: bool = False,
) -> Response:
    accept.chosen(call.request)
    shape = _shape(call, call.parameters)
    call.parameters.nothing_else()

    async def answer(session: Any, claim: Claim | None) -> Written:
        def keep(id_: UUID, version: int) -> Keeping:
            assert claim is not None
            return Keeping(claim, status, _headers(call, id_, version, status))

        reply = Reply(shape, keep if claim else None, claim if asks_itself else None)
        receipt = await run(session, reply)
        assert receipt.id is not None
        headers = _headers(call, receipt.id, receipt.version, status)
        text = receipt.json
        if text is None:
            text = await read.one(
                session, call.principal, call.catalogue, call.resource, receipt.id, shape, written=True
            )
        return Written(status, text.encode(), headers, kept=receipt.json is not None)

    try:
        return await call.write_once(body, answer, asks_itself=asks_itself)
    except VersionConflict as conflict:
        if conflict.current is None:
            conflict.current = await _current(call, shape)
        raise


async def _current(call: Call, shape: Shape) -> str:
    return await call.read(
        lambda session: read.one(
            session, call.principal, call.catalogue, call.resource, call.reference, shape, deleted=True
        )
    )


def _headers(call: Call, id_: UUID, version: int | None, status: int) -> dict[str, str]:
    headers = {"ETag": f'"{version}"'}
    if status == 201:
        headers["Location"] = f"/v1/{call.resource.plural}/{id_}"
    return headers


def etag(text: str) -> str:
    return f'"{orjson.loads(text)["version"]}"'


def _is_known(header: str | None, tag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or tag in [x.strip().removeprefix("W/") for x in header.split(",")]
