"""Imports: a file is taken in first, whole or in pieces, then merged chunk by chunk through the one write path.

Each chunk is one transaction with its line in the ledger, its errors and the place behind it. So whatever dies, at any
moment, the next worker begins where the last committed chunk ended: no row is lost and none is merged twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.ground.access.permissions import demand
from app.ground.access.principal import Principal
from app.ground.database.retry import in_transaction
from app.ground.database.session import Database, Session
from app.ground.errors import Conflict, FieldError, Invalid
from app.ground.jobs.queue import Job, enqueue
from app.ground.jobs.worker import Again
from app.language.files import content, mapping, operations
from app.language.files.mapping import ImportColumn, Plan
from app.language.files.models import FINAL
from app.language.files.nouns import noun_of
from app.language.files.operations import MOST_ERRORS, RowError
from app.language.files.reading import CsvReader, Fault, NdjsonReader, Place, Reader, Record
from app.language.resources import write
from app.language.resources.batch import Receipt
from app.language.resources.payload import SOURCE
from app.language.resources.resource import Catalogue, Resource

KIND = "import"
CHUNK = 1_000
"""Rows merged in one transaction. Measured: a row costs the same time of the processor from 500 to 10,000 rows a chunk,
while the event loop stands still, and locks are held, for as much longer."""


class ImportCreate(BaseModel):
    """What a file holds, and how its columns become fields."""

    model_config = ConfigDict(extra="forbid", strict=True)

    noun: str = Field(description="The noun, by its plural.", max_length=60, examples=["opportunities"])
    format: Literal["csv", "ndjson"] = Field(default="csv", description="How the file is written.")
    source: str = Field(
        pattern=f"^{SOURCE.pattern}$",
        description="Whose external ids the rows carry.",
        examples=["salesforce"],
    )
    mapping: dict[str, str | ImportColumn | None] | None = Field(
        default=None, max_length=1000,
        description=(
            "Column to field: its name, or how it is read; null leaves it out. Without a mapping a column is the "
            "field of its name. For NDJSON, key to field."
        ),
        examples=[{"Id": "external_id", "Name": "name", "OwnerId": {"field": "owner_id", "reference": "salesforce"}}],
    )  # fmt: skip
    constants: dict[str, Any] = Field(
        default={}, max_length=100, description="Fields that every row takes.", examples=[{"currency": "EUR"}]
    )
    missing: Literal["error", "stub", "null"] = Field(
        default="error", description="What becomes of a reference to a record that is not there."
    )
    origin: Literal["live", "backfill"] = Field(
        default="live", description="`backfill` marks history and events, so that nothing reacts to them."
    )
    dry_run: bool = Field(default=False, description="Takes the whole way chunk by chunk, and takes it back.")
    delimiter: str | None = Field(
        default=None, min_length=1, max_length=1, description="Between cells; found in the first line when left out.",
        examples=[";"],
    )  # fmt: skip
    encoding: Literal["utf-8", "latin-1", "windows-1252"] = Field(
        default="utf-8", description="How the text is written."
    )
    apostrophes: Literal["restore", "keep"] = Field(
        default="restore",
        description="An apostrophe that keeps a spreadsheet from running a cell is taken away, or kept.",
    )


async def create(session: Session, principal: Principal, catalogue: Catalogue, asked: ImportCreate) -> UUID:
    """The operation, which waits for its content."""
    resource = noun_of(catalogue, asked.noun, "upsert")
    demand(principal, resource.permission_name, "write")
    if asked.delimiter in ('"', "\r", "\n", "\x00"):
        raise Invalid.field("/delimiter", "invalid_value", "This character cannot stand between cells.")
    mapping.check(resource, asked.mapping, asked.constants, principal.tenant.custom)
    return await operations.start(
        session, principal, KIND, resource.plural, asked.model_dump(exclude_unset=True)
    )


# -- taking the content in ---------------------------------------------------------------------------------------------


async def receive(session: Session, operation_id: UUID, start: int, body: bytes, *, last: bool) -> Any:
    """The next piece, or the whole where `last`: with it the job is due. The row as it is then.

    Raises Conflict where `start` is not the end of what has come so far.
    """
    row = await waiting(session, operation_id)
    if start != row["bytes_received"]:
        raise Conflict(
            f"The next byte is {row['bytes_received']}, not {start}.", code="upload_offset",
            headers=received(row),
        )  # fmt: skip
    if body:
        await content.put(session, "import_blocks", operation_id, start, body)
    return await _received(session, operation_id, start + len(body), last)


async def restart(session: Session, operation_id: UUID) -> None:
    """Content without a range is the whole: what came before it is dropped."""
    await waiting(session, operation_id)
    await content.clear(session, "import_blocks", operation_id)
    await _received(session, operation_id, 0, False)


async def waiting(session: Session, operation_id: UUID) -> Any:
    row = await operations.locked(session, operation_id)
    if row["state"] in FINAL or row["bytes_total"] is not None:
        raise Conflict("The content is complete, or the import has ended.", code="upload_closed")
    return row


def received(row: Any) -> dict[str, str]:
    """`Range: bytes=0-…`; without it nothing has come."""
    return {"Range": f"bytes=0-{row['bytes_received'] - 1}"} if row["bytes_received"] else {}


async def _received(session: Session, operation_id: UUID, bytes_: int, last: bool) -> Any:
    if last:
        await enqueue(
            session.connection, KIND, Job(session.tenant_id, str(operation_id)), once=f"{KIND}:{operation_id}"
        )
    return await session.connection.fetchrow(
        "update operations set bytes_received = $3, bytes_total = case when $4 then $3::bigint end,"
        " version = version + 1, updated_at = clock_timestamp() where tenant_id = $1 and id = $2 returning *",
        session.tenant_id, operation_id, bytes_, last,
    )  # fmt: skip


# -- merging it --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Run:
    """One worker's way through one file."""

    database: Database
    catalogue: Catalogue
    tenant_id: UUID
    operation_id: UUID
    asked: ImportCreate
    timeout_ms: int
    chunk: int


