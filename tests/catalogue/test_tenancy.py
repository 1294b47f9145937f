"""Another tenant's records do not exist: wherever one is named, the answer is that for an id which nobody has.

The probes are made from the declarations and held against the contract: an operation or a root field that no probe
reaches fails the test. Whoever adds one says here where it takes references, or that it takes none.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_origin
from uuid import uuid4

import httpx
import orjson
import pytest
import pytest_asyncio

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql.names import action_field, camel
from app.faces.graphql.schema import schema
from app.faces.rest.nouns import camel as verb
from app.ground.database.ids import new_id
from app.ground.database.tables import metadata
from app.language.files import links, operations
from app.language.resources.board import groupable
from app.language.resources.fields import Field
from app.language.resources.payload import class_name
from app.language.resources.resource import Action, Inquiry, Resource
from tests.catalogue.company import Maker, in_order, written
from tests.catalogue.conftest import World
from tests.catalogue.faces import Face, Graph, Question, Refused, Rest, must

NO_REFERENCES = {
    "getMe", "describeNoun", "listMetrics", "getMetric", "createStreamTicket", "createImport", "listOperations",
    "me", "describe", "metricCatalogue",
}  # fmt: skip
"""Operations and root fields that name no record."""

Probe = Callable[[str], Awaitable[Any]]


@dataclass(frozen=True)
class Case:
    """`names` are the operation and what of it is probed; `target` the noun that is referred to. `status` is what the
    answer must have, None where the reference only narrows what is found."""

    operation: str
    place: str
    target: str
    probe: Probe
    status: int | None = 404


@dataclass
class Two:
    """The asking company and the one that must not be seen."""

    mine: World
    theirs: World
    key: str


@pytest_asyncio.fixture(scope="module")
async def two(make_tenant: Any) -> Two:
    mine = World(await make_tenant("Mine"), Maker("mine"), prefix="mine-")
    theirs = World(await make_tenant("Theirs"), Maker("theirs"), prefix="theirs-")
    for world in (mine, theirs):
        await world.fill(in_order(), 3, empty=0)
        async with world.database.transaction(world.company.id) as session:
            world.make.known["operations"] = [
                str(await operations.start(session, world.admin, kind, "accounts", {}))
                for kind in ("import", "export")
            ]
    return Two(mine, theirs, await mine.key())


def references(noun: Resource) -> list[Field]:
    return [x for x in noun.fields if x.kind == "reference"]


def sound(two: Two, noun: Resource, *, creating: bool = True) -> dict[str, Any]:
    """A payload that would be taken, with two rows in each of its lists."""
    make = two.mine.make
    while True:
        data = make.payload(noun, creating=creating, empty=0)
        if all(data[child.name] for child in noun.children):
            return data


def cases(face: Face, two: Two, noun: Resource) -> Iterator[Case]:
    rest = isinstance(face, Rest)
    one, many = class_name(noun.name), class_name(noun.plural)
    key = two.key

    def op(in_rest: str, in_graph: str) -> str:
        return in_rest if rest else in_graph

    yield Case(op(f"get{one}", camel(noun.name)), "path", noun.plural, lambda ref: face.get(key, noun, ref))
    yield from _filters(face, two, noun, op(f"query{many}", camel(noun.plural)))
    if noun.numbers:
        yield Case(op(f"get{one}Numbers", f"{camel(noun.name)}Numbers"), "path", noun.plural,
                   lambda ref: _numbers(face, key, noun, ref))  # fmt: skip
    for inquiry in CATALOGUE.inquiries[noun.plural]:
        yield from _inquiries(face, two, noun, inquiry)
    if isinstance(face, Rest):
        if written(noun.plural):
            yield Case(f"reconcile{many}", "external_ids", noun.plural, lambda ref: face.send(
                key, "POST", f"/v1/{noun.plural}:reconcile",
                json={"source": "crm", "external_ids": [at_source(ref)]}), None)  # fmt: skip
        yield from _parameters(face, two, noun, f"list{many}")
        yield from _boards(face, two, noun, f"group{many}")
        if noun.timeline:
            yield Case(f"get{one}Timeline", "path", noun.plural,
                       lambda ref: face.send(key, "GET", f"/v1/{noun.plural}/{ref}/timeline"))  # fmt: skip
        if noun.tracked:
            path = f"/v1/{noun.plural}"
            yield Case(f"get{one}History", "path", noun.plural,
                       lambda ref: face.send(key, "GET", f"{path}/{ref}/history"))  # fmt: skip
    own = two.mine.make.known[noun.plural][0]
    for action in noun.actions:
        yield from _verbs(
            face, two, noun, action, op(f"{verb(action.name)}{one}", action_field(noun, action)), own
        )
    if not written(noun.plural):
        return
    patch = sound(two, noun, creating=False)
    for name, body in (("update", patch), ("delete", None), ("restore", None)):
        yield Case(f"{name}{one}", "path", noun.plural,
                   lambda ref, name=name, body=body: face.write(key, noun, name, ref, body))  # fmt: skip
    for place, target, put in _places(noun):
        data = sound(two, noun)
        yield Case(f"create{one}", place, target,
                   lambda ref, put=put, data=data: face.write(key, noun, "create", None, put(data, ref)))  # fmt: skip
        row = {"external_id": "new", **data}
        for atomic in (False, True):
            yield Case(
                f"upsert{many}", f"{place} atomic={atomic}", target,
                lambda ref, put=put, row=row, atomic=atomic: face.upsert(key, noun, [put(row, ref)], atomic=atomic),
                status=422 if atomic else None,
            )  # fmt: skip
        if not put({}, "x") or noun.by_name.get(place, _ANY).write == "always":
            yield Case(f"update{one}", place, target,
                       lambda ref, put=put: face.write(key, noun, "update", own, put(patch, ref)))  # fmt: skip
    if noun.takes_past:
        for field in references(noun):
            row = {"external_id": "new", **sound(two, noun)}
            yield Case(
                f"upsert{many}", f"history/{field.name}", field.target or "",
                lambda ref, row=row, name=field.name: face.upsert(
                    key, noun, [{**row, "history": [{"at": "2026-01-05", name: ref}]}]
                ),
                status=None,
            )  # fmt: skip


async def _numbers(face: Face, key: str, noun: Resource, reference: str) -> Any:
    if isinstance(face, Rest):
        return await face.send(key, "GET", f"/v1/{noun.plural}/{reference}/numbers")
    assert isinstance(face, Graph)
    text = f"query ($id: ID!) {{ {camel(noun.name)}Numbers(id: $id) {{ rows {{ value }} }} }}"
    return await face.send(key, text, {"id": reference})


_ANY = Field(name="", kind="text", description="", example="")


def _places(noun: Resource) -> Iterator[tuple[str, str, Callable[[Mapping[str, Any], str], dict[str, Any]]]]:
    """Where a body refers to a record, also inside its lists."""
    for field in references(noun):
        if field.write != "never":
            yield field.name, field.target or "", lambda data, ref, name=field.name: {**data, name: ref}
    for child in noun.children:
        for field in child.fields:
            if field.kind == "reference":

                def put(
                    data: Mapping[str, Any], ref: str, child: str = child.name, name: str = field.name
                ) -> dict:
                    first, *others = data.get(child) or [{}]
                    return {**data, child: [{**first, name: ref}, *others]}

                yield f"{child.name}/{field.name}", field.target or "", put


def _filters(face: Face, two: Two, noun: Resource, operation: str) -> Iterator[Case]:
    def asking(tree: Any) -> Any:
        return face.list(two.key, noun, Question(filter=tree))

    for operator, status in (("eq", None), ("in", None), ("nin", None)):
        yield Case(operation, f"id {operator}", noun.plural, lambda ref, o=operator: asking(
            {"id": {o: [ref] if o in ("in", "nin") else ref}}), status)  # fmt: skip
    for field in references(noun):
        yield Case(operation, f"{field.name} eq", field.target or "",
                   lambda ref, n=field.name: asking({n: {"eq": ref}}))  # fmt: skip
        yield Case(operation, f"{field.name} in", field.target or "",
                   lambda ref, n=field.name: asking({n: {"in": [ref]}}))  # fmt: skip
        yield Case(operation, f"not {field.name}", field.target or "",
                   lambda ref, n=field.name: asking({"not": {n: {"eq": ref}}}), None)  # fmt: skip
    for relation in noun.relations.values():
        for field in references(CATALOGUE[relation.target]):
            yield Case(operation, f"{relation.name}.{field.name}", field.target or "",
                       lambda ref, r=relation.name, n=field.name: asking({r: {n: {"eq": ref}}}))  # fmt: skip
    for child in noun.children:
        for field in child.fields:
            if field.kind == "reference":
                yield Case(operation, f"{child.name}.{field.name}", field.target or "",
                           lambda ref, c=child.name, n=field.name: asking({c: {n: {"eq": ref}}}))  # fmt: skip
    for listing in noun.listings:
        for field in references(CATALOGUE[listing.target]):
            yield Case(operation, f"{listing.name}.{field.name}", field.target or "",
                       lambda ref, c=listing.name, n=field.name: asking({c: {n: {"eq": ref}}}))  # fmt: skip


def _parameters(face: Rest, two: Two, noun: Resource, operation: str) -> Iterator[Case]:
    for form in ("application/json", "application/x-ndjson", "text/csv"):
        for field in references(noun) or [Field(name="id", kind="id", description="", example="")]:
            yield Case(
                operation, f"?{field.name} as {form}", field.target or noun.plural,
                lambda ref, n=field.name, form=form: face.send(
                    two.key, "GET", f"/v1/{noun.plural}", params={n: ref}, headers={"accept": form}
                ),
                404 if field.kind == "reference" else None,
            )  # fmt: skip


def _boards(face: Rest, two: Two, noun: Resource, operation: str) -> Iterator[Case]:
    by = next(iter(groupable(noun, "admin")), None)
    for field in references(noun) if by else ():
        yield Case(operation, f"?{field.name}", field.target or "", lambda ref, n=field.name: face.send(
            two.key, "GET", f"/v1/{noun.plural}:grouped", params={"group_by": by, n: ref}))  # fmt: skip
    if by and not references(noun):
        yield Case(operation, "?id", noun.plural, lambda ref: face.send(
            two.key, "GET", f"/v1/{noun.plural}:grouped", params={"group_by": by, "id": ref}), None)  # fmt: skip


def _verbs(face: Face, two: Two, noun: Resource, action: Action, operation: str, own: str) -> Iterator[Case]:
    fields = action.input.model_fields
    found = {x: noun.by_name[x].target or "" for x in fields if noun.by_name.get(x, _ANY).kind == "reference"}
    found |= action.references
    found |= PASSED_ON.get((noun.plural, action.name), {})

    def named(name: str, reference: str) -> Any:
        return [reference] if get_origin(fields[name].annotation) is list else reference

    data: dict[str, Any] = {x: named(x, two.mine.make.known[target][0]) for x, target in found.items()}
    data |= {x: True for x, info in fields.items() if info.annotation is bool}
    data |= {
        x: info.examples[0]
        for x, info in fields.items()
        if info.is_required() and info.examples and x not in found
    }
    yield Case(operation, "path", noun.plural, lambda ref: face.write(two.key, noun, action.name, ref, data))
    if "at" in fields:
        for name, target in found.items():
            yield Case(operation, f"{name} since", target, lambda ref, n=name: face.write(
                two.key, noun, action.name, own, {**data, n: named(n, ref), "at": "2026-01-05"}))  # fmt: skip
    for name, target in found.items():
        # A verb that the record's state refuses may say so first; it says so to either.
        yield Case(operation, name, target, lambda ref, n=name: face.write(
            two.key, noun, action.name, own, _asking(data, n, named(n, ref))), None)  # fmt: skip


def _inquiries(face: Face, two: Two, noun: Resource, inquiry: Inquiry) -> Iterator[Case]:
    """One reference at a time: some inquiries take one or another."""
    operation = action_field(noun, inquiry)
    yield Case(operation, "path", noun.plural, lambda ref: face.inquire(two.key, inquiry, ref, {}))
    own = two.mine.make.known[noun.plural][0]
    for name, target in inquiry.references.items():
        yield Case(operation, name, target, lambda ref, n=name: face.inquire(two.key, inquiry, own, {n: ref}))


PASSED_ON = {("leads", "convert"): {"stage_id": "stages"}}
"""What a verb does not look up itself, but writes into a record of another noun."""


def _asking(data: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """With what is passed on, nothing that would make it needless to write that record."""
    return {**{k: v for k, v in data.items() if k != "opportunity_id"}, name: value}


def others(face: Face, two: Two) -> Iterator[Case]:
    """What is no noun's."""
    dimensions = {d.name: d.noun for metric in METRIC_CATALOGUE for d in metric.dimensions if d.noun}
    for name, target in dimensions.items():
        plural = target if target in CATALOGUE.by_plural else CATALOGUE.by_name[target].plural
        metrics = [m.name for m in METRIC_CATALOGUE if name in {d.name for d in m.dimensions}][:1]
        if isinstance(face, Rest):
            body = {"metrics": metrics, "period": "2026"}
            yield Case("queryMetrics", f"?{name}", plural, lambda ref, n=name, m=metrics: face.send(
                two.key, "GET", "/v1/metrics/query", params={"metric": m[0], "period": "2026", n: ref}))  # fmt: skip
            yield Case("queryMetricsByBody", name, plural, lambda ref, n=name, b=body: face.send(
                two.key, "POST", "/v1/metrics:query", json={**b, "filters": {n: [ref]}}))  # fmt: skip
            yield Case("explainMetric", f"?{name}", plural, lambda ref, n=name, m=metrics: face.send(
                two.key, "GET", f"/v1/metrics/{m[0]}/rows", params={"period": "2026", n: ref}))  # fmt: skip
        else:
            assert isinstance(face, Graph)
            inner = f"{camel(name)}: [$ref]"
            for root, head, rest in (
                ("metrics", f'names: ["{metrics[0]}"]', "{ rows { metric value n dimensions } }"),
                ("explainMetric", f'name: "{metrics[0]}"', "{ __typename }"),
            ):
                text = (
                    f'query ($ref: String!) {{ {root}({head}, period: "2026", filter: {{{inner}}}) {rest} }}'
                )
                yield Case(root, name, plural, lambda ref, text=text: face.send(two.key, text, {"ref": ref}))
    if isinstance(face, Graph):
        node = "query ($id: ID!) { node(id: $id) { id __typename } }"
        for noun in CATALOGUE:
            yield Case("node", noun.plural, noun.plural, lambda ref: face.send(two.key, node, {"id": ref}))
        days = """query ($id: ID!) { calendarDays(period: "2026-01", workingCalendar: $id) {
            rows { holiday workingHours } meta { workingCalendar { id name } } } }"""
        yield Case("calendarDays", "workingCalendar", "working_calendars", lambda ref: face.send(
            two.key, days, {"id": ref}))  # fmt: skip
        return
    assert isinstance(face, Rest)
    yield Case("listCalendarDays", "?working_calendar", "working_calendars", lambda ref: face.send(
        two.key, "GET", "/v1/calendar/days", params={"period": "2026-01", "working_calendar": ref}))  # fmt: skip
    for name, target in (("rep_id", "reps"), ("user_id", "users")):
        yield Case("createApiKey", name, target, lambda ref, n=name: face.send(
            two.key, "POST", "/v1/api_keys", json={"name": "x", "role": "rep", n: ref}))  # fmt: skip
    for act in ("rotate", "revoke"):
        yield Case(f"{act}ApiKey", "path", "api_keys", lambda ref, act=act: face.send(
            two.key, "POST", f"/v1/api_keys/{ref}:{act}"))  # fmt: skip
    for operation, method, path in (
        ("getOperation", "GET", "/v1/operations/{}"), ("listOperationErrors", "GET", "/v1/operations/{}/errors"),
        ("watchOperation", "GET", "/v1/operations/{}/events"), ("cancelOperation", "POST", "/v1/operations/{}:cancel"),
        ("putImportContent", "PUT", "/v1/imports/{}/content"),
    ):  # fmt: skip
        yield Case(operation, "path", "operations", lambda ref, m=method, p=path: face.send(
            two.key, m, p.format(ref)))  # fmt: skip
    yield Case("getExportContent", "path, signed by us", "operations", lambda ref: _by_link(face, two, ref))
    yield Case("createExport", "filter", "reps", lambda ref: face.send(
        two.key, "POST", "/v1/exports", json={"noun": "accounts", "filter": {"owner_id": ref}}))  # fmt: skip


