"""Who the caller is, as it is told to the caller: `GET /v1/me` and GraphQL's `me`."""

from __future__ import annotations

from typing import Any

from app.ground.access.permissions import permitted
from app.ground.access.principal import Principal
from app.ground.database.session import Session

# Tables of areas above are named by string, as foreign keys are.
_WHO = """
select
    (select jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email)
     from users u where u.tenant_id = $1 and u.id = $2) as user,
    (select jsonb_build_object('id', r.id, 'name', r.name, 'email', r.email)
     from reps r where r.tenant_id = $1 and r.id = $3 and r.deleted_at is null) as rep,
    (select jsonb_build_object('id', c.id, 'name', c.name, 'start_month', c.start_month)
     from fiscal_calendars c where c.tenant_id = $1 and c.is_default and c.deleted_at is null) as calendar
"""


async def me(session: Session, principal: Principal) -> dict[str, Any]:
    row = await session.connection.fetchrow(_WHO, session.tenant_id, principal.user_id, principal.rep_id)
    assert row is not None
    tenant = principal.tenant
    return {
        "name": principal.name,
        "user": row["user"],
        "rep": row["rep"],
        "role": principal.role,
        "scopes": sorted(principal.scopes),
        "permissions": permitted(principal),
        "tenant": {
            "id": tenant.id,
            "name": tenant.name,
            "timezone": tenant.timezone,
            "home_currency": tenant.home_currency,
        },
        "calendar": row["calendar"],
    }
