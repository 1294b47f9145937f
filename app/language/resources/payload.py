"""What a caller may send for a noun: typed dictionaries built from its declaration, checked by Pydantic.

A typed dictionary keeps the difference between a field that is absent and one that is null without a second pass, and
its JSON schema is what the contract shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)  # fmt: skip
from pydantic import (
    Field as Described,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from app.ground import money
from app.ground.access.principal import Principal
from app.ground.errors import FieldError, did_you_mean
from app.language.query import periods
from app.language.resources import aliases
from app.language.resources.fields import Field
from app.language.resources.resource import Child, Resource

SOURCE = re.compile(r"[a-z0-9_]{1,60}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _clean(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("bad_character", "may not contain the character U+0000")
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise PydanticCustomError("not_a_number", "must be a number")
    try:
        # A float's shortest form is what the caller wrote, for every number of up to 15 digits.
        return Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, ValueError):
        raise PydanticCustomError("not_a_number", "must be a number") from None


def _amount(value: Any) -> Decimal:
    amount = _decimal(value)
    if why := money.fault(amount):
        raise PydanticCustomError("amount_digits", "{why}", {"why": why})
    return amount


def _number(field: Field) -> Any:
    decimals = 10 if field.name == "rate" else 4 if field.kind == "numbers" else 6

    def check(value: Any) -> Decimal:
        number = _decimal(value)
        if why := money.fault(number, decimals=decimals):
            raise PydanticCustomError("number_digits", "{why}", {"why": why})
        if field.minimum is not None and number < Decimal(repr(field.minimum)):
            raise PydanticCustomError("too_small", "must be at least {bound}", {"bound": field.minimum})
        if field.maximum is not None and number > Decimal(repr(field.maximum)):
            raise PydanticCustomError("too_large", "must be at most {bound}", {"bound": field.maximum})
        return number

    return check


def _listed(field: Field) -> Any:
    """A number of a list as JSON keeps it: whole where it is, so that what was stored compares as what is sent."""
    read = _number(field)

    def check(value: Any) -> int | float:
        number = read(value)
        whole = int(number)
        return whole if whole == number else float(number)

    return check


def _day(value: Any) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise PydanticCustomError("not_a_day", "must be a day written YYYY-MM-DD")


def parse_moment(value: Any) -> datetime | date:
    """A moment with its offset, or a day, which the caller turns into its start in the tenant's zone."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if isinstance(value, str) and len(value) <= 40:
        try:
            moment = _day(value) if _DAY.fullmatch(value) else datetime.fromisoformat(value)
        except ValueError:
            moment = None
        # In any zone a moment that Python and PostgreSQL both know, and none that stands for infinity.
        if (
            moment is not None
            and 1 < moment.year < 9999
            and not (isinstance(moment, datetime) and moment.tzinfo is None)
        ):
            return moment
    raise PydanticCustomError(
        "not_a_moment", "must be a moment with its offset, 2026-03-31T16:30:00Z, or a day"
    )


def instant(value: datetime | date, principal: Principal) -> datetime:
    """A day stands for its first moment in the tenant's zone."""
    if isinstance(value, datetime):
        return value
    return periods.midnight(value, principal.tenant.zone)


def _currency(value: str) -> str:
    if value not in money.currencies():
        raise PydanticCustomError(
            "unknown_currency",
            "must be an ISO 4217 code.{hint}",
            {"hint": did_you_mean(value, money.currencies())},
        )
    return value


_AMOUNT_SCHEMA = {"type": "number", "multipleOf": 0.0001, "description": "At most 15 significant digits."}


