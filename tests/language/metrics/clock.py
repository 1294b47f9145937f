"""A database in which it is the day that a test says: what the service writes there, it writes on that day.

Every moment that the service does not take from a caller it asks PostgreSQL for, as `now()` or `clock_timestamp()`. Two
functions of these names stand before PostgreSQL's own in the search path and add how far this clock is ahead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from app.ground.database import session
from app.ground.database.session import Database, connect

_CLOCK = """
create schema clock;
create table clock.hand (ahead interval not null);
insert into clock.hand values ('0');
create function clock.now() returns timestamptz stable language sql
    return pg_catalog.now() + (select ahead from clock.hand);
create function clock.clock_timestamp() returns timestamptz volatile language sql
    return pg_catalog.clock_timestamp() + (select ahead from clock.hand);
grant usage on schema clock to public;
grant select on clock.hand to public;
"""


@dataclass
class Clock:
    owner_url: str
    database: Database
    owner: Any

    async def turn_to(self, moment: datetime) -> None:
        """From there on it goes on by itself."""
        await self.owner.execute("update clock.hand set ahead = $1 - pg_catalog.clock_timestamp()", moment)

    async def now(self) -> datetime:
        return await self.owner.fetchval("select clock.clock_timestamp()")


@asynccontextmanager
async def with_clock(owner_url: str, app_url: str) -> AsyncIterator[Clock]:
    """`owner_url` and `app_url` are those of a database that nobody else uses."""
    made = await asyncpg.connect(owner_url)
    await made.execute(_CLOCK)
    await made.close()
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(session._SETTINGS, "search_path", "clock, pg_catalog, public")
        owner = await connect(owner_url)
        database = await Database.open(app_url, size=4, pool_timeout=10)
        try:
            yield Clock(owner_url, database, owner)
        finally:
            await database.close()
            await owner.close()
