"""Idempotency-Key: the first answer, frozen, for every retry of the same request.

Key, effect and answer are one transaction, so a crash leaves all of them or none. A retry that comes while the first
is still running is told so at once, by an advisory lock that it does not wait for: waiting would fill the pool with
one impatient client's retries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, func, insert, select

from app.ground.access.models import idempotency_keys
from app.ground.access.principal import Principal
from app.ground.database.session import Session, compiled
from app.ground.errors import Conflict, Invalid


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    replayed: bool = False


_LOCK = compiled(select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger))))
_STORED = compiled(
    select(
        idempotency_keys.c.route,
        idempotency_keys.c.body_hash,
        idempotency_keys.c.status,
        idempotency_keys.c.headers,
        idempotency_keys.c.body,
    ).where(
        idempotency_keys.c.tenant_id == bindparam("tenant"),
        idempotency_keys.c.caller == bindparam("caller"),
        idempotency_keys.c.key == bindparam("key"),
    )
)
_STORE = compiled(
    insert(idempotency_keys).values(
        tenant_id=bindparam("tenant", required=True),
        caller=bindparam("caller_", required=True),
        key=bindparam("key_", required=True),
        route=bindparam("route_", required=True),
        body_hash=bindparam("body_hash_", required=True),
        status=bindparam("status_", required=True),
        headers=bindparam("headers_", required=True),
        body=bindparam("body_", required=True),
    )
)


async def once(
    session: Session,
    principal: Principal,
    key: str,
    route: str,
    body_hash: bytes,
    run: Callable[[], Awaitable[tuple[int, Mapping[str, str], bytes]]],
) -> Answer:
    """Run it, or give the answer of the time that it ran. `route` is method and path with its ids.

    What `run` raises is not kept: the transaction goes, and the retry is a first attempt.
    """
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Invalid.field(
            "?Idempotency-Key", "length", "An Idempotency-Key has 1 to 255 visible ASCII characters."
        )
    caller = caller_of(principal)
    if not await session.fetchval(_LOCK, lock=_number(f"{session.tenant_id}/{caller}/{key}")):
        raise Conflict(
            "The first request with this Idempotency-Key is still running.",
            code="idempotency_in_flight",
            headers={"Retry-After": "1"},
        )
    stored = await session.fetchrow(_STORED, caller=caller, key=key)
    if stored is not None:
        if stored["route"] != route or stored["body_hash"] != body_hash:
            raise Invalid(
                "This Idempotency-Key was used for another request; take a new one.",
                code="idempotency_key_reused",
            )
        return Answer(stored["status"], stored["headers"], stored["body"], replayed=True)
    status, headers, body = await run()
    await session.execute(
        _STORE,
        caller_=caller,
        key_=key,
        route_=route,
        body_hash_=body_hash,
        status_=status,
        headers_=dict(headers),
        body_=body,
    )
    return Answer(status, headers, body)


def caller_of(principal: Principal) -> str:
    """Whose keys these are: one person's retries never meet another's."""
    if principal.user_id is not None:
        return f"user:{principal.user_id}"
    return f"key:{principal.key_id}"


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
