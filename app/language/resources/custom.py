"""The fields that a tenant has added to a noun: what they may hold, and where they lie.

A record keeps them together in one column, JSON by name, and is read with all that are declared. While a write is at
work each is a field of its own, `custom.tier`, so that what holds of a field (merging, history, receipts) holds of it.
Of a declared kind only such values are ever stored, so reading one as its kind cannot fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import BigInteger, Boolean, Date, Numeric, Text, bindparam, cast, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.access.custom import Custom
from app.ground.access.principal import Principal
from app.ground.database.tables import MOMENT
from app.ground.errors import did_you_mean
from app.language.query.binds import Binds
from app.language.resources.batch import Batch, Draft, Point, Version
from app.language.resources.fields import CUSTOM, Field, KindName
from app.language.resources.payload import annotation, faults, instant
from app.language.resources.resource import Resource

PREFIX = f"{CUSTOM}."
LONGEST_TEXT = 2000

_SQL_TYPES: dict[str, Any] = {
    "integer": BigInteger(), "number": Numeric(), "flag": Boolean(), "day": Date(), "moment": MOMENT,
}  # fmt: skip
_BOUND = 10**15 - 1


# -- as fields ---------------------------------------------------------------------------------------------------------


def field(name: str, kind: KindName) -> Field:
    whole = kind == "integer"
    return Field(
        name=name, kind=kind, description="", example=None,
        max_length={"text": LONGEST_TEXT, "picklist": 120}.get(kind),
        minimum=-_BOUND if whole else None, maximum=_BOUND if whole else None,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def fields(custom: Custom, plural: str) -> Mapping[str, Field]:
    return {name: field(name, kind) for name, kind in custom.of(plural).items()}  # pyright: ignore[reportArgumentType]


def unknown(resource: Resource, name: str, known: Iterable[str]) -> str:
    return f'{resource.title} has no custom field "{name[:80]}".{did_you_mean(name, known)}'


# -- written -----------------------------------------------------------------------------------------------------------


@cache
def _check(kind: KindName) -> TypeAdapter[Any]:
    return TypeAdapter(annotation(field("value", kind)))


def check(batch: Batch) -> None:
    """Every value as it is stored; what is not declared, or not of its kind, refuses its row."""
    for draft in batch.standing:
        if CUSTOM in draft.changes:
            _take(batch, draft, draft.changes, "")
        for index, point in enumerate(draft.changes.get("history") or ()):
            if CUSTOM in point:
                _take(batch, draft, point, f"history/{index}/")


def _take(batch: Batch, draft: Draft, holder: dict[str, Any], path: str) -> None:
    given = holder[CUSTOM]
    if given is None and not path:
        return
    if given is None:
        draft.refuse(f"{path}{CUSTOM}", "invalid_value", "Name the fields that were cleared then.")
        return
    known = fields(batch.principal.tenant.custom, batch.resource.plural)
    taken = holder[CUSTOM] = dict(given)
    for name, value in given.items():
        place = f"{path}{CUSTOM}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in known:
            draft.refuse(place, "unknown_field", unknown(batch.resource, name, known))
        elif value is not None:
            try:
                typed = _check(known[name].kind).validate_python(value)
            except ValidationError as error:
                [fault, *_] = faults(error, {})
                draft.refuse(place, fault.code, fault.message)
            else:
                taken[name] = _stored(known[name], typed, batch.principal)


def _stored(field: Field, value: Any, principal: Principal) -> Any:
    """As JSON, each value in one form, so that the same value is the same text."""
    match field.kind:
        case "number":
            assert isinstance(value, Decimal)
            return int(value) if value == value.to_integral_value() else float(value)
        case "day":
            assert isinstance(value, date)
            return value.isoformat()
        case "moment":
            return _moment(instant(value, principal))
        case _:
            return value


def _moment(value: datetime) -> str:
    """As PostgreSQL writes one: UTC, and no more of a second than there is."""
    text = value.astimezone(UTC).isoformat()
    head, point, rest = text.partition(".")
    return head + (f".{rest.removesuffix('+00:00').rstrip('0')}+00:00" if point else "")


# -- spread out while a write is at work -------------------------------------------------------------------------------


def spread(batch: Batch) -> None:
    """Take the values apart, where any row has or sets some."""
    names: set[str] = set()
    if CUSTOM not in batch.resource.stored_names:
        return
    declared = batch.principal.tenant.custom.of(batch.resource.plural)
    for draft in batch.standing:
        stored = draft.before[CUSTOM] if draft.before is not None else None
        if CUSTOM in draft.changes:
            if draft.changes[CUSTOM] is None:
                draft.changes[CUSTOM] = {name: None for name in stored or () if name in declared}
            draft.changes = flat(draft.changes)
            names.update(draft.changes)
        for index, point in enumerate(draft.history):
            if CUSTOM in point.changes:
                changes = flat(point.changes)
                draft.history[index] = Point(point.at, changes, point.inferred, point.life)
                names.update(changes)
        if stored:
            names.update(PREFIX + name for name in stored)
    _widen(batch, names)


def _widen(batch: Batch, names: Iterable[str]) -> None:
    """Every row that is stored has each of these names, filled or not."""
    more = {name for name in names if name.startswith(PREFIX)}.difference(batch.custom)
    if not more:
        return
    batch.custom = tuple(sorted({*batch.custom, *more}))
    unset = dict.fromkeys(batch.custom)
    for draft in batch.standing:
        if draft.before is not None:
            draft.before = unset | flat(draft.before)


def complete(batch: Batch, versions: Iterable[Version], points: Iterable[Point]) -> None:
    """Also names of the past that no row has now."""
    versions = list(versions)
    _widen(
        batch, {name for x in versions for name in x.values} | {name for x in points for name in x.changes}
    )
    for version in versions:
        for name in batch.custom:
            version.values.setdefault(name, None)


def gather(batch: Batch) -> None:
    if batch.custom:
        for draft in batch.standing:
            if draft.outcome != "unchanged":
                draft.after[CUSTOM] = together(draft.after)


def gaps(
    declared: Iterable[str], mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """What a record says of these fields, and where it says nothing another one; empty where that adds none."""
    own, other = mine[CUSTOM] or {}, theirs[CUSTOM] or {}
    both = {name: value for name, value in (other | own).items() if name in declared}
    return {CUSTOM: both} if both.keys() - own.keys() else {}


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"custom": {"tier": "gold"}}` as `{"custom.tier": "gold"}`."""
    found = dict(values)
    for name, value in (found.pop(CUSTOM, None) or {}).items():
        found[PREFIX + name] = value
    return found


