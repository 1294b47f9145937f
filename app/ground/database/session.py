"""Where a transaction begins: one place sets the tenant, and nothing else opens connections.

`Database.transaction(tenant)` sends BEGIN and SET LOCAL as one message; `Database.reading(tenant)` lets each statement
set it for itself. Either way the tenant lives and dies with the transaction whatever happens to the connection. The
pool runs no reset query: that is safe only because nothing here changes a connection beyond its transaction.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy.dialects.postgresql.asyncpg import dialect as _asyncpg_dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.selectable import SelectBase

from app.ground.database.convoys import Convoys
from app.ground.database.fair_queue import FairQueue, Full
from app.ground.errors import Unavailable

_dialect = _asyncpg_dialect()
_MOST_WAITING = 256
"""For one tenant's connections; admission lets no more in, so this holds where a request asks for several."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL text with positional parameters, and what goes where: `order` names them, `fixed` holds constants. `places`
    tells where in a row a column of a select stands."""

    sql: str
    order: tuple[str, ...]
    fixed: Mapping[str, Any]
    places: Mapping[str, int] = field(default_factory=dict)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        fixed = self.fixed
        return [values[name] if name in values else fixed[name] for name in self.order]


def compiled(expression: ClauseElement) -> Statement:
    """Render an expression for asyncpg. Named `bindparam`s are filled at each run; literals are kept as constants."""
    result = cast(SQLCompiler, expression.compile(dialect=_dialect))
    order = tuple(result.positiontup or ())
    fixed = {name: bind.effective_value for name, bind in result.binds.items() if not bind.required}
    columns = expression.selected_columns.keys() if isinstance(expression, SelectBase) else ()
    return Statement(result.string, order, fixed, {name: place for place, name in enumerate(columns)})


class Session:
    """One tenant's transaction on one connection. Never shared between tasks that run at once."""

    __slots__ = ("connection", "tenant_id")

    alone = False
    """Whether the next statement may be a transaction of its own."""
    presuming = False
    """Whether what is not known for sure may be left to that statement to ask."""
    database: Database | None = None
    """Where that statement may as well be another's too: a session of its own can be opened there for both."""

    def __init__(self, connection: Any, tenant_id: UUID) -> None:
        self.connection: asyncpg.Connection = connection
        self.tenant_id = tenant_id

    def _prepare(
        self, statement: Statement | ClauseElement, values: Mapping[str, Any]
    ) -> tuple[str, list[Any]]:
        if not isinstance(statement, Statement):
            statement = compiled(statement)
        return statement.sql, statement.arguments({"tenant": self.tenant_id, **values})

    async def fetch(self, statement: Statement | ClauseElement, /, **values: Any) -> list[Any]:
        sql, arguments = self._prepare(statement, values)
        return await self.connection.fetch(sql, *arguments)

    async def fetchrow(self, statement: Statement | ClauseElement, /, **values: Any) -> Any:
        sql, arguments = self._prepare(statement, values)
        return await self.connection.fetchrow(sql, *arguments)

    async def fetchval(self, statement: Statement | ClauseElement, /, **values: Any) -> Any:
        sql, arguments = self._prepare(statement, values)
        return await self.connection.fetchval(sql, *arguments)

    async def execute(self, statement: Statement | ClauseElement, /, **values: Any) -> str:
        sql, arguments = self._prepare(statement, values)
        return await self.connection.execute(sql, *arguments)

    async def look(self, sql: str, *arguments: Any) -> list[Any]:
        """A question that locks nothing, so that it may be asked outside of the transaction."""
        return await self.connection.fetch(sql, *arguments)

    async def finish(self, sql: str, *arguments: Any) -> Any:
        """The one row of a `with …` without a FROM, behind which nothing is written: so it may stand `alone`."""
        return await self.connection.fetchrow(sql, *arguments)


class _Opening(Session):
    """A transaction that begins with the first statement on `connection`, which is taken no sooner. A look before that
    stands alone; where nothing but looks came before the last statement, that one does too, and there is no BEGIN and
    no COMMIT to send."""

    __slots__ = ("_lease", "database", "presuming")

    def __init__(self, lease: _Lease, database: Database, *, presuming: bool) -> None:
        super().__init__(_Beginning(lease), lease.tenant_id)
        self._lease = lease
        self.database = database
        self.presuming = presuming

    @property
    def alone(self) -> bool:
        return not self._lease.is_in_transaction

    async def look(self, sql: str, *arguments: Any) -> list[Any]:
        connection = await self._lease.taken()
        if not self.alone:
            return await connection.fetch(sql, *arguments)
        return await _Alone(connection, self.tenant_id).fetch(sql, *arguments)

    async def finish(self, sql: str, *arguments: Any) -> Any:
        connection = await self._lease.taken()
        return await connection.fetchrow(_tenant_first(sql, len(arguments)), *arguments, str(self.tenant_id))