def at_source(reference: str) -> str:
    """What the source itself calls it."""
    return reference.partition(":")[2] or reference


async def _by_link(face: Rest, two: Two, reference: str) -> Any:
    async with two.mine.database.transaction(two.mine.company.id) as session:
        link, _ = await links.link(session, f"/v1/exports/{reference}/content")
    return await face.send(two.key, "GET", link)


CURSORS = {"listEvents", "events"}
"""What is asked with a cursor; so are the lists."""


async def answer(face: Face, case: Case, reference: str) -> tuple[int, Mapping[str, str], Any]:
    """Status, headers and body without what differs from request to request, and the reference itself."""
    await case.probe(reference)
    response: httpx.Response = face.last
    headers = {
        name: re.sub(r"\d+", "", value) if name.startswith("ratelimit") else value.replace(reference, "REF")
        for name, value in response.headers.items()
        if name not in ("x-request-id", "date", "content-length", "server-timing")
    }
    text = (
        response.text.replace(reference, "REF")
        .replace(at_source(reference), "REF")
        .replace(response.headers["x-request-id"], "")
    )
    # A cursor is bound to its question, and numbers say when they were asked.
    text = re.sub(
        r'("(?:startCursor|endCursor|next_cursor|as_of|known_at|data_through)":)"[^"]*"', r"\1null", text
    )
    form = headers.get("content-type", "")
    return (
        response.status_code,
        headers,
        orjson.loads(text) if form.endswith("json") and "ndjson" not in form else text,
    )


