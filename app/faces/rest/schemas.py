"""JSON schemas of nouns, from their declarations.

What a body may hold is checked by `app/language/resources/payload.py`; a test holds these schemas against it, name by
name. They are made here because clients are generated from them: no schema is split in two for reading and writing,
null is a type and not an alternative, and every field keeps its description and example.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.faces.rest.operation import Schema
from app.language.resources import aliases
from app.language.resources.board import groupable
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.payload import DELETED, MERGED_INTO, SOURCE_UPDATED_AT, class_name
from app.language.resources.resource import Catalogue, Child, Resource

MOMENT_EXAMPLE = "2026-03-31T16:30:00Z"
ID_EXAMPLE = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **rest: Any) -> Schema:
    return {"type": "array", "items": items, **rest}


def nullable(schema: Schema) -> Schema:
    if "$ref" in schema or "anyOf" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    made = {**schema, "type": [schema["type"], "null"]}
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made


def obj(
    properties: Mapping[str, Schema], *, required: Iterable[str] = (), description: str = "", **rest: Any
) -> Schema:
    made: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if description:
        made["description"] = description
    if wanted := list(required):
        made["required"] = wanted
    if "example" not in rest:
        made["example"] = {k: v for k, x in properties.items() if (v := example_of(x)) is not None}
    return made | rest


def example_of(schema: Schema) -> Any:
    if "example" in schema:
        return schema["example"]
    if "examples" in schema:
        return schema["examples"][0]
    if schema.get("type") == "array":
        inner = example_of(schema["items"])
        return [] if inner is None else [inner]
    return None


def scalar(field: Field) -> Schema:
    """The bare type of a field's value as it is read."""
    match field.kind:
        case "id" | "reference":
            return {"type": "string", "format": "uuid"}
        case "text" | "picklist":
            return {"type": "string"}
        case "choice":
            return {"type": "string", "enum": list(field.values)}
        case "integer":
            return {"type": "integer"}
        case "money" | "number":
            return {"type": "number"}
        case "flag":
            return {"type": "boolean"}
        case "day":
            return {"type": "string", "format": "date"}
        case "moment":
            return {"type": "string", "format": "date-time"}
        case "numbers":
            return array({"type": "number"})
        case "custom":
            return {"type": "object", "additionalProperties": True}
        case "question":
            return ref("MetricQuestion")
        case "json" if isinstance(field.example, dict):
            return {"type": "object", "additionalProperties": True}
        case _:
            return array({"type": "string"})


def read_field(field: Field) -> Schema:
    if field.name == "external_ids":
        return array(ref("ExternalId"), description=field.description, examples=[field.example])
    schema: Schema = scalar(field)
    always = field.name in ("id", "version", "created_at", "updated_at") or field.required or (
        field.default is not None or field.kind == "custom"
    )  # fmt: skip
    if not always:
        schema = nullable(schema)
    made = {**schema, "description": field.description, "examples": [field.example]}
    if field.write == "never":
        made["readOnly"] = True
    return made


def numbers(field: Field) -> Schema:
    item = {"type": "number", "minimum": field.minimum, "maximum": field.maximum}
    return array(item, minItems=1, maxItems=field.max_length)


def written_field(field: Field, *, required: bool) -> Schema:
    schema: Schema = scalar(field)
    if field.kind == "reference":
        # Also `source:external_id`, and `me` for a rep.
        del schema["format"]
        schema |= {"minLength": 1, "maxLength": 320}
    elif field.kind == "moment":
        del schema["format"]
    elif field.kind in ("text", "picklist"):
        if field.required:
            schema["minLength"] = 1
        if field.max_length:
            schema["maxLength"] = field.max_length
        if field.currency:
            schema |= {"minLength": 3, "pattern": "^[A-Z]{3}$"}
    elif field.kind == "json":
        schema = array({"type": "string", "maxLength": 120})
    elif field.kind == "numbers":
        schema = numbers(field)
    if field.minimum is not None and field.kind in ("integer", "number"):
        schema["minimum"] = field.minimum
    if field.maximum is not None and field.kind in ("integer", "number"):
        schema["maximum"] = field.maximum
    if not required and not field.required:
        schema = nullable(schema)
    description = field.description
    if field.kind == "money":
        description += " At most 15 significant digits and 4 decimals."
    elif field.kind == "moment":
        description += " With its offset; a day is its start in the tenant's zone."
    elif field.kind == "reference":
        description += " By id or `source:external_id`" + (", or `me`." if field.target == "reps" else ".")
    made = {**schema, "description": description, "examples": [field.example]}
    if field.default is not None:
        made["default"] = field.default
    return made


