"""REST and GraphQL behind the same methods, in the same names: what one answers, the other must.

Names are the declarations' own (`amount_home`, `closed_at`), filters are trees, choices lower case; GraphQL's way of
writing them is put on and taken off here. A refusal is returned as `Refused`.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from app.areas import CATALOGUE
from app.faces.graphql.names import action_field, action_input_name, camel, snake, type_name
from app.language.resources.answers import parts
from app.language.resources.payload import class_name
from app.language.resources.resource import Child, Inquiry, Resource

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    status: int
    code: str
    errors: tuple[tuple[str, str], ...] = ()
    """`(pointer, code)`, pointers in declared names."""
    text: str = field(default="", compare=False)
    current: Any = field(default=None, compare=False)


@dataclass(slots=True)
class Listed:
    rows: list[Row]
    has_more: bool
    next: str | None
    previous: str | None
    total: int | None = None

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.rows]


@dataclass(slots=True)
class Question:
    """What a list is asked for; the same for both faces."""

    filter: Mapping[str, Any] | None = None
    sort: Sequence[str] = ()
    limit: int = 200
    after: str | None = None
    before: str | None = None
    expand: Sequence[str] = ()
    deleted: bool = False
    total: bool = False
    as_of: str | None = None
    known_at: str | None = None


class Face(abc.ABC):
    last: httpx.Response
    """The latest answer as it came."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    @abc.abstractmethod
    async def list(
        self, key: str, noun: Resource, question: Question, role: str = "admin"
    ) -> Listed | Refused: ...

    @abc.abstractmethod
    async def get(
        self, key: str, noun: Resource, reference: str, *, role: str = "admin", expand: Sequence[str] = (),
        deleted: bool = False, as_of: str | None = None, known_at: str | None = None,
    ) -> Row | Refused: ...  # fmt: skip

    @abc.abstractmethod
    async def write(
        self,
        key: str,
        noun: Resource,
        verb: str,
        reference: str | None = None,
        data: Row | None = None,
        *,
        version: int | None = None,
        role: str = "admin",
    ) -> Row | Refused:
        """`verb` is create, update, delete, restore or an action's name; the answer is the whole record."""

    @abc.abstractmethod
    async def inquire(self, key: str, inquiry: Inquiry, reference: str, data: Row) -> Row | Refused:
        """The document that is answered."""

    @abc.abstractmethod
    async def upsert(
        self, key: str, noun: Resource, rows: Sequence[Row], **options: Any
    ) -> list[Row] | Refused:
        """Receipts: index, outcome, id, changed, error."""


async def must(answer: Any) -> Any:
    found = await answer
    assert not isinstance(found, Refused), found
    return found


# -- REST -------------------------------------------------------------------------------------------------------------


class Rest(Face):
    async def send(self, key: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} | more.pop("headers", {})
        self.last = await self.client.request(method, path, headers=headers, **more)
        return self.last

    async def list(
        self, key: str, noun: Resource, question: Question, role: str = "admin"
    ) -> Listed | Refused:
        include = [name for name in ("deleted", "total") if getattr(question, name)]
        body = {
            "filter": question.filter, "sort": list(question.sort), "limit": question.limit, "cursor": question.after,
            "before": question.before, "expand": list(question.expand), "include": include, "as_of": question.as_of,
            "known_at": question.known_at,
        }  # fmt: skip
        response = await self.send(
            key, "POST", f"/v1/{noun.plural}:query", json={k: v for k, v in body.items() if v is not None}
        )
        return listed(response)

    async def parameters(
        self, key: str, noun: Resource, items: Sequence[tuple[str, str]]
    ) -> Listed | Refused:
        """The same by query parameters."""
        return listed(await self.send(key, "GET", f"/v1/{noun.plural}", params=list(items)))

    async def get(
        self, key: str, noun: Resource, reference: str, *, role: str = "admin", expand: Sequence[str] = (),
        deleted: bool = False, as_of: str | None = None, known_at: str | None = None,
    ) -> Row | Refused:  # fmt: skip
        parameters = {
            "expand": ",".join(expand) or None, "include": "deleted" if deleted else None, "as_of": as_of,
            "known_at": known_at,
        }  # fmt: skip
        response = await self.send(
            key, "GET", f"/v1/{noun.plural}/{quote(reference, safe=':')}",
            params={k: v for k, v in parameters.items() if v is not None},
        )  # fmt: skip
        return refused(response) or response.json()

    async def write(
        self, key: str, noun: Resource, verb: str, reference: str | None = None, data: Row | None = None, *,
        version: int | None = None, role: str = "admin",
    ) -> Row | Refused:  # fmt: skip
        headers = {} if version is None else {"if-match": f'"{version}"'}
        path = f"/v1/{noun.plural}" + ("" if reference is None else f"/{reference}")
        method = {"create": "POST", "update": "PATCH", "delete": "DELETE"}.get(verb)
        if method is None:
            method, path = "POST", f"{path}:{verb}"
        body = {} if data is None else {"json": data}
        response = await self.send(key, method, path, headers=headers, **body)
        return refused(response) or response.json()

    async def inquire(self, key: str, inquiry: Inquiry, reference: str, data: Row) -> Row | Refused:
        path = f"/v1/{inquiry.noun}/{reference}:{inquiry.name}"
        response = await self.send(key, "POST", path, json=data)
        return refused(response) or response.json()

    async def upsert(
        self, key: str, noun: Resource, rows: Sequence[Row], **options: Any
    ) -> list[Row] | Refused:
        response = await self.send(
            key,
            "POST",
            f"/v1/{noun.plural}:upsert",
            params=options,
            json={"source": "crm", "rows": list(rows)},
        )
        return refused(response) or response.json()["rows"]


