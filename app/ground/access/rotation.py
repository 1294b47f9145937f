"""The end of an API key, and the key that follows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from app.ground.access.keys import create_key
from app.ground.access.permissions import checked_scopes
from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import Conflict, Forbidden, NotFound

_LOCK = """
select id, name, role, user_id, rep_id, scopes, expires_at, revoked_at from api_keys
where tenant_id = $1 and id = $2 and deleted_at is null for update
"""
_REVOKE = """
update api_keys set revoked_at = now(), version = version + 1, updated_at = now() where tenant_id = $1 and id = $2
"""
_END_SOON = """
update api_keys set expires_at = least(expires_at, now() + make_interval(secs => $3)), version = version + 1,
    updated_at = now()
where tenant_id = $1 and id = $2
"""


async def issue(session: Session, principal: Principal, **properties: Any) -> tuple[UUID, str]:
    """A new key, which may do no more than the key that makes it."""
    properties["scopes"] = checked_scopes(properties.get("scopes") or ())
    _refuse_wider(principal, properties["scopes"])
    return await create_key(session, **properties)


async def rotate(
    session: Session,
    principal: Principal,
    key_id: UUID,
    *,
    overlap_seconds: int = 0,
    expires_at: datetime | None = None,
) -> tuple[UUID, str]:
    """A new key with the same place and scopes; the old one ends now, or after the overlap."""
    old = await _standing(session, key_id)
    made = await issue(
        session, principal,
        name=old["name"], role=old["role"], user_id=old["user_id"], rep_id=old["rep_id"], scopes=old["scopes"],
        expires_at=expires_at if expires_at is not None else old["expires_at"],
    )  # fmt: skip
    if overlap_seconds:
        await session.connection.execute(_END_SOON, session.tenant_id, key_id, float(overlap_seconds))
    else:
        await session.connection.execute(_REVOKE, session.tenant_id, key_id)
    return made


async def revoke(session: Session, key_id: UUID) -> None:
    """Ends the key; one that has ended already stays as it is."""
    row = await session.connection.fetchrow(_LOCK, session.tenant_id, key_id)
    if row is None:
        raise NotFound("There is no such API key.")
    if row["revoked_at"] is None:
        await session.connection.execute(_REVOKE, session.tenant_id, key_id)


async def _standing(session: Session, key_id: UUID) -> Any:
    row = await session.connection.fetchrow(_LOCK, session.tenant_id, key_id)
    if row is None:
        raise NotFound("There is no such API key.")
    if row["revoked_at"] is not None:
        raise Conflict("The key is revoked; make a new one.", code="key_revoked")
    return row


def _refuse_wider(principal: Principal, scopes: list[str]) -> None:
    own = principal.scopes
    if not own:
        return
    for scope in scopes:
        noun, _, action = scope.partition(":")
        covered = {scope, f"*:{action}"}
        if action == "read":
            covered |= {f"{noun}:write", "*:write"}
        if own.isdisjoint(covered):
            raise Forbidden(f"A key cannot give away {scope}, which it does not have.", code="scope_too_wide")
    if not scopes:
        raise Forbidden("A key with scopes can only make keys with scopes.", code="scope_too_wide")