class _Lease:
    """A connection from the moment that one is needed to the end of `stack`."""

    __slots__ = ("_take", "connection", "stack", "tenant_id")

    def __init__(self, take: Callable[[UUID], AbstractAsyncContextManager[Any]], tenant_id: UUID) -> None:
        self._take = take
        self.tenant_id = tenant_id
        self.stack = AsyncExitStack()
        self.connection: Any = None

    async def taken(self) -> Any:
        if self.connection is None:
            self.connection = await self.stack.enter_async_context(self._take(self.tenant_id))
        return self.connection

    @property
    def is_in_transaction(self) -> bool:
        return self.connection is not None and self.connection.is_in_transaction()


class Behind(ABC):
    """What a session asks of a connection, each behind something that must come first: what `_ready` does."""

    __slots__ = ()

    @abstractmethod
    async def _ready(self) -> Any:
        """The connection, when it may be asked."""

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        return await (await self._ready()).fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        return await (await self._ready()).fetchrow(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        return await (await self._ready()).fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: Any) -> str:
        return await (await self._ready()).execute(sql, *arguments)


class _Beginning(Behind):
    __slots__ = ("_lease",)

    def __init__(self, lease: _Lease) -> None:
        self._lease = lease

    async def _ready(self) -> Any:
        connection = await self._lease.taken()
        if not connection.is_in_transaction():
            await connection.execute(_begin(self._lease.tenant_id))
        return connection


def _begin(tenant_id: UUID) -> str:
    return f"BEGIN; SET LOCAL app.tenant_id = '{UUID(str(tenant_id))}'"


class _Alone:
    """A connection each of whose statements is a transaction of its own, under one tenant: one message, not three.

    It offers what a read needs and no more; and since a statement that stands in FROM changes nothing, it only reads.
    """

    __slots__ = ("_connection", "_tenant")

    def __init__(self, connection: Any, tenant_id: UUID) -> None:
        self._connection = connection
        self._tenant = str(tenant_id)

    def fetch(self, sql: str, *arguments: Any) -> Awaitable[list[Any]]:
        return self._connection.fetch(_behind_its_tenant(sql, len(arguments)), *arguments, self._tenant)

    def fetchrow(self, sql: str, *arguments: Any) -> Awaitable[Any]:
        return self._connection.fetchrow(_behind_its_tenant(sql, len(arguments)), *arguments, self._tenant)

    def fetchval(self, sql: str, *arguments: Any) -> Awaitable[Any]:
        return self._connection.fetchval(_behind_its_tenant(sql, len(arguments)), *arguments, self._tenant)


class Twice(Exception):
    """What was to be asked in one statement takes another."""


class _Once(_Alone):
    """Of one statement there is one moment."""

    def __init__(self, connection: Any, tenant_id: UUID) -> None:
        super().__init__(connection, tenant_id)
        self._asked = False

    def _now(self) -> None:
        if self._asked:
            raise Twice
        self._asked = True

    def fetch(self, sql: str, *arguments: Any) -> Awaitable[list[Any]]:
        self._now()
        return super().fetch(sql, *arguments)

    def fetchrow(self, sql: str, *arguments: Any) -> Awaitable[Any]:
        self._now()
        return super().fetchrow(sql, *arguments)

    def fetchval(self, sql: str, *arguments: Any) -> Awaitable[Any]:
        self._now()
        return super().fetchval(sql, *arguments)


@lru_cache(maxsize=4096)
def _behind_its_tenant(sql: str, parameters: int) -> str:
    """`sql` run once the transaction's tenant is what the parameter behind its own says.

    OFFSET 0 keeps the planner from pulling either half out of its place, and LATERAL with `t` in its condition has
    the setting made before any row is looked for. Were it not, the policies would find the nil tenant, and no row.
    """
    return (
        f"SELECT q.* FROM (SELECT set_config('app.tenant_id', ${parameters + 1}, true) AS t OFFSET 0) s "
        f"CROSS JOIN LATERAL (SELECT * FROM ({sql}) q WHERE s.t IS NOT NULL OFFSET 0) q"
    )


