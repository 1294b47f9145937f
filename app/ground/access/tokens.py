"""Tokens of an identity provider (OpenID Connect, RFC 7519): verified here, and turned into one of our users.

Everything that a token says about how to verify itself is ignored or refused: the algorithm is one of those that the
operator pinned for its issuer, the key is found by its id in that issuer's key set and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import jwt
import orjson

from app.ground.access import custom
from app.ground.access.credential import LONGEST
from app.ground.access.jwks import KeySet
from app.ground.access.keys import PrincipalCache
from app.ground.access.principal import ROLES, Principal
from app.ground.access.tenants import tenant_of
from app.ground.database.session import Database, Session
from app.ground.errors import Unauthorized
from app.ground.events import outbox
from app.ground.settings import Issuer

_REFUSED_HEADERS = frozenset({"jwk", "jku", "x5u", "crit", "b64"})
_LEEWAY_SECONDS = 10

_FIND = f"""
select t.id as tenant_id, t.name as tenant_name, t.timezone, t.home_currency, t.settings,
       {custom.declared("t.id")} as custom,
       u.id, u.name, u.role, u.rep_id, u.active and u.deleted_at is null as may_enter
from control.tenants t
left join lateral (
    select u.* from users u
    left join external_ids x on x.tenant_id = $1 and x.noun = 'users' and x.source = $2 and x.record_id = u.id
    where u.tenant_id = $1 and (
        x.external_id = $3
        -- An address may pass to another person: it finds those only whom the provider has not named yet.
        or (x.record_id is null and u.deleted_at is null and lower(u.email) = lower($4))
    )
    order by x.external_id is null, u.deleted_at is not null limit 1
) u on true
where t.id = $1
"""
_ADD = """
with made as (
    insert into users (tenant_id, name, email, role, external_ids)
    values (
        $1, $2, $3, $4,
        jsonb_build_array(jsonb_build_object('source', $5::text, 'external_id', $6::text, 'url', null))
    )
    returning id
)
insert into external_ids (tenant_id, noun, source, external_id, record_id)
select $1, 'users', $5, $6, id from made returning record_id
"""


def is_token(credential: str) -> bool:
    return credential.count(".") == 2 and not credential.startswith("attain_")


class Tokens:
    def __init__(
        self,
        database: Database,
        issuers: Sequence[Issuer],
        cache: PrincipalCache,
        *,
        allow_loopback: bool = False,
    ) -> None:
        self.database = database
        self.cache = cache
        self.issuers: Mapping[str, Issuer] = {x.issuer: x for x in issuers}
        self.keys = {x.issuer: KeySet(x.jwks_url, allow_loopback=allow_loopback) for x in issuers}

    async def authenticate(self, token: str) -> Principal:
        if len(token) > LONGEST:
            raise _refused()
        token_hash = hashlib.sha256(token.encode()).digest()
        if known := self.cache.get(token_hash):
            return known
        issuer, claims = await self.verified(token)
        principal = await self._principal(issuer, claims)
        self.cache.put(token_hash, principal, at_most=int(claims["exp"]) + _LEEWAY_SECONDS - time.time())
        return principal

    async def verified(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        """The issuer and the claims of a token that holds; every other one is refused in the same words."""
        header, claims = _opened(token)
        issuer = self.issuers.get(claims["iss"]) if isinstance(claims.get("iss"), str) else None
        algorithm, kid = header.get("alg"), header.get("kid")
        if (
            issuer is None
            or algorithm not in issuer.algorithms
            or not isinstance(kid, str)
            or not _REFUSED_HEADERS.isdisjoint(header)
            or not _is_of_type(header.get("typ"), issuer.types)
        ):
            raise _refused()
        key = await self.keys[issuer.issuer].key(kid, algorithm)
        if key is None:
            raise _refused()
        try:
            return issuer, jwt.decode(
                token, key, algorithms=[algorithm], audience=issuer.audience, issuer=issuer.issuer,
                leeway=_LEEWAY_SECONDS, options={"require": ["iss", "aud", "exp", issuer.subject_claim]},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise _refused() from None

    async def _principal(self, issuer: Issuer, claims: Mapping[str, Any]) -> Principal:
        tenant_id = issuer.tenant or _uuid(claims.get(issuer.tenant_claim or ""))
        subject, email = _text(claims.get(issuer.subject_claim)), _text(claims.get(issuer.email_claim))
        if tenant_id is None or subject is None:
            raise _refused()
        if claims.get("email_verified") is False:
            email = None
        role = _role(issuer, claims)
        async with self.database.transaction(tenant_id) as session:
            row = await self._row(session, issuer, subject, email)
            if row is not None and row["id"] is None and issuer.provision:
                await _add(session, issuer, claims, subject, email, role)
                row = await self._row(session, issuer, subject, email)
        if row is None or row["id"] is None or not row["may_enter"]:
            raise Unauthorized("The token is good, but its subject is no active user.", code="unknown_user")
        return Principal(
            tenant=tenant_of(row, id_column="tenant_id", name_column="tenant_name"),
            role=role or row["role"],
            user_id=row["id"],
            rep_id=row["rep_id"],
            name=row["name"],
            scopes=_scopes(issuer, claims),
        )

    async def _row(self, session: Session, issuer: Issuer, subject: str, email: str | None) -> Any:
        return await session.connection.fetchrow(_FIND, session.tenant_id, issuer.source, subject, email)


async def _add(
    session: Session,
    issuer: Issuer,
    claims: Mapping[str, Any],
    subject: str,
    email: str | None,
    role: str | None,
) -> None:
    name = _text(claims.get("name")) or email or subject
    connection = session.connection
    await connection.execute("SAVEPOINT before_user")
    try:
        user_id = await connection.fetchval(
            _ADD, session.tenant_id, name[:200], email, role or issuer.default_role, issuer.source, subject
        )
    except asyncpg.UniqueViolationError:
        # The same person's other request was first, or the address is another user's; what is there decides.
        await connection.execute("ROLLBACK TO SAVEPOINT before_user")
        return
    assert user_id is not None
    event = outbox.Event(type="user.created", noun="users", record_id=user_id, version=1, origin="live")
    await outbox.write(session, [event])


def _opened(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, not yet to be believed."""
    try:
        header, claims, _ = (
            orjson.loads(_decoded(x)) if i < 2 else x for i, x in enumerate(token.split("."))
        )
    except (ValueError, binascii.Error):
        raise _refused() from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _refused()
    return header, claims


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_of_type(given: Any, types: Sequence[str]) -> bool:
    """RFC 8725, 3.11: an ID token of the same issuer is not to be taken where an access token is meant."""
    if given is not None and not isinstance(given, str):
        return False
    return (given or "").lower().removeprefix("application/") in (x.lower() for x in types)