def child_name(resource: Resource, child: Child) -> str:
    return class_name(resource.name) + class_name(child.singular)


def past_name(catalogue: Catalogue, resource: Resource) -> str:
    """What a version in its history is called; otherwise where another noun has that name."""
    taken = f"{resource.name}_version" in catalogue.by_name
    return class_name(resource.name) + ("PastVersion" if taken else "Version")


class Nouns:
    """The component schemas of every noun."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def all(self) -> dict[str, Schema]:
        found: dict[str, Schema] = {}
        for resource in self.catalogue:
            made = self.of(resource)
            assert found.keys().isdisjoint(made), f"{resource.plural} takes the name of another schema"
            found |= made
        return found

    def of(self, resource: Resource) -> dict[str, Schema]:
        name = class_name(resource.name)
        found = {name: self.record(resource), f"{name}Page": self.page(resource)}
        if groupable(resource, "admin"):
            found[f"{name}Board"] = self.board(resource)
        found[f"{name}Filter"] = self.filter(resource)
        found[f"{name}Query"] = self.query(resource)
        if "create" in resource.operations:
            found[f"{name}Create"] = self.create(resource)
        if "update" in resource.operations:
            found[f"{name}Patch"] = self.patch(resource)
        if "upsert" in resource.operations:
            found |= self.upsert(resource)
        for child in resource.children:
            found[child_name(resource, child)] = self.child(child)
            found[f"{child_name(resource, child)}Row"] = self.child_row(child)
        if resource.tracked:
            past = past_name(self.catalogue, resource)
            found[past] = self.version(resource)
            found[f"{past}Page"] = page_of(past, f"Versions of {resource.plural}.")
        return found

    def record(self, resource: Resource) -> Schema:
        properties = {x.name: read_field(x) for x in resource.all_fields}
        hidden = {x.name for x in resource.all_fields if x.read_roles is not None}
        required = [x.name for x in resource.all_fields if x.name not in hidden]
        for relation in resource.relations.values():
            target = self.catalogue[relation.target]
            properties[relation.name] = {
                "anyOf": [ref(class_name(target.name)), ref("Label"), {"type": "null"}],
                "description": f"With `expand={relation.name}`: the {target.title.lower()}; its label only where you "
                "may not see it.",
            }
        for child in resource.children:
            properties[child.name] = array(
                ref(child_name(resource, child)),
                description=f"With `expand={child.name}`: {child.description}",
            )
        for listing in resource.listings:
            properties[listing.name] = array(
                ref(class_name(self.catalogue[listing.target].name)),
                description=f"With `expand={listing.name}`: {listing.description}",
            )
        example = {x.name: x.example for x in resource.all_fields} | {"deleted_at": None}
        return obj(properties, required=required, description=resource.description, example=example)

    def page(self, resource: Resource) -> Schema:
        return page_of(class_name(resource.name), f"A page of {resource.plural}.", total=True)

    def board(self, resource: Resource) -> Schema:
        amount: Schema = {
            "type": ["number", "string", "null"], "description": "In the home currency; null where none has a price.",
            "examples": [4514],
        }  # fmt: skip
        group = obj(
            {
                "key": {"type": ["string", "boolean", "null"], "description": "The value that they share.",
                        "examples": [ID_EXAMPLE]},
                "label": {"type": ["string", "null"], "examples": ["Proposal"]},
                "count": {"type": "integer", "examples": [12]},
                **dict.fromkeys(resource.amounts, amount),
                "data": array(ref(class_name(resource.name))),
                "next_cursor": {"type": ["string", "null"],
                                "description": "For `cursor=` of the list that is filtered to this column."},
            },
            required=["key", "label", "count", *resource.amounts, "data", "next_cursor"],
            description="A column.", example={"key": ID_EXAMPLE, "label": "Proposal", "count": 0, "data": []},
        )  # fmt: skip
        return obj(
            {
                "groups": array(group),
                "has_more": {"type": "boolean", "description": "Whether there are smaller groups beyond these."},
            },
            required=["groups", "has_more"], description=f"A board of {resource.plural}.",
            example={"groups": [], "has_more": False},
        )  # fmt: skip

    def create(self, resource: Resource) -> Schema:
        fields = [x for x in resource.fields if x.write != "never"]
        properties = {x.name: written_field(x, required=x.required) for x in fields}
        properties |= self._children(resource, merge=False) | _names()
        return obj(
            properties,
            required=[x.name for x in fields if x.required],
            description=f"A new {resource.title.lower()}. What is left out is null or its default.",
            example={x.name: x.example for x in fields},
        )

    def patch(self, resource: Resource) -> Schema:
        fields = [x for x in resource.fields if x.write == "always"]
        properties = {x.name: without_default(written_field(x, required=False)) for x in fields}
        properties |= self._children(resource, merge=True) | _names()
        return obj(
            properties,
            description="A JSON merge patch: what is absent stays, null clears, a list that is present replaces the "
            "stored one.",
            example={x.name: x.example for x in fields[:1]},
        )

    def upsert(self, resource: Resource) -> dict[str, Schema]:
        name = class_name(resource.name)
        fields = [x for x in resource.fields if x.write != "never"]
        values = {x.name: without_default(written_field(x, required=False)) for x in fields}
        external_id: Schema = {
            "type": "string", "minLength": 1, "maxLength": 255, "examples": ["006Ab00000AbCdE"],
            "description": "The record's id at the source.",
        }  # fmt: skip
        row = {
            "external_id": external_id,
            "url": {
                "type": ["string", "null"],
                "maxLength": 2000,
                "description": "Where the source shows it.",
            },
            "if_version": {
                "type": "integer",
                "description": "Refuse the row unless the record is at this version.",
            },
            "source_updated_at": {
                "type": ["string", "null"],
                "description": SOURCE_UPDATED_AT,
                "examples": ["2026-03-31T16:30:00Z"],
            },
            **(
                {"deleted": {"type": "boolean", "description": DELETED}}
                if "delete" in resource.operations
                else {}
            ),
            **(
                {
                    "merged_into": {
                        "type": ["string", "null"],
                        "minLength": 1,
                        "maxLength": 320,
                        "description": MERGED_INTO,
                        "examples": ["salesforce:001Ab00000AbCdE"],
                    }
                }
                if aliases.mergeable(resource)
                else {}
            ),
            **values,
            **self._children(resource, merge=True),
        }
        found: dict[str, Schema] = {}
        if resource.takes_past:
            row["history"] = array(
                ref(f"{name}HistoryPoint"),
                maxItems=1000,
                description="How it came to be: fields and since when.",
            )
            at = {"type": "string", "description": "Since when.", "examples": ["2026-01-12T09:00:00Z"]}
            found[f"{name}HistoryPoint"] = obj(
                {"at": at, **values},
                required=["at"],
                description="From this moment on, these fields had these values.",
                example={"at": "2026-01-12T09:00:00Z"} | {x.name: x.example for x in fields[:2]},
            )
        example = {"external_id": "006Ab00000AbCdE"} | {x.name: x.example for x in fields[:3]}
        found[f"{name}UpsertRow"] = obj(
            row,
            required=["external_id"],
            description=f"One {resource.title.lower()} by its id at the source; absent leaves, null clears.",
            example=example,
        )
        found[f"{name}Upsert"] = obj(
            {
                "source": {"type": "string", "pattern": "^[a-z0-9_]{1,60}$", "examples": ["salesforce"]},
                "rows": array(ref(f"{name}UpsertRow"), maxItems=10_000),
            },
            required=["rows"],
            description="Records of one source. `source` may also stand in the query.",
            example={"source": "salesforce", "rows": [example]},
        )
        found[f"{name}Receipt"] = receipt(resource)
        found[f"{name}Receipts"] = obj(
            {"counts": ref("Counts"), "rows": array(ref(f"{name}Receipt"))},
            required=["counts", "rows"],
            description="What became of each row, in the order in which they came.",
        )
        return found

    def child(self, child: Child) -> Schema:
        own: Schema = {"type": "string", "format": "uuid", "examples": [ID_EXAMPLE], "readOnly": True}
        properties = {"id": own, **{x.name: read_field(x) for x in child.fields}}
        for field in child.fields:
            if field.relation and field.target:
                properties[field.relation] = {
                    "anyOf": [
                        ref("Label"),
                        ref(class_name(self.catalogue[field.target].name)),
                        {"type": "null"},
                    ]
                }
        return obj(properties, required=["id", *child.by_name], description=child.description)

    def child_row(self, child: Child) -> Schema:
        return obj(
            {x.name: written_field(x, required=x.required) for x in child.fields if x.write != "never"},
            required=[x.name for x in child.fields if x.required],
            description=f"{child.description} Rows are recognised by {' and '.join(child.key)}.",
        )

    def _children(self, resource: Resource, *, merge: bool) -> dict[str, Schema]:
        found: dict[str, Schema] = {}
        for child in resource.children:
            rows = array(
                ref(f"{child_name(resource, child)}Row"), maxItems=500, description=child.description
            )
            found[child.name] = rows
            if merge:
                found[f"{child.name}_merge"] = rows | {
                    "description": f"Adds to `{child.name}` or changes rows of it."
                }
        return found

    def filter(self, resource: Resource) -> Schema:
        name = class_name(resource.name)
        properties: dict[str, Schema] = {
            "and": array(ref(f"{name}Filter"), description="All of these."),
            "or": array(ref(f"{name}Filter"), description="At least one of these."),
            "not": ref(f"{name}Filter"),
        }
        for field in resource.all_fields:
            if field.operators:
                value = compared(field)
                # A list asks for one of its values, null for none at all.
                properties[field.name] = {
                    "anyOf": [value, array(value), ref(condition_name(field)), {"type": "null"}],
                    "description": field.description,
                }
        if CUSTOM in resource.by_name:
            properties[CUSTOM] = {
                "type": "object",
                "additionalProperties": True,
                "description": "By name of a field that the tenant has added: a value, or operators on one.",
            }
        for relation in resource.relations.values():
            properties[relation.name] = ref(f"{class_name(self.catalogue[relation.target].name)}Filter")
        for listing in resource.listings:
            properties[listing.name] = ref(f"{class_name(self.catalogue[listing.target].name)}Filter")
        for child in resource.children:
            properties[child.name] = {
                "type": "object",
                "description": f"One of its {child.name} meets all of this.",
            }
        first = next(x for x in resource.fields if x.operators)
        # A path with a dot, say `stage.category`, is taken as well.
        return obj(
            properties,
            description=f"Conditions on {resource.plural}.",
            example={first.name: first.example},
            additionalProperties=True,
        )

    def query(self, resource: Resource) -> Schema:
        from app.faces.rest.question import Question

        own = Question.model_json_schema()["properties"]
        properties = {k: {a: b for a, b in v.items() if a != "title"} for k, v in own.items()}
        properties["filter"] = {"anyOf": [ref(f"{class_name(resource.name)}Filter"), {"type": "null"}]}
        if not resource.tracked:
            del properties["as_of"], properties["known_at"]
        if not resource.search:
            del properties["q"]
        first = next(x for x in resource.fields if x.operators)
        sortable = {x.name for x in resource.all_fields if x.sortable}
        sort = next(x for x in resource.default_sort if x.lstrip("-") in sortable)
        return obj(
            properties,
            description=f"A question about {resource.plural}.",
            example={
                "filter": {first.name: first.example},
                "sort": [sort],
                "limit": 50,
            },
        )

    def version(self, resource: Resource) -> Schema:
        base = history_schema()
        for field in resource.fields:
            base["properties"].setdefault(field.name, read_field(field))
        return base | {
            "description": f"A version of a {resource.title.lower()}.",
            "additionalProperties": True,
        }


def history_schema() -> Schema:
    moment = {"type": ["string", "null"], "examples": [MOMENT_EXAMPLE]}
    return obj(
        {
            "record_id": {"type": "string", "format": "uuid", "examples": [ID_EXAMPLE]},
            "valid_from": moment | {"description": "Since when it was so; null: ever since."},
            "valid_to": moment | {"description": "Until when; null: still."},
            "recorded_at": moment | {"description": "When we learnt it."},
            "superseded_at": moment | {"description": "When we learnt better; null: it stands."},
            "is_current": {"type": "boolean", "examples": [True]},
            "inferred": {
                "type": "boolean",
                "examples": [False],
                "description": "Nobody told us so; it follows.",
            },
            "changed": array({"type": "string"}, examples=[["stage_id"]]),
        },
        required=[
            "valid_from",
            "valid_to",
            "recorded_at",
            "superseded_at",
            "is_current",
            "inferred",
            "changed",
        ],
    )


COUNTS_EXAMPLE = {"created": 1, "updated": 0, "unchanged": 0, "restored": 0, "deleted": 0, "failed": 0}


def receipt(resource: Resource) -> Schema:
    return obj(
        {
            "index": {"type": "integer", "examples": [0], "description": "Which row of the request."},
            "external_id": {"type": ["string", "null"], "examples": ["006Ab00000AbCdE"]},
            "id": {"type": ["string", "null"], "format": "uuid", "examples": [ID_EXAMPLE]},
            "outcome": {"type": "string", "enum": list(COUNTS_EXAMPLE), "examples": ["updated"]},
            "version": {"type": ["integer", "null"], "examples": [2]},
            "changed": array({"type": "string"}, examples=[[resource.fields[0].name]], description="Changed fields."),
            "reason": {"type": ["string", "null"], "description": "Why nothing changed, where there is more to say."},
            "error": {"anyOf": [ref("RowError"), {"type": "null"}]},
        },
        required=["index", "external_id", "id", "outcome", "version", "changed", "reason", "error"],
        description="What became of one row.",
    )  # fmt: skip


def page_of(name: str, description: str, *, total: bool = False) -> Schema:
    cursor = {"type": ["string", "null"]}
    properties: dict[str, Schema] = {
        "data": array(ref(name)),
        "has_more": {"type": "boolean", "description": "Whether there are more behind this page."},
        "next_cursor": cursor | {"description": "For `cursor=`; null on the last page."},
        "previous_cursor": cursor | {"description": "For `before=`; null on the first page."},
    }
    if total:
        properties["total"] = {
            "type": ["integer", "null"],
            "description": "With `include=total`: all that match.",
        }
        properties["tombstones"] = array(
            ref("Tombstone"), description="With `changes_since`: records to drop. None of them is in `data`."
        )
    return obj(
        properties,
        required=["data", "has_more", "next_cursor", "previous_cursor"],
        description=description,
        example={"data": [], "has_more": False, "next_cursor": None, "previous_cursor": None},
    )


def without_default(schema: Schema) -> Schema:
    return {k: v for k, v in schema.items() if k != "default"}


def _names() -> dict[str, Schema]:
    return {
        "external_ids": array(
            ref("ExternalId"), maxItems=20, description="Names that sources give this record."
        )
    }


def compared(field: Field) -> Schema:
    """What a condition on the field compares with."""
    schema = scalar(field)
    if field.kind in ("id", "reference", "moment"):
        schema = {"type": "string"}
    return schema


def condition_name(field: Field) -> str:
    return f"{class_name(field.kind)}Condition"


def conditions(catalogue: Catalogue) -> dict[str, Schema]:
    """One schema for each kind of field: the operators that it takes."""
    found: dict[str, Schema] = {}
    for resource in catalogue:
        for field in resource.all_fields:
            if field.operators:
                found.setdefault(condition_name(field), _condition(field))
    return found


def _condition(field: Field) -> Schema:
    value = {"type": "string"} if field.kind == "choice" else compared(field)
    properties: dict[str, Schema] = {}
    for operator in field.operators:
        if operator in ("in", "nin"):
            properties[operator] = array(value)
        elif operator == "is_null":
            properties[operator] = {"type": "boolean"}
        elif operator in ("contains", "starts_with", "in_period"):
            properties[operator] = {"type": "string"}
        else:
            properties[operator] = nullable(value) if operator in ("eq", "ne") else value
    return obj(
        properties,
        description=f"Operators on a {field.kind}.",
        example={field.operators[0]: field.example},
    )