@lru_cache(maxsize=1024)
def _tenant_first(sql: str, parameters: int) -> str:
    """A `with … select …` that is a transaction of its own.

    The main select reads from the setting before it reaches any of its columns, and what stores runs when a column asks
    for it or when all columns are done; so no policy is asked before the tenant is set.
    """
    setting = f"begun as materialized (select set_config('app.tenant_id', ${parameters + 1}, true))"
    return f"with {setting}, {sql.removeprefix('with ')} from begun"


_SETTINGS = {"application_name": "attain", "TimeZone": "UTC", "jit": "off", "search_path": "public"}

_FAREWELL_SECONDS = 3.0

_OUTSIDE_TENANTS = {"app.tenant_id": str(UUID(int=0))}
"""What the policies find where no transaction has set a tenant: one that is nobody's. A setting that were never made
would be an error already while a statement that sets it is planned."""


async def _prepare(connection: Any) -> None:
    # Only jsonb becomes Python values; `json`, which our reads answer with, stays the text it is.
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=lambda x: orjson.dumps(x).decode(), decoder=orjson.loads
    )
    # The driver takes the last day that Python knows, 9999-12-31, for `infinity`, and the first for `-infinity`.
    await connection.set_type_codec(
        "date", schema="pg_catalog", encoder=_days, decoder=_from_days, format="tuple"
    )


async def _finished(connection: Any) -> None:
    """For one that comes back from somebody who failed or was cancelled.

    The driver asks for a statement to be prepared without saying that this is all. Whoever is cancelled before it runs
    leaves PostgreSQL waiting for the rest, with the statement's clock running: it would strike whoever came next."""
    await connection.execute("select")


_DAY_ZERO = date(2000, 1, 1).toordinal()


def _days(day: date) -> tuple[int]:
    return (day.toordinal() - _DAY_ZERO,)


def _from_days(days: tuple[int]) -> date:
    return date.fromordinal(days[0] + _DAY_ZERO)


async def connect(url: str) -> Any:
    """One connection that behaves as the pool's do: for the owner, who makes tenants outside of any."""
    connection = await asyncpg.connect(url, server_settings=_SETTINGS)
    await _prepare(connection)
    return connection