def annotation(field: Field) -> Any:
    """The type of one field as it is sent; nullability and presence are the payload's business."""
    described = Described(description=field.description, examples=[field.example])
    match field.kind:
        case "money":
            return Annotated[Decimal, BeforeValidator(_amount), WithJsonSchema(_AMOUNT_SCHEMA), described]
        case "number":
            schema: dict[str, Any] = {"type": "number"}
            if field.minimum is not None:
                schema["minimum"] = field.minimum
            if field.maximum is not None:
                schema["maximum"] = field.maximum
            return Annotated[Decimal, BeforeValidator(_number(field)), WithJsonSchema(schema), described]
        case "integer":
            return Annotated[int, Strict(), Described(ge=field.minimum, le=field.maximum), described]
        case "flag":
            return Annotated[bool, Strict(), described]
        case "day":
            schema = {"type": "string", "format": "date"}
            return Annotated[date, BeforeValidator(_day), WithJsonSchema(schema), described]
        case "moment":
            schema = {"type": "string", "description": "RFC 3339, or a day"}
            return Annotated[Any, BeforeValidator(parse_moment), WithJsonSchema(schema), described]
        case "choice":
            return Annotated[Literal[field.values], described]  # pyright: ignore[reportInvalidTypeForm]
        case "json":
            return Annotated[list[Annotated[str, StringConstraints(max_length=120)]], described]
        case "numbers":
            schema = {
                "type": "number",
                "minimum": field.minimum,
                "maximum": field.maximum,
                "multipleOf": 0.0001,
            }
            one = Annotated[Any, BeforeValidator(_listed(field)), WithJsonSchema(schema)]
            return Annotated[list[one], Described(min_length=1, max_length=field.max_length), described]
        case "custom" | "question":
            return Annotated[dict[str, Any], described]
        case "reference":
            bounds = StringConstraints(min_length=1, max_length=320)
            return Annotated[str, Strict(), bounds, AfterValidator(_clean), described]
        case _:
            bounds = StringConstraints(min_length=1 if field.required else 0, max_length=field.max_length)
            check = AfterValidator(_currency if field.currency else _clean)
            return Annotated[str, Strict(), bounds, check, described]


STUB = (
    "True while only this name of the record is known, since another record referred to it (`missing=stub`); a row of "
    "this name completes it. Absent otherwise."
)


MERGED = (
    "True where a record of this name was merged into this one. Its source deletes nothing by it, and changes nothing "
    "while it has another name here. Absent otherwise."
)


class ExternalId(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, title="ExternalId")  # pyright: ignore[reportGeneralTypeIssues]
    source: Annotated[
        str, StringConstraints(pattern=f"^{SOURCE.pattern}$"), Described(examples=["salesforce"])
    ]
    external_id: Annotated[
        str, StringConstraints(min_length=1, max_length=255), Described(examples=["006Ab00000AbCdE"])
    ]
    url: NotRequired[Annotated[str, StringConstraints(max_length=2000)] | None]
    stub: NotRequired[Annotated[bool, Strict(), Described(description=STUB)]]
    merged: NotRequired[Annotated[bool, Strict(), Described(description=MERGED)]]


def typed(name: str, parts: Mapping[str, Any]) -> Any:
    shape: Any = TypedDict(name, dict(parts))  # pyright: ignore[reportArgumentType]
    shape.__pydantic_config__ = ConfigDict(extra="forbid", title=name)
    return shape


