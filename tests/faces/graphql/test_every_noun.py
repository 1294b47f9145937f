"""The whole catalogue through one story: created, read, found, changed, contradicted, deleted, restored, upserted."""

from __future__ import annotations

from typing import Any

import pytest

from app.areas import CATALOGUE
from app.faces.graphql.names import camel, type_name
from app.language.resources.fields import Field
from app.language.resources.payload import class_name
from app.language.resources.resource import Resource
from tests.faces.graphql.conftest import Api

RECORDS = {
    "pipelines": "crm:p", "reps": "crm:r1", "products": "crm:x1", "price_books": "crm:book", "campaigns": "crm:fair",
    "comp_plans": "crm:plan",
}  # fmt: skip
EXTRA: dict[str, dict[str, Any]] = {
    "quotas": {"repId": "crm:r1"}, "quota_reliefs": {"share": 0.5}, "users": {"email": "new@example.com"},
}  # fmt: skip
EXTRA |= {
    "scoring_rules": {"field": "company", "operator": "EQ"},
    "campaign_members": {"contactId": "crm:person"},
    "touches": {"contactId": "crm:person", "occurredAt": "2026-09-03T14:10:00+00:00"},
}  # fmt: skip
"""What a noun's own rules ask for beyond its required fields."""

WRITABLE = [x for x in CATALOGUE if "create" in x.operations]


def example(field: Field) -> Any:
    match field.kind:
        case "reference":
            return RECORDS[field.target or ""]
        case "choice":
            return str(field.example).upper()
        case _:
            return field.example


ANOTHER: dict[str, dict[str, Any]] = {"custom_fields": {"name": "another"}}
"""What a second record must say otherwise although the first is deleted."""


def new(resource: Resource) -> dict[str, Any]:
    given = {camel(x.name): example(x) for x in resource.fields if x.required}
    return given | EXTRA.get(resource.plural, {})


def change_of(resource: Resource) -> tuple[Field, Any]:
    for field in resource.writable:
        if (
            field.kind == "text"
            and not field.currency
            and field.write == "always"
            and field.name not in ("period", "metric")
        ):
            return field, "Changed"
    field = next(x for x in resource.writable if x.kind in ("number", "money", "picklist"))
    return field, "Changed" if field.kind == "picklist" else 2


def selection(resource: Resource) -> str:
    """Everything that the noun has, one step deep."""
    leaves = [camel(x.name) for x in resource.all_fields]
    parents = [f"{camel(name)} {{ id __typename }}" for name in resource.relations]
    children = [
        f"{camel(x.name)} {{ id {' '.join(camel(y.name) for y in x.fields)} }}" for x in resource.children
    ]
    listings = [f"{camel(x.name)}(first: 2) {{ id }}" for x in resource.listings]
    return " ".join(["__typename", *leaves, *parents, *children, *listings])


@pytest.mark.parametrize("resource", WRITABLE, ids=lambda x: x.plural)
async def test_a_noun_lives(api: Api, resource: Resource) -> None:
    one, many, noun = camel(resource.name), camel(resource.plural), type_name(resource)
    every = f"{{ {selection(resource)} }}"

    async def write(call: str, arguments: str = "", fields: str = "", **variables: Any) -> Any:
        document = f"mutation {arguments} {{ {call} {{ outcome changed {one} {fields or every} }} }}"
        data = await api.data(document, variables)
        return next(iter(data.values()))

    created = await write(f"create{noun}(input: $input)", f"($input: {noun}Create!)", input=new(resource))
    record = created[one]
    assert created["outcome"] == "CREATED"
    assert record["__typename"] == noun
    assert record["version"] == 1
    for name, value in new(resource).items():
        if not str(value).startswith("crm:"):
            assert record[name] == value, name

    document = (
        f"query ($id: ID!) {{ {one}(id: $id) {every} node(id: $id) {{ id ... on {noun} {{ version }} }} }}"
    )
    read = await api.data(document, {"id": record["id"]})
    assert read == {one: record, "node": {"id": record["id"], "version": 1}}

    field, value = change_of(resource)
    name = camel(field.name)
    update = f"update{noun}(id: $id, input: $input, expectedVersion: $version)"
    head = f"($id: ID!, $input: {noun}Patch!, $version: Int)"
    changed = await write(update, head, id=record["id"], input={name: value}, version=1)
    assert (changed["outcome"], changed["changed"], changed[one][name]) == ("UPDATED", [name], value)
    behind = await api.refusal(
        f"mutation {head} {{ {update} {{ outcome }} }}",
        {"id": record["id"], "input": {name: value}, "version": 1},
    )
    assert behind["extensions"]["code"] == "version_conflict"
    assert behind["extensions"]["current"] == {"id": record["id"], "version": 2}

    find = f"query ($filter: {noun}Filter) {{ {many}(filter: $filter) {{ totalCount nodes {{ id }} }} }}"
    found = (await api.data(find, {"filter": {name: {"eq": value}, "id": {"eq": record["id"]}}}))[many]
    assert (found["totalCount"], found["nodes"]) == (1, [{"id": record["id"]}])
    gone = await write(f"delete{noun}(id: $id)", "($id: ID!)", id=record["id"])
    assert gone["outcome"] == "DELETED"
    answer = await api(document, {"id": record["id"]})
    assert answer["data"] == {one: None, "node": None}
    back = await write(f"restore{noun}(id: $id)", "($id: ID!)", id=record["id"])
    assert back["outcome"] == "RESTORED"
    assert back[one]["deletedAt"] is None

    rows = [{"externalId": "first", **new(resource), **ANOTHER.get(resource.plural, {}), name: value}]
    await write(f"delete{noun}(id: $id)", "($id: ID!)", id=record["id"])
    upsert = f"""mutation ($rows: [{noun}UpsertRow!]!) {{
        upsert{class_name(resource.plural)}(source: "hub", rows: $rows) {{ rows {{ id outcome error }} }}
    }}"""
    [receipt] = next(iter((await api.data(upsert, {"rows": rows})).values()))["rows"]
    assert (receipt["outcome"], receipt["error"]) == ("CREATED", None)
    [again] = next(iter((await api.data(upsert, {"rows": rows})).values()))["rows"]
    assert (again["outcome"], again["id"]) == ("UNCHANGED", receipt["id"])
    by_key = await api.data(f'{{ {one}(id: "hub:first") {{ id externalIds }} }}')
    assert by_key[one]["id"] == receipt["id"]