def pairs(theirs: World, case: Case) -> list[tuple[str, str]]:
    """A record of theirs and a name that nobody has, by id and by source."""
    known = theirs.make.known[case.target]
    found = [(known[0], str(new_id())), (known[1], str(uuid4()))]
    if case.target in CATALOGUE.by_plural and written(case.target) and case.operation != "node":
        name = f"{theirs.prefix}{CATALOGUE[case.target].name}-0"
        found.append((f"crm:{name}", f"crm:{name[:-1]}Z"))
    return found


def refused(face: Face, status: int, body: Any) -> int | None:
    """The status that is told, wherever each face tells it."""
    if isinstance(face, Rest):
        return status
    errors = body.get("errors") if isinstance(body, dict) else None
    return errors[0]["extensions"]["status"] if errors else 200


async def contents(world: World) -> dict[str, Any]:
    """Everything of a company, table by table."""
    found: dict[str, Any] = {}
    async with world.database.transaction(world.company.id) as session:
        for table in metadata.sorted_tables:
            if "tenant_id" in table.columns and table.schema is None:
                found[table.name] = await session.connection.fetchrow(
                    f"select count(*), md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {table.name} t"
                )
    return found


async def hold(face: Face, two: Two, found: Iterator[Case]) -> set[str]:
    reached: set[str] = set()
    for case in found:
        reached.add(case.operation)
        for theirs, nobodys in pairs(two.theirs, case):
            foreign = await answer(face, case, theirs)
            absent = await answer(face, case, nobodys)
            where = f"{case.operation}, {case.place}: {theirs}"
            assert foreign == absent, where
            told = refused(face, foreign[0], foreign[2])
            if case.status is not None:
                assert told == case.status, (where, foreign)
            assert told not in (500, 401, 403), (where, foreign)
    return reached