def refused(response: httpx.Response) -> Refused | None:
    if response.status_code < 400:
        return None
    body = response.json()
    return Refused(
        response.status_code,
        body["code"],
        tuple((x["pointer"], x["code"]) for x in body["errors"]),
        response.text,
        body.get("current"),
    )


def listed(response: httpx.Response) -> Listed | Refused:
    if (refusal := refused(response)) is not None:
        return refusal
    body = response.json()
    return Listed(
        body["data"], body["has_more"], body["next_cursor"], body["previous_cursor"], body.get("total")
    )


# -- GraphQL ----------------------------------------------------------------------------------------------------------


class Graph(Face):
    async def send(self, key: str, document: str, variables: Row | None = None) -> Any:
        """The answer of the one root field, or its refusal."""
        self.last = response = await self.client.post(
            "/graphql",
            json={"query": document, "variables": variables},
            headers={"authorization": f"Bearer {key}"},
        )
        body = response.json()
        if body.get("errors"):
            first = body["errors"][0]
            told = first["extensions"]
            errors = tuple((snake_pointer(x["pointer"]), x["code"]) for x in told["errors"])
            return Refused(told["status"], told["code"], errors, response.text, told.get("current"))
        [answer] = body["data"].values()
        return answer

    async def list(
        self, key: str, noun: Resource, question: Question, role: str = "admin"
    ) -> Listed | Refused:
        backwards = question.before is not None
        arguments = {
            "filter": (
                f"{type_name(noun)}Filter",
                None if question.filter is None else tree(noun, question.filter),
            ),
            "customSort": (
                "[CustomSort!]",
                [custom_sort(x) for x in question.sort if "custom." in x] or None,
            ),
            "sort": (
                f"[{type_name(noun)}Sort!]",
                [sort_name(x) for x in question.sort if "custom." not in x] or None,
            ),
            "last" if backwards else "first": ("Int", question.limit),
            "after": ("String", question.after),
            "before": ("String", question.before),
            "includeDeleted": ("Boolean", question.deleted or None),
            "asOf": ("DateTime", question.as_of),
            "knownAt": ("DateTime", question.known_at),
        }
        given = {name: pair for name, pair in arguments.items() if pair[1] is not None}
        head = ", ".join(f"${name}: {type_}" for name, (type_, _) in given.items())
        inner = ", ".join(f"{name}: ${name}" for name in given)
        document = (
            f"query ({head}) {{ {camel(noun.plural)}({inner}) {{ nodes {selection(noun, role, question.expand)}"
            f" {'totalCount' if question.total else ''}"
            " pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
        )
        answer = await self.send(key, document, {name: value for name, (_, value) in given.items()})
        if isinstance(answer, Refused):
            return answer
        page = answer["pageInfo"]
        return Listed(
            [plain(noun, row) for row in answer["nodes"]],
            page["hasNextPage"],
            page["endCursor"] if page["hasNextPage"] else None,
            page["startCursor"] if page["hasPreviousPage"] else None,
            answer.get("totalCount"),
        )

    async def get(
        self, key: str, noun: Resource, reference: str, *, role: str = "admin", expand: Sequence[str] = (),
        deleted: bool = False, as_of: str | None = None, known_at: str | None = None,
    ) -> Row | Refused:  # fmt: skip
        given = {"asOf": as_of, "knownAt": known_at, "includeDeleted": deleted or None}
        given = {name: value for name, value in given.items() if value is not None}
        head = "".join(f", ${x}: {'Boolean' if x == 'includeDeleted' else 'DateTime'}" for x in given)
        inner = "".join(f", {name}: ${name}" for name in given)
        document = (
            f"query ($id: ID!{head}) {{ {camel(noun.name)}(id: $id{inner}) {selection(noun, role, expand)} }}"
        )
        answer = await self.send(key, document, {"id": reference, **given})
        return answer if isinstance(answer, Refused) else plain(noun, answer)

    async def write(
        self, key: str, noun: Resource, verb: str, reference: str | None = None, data: Row | None = None, *,
        version: int | None = None, role: str = "admin",
    ) -> Row | Refused:  # fmt: skip
        action = noun.actions_by_name.get(verb)
        name = action_field(noun, action) if action else camel(f"{verb}_{noun.name}")
        given: dict[str, tuple[str, Any]] = {}
        if reference is not None:
            given["id"] = ("ID!", reference)
        if data is not None and (action is None or action.input.model_fields):
            suffix = {"create": "Create", "update": "Patch"}.get(verb)
            type_ = f"{type_name(noun)}{suffix}" if suffix else action_input_name(noun, action)  # pyright: ignore[reportArgumentType]
            given["input"] = (f"{type_}!", sent(noun, data))
        if version is not None:
            given["expectedVersion"] = ("Int", version)
        head = ", ".join(f"${name}: {type_}" for name, (type_, _) in given.items())
        inner = ", ".join(f"{name}: ${name}" for name in given)
        answered = f"{{ {camel(noun.name)} {selection(noun, role)} outcome changed }}"
        document = f"mutation ({head}) {{ {name}({inner}) {answered} }}"
        answer = await self.send(key, document, {name: value for name, (_, value) in given.items()})
        return answer if isinstance(answer, Refused) else plain(noun, answer[camel(noun.name)])

    async def inquire(self, key: str, inquiry: Inquiry, reference: str, data: Row) -> Row | Refused:
        noun = CATALOGUE[inquiry.noun]
        given: dict[str, tuple[str, Any]] = {"id": ("ID!", reference)}
        if inquiry.input.model_fields:
            given["input"] = (f"{action_input_name(noun, inquiry)}!", {camel(k): v for k, v in data.items()})
        head = ", ".join(f"${name}: {type_}" for name, (type_, _) in given.items())
        inner = ", ".join(f"{name}: ${name}" for name in given)
        document = f"query ({head}) {{ {action_field(noun, inquiry)}({inner}) {whole(inquiry.answer)} }}"
        answer = await self.send(key, document, {name: value for name, (_, value) in given.items()})
        return answer if isinstance(answer, Refused) else snaked(answer)

    async def upsert(
        self, key: str, noun: Resource, rows: Sequence[Row], **options: Any
    ) -> list[Row] | Refused:
        name = camel(f"upsert_{noun.plural}")
        more = "".join(f", {camel(x)}: {str(value).lower()}" for x, value in options.items())
        document = (
            f'mutation ($rows: [{type_name(noun)}UpsertRow!]!) {{ {name}(source: "crm", rows: $rows{more})'
            " { rows { index externalId id outcome version changed reason error } } }"
        )
        answer = await self.send(key, document, {"rows": [sent(noun, row) for row in rows]})
        if isinstance(answer, Refused):
            return answer
        return [
            {snake(k): v for k, v in row.items()}
            | {"outcome": row["outcome"].lower(), "changed": [snake(x) for x in row["changed"]]}
            for row in answer["rows"]
        ]


