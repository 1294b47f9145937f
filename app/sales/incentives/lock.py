"""One at a time within a tenant: a reckoning must see what another has posted, and days that nobody may share what
another has taken."""

from __future__ import annotations

from typing import Any

_LOCK = "select pg_advisory_xact_lock(hashtextextended('pay ' || $1::uuid::text, 0))"


async def lock(session: Any) -> None:
    """Until the transaction ends."""
    await session.connection.execute(_LOCK, session.tenant_id)
