"""The operations of a noun, from its declaration: what is not declared has no path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.faces.rest import (
    accept,
    boards,
    bodies,
    filtering,
    histories,
    inquiries,
    lists,
    numbers,
    reconciliations,
    records,
    timelines,
    upserts,
)  # fmt: skip
from app.faces.rest.filtering import parameter, shared
from app.faces.rest.operation import Operation
from app.faces.rest.schemas import past_name, ref
from app.language.resources.board import MOST_GROUPS, groupable
from app.language.resources.inquire import model_name
from app.language.resources.payload import class_name
from app.language.resources.resource import Action, Catalogue, Inquiry, Resource

CONFLICTS = (404, 409, 412)


def camel(name: str) -> str:
    """`close_won` to `closeWon`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def operations(catalogue: Catalogue) -> Iterator[Operation]:
    for resource in catalogue:
        for operation in _of(catalogue, resource):
            noun = operation.noun or resource.permission_name
            yield replace(operation, resource=resource, noun=noun, tag=resource.title)


def _of(catalogue: Catalogue, resource: Resource) -> Iterator[Operation]:
    one, many = class_name(resource.name), class_name(resource.plural)
    title, path = resource.title.lower(), f"/v1/{resource.plural}"
    record = {accept.JSON: ref(one)}
    expand = filtering.expansions(catalogue, resource)
    shown = (expand, shared("money"))
    if "list" in resource.operations:
        listing = {
            accept.JSON: ref(f"{one}Page"),
            accept.NDJSON: {"type": "string"},
            accept.CSV: {"type": "string"},
        }
        yield Operation(
            id=f"list{many}", method="GET", path=path, handler=lists.listed, right="read", tag="",
            summary=f"List {resource.plural.replace('_', ' ')}",
            description=f"{resource.description} As NDJSON or CSV: all of them, streamed, without a ceiling.",
            parameters=filtering.of_list(catalogue, resource), answers=listing, headers=("Link",),
            errors=(400, 404, 406, 410),
        )  # fmt: skip
        yield from _boards(catalogue, resource, one, many, path)
        yield Operation(
            id=f"query{many}", method="POST", path=f"{path}:query", handler=lists.queried, right="read", tag="",
            summary=f"Ask for {resource.plural.replace('_', ' ')} by JSON",
            description="The same as the list, with `or`, `and`, `not` and nested conditions.",
            body={bodies.JSON: ref(f"{one}Query")}, body_optional=True, answers=listing,
            errors=(400, 404, 406, 413, 415),
        )  # fmt: skip
    if "create" in resource.operations:
        yield Operation(
            id=f"create{one}", method="POST", path=path, handler=records.created, right="write", tag="",
            summary=f"Create {_a(title)}",
            description="Answers the whole record. References take ids, `source:external_id`, and `me` for a rep.",
            parameters=(shared("idempotency_key"), *shown),
            body={bodies.JSON: ref(f"{one}Create")}, status=201, answers=record, headers=("ETag", "Location"),
            errors=(400, 404, 409, 413, 415),
        )  # fmt: skip
    if "get" in resource.operations:
        past = " With `as_of`, as it was then." if resource.tracked else ""
        yield Operation(
            id=f"get{one}", method="GET", path=f"{path}/{{id}}", handler=records.got, right="read", tag="",
            summary=f"Get {_a(title)}", description=f"The whole record, by id or `source:external_id`.{past}",
            answers=record, headers=("ETag",), errors=(304, 404),
            parameters=(
                *shown, shared("include_deleted"), shared("if_none_match"),
                *((shared("as_of"), shared("known_at")) if resource.tracked else ()),
            ),
        )  # fmt: skip
    if "update" in resource.operations:
        yield Operation(
            id=f"update{one}", method="PATCH", path=f"{path}/{{id}}", handler=records.updated, right="write", tag="",
            summary=f"Change {_a(title)}", description="A JSON merge patch (RFC 7396).",
            parameters=(shared("if_match"), *shown),
            body={bodies.JSON: ref(f"{one}Patch"), bodies.MERGE_PATCH: ref(f"{one}Patch")}, answers=record,
            headers=("ETag",), errors=(400, *CONFLICTS, 413, 415),
        )  # fmt: skip
    if "delete" in resource.operations:
        yield Operation(
            id=f"delete{one}", method="DELETE", path=f"{path}/{{id}}", handler=records.deleted, right="write", tag="",
            summary=f"Delete {_a(title)}", description="Softly: `:restore` takes it back.",
            parameters=(shared("if_match"), *shown), answers=record, headers=("ETag",), errors=CONFLICTS,
        )  # fmt: skip
        yield Operation(
            id=f"restore{one}", method="POST", path=f"{path}/{{id}}:restore", handler=records.restored, right="write",
            tag="", summary=f"Restore a deleted {title}", description="Takes a deletion back; the id stays the same.",
            parameters=(shared("idempotency_key"), shared("if_match"), *shown), answers=record, headers=("ETag",),
            errors=CONFLICTS,
        )  # fmt: skip
    if "upsert" in resource.operations:
        yield Operation(
            id=f"upsert{many}", method="POST", path=f"{path}:upsert", handler=upserts.upserted, right="write", tag="",
            summary=f"Create or update {resource.plural.replace('_', ' ')} by their ids at a source",
            description="Up to 10,000 rows. Every row gets a receipt; a row that is refused does not stop the others.",
            bulk=True,
            parameters=(
                shared("idempotency_key"),
                parameter("source", {"type": "string", "examples": ["salesforce"]}, "The source; needed for NDJSON."),
                parameter("atomic", {"type": "boolean", "default": False}, "All rows or none: else 422."),
                parameter("dry_run", {"type": "boolean", "default": False}, "Takes the whole way, and takes it back."),
                parameter("missing", {"type": "string", "enum": list(upserts.MISSING), "default": "error"},
                          "What becomes of a reference that is not there: the row is refused, the field is null, or a "
                          "record is made of which only the external id is known, for its own row to complete."),
                parameter("origin", {"type": "string", "enum": list(upserts.ORIGINS), "default": "live"},
                          "`backfill` marks history and events, so that nothing reacts to them."),
            ),
            body={bodies.JSON: ref(f"{one}Upsert"), bodies.NDJSON: {"type": "string"}},
            answers={accept.JSON: ref(f"{one}Receipts")}, errors=(400, 409, 413, 415),
        )  # fmt: skip
        yield Operation(
            id=f"reconcile{many}", method="POST", path=f"{path}:reconcile", handler=reconciliations.reconciled,
            right="read", tag="", summary=f"Compare {resource.plural.replace('_', ' ')} with a source's full list",
            description="What is here of that source and not in its list (deleted records are left out), and what its "
            "list has and is not here (or deleted here, or only known by a reference). Up to 1,000,000 ids; as NDJSON, "
            "an id on each line.",
            bulk=True,
            parameters=(
                parameter("source", {"type": "string", "examples": ["salesforce"]}, "The source; needed for NDJSON."),
            ),
            body={bodies.JSON: ref("SourceList"), bodies.NDJSON: {"type": "string"}},
            answers={accept.JSON: ref("Reconciliation")}, errors=(400, 413, 415),
        )  # fmt: skip
    if resource.numbers:
        yield Operation(
            id=f"get{one}Numbers", method="GET", path=f"{path}/{{id}}/numbers", handler=numbers.held, right="read",
            tag="", summary=f"The numbers of {_a(title)}",
            description="What its question comes to for whoever published it, as they are now: `as_seen_by` says who. "
            "Whoever may read it has the numbers, and never the rows behind them.",
            answers={
                accept.JSON: ref("HeldNumbers"), accept.NDJSON: {"type": "string"}, accept.CSV: {"type": "string"},
            },
            errors=(404, 406, 409),
        )  # fmt: skip
    if resource.timeline:
        yield Operation(
            id=f"get{one}Timeline", method="GET", path=f"{path}/{{id}}/timeline", handler=timelines.of_one,
            right="read", tag="", summary=f"What happened to {_a(title)}",
            description="Changes of its fields with old and new value, and its "
            f"{', '.join(x.replace('_', ' ') for x in resource.timeline)}, newest first.",
            parameters=(shared("limit"), shared("cursor")), answers={accept.JSON: ref("TimelinePage")},
            headers=("Link",), errors=(400, 404),
        )  # fmt: skip
    if resource.tracked:
        yield from _histories(catalogue, resource, one, path, title)
    for action in resource.actions:
        yield _verb(resource, action, one, path, shown)
    for inquiry in catalogue.inquiries[resource.plural]:
        yield _inquiry(resource, inquiry, one, path)


