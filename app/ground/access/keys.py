"""API keys: `attain_<tenant>_<secret>`.

The key names its tenant, so its look-up runs under that tenant's own policy like any other read. 256 random bits
cannot be guessed, so a plain SHA-256 keeps them (slow hashes are for passwords) and an index finds them. An unknown
tenant, an unknown key, a revoked and an expired one take the same statement and get the same answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from app.ground.access.models import api_keys, tenants, users
from app.ground.access.principal import ROLES, Principal
from app.ground.access.tenants import tenant_of
from app.ground.database.session import Database, Session, compiled
from app.ground.errors import Invalid, Unauthorized

_FORM = re.compile(r"attain_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
_LONGEST_HEADER = 1024


def make_key(tenant_id: UUID) -> str:
    return f"attain_{tenant_id.hex}_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def prefix_of(key: str) -> str:
    """What people may see and recognise a key by: six of its 43 secret characters."""
    return f"{key[:15]}…{key[39:46]}"


async def create_key(
    session: Session,
    *,
    name: str,
    role: str,
    rep_id: UUID | None = None,
    user_id: UUID | None = None,
    scopes: Iterable[str] = (),
    expires_at: datetime | None = None,
) -> tuple[UUID, str]:
    """The key's id, and the key itself: this is the only time that anybody sees it."""
    if role not in ROLES:
        raise Invalid.field("/role", "unknown", f"A role is one of {', '.join(ROLES)}.")
    key = make_key(session.tenant_id)
    statement = (
        insert(api_keys)
        .values(
            tenant_id=session.tenant_id,
            name=name,
            prefix=prefix_of(key),
            key_hash=hash_of(key),
            role=role,
            rep_id=rep_id,
            user_id=user_id,
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
        .returning(api_keys.c.id)
    )
    return await session.fetchval(statement), key


@dataclass(slots=True)
class PrincipalCache:
    """Principals of the last few seconds, by their key's hash: a revoked key works at most that much longer."""

    seconds: float = 5.0
    size: int = 10_000
    _entries: dict[bytes, tuple[float, Principal]] = field(default_factory=dict)

    def get(self, key_hash: bytes) -> Principal | None:
        entry = self._entries.get(key_hash)
        if entry is None:
            return None
        if entry[0] <= time.monotonic():
            self._entries.pop(key_hash, None)
            return None
        return entry[1]

    def put(self, key_hash: bytes, principal: Principal, *, at_most: float | None) -> None:
        if self.seconds <= 0:
            return
        if len(self._entries) >= self.size:
            self._entries.pop(next(iter(self._entries)))
        seconds = self.seconds if at_most is None else min(self.seconds, at_most)
        self._entries[key_hash] = (time.monotonic() + seconds, principal)

    def forget(self) -> None:
        self._entries.clear()


_FIND = compiled(
    select(
        tenants.c.id.label("tenant_id"),
        tenants.c.name.label("tenant_name"),
        tenants.c.timezone,
        tenants.c.home_currency,
        tenants.c.settings,
        api_keys.c.id,
        api_keys.c.scopes,
        api_keys.c.user_id,
        func.coalesce(users.c.role, api_keys.c.role).label("role"),
        func.coalesce(users.c.rep_id, api_keys.c.rep_id).label("rep_id"),
        func.coalesce(users.c.name, api_keys.c.name).label("name"),
        func.extract("epoch", api_keys.c.expires_at - func.now()).label("seconds_left"),
        func.coalesce(
            func.now() - api_keys.c.last_used_at > func.make_interval(0, 0, 0, 0, 0, 5), True
        ).label("stale"),
    )
    .select_from(
        tenants.join(
            api_keys,
            and_(
                api_keys.c.tenant_id == bindparam("tenant"),
                api_keys.c.key_hash == bindparam("key_hash"),
                api_keys.c.deleted_at.is_(None),
                api_keys.c.revoked_at.is_(None),
                or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now()),
            ),
        ).outerjoin(users, and_(users.c.tenant_id == bindparam("tenant"), users.c.id == api_keys.c.user_id))
    )
    .where(
        tenants.c.id == bindparam("tenant"),
        # A key of a person ends with that person's access; a key of nobody stands alone.
        or_(api_keys.c.user_id.is_(None), and_(users.c.active, users.c.deleted_at.is_(None))),
    )
)

_used = api_keys.alias("used")
_MARK_USED = compiled(
    update(api_keys)
    .where(
        api_keys.c.tenant_id == bindparam("tenant"),
        # Rather leave the mark out than wait for another request that makes it.
        api_keys.c.id.in_(
            select(_used.c.id)
            .where(_used.c.tenant_id == bindparam("tenant"), _used.c.id == bindparam("key_id"))
            .with_for_update(skip_locked=True)
        ),
    )
    .values(last_used_at=func.now())
)


async def authenticate(
    database: Database, header: str | None, cache: PrincipalCache | None = None
) -> Principal:
    """The caller behind an Authorization header: `Bearer <key>`, or Basic with the key as password."""
    key = _key_in(header)
    key_hash = hash_of(key)
    if cache is not None and (known := cache.get(key_hash)):
        return known
    async with database.transaction(UUID(hex=key[7:39])) as session:
        row = await session.fetchrow(_FIND, key_hash=key_hash)
        if row is None:
            raise Unauthorized("The API key is unknown, revoked or expired.", code="invalid_key")
        if row["stale"]:
            await session.execute(_MARK_USED, key_id=row["id"])
    principal = Principal(
        tenant=tenant_of(row, id_column="tenant_id", name_column="tenant_name"),
        role=row["role"],
        user_id=row["user_id"],
        rep_id=row["rep_id"],
        key_id=row["id"],
        name=row["name"],
        scopes=frozenset(row["scopes"]),
    )
    if cache is not None:
        left = row["seconds_left"]
        cache.put(key_hash, principal, at_most=None if left is None else float(left))
    return principal


def _key_in(header: str | None) -> str:
    if not header:
        raise Unauthorized("Send `Authorization: Bearer <API key>`, or Basic with the key as password.")
    if len(header) > _LONGEST_HEADER:
        raise Unauthorized("The Authorization header is too long for an API key.", code="invalid_key")
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode("ascii").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    elif scheme.lower() != "bearer":
        raise Unauthorized("The Authorization header takes Bearer or Basic.", code="invalid_key")
    if not _FORM.fullmatch(value):
        raise Unauthorized("The API key is unknown, revoked or expired.", code="invalid_key")
    return value
