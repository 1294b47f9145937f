"""Stream tickets: `attain_ticket_<tenant>_<secret>`, good for one stream within a minute.

A browser's EventSource cannot send a header, and a key must never stand in an address. A ticket may: it is used up by
the first who shows it, and what it opens only reads. It acts as whoever asked for it, as that caller is when it is
shown: a key that was revoked meanwhile leaves its tickets worthless.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from app.ground.access import custom
from app.ground.access.keys import hash_of
from app.ground.access.principal import Principal
from app.ground.access.tenants import tenant_of
from app.ground.database.session import Database, Session
from app.ground.errors import Unauthorized

SECONDS = 60
_FORM = re.compile(r"attain_ticket_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")

_ISSUE = """
with expired as (delete from stream_tickets where tenant_id = $1 and expires_at < now())
insert into stream_tickets (tenant_id, ticket_hash, caller, expires_at)
values ($1, $2, $3, now() + make_interval(secs => $4)) returning expires_at
"""
_REDEEM = """
delete from stream_tickets where tenant_id = $1 and ticket_hash = $2 returning caller, expires_at > now() as good
"""
_TENANT = (
    f"select id, name, timezone, home_currency, settings, {custom.declared('$1')} as custom "
    "from control.tenants where id = $1"
)
_ACTIVE = (
    "select exists (select from users where tenant_id = $1 and id = $2 and active and deleted_at is null)"
)
_STANDS = """
select exists (
    select from api_keys k left join users u on u.tenant_id = k.tenant_id and u.id = k.user_id
    where k.tenant_id = $1 and k.id = $2 and k.deleted_at is null and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now())
      and (k.user_id is null or (u.active and u.deleted_at is null))
      and coalesce(u.role, k.role) = $3 and coalesce(u.rep_id, k.rep_id) is not distinct from $4
)
"""


def make(tenant_id: UUID) -> str:
    return f"attain_ticket_{tenant_id.hex}_{secrets.token_urlsafe(32)}"


async def issue(session: Session, principal: Principal, ticket: str) -> datetime:
    """Keep a ticket's hash for a minute; whose it is goes with it. Also clears away what has expired."""
    caller = {
        "role": principal.role,
        "name": principal.name,
        "user_id": _text(principal.user_id),
        "rep_id": _text(principal.rep_id),
        "key_id": _text(principal.key_id),
        "scopes": sorted(principal.scopes),
    }
    expires: Any = await session.connection.fetchval(
        _ISSUE, session.tenant_id, hash_of(ticket), caller, float(SECONDS)
    )
    return expires


async def redeem(database: Database, ticket: str) -> Principal:
    """Whoever asked for the ticket; it is used up. Raises Unauthorized, for whatever reason in the same words."""
    refused = Unauthorized("The ticket is unknown, used or expired.", code="invalid_ticket")
    if not (form := _FORM.fullmatch(ticket)):
        raise refused
    async with database.transaction(UUID(hex=form[1])) as session:
        row = await session.connection.fetchrow(_REDEEM, session.tenant_id, hash_of(ticket))
        tenant = await session.connection.fetchrow(_TENANT, session.tenant_id)
        if row is not None and tenant is not None and row["good"]:
            caller = row["caller"]
            principal = Principal(
                tenant=tenant_of(tenant),
                role=caller["role"],
                name=caller["name"],
                user_id=_uuid(caller["user_id"]),
                rep_id=_uuid(caller["rep_id"]),
                key_id=_uuid(caller["key_id"]),
                scopes=frozenset(caller["scopes"]),
            )
            if await stands(session, principal):
                return principal
    raise refused


async def stands(session: Session, principal: Principal) -> bool:
    """Whether the caller's key is still good, and still says what it said when the caller came in.

    Whoever came with a token of an identity provider has no key: there it is the user who must still be active.
    """
    if principal.key_id is None:
        if principal.user_id is None:
            return True
        return bool(await session.connection.fetchval(_ACTIVE, session.tenant_id, principal.user_id))
    return bool(
        await session.connection.fetchval(
            _STANDS, session.tenant_id, principal.key_id, principal.role, principal.rep_id
        )
    )


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
