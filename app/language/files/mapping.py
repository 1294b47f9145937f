"""From a file's columns to the fields of a row as an upsert takes it.

A mapping says for each column which field it is, and where needed how its text is to be read: a table of values, whose
ids a reference holds, how days and numbers are written. What it does not say follows from the kind of the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_type_hints
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.ground.access.custom import Custom
from app.ground.access.principal import Tenant
from app.ground.errors import FieldError, Invalid, did_you_mean
from app.language.files.safety import restored
from app.language.resources.custom import PREFIX
from app.language.resources.fields import CUSTOM
from app.language.resources.payload import SOURCE, payloads
from app.language.resources.resource import Resource


class ImportColumn(BaseModel):
    """What a column of the file is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    field: str = Field(max_length=100, description="The field of the noun.", examples=["stage_id"])
    values: dict[str, Any] | None = Field(
        default=None, max_length=10_000, description="What stands in the file, and what is meant by it.",
        examples=[{"Closed Won": "salesforce:won"}],
    )  # fmt: skip
    otherwise: Literal["keep", "null", "error"] = Field(
        default="error", description="What becomes of a text that `values` does not name."
    )
    reference: str | None = Field(
        default=None, pattern=f"^{SOURCE.pattern}$", examples=["salesforce"],
        description="Whose ids the column holds: the cell becomes `<source>:<cell>`.",
    )  # fmt: skip
    format: str | None = Field(
        default=None, max_length=60, examples=["%d.%m.%Y"],
        description="How a day or moment is written, in the letters of strptime; ISO 8601 when left out.",
    )  # fmt: skip
    decimal: Literal[".", ","] = Field(default=".", description="What stands before the decimals.")
    thousands: Literal["", ".", ",", " ", "'"] = Field(
        default="", description="What stands between thousands."
    )
    empty: Literal["null", "leave"] = Field(
        default="null", description="An empty cell clears the field, or leaves what is stored."
    )


_TRUE, _FALSE = frozenset({"true", "yes", "y", "1", "t"}), frozenset({"false", "no", "n", "0", "f"})
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?|[+-]?\.\d+")
_LEAVE = object()


class _Unreadable(Exception):
    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message


Convert = Callable[[str], Any]