def _boards(catalogue: Catalogue, resource: Resource, one: str, many: str, path: str) -> Iterator[Operation]:
    """For nouns that have a field to be grouped by."""
    fields = list(groupable(resource, "admin"))
    if not fields:
        return
    by = parameter("group_by", {"type": "string", "enum": fields}, "The field whose values are the columns.")
    rows = {"type": "integer", "minimum": 1, "maximum": boards.MOST_ROWS, "default": boards.USUAL_ROWS}
    taken = {"limit", "cursor", "before", "include", "columns", "as_of", "known_at", "changes_since"}
    others = [
        x for x in filtering.of_list(catalogue, resource) if x.get("$ref", "").rpartition("/")[2] not in taken
    ]
    yield Operation(
        id=f"group{many}", method="GET", path=f"{path}:grouped", handler=boards.grouped, right="read", tag="",
        summary=f"A board of {resource.plural.replace('_', ' ')}",
        description="Every column with its count, its sums and its first records, in one call; at most "
        f"{MOST_GROUPS} columns. Choices, picklists and stages are shown also where they are empty. A column's "
        "`next_cursor` leads on in the list with the same filters and sort, and the column's key as a filter more.",
        parameters=(
            by | {"required": True}, parameter("limit", rows, "Records of each column."),
            *(x for x in others if x.get("name") != "columns"),
        ),
        answers={accept.JSON: ref(f"{one}Board")}, errors=(404, 406),
    )  # fmt: skip


