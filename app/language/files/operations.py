"""What takes longer than a request: who asked for it, how far it is, what it came to.

An operation is seen by whoever asked for it and by admins; to everybody else it is not there. Its work is done in the
name of its caller as that caller stands at the time: a key that was revoked meanwhile works no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.ground.access import custom
from app.ground.access.idempotency import caller_of
from app.ground.access.principal import Principal
from app.ground.access.tenants import tenant_of
from app.ground.database.session import Session
from app.ground.errors import AttainError, Forbidden, NotFound
from app.language.files.models import FINAL

OUTCOMES = ("created", "updated", "unchanged", "restored", "deleted", "failed")
MOST_ERRORS = 100_000
"""Rows in error that are kept with their reasons; all of them are counted."""


async def start(
    session: Session, principal: Principal, kind: str, noun: str, request: Mapping[str, Any]
) -> UUID:
    made: Any = await session.connection.fetchval(
        "insert into operations (tenant_id, kind, noun, request, caller, name, role, user_id, rep_id, key_id, scopes)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id",
        session.tenant_id, kind, noun, request, caller_of(principal), principal.name, principal.role,
        principal.user_id, principal.rep_id, principal.key_id, sorted(principal.scopes),
    )  # fmt: skip
    return made


async def seen(
    session: Session, principal: Principal, operation_id: UUID | None, *, kind: str | None = None
) -> Any:
    """The row, where this principal may see it; NotFound alike for what is another's and what is not there."""
    row = await find(session, operation_id)
    hidden = row is not None and principal.role != "admin" and row["caller"] != caller_of(principal)
    if row is None or hidden or (kind is not None and row["kind"] != kind):
        raise NotFound(f"There is no such {kind or 'operation'}.")
    return row


async def find(session: Session, operation_id: UUID | None) -> Any:
    return await session.connection.fetchrow(
        "select * from operations where tenant_id = $1 and id = $2", session.tenant_id, operation_id
    )