def whole(model: type[BaseModel]) -> str:
    """Everything of a document."""
    names = (
        f"{camel(x.name)} {whole(x.type)}" if issubclass(x.type, BaseModel) else camel(x.name)
        for x in parts(model)
    )
    return "{ " + " ".join(names) + " }"


def snaked(value: Any) -> Any:
    if isinstance(value, list):
        return [snaked(x) for x in value]
    return {snake(k): snaked(v) for k, v in value.items()} if isinstance(value, dict) else value


def snake_pointer(pointer: str) -> str:
    return "/".join(snake(part) for part in pointer.split("/"))


def sort_name(name: str) -> str:
    return f"{name.removeprefix('-').upper()}_{'DESC' if name.startswith('-') else 'ASC'}"


def custom_sort(name: str) -> Row:
    return {"field": name.removeprefix("-").removeprefix("custom."), "descending": name.startswith("-")}


def sent(noun: Resource | Child, data: Mapping[str, Any]) -> Row:
    """A payload as GraphQL takes it: camelCase, choices upper case."""
    found: Row = {}
    for name, value in data.items():
        stem = name.removesuffix("_merge")
        declared = noun.by_name.get(name)
        if isinstance(noun, Resource) and stem in noun.children_by_name and value is not None:
            found[camel(name)] = [sent(noun.children_by_name[stem], row) for row in value]
        elif name == "history" and value is not None:
            found[camel(name)] = [sent(noun, point) for point in value]
        elif name == "external_ids" and value is not None:
            found[camel(name)] = [{camel(k): v for k, v in x.items()} for x in value]
        elif declared is not None and declared.kind == "choice" and isinstance(value, str):
            found[camel(name)] = value.upper()
        else:
            found[camel(name)] = value
    return found


