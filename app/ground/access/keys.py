"""API keys: `attain_<tenant>_<secret>`.

The key names its tenant, so its look-up runs under that tenant's own policy like any other read. 256 random bits
cannot be guessed, so a plain SHA-256 keeps them (slow hashes are for passwords) and an index finds them. An unknown
tenant, an unknown key, a revoked and an expired one take the same statement and get the same answer.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, func, insert, literal_column, or_, select, update

from app.ground.access import custom
from app.ground.access.door import Door
from app.ground.access.models import api_keys, tenants, users
from app.ground.access.principal import ROLES, Principal
from app.ground.access.tenants import tenant_of
from app.ground.database.session import Database, Session, compiled
from app.ground.errors import Invalid, Unauthorized

_FORM = re.compile(r"attain_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")


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
    """Principals of the last few seconds, by their key's hash: a revoked key works at most that much longer.

    What was good a while ago is remembered as such: its next look-up is no stranger's.
    """

    seconds: float = 5.0
    size: int = 10_000
    _entries: dict[bytes, tuple[float, Principal]] = field(default_factory=dict)

    def get(self, key_hash: bytes) -> Principal | None:
        entry = self._entries.get(key_hash)
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    def has_seen(self, key_hash: bytes) -> bool:
        return key_hash in self._entries

    def drop(self, key_hash: bytes) -> None:
        self._entries.pop(key_hash, None)

    def put(self, key_hash: bytes, principal: Principal, *, at_most: float | None) -> None:
        self._entries.pop(key_hash, None)
        if len(self._entries) >= self.size:
            self._entries.pop(next(iter(self._entries)))
        seconds = self.seconds if at_most is None else min(self.seconds, at_most)
        self._entries[key_hash] = (time.monotonic() + seconds, principal)

    def expire(self, tenant_id: UUID) -> None:
        """Its callers are looked up anew; what was good is still remembered as such."""
        for key_hash, (_, principal) in self._entries.items():
            if principal.tenant_id == tenant_id:
                self._entries[key_hash] = (0.0, principal)

    def forget(self) -> None:
        self._entries.clear()


_FIND = compiled(
    select(
        tenants.c.id.label("tenant_id"),
        tenants.c.name.label("tenant_name"),
        tenants.c.timezone,
        tenants.c.home_currency,
        tenants.c.settings,
        literal_column(custom.declared("control.tenants.id"), Text()).label("custom"),
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
    database: Database,
    key: str,
    cache: PrincipalCache | None = None,
    door: Door | None = None,
    address: str | None = None,
) -> Principal:
    """The caller behind an API key. `address` is the stranger's, where the key was never seen to be good."""
    if not _FORM.fullmatch(key):
        raise _unknown()
    key_hash = hash_of(key)
    if cache is not None and (known := cache.get(key_hash)):
        return known
    if door is None or (cache is not None and cache.has_seen(key_hash)):
        return await _looked_up(database, key, key_hash, cache)
    async with door.passed(address):
        # Somebody with the same key may have been before us at the door.
        known = cache.get(key_hash) if cache is not None else None
        return known or await _looked_up(database, key, key_hash, cache)


async def _looked_up(
    database: Database, key: str, key_hash: bytes, cache: PrincipalCache | None
) -> Principal:
    async with database.transaction(UUID(hex=key[7:39])) as session:
        row = await session.fetchrow(_FIND, key_hash=key_hash)
        if row is None:
            if cache is not None:
                cache.drop(key_hash)
            raise _unknown()
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


def _unknown() -> Unauthorized:
    return Unauthorized("The API key is unknown, revoked or expired.", code="invalid_key")
