"""API keys: made, rotated and revoked. Reading them is an ordinary noun's list and get."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from app.faces.rest import bodies
from app.faces.rest.edge import Call, Written
from app.faces.rest.parameters import moment_of
from app.ground.access import rotation
from app.ground.database.session import Session
from app.ground.errors import FieldError, Invalid, NotFound
from app.language.resources import read, references
from app.language.resources.columns import shape_of
from app.language.resources.payload import faults

_ID = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"


class ApiKeyCreate(BaseModel):
    """What a new key may do, and for whom."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=200, description="What it is for.", examples=["Nightly sync"])
    role: Literal["admin", "manager", "rep", "analyst", "integration"] = Field(
        description="Its role; the user's where it belongs to one.", examples=["integration"]
    )
    user_id: str | None = Field(
        default=None, description="Whose key it is; it ends with that user.", examples=[_ID]
    )
    rep_id: str | None = Field(
        default=None, description="Which rep it acts as, by id or `source:external_id`.", examples=[_ID]
    )
    scopes: list[str] = Field(
        default=[], max_length=50, description="Narrows the role; empty means all of it.",
        examples=[["opportunities:read"]],
    )  # fmt: skip
    expires_at: str | None = Field(
        default=None,
        description="When it ends (moment or day); never when left out.",
        examples=["2027-12-31"],
    )


class ApiKeyRotate(BaseModel):
    """How the new key follows the old one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    overlap_seconds: int = Field(
        default=0, ge=0, le=7 * 86_400, description="How long the old key still works.", examples=[3600]
    )
    expires_at: str | None = Field(
        default=None,
        description="When the new key ends; as the old one when left out.",
        examples=["2027-12-31"],
    )


async def created(call: Call) -> Response:
    body = await bodies.raw(call.request)
    bodies.expect(call.request, bodies.JSON)
    asked = _validated(ApiKeyCreate, bodies.json_object(body))

    async def make(session: Session) -> tuple[UUID, str]:
        return await rotation.issue(
            session, call.principal,
            name=asked.name, role=asked.role, scopes=asked.scopes, expires_at=_moment(call, asked.expires_at),
            rep_id=await _reference(call, session, "reps", "rep_id", asked.rep_id),
            user_id=await _reference(call, session, "users", "user_id", asked.user_id),
        )  # fmt: skip

    return await _with_secret(call, body, make, 201)


async def rotated(call: Call) -> Response:
    body = await bodies.raw(call.request)
    asked = _validated(ApiKeyRotate, bodies.json_object(body, optional=True))
    key_id = _own_id(call)

    async def make(session: Session) -> tuple[UUID, str]:
        return await rotation.rotate(
            session, call.principal, key_id,
            overlap_seconds=asked.overlap_seconds, expires_at=_moment(call, asked.expires_at),
        )  # fmt: skip

    return await _with_secret(call, body, make, 200)


async def revoked(call: Call) -> Response:
    body = await bodies.raw(call.request)
    bodies.json_object(body, optional=True)
    call.parameters.nothing_else()
    key_id = _own_id(call)

    async def work(session: Session) -> Written:
        await rotation.revoke(session, key_id)
        return await _answer(call, session, key_id, 200)

    response = await call.write(body, work)
    call.edge.gate.principals.forget()
    return response


async def _with_secret(call: Call, body: bytes, make: Any, status: int) -> Response:
    """The secret is put into the answer on its way out: what is kept for retries and what is logged is without it."""
    call.parameters.nothing_else()
    secret = ""

    async def work(session: Session) -> Written:
        nonlocal secret
        key_id, secret = await make(session)
        return await _answer(call, session, key_id, status)

    response = await call.write(body, work)
    if response.headers.get("Idempotency-Replayed") == "true":
        secret = ""
    shown = orjson.loads(response.body) | {"key": secret or None}
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(orjson.dumps(shown), response.status_code, headers=kept | {"Cache-Control": "no-store"})


async def _answer(call: Call, session: Session, key_id: UUID, status: int) -> Written:
    shape = shape_of(call.catalogue, call.resource, call.principal.role)
    text = await read.one(session, call.principal, call.catalogue, call.resource, str(key_id), shape)
    headers = {"Location": f"/v1/api_keys/{key_id}"} if status == 201 else {}
    return Written(status, text.encode(), headers)


def _own_id(call: Call) -> UUID:
    found = references.parse(call.reference)
    if not isinstance(found, UUID):
        raise NotFound("There is no such API key.")
    return found


def _moment(call: Call, text: str | None) -> datetime | None:
    return None if text is None else moment_of(text, "/expires_at", call.principal.tenant.zone)


async def _reference(call: Call, session: Session, target: str, name: str, given: str | None) -> UUID | None:
    if given is None:
        return None
    found = await references.resolve(session, call.principal, call.catalogue, target, [given])
    if given not in found:
        title = call.catalogue[target].title.lower()
        fault = FieldError(f"/{name}", "reference_not_found", f"There is no such {title}.")
        raise NotFound(fault.message, code=fault.code, errors=[fault])
    return found[given]


def _validated(model: Any, data: dict[str, Any]) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Invalid("The body is not valid.", errors=faults(error, model.model_fields)) from None