def _histories(
    catalogue: Catalogue, resource: Resource, one: str, path: str, title: str
) -> Iterator[Operation]:
    answers = {accept.JSON: ref(f"{past_name(catalogue, resource)}Page")}
    paging = (shared("limit"), shared("cursor"))
    yield Operation(
        id=f"get{one}History", method="GET", path=f"{path}/{{id}}/history", handler=histories.of_one, right="read",
        tag="", summary=f"Every version of {_a(title)}",
        description="When each was true and when it was known, what changed, by whom and from which source.",
        parameters=paging, answers=answers, headers=("Link",),
        errors=(400, 404),
    )  # fmt: skip
    since = parameter(
        "recorded_since", {"type": "string", "examples": ["2026-03-31"]}, "Only what was recorded since then."
    )
    yield Operation(
        id=f"list{one}History", method="GET", path=f"{path}:history", handler=histories.of_all, right="read", tag="",
        summary=f"Every version of every {title}",
        description="The versions of all that you may see, in one stream, say for a warehouse. As NDJSON: all of them, "
        "streamed, without a `limit`.",
        parameters=(*paging, since), answers=answers | {accept.NDJSON: {"type": "string"}}, headers=("Link",),
        errors=(400, 406),
    )  # fmt: skip


def _verb(resource: Resource, action: Action, one: str, path: str, shown: tuple[dict, ...]) -> Operation:
    return Operation(
        id=f"{camel(action.name)}{one}", method="POST", path=f"{path}/{{id}}:{action.name}", handler=records.acted,
        right="write", tag="", summary=action.title, description=action.description, action=action,
        parameters=(shared("idempotency_key"), shared("if_match"), *shown),
        body={bodies.JSON: ref(input_name(resource, action))}, body_optional=_is_optional(action),
        answers={accept.JSON: ref(one)}, headers=("ETag",), errors=(400, *CONFLICTS, 413, 415),
    )  # fmt: skip


def _inquiry(resource: Resource, inquiry: Inquiry, one: str, path: str) -> Operation:
    return Operation(
        id=f"{camel(inquiry.name)}{one}", method="POST", path=f"{path}/{{id}}:{inquiry.name}",
        handler=inquiries.asked, noun=next(iter(inquiry.reads), ""), right="read", tag="", summary=inquiry.title,
        description=inquiry.description, inquiry=inquiry, parameters=(shared("money"),),
        body={bodies.JSON: ref(input_name(resource, inquiry))}, body_optional=_is_optional(inquiry),
        answers={accept.JSON: ref(model_name(resource, inquiry, inquiry.answer))}, errors=(400, 404, 409, 413, 415),
    )  # fmt: skip


def _is_optional(verb: Action | Inquiry) -> bool:
    return not any(x.is_required() for x in verb.input.model_fields.values())


def input_name(resource: Resource, verb: Action | Inquiry) -> str:
    """`OpportunityCloseWon`."""
    return class_name(resource.name) + class_name(verb.name)


def _a(title: str) -> str:
    return f"an {title}" if title[0] in "aeio" else f"a {title}"