@dataclass(slots=True)
class Database:
    """The service's pool, logged in as the app role."""

    pool: asyncpg.Pool
    queue: FairQueue
    """Who holds a connection and who waits for one, by tenant."""
    idle: list[Any] = field(default_factory=list)
    """Taken from the pool and given back to nobody: the last one in is the next one out."""
    convoys: Convoys = field(default_factory=Convoys)
    """Writes that go together."""

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        role: str | None = None,
        size: int = 10,
        pool_timeout: float = 1.0,
        statement_timeout_ms: int = 10_000,
    ) -> Database:
        settings = _SETTINGS | _OUTSIDE_TENANTS | {"statement_timeout": str(statement_timeout_ms)}
        if role:
            settings["role"] = role

        pool = await asyncpg.create_pool(
            url,
            # All at once: a request should find a connection, not wait until one is made.
            min_size=size,
            max_size=size,
            server_settings=settings,
            reset=_finished,
            init=_prepare,
            max_inactive_connection_lifetime=300,
            # A statement's text serves every caller of its shape; to prepare it anew costs more than to run it, most of
            # all a wide one: a page of deals with all that hangs on them, as a manager sees it, is planned for 30 ms
            # and run in 4. PostgreSQL keeps some 120 bytes for each of its characters, so there is an end to it.
            statement_cache_size=300,
            max_cacheable_statement_size=1 << 16,
            max_cached_statement_lifetime=0,
        )
        # The last fifth is never one tenant's: whoever comes next finds a connection that falls free soon.
        queue = FairQueue(size, most_each=size - size // 5, waiting_each=_MOST_WAITING, seconds=pool_timeout)
        return cls(pool, queue)

    async def close(self) -> None:
        # One that is not given back, or no longer answers, is not waited for.
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                while self.idle:
                    await self._give_back(self.idle.pop())
                await self.pool.close()
        self.pool.terminate()

    async def _give_back(self, connection: Any) -> None:
        """One that does not come to rest is ended by the pool; what led to it is what is told."""
        with suppress(Exception):
            await self.pool.release(connection, timeout=_FAREWELL_SECONDS)

    def counts(self) -> tuple[int, int]:
        """Connections that are open, and those of them that nobody uses."""
        return self.pool.get_size(), self.pool.get_idle_size() + len(self.idle)

    @asynccontextmanager
    async def connection(self, lane: UUID | None = None) -> AsyncIterator[Any]:
        """`lane` is the tenant for whom it is; what serves no tenant has a lane of its own."""
        try:
            place = self.queue.enter_at_once(lane) or await self.queue.wait(lane)
        except Full:
            raise Unavailable("All database connections are busy.", code="pool_exhausted") from None
        try:
            connection = await self._taken()
            try:
                yield connection
            except Twice:
                # Said before anything is sent: it is at rest.
                self.idle.append(connection)
                raise
            except BaseException as error:
                # It may be busy still with what was given up; the pool knows how to wait for that.
                await self._give_back(connection)
                if dismissed(error):
                    raise Unavailable(
                        "The connection to the database was lost.", code="database_unreachable"
                    ) from error
                raise
            self.idle.append(connection)
        finally:
            self.queue.leave(place)

    async def _taken(self) -> Any:
        """The queue has let no more in than there are connections, so the pool's own queue, a task for each that is
        given back, is needed for new ones alone."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.is_closed():
                return connection
            await self._give_back(connection)
        try:
            return await self.pool.acquire(timeout=self.queue.seconds)
        except (TimeoutError, OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
            raise Unavailable("The database cannot be reached.", code="database_unreachable") from None

    @asynccontextmanager
    async def transaction(
        self, tenant_id: UUID, *, timeout_ms: int | None = None, isolation: str = ""
    ) -> AsyncIterator[Session]:
        """Commits when the block ends, rolls back when it raises or is cancelled.

        `isolation` is empty (read committed) or one of `repeatable read`, `serializable`, with `read only` behind it
        where wished. `timeout_ms` is for statements that may take longer, or less long, than the connection's usual.
        """
        begin = _begin(tenant_id)
        if isolation:
            begin = begin.replace("BEGIN", f"BEGIN ISOLATION LEVEL {isolation}", 1)
        if timeout_ms is not None:
            begin += f"; SET LOCAL statement_timeout = {timeout_ms:d}"
        async with self.connection(tenant_id) as connection:
            try:
                await connection.execute(begin)
                yield Session(connection, tenant_id)
                await connection.execute("COMMIT")
            except BaseException:
                await _roll_back(connection)
                raise

    @asynccontextmanager
    async def opening(self, tenant_id: UUID, *, presuming: bool = True) -> AsyncIterator[Session]:
        """As `transaction`, but it begins where it is needed, which for a short write may be nowhere."""
        lease = _Lease(self.connection, tenant_id)
        async with lease.stack:
            try:
                yield _Opening(lease, self, presuming=presuming)
                if lease.is_in_transaction:
                    await lease.connection.execute("COMMIT")
            except BaseException as error:
                # Cancelled, it may be about to begin.
                given_up = lease.connection is not None and not isinstance(error, Exception)
                if given_up or lease.is_in_transaction:
                    await _roll_back(lease.connection)
                raise

    @asynccontextmanager
    async def reading(self, tenant_id: UUID) -> AsyncIterator[Session]:
        """For reads whose statements may each see their own moment, as read committed has it anyway."""
        async with self.connection(tenant_id) as connection:
            yield Session(_Alone(connection, tenant_id), tenant_id)

    @asynccontextmanager
    async def once(self, tenant_id: UUID) -> AsyncIterator[Session]:
        """For a read of one moment that takes a single statement; before a second one it raises `Twice`."""
        async with self.connection(tenant_id) as connection:
            yield Session(_Once(connection, tenant_id), tenant_id)


def dismissed(error: BaseException) -> bool:
    """PostgreSQL has ended an idle connection, whose end is not read yet: the driver calls that a fault of its own."""
    return isinstance(error, asyncpg.InternalClientError) and str(error).startswith("cannot switch to state")


async def _roll_back(connection: Any) -> None:
    """A cancelled request must not hand a connection back with its transaction open."""
    rollback = asyncio.ensure_future(asyncio.wait_for(connection.execute("ROLLBACK"), timeout=5))
    try:
        await asyncio.shield(rollback)
    except (Exception, asyncio.CancelledError):
        # Cancelled once more: the connection goes, and how the rollback on it ended is nobody's question any more.
        rollback.add_done_callback(lambda done: done.cancelled() or done.exception())
        connection.terminate()
