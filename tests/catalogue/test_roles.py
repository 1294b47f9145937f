"""What a role may not read it cannot learn, what nobody may write stays as it is, and who may do what is one table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql.names import camel, type_name
from app.faces.graphql.schema import schema
from app.faces.rest import routes
from app.ground.access.permissions import permits
from app.ground.access.principal import ROLES
from app.language.resources import aliases
from app.language.resources.board import groupable
from app.language.resources.fields import Field
from app.language.resources.resource import Child, Resource
from tests.catalogue.company import written
from tests.catalogue.conftest import World
from tests.catalogue.faces import Face, Graph, Listed, Question, Refused, Rest, must

ABSENT = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"


def hidden() -> Iterator[tuple[Resource, Field, str]]:
    for noun in CATALOGUE:
        for field in noun.all_fields:
            for role in ROLES:
                if not field.readable_by(role):
                    yield noun, field, role


def ways(target: str) -> Iterator[tuple[Resource, str]]:
    """From which noun, and by which steps, a record of `target` is reached."""
    for noun in CATALOGUE:
        for relation in noun.relations.values():
            if relation.target == target:
                yield noun, relation.name
        for child in noun.children:
            for field in child.fields:
                if field.target == target and field.relation:
                    yield noun, f"{child.name}.{field.relation}"
        for listing in noun.listings:
            if listing.target == target:
                yield noun, listing.name


HIDDEN = [pytest.param(*x, id=f"{x[0].plural}.{x[1].name} from {x[2]}") for x in hidden()]


def test_something_is_hidden_from_somebody() -> None:
    assert HIDDEN


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(names_in(x) for x in value.values()))
    return set().union(*(names_in(x) for x in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(("noun", "field", "role"), HIDDEN)
async def test_a_hidden_field_is_nowhere(
    world: World, rest: Rest, noun: Resource, field: Field, role: str, settled: Any
) -> None:
    # A rep at the top, so that there are records to show.
    async with world.database.transaction(world.company.id) as session:
        top = await session.connection.fetchval(
            "select manager_id from rep_reach where tenant_id = $1 group by 1 order by count(*) desc",
            world.company.id,
        )
    key, open_ = await world.key(role, str(top)), await world.key()
    assert field.name in names_in((await must(rest.list(open_, noun, Question()))).rows)
    rows = (await must(rest.list(key, noun, Question()))).rows
    assert rows
    assert field.name not in names_in(rows)
    assert field.name not in await must(rest.get(key, noun, rows[0]["id"]))
    for media in ("text/csv", "application/x-ndjson"):
        text = (await rest.send(key, "GET", f"/v1/{noun.plural}", headers={"accept": media})).text
        head = text.split("\n", 1)[0]
        assert f"{field.name}," not in head + ","
        assert f'"{field.name}"' not in text
    described = (await rest.send(key, "GET", f"/v1/describe/{noun.plural}")).json()
    assert field.name not in {x["name"] for x in described["fields"]}
    for place, way in ways(noun.plural):
        for path in (way, f"{way}.{next(iter(noun.relations), '')}".rstrip(".")):
            found = await must(rest.list(key, place, Question(expand=[path])))
            behind = [x for row in found.rows for x in at(row, way)]
            assert field.name not in names_in(behind), (place.plural, path)
        csv = await rest.send(
            key, "GET", f"/v1/{place.plural}", params={"expand": way}, headers={"accept": "text/csv"}
        )
        assert csv.status_code == 200
        assert f'"{field.name}"' not in csv.text.replace('""', '"'), (place.plural, way)
    if noun.tracked:
        for path in (f"/v1/{noun.plural}/{rows[0]['id']}/history", f"/v1/{noun.plural}:history"):
            versions = (await rest.send(key, "GET", path)).json()["data"]
            assert versions
            assert field.name not in names_in(versions)
            assert all(field.name not in x["changed"] for x in versions), "not even that it changed"
        await settled()
        told = (await rest.send(key, "GET", "/v1/events?limit=1000")).json()["data"]
        assert {x["noun"] for x in told} >= {noun.plural}
        assert all(field.name not in x["changed"] for x in told if x["noun"] == noun.plural)
        past = await must(rest.list(key, noun, Question(as_of="2026-05-01T00:00:00Z")))
        assert field.name not in names_in(past.rows)


def at(row: Any, way: str) -> list[Any]:
    found = [row]
    for step in way.split("."):
        found = [y for x in found for y in (x[step] if isinstance(x[step], list) else [x[step]]) if y]
    return found


@pytest.mark.parametrize(("noun", "field", "role"), HIDDEN)
async def test_a_hidden_field_cannot_be_asked_by(
    world: World, rest: Rest, graph: Graph, noun: Resource, field: Field, role: str
) -> None:
    """The answer is the one for a name that does not exist, and no suggestion gives it away."""
    key, open_ = await world.key(role, world.make.known["reps"][0]), await world.key()
    near, nonsense = f"{field.name}t", "zzzzzzzzz"
    paths = [(noun, "")] + [(place, f"{way}.") for place, way in ways(noun.plural)]
    for place, prefix in paths:
        steps = prefix.rstrip(".").split(".") if prefix else []
        for name in (field.name, near):
            for operator in field.operators:
                operand = {"is_null": True, "in": [1], "nin": [1]}.get(operator, 1)
                tree: dict[str, Any] = {name: {operator: operand}}
                unknown: dict[str, Any] = {nonsense: {operator: operand}}
                for step in reversed(steps):
                    tree, unknown = {step: tree}, {step: unknown}
                refusal = await rest.list(key, place, Question(filter=tree))
                like = await rest.list(key, place, Question(filter=unknown))
                assert isinstance(refusal, Refused)
                assert isinstance(like, Refused)
                assert (refusal.status, refusal.code) == (like.status, like.code) == (422, "unknown_field")
                told = refusal.text.replace(f'\\"{name}\\"', "").replace(f"/{name}", "")
                assert f'"{field.name}\\"' not in told, told
                shown = await rest.list(open_, place, Question(filter=tree))
                assert isinstance(shown, Refused) == (name == near)
                if isinstance(shown, Refused):
                    assert f'Did you mean \\"{field.name}\\"' in shown.text, "whoever may read it is helped"
            for text in (f"{prefix}{name}", f"{prefix}{name}[gte]"):
                refusal = await rest.parameters(key, place, [(text, "1")])
                assert isinstance(refusal, Refused), text
                assert f'mean \\"{field.name}' not in refusal.text
        if prefix.count(".") <= 1 and (not steps or steps[0] in place.relations):
            for name in (field.name, near):
                refusal = await rest.list(key, place, Question(sort=(f"-{prefix}{name}",)))
                like = await rest.list(key, place, Question(sort=(f"{prefix}{nonsense}",)))
                assert isinstance(refusal, Refused)
                assert isinstance(like, Refused)
                assert (refusal.status, refusal.code) == (like.status, like.code)
                assert f'mean \\"{field.name}' not in refusal.text
        for name in (field.name, near):
            answer = await rest.send(
                key,
                "GET",
                f"/v1/{place.plural}",
                params={"columns": f"{prefix}{name}"},
                headers={"accept": "text/csv"},
            )
            assert answer.status_code == 422, (place.plural, prefix)
            assert f'mean \\"{field.name}' not in answer.text
    root, alias = camel(noun.plural), camel(field.name)
    name = f"{field.name.upper()}_ASC"
    for document in (
        f"{{ {root} {{ nodes {{ id {alias} }} }} }}",
        f"{{ {root} {{ nodes {{ id x: {alias} }} }} }}",
        f"{{ {root} {{ nodes {{ ...f }} }} }} fragment f on {type_name(noun)} {{ {alias} }}",
        f"{{ {root} {{ edges {{ node {{ ... on {type_name(noun)} {{ {alias} }} }} }} }} }}",
        f"{{ {root}(filter: {{{alias}: {{isNull: false}}}}) {{ totalCount }} }}",
        f"{{ {root}(filter: {{or: [{{not: {{{alias}: {{isNull: false}}}}}}]}}) {{ totalCount }} }}",
        f"{{ {root}(sort: [{name}]) {{ nodes {{ id }} }} }}",
        *(
            [f"{{ {root} {{ groups(by: {field.name.upper()}) {{ hasMore }} }} }}"]
            if field.name in groupable(noun)
            else []
        ),
        f'{{ {camel(noun.name)}(id: "{world.make.known[noun.plural][0]}") {{ {alias} }} }}',
        f'{{ node(id: "{world.make.known[noun.plural][0]}") {{ ... on {type_name(noun)} {{ {alias} }} }} }}',
        *(behind(place, way, alias) for place, way in ways(noun.plural)),
    ):
        answer = await graph.send(key, document)
        assert isinstance(answer, Refused), document
        assert answer.status in (403, 422), document
        assert not isinstance(await graph.send(open_, document), Refused), document


def behind(place: Resource, way: str, alias: str) -> str:
    inner = alias
    for step in reversed(way.split(".")):
        inner = f"{camel(step)} {{ {inner} }}"
    return f"{{ {camel(place.plural)} {{ nodes {{ {inner} }} }} }}"


# -- what nobody may write --------------------------------------------------------------------------------------------


def unwritable(noun: Resource | Child, *, creating: bool) -> list[str]:
    fields = noun.all_fields if isinstance(noun, Resource) else noun.fields
    found = [x.name for x in fields if x.write == "never" or (x.write == "create" and not creating)]
    own = ["tenant_id", "id", "source", "updated_by", "__class__", "valid_from", "deleted", "role_id"]
    return [x for x in dict.fromkeys([*found, *own]) if x != "external_ids"]


@pytest.mark.parametrize("noun", [x for x in CATALOGUE if written(x.plural)], ids=lambda noun: noun.plural)
async def test_what_is_read_only_is_refused_in_every_write(bench: World, rest: Rest, noun: Resource) -> None:
    key = await bench.key()
    data = bench.make.payload(noun, empty=0)
    made = await must(rest.write(key, noun, "create", None, {**data, "external_ids": [
        {"source": "crm", "external_id": "one", "url": None}]}))  # fmt: skip
    whole = list(noun.children_by_name)
    before = await must(rest.get(key, noun, made["id"], expand=whole))
    for name in unwritable(noun, creating=True):
        refusal = await rest.write(key, noun, "create", None, {**data, name: made.get(name)})
        assert isinstance(refusal, Refused), name
        assert (refusal.status, refusal.errors) == (422, ((f"/{name}", "unknown_field"),)), name
        if name != "deleted":  # of which rows, and nothing else, may say so
            [row] = await must(rest.upsert(key, noun, [{"external_id": "one", name: made.get(name)}]))
            assert row["outcome"] == "failed", name
            assert [(x["pointer"], x["code"]) for x in row["error"]["errors"]] == [
                (f"/{name}", "unknown_field")
            ]
        if noun.takes_past:
            point = {"at": "2026-01-05", name: made.get(name)}
            [row] = await must(rest.upsert(key, noun, [{"external_id": "one", "history": [point]}]))
            assert (row["outcome"], row["error"]["code"]) == ("failed", "unknown_field"), name
    for name in unwritable(noun, creating=False):
        refusal = await rest.write(key, noun, "update", made["id"], {name: made.get(name)})
        assert isinstance(refusal, Refused), name
        assert (refusal.status, refusal.errors) == (422, ((f"/{name}", "unknown_field"),)), name
    for child in noun.children:
        for name in unwritable(child, creating=True):
            row: dict[str, Any] = {x.name: bench.make.value(x, 0) for x in child.fields if x.write != "never"}
            refusal = await rest.write(key, noun, "update", made["id"], {child.name: [{**row, name: "x"}]})
            assert isinstance(refusal, Refused), name
            assert refusal.errors == ((f"/{child.name}/0/{name}", "unknown_field"),)
    for action in noun.actions:
        refusal = await rest.write(key, noun, action.name, made["id"], {"tenant_id": ABSENT})
        assert isinstance(refusal, Refused)
        assert ("/tenant_id", "unknown_field") in refusal.errors
    for inquiry in CATALOGUE.inquiries[noun.plural]:
        refusal = await rest.inquire(key, inquiry, made["id"], {"tenant_id": ABSENT})
        assert isinstance(refusal, Refused)
        assert ("/tenant_id", "unknown_field") in refusal.errors
    assert await must(rest.get(key, noun, made["id"], expand=whole)) == before
    assert len((await must(rest.list(key, noun, Question()))).rows) == 1 + len(
        bench.make.known.get(noun.plural, ())
    )


def test_graphql_inputs_hold_what_may_be_written_and_no_more() -> None:
    types = schema(CATALOGUE, METRIC_CATALOGUE)._schema.type_map
    for noun in CATALOGUE:
        if not written(noun.plural):
            assert f"{type_name(noun)}Create" not in types
            continue
        lists = {camel(x) for x in noun.children_by_name}
        merges = {f"{x}Merge" for x in lists}
        create = {camel(x.name) for x in noun.writable}
        patch = {camel(x.name) for x in noun.writable if x.write == "always"}
        row = {"externalId", "url", "ifVersion", "sourceUpdatedAt"} | (
            {"history"} if noun.takes_past else set()
        )
        row |= {"deleted"} if "delete" in noun.operations else set()
        row |= {"mergedInto"} if aliases.mergeable(noun) else set()
        made: Any = {name: types[f"{type_name(noun)}{name}"] for name in ("Create", "Patch", "UpsertRow")}
        fields = {name: set(type_.fields) for name, type_ in made.items()}
        assert fields["Create"] == create | lists | {"externalIds"}
        assert fields["Patch"] == patch | lists | merges | {"externalIds"}
        assert fields["UpsertRow"] == create | lists | merges | row


# -- who may do what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
async def test_every_operation_asks_the_table_of_permissions(world: World, rest: Rest, role: str) -> None:
    key, principal = await world.key(role, world.make.known["reps"][0]), world.company.principal(role)
    for operation in routes.operations(CATALOGUE, METRIC_CATALOGUE):
        path = operation.path.replace("{id}", ABSENT).replace("{name}", "bookings").replace("{noun}", "reps")
        body: dict[str, Any] = {} if operation.method == "GET" else {"json": {"no_such_field": 1}}
        response = await rest.send(key, operation.method, path, **body)
        if operation.identify is not None:
            # Opened by a signature and by no key.
            assert (response.status_code, response.json()["code"]) == (403, "link_invalid")
            continue
        allowed = not operation.right or permits(principal, operation.noun, operation.right)
        assert (response.status_code == 403) == (not allowed), (operation.id, response.text)
        assert response.status_code < 500, (operation.id, response.text)
        if not allowed:
            assert response.json()["code"] == "forbidden"
        response = await rest.client.request(operation.method, path, **body)
        assert response.status_code == 401, operation.id


@pytest.mark.parametrize("role", ROLES)
async def test_every_root_field_asks_the_same_table(world: World, graph: Graph, role: str) -> None:
    key, principal = await world.key(role, world.make.known["reps"][0]), world.company.principal(role)
    for noun in CATALOGUE:
        reading = permits(principal, noun.permission_name, "read")
        writing = permits(principal, noun.permission_name, "write")
        for answer in (
            await graph.list(key, noun, Question(limit=1), role),
            await graph.get(key, noun, ABSENT, role=role),
        ):
            assert forbidden(answer) == (not reading), noun.plural
        for inquiry in CATALOGUE.inquiries[noun.plural]:
            answer = await graph.inquire(key, inquiry, ABSENT, {})
            asking = reading and all(permits(principal, x, "read") for x in inquiry.reads)
            assert forbidden(answer) == (not asking), (noun.plural, inquiry.name)
        if not written(noun.plural):
            continue
        verbs: list[tuple[str, Any]] = [("update", {}), ("delete", None), ("restore", None)]
        for name, data in verbs:
            answer = await graph.write(key, noun, name, ABSENT, data, role=role)
            assert isinstance(answer, Refused)
            assert forbidden(answer) == (not writing), (noun.plural, name)
        for action in noun.actions:
            data = {x: ABSENT for x, info in action.input.model_fields.items() if info.is_required()}
            answer = await graph.write(key, noun, action.name, ABSENT, data, role=role)
            assert forbidden(answer) == (not writing), (noun.plural, action.name)
        answer = await graph.upsert(key, noun, [], dry_run=True)
        assert forbidden(answer) == (not writing), noun.plural
        rows = [{**sent_row(world, noun), "external_id": world.payloads[noun.plural][0]["external_id"]}]
        answer = await graph.upsert(key, noun, rows, dry_run=True)
        assert forbidden(answer) == (not writing), noun.plural


def sent_row(world: World, noun: Resource) -> dict[str, Any]:
    return {k: v for k, v in world.payloads[noun.plural][0].items() if k in noun.by_name}


def forbidden(answer: Any) -> bool:
    return isinstance(answer, Refused) and (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize("noun", list(CATALOGUE), ids=lambda noun: noun.plural)
async def test_scopes_narrow_what_is_read_beside_a_record_too(
    world: World, face: Face, noun: Resource
) -> None:
    key = await world.key("admin", None, (f"{noun.permission_name}:read",))
    assert isinstance(await face.list(key, noun, Question(limit=1)), Listed)
    # Some others of each: all nouns together ask for each of them several times.
    for other in list(CATALOGUE)[list(CATALOGUE).index(noun) % 6 :: 6]:
        if other.permission_name != noun.permission_name:
            assert forbidden(await face.list(key, other, Question(limit=1))), other.plural
    beside = {x.name: x.target for x in noun.relations.values()} | {x.name: x.target for x in noun.listings}
    for step, target in beside.items():
        answer = await face.list(key, noun, Question(limit=1, expand=[step]))
        assert forbidden(answer) == (CATALOGUE[target].permission_name != noun.permission_name), step
    for inquiry in CATALOGUE.inquiries[noun.plural]:
        beside = set(inquiry.reads) - {noun.permission_name}
        assert forbidden(await face.inquire(key, inquiry, ABSENT, {})) == bool(beside), inquiry.name
    if written(noun.plural):
        assert forbidden(await face.write(key, noun, "delete", ABSENT))
