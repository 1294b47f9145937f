"""What a noun is made of, for whoever builds a form or an import, and what this caller may do with it."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import String, case, exists, func, literal, not_, select, tuple_
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from app.ground.access.permissions import ACTIONS, demand, permits
from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.database.tables import metadata
from app.ground.errors import NotFound, did_you_mean
from app.language.query.binds import Binds
from app.language.resources import custom
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.resource import Action, Catalogue, Inquiry, Resource

MOST_UNKNOWN = 50


def noun_called(catalogue: Catalogue, name: str) -> Resource:
    """By its plural or its singular."""
    found = catalogue.by_plural.get(name) or catalogue.by_name.get(name)
    if found is None:
        hint = did_you_mean(name, [*catalogue.by_plural, *catalogue.by_name])
        raise NotFound(f'There is no noun "{name[:80]}".{hint}')
    return found


async def describe(
    session: Session, principal: Principal, catalogue: Catalogue, resource: Resource
) -> dict[str, Any]:
    """Fields with their types, operators and picklists, relations, children, verbs, inquiries, and the caller's
    permissions."""
    demand(principal, resource.permission_name, "read")
    offered = await _offered(session, resource)
    unknown = await _unknown(session, principal, resource)
    found = _description(principal, resource, offered, unknown)
    found["inquiries"] = [_verb(x) for x in catalogue.inquiries[resource.plural]]
    return found | {CUSTOM: await _custom(session, resource, offered, unknown)}


async def _custom(
    session: Session, resource: Resource, offered: dict[str, Any], unknown: dict[str, Any]
) -> list[dict[str, Any]]:
    """The fields that the tenant has added, in its order."""
    rows = await session.connection.fetch(
        "select name, kind, title, description from custom_fields"
        " where tenant_id = $1 and noun = $2 and deleted_at is null order by position, name",
        session.tenant_id,
        resource.plural,
    )
    found = []
    for row in rows:
        name = custom.PREFIX + row["name"]
        field = custom.field(name, row["kind"])
        told = {"label": row["title"], "description": row["description"]}
        found.append(_field(field, offered.get(name, []), unknown.get(name, [])) | told)
    return found


def _description(
    principal: Principal, resource: Resource, offered: dict[str, Any], unknown: dict[str, Any]
) -> dict[str, Any]:
    role = principal.role

    def shown(fields: tuple[Field, ...]) -> list[dict[str, Any]]:
        return [
            _field(x, offered.get(x.name, []), unknown.get(x.name, [])) for x in fields if x.readable_by(role)
        ]

    return {
        "noun": resource.name,
        "plural": resource.plural,
        "title": resource.title,
        "description": resource.description,
        "label_field": resource.label,
        "fields": shown(resource.all_fields),
        "relations": [
            {"name": x.name, "field": x.reference, "noun": x.target} for x in resource.relations.values()
        ],
        "children": [
            {
                "name": x.name,
                "description": x.description,
                "key": list(x.key),
                "fields": [
                    _field(y, offered.get(f"{x.name}.{y.name}", []), [])
                    for y in x.fields
                    if y.readable_by(role)
                ],
            }
            for x in resource.children
        ],
        "listings": [
            {"name": x.name, "noun": x.target, "description": x.description} for x in resource.listings
        ],
        "actions": [_verb(x) for x in resource.actions],
        "operations": sorted(resource.operations),
        "default_sort": list(resource.default_sort),
        "tracked": resource.tracked,
        "permissions": [x for x in ACTIONS if permits(principal, resource.permission_name, x)],
    }


def _verb(verb: Action | Inquiry) -> dict[str, Any]:
    return {
        "name": verb.name,
        "title": verb.title,
        "description": verb.description,
        "input": verb.input.model_json_schema(),
    }


def _field(field: Field, offered: list[Any], unknown: list[Any]) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.name.removesuffix("_id").replace("_", " ").capitalize(),
        "type": field.kind,
        "description": field.description,
        "example": field.example,
        "required": field.required,
        "default": field.default,
        "writable": field.write != "never",
        "create_only": field.write == "create",
        "operators": list(field.operators),
        "sortable": field.sortable,
        "values": list(field.values),
        "noun": field.target,
        "relation": field.relation,
        "max_length": field.max_length,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "picklist": offered if field.kind == "picklist" else None,
        "unknown_values": unknown if field.kind == "picklist" else None,
    }


async def _offered(session: Session, resource: Resource) -> dict[str, list[dict[str, Any]]]:
    """The tenant's picklists of this noun, in their order."""
    rows = await session.connection.fetch(
        "select field, value, label, position, active, aliases::text as aliases from picklist_values"
        " where tenant_id = $1 and field like $2 and deleted_at is null order by field, position, value",
        session.tenant_id,
        resource.name.replace("_", "\\_") + ".%",
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["field"].partition(".")[2], []).append(
            {
                "value": row["value"],
                "label": row["label"],
                "position": row["position"],
                "active": row["active"],
                "aliases": orjson.loads(row["aliases"]),
            }
        )
    return found


async def _unknown(
    session: Session, principal: Principal, resource: Resource
) -> dict[str, list[dict[str, Any]]]:
    """Values that came in and that no list offers, among the records that the caller sees; the most frequent ones."""
    picklists = [x.name for x in resource.fields if x.kind == "picklist" and x.readable_by(principal.role)]
    added = principal.tenant.custom.of(resource.plural)
    picklists += (custom.PREFIX + name for name, kind in added.items() if kind == "picklist")
    if not picklists:
        return {}
    binds = Binds.of(principal)
    record = resource.table.alias("record")
    wheres = [record.c.tenant_id == binds.tenant, record.c.deleted_at.is_(None)]
    if (seen := resource.visible(record, binds)) is not None:
        wheres.append(seen)
    # Counted by each picklist in turn while the records are read once: where one has its value the others have none.
    columns = [_picked(record, name).label(f"p{i}") for i, name in enumerate(picklists)]
    values = select(*columns).where(*wheres).subquery("chosen").c
    named = [(x.is_not(None), literal(name, String)) for x, name in zip(values, picklists, strict=True)]
    counted = (
        select(
            case(*named).label("field"), func.coalesce(*values).label("value"), func.count().label("records")
        )
        .group_by(func.grouping_sets(*(tuple_(x) for x in values)))
        .subquery("counted")
    )
    listed = metadata.tables["picklist_values"]
    is_listed = exists(
        select(1).where(
            listed.c.tenant_id == binds.tenant,
            listed.c.field == literal(f"{resource.name}.", String) + counted.c.field,
            listed.c.value == counted.c.value,
            listed.c.deleted_at.is_(None),
        )
    )
    place = func.row_number().over(
        partition_by=counted.c.field, order_by=(counted.c.records.desc(), counted.c.value)
    )
    unlisted = (
        select(*counted.c, place.label("place"))
        .where(counted.c.value.is_not(None), not_(is_listed))
        .subquery("unlisted")
    )
    statement = (
        select(unlisted.c.field, unlisted.c.value, unlisted.c.records)
        .where(unlisted.c.place <= MOST_UNKNOWN)
        .order_by(unlisted.c.field, unlisted.c.place)
    )
    rows = await session.fetch(statement, **binds.standing(principal))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["field"], []).append({"value": row["value"], "records": row["records"]})
    return found


def _picked(record: FromClause, name: str) -> ColumnElement[Any]:
    if name.startswith(custom.PREFIX):
        return custom.value(record, literal(name.removeprefix(custom.PREFIX), String), "picklist")
    return record.c[name]
