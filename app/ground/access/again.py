"""Somebody who came in before, as they would come in now: with the role, the rep and the scopes of today, or nobody.

A person is remembered as the user, whatever key or token they came with; a key of nobody as itself.
"""

from __future__ import annotations

from uuid import UUID

from app.ground.access.principal import Principal, Tenant
from app.ground.database.session import Session

_FIND = """
select coalesce(u.role, k.role) as role, coalesce(u.rep_id, k.rep_id) as rep_id, coalesce(u.name, k.name) as name,
       coalesce(k.scopes, '{}') as scopes
from (values (1)) one
left join users u on u.tenant_id = $1 and u.id = $2 and u.active and u.deleted_at is null
left join api_keys k on k.tenant_id = $1 and k.id = $3 and k.user_id is null
    and k.deleted_at is null and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
where u.id is not null or k.id is not null
"""


def identity(principal: Principal) -> tuple[UUID | None, UUID | None]:
    """User and key to remember them by: one of both, or neither where nobody in particular asks."""
    return principal.user_id, None if principal.user_id else principal.key_id


async def again(
    session: Session, tenant: Tenant, user_id: UUID | None, key_id: UUID | None
) -> Principal | None:
    row = await session.connection.fetchrow(_FIND, session.tenant_id, user_id, key_id)
    if row is None:
        return None
    return Principal(
        tenant=tenant,
        role=row["role"],
        user_id=user_id,
        rep_id=row["rep_id"],
        key_id=key_id,
        name=row["name"],
        scopes=frozenset(row["scopes"]),
    )