def together(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is filled of them, as it is stored."""
    found = {
        name.removeprefix(PREFIX): value
        for name, value in values.items()
        if value is not None and name.startswith(PREFIX)
    }
    return found or None


def nested(changes: Mapping[str, Any]) -> dict[str, Any]:
    """`flat` undone; what is cleared stays so."""
    found = {name: value for name, value in changes.items() if not name.startswith(PREFIX)}
    if len(found) < len(changes):
        found[CUSTOM] = {
            name.removeprefix(PREFIX): value for name, value in changes.items() if name.startswith(PREFIX)
        }
    return found


# -- read --------------------------------------------------------------------------------------------------------------


def shown(resource: Resource, record: FromClause, binds: Binds) -> ColumnElement[Any]:
    """Every field that is declared, null where it has no value; where none is, nothing is looked at."""
    if resource.plural not in binds.custom:
        return literal_column("'{}'::json")
    unset = bindparam(f"unset_{resource.plural}", type_=JSONB(), required=True)
    retired = bindparam(f"retired_{resource.plural}", type_=ARRAY(Text()), required=True)
    return func.coalesce(unset.concat(record.c[CUSTOM].op("-", return_type=JSONB())(retired)), unset)


def value(record: FromClause, name: ColumnElement[str], kind: str) -> ColumnElement[Any]:
    """The name is a value of the statement and not of its text, so that tenants share the text."""
    text = record.c[CUSTOM].op("->>", return_type=Text())(name)
    return cast(text, _SQL_TYPES[kind]) if kind in _SQL_TYPES else text
