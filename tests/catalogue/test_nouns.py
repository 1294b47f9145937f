"""Every noun written in every way, by REST and by GraphQL: created, changed, refused, deleted, restored, imported."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.areas import CATALOGUE
from app.language.resources.fields import Field
from app.language.resources.resource import Resource
from tests.catalogue.company import JUDGED_TOGETHER, written
from tests.catalogue.conftest import World
from tests.catalogue.faces import Face, Question, Refused, Rest, must

WRITTEN = [noun for noun in CATALOGUE if written(noun.plural)]
every_written_noun = pytest.mark.parametrize("noun", WRITTEN, ids=lambda noun: noun.plural)
every_tracked_noun = pytest.mark.parametrize(
    "noun", [noun for noun in WRITTEN if noun.tracked], ids=lambda noun: noun.plural
)


def test_every_field_has_an_example_and_a_description() -> None:
    for noun in CATALOGUE:
        for field in (*noun.all_fields, *(x for child in noun.children for x in child.fields)):
            assert field.example is not None, (noun.plural, field.name)
            assert field.description.endswith("."), (noun.plural, field.name)


def test_every_name_of_a_noun_says_one_thing() -> None:
    for noun in CATALOGUE:
        names = [*noun.by_name, *noun.relations, *noun.children_by_name, *noun.listings_by_name]
        assert sorted(names) == sorted(set(names)), noun.plural


HOME = "USD"


def agrees(field: Field, stored: Any, given: Any) -> bool:
    """Whether what is read is what was written; a default stands for a null."""
    if given is None:
        return stored == (HOME if field.currency else field.default)
    match field.kind:
        case "money" | "number":
            return Decimal(repr(stored)) == Decimal(repr(given))
        case "moment":
            return datetime.fromisoformat(stored) == datetime.fromisoformat(given)
        case _:
            return stored == given


def assert_stored(noun: Resource, row: dict[str, Any], data: dict[str, Any]) -> None:
    for name, given in data.items():
        if name in noun.by_name and name != "external_ids":
            assert agrees(noun.by_name[name], row[name], given), (name, row[name], given)
    for child in noun.children:
        if child.name in data and child.name in row:
            assert len(row[child.name]) == len(data[child.name]), child.name
            for given in data[child.name]:
                assert any(
                    all(agrees(child.by_name[k], x[k], v) for k, v in given.items() if v is not None)
                    for x in row[child.name]
                ), (child.name, given, row[child.name])


@every_written_noun
async def test_create_read_and_patch(bench: World, face: Face, noun: Resource) -> None:
    key = await bench.key()
    data = bench.make.payload(noun, empty=0)
    created = await must(face.write(key, noun, "create", None, data))
    assert created["version"] == 1
    assert created["deleted_at"] is None
    assert_stored(noun, created, data)
    assert await must(face.get(key, noun, created["id"])) == created
    whole = await must(face.get(key, noun, created["id"], expand=list(noun.children_by_name)))
    assert_stored(noun, whole, data)

    name = {"source": "erp", "external_id": "A 7:x", "url": None}
    patch = bench.make.payload(noun, creating=False, empty=0)
    changed = await must(face.write(key, noun, "update", created["id"], {**patch, "external_ids": [name]}))
    assert changed["version"] == 2
    assert changed["external_ids"] == [name]
    assert changed["created_at"] == created["created_at"]
    assert changed["updated_at"] > created["updated_at"]
    assert_stored(noun, changed, patch)
    whole = await must(face.get(key, noun, "erp:A 7:x", expand=list(noun.children_by_name)))
    assert_stored(noun, whole, patch)

    unchanged = await must(face.write(key, noun, "update", "erp:A 7:x", {**patch, "external_ids": [name]}))
    assert unchanged == changed
    for field in noun.writable:
        free_form = field.kind in ("text", "picklist") and not field.currency
        if free_form and field.write == "always" and not field.required and field.default is None:
            cleared = await must(face.write(key, noun, "update", created["id"], {field.name: None}))
            assert cleared[field.name] is None, field.name
            absent = await must(face.get(key, noun, created["id"]))
            assert absent == cleared


@pytest.mark.parametrize("noun", [x for x in WRITTEN if x.children], ids=lambda noun: noun.plural)
async def test_a_child_list_is_replaced_merged_and_emptied(bench: World, face: Face, noun: Resource) -> None:
    key = await bench.key()
    for child in noun.children:
        data = bench.make.payload(noun, empty=0, without=child.name)
        created = await must(face.write(key, noun, "create", None, data))
        made = bench.make.payload(noun, empty=0)
        while len(made[child.name]) < 2:
            made = bench.make.payload(noun, empty=0)
        rows = made[child.name]
        base = {
            k: v for k, v in made.items() if noun.by_name.get(k) is None or noun.by_name[k].write == "always"
        }
        beside = noun.children_by_name if noun.plural in JUDGED_TOGETHER else (child.name,)
        base = {k: v for k, v in base.items() if k not in noun.children_by_name or k in beside}
        await must(face.write(key, noun, "update", created["id"], base))
        stored = (await must(face.get(key, noun, created["id"], expand=[child.name])))[child.name]
        assert len(stored) == 2
        again = await must(face.write(key, noun, "update", created["id"], {child.name: rows}))
        kept = (await must(face.get(key, noun, created["id"], expand=[child.name])))[child.name]
        assert kept == stored, "children keep their ids where they stay"
        merged = await must(face.write(key, noun, "update", created["id"], {f"{child.name}_merge": rows[:1]}))
        assert merged == again
        emptied = bench.make.payload(noun, empty=0, without=child.name)
        none = {name: emptied[name] for name in beside}
        await must(face.write(key, noun, "update", created["id"], none))
        gone = (await must(face.get(key, noun, created["id"], expand=[child.name])))[child.name]
        assert gone == []


@every_written_noun
async def test_a_stale_version_and_a_duplicate_are_refused(bench: World, face: Face, noun: Resource) -> None:
    key = await bench.key()
    data = bench.make.payload(noun, empty=0)
    created = await must(face.write(key, noun, "create", None, data))
    patch = bench.make.payload(noun, creating=False, empty=0)
    fresh = await must(face.write(key, noun, "update", created["id"], patch, version=1))
    for verb, body in (("update", patch), ("delete", None)):
        refusal = await face.write(key, noun, verb, created["id"], body, version=1)
        assert isinstance(refusal, Refused)
        assert (refusal.status, refusal.code) == (412, "version_conflict"), verb
        assert refusal.current is not None, "the caller is told what stands there now"
        assert refusal.current["id"] == created["id"]
        assert refusal.current["version"] == fresh["version"]
    assert await must(face.get(key, noun, created["id"])) == fresh
    for names in noun.unique:
        if any(fresh[name] is None for name in names):
            continue  # a null is the same as nothing, not even as a null
        value = {name: fresh[name] for key in noun.unique for name in key}
        if all(noun.by_name[name].kind == "flag" for name in names):
            value = dict.fromkeys(names, True)
            await must(face.write(key, noun, "update", created["id"], value))
        other = bench.make.payload(noun, empty=0)
        refusal = await face.write(key, noun, "create", None, {**other, **value})
        assert isinstance(refusal, Refused)
        assert (refusal.status, refusal.code) == (409, "duplicate")
        assert {code for _, code in refusal.errors} <= {"duplicate"}
        [row] = await must(face.upsert(key, noun, [{"external_id": "twin", **other, **value}]))
        assert (row["outcome"], row["error"]["code"]) == ("failed", "duplicate")
    name = {"source": "erp", "external_id": "one", "url": None}
    await must(face.write(key, noun, "update", created["id"], {"external_ids": [name]}))
    other = bench.make.payload(noun, empty=0)
    refusal = await face.write(key, noun, "create", None, {**other, "external_ids": [name]})
    assert isinstance(refusal, Refused)
    assert (refusal.status, refusal.code) == (409, "duplicate")


@every_written_noun
async def test_delete_and_restore(bench: World, face: Face, noun: Resource) -> None:
    key = await bench.key()
    created = await must(face.write(key, noun, "create", None, bench.make.payload(noun, empty=0)))
    id_ = created["id"]
    deleted = await must(face.write(key, noun, "delete", id_))
    assert deleted["deleted_at"] is not None
    assert deleted["version"] == 2
    assert await face.get(key, noun, id_) == Refused(404, "not_found")
    assert await must(face.get(key, noun, id_, deleted=True)) == deleted
    assert id_ not in (await must(face.list(key, noun, Question()))).ids
    assert id_ in (await must(face.list(key, noun, Question(deleted=True)))).ids
    patch = bench.make.payload(noun, creating=False)
    assert await face.write(key, noun, "update", id_, patch) == Refused(404, "not_found")
    assert await face.write(key, noun, "delete", id_) == Refused(404, "not_found")
    restored = await must(face.write(key, noun, "restore", id_))
    assert restored["deleted_at"] is None
    assert restored["version"] == 3
    for name in set(created) - {"version", "updated_at"}:
        assert restored[name] == created[name], name
    assert id_ in (await must(face.list(key, noun, Question()))).ids
    again = await must(face.write(key, noun, "restore", id_))
    assert again == restored, "what lives is left alone"


@every_written_noun
async def test_upsert_tells_what_became_of_each_row(bench: World, face: Face, noun: Resource) -> None:
    key = await bench.key()
    rows = [{"external_id": f"u{i}", **bench.make.payload(noun)} for i in range(4)]
    receipts = await must(face.upsert(key, noun, rows))
    assert [x["outcome"] for x in receipts] == ["created"] * 4, receipts
    assert [x["external_id"] for x in receipts] == ["u0", "u1", "u2", "u3"]
    ids = [x["id"] for x in receipts]
    again = await must(face.upsert(key, noun, rows))
    assert [(x["outcome"], x["id"], x["changed"]) for x in again] == [("unchanged", x, []) for x in ids]
    field, (_, second, third) = free(noun)
    rows[2] = {**rows[2], field: second}
    dry = await must(face.upsert(key, noun, rows, dry_run=True))
    receipts = await must(face.upsert(key, noun, rows))
    assert receipts == dry
    assert [x["outcome"] for x in receipts] == ["unchanged", "unchanged", "updated", "unchanged"]
    assert receipts[2]["changed"] == [field]
    assert receipts[2]["version"] == 2
    only = await must(face.upsert(key, noun, [{"external_id": "u2", field: third}]))
    assert only[0]["changed"] == [field], "what a row leaves out stays"
    await must(face.write(key, noun, "delete", ids[1]))
    receipts = await must(face.upsert(key, noun, rows[:2]))
    assert [(x["outcome"], x["id"]) for x in receipts] == [("unchanged", ids[0]), ("restored", ids[1])]
    assert await must(face.get(key, noun, "crm:u1"))
    stale = await must(face.upsert(key, noun, [{**rows[0], "if_version": 9}]))
    assert (stale[0]["outcome"], stale[0]["id"]) == ("failed", ids[0])
    refused = await must(face.upsert(key, noun, [rows[0], {"external_id": "u9"}]))
    if any(x.required for x in noun.fields):
        assert [x["outcome"] for x in refused] == ["unchanged", "failed"]
        assert {x["code"] for x in refused[1]["error"]["errors"]} == {"required"}
    unknown = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"
    for declared in noun.writable:
        if declared.kind == "reference" and declared.write == "always":
            [row] = await must(face.upsert(key, noun, [{"external_id": "u3", declared.name: unknown}]))
            assert row["error"]["code"] == "reference_not_found", declared.name
            assert row["error"]["errors"][0]["pointer"].lower().replace("_", "") == (
                f"/{declared.name}".replace("_", "")
            )


def free(noun: Resource) -> tuple[str, list[Any]]:
    """A field that no rule and no unique key looks at, with three values for it."""
    bound = {name for names in noun.unique for name in names} | {"period", "currency", "metric"}
    for kind, values in (
        ("text", ["first", "second", "third"]),
        ("picklist", ["first", "second", "third"]),
        ("number", [1.5, 2.25, 3]),
        ("money", [100_001, 100_002.5, 100_003]),
    ):
        for field in noun.fields:
            bounded = (
                field.maximum is not None and kind in ("number", "money") and field.maximum < max(values)
            )
            if field.kind == kind and field.write == "always" and field.name not in bound and not bounded:
                return field.name, values
    raise AssertionError(f"{noun.plural} has no field that a test may change freely")


@every_tracked_noun
async def test_history_keeps_every_version(bench: World, rest: Rest, noun: Resource) -> None:
    key = await bench.key()
    field, (first, *later) = free(noun)
    data = {**bench.make.payload(noun, empty=0), field: first}
    created = await must(rest.write(key, noun, "create", None, data))
    for value in later:
        await must(rest.write(key, noun, "update", created["id"], {field: value}))
    await must(rest.write(key, noun, "delete", created["id"]))
    await must(rest.write(key, noun, "restore", created["id"]))
    response = await rest.send(key, "GET", f"/v1/{noun.plural}/{created['id']}/history")
    assert response.status_code == 200, response.text
    versions = response.json()["data"]
    assert all(v["id"] == created["id"] for v in versions if "id" in v)
    current = [v for v in versions if v["is_current"]]
    assert len(current) == 1
    assert {v["valid_to"] for v in current} == {None}
    assert {first, *later} <= {v[field] for v in versions}
    assert any(field in v["changed"] for v in versions)
    page = await rest.send(key, "GET", f"/v1/{noun.plural}:history", params={"recorded_since": "2020-01-01"})
    assert page.status_code == 200, page.text
    assert len(page.json()["data"]) >= len(versions)
    absent = await rest.send(key, "GET", f"/v1/{noun.plural}/01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10/history")
    assert absent.status_code == 404


@every_tracked_noun
async def test_any_past_moment_can_be_asked_for(bench: World, face: Face, noun: Resource) -> None:
    """What is read at a moment is what is answered as of that moment, ever after."""
    key = await bench.key()
    expand = list(noun.children_by_name)
    derived = {x.name for x in noun.fields if x.expression} | {"version", "updated_at", "deleted_at"}
    before_all = now()
    created = await must(face.write(key, noun, "create", None, bench.make.payload(noun, empty=0)))
    moments: list[tuple[str, Any]] = []

    async def look() -> None:
        row = await face.get(key, noun, created["id"], expand=expand)
        moments.append((now(), None if isinstance(row, Refused) else row))

    await look()
    for _ in range(2):
        await must(face.write(key, noun, "update", created["id"], bench.make.payload(noun, creating=False)))
        await look()
    await must(face.write(key, noun, "delete", created["id"]))
    await look()
    await must(face.write(key, noun, "restore", created["id"]))
    await look()
    for moment, row in moments:
        # A close is told as of its own day, and rewrites the past from there: only what was known then stands.
        for known_at in (moment,) if noun.since else (None, moment):
            then = await face.get(key, noun, created["id"], expand=expand, as_of=moment, known_at=known_at)
            if row is None:
                assert then == Refused(404, "not_found"), moment
                continue
            assert not isinstance(then, Refused), then
            for name in set(row) - derived:
                assert then[name] == row[name], (name, known_at)
            listed = await must(
                face.list(key, noun, Question(as_of=moment, known_at=known_at, sort=("-id",)))
            )
            assert created["id"] in listed.ids
    assert await face.get(key, noun, created["id"], as_of=before_all, known_at=before_all) == Refused(
        404, "not_found"
    )
    future = await face.get(key, noun, created["id"], as_of="2099-01-01T00:00:00Z")
    assert isinstance(future, Refused)
    assert future.status == 422


def now() -> str:
    return datetime.now(UTC).isoformat()
