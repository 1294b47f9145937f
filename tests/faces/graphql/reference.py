"""The same answers, made the ordinary way: graphql-core over the printed schema, a resolver for each field, whole
records fetched from REST one by one. Nothing of the face that is tested has a part in it but the text of its schema."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from graphql import GraphQLResolveInfo, execute, get_named_type, is_enum_type, parse

from app.language.resources.resource import Resource
from tests.faces.graphql.selections import World

Number = tuple[str]
"""A number with a point, as it was written."""


def exact(text: str | bytes, **more: Any) -> Any:
    return json.loads(text, parse_float=lambda x: (x,), **more)


def snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda x: f"_{x[0].lower()}", name)


@dataclass(frozen=True)
class Row:
    """Of a noun, or of a child where `resource` is None. A record that is not visible has its id and label alone."""

    resource: Resource | None
    values: dict[str, Any]
    seen: bool = True


@dataclass
class Reference:
    world: World
    client: httpx.AsyncClient
    key: str
    admin_key: str
    kept: dict[tuple[str, bool], Any] = field(default_factory=dict)

    async def answer(self, document: str, variables: dict[str, Any]) -> tuple[Any, list[str]]:
        """The data, and the keys of the root fields that were refused."""
        made: Any = execute(
            self.world.schema, parse(document), self, variable_values=variables, field_resolver=resolve,
            type_resolver=lambda row, *_: f"{row.resource.name.title().replace('_', '')}",
        )  # fmt: skip
        result = made if not hasattr(made, "__await__") else await made
        refused = []
        for error in result.errors or ():
            if not isinstance(error.original_error, LookupError):
                raise AssertionError(document) from error
            refused.append(error.path[0])
        return result.data, refused

    async def get(self, path: str, *, admin: bool = False) -> Any:
        """None where it is not found."""
        if (path, admin) not in self.kept:
            key = self.admin_key if admin else self.key
            response = await self.client.get(path, headers={"authorization": f"Bearer {key}"})
            assert response.status_code in (200, 404), response.text
            self.kept[path, admin] = exact(response.content) if response.status_code == 200 else None
        return self.kept[path, admin]

    async def one(self, resource: Resource, id_: str, *, deleted: bool = True, admin: bool = False) -> Any:
        children = ",".join(x.name for x in resource.children)
        asked = [f"expand={children}"] if children else []
        asked += ["include=deleted"] if deleted else []
        return await self.get(f"/v1/{resource.plural}/{id_}?{'&'.join(asked)}", admin=admin)

    async def record(self, resource: Resource, id_: str | None) -> Row | None:
        """What a reference leads to."""
        if id_ is None:
            return None
        values = await self.one(resource, id_)
        if values is not None:
            return Row(resource, values)
        values = await self.one(resource, id_, admin=True)
        return Row(resource, {"id": values["id"], resource.label: values[resource.label]}, seen=False)

    async def page(
        self, resource: Resource, arguments: dict[str, Any], via: str = ""
    ) -> dict[str, Any] | None:
        """None where there is no such record as the one by whose id, `via`, the list is asked for."""
        asked = [f"limit={arguments.get('first') or 50}", "include=total", *([via] if via else [])]
        if arguments.get("sort"):
            names = [
                x.removesuffix("_ASC") if x.endswith("_ASC") else "-" + x.removesuffix("_DESC")
                for x in arguments["sort"]
            ]
            asked.append(f"sort={','.join(names).lower()}")
        for name, conditions in (arguments.get("filter") or {}).items():
            for operator, value in (conditions or {}).items():
                kind = resource.by_name[snake(name)].kind
                text = value.lower() if kind == "choice" else value
                text = str(text).lower() if isinstance(text, bool) else str(text)
                asked.append(f"{snake(name)}[{snake(operator)}]={quote(text)}")
        answer = await self.get(f"/v1/{resource.plural}?{'&'.join(asked)}")
        if answer is None:
            assert via, asked
            return None
        rows = [Row(resource, await self.one(resource, x["id"])) for x in answer["data"]]
        return {"rows": rows, "more": answer["has_more"], "total": answer["total"]}


def resolve(source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
    reference: Reference = source if isinstance(source, Reference) else info.root_value
    name, parent = info.field_name, info.parent_type.name
    if isinstance(source, Reference):
        return root(reference, name, arguments)
    if parent.endswith("Connection"):
        match name:
            case "nodes":
                return source["rows"]
            case "edges":
                return [{"node": x} for x in source["rows"]]
            case "totalCount":
                return source["total"]
            case _:
                return {"has_next_page": source["more"], "has_previous_page": False}
    if not isinstance(source, Row):
        return source[snake(name)]
    return of_row(reference, source, info, arguments)


async def root(reference: Reference, name: str, arguments: dict[str, Any]) -> Any:
    catalogue = reference.world.catalogue
    if name == "me":
        return await reference.get("/v1/me")
    if name == "node":
        [resource] = [catalogue[x] for x, ids in reference.world.ids.items() if arguments["id"] in ids]
    elif snake(name) in catalogue.by_plural:
        return await reference.page(catalogue[snake(name)], arguments)
    else:
        resource = catalogue.by_name[snake(name)]
    values = await reference.one(resource, arguments["id"], deleted=False)
    if values is None:
        raise LookupError(name)
    return Row(resource, values)


def of_row(reference: Reference, row: Row, info: GraphQLResolveInfo, arguments: dict[str, Any]) -> Any:
    name = snake(info.field_name)
    target = get_named_type(info.return_type)
    noun = reference.world.by_type.get(target.name)
    if noun is None:
        if name not in row.values:
            return [] if row.resource and name in row.resource.children_by_name else None
        value = row.values[name]
        if row.resource and name in row.resource.children_by_name:
            return [Row(None, x) for x in value]
        return str(value).upper() if is_enum_type(target) and value is not None else value
    if row.resource and name in row.resource.listings_by_name:
        if not row.seen:
            return []
        listing = row.resource.listings_by_name[name]

        async def listed() -> list[Row]:
            via = f"{listing.via}={row.values['id']}"
            found = await reference.page(noun, arguments, via)
            if found is None:
                # Where nothing is found a list says why: what it was asked for by is deleted.
                assert row.values["deleted_at"], via
                return []
            return found["rows"]

        return listed()
    return reference.record(noun, row.values.get(f"{name}_id"))
