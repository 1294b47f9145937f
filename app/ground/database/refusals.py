"""What PostgreSQL's own refusals mean to a caller. Constraints decide conflicts, so their errors are answers."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
from sqlalchemy import Table, UniqueConstraint

from app.ground.database.tables import metadata
from app.ground.errors import AttainError, Conflict, FieldError, Invalid, Unavailable


def translated(error: BaseException) -> AttainError | None:
    """The refusal that a driver's error amounts to; None where it is a fault of ours.

    Only names of our own columns are told, never PostgreSQL's text: that holds values, also of rows that the caller
    may not see.
    """
    match error:
        case asyncpg.UniqueViolationError():
            columns = columns_of(getattr(error, "constraint_name", None))
            named = " and ".join(columns) or "this key"
            return Conflict(
                f"Another record has the same {named}.",
                code="duplicate",
                errors=[
                    FieldError(f"/{name}", "duplicate", "Another record has this value.") for name in columns
                ],
            )
        case asyncpg.ForeignKeyViolationError():
            return Conflict("Another record still refers to this one.", code="still_referenced")
        case asyncpg.DeadlockDetectedError() | asyncpg.SerializationError() | asyncpg.LockNotAvailableError():
            return Unavailable("Other writes hold the same records; try again.", code="contended")
        case asyncpg.QueryCanceledError():
            return Unavailable(
                "The question took longer than is allowed; ask for less.", code="statement_timeout"
            )
        case asyncpg.CheckViolationError() | asyncpg.NotNullViolationError():
            return Invalid("A value breaks a rule of the record.", code="rule_broken")
        case asyncpg.DataError():
            return Invalid("A value is out of the range that can be stored.", code="out_of_range")
        case (
            asyncpg.PostgresConnectionError()
            | asyncpg.CannotConnectNowError()
            | asyncpg.TooManyConnectionsError()
            | asyncpg.AdminShutdownError()
            | asyncpg.CrashShutdownError()
            | asyncpg.InterfaceError()
            | ConnectionError()
        ):
            return Unavailable("The connection to the database was lost.", code="database_unreachable")
    return None


def columns_of(constraint: str | None) -> tuple[str, ...]:
    """The columns, without the tenant, that a unique index or constraint of ours spans; of an index that allows one
    record in all those of its condition."""
    for table in metadata.tables.values():
        for index in (*table.indexes, *table.constraints):
            if index.name == constraint and getattr(index, "unique", isinstance(index, UniqueConstraint)):
                spanned = tuple(column.name for column in index.columns if column.name != "tenant_id")  # pyright: ignore[reportAttributeAccessIssue]
                return spanned or _conditions(index, table)
    return ()


def _conditions(index: Any, table: Table) -> tuple[str, ...]:
    where = str(index.dialect_options["postgresql"].get("where"))
    return tuple(name for name in re.findall(r"\w+", where) if name in table.columns and name != "deleted_at")