async def locked(session: Session, operation_id: UUID) -> Any:
    """The row, held until the transaction ends; None where a sweep has taken it away."""
    return await session.connection.fetchrow(
        "select * from operations where tenant_id = $1 and id = $2 for update",
        session.tenant_id,
        operation_id,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which operations a list is about: from the newest down, those older than `before`."""

    limit: int
    before: UUID | None = None
    kinds: Sequence[str] = ()
    states: Sequence[str] = ()
    """Of these only; of all where empty."""


async def listing(session: Session, principal: Principal, asked: Asked) -> list[Any]:
    return await session.connection.fetch(
        "select * from operations where tenant_id = $1 and ($2 or caller = $3) and ($4::uuid is null or id < $4)"
        " and ($5::text[] = '{}' or kind = any($5)) and ($6::text[] = '{}' or state = any($6))"
        " order by id desc limit $7",
        session.tenant_id, principal.role == "admin", caller_of(principal), asked.before, asked.kinds, asked.states,
        asked.limit + 1,
    )  # fmt: skip


def shown(row: Any) -> dict[str, Any]:
    """The operation as every face tells it."""
    counts = row["counts"]
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "noun": row["noun"],
        "state": row["state"],
        "cancel_requested": row["cancel_requested"],
        "progress": {
            "bytes_total": row["bytes_total"],
            "bytes_received": row["bytes_received"],
            "bytes_read": row["bytes_read"],
            "rows_read": row["rows_read"],
            "rows_failed": counts.get("failed", 0),
        },
        "counts": {name: counts.get(name, 0) for name in OUTCOMES} if row["kind"] == "import" else None,
        "request": row["request"],
        "result": row["result"],
        "problem": row["problem"],
        "created_by": row["name"],
        "version": row["version"],
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "updated_at": row["updated_at"],
        "finished_at": row["finished_at"],
    }


@dataclass(frozen=True, slots=True)
class RowError:
    """`row` counts the records of the file from 1, `line` its lines."""

    row: int
    line: int
    column: str | None
    external_id: str | None
    pointer: str
    code: str
    message: str


async def keep_errors(session: Session, operation_id: UUID, errors: Iterable[RowError]) -> None:
    ordinal: dict[int, int] = {}
    lines: list[tuple[Any, ...]] = []
    for e in errors:
        ordinal[e.row] = ordinal.get(e.row, -1) + 1
        # A message may quote what stands in the file, which may hold what text in PostgreSQL cannot.
        texts = (e.column, e.external_id, e.pointer, e.code, e.message)
        safe = (
            None if x is None else x.replace("\x00", "�").encode(errors="replace").decode() for x in texts
        )
        lines.append((session.tenant_id, operation_id, e.row, ordinal[e.row], e.line, *safe))
    await session.connection.executemany(
        "insert into operation_errors (tenant_id, operation_id, row_number, ordinal, line, column_name, external_id,"
        " pointer, code, message) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        lines,
    )


async def errors(
    session: Session, operation_id: UUID, *, after: tuple[int, int] = (0, -1), limit: int
) -> list[Any]:
    return await session.connection.fetch(
        "select row_number, ordinal, line, column_name, external_id, pointer, code, message from operation_errors"
        " where tenant_id = $1 and operation_id = $2 and (row_number, ordinal) > ($3, $4)"
        " order by row_number, ordinal limit $5",
        session.tenant_id, operation_id, *after, limit + 1,
    )  # fmt: skip


async def cancel(session: Session, operation_id: UUID) -> Any:
    """At once where nothing runs yet; else before the next chunk. What was merged stays merged."""
    row = await locked(session, operation_id)
    assert row is not None
    if row["state"] in FINAL:
        return row
    if row["state"] == "pending":
        return await finish(session, operation_id, "cancelled")
    return await session.connection.fetchrow(
        "update operations set cancel_requested = true, version = version + 1, updated_at = clock_timestamp()"
        " where tenant_id = $1 and id = $2 returning *",
        session.tenant_id, operation_id,
    )  # fmt: skip


async def begin(session: Session, operation_id: UUID) -> None:
    await session.connection.execute(
        "update operations set state = 'running', started_at = coalesce(started_at, clock_timestamp()),"
        " version = version + 1, updated_at = clock_timestamp()"
        " where tenant_id = $1 and id = $2 and state = 'pending'",
        session.tenant_id, operation_id,
    )  # fmt: skip


async def finish(
    session: Session,
    operation_id: UUID,
    state: str,
    *,
    result: Mapping[str, Any] | None = None,
    problem: AttainError | None = None,
) -> Any:
    """The last word; what was uploaded is no longer needed."""
    told = problem and {
        "code": problem.code,
        "title": problem.title,
        "detail": problem.detail,
        "errors": [error.as_dict() for error in problem.errors],
    }
    await session.connection.execute(
        "delete from import_blocks where tenant_id = $1 and operation_id = $2",
        session.tenant_id,
        operation_id,
    )
    if state != "succeeded":
        await session.connection.execute(
            "delete from export_blocks where tenant_id = $1 and operation_id = $2",
            session.tenant_id, operation_id,
        )  # fmt: skip
    return await session.connection.fetchrow(
        "update operations set state = $3, result = $4, problem = $5, version = version + 1,"
        " updated_at = clock_timestamp(), finished_at = clock_timestamp()"
        " where tenant_id = $1 and id = $2 returning *",
        session.tenant_id, operation_id, state, result, told,
    )  # fmt: skip


_STANDING = f"""
select t.id, t.name, t.timezone, t.home_currency, t.settings, {custom.declared("t.id")} as custom,
       coalesce(u.role, k.role) as key_role, coalesce(u.rep_id, k.rep_id) as key_rep, k.scopes,
       k.id is not null and (k.user_id is null or u.active) as key_lives,
       p.role as user_role, p.rep_id as user_rep, p.active as user_lives
from control.tenants t
left join api_keys k on k.tenant_id = t.id and k.id = $2 and k.deleted_at is null and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > now())
left join users u on u.tenant_id = t.id and u.id = k.user_id and u.deleted_at is null
left join users p on p.tenant_id = t.id and p.id = $3 and p.deleted_at is null
where t.id = $1
"""


async def caller(session: Session, row: Any) -> Principal:
    """Who asked, with the role, reach and scopes of now; Forbidden where that access has ended."""
    now = await session.connection.fetchrow(_STANDING, session.tenant_id, row["key_id"], row["user_id"])
    assert now is not None
    role, rep_id, scopes = row["role"], row["rep_id"], row["scopes"]
    if row["key_id"] is not None:
        if not now["key_lives"]:
            raise Forbidden("The key that asked for this has ended.", code="access_ended")
        role, rep_id, scopes = now["key_role"], now["key_rep"], now["scopes"]
    elif row["user_id"] is not None:
        if not now["user_lives"]:
            raise Forbidden("The user who asked for this has left.", code="access_ended")
        role, rep_id = now["user_role"], now["user_rep"]
    return Principal(
        tenant=tenant_of(now), role=role, user_id=row["user_id"], rep_id=rep_id, key_id=row["key_id"],
        name=row["name"], scopes=frozenset(scopes),
    )  # fmt: skip
