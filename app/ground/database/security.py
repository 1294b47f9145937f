"""The second lock on every tenant's row: a forced policy in the database itself.

A migration calls `secure(op, "opportunities")` for each table that it makes; `attain migrate --revision` writes that
call by itself. The first lock, the explicit `tenant_id = $1`, stands in every statement; this one holds when somebody
forgets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from app.ground.database.embedded import APP

READ_WRITE = ("select", "insert", "update", "delete")


class Executes(Protocol):
    def execute(self, sqltext: str, /) -> Any: ...


def secure(
    op: Executes,
    table: str,
    *,
    schema: str = "public",
    column: str = "tenant_id",
    privileges: Sequence[str] = READ_WRITE,
    forced: bool = True,
) -> None:
    """Give `table` its tenant policy, and the service's role its privileges on it.

    The bare `current_setting` raises where no tenant was set: closed and loud. It takes no sub-query, which would be
    slow and which distributed engines refuse. `forced` binds the table's owner as well; only `control.tenants` is
    without it, since somebody has to make tenants.
    """
    name = f'{schema}."{table}"'
    own = f"{column} = current_setting('app.tenant_id')::uuid"
    op.execute(f"alter table {name} enable row level security")
    if forced:
        op.execute(f"alter table {name} force row level security")
    to = "public" if forced else APP
    op.execute(f"create policy tenant on {name} to {to} using ({own}) with check ({own})")
    if not forced:
        op.execute(f"create policy owner on {name} to current_user using (true) with check (true)")
    op.execute(f"grant {', '.join(privileges)} on {name} to {APP}")


def unforce(op: Executes, *tables: str) -> None:
    """Let a migration see every tenant's rows, for a backfill or a new foreign key; `force` must follow.

    Under a forced policy the owner sees no tenant at all: PostgreSQL checks a new foreign key by a query, and that
    query would fail, or check one tenant only where one happens to be set.
    """
    for table in tables:
        op.execute(f'alter table "{table}" no force row level security')


def force(op: Executes, *tables: str) -> None:
    for table in tables:
        op.execute(f'alter table "{table}" force row level security')
