"""Fields that tenants add: of every kind, on every noun, by REST and by GraphQL, held against plain Python."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.areas import CATALOGUE
from app.ground.access.custom import KINDS
from app.ground.access.permissions import ROLES
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.language.resources.custom import field as declared
from app.language.resources.fields import CUSTOM, Field
from app.language.resources.resource import Resource
from app.language.resources.select import statement
from app.main import create_app
from tests.catalogue.company import WORDS, written
from tests.catalogue.conftest import World
from tests.catalogue.faces import Face, Graph, Question, Refused, Rest, must
from tests.catalogue.model import holds, ordered

ACCOUNTS, DEALS = CATALOGUE["accounts"], CATALOGUE["opportunities"]
FIELDS = CATALOGUE["custom_fields"]
NOUNS = [noun for noun in CATALOGUE if CUSTOM in noun.by_name]
ROWS = 40

Add = Callable[..., Awaitable[dict[str, Any]]]


async def add(rest: Rest, key: str, name: str, kind: str, noun: str = "accounts", **more: Any) -> Any:
    data = {"noun": noun, "name": name, "kind": kind, "title": name.capitalize(), **more}
    return await must(rest.write(key, FIELDS, "create", None, data))


def value(kind: str, chance: random.Random) -> Any:
    match kind:
        case "text" | "picklist":
            return chance.choice(WORDS)
        case "integer":
            return chance.choice((0, -3, 7, 10**15 - 1))
        case "number":
            return chance.choice((0, 0.1, -2.5, 1e-06, 123456789012.345, 7))
        case "flag":
            return chance.random() < 0.5
        case "day":
            return str(date(2025, 12, 1) + timedelta(days=chance.randrange(150)))
        case _:
            second = chance.choice(("00", "30.5", "59.999999"))
            moment = datetime.fromisoformat(
                f"2026-0{chance.randrange(1, 5)}-11T{chance.randrange(24):02}:10:{second}+02:00"
            )
            return moment.isoformat()


class Shaped:
    """A company whose accounts have a field of each kind, filled by chance; `rows` as they are read."""

    def __init__(self, company: Any, key: str) -> None:
        self.company = company
        self.key = key
        self.sent: dict[str, dict[str, Any]] = {}
        self.rows: list[dict[str, Any]] = []


@pytest_asyncio.fixture(scope="session")
async def shaped(make_tenant: Callable[..., Awaitable[Any]], rest: Rest) -> Shaped:
    company = await make_tenant("Shaped", timezone="America/New_York")
    made = Shaped(company, await company.key())
    for kind in KINDS:
        await add(rest, made.key, f"a_{kind}", kind)
    chance = random.Random("shaped")
    rows = []
    for index in range(ROWS):
        given = {f"a_{kind}": value(kind, chance) for kind in KINDS if chance.random() < 0.8}
        made.sent[f"a{index}"] = given
        rows.append({"external_id": f"a{index}", "name": f"Account {index}", CUSTOM: given})
    receipts = await must(rest.upsert(made.key, ACCOUNTS, rows))
    assert {x["outcome"] for x in receipts} == {"created"}
    again = await must(rest.upsert(made.key, ACCOUNTS, rows))
    assert {x["outcome"] for x in again} == {"unchanged"}, "the same row is the same, whatever its kinds"
    made.rows = (await must(rest.list(made.key, ACCOUNTS, Question(limit=ROWS)))).rows
    return made


def lifted(kind: str, rows: list[dict[str, Any]]) -> tuple[Field, list[dict[str, Any]]]:
    """The field as `model.py` looks at one: its value beside the id."""
    name = f"a_{kind}"
    return declared(name, kind), [{"id": row["id"], name: row[CUSTOM][name]} for row in rows]  # pyright: ignore[reportArgumentType]


every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
async def test_what_was_written_is_read(shaped: Shaped, face: Face, kind: str) -> None:
    rows = (await must(face.list(shaped.key, ACCOUNTS, Question(limit=ROWS)))).rows
    for row in rows:
        [name] = [x["external_id"] for x in row["external_ids"]]
        assert list(row[CUSTOM]) == list(shaped.rows[0][CUSTOM]), "every field is there, filled or not"
        have, want = row[CUSTOM][f"a_{kind}"], shaped.sent[name].get(f"a_{kind}")
        if kind == "moment" and want is not None:
            assert datetime.fromisoformat(have) == datetime.fromisoformat(want)
            assert have.endswith("+00:00")
        else:
            assert have == want
            assert type(have) is type(want) or kind == "number"


def operands(field: Field, there: list[Any], operator: str, chance: random.Random) -> list[Any]:
    some = chance.sample([x for x in there if x is not None], 2)
    match operator:
        case "is_null":
            return [True, False]
        case "in_period":
            return ["2026", "2026-Q1", "2026-03"]
        case "in" | "nin":
            return [some, [value(field.kind, chance)]]
        case "contains" | "starts_with":
            return ["a", "Ä", "100%", "zzz"]
        case _:
            return [*some, value(field.kind, chance)]


@every_kind
async def test_filters_say_what_python_says(shaped: Shaped, face: Face, kind: str) -> None:
    field, rows = lifted(kind, shaped.rows)
    zone = shaped.company.tenant.zone
    chance = random.Random(kind)
    sizes: set[int] = set()
    for operator in field.operators:
        for operand in operands(field, [row[field.name] for row in rows], operator, chance):
            want = {row["id"] for row in rows if holds(field, operator, row[field.name], operand, zone)}
            question = Question(filter={CUSTOM: {field.name: {operator: operand}}}, limit=ROWS)
            found = await must(face.list(shaped.key, ACCOUNTS, question))
            assert set(found.ids) == want, (operator, operand)
            sizes.add(len(want))
            if isinstance(face, Rest) and operator != "in_period":
                text = ",".join(map(_text, operand)) if isinstance(operand, list) else _text(operand)
                said = f"custom.{field.name}[{operator}]"
                page = await must(face.parameters(shaped.key, ACCOUNTS, [(said, text), ("limit", str(ROWS))]))
                assert set(page.ids) == want, (said, text)
    assert any(0 < size < ROWS for size in sizes)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@every_kind
async def test_orders_say_what_python_says_page_by_page(shaped: Shaped, face: Face, kind: str) -> None:
    field, rows = lifted(kind, shaped.rows)
    zone = shaped.company.tenant.zone
    for descending in (False, True):
        want = ordered(rows, [(field, descending)], zone)
        sort = (f"{'-' if descending else ''}custom.{field.name}",)
        question, seen, pages = Question(sort=sort, limit=7), [], []
        while True:
            page = await must(face.list(shaped.key, ACCOUNTS, question))
            seen += page.ids
            pages.append(page)
            if page.next is None:
                break
            question = replace(question, after=page.next)
        assert seen == want
        for earlier, later in zip(reversed(pages[:-1]), reversed(pages[1:]), strict=True):
            back = await must(
                face.list(shaped.key, ACCOUNTS, Question(sort=sort, limit=7, before=later.previous))
            )
            assert back.ids == earlier.ids
        other = Question(sort=("custom.a_text" if kind != "text" else "custom.a_day",), after=pages[0].next)
        assert await face.list(shaped.key, ACCOUNTS, other) == Refused(400, "bad_cursor")


WRONG: dict[str, list[Any]] = {
    "text": [1, True, ["x"], {"a": 1}, "x" * 2001],
    "picklist": [1, False, "x" * 121],
    "integer": [1.5, "1", True, 10**15],
    "number": [True, "one", [1], 1.1234567, 1234567890123456],
    "flag": ["true", 1, "yes"],
    "day": ["2026-02-30", "2026-01-01T00:00:00Z", 20260101, "soon"],
    "moment": ["2026-01-01T10:00:00", "10:00", 5],
}


@every_kind
async def test_what_is_not_of_its_kind_is_refused(shaped: Shaped, face: Face, kind: str) -> None:
    name = f"a_{kind}"
    for wrong in WRONG[kind]:
        data = {"name": "Refused", CUSTOM: {name: wrong}}
        refusal = await face.write(shaped.key, ACCOUNTS, "create", None, data)
        assert isinstance(refusal, Refused), wrong
        assert refusal.status == 422
        assert [pointer for pointer, _ in refusal.errors] == [f"/custom/{name}"], refusal
        row = {"external_id": "a0", CUSTOM: {name: wrong}}
        [receipt] = await must(face.upsert(shaped.key, ACCOUNTS, [row]))
        assert receipt["outcome"] == "failed"
        assert receipt["error"]["errors"][0]["pointer"] == f"/custom/{name}"


async def test_unknown_names_are_refused_with_a_suggestion(shaped: Shaped, rest: Rest, graph: Graph) -> None:
    for face in (rest, graph):
        for refusal in (
            await face.write(shaped.key, ACCOUNTS, "create", None, {"name": "x", CUSTOM: {"a_txt": "x"}}),
            await face.list(shaped.key, ACCOUNTS, Question(filter={CUSTOM: {"a_txt": {"eq": "x"}}})),
            await face.list(shaped.key, ACCOUNTS, Question(sort=("custom.a_txt",))),
            await face.list(
                shaped.key, CATALOGUE["contacts"], Question(filter={CUSTOM: {"a_text": {"eq": "x"}}})
            ),
        ):
            assert isinstance(refusal, Refused)
            assert refusal.status == 422
        assert "a_text" in refusal.text or "custom" in refusal.text
    for path in ("?custom.a_txt=x", "?sort=custom.a_txt", "?columns=custom.a_txt&format=csv"):
        answer = await rest.send(shaped.key, "GET", f"/v1/accounts{path}", headers={"accept": "text/csv"})
        assert answer.status_code == 422, path
    told = await rest.send(shaped.key, "GET", "/v1/accounts?custom.a_txt=x")
    [error] = told.json()["errors"]
    assert (error["pointer"], error["code"]) == ("?custom.a_txt", "unknown_parameter")
    assert 'Did you mean "a_text"' in error["message"]
    created = await rest.send(shaped.key, "POST", "/v1/accounts", json={"name": "x", CUSTOM: {"a_txt": 1}})
    [error] = created.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/custom/a_txt", "unknown_field")
    assert 'Did you mean "a_text"' in error["message"]
    unknown = await rest.send(shaped.key, "GET", "/v1/accounts?custom.a_number[contains]=x")
    assert unknown.json()["errors"][0]["code"] == "unknown_operator"


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.plural)
async def test_every_noun_takes_fields(bench: World, rest: Rest, graph: Graph, noun: Resource) -> None:
    key = await bench.key()
    await add(rest, key, "tier", "picklist", noun.plural)
    await add(rest, key, "my_score", "number", noun.plural)
    await add(rest, key, "renews_on", "day", noun.plural)
    data = {**bench.make.payload(noun, empty=0), CUSTOM: {"tier": "gold", "my_score": 1.50}}
    created = await must(graph.write(key, noun, "create", None, data))
    assert created[CUSTOM] == {"tier": "gold", "my_score": 1.5, "renews_on": None}
    other = await must(rest.write(key, noun, "create", None, bench.make.payload(noun, empty=0)))
    assert other[CUSTOM] == {"tier": None, "my_score": None, "renews_on": None}
    patch = {CUSTOM: {"tier": None, "renews_on": "2026-05-01"}}
    answer = await rest.send(key, "PATCH", f"/v1/{noun.plural}/{created['id']}", json=patch)
    assert answer.status_code == 200, answer.text
    assert answer.json()[CUSTOM] == {"tier": None, "my_score": 1.5, "renews_on": "2026-05-01"}
    same = await must(rest.write(key, noun, "update", created["id"], patch))
    assert same["version"] == 2, "nothing has changed"
    for face in (rest, graph):
        assert (await must(face.get(key, noun, created["id"])))[CUSTOM] == answer.json()[CUSTOM]
        question = Question(
            filter={CUSTOM: {"my_score": {"gte": 1}, "renews_on": {"lt": "2027-01-01"}}},
            sort=("-custom.my_score", "created_at"),
        )
        assert (await must(face.list(key, noun, question))).ids == [created["id"]]
    if "upsert" in noun.operations:
        row = {"external_id": "c1", **bench.make.payload(noun, empty=0), CUSTOM: {"my_score": 3}}
        [receipt] = await must(rest.upsert(key, noun, [row]))
        assert receipt["outcome"] == "created", receipt
        assert "custom.my_score" in receipt["changed"]
        [receipt] = await must(graph.upsert(key, noun, [{"external_id": "c1", CUSTOM: {"my_score": None}}]))
        assert (receipt["outcome"], receipt["changed"]) == ("updated", ["custom.my_score"])
    cleared = await must(rest.write(key, noun, "update", created["id"], {CUSTOM: None}))
    assert set(cleared[CUSTOM].values()) == {None}
    told = (await rest.send(key, "GET", f"/v1/describe/{noun.name}")).json()[CUSTOM]
    assert [(x["name"], x["type"], x["label"]) for x in told] == [
        ("custom.my_score", "number", "My_score"), ("custom.renews_on", "day", "Renews_on"),
        ("custom.tier", "picklist", "Tier"),
    ]  # fmt: skip


def test_every_noun_that_is_written_takes_fields() -> None:
    assert {x.plural for x in CATALOGUE if written(x.plural)} - {x.plural for x in NOUNS} == {"custom_fields"}


async def test_only_an_admin_declares_and_everyone_reads(shaped: Shaped, face: Face) -> None:
    data = {"noun": "accounts", "name": "sneaky", "kind": "text", "title": "Sneaky"}
    for role in ROLES:
        key = await shaped.company.key(role)
        listed = await must(face.list(key, FIELDS, Question()))
        assert len(listed.rows) == len(KINDS)
        if role != "admin":
            for refusal in (
                await face.write(key, FIELDS, "create", None, data, role=role),
                await face.write(key, FIELDS, "delete", listed.ids[0], role=role),
                await face.upsert(key, FIELDS, [{"external_id": "s", **data}]),
            ):
                assert isinstance(refusal, Refused)
                assert refusal.status == 403


async def test_a_declaration_is_checked_and_stays(tenant: Any, face: Face, rest: Rest) -> None:
    key = await tenant.key()
    good = {"noun": "accounts", "name": "tier", "kind": "text", "title": "Tier"}
    made = await must(face.write(key, FIELDS, "create", None, good))
    for change, pointer in (
        ({"noun": "acounts"}, "/noun"),
        ({"noun": "api_keys"}, "/noun"),
        ({"noun": "custom_fields"}, "/noun"),
        *(({"name": name}, "/name") for name in ("Tier", "1st", "a-b", "and", "a" * 40 + "\n")),
        ({"name": "tier"}, "/noun"),
    ):
        refusal = await face.write(key, FIELDS, "create", None, good | change)
        assert isinstance(refusal, Refused), change
        assert pointer in [x for x, _ in refusal.errors], refusal
    row = {"external_id": "f", **good, "name": "other"}
    [receipt] = await must(face.upsert(key, FIELDS, [row]))
    assert receipt["outcome"] == "created"
    for change in ({"kind": "number"}, {"name": "third"}, {"noun": "contacts"}):
        [receipt] = await must(face.upsert(key, FIELDS, [row | change]))
        assert receipt["outcome"] == "failed", change
        assert receipt["error"]["code"] == "fixed"
    renamed = await must(face.write(key, FIELDS, "update", made["id"], {"title": "Level"}))
    assert renamed["title"] == "Level"


async def test_a_retired_field_is_gone_and_comes_back_with_its_values(
    tenant: Any, face: Face, rest: Rest
) -> None:
    key = await tenant.key()
    tier = await add(rest, key, "tier", "text")
    await add(rest, key, "rank", "integer")
    account = await must(
        face.write(key, ACCOUNTS, "create", None, {"name": "A", CUSTOM: {"tier": "gold", "rank": 1}})
    )
    await must(face.write(key, FIELDS, "delete", tier["id"]))
    assert (await must(face.get(key, ACCOUNTS, account["id"])))[CUSTOM] == {"rank": 1}
    refusal = await face.list(key, ACCOUNTS, Question(filter={CUSTOM: {"tier": {"eq": "gold"}}}))
    assert isinstance(refusal, Refused)
    changed = await must(face.write(key, ACCOUNTS, "update", account["id"], {CUSTOM: None}))
    assert changed[CUSTOM] == {"rank": None}
    again = {"noun": "accounts", "name": "tier", "kind": "number", "title": "Tier"}
    refusal = await face.write(key, FIELDS, "create", None, again)
    assert isinstance(refusal, Refused), "its values are no numbers"
    assert refusal.errors == (("/name", "retired"),)
    assert tier["id"] in (refusal.text or "")
    await must(face.write(key, FIELDS, "restore", tier["id"]))
    back = await must(face.get(key, ACCOUNTS, account["id"]))
    assert back[CUSTOM] == {"tier": "gold", "rank": None}


async def test_other_tenants_share_neither_names_nor_kinds_but_the_statement(
    make_tenant: Callable[..., Awaitable[Any]], rest: Rest, graph: Graph
) -> None:
    """The same words mean a number here and a text there, in a nested list as well, and are unknown elsewhere."""
    keys = [await (await make_tenant(f"T{index}")).key() for index in range(4)]
    for key, name, kind in zip(
        keys, ("size", "size", "width", None), ("number", "text", "number", None), strict=True
    ):
        if name and kind:
            await add(rest, key, name, kind)
            await add(rest, key, name, kind, "reps")
        rep = await must(rest.write(key, CATALOGUE["reps"], "create", None, {"name": "R"}))
        if name and kind:
            below = {"name": "R2", "manager_id": rep["id"], CUSTOM: {name: 10 if kind == "number" else "10"}}
            await must(rest.write(key, CATALOGUE["reps"], "create", None, below))
        for i, size in enumerate((9, 10, 100)):
            sizes = {} if not name else {CUSTOM: {name: size if kind == "number" else str(size)}}
            await must(
                rest.write(key, ACCOUNTS, "create", None, {"name": f"A{i}", "owner_id": rep["id"], **sizes})
            )

    async def names(key: str, **question: Any) -> Any:
        found = await graph.list(key, ACCOUNTS, Question(**question))
        assert await rest.list(key, ACCOUNTS, Question(**question)) == found or isinstance(found, Refused)
        return found if isinstance(found, Refused) else [row["name"] for row in found.rows]

    assert await names(keys[0], sort=("custom.size",)) == ["A0", "A1", "A2"]
    assert await names(keys[1], sort=("custom.size",)) == ["A1", "A2", "A0"], "texts, digit by digit"
    assert await names(keys[0], filter={CUSTOM: {"size": {"gt": 9}}}, sort=("name",)) == ["A1", "A2"]
    kept = statement.cache_info().currsize
    assert await names(keys[2], sort=("custom.width",)) == ["A0", "A1", "A2"]
    assert await names(keys[2], filter={CUSTOM: {"width": {"gt": 9}}}, sort=("name",)) == ["A1", "A2"]
    assert statement.cache_info().currsize == kept, "another name is no other statement"
    for key in keys[2:]:
        refusal = await names(key, filter={CUSTOM: {"size": {"eq": 9}}})
        assert isinstance(refusal, Refused)
        assert "width" not in (refusal.text or "") or key == keys[2]
    inside = '{ reps { nodes { reports(filter: {custom: [{field: "size", eq: "10.0"}]}) { name } } } }'
    for at, want in ((1, []), (0, ["R2"]), (1, [])):
        answer = await graph.send(keys[at], inside)
        assert [x["name"] for row in answer["nodes"] for x in row["reports"]] == want
    nested = '{ accounts { nodes { name contacts(customSort: [{field: "size"}]) { id } } } }'
    document = (
        "{ reps { nodes { accounts: opportunities(first: 5) { id } } }"
        ' accounts(filter: {custom: [{field: "size", eq: "10"}]}) { nodes { name } } }'
    )
    for at, want in ((1, ["A1"]), (0, ["A1"])):
        answer = await graph.client.post(
            "/graphql", json={"query": document}, headers={"authorization": f"Bearer {keys[at]}"}
        )
        found = answer.json()
        assert [x["name"] for x in found["data"]["accounts"]["nodes"]] == want, found
    assert isinstance(await graph.send(keys[1], nested), Refused), "contacts have no such field"


async def test_lists_inside_a_record_are_filtered_and_sorted(tenant: Any, rest: Rest, graph: Graph) -> None:
    key = await tenant.key()
    await add(rest, key, "heat", "integer", "contacts")
    account = await must(rest.write(key, ACCOUNTS, "create", None, {"name": "A"}))
    for name, heat in (("x", 10), ("y", 9), ("z", None)):
        data = {"name": name, "account_id": account["id"], CUSTOM: {"heat": heat}}
        await must(rest.write(key, CATALOGUE["contacts"], "create", None, data))
    document = """{ accounts { nodes { name
        all: contacts(customSort: [{field: "heat", descending: true}]) { name custom }
        some: contacts(filter: {custom: [{field: "heat", gte: 10}]}) { name } } } }"""
    [row] = (await graph.send(key, document))["nodes"]
    assert [x["name"] for x in row["all"]] == ["x", "y", "z"]
    assert row["all"][2][CUSTOM] == {"heat": None}
    assert [x["name"] for x in row["some"]] == ["x"]
    for path in ("contacts.custom.heat=9", "contacts.custom.heat[lt]=5"):
        page = (await rest.send(key, "GET", f"/v1/accounts?{path}")).json()
        assert len(page["data"]) == (1 if path.endswith("9") else 0)
    by_account = await rest.send(key, "GET", "/v1/contacts?sort=-custom.heat,account.name")
    assert [x["name"] for x in by_account.json()["data"]] == ["x", "y", "z"]


async def test_history_holds_each_field_by_itself(tenant: Any, rest: Rest, face: Face) -> None:
    key = await tenant.key()
    for name, kind in (("tier", "text"), ("score", "number"), ("seen_on", "day")):
        await add(rest, key, name, kind)
    row = {
        "external_id": "h", "name": "H", CUSTOM: {"tier": "gold", "score": 3},
        "history": [
            {"at": "2026-01-10T00:00:00Z", CUSTOM: {"tier": "bronze"}},
            {"at": "2026-02-10T00:00:00Z", "name": "Hh", CUSTOM: {"tier": "silver", "seen_on": "2026-02-09"}},
            {"at": "2026-03-10T00:00:00Z", CUSTOM: {"seen_on": None}},
        ],
    }  # fmt: skip
    [receipt] = await must(face.upsert(key, ACCOUNTS, [row]))
    assert receipt["outcome"] == "created", receipt
    [receipt] = await must(face.upsert(key, ACCOUNTS, [row]))
    assert receipt["outcome"] == "unchanged", receipt

    async def then(at: str) -> Any:
        return (await must(face.get(key, ACCOUNTS, "crm:h", as_of=at)))[CUSTOM]

    # What was told first of a field is carried back, as with every field.
    assert await then("2026-01-20T00:00:00Z") == {"tier": "bronze", "score": 3, "seen_on": "2026-02-09"}
    assert await then("2026-02-20T00:00:00Z") == {"tier": "silver", "score": 3, "seen_on": "2026-02-09"}
    assert await then("2026-03-20T00:00:00Z") == {"tier": "silver", "score": 3, "seen_on": None}
    now = (await must(face.get(key, ACCOUNTS, "crm:h")))[CUSTOM]
    assert now == {"tier": "gold", "score": 3, "seen_on": None}
    # What comes later of the past takes its place, and leaves the other fields alone.
    late = {"external_id": "h", "history": [{"at": "2026-02-15T00:00:00Z", CUSTOM: {"score": 1}}]}
    [receipt] = await must(face.upsert(key, ACCOUNTS, [late]))
    assert receipt["outcome"] == "updated", receipt
    assert await then("2026-02-20T00:00:00Z") == {"tier": "silver", "score": 1, "seen_on": "2026-02-09"}
    assert await then("2026-02-12T00:00:00Z") == {"tier": "silver", "score": 3, "seen_on": "2026-02-09"}
    filtered = Question(filter={CUSTOM: {"tier": {"eq": "bronze"}}}, as_of="2026-01-20T00:00:00Z")
    assert len((await must(face.list(key, ACCOUNTS, filtered))).rows) == 1
    before = datetime.now(UTC).isoformat()
    await must(face.write(key, ACCOUNTS, "update", "crm:h", {CUSTOM: {"tier": None}}))
    assert (await then(before))["tier"] == "gold"
    versions = (await rest.send(key, "GET", "/v1/accounts/crm:h/history")).json()["data"]
    [current] = [x for x in versions if x["is_current"]]
    assert current["changed"] == ["custom.tier"]
    assert current[CUSTOM]["tier"] is None
    assert {x[CUSTOM]["tier"] for x in versions} == {None, "bronze", "silver", "gold"}
    happened = (await rest.send(key, "GET", "/v1/accounts/crm:h/timeline")).json()["data"]
    [change] = happened[0]["changes"]
    assert (change["field"], change["old"], change["new"]) == ("custom.tier", "gold", None)
    refusal = {"external_id": "h", "history": [{"at": "2026-02-15T00:00:00Z", CUSTOM: {"scor": 1}}]}
    [receipt] = await must(face.upsert(key, ACCOUNTS, [refusal]))
    assert receipt["error"]["errors"][0]["pointer"] == "/history/0/custom/scor"


async def test_told_in_any_order_it_is_the_same_history(tenant: Any, rest: Rest) -> None:
    key = await tenant.key()
    for name in ("one", "two", "three"):
        await add(rest, key, name, "integer")
    chance = random.Random("order")
    points = [
        {"at": f"2026-0{month}-{day:02}T00:00:00Z", CUSTOM: {name: chance.choice((None, 1, 2))}}
        for month in (1, 2, 3)
        for day, name in zip((3, 11, 25), chance.sample(("one", "two", "three"), 3), strict=True)
    ]
    rests: list[Any] = []
    for trial in range(4):
        name = f"o{trial}"
        await must(rest.upsert(key, ACCOUNTS, [{"external_id": name, "name": "O", "history": points[:1]}]))
        others = chance.sample(points[1:], len(points) - 1)
        while others:
            part, others = others[:3], others[3:]
            [receipt] = await must(rest.upsert(key, ACCOUNTS, [{"external_id": name, "history": part}]))
            assert receipt["outcome"] in ("updated", "unchanged"), receipt
        found = []
        for at in ("2026-01-05", "2026-01-12", "2026-01-30", "2026-02-12", "2026-03-12", "2026-03-30"):
            found.append((await must(rest.get(key, ACCOUNTS, f"crm:{name}", as_of=at)))[CUSTOM])
        rests.append(found)
    assert all(x == rests[0] for x in rests)


async def test_a_survivor_takes_over_what_it_lacks(tenant: Any, rest: Rest) -> None:
    key = await tenant.key()
    for name in ("tier", "region", "score"):
        await add(rest, key, name, "integer" if name == "score" else "text")
    gone = await add(rest, key, "old", "text")
    ids = []
    for given in (
        {"tier": "gold", "old": "o"},
        {"tier": "tin", "region": "west", "old": "x"},
        {"region": "east", "score": 0},
    ):
        made = await must(rest.write(key, ACCOUNTS, "create", None, {"name": "A", CUSTOM: given}))
        ids.append(made["id"])
    await must(rest.write(key, FIELDS, "delete", gone["id"]))
    survivor = await must(rest.write(key, ACCOUNTS, "merge", ids[0], {"duplicate_ids": ids[1:]}))
    assert survivor[CUSTOM] == {"tier": "gold", "region": "west", "score": 0}
    await must(rest.write(key, FIELDS, "restore", gone["id"]))
    assert (await must(rest.get(key, ACCOUNTS, ids[0])))[CUSTOM] == survivor[CUSTOM] | {"old": "o"}


async def test_a_stage_may_demand_a_field(tenant: Any, rest: Rest) -> None:
    key = await tenant.key()
    await add(rest, key, "reason", "text", "opportunities")
    pipeline = await must(rest.write(key, CATALOGUE["pipelines"], "create", None, {"name": "P"}))
    stages = CATALOGUE["stages"]
    first, second = [
        await must(rest.write(key, stages, "create", None, {
            "name": name, "pipeline_id": pipeline["id"], "position": position, "category": "open",
            "required_fields": fields,
        }))
        for position, (name, fields) in enumerate((("First", []), ("Second", ["custom.reason"])))
    ]  # fmt: skip
    wrong = await rest.write(key, stages, "update", first["id"], {"required_fields": ["custom.raeson"]})
    assert isinstance(wrong, Refused)
    rep = await must(rest.write(key, CATALOGUE["reps"], "create", None, {"name": "R"}))
    data = {"name": "D", "stage_id": first["id"], "owner_id": rep["id"], "currency": "USD"}
    deal = await must(rest.write(key, DEALS, "create", None, data))
    refusal = await rest.write(key, DEALS, "update", deal["id"], {"stage_id": second["id"]})
    assert isinstance(refusal, Refused)
    assert refusal.errors == (("/custom.reason", "stage_requirements"),)
    moved = {"stage_id": second["id"], CUSTOM: {"reason": "urgent"}}
    assert (await must(rest.write(key, DEALS, "update", deal["id"], moved)))["stage_id"] == second["id"]


async def test_picklists_have_their_values_and_aliases(tenant: Any, rest: Rest) -> None:
    key = await tenant.key()
    await add(rest, key, "tier", "picklist")
    value = {"field": "account.custom.tier", "value": "gold", "label": "Gold", "aliases": ["Au"]}
    await must(rest.write(key, CATALOGUE["picklist_values"], "create", None, value))
    made = await must(rest.write(key, ACCOUNTS, "create", None, {"name": "A", CUSTOM: {"tier": "Au"}}))
    assert made[CUSTOM] == {"tier": "gold"}
    await must(rest.write(key, ACCOUNTS, "create", None, {"name": "B", CUSTOM: {"tier": "tin"}}))
    [told] = (await rest.send(key, "GET", "/v1/describe/accounts")).json()[CUSTOM]
    assert [x["value"] for x in told["picklist"]] == ["gold"]
    assert told["unknown_values"] == [{"value": "tin", "records": 1}]


async def test_lines_of_csv_have_a_cell_for_each(shaped: Shaped, rest: Rest) -> None:
    async def csv(path: str, accept: str = "text/csv") -> list[str]:
        answer = await rest.send(shaped.key, "GET", f"/v1/accounts?{path}", headers={"accept": accept})
        assert answer.status_code == 200, answer.text
        return answer.text.splitlines()

    lines = await csv("columns=name,custom.a_integer,custom.a_flag&sort=custom.a_integer&limit=3")
    assert lines[0] == "name,custom.a_integer,custom.a_flag"
    assert lines[1].split(",")[1] == "-3"
    head = (await csv("limit=1"))[0].split(",")
    assert [x for x in head if x.startswith("custom")] == sorted(f"custom.a_{kind}" for kind in KINDS)
    [line] = await csv("columns=custom.a_day,name&limit=1", "application/x-ndjson")
    assert list(httpx.Response(200, text=line).json()) == [CUSTOM, "name"]
    assert list(httpx.Response(200, text=line).json()[CUSTOM]) == ["a_day"]


async def test_a_declaration_is_heard_here_at_once_and_elsewhere_within_the_cache(
    settings: Settings, database: Database, tenant: Any
) -> None:
    """Two processes, each with its own memory of who has come in."""
    cached = settings.model_copy(update={"principal_cache_seconds": 0.6})
    key = await tenant.key()
    here, there = [
        Rest(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(create_app(cached, database)), base_url="http://a"
            )
        )  # pyright: ignore[reportArgumentType]
        for _ in range(2)
    ]
    for process in (here, there):
        assert (await must(process.list(key, ACCOUNTS, Question()))).rows == []
    await add(here, key, "tier", "text")
    made = await must(here.write(key, ACCOUNTS, "create", None, {"name": "A", CUSTOM: {"tier": "gold"}}))
    assert made[CUSTOM] == {"tier": "gold"}
    deadline = datetime.now(UTC) + timedelta(seconds=1)
    while isinstance(await there.list(key, ACCOUNTS, Question(sort=("custom.tier",))), Refused):
        assert datetime.now(UTC) < deadline
    # Whoever still has the older picture changes nothing that it does not know of.
    for process in (here, there):
        await process.client.aclose()
