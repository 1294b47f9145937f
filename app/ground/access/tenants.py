"""Making a customer of the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import asyncpg
from babel import Locale

from app.ground.access import custom
from app.ground.access.principal import ROLES, USUAL, Limits, Tenant
from app.ground.database.session import Session
from app.ground.errors import Invalid, did_you_mean
from app.ground.jobs.queue import Job, enqueue

Seed = Callable[[Session, Tenant], Awaitable[None]]
"""Writes what every new tenant starts with; handed in, since areas live above the ground."""


async def create_tenant(
    connection: asyncpg.Connection,
    *,
    name: str,
    timezone: str = "UTC",
    home_currency: str = "USD",
    seed: Seed | None = None,
) -> Tenant:
    """`connection` is the owner's (`session.connect`): the service itself cannot make a tenant.

    The tenant and its seed come together or not at all.
    """
    if not 1 <= len(name.strip()) <= 200:
        raise Invalid.field("/name", "length", "A tenant's name has 1 to 200 characters.")
    if timezone not in available_timezones():
        known = available_timezones()
        raise Invalid.field(
            "/timezone", "unknown", f'"{timezone}" is no IANA time zone.{did_you_mean(timezone, known)}'
        )
    if home_currency not in Locale("en").currencies:
        raise Invalid.field("/home_currency", "unknown", f'"{home_currency}" is no ISO 4217 currency.')
    async with connection.transaction():
        row = await connection.fetchrow(
            "insert into control.tenants (name, timezone, home_currency) values ($1, $2, $3)"
            " returning id, name, timezone, home_currency, settings",
            name.strip(),
            timezone,
            home_currency,
        )
        assert row is not None
        tenant = tenant_of(row)
        await connection.execute(f"set local app.tenant_id = '{tenant.id}'")
        if seed is not None:
            await seed(Session(connection, tenant.id), tenant)
        sweep = f"sweep:{tenant.id.hex}"
        await enqueue(connection, "sweep", Job(tenant.id, ""), delay=timedelta(minutes=30), once=sweep)
    return tenant


async def set_limits(connection: asyncpg.Connection, tenant: Tenant, limits: Limits) -> None:
    """On the owner's connection: what a tenant may have is the operator's to say. In force within seconds."""
    for name, value in (
        ("requests", limits.requests),
        ("at_once", limits.at_once),
        ("weight", limits.weight),
    ):
        if value is not None and not 0 < value <= 1_000_000_000:
            raise Invalid.field(f"/{name}", "out_of_range", f"`{name}` is a number above 0.")
    await connection.execute(
        "update control.tenants set settings = settings || jsonb_build_object('limits', $2::jsonb) where id = $1",
        tenant.id,
        asdict(limits),
    )


async def set_pay_start(connection: asyncpg.Connection, tenant: Tenant, day: str) -> None:
    """On the owner's connection. Deals that closed before the day never enter pay."""
    try:
        date.fromisoformat(day)
    except ValueError:
        raise Invalid.field("/day", "not_a_day", f'"{day}" is no day such as 2026-01-01.') from None
    await connection.execute(
        "update control.tenants set settings = settings || jsonb_build_object('pay_starts_on', $2::text) where id = $1",
        tenant.id,
        day,
    )


async def find_tenant(connection: asyncpg.Connection, name_or_id: str | None) -> Tenant:
    """By id, by a name that is unique, or the only one there is; for the command line, on the owner's connection."""
    clause, values = "true", []
    if name_or_id is not None:
        try:
            clause, values = "id = $1", [UUID(name_or_id)]
        except ValueError:
            clause, values = "name = $1", [name_or_id]
    rows = await connection.fetch(
        f"select id, name, timezone, home_currency, settings from control.tenants where {clause} limit 2",
        *values,
    )
    if len(rows) != 1:
        named = "" if name_or_id is None else f' "{name_or_id}"'
        reason = "There is no tenant" if not rows else "There are several tenants"
        raise Invalid.field("/tenant", "unknown", f"{reason}{named}; say which by its id.")
    return tenant_of(rows[0])


def tenant_of(row: Any, *, id_column: str = "id", name_column: str = "name") -> Tenant:
    """With the fields that it has declared, where the row tells them (`custom`)."""
    return Tenant(
        id=row[id_column],
        name=row[name_column],
        timezone=row["timezone"],
        home_currency=row["home_currency"],
        unowned_visible_to=frozenset(row["settings"].get("unowned_visible_to", ROLES)),
        limits=Limits(**limits) if (limits := row["settings"].get("limits")) else USUAL,
        custom=custom.told(row.get("custom")),
    )
