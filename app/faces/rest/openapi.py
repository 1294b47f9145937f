"""The OpenAPI document: the operations with the schemas of the declarations, and nothing written twice."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from app.faces.rest import calendar_days, codes, examples, files, filtering, measures, problems, schemas
from app.faces.rest.keys import ApiKeyCreate, ApiKeyRotate
from app.faces.rest.nouns import input_name
from app.faces.rest.operation import Operation, Schema
from app.faces.rest.schemas import array, obj, ref
from app.ground.access.principal import ROLES
from app.language.files.exports import ExportCreate
from app.language.files.imports import ImportCreate
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.answers import models
from app.language.resources.inquire import model_name
from app.language.resources.payload import MERGED, STUB
from app.language.resources.resource import Catalogue, Inquiry, Resource

_ABOUT = """\
A headless sales-performance API: who sells, what they work on, what is expected of them, and how well it goes.

* Send `Authorization: Bearer <API key>`, or HTTP Basic with the key as password.
* Wherever an id is taken, `source:external_id` is taken too, and `me` for your own rep.
* Filter a list by any field: `amount_home[gte]=1000`, `stage.category=open`, `closed_at[in_period]=this_quarter`.
* Page with `cursor` and `before`; answer NDJSON or CSV of any length by `Accept`.
* Every POST honours `Idempotency-Key`; every write of a record honours `If-Match`.
* Refusals are `application/problem+json` with a stable `code`.
"""

_TAGS = {
    "Access": "Who asks, and what they may do.",
    "Files": "Files of any size, in and out, and the operations that carry them.",
    "Events": "What changed, in the order in which it was committed.",
    "Metrics": "Numbers, what they are made of, and the rows behind them.",
}


def document(
    catalogue: Catalogue, metrics: MetricCatalogue, operations: Iterable[Operation]
) -> dict[str, Any]:
    operations = list(operations)
    components = {
        **schemas.Nouns(catalogue).all(),
        **schemas.conditions(catalogue),
        **_around(catalogue),
        **measures.schemas_of(metrics),
        **calendar_days.schemas(),
        **files.schemas(),
        **with_parts(ImportCreate),
        **with_parts(ExportCreate),
    }
    tags = list(dict.fromkeys(x.tag for x in operations))
    about = _TAGS | {resource.title: resource.description for resource in catalogue}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Attain",
            "version": version("attain"),
            "summary": "Headless sales performance",
            "description": _ABOUT,
        },
        "servers": [{"url": "/", "description": "This server"}],
        "security": [{"bearer": []}, {"basic": []}],
        "tags": [{"name": x, "description": about[x]} for x in tags],
        "paths": _paths(operations),
        "components": {
            "schemas": dict(sorted(examples.completed(components).items())),
            "parameters": {_parameter_name(k): v for k, v in filtering.SHARED.items()},
            "headers": _HEADERS,
            "responses": {f"Problem{status}": _problem(status) for status in codes.REFUSALS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "API key or JWT"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name; the key as password.",
                },
            },
        },
    }


def _paths(operations: Iterable[Operation]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return paths


def _operation(operation: Operation) -> Schema:
    made: Schema = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
    }
    if operation.description:
        made["description"] = operation.description
    parameters = [*_named_by_path(operation), *(_resolved(x) for x in operation.parameters)]
    if parameters:
        made["parameters"] = parameters
    if operation.identify is not None:
        made["security"] = []
    if operation.body:
        content = {media: {"schema": schema} for media, schema in operation.body.items()}
        made["requestBody"] = {"required": not operation.body_optional, "content": content}
    made["responses"] = _responses(operation)
    if operation.right:
        scope = f"{operation.noun}:{operation.right}"
        made["security"] = [{"bearer": [scope]}, {"basic": [scope]}]
    return made


def _resolved(parameter: Schema) -> Schema:
    if "$ref" not in parameter:
        return parameter
    return {"$ref": f"#/components/parameters/{_parameter_name(parameter['$ref'].rpartition('/')[2])}"}


def _parameter_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _named_by_path(operation: Operation) -> list[Schema]:
    found: list[Schema] = []
    if "{id}" in operation.path:
        title, named, examples = "operation", "its id", [schemas.ID_EXAMPLE]
        if operation.resource:
            title, named = operation.resource.title.lower(), "id or `source:external_id`"
            examples = [*examples, "salesforce:006Ab00000AbCdE"]
        found.append(
            {
                "name": "id", "in": "path", "required": True,
                "schema": {"type": "string", "examples": examples},
                "description": f"The {title}, by {named}.",
            }
        )  # fmt: skip
    for name, example, description in (
        ("noun", "opportunities", "A noun's name or plural."),
        ("name", "bookings", "A metric's name."),
    ):
        if f"{{{name}}}" in operation.path:
            schema = {"type": "string", "examples": [example]}
            found.append(
                {"name": name, "in": "path", "required": True, "schema": schema, "description": description}
            )
    return found


def _responses(operation: Operation) -> Schema:
    content = {media: {"schema": schema} for media, schema in operation.answers.items()}
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in (*operation.headers, *_EVERYWHERE)}
    if operation.method == "POST" and any(_is_key(x) for x in operation.parameters):
        headers["Idempotency-Replayed"] = {"$ref": "#/components/headers/Idempotency-Replayed"}
    answers: Schema = {
        str(operation.status): {"description": operation.summary, "headers": headers, "content": content}
    }
    slow = (408,) if operation.body else ()
    for status in sorted({*operation.errors, *slow, *codes.ALWAYS}):
        if status in _PLAIN:
            answers[str(status)] = {"description": _PLAIN[status]}
        else:
            answers[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    return answers


_PLAIN = {
    206: "The range of bytes that was asked for.",
    304: "What you have is still what is here.",
    308: "Not all of it is here: `Range` says how much is, and the rest is awaited.",
}


def _is_key(parameter: Schema) -> bool:
    return parameter.get("$ref", "").endswith("idempotency_key")


_EVERYWHERE = ("RateLimit", "RateLimit-Policy", "X-Request-Id")
_HEADERS: Schema = {
    "RateLimit": {
        "schema": {"type": "string", "examples": ['"requests";r=299987;t=1, "at-once";r=127']},
        "description": "What is left: requests until the policy's window has filled again, and requests at once.",
    },
    "RateLimit-Policy": {
        "schema": {
            "type": "string",
            "examples": ['"requests";q=300000;w=60, "at-once";q=128;qu="concurrent-requests"'],
        },
        "description": "What the tenant may send in a window of seconds, and at once (structured fields).",
    },
    "ETag": {
        "schema": {"type": "string", "examples": ['"3"']},
        "description": "The record's version, quoted.",
    },
    "Location": {"schema": {"type": "string"}, "description": "Where the new record is."},
    "Link": {"schema": {"type": "string"}, "description": "`rel=next` and `rel=prev`, relative (RFC 8288)."},
    "X-Request-Id": {
        "schema": {"type": "string"},
        "description": "The id of this request; yours, where you sent one.",
    },
    "Idempotency-Replayed": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "This is the answer of the first request with this key.",
    },
    "Accept-Ranges": {"schema": {"type": "string", "enum": ["bytes"]}, "description": "Ranges are answered."},
    "Content-Disposition": {"schema": {"type": "string"}, "description": "What the file is called."},
    "Retry-After": {"schema": {"type": "string", "examples": ["1"]}, "description": "Seconds to wait."},
    "Allow": {"schema": {"type": "string"}, "description": "The methods that the path takes."},
}


def _problem(status: int) -> Schema:
    known = codes.REFUSALS[status]
    code = next(iter(known))
    listed = "\n".join(f"* `{name}`: {meaning}" for name, meaning in known.items())
    if status == 422:
        fields = "\n".join(f"* `{name}`: {meaning}" for name, meaning in codes.FIELDS.items())
        listed += f"\n\nIn `errors`, and as the `code` of a refusal of one field:\n\n{fields}"
    example = {
        "type": f"urn:attain:problem:{code}", "title": codes.TITLES[status], "status": status, "detail": known[code],
        "code": code, "errors": [], "request_id": "f1c7a54e0b7f4b0f9d6a3c1e2b4d5f60",
    }  # fmt: skip
    made: Schema = {
        "description": f"{codes.TITLES[status]}.\n\n{listed}",
        "content": {problems.MEDIA_TYPE: {"schema": ref("Problem"), "example": example}},
    }
    if status in (429, 503):
        made["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    if status == 405:
        made["headers"] = {"Allow": {"$ref": "#/components/headers/Allow"}}
    return made


def _around(catalogue: Catalogue) -> dict[str, Schema]:
    """Schemas that belong to no single noun."""
    text, maybe = {"type": "string"}, {"type": ["string", "null"]}
    id_ = {"type": "string", "format": "uuid", "examples": [schemas.ID_EXAMPLE]}
    codes_ = {
        "type": "string",
        "description": "Stable; each response lists its own.",
        "examples": ["invalid"],
    }
    fault = obj(
        {
            "pointer": text
            | {"description": "A JSON pointer into the body, or `?name`.", "examples": ["/amount"]},
            "code": text | {"examples": ["required"]},
            "message": text | {"examples": ["This field is required."]},
        },
        required=["pointer", "code", "message"],
        description="One fault, and where it is.",
    )
    person = {
        "anyOf": [
            obj({"id": id_, "name": text, "email": maybe}, required=["id", "name", "email"], example={}),
            {"type": "null"},
        ]
    }
    found: dict[str, Schema] = {
        "Problem": obj(
            {
                "type": text | {"examples": ["urn:attain:problem:invalid"]},
                "title": text | {"examples": ["The request is not valid"]},
                "status": {"type": "integer", "examples": [422]},
                "detail": text | {"examples": ["The body is not valid."]},
                "code": codes_,
                "errors": array(ref("FieldError")),
                "request_id": maybe | {"examples": ["f1c7a54e0b7f4b0f9d6a3c1e2b4d5f60"]},
                "current": {
                    "type": ["object", "null"],
                    "description": "With `version_conflict`: the record as it is.",
                },
            },
            required=["type", "title", "status", "detail", "code", "errors", "request_id"],
            description="A refusal (RFC 9457).",
            additionalProperties=True,
        ),
        "FieldError": fault,
        "RowError": obj(
            {"code": codes_, "detail": text, "errors": array(ref("FieldError"))},
            required=["code", "detail", "errors"],
            description="Why a row was refused.",
            example={"code": "required", "detail": "This field is required.", "errors": []},
        ),
        "Counts": obj(
            {
                name: {"type": "integer", "examples": [value]}
                for name, value in schemas.COUNTS_EXAMPLE.items()
            },
            required=list(schemas.COUNTS_EXAMPLE),
            description="Rows by what became of them.",
        ),
        "ExternalId": obj(
            {
                "source": text | {"pattern": "^[a-z0-9_]{1,60}$", "examples": ["salesforce"]},
                "external_id": text | {"minLength": 1, "maxLength": 255, "examples": ["006Ab00000AbCdE"]},
                "url": maybe | {"maxLength": 2000, "description": "Where the source shows it."},
                "stub": {"type": "boolean", "description": STUB},
                "merged": {"type": "boolean", "description": MERGED},
            },
            required=["source", "external_id"],
            description="A name that a source gives a record.",
        ),
        "SourceList": obj(
            {
                "source": text | {"pattern": "^[a-z0-9_]{1,60}$", "examples": ["salesforce"]},
                "external_ids": array(
                    text | {"minLength": 1, "maxLength": 255},
                    maxItems=1_000_000,
                    description="The ids of all records of this noun that the source has.",
                    examples=[["006Ab00000AbCdE"]],
                ),
            },
            required=["external_ids"],
            description="Everything that a source has of a noun.",
        ),
        "Reconciliation": obj(
            {
                "source": text | {"examples": ["salesforce"]},
                "missing_at_source": array(
                    ref("NamedRecord"), description="Living records that you see and the list lacks."
                ),
                "missing_here": array(
                    text,
                    description="Ids of the list of which there is no such record.",
                    examples=[["006Ab00000AbCdE"]],
                ),
                "counts": ref("ReconciliationCounts"),
            },
            required=["source", "missing_at_source", "missing_here", "counts"],
            description="What the source and this service each have that the other lacks.",
        ),
        "NamedRecord": obj(
            {"id": id_, "external_id": text | {"examples": ["006Ab00000AbCdE"]}},
            required=["id", "external_id"],
            description="A record, and what the source calls it.",
        ),
        "ReconciliationCounts": obj(
            {
                name: {"type": "integer", "examples": [1]}
                for name in ("external_ids", "missing_at_source", "missing_here")
            },
            required=["external_ids", "missing_at_source", "missing_here"],
            description="How many the list has, and how many are missing on either side.",
        ),
        "Tombstone": obj(
            {
                "id": id_,
                "deleted": {"type": "boolean", "enum": [True], "examples": [True]},
                "external_ids": array(
                    ref("ExternalId"), description="Empty where you may no longer see the record."
                ),
            },
            required=["id", "deleted", "external_ids"],
            description="A record that was deleted, or left the filter or your sight.",
            example={"id": schemas.ID_EXAMPLE, "deleted": True, "external_ids": []},
        ),
        "Label": obj(
            {"id": id_},
            required=["id"],
            description="A record that you may not see yourself: its id and its label.",
            additionalProperties=True,
        ),
        "Me": obj(
            {
                "name": text | {"examples": ["Nightly sync"]},
                "user": person,
                "rep": person,
                "role": {"type": "string", "enum": list(ROLES), "examples": ["rep"]},
                "scopes": array(text),
                "permissions": {
                    "type": "object",
                    "additionalProperties": array({"type": "string", "enum": ["read", "write"]}),
                    "examples": [{"opportunities": ["read", "write"]}],
                },
                "tenant": obj(
                    {"id": id_, "name": text, "timezone": text, "home_currency": text},
                    required=["id", "name", "timezone", "home_currency"],
                    example={
                        "id": schemas.ID_EXAMPLE,
                        "name": "Acme",
                        "timezone": "UTC",
                        "home_currency": "USD",
                    },
                ),
                "calendar": {
                    "anyOf": [
                        obj({"id": id_, "name": text, "start_month": {"type": "integer"}}, example={}),
                        {"type": "null"},
                    ]
                },
            },
            required=["name", "user", "rep", "role", "scopes", "permissions", "tenant", "calendar"],
            description="Who asks.",
        ),
        "Event": obj(
            {
                "id": id_,
                "sequence": text | {"examples": ["742.1083"], "description": "The event's cursor."},
                "type": text | {"examples": ["opportunity.won"]},
                "at": text | {"format": "date-time", "examples": [schemas.MOMENT_EXAMPLE]},
                "noun": text | {"examples": ["opportunities"]},
                "record_id": id_,
                "version": {"type": "integer", "examples": [3]},
                "changed": array(text, examples=[["stage_id", "closed_at"]]),
                "origin": text | {"examples": ["live"]},
                "actor": maybe | {"format": "uuid", "description": "The user, where a person did it."},
            },
            required=[
                "id",
                "sequence",
                "type",
                "at",
                "noun",
                "record_id",
                "version",
                "changed",
                "origin",
                "actor",
            ],
            description="A change.",
        ),
        "TimelineEntry": obj(
            {
                "id": id_,
                "at": text | {"format": "date-time", "examples": [schemas.MOMENT_EXAMPLE]},
                "kind": text
                | {"enum": ["created", "changed", "restored", "record"], "examples": ["changed"]},
                "actor": person | {"description": "Who did it, where a person did."},
                "origin": maybe | {"examples": ["live"]},
                "source": maybe | {"description": "From where it came.", "examples": ["salesforce"]},
                "inferred": {
                    "type": "boolean",
                    "description": "Whether it was guessed and not told.",
                    "examples": [False],
                },
                "changes": array(
                    obj(
                        {
                            "field": text | {"examples": ["stage_id"]},
                            "old": {
                                "description": "Null in the place of a list, too.",
                                "examples": [schemas.ID_EXAMPLE],
                            },
                            "new": {"examples": [schemas.ID_EXAMPLE]},
                            "old_label": maybe | {"examples": ["Qualify"]},
                            "new_label": maybe | {"examples": ["Proposal"]},
                        },
                        required=["field", "old", "new", "old_label", "new_label"],
                        description="A field that changed; labels where it is a reference.",
                    )
                ),
                "noun": maybe | {"description": "Of the record that happened.", "examples": ["activities"]},
                "record": {
                    "type": ["object", "null"],
                    "additionalProperties": True,
                    "description": "The whole of it, with `kind` `record`.",
                },
            },
            required=[
                "id",
                "at",
                "kind",
                "actor",
                "origin",
                "source",
                "inferred",
                "changes",
                "noun",
                "record",
            ],
            description="Something that happened.",
            example={
                "id": schemas.ID_EXAMPLE,
                "at": schemas.MOMENT_EXAMPLE,
                "kind": "changed",
                "changes": [],
            },
        ),
        "TimelinePage": schemas.page_of("TimelineEntry", "What happened, newest first."),
        "StreamTicket": obj(
            {
                "ticket": maybe
                | {"description": "Null in the answer to a retry.", "examples": ["attain_ticket_01929b6e…"]},
                "expires_at": text | {"format": "date-time", "examples": [schemas.MOMENT_EXAMPLE]},
            },
            required=["ticket", "expires_at"],
            description="What opens one stream.",
        ),
        "EventPage": obj(
            {
                "data": array(ref("Event")),
                "has_more": {"type": "boolean"},
                "next_cursor": text | {"description": "For `after=`, also when nothing was found."},
            },
            required=["data", "has_more", "next_cursor"],
            description="Changes in the order of their commit.",
            example={"data": [], "has_more": False, "next_cursor": "742.1083"},
        ),
        "Description": obj(
            {
                "noun": text,
                "plural": text,
                "title": text,
                "description": text,
                "label_field": text,
                "fields": array({"type": "object"}),
                "custom": array({"type": "object"}, description="Fields that the tenant has added."),
                "relations": array({"type": "object"}),
                "children": array({"type": "object"}),
                "listings": array({"type": "object"}),
                "actions": array({"type": "object"}),
                "inquiries": array({"type": "object"}, description="What may be asked about one record."),
                "operations": array(text),
                "default_sort": array(text),
                "tracked": {"type": "boolean"},
                "permissions": array({"type": "string", "enum": ["read", "write"]}),
            },
            required=["noun", "plural", "title", "description", "fields", "custom", "permissions"],
            description="What a noun is made of.",
            example={
                "noun": "opportunity",
                "plural": "opportunities",
                "title": "Opportunity",
                "fields": [],
                "custom": [],
            },
        ),
        "ApiKeyCreate": of_model(ApiKeyCreate),
        "ApiKeyRotate": of_model(ApiKeyRotate),
    }
    record = schemas.Nouns(catalogue).record(catalogue["api_keys"])
    secret = maybe | {
        "description": "The key; null in the answer to a retry.",
        "examples": ["attain_01929b6e…"],
    }
    found["ApiKeySecret"] = record | {
        "properties": {**record["properties"], "key": secret},
        "required": [*record["required"], "key"],
        "description": "A new key, with its secret for this once.",
        "example": record["example"] | {"key": "attain_01929b6e…"},
    }
    for resource in catalogue:
        for action in resource.actions:
            found[input_name(resource, action)] = of_model(action.input) | {"description": action.description}
        for inquiry in catalogue.inquiries[resource.plural]:
            found |= _of_inquiry(resource, inquiry)
    return found


def _of_inquiry(resource: Resource, inquiry: Inquiry) -> dict[str, Schema]:
    given = input_name(resource, inquiry)
    found = {given: of_model(inquiry.input) | {"description": inquiry.description}}
    whole = inquiry.answer.model_json_schema(ref_template=f"#/components/schemas/{given}{{model}}")
    parts = whole.pop("$defs", {}) | {inquiry.answer.__name__: whole | {"description": inquiry.description}}
    found |= {model_name(resource, inquiry, x): _shown(parts[x.__name__]) for x in models(inquiry.answer)}
    return found


def with_parts(model: type[BaseModel]) -> dict[str, Schema]:
    """The schema of a model and of those inside it, each a component."""
    whole = model.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = whole.pop("$defs", {})
    return {name: _shown(schema) for name, schema in {model.__name__: whole, **parts}.items()}


def of_model(model: type[BaseModel]) -> Schema:
    """A Pydantic model's schema without titles, null as a type, and an example from those of its fields."""
    return _shown(model.model_json_schema())


def _shown(schema: Schema) -> Schema:
    found = _plain(schema)
    properties = found.get("properties", {})
    found["example"] = {k: x["examples"][0] for k, x in properties.items() if x.get("examples")}
    return found


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(x) for x in schema]
    if not isinstance(schema, dict):
        return schema
    made = {k: _plain(v) for k, v in schema.items() if k != "title" or not isinstance(v, str)}
    alternatives = made.get("anyOf")
    if isinstance(alternatives, list) and len(alternatives) == 2 and alternatives[1] == {"type": "null"}:
        value = alternatives[0]
        if isinstance(value.get("type"), str):
            made.pop("anyOf")
            made = {**value, **made, "type": [value["type"], "null"]}
            if "enum" in made:
                made["enum"] = [*made["enum"], None]
    if made.get("default", 0) is None:
        del made["default"]
    return made
