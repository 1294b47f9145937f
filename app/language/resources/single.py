"""One new record as it is stored: its values are parameters of the row, and what else is stored of it reads the row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from app.ground.database.script import Part
from app.language.resources.resource import Resource

_BOOKKEEPING = ("external_ids", "version", "created_at", "updated_at")


@lru_cache
def _columns(resource: Resource) -> tuple[str, ...]:
    return ("id", *resource.own_columns, *_BOOKKEEPING)


@lru_cache(maxsize=512)
def _row(resource: Resource, stamped: tuple[str, ...]) -> str:
    columns = _columns(resource)
    places = {name: f"${i}" for i, name in enumerate((x for x in columns if x not in stamped), start=2)}
    values = ", ".join(places.get(name, "now()") for name in columns)
    return f"insert into {resource.table.name} (tenant_id, {', '.join(columns)}) values ($1, {values}) returning *"


def row(
    tenant_id: UUID, resource: Resource, values: Mapping[str, Any], *, moment: datetime | None, name: str
) -> Part:
    """`moment`, this very object, is where the statement's own is meant."""
    columns = _columns(resource)
    given = [values.get(x) for x in columns]
    if moment is None:
        return Part(_row(resource, ()), [tenant_id, *given], name)
    stamped = tuple(x for x, value in zip(columns, given, strict=True) if value is moment)
    return Part(_row(resource, stamped), [tenant_id, *(x for x in given if x is not moment)], name)


@lru_cache(maxsize=512)
def _version(resource: Resource, stored: str, stamped: bool) -> str:
    assert resource.history is not None
    names = ", ".join(resource.own_columns)
    since = "updated_at" if stamped else "$6"
    return (
        f"insert into {resource.history.name} (tenant_id, record_id, valid_from, recorded_at, inferred, origin, "
        f"source, actor, changed, {names}) "
        f"select tenant_id, id, {since}, updated_at, $1, $2, $3, $4, $5, {names} from {stored}"
    )


def version(
    resource: Resource, values: Mapping[str, Any], by: tuple[Any, Any, Any], *, moment: datetime | None, stored: str
) -> Part:  # fmt: skip
    """The version that holds from now on. `by` is origin, source and actor."""
    since = values["held_from"]
    stamped = since is moment
    arguments = [values["held_inferred"], *by, values["held_changed"], *([] if stamped else [since])]
    return Part(_version(resource, stored, stamped), arguments)
