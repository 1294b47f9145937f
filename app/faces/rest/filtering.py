"""The parameters of a list, as the contract shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.faces.rest import schemas
from app.faces.rest.operation import Schema
from app.language.resources.fields import Field
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.words import LONGEST_SEARCH

_SAYS = {
    "ne": "differs from (null counts as different)",
    "lt": "is less than",
    "lte": "is at most",
    "gt": "is more than",
    "gte": "is at least",
    "in": "is one of (comma-separated)",
    "nin": "is none of (comma-separated)",
    "contains": "contains, in any case",
    "starts_with": "begins with, in any case",
    "is_null": "is null",
    "in_period": "lies in the period, say this_quarter, 2026-Q1, FY2026",
}


def parameter(name: str, schema: Schema, description: str, **rest: Any) -> Schema:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": description,
        **rest,
    }


def words(name: str, description: str, allowed: list[str] | None = None) -> Schema:
    items: Schema = {"type": "string"} | ({"enum": allowed} if allowed else {})
    return parameter(name, schemas.array(items), description, style="form", explode=False)


def shared(name: str) -> Schema:
    return {"$ref": f"#/components/parameters/{name}"}


SHARED: dict[str, Schema] = {
    "limit": parameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "Records in this page."
    ),
    "cursor": parameter("cursor", {"type": "string"}, "`next_cursor` of the page before this one."),
    "before": parameter("before", {"type": "string"}, "`previous_cursor` of the page behind this one."),
    "as_of": parameter(
        "as_of", {"type": "string", "examples": ["2026-03-31"]}, "Records as they were then; a moment or a day."
    ),
    "known_at": parameter(
        "known_at", {"type": "string", "examples": ["2026-03-31"]},
        "… by what was known then, not before `as_of`; a moment or a day.",
    ),
    "changes_since": parameter(
        "changes_since", {"type": "string", "examples": ["beginning"]},
        "What changed since this cursor, in the feed's order; `beginning` (or nothing) for all records first, `now` "
        "for a cursor alone. Then `next_cursor` is for this parameter, and is there also at the end. Filters may name "
        "stored fields of the record itself; no other option goes with it but `expand`, `limit` and `money`.",
        allowEmptyValue=True,
    ),
    "money": parameter(
        "money", {"type": "string", "enum": ["number", "string"], "default": "number"},
        "`string` writes money as exact decimal text: each field that the schemas show as a number of money is then "
        "a string, for languages whose numbers are binary.",
    ),
    "include": words("include", "`total` counts all matches; `deleted` shows deleted records.", ["total", "deleted"]),
    "include_deleted": words("include", "`deleted` shows the record although it is deleted.", ["deleted"]),
    "idempotency_key": {
        "name": "Idempotency-Key", "in": "header", "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "examples": ["import-2026-03-31-page-7"]},
        "description": "A retry with the same key gets the first answer again, word for word, and changes nothing.",
    },
    "if_match": {
        "name": "If-Match", "in": "header", "required": False, "schema": {"type": "string", "examples": ['"3"']},
        "description": "The ETag that was read; 412 with the record in `current` where it has changed since.",
    },
    "if_none_match": {
        "name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string", "examples": ['"3"']},
        "description": "304 without a body where the record is still at that version.",
    },
}  # fmt: skip


def of_list(catalogue: Catalogue, resource: Resource) -> tuple[Schema, ...]:
    """Options, then every field with every operator of its type, then the fields one step behind."""
    sortable = [x.name for x in resource.all_fields if x.sortable]
    columns = "For CSV and NDJSON: fields in their order, `account.name` for what lies behind a reference."
    return (
        shared("limit"),
        shared("cursor"),
        shared("before"),
        shared("changes_since"),
        *((searched(resource),) if resource.search else ()),
        words("sort", f"{', '.join(resource.default_sort)} when left out; `-` before a name turns it round.",
              [y for x in sortable for y in (x, f"-{x}")]),
        expansions(catalogue, resource),
        shared("include"),
        words("columns", columns),
        shared("money"),
        *((shared("as_of"), shared("known_at")) if resource.tracked else ()),
        *(x for field in resource.all_fields for x in _conditions(field)),
        *_behind(catalogue, resource),
    )  # fmt: skip


def searched(resource: Resource) -> Schema:
    return parameter(
        "q", {"type": "string", "maxLength": LONGEST_SEARCH, "examples": ["isd gtx"]},
        f"Beginnings of words of {' or '.join(resource.search)}, all of which a record has; in any case, without "
        "accents.",
    )  # fmt: skip


def expansions(catalogue: Catalogue, resource: Resource) -> Schema:
    own = [*resource.relations, *resource.children_by_name, *resource.listings_by_name]
    first = next(iter(resource.relations.values()), None)
    deeper = ""
    if first and (names := list(catalogue[first.target].relations)):
        deeper = f", or two steps such as {first.name}.{names[0]}"
    named = f": {', '.join(own)}{deeper}" if own else " (this noun has none)"
    return words("expand", f"What to write out inside the record{named}.")


def _conditions(field: Field) -> Iterator[Schema]:
    for operator in field.operators:
        if operator == "eq":
            yield parameter(field.name, _value(field), f"{field.description} Several by comma: any of them.")
        else:
            schema: Schema = {"type": "boolean"} if operator == "is_null" else {"type": "string"}
            if operator not in ("is_null", "in", "nin", "in_period", "contains", "starts_with"):
                schema = _value(field)
            yield parameter(f"{field.name}[{operator}]", schema, f"`{field.name}` {_SAYS[operator]}.")


def _value(field: Field) -> Schema:
    """A parameter is text, and a list by comma is one too; what it must hold is said by its format."""
    if field.kind in ("integer", "money", "number"):
        return {"type": "string", "examples": [str(field.example)]}
    schema = schemas.compared(field) if field.kind in ("flag", "day") else {"type": "string"}
    return schema | {"examples": [field.example]}


def _behind(catalogue: Catalogue, resource: Resource) -> Iterator[Schema]:
    says = "The operators of its type are taken too, and one more step."
    for relation in resource.relations.values():
        for field in catalogue[relation.target].fields:
            if field.operators:
                yield parameter(f"{relation.name}.{field.name}", _value(field), f"{field.description} {says}")
    for child in resource.children:
        for field in child.fields:
            if field.operators:
                has = f"One of its {child.name} has this. {says}"
                yield parameter(f"{child.name}.{field.name}", _value(field), has)