@pytest.mark.parametrize("noun", list(CATALOGUE), ids=lambda noun: noun.plural)
async def test_what_another_tenant_has_is_not_there(two: Two, face: Face, noun: Resource) -> None:
    theirs, mine = await contents(two.theirs), await contents(two.mine)
    await hold(face, two, cases(face, two, noun))
    assert await contents(two.theirs) == theirs
    if not written(noun.plural):
        return  # an API key keeps when it was last used
    after = await contents(two.mine)
    assert after[noun.table.name] == mine[noun.table.name], "a refused write leaves nothing"


async def test_nor_is_it_for_what_is_no_noun(two: Two, face: Face) -> None:
    theirs = await contents(two.theirs)
    await hold(face, two, others(face, two))
    assert await contents(two.theirs) == theirs


@pytest.mark.parametrize("noun", list(CATALOGUE), ids=lambda noun: noun.plural)
async def test_a_cursor_of_another_tenant_is_no_better_than_a_made_up_one(
    two: Two, face: Face, noun: Resource
) -> None:
    theirs = await must(face.list(await two.theirs.key(), noun, Question(sort=("id",), limit=1)))
    assert theirs.next is not None
    for cursor in (theirs.next, "bWFkZSB1cA"):
        for question in (Question(sort=("id",), after=cursor), Question(sort=("id",), before=cursor)):
            refused = await face.list(two.key, noun, question)
            assert isinstance(refused, Refused)
            assert (refused.status, refused.code) == (400, "bad_cursor")


