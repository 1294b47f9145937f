"""Links that open one file for ten minutes, without a key.

What is signed is the file and the moment at which the link ends. The signature is an HMAC by a secret of the tenant's
own, which stands in its table: every process has it, and none of another tenant's links opens anything here.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from urllib.parse import urlencode
from uuid import UUID

from app.ground.database.session import Session
from app.ground.errors import Forbidden

SECONDS = 600
_PURPOSE = "export links"


async def link(session: Session, path: str, *, now: float | None = None) -> tuple[str, int]:
    """The path with what opens it, and until when, in seconds since 1970. Needs a transaction that may write."""
    until = int(now if now is not None else time.time()) + SECONDS
    signature = _sign(await _secret(session), path, until)
    query = {"tenant": session.tenant_id.hex, "expires": str(until), "signature": signature}
    return f"{path}?{urlencode(query)}", until


async def demand(session: Session, path: str, expires: str, signature: str) -> None:
    """Forbidden where it was not signed so, or has ended. A tenant that is not there signs nothing either."""
    # A secret that nobody has, so that an unknown tenant takes the same way.
    secret = await _stored(session) or secrets.token_bytes(32)
    good = expires.isascii() and expires.isdecimal() and len(expires) < 12
    expected = _sign(secret, path, int(expires) if good else 0)
    if not hmac.compare_digest(expected.encode(), signature.encode()) or not good:
        raise Forbidden("The link was not made here, or was altered.", code="link_invalid")
    if int(expires) < time.time():
        raise Forbidden("The link has ended; ask the operation for a new one.", code="link_expired")


def tenant_in(text: str) -> UUID:
    try:
        return UUID(hex=text)
    except ValueError:
        return UUID(int=0)


async def _secret(session: Session) -> bytes:
    await session.connection.execute(
        "insert into signing_keys (tenant_id, purpose, secret) values ($1, $2, $3) on conflict do nothing",
        session.tenant_id, _PURPOSE, secrets.token_bytes(32),
    )  # fmt: skip
    stored = await _stored(session)
    assert stored is not None
    return stored


async def _stored(session: Session) -> bytes | None:
    return await session.connection.fetchval(
        "select secret from signing_keys where tenant_id = $1 and purpose = $2", session.tenant_id, _PURPOSE
    )


def _sign(secret: bytes, path: str, until: int) -> str:
    return hmac.new(secret, f"{path}\n{until}".encode(), hashlib.sha256).hexdigest()