def tree(noun: Resource | Child, filter_: Mapping[str, Any]) -> Row:
    """A filter as GraphQL takes it; every condition is written with its operator."""
    found: Row = {}
    for name, value in filter_.items():
        if name in ("and", "or"):
            found[name] = [tree(noun, x) for x in value]
        elif name == "not":
            found[name] = tree(noun, value)
        elif name == "custom":
            found[name] = [
                {"field": field} | {camel(operator): operand for operator, operand in how.items()}
                for field, how in value.items()
            ]
        elif (target := behind(noun, name)) is not None:
            found[camel(name)] = tree(target, value)
        else:
            upper = noun.by_name[name].kind == "choice" if name in noun.by_name else False
            found[camel(name)] = {
                camel(operator): _upper(operand) if upper and operator != "is_null" else operand
                for operator, operand in value.items()
            }
    return found


def _upper(operand: Any) -> Any:
    return [x.upper() for x in operand] if isinstance(operand, list) else operand.upper()


def behind(noun: Resource | Child, name: str) -> Resource | Child | None:
    """The noun or the rows that a step of a path leads to."""
    for declared in noun.fields:
        if declared.relation == name and declared.target:
            return CATALOGUE[declared.target]
    if isinstance(noun, Resource):
        if name in noun.children_by_name:
            return noun.children_by_name[name]
        if name in noun.listings_by_name:
            return CATALOGUE[noun.listings_by_name[name].target]
    return None


def selection(noun: Resource | Child, role: str, expand: Iterable[str] = ()) -> str:
    """Everything that REST answers, expansions included."""
    fields = noun.all_fields if isinstance(noun, Resource) else noun.fields
    names = [] if isinstance(noun, Resource) else ["id"]
    names += [camel(x.name) for x in fields if x.readable_by(role)]
    inner: dict[str, list[str]] = {}
    for path in expand:
        head, _, rest = path.partition(".")
        inner.setdefault(head, []).extend([rest] if rest else [])
    for name, rest in inner.items():
        target = behind(noun, name)
        assert target is not None
        names.append(f"{camel(name)} {selection(target, role, rest)}")
    return "{ " + " ".join(names) + " }"


def plain(noun: Resource | Child, row: Any) -> Any:
    """A GraphQL record in the declarations' names."""
    if row is None:
        return None
    found: Row = {}
    for key, value in row.items():
        name = snake(key)
        declared = noun.by_name.get(name)
        target = behind(noun, name)
        if target is not None and (declared is None or declared.kind != "reference"):
            value = [plain(target, x) for x in value] if isinstance(value, list) else plain(target, value)
        elif declared is not None and declared.kind == "choice" and value is not None:
            value = value.lower()
        found[name] = value
    return found


__all__ = [
    "Face",
    "Graph",
    "Listed",
    "Question",
    "Refused",
    "Rest",
    "class_name",
    "must",
    "selection",
    "sent",
]