async def run(
    database: Database,
    catalogue: Catalogue,
    tenant_id: UUID,
    operation_id: UUID,
    *,
    timeout_ms: int,
    chunk: int = CHUNK,
) -> None:
    """From wherever it stands to its end. Raises Invalid and Forbidden for what ends the import as a whole."""
    async with database.transaction(tenant_id) as session:
        await operations.begin(session, operation_id)
        row = await operations.locked(session, operation_id)
    if row is None or row["state"] != "running":
        return
    asked = ImportCreate.model_validate(row["request"])
    work = _Run(database, catalogue, tenant_id, operation_id, asked, timeout_ms, chunk)
    place = Place.of(row["place"])
    reader = _reader(asked, place)
    fed = place.byte
    while True:
        before = reader.place
        records, fed = await _take(work, reader, fed)
        after = replace(reader.place, sequence=before.sequence + 1)
        going = await in_transaction(
            database,
            tenant_id,
            lambda session, part=records, at=(before, after): _merge(session, work, part, *at),
            timeout_ms=timeout_ms,
        )
        if not going:
            return
        reader.place = after


def _reader(asked: ImportCreate, place: Place) -> Reader:
    if asked.format == "ndjson":
        return NdjsonReader(place)
    return CsvReader(place, delimiter=asked.delimiter, encoding=asked.encoding)


async def _take(work: _Run, reader: Reader, fed: int) -> tuple[list[Record], int]:
    """Up to a chunk of records; none at the end of the file."""
    taken: list[Record] = []
    while True:
        for record in reader.records():
            taken.append(record)
            if len(taken) == work.chunk:
                return taken, fed
        block = await content.block_at(work.database, work.tenant_id, "import_blocks", work.operation_id, fed)
        if block:
            reader.feed(block)
            fed += len(block)
        else:
            reader.end()
            taken += reader.records()
            if isinstance(reader, CsvReader) and not reader.place.header:
                raise Invalid("The file is empty.", code="malformed_header")
            return taken, fed


async def _merge(
    session: Session, work: _Run, records: Sequence[Record], before: Place, after: Place
) -> bool:
    """One chunk, whole or not at all. False where there is nothing more to do here."""
    row = await operations.locked(session, work.operation_id)
    if row is None or row["state"] != "running":
        return False
    if Place.of(row["place"]).sequence != before.sequence:
        # Another worker took this one for dead and has gone on. The job stays, in case that one dies as well.
        raise Again(timedelta(seconds=30))
    if row["cancel_requested"]:
        await operations.finish(session, work.operation_id, "cancelled", result=_result(row, after, work))
        return False
    principal = await operations.caller(session, row)
    resource = noun_of(work.catalogue, work.asked.noun, "upsert")
    demand(principal, resource.permission_name, "write")
    plan = _plan(work.asked, resource, after, principal)
    counts, errors = await _upserted(session, work, principal, resource, plan, records)
    kept = max(0, MOST_ERRORS - row["counts"].get("failed", 0))
    await operations.keep_errors(session, work.operation_id, errors[:kept])
    await session.connection.execute(
        "insert into import_chunks (tenant_id, operation_id, sequence, rows) values ($1, $2, $3, $4)",
        session.tenant_id, work.operation_id, after.sequence, len(records),
    )  # fmt: skip
    row = await session.connection.fetchrow(
        "update operations set place = $3, bytes_read = $4, rows_read = $5, counts = $6, version = version + 1,"
        " updated_at = clock_timestamp() where tenant_id = $1 and id = $2 returning *",
        session.tenant_id, work.operation_id, after.as_dict(), after.byte, after.row,
        dict(Counter(row["counts"]) + counts),
    )  # fmt: skip
    if len(records) < work.chunk:
        await operations.finish(
            session, work.operation_id, "succeeded", result=_result(row, after, work, plan)
        )
        return False
    return True


