"""Exports: a question whose answer is a file, written from one picture of the data and kept for a while.

The file stands in the database like an upload does, so whichever process is asked for it has it. A worker that dies
half-way leaves half a file, which the next one throws away: a picture cannot be taken up again.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from app.ground.access.permissions import demand
from app.ground.access.principal import Principal
from app.ground.database.session import Database, Session
from app.ground.errors import Invalid, NotFound
from app.ground.jobs.queue import Job, enqueue
from app.language.files import content, operations, writers
from app.language.files.content import Blocks
from app.language.files.nouns import noun_of
from app.language.files.writers import Typed, Writer
from app.language.metrics import answer, tidy
from app.language.metrics.metric import MetricCatalogue
from app.language.metrics.question import from_json
from app.language.resources import filter as filters
from app.language.resources import read
from app.language.resources.columns import shape_of
from app.language.resources.filter import Values
from app.language.resources.payload import instant, parse_moment
from app.language.resources.read import Query
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.shape import Leaf, Parent, Picked, Shape

KIND = "export"
GROUP = 10_000
"""Rows of a row group in Parquet; what is held in memory at once."""


class ExportCreate(BaseModel):
    """A noun's records or a question about numbers, and the form of the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    noun: str | None = Field(
        default=None, max_length=60, description="The noun, by its plural.", examples=["opportunities"]
    )
    metrics: dict[str, Any] | None = Field(
        default=None, description="Instead of a noun: a question as `/v1/metrics:query` takes it."
    )
    format: Literal["csv", "ndjson", "parquet"] = Field(default="csv", description="How the file is written.")
    filter: dict[str, Any] | None = Field(
        default=None,
        description="Conditions by field, as `:query` takes them.",
        examples=[{"category": "won"}],
    )
    columns: list[str] = Field(
        default=[], max_length=200, description="Fields in their order, `account.name` for what lies behind one.",
        examples=[["name", "amount", "account.name"]],
    )  # fmt: skip
    sort: list[str] = Field(default=[], max_length=5, description="Fields; `-` before a name turns it round.")
    include: list[Literal["deleted"]] = Field(default=[], description="`deleted` writes deleted ones too.")
    as_of: str | None = Field(default=None, description="Records as they were then; a moment or a day.")
    known_at: str | None = Field(default=None, description="… by what was known then; a moment or a day.")
    raw: bool = Field(
        default=False,
        description=(
            "CSV text as it is, also where a spreadsheet would run it as a formula; an apostrophe keeps it from that "
            "otherwise."
        ),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    columns: tuple[Typed, ...]
    rows: AsyncIterator[Sequence[Any]]


async def create(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    metrics: MetricCatalogue,
    asked: ExportCreate,
) -> UUID:
    """The operation, which is due at once. Raises for everything that is wrong with the question."""
    if (asked.noun is None) == (asked.metrics is None):
        raise Invalid.field("/noun", "contradiction", "Give a noun or `metrics`, one of both.")
    if asked.format == "parquet":
        writers.demand_parquet()
    if asked.metrics is not None:
        demand(principal, "metrics", "read")
        extra = asked.model_fields_set & {"filter", "columns", "sort", "include", "as_of", "known_at"}
        if extra:
            raise Invalid.field(f"/{min(extra)}", "contradiction", "Numbers are asked for within `metrics`.")
        from_json(metrics, principal, asked.metrics, pointer="/metrics")
    else:
        query = _query(catalogue, principal, asked)
        # Asked for one record, it raises for names, rights and references that are not there.
        page = await read.page(session, principal, catalogue, replace(query, limit=1))
        if not page.rows:
            absent = await read.missing_reference(session, principal, catalogue, query.values)
            if absent is not None:
                raise NotFound(f"There is no such {absent}.")
    noun = asked.noun or "metrics"
    id_ = await operations.start(session, principal, KIND, noun, asked.model_dump(exclude_unset=True))
    await enqueue(session.connection, KIND, Job(session.tenant_id, str(id_)), once=f"{KIND}:{id_}")
    return id_


async def run(
    database: Database,
    catalogue: Catalogue,
    metrics: MetricCatalogue,
    tenant_id: UUID,
    operation_id: UUID,
    *,
    timeout_ms: int,
) -> None:
    async with database.transaction(tenant_id) as session:
        await operations.begin(session, operation_id)
        row = await operations.locked(session, operation_id)
        if row is None or row["state"] != "running":
            return
        await content.clear(session, "export_blocks", operation_id)
        principal = await operations.caller(session, row)
    asked = ExportCreate.model_validate(row["request"])
    async with database.transaction(
        tenant_id, isolation="repeatable read read only", timeout_ms=timeout_ms
    ) as picture:
        found = await _answer(picture, principal, catalogue, metrics, asked)
        await _write(database, tenant_id, operation_id, asked, found)


async def _write(
    database: Database, tenant_id: UUID, operation_id: UUID, asked: ExportCreate, found: _Answer
) -> None:
    out = _Out(database, tenant_id, operation_id)
    made: Writer = writers.writer(asked.format, found.columns, raw=asked.raw)
    held: list[Any] = []
    group = GROUP if asked.format == "parquet" else 1
    async for rows in found.rows:
        held += rows
        if len(held) >= group:
            if not await out.add(made.write(held), len(held)):
                return
            held = []
    if held:
        await out.add(made.write(held), len(held))
    await out.add(made.close(), 0)
    await out.end(asked.format)


class _Out:
    """The file on its way into the database."""

    def __init__(self, database: Database, tenant_id: UUID, operation_id: UUID) -> None:
        self.database = database
        self.tenant_id = tenant_id
        self.operation_id = operation_id
        self.blocks = Blocks()
        self.digest = hashlib.sha256()
        self.rows = 0

    async def add(self, data: bytes, rows: int) -> bool:
        """False where somebody has cancelled it meanwhile."""
        self.rows += rows
        self.digest.update(data)
        going, full = True, self.blocks.add(data)
        while full and going:
            going = await self._put()
            full = self.blocks.add(b"")
        return going

    async def _put(self) -> bool:
        async with self.database.transaction(self.tenant_id) as session:
            row = await operations.locked(session, self.operation_id)
            if row is None or row["state"] != "running":
                return False
            if row["cancel_requested"]:
                await operations.finish(session, self.operation_id, "cancelled")
                return False
            start, body = self.blocks.take()
            await content.put(session, "export_blocks", self.operation_id, start, body)
            await session.connection.execute(
                "update operations set bytes_read = $3, rows_read = $4, version = version + 1,"
                " updated_at = clock_timestamp() where tenant_id = $1 and id = $2",
                self.tenant_id, self.operation_id, start + len(body), self.rows,
            )  # fmt: skip
        return True

    async def end(self, form: str) -> None:
        if self.blocks.held and not await self._put():
            return
        async with self.database.transaction(self.tenant_id) as session:
            row = await operations.locked(session, self.operation_id)
            if row is None or row["state"] != "running":
                return
            result = {
                "rows": self.rows,
                "bytes": self.blocks.start,
                "format": form,
                "sha256": self.digest.hexdigest(),
            }
            await session.connection.execute(
                "update operations set bytes_total = $3, rows_read = $4 where tenant_id = $1 and id = $2",
                self.tenant_id, self.operation_id, self.blocks.start, self.rows,
            )  # fmt: skip
            await operations.finish(session, self.operation_id, "succeeded", result=result)


# -- what is asked -----------------------------------------------------------------------------------------------------


def _query(catalogue: Catalogue, principal: Principal, asked: ExportCreate) -> Query:
    resource = noun_of(catalogue, asked.noun or "", "list")
    demand(principal, resource.permission_name, "read")
    values = Values()
    tree = asked.filter
    filter_ = filters.from_tree(catalogue, resource, principal, tree, values) if tree is not None else None
    return Query(
        resource=resource,
        shape=shape_of(
            catalogue, resource, principal.role,
            columns=tuple(asked.columns), money_as_text=asked.format != "ndjson", pointer="/columns",
            custom=principal.tenant.custom, cells=asked.format != "ndjson",
        ),
        filter=filter_,
        values=values,
        sort=tuple(asked.sort) or ("id",),
        deleted="deleted" in asked.include,
        as_of=_moment(asked.as_of, "/as_of", resource, principal),
        known_at=_moment(asked.known_at, "/known_at", resource, principal),
    )  # fmt: skip


def _moment(text: str | None, pointer: str, resource: Resource, principal: Principal) -> Any:
    if text is None:
        return None
    if not resource.tracked:
        raise Invalid.field(pointer, "not_tracked", f"{resource.title} keeps no history.")
    try:
        return instant(parse_moment(text), principal)
    except PydanticCustomError as error:
        raise Invalid.field(pointer, error.type, f"It {error.message()}.") from None


async def _answer(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    metrics: MetricCatalogue,
    asked: ExportCreate,
) -> _Answer:
    if asked.metrics is not None:
        demand(principal, "metrics", "read")
        question = from_json(metrics, principal, asked.metrics, pointer="/metrics")
        found = await answer.query(session, principal, catalogue, metrics, question)
        kinds = _METRIC_KINDS | dict.fromkeys(tidy.numbers(question) if question.wide else (), "number")
        columns = tuple(Typed(name, kinds.get(name, "text")) for name in tidy.columns(question))

        async def numbers() -> AsyncIterator[Sequence[Any]]:
            yield [{c.name: row.get(c.name) for c in columns} for row in map(tidy.tidy, found.data)]

        return _Answer(columns, numbers())
    query = _query(catalogue, principal, asked)

    async def records() -> AsyncIterator[Sequence[Any]]:
        async for part in read.stream(session, principal, catalogue, query):
            # NDJSON passes through as PostgreSQL wrote it.
            yield part if asked.format == "ndjson" else [orjson.loads(text) for text in part]

    return _Answer(tuple(_columns(catalogue, query.resource, query.shape)), records())


_METRIC_KINDS = {
    "period_start": "day", "period_end": "day", "value": "number", "numerator": "number", "denominator": "number",
    "n": "integer", "excluded_n": "integer", "inferred": "integer", "total": "flag", "rank": "integer",
}  # fmt: skip


def _columns(catalogue: Catalogue, resource: Resource, shape: Shape, prefix: str = "") -> list[Typed]:
    found: list[Typed] = []
    for alias, item in shape.items:
        if isinstance(item, Parent):
            target = catalogue[resource.relations[item.relation].target]
            found += _columns(catalogue, target, item.shape, f"{prefix}{alias}.")
        elif isinstance(item, Picked):
            found += (Typed(f"{prefix}{alias}.{name}", kind) for name, kind in item.fields)
        else:
            kind = resource.by_name[item.field].kind if isinstance(item, Leaf) else "json"
            found.append(Typed(f"{prefix}{alias}", kind))
    return found
