"""Many records at once, by their ids at the source, each with a receipt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from starlette.responses import Response

from app.faces.rest import accept, bodies
from app.faces.rest.edge import Call, Written
from app.ground.errors import Invalid
from app.language.resources import write
from app.language.resources.batch import Receipt

OUTCOMES = ("created", "updated", "unchanged", "restored", "deleted", "failed")
MISSING = ("error", "null", "stub")
ORIGINS = ("live", "backfill")


async def upserted(call: Call) -> Response:
    accept.chosen(call.request)
    parameters = call.parameters
    named = parameters.one("source")
    options: dict[str, Any] = {
        "atomic": parameters.flag("atomic"),
        "dry_run": parameters.flag("dry_run"),
        "missing": parameters.word("missing", MISSING, "error"),
        "origin": parameters.word("origin", ORIGINS, "live"),
    }
    parameters.nothing_else()
    body = await bodies.raw(call.request)
    source, rows = _read(body, bodies.expect(call.request, bodies.JSON, bodies.NDJSON), named)

    async def work(session: Any) -> Written:
        receipts = await write.upsert(
            session, call.principal, call.catalogue, call.resource, source, rows, **options
        )
        return Written(200, orjson.dumps(report(receipts), default=str))

    return await call.write(body, work)


def _read(body: bytes, form: str, named: str | None) -> tuple[str, list[Any]]:
    if form == bodies.NDJSON:
        if named is None:
            raise Invalid.field(
                "?source", "required", "Name the source of NDJSON rows: `?source=salesforce`."
            )
        return named, bodies.lines(body, write.MAX_ROWS)
    data = bodies.json_object(body)
    for name in data:
        if name not in ("source", "rows"):
            raise Invalid.field(f"/{name}", "unknown_field", "An upsert holds `source` and `rows`.")
    source, rows = data.get("source", named), data.get("rows")
    if not isinstance(source, str):
        raise Invalid.field("/source", "required", "Name the source that the external ids belong to.")
    if named is not None and named != source:
        raise Invalid.field("?source", "contradiction", "The body names another source.")
    if not isinstance(rows, list):
        raise Invalid.field("/rows", "required", "`rows` is a list of records.")
    return source, rows


def report(receipts: Sequence[Receipt]) -> dict[str, Any]:
    counts = Counter(receipt.outcome for receipt in receipts)
    return {"counts": {name: counts[name] for name in OUTCOMES}, "rows": [_row(x) for x in receipts]}


def _row(receipt: Receipt) -> dict[str, Any]:
    error = None
    if receipt.errors:
        first = receipt.errors[0]
        error = {"code": first.code, "detail": first.message, "errors": [x.as_dict() for x in receipt.errors]}
    return {
        "index": receipt.index,
        "external_id": receipt.external_id,
        # As text: the driver's own UUID class is unknown to the JSON writer.
        "id": str(receipt.id) if receipt.id else None,
        "outcome": receipt.outcome,
        "version": receipt.version,
        "changed": receipt.changed,
        "reason": receipt.reason,
        "error": error,
    }
