"""Examples made whole: what a schema demands and its example leaves out is filled in from the declarations.

Validators, mock servers and documentation take an example for a valid value, so a partial one is a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.faces.rest.operation import Schema

_TEXTS = {
    "uuid": "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10",
    "date": "2026-03-31",
    "date-time": "2026-03-31T16:30:00Z",
}
_PLAIN: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1,
    "boolean": False,
    "array": [],
    "object": {},
}


def completed(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """The components again, every example of an object holding at least what its schema requires."""
    return {name: _completed(schema, schemas) for name, schema in schemas.items()}


def _completed(schema: Any, schemas: Mapping[str, Schema]) -> Any:
    if isinstance(schema, list):
        return [_completed(x, schemas) for x in schema]
    if not isinstance(schema, dict):
        return schema
    made = {k: v if k in ("example", "examples") else _completed(v, schemas) for k, v in schema.items()}
    if isinstance(made.get("example"), dict):
        made["example"] = _whole(made, schemas)
    return made


def _whole(schema: Schema, schemas: Mapping[str, Schema]) -> dict[str, Any]:
    found = dict(schema.get("example", {}))
    for name in schema.get("required", ()):
        if name not in found:
            found[name] = _value(schema["properties"][name], schemas)
    return found


def _value(schema: Schema, schemas: Mapping[str, Schema]) -> Any:
    if "$ref" in schema:
        return _whole(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "example" in schema:
        return schema["example"]
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return None if {"type": "null"} in schema["anyOf"] else _value(schema["anyOf"][0], schemas)
    kind = schema["type"]
    if isinstance(kind, list):
        return None if "null" in kind else _value(schema | {"type": kind[0]}, schemas)
    if kind == "object" and "properties" in schema:
        return _whole(schema, schemas)
    if kind == "array" and "$ref" in schema["items"]:
        return [_value(schema["items"], schemas)]
    return _TEXTS.get(schema.get("format", ""), _PLAIN[kind])