@dataclass(slots=True)
class Mapped:
    """A row for the upsert, or why it is none. `columns` leads back from a field to the column it came from."""

    row: dict[str, Any]
    errors: list[tuple[str | None, FieldError]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """A mapping that fits the header: cells by their place, each with its field and how it is read."""

    cells: tuple[tuple[int, str, str, Convert], ...]
    constants: Mapping[str, Any]
    column_of: Mapping[str, str]
    ignored: tuple[str, ...]

    def mapped(self, values: Sequence[str]) -> Mapped:
        found = Mapped(filled(self.constants))
        for index, column, name, convert in self.cells:
            try:
                value = convert(values[index])
            except _Unreadable as why:
                found.errors.append((column, FieldError(f"/{name}", why.code, why.message)))
                continue
            if value is not _LEAVE:
                put(found.row, name, value)
        return found


def put(row: dict[str, Any], name: str, value: Any) -> None:
    """A row holds the fields that the tenant has added as an object of their own."""
    if name.startswith(PREFIX):
        row[CUSTOM] = (row.get(CUSTOM) or {}) | {name.removeprefix(PREFIX): value}
    else:
        row[name] = value


def filled(constants: Mapping[str, Any]) -> dict[str, Any]:
    """What a row holds before any of its cells is read."""
    row: dict[str, Any] = {}
    for name, value in constants.items():
        put(row, name, value)
    return row


def named(pointer: str) -> str:
    """The field that a fault is about: `/splits/0/share` is of `splits`, `/custom/tier` of `custom.tier`."""
    _, *parts = pointer.split("/")
    return ".".join(parts[:2] if parts[:1] == [CUSTOM] else parts[:1])


def targets(resource: Resource, custom: Custom) -> list[str]:
    """What a row of the noun may hold."""
    return [*get_type_hints(payloads(resource).row), *(PREFIX + name for name in custom.of(resource.plural))]


def plan(
    resource: Resource,
    header: Sequence[str],
    mapping: Mapping[str, str | ImportColumn | None] | None,
    constants: Mapping[str, Any],
    *,
    source: str,
    tenant: Tenant,
    restore: bool,
) -> Plan:
    """Raises Invalid where the mapping names a column that the file has not, or two columns for one field.

    Without a mapping a column is the field of its name, and other columns are ignored.
    """
    known = targets(resource, tenant.custom)
    named = mapping if mapping is not None else {name: name for name in header if name in known}
    errors: list[FieldError] = []
    column_of: dict[str, str] = {}
    cells: list[tuple[int, str, str, Convert]] = []
    for column, said in named.items():
        if said is None:
            continue
        spec = ImportColumn(field=said) if isinstance(said, str) else said
        pointer = f"/mapping/{column}"
        if header.count(column) != 1:
            what = "no column" if column not in header else "several columns"
            hint = did_you_mean(column, header)
            errors.append(
                FieldError(pointer, "unknown_column", f'The file has {what} "{column[:80]}".{hint}')
            )
        elif spec.field in column_of or spec.field in constants:
            errors.append(FieldError(pointer, "repeated", f"`{spec.field}` is given twice."))
        else:
            column_of[spec.field] = column
            convert = _reading(resource, spec, source, tenant, restore)
            cells.append((header.index(column), column, spec.field, convert))
    if errors:
        raise Invalid("The mapping does not fit the file.", code="mapping_misfit", errors=errors)
    ignored = tuple(name for name in header if name not in column_of.values())
    if "external_id" not in column_of:
        raise Invalid(
            "No column is the `external_id`, by which a row is known again.", code="mapping_misfit",
            errors=[FieldError("/mapping", "required", "Say which column is `external_id`.")],
        )  # fmt: skip
    return Plan(tuple(cells), constants, column_of, ignored)


def check(
    resource: Resource,
    mapping: Mapping[str, str | ImportColumn | None] | None,
    constants: Mapping[str, Any],
    custom: Custom,
) -> None:
    """What can be said of a mapping before the file is there."""
    known = targets(resource, custom)
    errors = [
        FieldError(
            pointer, "unknown_field", f'There is no field "{name[:80]}" to write.{did_you_mean(name, known)}'
        )
        for pointer, name in (
            *(
                (f"/mapping/{column}", said if isinstance(said, str) else said.field)
                for column, said in (mapping or {}).items()
                if said is not None
            ),
            *((f"/constants/{name}", name) for name in constants),
        )
        if name not in known
    ]
    if errors:
        raise Invalid("The mapping names fields that are not there.", code="mapping_misfit", errors=errors)


def _reading(resource: Resource, spec: ImportColumn, source: str, tenant: Tenant, restore: bool) -> Convert:
    read = _of_kind(resource, spec, source, tenant)
    empty = _LEAVE if spec.empty == "leave" else None
    values, otherwise = spec.values, spec.otherwise

    def convert(cell: str) -> Any:
        if restore:
            cell = restored(cell)
        if values is not None:
            if cell in values:
                return values[cell]
            if cell and otherwise == "null":
                return None
            if cell and otherwise == "error":
                raise _Unreadable("not_in_list", f'"{cell[:80]}" is none of the values of the mapping.')
        return read(cell) if cell else empty

    return convert


def _of_kind(resource: Resource, spec: ImportColumn, source: str, tenant: Tenant) -> Convert:
    declared, added = resource.by_name.get(spec.field), tenant.custom.of(resource.plural)
    kind: str = declared.kind if declared else ("json" if _is_list(resource, spec.field) else "text")
    if spec.field.startswith(PREFIX):
        kind = added.get(spec.field.removeprefix(PREFIX), kind)
    if spec.field == "if_version":
        kind = "integer"
    elif spec.field == "source_updated_at":
        kind = "moment"
    elif spec.field == "deleted":
        kind = "flag"
    elif spec.field == "merged_into":
        kind = "reference"
    match kind:
        case "reference":
            return lambda cell: _reference(cell, spec.reference, source)
        case "money" | "number":
            return lambda cell: _number(cell, spec)
        case "integer":
            return lambda cell: _integer(_number(cell, spec))
        case "flag":
            return _flag
        case "day":
            return lambda cell: _moment(cell, spec.format).date().isoformat() if spec.format else cell.strip()
        case "moment":
            return lambda cell: _stamped(cell, spec.format, tenant.zone)
        case "json" | "numbers" | "question" | "custom":
            return _json
        case _:
            return lambda cell: cell


def _is_list(resource: Resource, name: str) -> bool:
    return name == "history" or name.removesuffix("_merge") in resource.children_by_name


def _reference(cell: str, named: str | None, source: str) -> str:
    cell = cell.strip()
    if named is not None:
        return f"{named}:{cell}"
    if cell == "me" or (":" in cell and SOURCE.fullmatch(cell.partition(":")[0])):
        return cell
    try:
        UUID(cell)
    except ValueError:
        return f"{source}:{cell}"
    return cell


def _number(cell: str, spec: ImportColumn) -> str:
    text = cell.strip().replace("\u00a0", " ")
    if spec.thousands:
        text = text.replace(spec.thousands, "")
    if spec.decimal == ",":
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text):
        raise _Unreadable("not_a_number", f'"{cell[:80]}" is no number as the mapping says they are written.')
    return text


def _integer(text: str) -> int:
    if len(text) > 20 or not text.lstrip("+-").isdecimal():
        raise _Unreadable("not_a_number", "Must be a whole number.")
    return int(text)


def _flag(cell: str) -> bool:
    word = cell.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise _Unreadable("not_a_flag", f'"{cell[:80]}" is neither true nor false.')


def _moment(cell: str, format_: str) -> datetime:
    try:
        return datetime.strptime(cell.strip(), format_)
    except ValueError:
        raise _Unreadable("not_a_moment", f'"{cell[:80]}" is not written as {format_}.') from None


def _stamped(cell: str, format_: str | None, zone: ZoneInfo) -> str:
    """What says no offset is of the tenant's zone; a day stays one, which the write path takes for its beginning."""
    text = cell.strip()
    if format_:
        moment = _moment(text, format_)
    else:
        if len(text) <= 10:
            return text
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _Unreadable("not_a_moment", f'"{cell[:80]}" is no moment.') from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()


def _json(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        raise _Unreadable("malformed_json", "Must be JSON.") from None