def _role(issuer: Issuer, claims: Mapping[str, Any]) -> str | None:
    """The first role of the mapping that the claim names; without a claim the user's own."""
    if issuer.role_claim is None:
        return None
    given = claims.get(issuer.role_claim)
    named = {x for x in (given if isinstance(given, list) else [given]) if isinstance(x, str)}
    mapping = issuer.roles or {role: role for role in ROLES}
    for name, role in mapping.items():
        if name in named:
            return role
    raise Unauthorized("The token is good, but names no role of this service.", code="unknown_user")


def _scopes(issuer: Issuer, claims: Mapping[str, Any]) -> frozenset[str]:
    """Of the claim's words those that are ours (`opportunities:read`). None of them is not all of them."""
    if issuer.scope_claim is None:
        return frozenset()
    given = claims.get(issuer.scope_claim)
    words = given.split() if isinstance(given, str) else [x for x in given or () if isinstance(x, str)]
    found = frozenset(x for x in words if x.partition(":")[2] in ("read", "write"))
    if not found:
        raise Unauthorized("The token is good, but has no scope of this service.", code="unknown_user")
    return found


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 255 and "\x00" not in value else None


def _refused() -> Unauthorized:
    challenge = 'Bearer realm="attain", error="invalid_token", Basic realm="attain"'
    return Unauthorized(
        "The token is not one that this service accepts.", code="invalid_token",
        headers={"WWW-Authenticate": challenge},
    )  # fmt: skip