def _plan(asked: ImportCreate, resource: Resource, place: Place, principal: Principal) -> Plan | None:
    """None for NDJSON rows that are taken as they are."""
    if asked.format == "ndjson":
        return None
    return mapping.plan(
        resource, place.header, asked.mapping, asked.constants, source=asked.source,
        tenant=principal.tenant, restore=asked.apostrophes == "restore",
    )  # fmt: skip


def _result(row: Any, place: Place, work: _Run, plan: Plan | None = None) -> dict[str, Any]:
    return {
        "rows": row["rows_read"],
        "columns_ignored": list(plan.ignored) if plan else [],
        "delimiter": place.delimiter or None,
        "dry_run": work.asked.dry_run,
    }


async def _upserted(
    session: Session,
    work: _Run,
    principal: Principal,
    resource: Resource,
    plan: Plan | None,
    records: Sequence[Record],
) -> tuple[Counter[str], list[RowError]]:
    errors: list[RowError] = []
    standing: list[tuple[Record, dict[str, Any]]] = []
    counts: Counter[str] = Counter()
    for record in records:
        row, faults = _row(work.asked, plan, record)
        errors += [_error(record, row, column, fault) for column, fault in faults]
        if faults:
            counts["failed"] += 1
        else:
            standing.append((record, row))
    for wave in _waves(standing):
        receipts = await write.upsert(
            session, principal, work.catalogue, resource, work.asked.source, [row for _, row in wave],
            dry_run=work.asked.dry_run, missing=work.asked.missing, origin=work.asked.origin,
        )  # fmt: skip
        for (record, row), receipt in zip(wave, receipts, strict=True):
            counts[receipt.outcome] += 1
            errors += _refused(record, row, receipt, plan)
    errors.sort(key=lambda error: error.row)
    return counts, errors


def _waves(rows: list[tuple[Record, dict[str, Any]]]) -> list[list[tuple[Record, dict[str, Any]]]]:
    """An id that comes again is a later change of the same record: it goes into a later upsert, in the file's order."""
    waves: list[list[tuple[Record, dict[str, Any]]]] = []
    seen: Counter[Any] = Counter()
    for record, row in rows:
        name = row.get("external_id")
        turn = seen[name] if isinstance(name, str) else 0
        seen[name if isinstance(name, str) else None] += 1
        if turn == len(waves):
            waves.append([])
        waves[turn].append((record, row))
    return waves


def _row(
    asked: ImportCreate, plan: Plan | None, record: Record
) -> tuple[dict[str, Any], list[tuple[str | None, FieldError]]]:
    if record.fault is not None:
        return {}, [_fault(record.fault, plan, record)]
    if plan is not None:
        mapped = plan.mapped(record.values)
        return mapped.row, mapped.errors
    return _renamed(asked, record.values)


def _fault(fault: Fault, plan: Plan | None, record: Record) -> tuple[str | None, FieldError]:
    column, pointer = None, ""
    if plan is not None and fault.column is not None:
        for index, name, target, _ in plan.cells:
            if index == fault.column:
                column, pointer = name, f"/{target}"
    return column, FieldError(pointer, fault.code, fault.message)


def _renamed(
    asked: ImportCreate, values: dict[str, Any]
) -> tuple[dict[str, Any], list[tuple[str | None, FieldError]]]:
    """An NDJSON row: its values are typed already, so a mapping renames, translates and completes references."""
    if asked.mapping is None:
        return {**mapping.filled(asked.constants), **values}, []
    row, errors = mapping.filled(asked.constants), []
    for key, said in asked.mapping.items():
        if said is None or key not in values:
            continue
        spec = ImportColumn(field=said) if isinstance(said, str) else said
        value = values[key]
        if spec.values is not None and isinstance(value, str):
            if value in spec.values:
                value = spec.values[value]
            elif spec.otherwise == "null":
                value = None
            elif spec.otherwise == "error":
                message = f'"{value[:80]}" is none of the values of the mapping.'
                errors.append((key, FieldError(f"/{spec.field}", "not_in_list", message)))
                continue
        elif spec.reference is not None and isinstance(value, str):
            value = f"{spec.reference}:{value}"
        mapping.put(row, spec.field, value)
    return row, errors


def _error(record: Record, row: dict[str, Any], column: str | None, fault: FieldError) -> RowError:
    name = row.get("external_id")
    known = name if isinstance(name, str) else None
    return RowError(record.row, record.line, column, known, fault.pointer, fault.code, fault.message)


def _refused(record: Record, row: dict[str, Any], receipt: Receipt, plan: Plan | None) -> list[RowError]:
    column_of = plan.column_of if plan else {}
    return [
        _error(record, row, column_of.get(mapping.named(fault.pointer)), fault)
        for fault in (receipt.errors if receipt.outcome == "failed" else ())
    ]