def class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _parts(fields: tuple[Field, ...], *, require: bool, creating: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for field in fields:
        if field.write == "never" or (field.write == "create" and not creating):
            continue
        type_ = annotation(field)
        if require and field.required:
            parts[field.name] = Required[type_]
        elif field.required:
            parts[field.name] = NotRequired[type_]
        else:
            parts[field.name] = NotRequired[type_ | None]
    return parts


def child_row(resource: Resource, child: Child) -> Any:
    return typed(
        class_name(resource.name) + class_name(child.singular) + "Row",
        _parts(child.fields, require=True, creating=True),
    )


SOURCE_UPDATED_AT = (
    "When the source last changed it, by the source's own clock. A row that is older than what the source told before "
    "leaves the record unchanged, reason `stale`."
)
DELETED = (
    "True: the source has deleted it, and it is deleted here, softly; nothing else of the row is stored. A later row "
    "without it restores the record."
)


MERGED_INTO = (
    "The record into which the source has merged this one, by id or `source:external_id`: it is merged here as "
    "`:merge` does, and the row's name leads to the survivor; nothing else of the row is stored."
)


@dataclass(frozen=True, slots=True)
class Payloads:
    """The typed dictionaries of a noun's writes, and their validators under the same names with `check_`."""

    create: Any
    patch: Any
    row: Any
    check_create: TypeAdapter[Any]
    check_patch: TypeAdapter[Any]
    check_row: TypeAdapter[Any]


@cache
def payloads(noun: Resource) -> Payloads:
    name = class_name(noun.name)
    children: dict[str, Any] = {}
    merges: dict[str, Any] = {}
    for child in noun.children:
        rows = Annotated[
            list[child_row(noun, child)], Described(max_length=500, description=child.description)
        ]  # pyright: ignore[reportInvalidTypeForm]
        children[child.name] = NotRequired[rows]
        merges[f"{child.name}_merge"] = NotRequired[rows]
    names = {
        "external_ids": NotRequired[
            Annotated[
                list[ExternalId], Described(max_length=20, description="Names that sources give this record.")
            ]
        ]
    }
    create = typed(f"{name}Create", _parts(noun.fields, require=True, creating=True) | children | names)
    patch = typed(
        f"{name}Patch", _parts(noun.fields, require=False, creating=False) | children | merges | names
    )
    row_parts: dict[str, Any] = {
        "external_id": Required[
            Annotated[
                str, Strict(), StringConstraints(min_length=1, max_length=255), AfterValidator(_clean),
                Described(description="The record's id at the source.", examples=["006Ab00000AbCdE"]),
            ]
        ],
        "url": NotRequired[Annotated[str, StringConstraints(max_length=2000)] | None],
        "if_version": NotRequired[Annotated[int, Strict(), Described(description="Refuse the row unless stored so.")]],
        "source_updated_at": NotRequired[
            Annotated[Any, BeforeValidator(parse_moment), Described(description=SOURCE_UPDATED_AT)] | None
        ],
        **({"deleted": NotRequired[Annotated[bool, Strict(), Described(description=DELETED)]]} if "delete" in
           noun.operations else {}),
        **({"merged_into": NotRequired[
            Annotated[
                str, Strict(), StringConstraints(min_length=1, max_length=320), AfterValidator(_clean),
                Described(description=MERGED_INTO, examples=["salesforce:001Ab00000AbCdE"]),
            ] | None
        ]} if aliases.mergeable(noun) else {}),
    } | _parts(noun.fields, require=False, creating=True) | children | merges  # fmt: skip
    if noun.takes_past:
        at = Field(name="at", kind="moment", description="Since when.", example="2026-01-12T09:00:00Z")
        point = typed(
            f"{name}HistoryPoint",
            {"at": Required[annotation(at)]} | _parts(noun.fields, require=False, creating=True),
        )  # fmt: skip
        row_parts["history"] = NotRequired[
            Annotated[
                list[point], Described(max_length=1000, description="How it came to be: fields and since when.")  # pyright: ignore[reportInvalidTypeForm]
            ]
        ]  # fmt: skip
    row = typed(f"{name}UpsertRow", row_parts)
    return Payloads(create, patch, row, TypeAdapter(create), TypeAdapter(patch), TypeAdapter(row))


_CODES = {
    "missing": "required",
    "extra_forbidden": "unknown_field",
    "literal_error": "not_in_list",
    "string_too_long": "too_long",
    "string_too_short": "required",
    "too_long": "too_long",
    "too_short": "required",
}


def faults(error: ValidationError, known: Mapping[str, Any], prefix: str = "") -> list[FieldError]:
    """Pydantic's findings as our errors, with a suggestion for a field that does not exist."""
    found: list[FieldError] = []
    for item in error.errors(include_url=False, include_context=True, include_input=False):
        path = [str(part).replace("~", "~0").replace("/", "~1") for part in item["loc"]]
        code = _CODES.get(item["type"], item["type"] if item["type"] in _OWN else "invalid_value")
        message = item["msg"]
        if item["type"] == "extra_forbidden":
            name = str(item["loc"][-1])
            message = f'There is no field "{name[:80]}" to write here.' + did_you_mean(name, known)
        elif item["type"] == "missing":
            message = "This field is required."
        found.append(FieldError(prefix + "".join(f"/{part}" for part in path), code, message))
    return found


_OWN = {
    "bad_character", "not_a_number", "amount_digits", "number_digits", "too_small", "too_large", "not_a_day",
    "not_a_moment", "unknown_currency",
}  # fmt: skip


def child_names(resource: Resource, data: Mapping[str, Any]) -> list[str]:
    """Which keys of a payload hold children, `line_items` or `line_items_merge`."""
    keys = resource.child_keys
    return [name for name in data if name in keys]


def unusable(external_id: str, resource: Resource) -> str | None:
    """An external id stands in paths, where a verb follows the last colon."""
    if len(external_id) > 255:
        return "An external id has at most 255 characters."
    if "/" in external_id:
        return "An external id may not contain a slash."
    verb = external_id.rpartition(":")[2]
    if ":" in external_id and verb in {
        "restore",
        "upsert",
        "reconcile",
        "query",
        "history",
        *resource.actions_by_name,
    }:
        return f'An external id may not end in ":{verb}".'
    return None
