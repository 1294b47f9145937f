"""The operations of imports, exports and what becomes of them, and their schemas in the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.faces.rest import accept, bodies, downloads, progress, uploads
from app.faces.rest.filtering import parameter, shared, words
from app.faces.rest.operation import Operation, Schema
from app.faces.rest.schemas import ID_EXAMPLE, MOMENT_EXAMPLE, array, nullable, obj, ref
from app.language.files.models import KINDS, STATES
from app.language.files.operations import OUTCOMES
from app.language.files.writers import MEDIA_TYPES

_TEXT: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_BINARY: Schema = {"type": "string", "format": "binary"}
_CSV, _PARQUET = "text/csv", MEDIA_TYPES["parquet"]


def operations() -> Iterator[Operation]:
    answer = {accept.JSON: ref("Operation")}
    seen = "Seen by whoever asked for it, and by admins."
    yield Operation(
        id="createImport", method="POST", path="/v1/imports", handler=uploads.created, tag="Files",
        summary="Begin an import",
        description=(
            "Says what the file holds; the answer is the operation, whose content is then sent to "
            "`/v1/imports/{id}/content`. Needs the right to write the noun."
        ),
        parameters=(shared("idempotency_key"),), body={bodies.JSON: ref("ImportCreate")}, status=201, answers=answer,
        headers=("Location",), errors=(400, 409, 413, 415),
    )  # fmt: skip
    yield Operation(
        id="putImportContent", method="PUT", path="/v1/imports/{id}/content", handler=uploads.put, tag="Files",
        summary="Send the content of an import",
        description=(
            "Without `Content-Range` the whole of it; what came before is dropped. With `Content-Range: bytes "
            "0-1048575/5000000` a piece, which begins where the last one ended: 308 with `Range` until all of it is "
            "here. `bytes */5000000` without a body asks how far it is. Bytes that came already are left out, so a "
            "piece may be sent again. Then the import is due. " + seen
        ),
        parameters=(_CONTENT_RANGE,),
        body={_CSV: _BINARY, bodies.NDJSON: _BINARY, "application/octet-stream": _BINARY}, body_optional=True,
        status=202, answers=answer, headers=("Location",), errors=(308, 400, 404, 409, 413, 415),
    )  # fmt: skip
    yield Operation(
        id="createExport", method="POST", path="/v1/exports", handler=downloads.created, tag="Files",
        summary="Have a file written",
        description=(
            "Records of a noun, or numbers, of one moment. When the operation has succeeded its `result.url` opens "
            "the file for ten minutes without a key; asking for the operation again gives a new one."
        ),
        parameters=(shared("idempotency_key"),), body={bodies.JSON: ref("ExportCreate")}, status=202, answers=answer,
        headers=("Location",), errors=(400, 404, 409, 413, 415),
    )  # fmt: skip
    yield Operation(
        id="getExportContent", method="GET", path="/v1/exports/{id}/content", handler=downloads.sent, tag="Files",
        summary="The file of an export",
        description="By the operation's link, without a key. Answers HEAD, and single ranges with 206.",
        identify=downloads.by_link,
        parameters=(
            _signed("tenant"), _signed("expires"), _signed("signature"),
            _header("Range", "bytes=0-1048575", "A part of the file."),
            _header("If-Range", f'"{"a" * 64}"', "The part only where the file is still this one; else the whole."),
        ),
        answers={_CSV: _BINARY, accept.NDJSON: _BINARY, _PARQUET: _BINARY},
        headers=("ETag", "Accept-Ranges", "Content-Disposition"), errors=(206, 304, 404, 416),
    )  # fmt: skip
    yield Operation(
        id="listOperations", method="GET", path="/v1/operations", handler=progress.listed, tag="Files",
        summary="List operations", description=f"The newest first. {seen}",
        parameters=(
            shared("limit"), shared("cursor"), words("kind", "Of these kinds.", list(KINDS)),
            words("state", "In these states.", list(STATES)),
        ),
        answers={accept.JSON: ref("OperationPage")}, errors=(400,),
    )  # fmt: skip
    yield Operation(
        id="getOperation", method="GET", path="/v1/operations/{id}", handler=progress.got, tag="Files",
        summary="Get an operation", description=seen, answers=answer, headers=("ETag",), errors=(404,),
    )  # fmt: skip
    yield Operation(
        id="listOperationErrors", method="GET", path="/v1/operations/{id}/errors", handler=progress.errors,
        tag="Files", summary="The rows that an import refused",
        description="In the order of the file, each with its line, its column and why.",
        parameters=(
            parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "In this page."),
            shared("cursor"),
        ),
        answers={accept.JSON: ref("ImportErrorPage")}, headers=("Link",), errors=(400, 404),
    )  # fmt: skip
    yield Operation(
        id="cancelOperation", method="POST", path="/v1/operations/{id}:cancel", handler=progress.cancelled,
        tag="Files", summary="Cancel an operation",
        description="At once, or behind the chunk that is being merged. What an import has merged stays.",
        parameters=(shared("idempotency_key"),), answers=answer, errors=(400, 404, 409, 413),
    )  # fmt: skip
    yield Operation(
        id="watchOperation", method="GET", path="/v1/operations/{id}/events", handler=progress.events, tag="Files",
        summary="An operation as it goes on",
        description="Server-sent events: the operation each time it has changed, until it has ended.",
        takes_ticket=True,
        parameters=(
            parameter("ticket", _TEXT, "In the place of a key: from `POST /v1/stream_tickets`."),
            _header("Last-Event-ID", "7", "The last version that was seen. A browser sends it by itself."),
        ),
        answers={progress.EVENTS: _TEXT}, errors=(404, 406),
    )  # fmt: skip


def _header(name: str, example: str, description: str) -> Schema:
    schema = {"type": "string", "examples": [example]}
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": description}


def _signed(name: str) -> Schema:
    return parameter(name, _TEXT, "Part of the link.") | {"required": True}


_CONTENT_RANGE = _header(
    "Content-Range", "bytes 0-1048575/5000000", "Which bytes these are, and of how many."
)


def schemas() -> dict[str, Schema]:
    number: Schema = {"type": "integer", "examples": [50000]}
    moment: Schema = {"type": "string", "format": "date-time", "examples": [MOMENT_EXAMPLE]}
    some: Schema = {"type": ["object", "null"], "additionalProperties": True}
    progress_: dict[str, Schema] = {
        "bytes_total": {
            "type": ["integer", "null"],
            "examples": [3166697],
            "description": "Null while it is not known.",
        },
        "bytes_received": number | {"description": "Of an upload."},
        "bytes_read": number | {"description": "Of an import merged, of an export written."},
        "rows_read": number,
        "rows_failed": {"type": "integer", "examples": [3]},
    }
    counts = {name: {"type": "integer", "examples": [1]} for name in OUTCOMES}
    operation: dict[str, Schema] = {
        "id": _TEXT | {"format": "uuid", "examples": [ID_EXAMPLE]},
        "kind": _TEXT | {"enum": list(KINDS), "examples": ["import"]},
        "noun": _TEXT | {"examples": ["opportunities"]},
        "state": _TEXT
        | {
            "enum": list(STATES),
            "examples": ["running"],
            "description": "`pending` awaits content, or a worker.",
        },
        "cancel_requested": {"type": "boolean", "examples": [False]},
        "progress": obj(progress_, required=progress_, description="How far it is."),
        "counts": nullable(
            obj(counts, required=counts, description="Rows of an import by what became of them.")
        ),
        "request": {"type": "object", "additionalProperties": True, "description": "What was asked for."},
        "result": some | {"description": "What it came to; of an export with `url` and `url_expires_at`."},
        "problem": some | {"description": "Why it failed as a whole."},
        "created_by": _TEXT | {"examples": ["Nightly sync"]},
        "version": {"type": "integer", "examples": [7], "description": "Counts changes; the ETag."},
        "created_at": moment,
        "started_at": nullable(moment),
        "updated_at": moment,
        "finished_at": nullable(moment),
    }
    error: dict[str, Schema] = {
        "row": {"type": "integer", "examples": [4812], "description": "The record, counted from 1."},
        "line": {
            "type": "integer",
            "examples": [4813],
            "description": "The line of the file where it begins.",
        },
        "column": _MAYBE | {"examples": ["Amount"]},
        "external_id": _MAYBE | {"examples": ["006Ab00000AbCdE"]},
        "pointer": _TEXT | {"examples": ["/amount"]},
        "code": _TEXT | {"examples": ["not_a_number"]},
        "message": _TEXT | {"examples": ['"12,5O" is no number.']},
    }
    pages: dict[str, Any] = {
        "OperationPage": _page("Operation", "Operations, the newest first."),
        "ImportErrorPage": _page("ImportError", "Refused rows in the order of the file."),
    }
    return {
        "Operation": obj(operation, required=operation, description="Work that takes longer than a request."),
        "ImportError": obj(error, required=error, description="Why a row of a file was refused."),
        **pages,
    }


def _page(name: str, description: str) -> Schema:
    return obj(
        {"data": array(ref(name)), "has_more": {"type": "boolean"}, "next_cursor": _MAYBE},
        required=["data", "has_more", "next_cursor"],
        description=description,
        example={"data": [], "has_more": False, "next_cursor": None},
    )