async def test_the_events_of_another_tenant_are_not_told(
    two: Two, rest: Rest, graph: Graph, settled: Any
) -> None:
    await settled()
    last = (await rest.send(await two.theirs.key(), "GET", "/v1/events?limit=5")).json()["next_cursor"]
    for after in ("0.0", last):
        page = (await rest.send(two.key, "GET", f"/v1/events?limit=1000&after={after}")).json()
        assert {x["record_id"] for x in page["data"]} & {
            id_ for ids in two.theirs.make.known.values() for id_ in ids
        } == set()
        told = await graph.send(
            two.key, f'{{ events(first: 1000, after: "{after}") {{ nodes {{ recordId }} }} }}'
        )
        # Asked a moment later, so more may have settled.
        assert {x["recordId"] for x in told["nodes"]} >= {x["record_id"] for x in page["data"]}
        assert {x["recordId"] for x in told["nodes"]} <= {
            id_ for ids in two.mine.make.known.values() for id_ in ids
        }


async def test_every_operation_and_root_field_is_probed(two: Two, rest: Rest, graph: Graph) -> None:
    document = (await rest.client.get("/openapi.json")).json()
    operations = {
        x["operationId"] for path in document["paths"].values() for x in path.values() if "operationId" in x
    }
    made = schema(CATALOGUE, METRIC_CATALOGUE)._schema
    assert made.query_type is not None
    assert made.mutation_type is not None
    roots = {*made.query_type.fields, *made.mutation_type.fields}
    whole_histories = {f"list{class_name(x.name)}History" for x in CATALOGUE if x.tracked}
    for face, promised in ((rest, operations - whole_histories), (graph, roots)):
        reached = {case.operation for noun in CATALOGUE for case in cases(face, two, noun)}
        reached |= {case.operation for case in others(face, two)} | NO_REFERENCES | CURSORS
        # What refers to nothing can only be named by its path.
        reached |= {
            f"{name}{class_name(x.name if name == 'create' else x.plural)}"
            for x in CATALOGUE
            if written(x.plural) and not list(_places(x))
            for name in ("create", "upsert")
        }
        assert promised - reached == set(), "say in this file where these take references"
        assert reached - promised - NO_REFERENCES - CURSORS == set()
