"""Every noun read in every way, by REST and by GraphQL: pages, filters, orders, expansions, roles."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from app.areas import CATALOGUE
from app.ground.access.permissions import permits
from app.ground.access.principal import ROLES
from app.language.resources.fields import Field
from app.language.resources.resource import Resource
from tests.catalogue.conftest import RECORDS, World
from tests.catalogue.faces import Face, Graph, Listed, Question, Refused, Rest, must
from tests.catalogue.model import holds, ordered

every_noun = pytest.mark.parametrize("noun", list(CATALOGUE), ids=lambda noun: noun.plural)
PERIODS = ("2026", "2026-Q1", "2026-03", "2025")


async def whole(world: World, face: Face, noun: Resource, **more: Any) -> list[dict[str, Any]]:
    return (await must(face.list(await world.key(), noun, Question(**more)))).rows


@every_noun
async def test_pages_forwards_and_backwards_hold_each_row_once(
    world: World, face: Face, noun: Resource
) -> None:
    key = await world.key()
    nullable = [x.name for x in noun.fields if x.sortable and not x.required][:3]
    sorts: list[tuple[str, ...]] = [(), ("-id",), ("-updated_at",)] + [
        (f"-{x}", "created_at") for x in nullable
    ]
    sorts += [tuple(x for x in (*nullable, "id"))]
    for sort in sorts:
        everything = [row["id"] for row in await whole(world, face, noun, sort=sort)]
        assert len(everything) >= RECORDS
        assert len(set(everything)) == len(everything)
        question, seen, pages = Question(sort=sort, limit=5, total=True), [], []
        while True:
            page = await must(face.list(key, noun, question))
            assert page.total == len(everything)
            assert page.has_more == (page.next is not None)
            seen += page.ids
            pages.append(page)
            if page.next is None:
                break
            question = replace(question, after=page.next)
        assert seen == everything, sort
        for earlier, later in zip(reversed(pages[:-1]), reversed(pages[1:]), strict=True):
            back = await must(face.list(key, noun, Question(sort=sort, limit=5, before=later.previous)))
            assert back.ids == earlier.ids, sort
        assert pages[0].previous is None
        other = Question(sort=("created_at",), after=pages[0].next)
        assert await face.list(key, noun, other) == Refused(400, "bad_cursor")


def operands(field: Field, rows: list[dict[str, Any]], operator: str, chance: random.Random) -> list[Any]:
    """What to compare with: values that are there, values that nobody has, parts of them."""
    there = [row[field.name] for row in rows if row[field.name] is not None]
    some = chance.sample(there, min(2, len(there)))
    never: list[Any]
    match field.kind:
        case "id" | "reference":
            never = []
        case "choice":
            never = [chance.choice(field.values)]
        case "flag":
            return [True, False]
        case "integer":
            never = [-5, 10_000]
        case "money" | "number":
            never = [-0.5, 12.3456]
        case "day":
            never = ["2026-02-15", "1999-12-31"]
        case "moment":
            never = ["2026-02-15", "2026-02-15T12:00:00+05:30"]
        case _:
            never = ["nobody", "a,b", ""]
    if operator in ("in", "nin"):
        return [some + never, some[:1], []]
    if operator == "is_null":
        return [True, False]
    if operator == "in_period":
        return list(PERIODS)
    if operator in ("contains", "starts_with"):
        return [*(x[:3].upper() for x in some), *(x[2:5] for x in some), "%", "_", "\\", "ä", "zzz"]
    return some + never


@every_noun
async def test_every_field_is_filtered_by_every_operator_of_its_kind(
    world: World, face: Face, rest: Rest, noun: Resource
) -> None:
    key, zone = await world.key(), world.company.tenant.zone
    rows = await whole(world, face, noun)
    chance = random.Random(noun.plural)
    for field in noun.all_fields:
        for operator in field.operators:
            found = operands(field, rows, operator, chance)
            for operand in chance.sample(found, min(len(found), 4 if face is rest else 2)):
                name = field.name if operator == "eq" else f"{field.name}[{operator}]"
                text = parameter(operand) if face is rest and chance.random() < 0.7 else None
                if text is not None:
                    page = await must(rest.parameters(key, noun, [(name, text), ("limit", "200")]))
                else:
                    page = await must(
                        face.list(key, noun, Question(filter={field.name: {operator: operand}}))
                    )
                expected = {
                    row["id"] for row in rows if holds(field, operator, row[field.name], operand, zone)
                }
                assert set(page.ids) == expected, (name, operand)


def parameter(operand: Any) -> str | None:
    """The operand as a query parameter; None for what a comma or an empty list would make ambiguous."""
    if isinstance(operand, bool):
        return str(operand).lower()
    if isinstance(operand, list):
        texts = [parameter(x) for x in operand]
        return ",".join(str(x) for x in texts) if texts and all(texts) else None
    text = str(operand)
    return None if "," in text or not text else text


@every_noun
async def test_conditions_combine(world: World, face: Face, noun: Resource) -> None:
    """Random trees of and, or, not; also along relations, children and listings."""
    key, zone = await world.key(), world.company.tenant.zone
    rows = {row["id"]: row for row in await whole(world, face, noun, expand=sorted(steps(noun)))}
    chance = random.Random(f"trees of {noun.plural}")
    for _ in range(15):
        tree, predicate = condition(noun, list(rows.values()), chance, zone)
        found = await must(face.list(key, noun, Question(filter=tree, total=True)))
        assert set(found.ids) == {id_ for id_, row in rows.items() if predicate(row)}, tree
        assert found.total == len(found.ids)


def steps(noun: Resource) -> set[str]:
    return {*noun.relations, *noun.children_by_name, *noun.listings_by_name}


def condition(
    noun: Resource, rows: list[dict[str, Any]], chance: random.Random, zone: Any, depth: int = 0
) -> tuple[dict[str, Any], Any]:
    kind = chance.choice(("leaf", "leaf", "and", "or", "not", "behind")) if depth < 3 else "leaf"
    if kind in ("and", "or"):
        parts = [condition(noun, rows, chance, zone, depth + 1) for _ in range(2)]
        judge = all if kind == "and" else any
        return {kind: [x[0] for x in parts]}, lambda row: judge(x[1](row) for x in parts)
    if kind == "not":
        inner, predicate = condition(noun, rows, chance, zone, depth + 1)
        return {"not": inner}, lambda row: not predicate(row)
    if kind == "behind" and steps(noun):
        step = chance.choice(sorted(steps(noun)))
        return along(noun, step, rows, chance, zone)
    tree, field, operator, operand = leaf(noun.all_fields, rows, chance)
    return tree, lambda row: holds(field, operator, row[field.name], operand, zone)


def along(
    noun: Resource, step: str, rows: list[dict[str, Any]], chance: random.Random, zone: Any
) -> tuple[dict[str, Any], Any]:
    def there(row: dict[str, Any]) -> list[dict[str, Any]]:
        found = row[step]
        return found if isinstance(found, list) else [found] if found else []

    if step in noun.relations:
        fields = CATALOGUE[noun.relations[step].target].all_fields
    elif step in noun.children_by_name:
        fields = noun.children_by_name[step].fields
    else:
        fields = CATALOGUE[noun.listings_by_name[step].target].all_fields
    inner, field, operator, operand = leaf(fields, [x for row in rows for x in there(row)], chance)
    return {step: inner}, lambda row: any(
        holds(field, operator, x[field.name], operand, zone) for x in there(row)
    )


def leaf(
    fields: tuple[Field, ...], rows: list[dict[str, Any]], chance: random.Random
) -> tuple[dict[str, Any], Field, str, Any]:
    field = chance.choice([x for x in fields if x.operators])
    operator = chance.choice(field.operators)
    found = operands(field, rows, operator, chance)
    operand = chance.choice(found) if found else "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"
    if not found and operator in ("eq", "ne"):
        operator, operand = "in", []
    return {field.name: {operator: operand}}, field, operator, operand


@every_noun
async def test_every_field_that_can_be_sorted_by_is(world: World, face: Face, noun: Resource) -> None:
    key, zone = await world.key(), world.company.tenant.zone
    rows = await whole(world, face, noun)
    second = next(x for x in noun.all_fields if x.sortable and x.name not in ("id", noun.fields[0].name))
    for field in noun.all_fields:
        if not field.sortable:
            sorts = await face.list(key, noun, Question(sort=(field.name,)))
            assert isinstance(sorts, Refused), field.name
            continue
        for descending in (False, True):
            name = f"-{field.name}" if descending else field.name
            found = await must(face.list(key, noun, Question(sort=(name,))))
            assert found.ids == ordered(rows, [(field, descending)], zone), name
        if field is not second:
            found = await must(face.list(key, noun, Question(sort=(field.name, f"-{second.name}"))))
            assert found.ids == ordered(rows, [(field, False), (second, True)], zone), field.name


@every_noun
async def test_every_expansion_is_what_stands_there(world: World, face: Face, noun: Resource) -> None:
    zone = world.company.tenant.zone
    rows = await whole(world, face, noun, expand=sorted(steps(noun)))
    bare = {row["id"]: row for row in await whole(world, face, noun)}
    for row in rows:
        assert {name: x for name, x in row.items() if name not in steps(noun)} == bare[row["id"]]
    for relation in noun.relations.values():
        theirs = {x["id"]: x for x in await whole(world, face, CATALOGUE[relation.target])}
        for row in rows:
            id_ = row[relation.reference]
            assert row[relation.name] == (theirs[id_] if id_ else None), relation.name
        if two := next(iter(CATALOGUE[relation.target].relations.values()), None):
            further = {x["id"]: x for x in await whole(world, face, CATALOGUE[two.target])}
            for row in await whole(world, face, noun, expand=[f"{relation.name}.{two.name}"]):
                if parent := row[relation.name]:
                    id_ = parent[two.reference]
                    assert parent[two.name] == (further[id_] if id_ else None), (relation.name, two.name)
    for child in noun.children:
        sent = {x["external_id"]: x for x in world.payloads[noun.plural]}
        for row in rows:
            was = sent[row["external_ids"][0]["external_id"]][child.name]
            found = [{x.name: each[x.name] for x in child.fields} for each in row[child.name]]
            assert len(found) == len(was)
            for given in was:
                assert any(
                    all(equal(each[k], v) for k, v in given.items() if v is not None) for each in found
                ), given
    for listing in noun.listings:
        target = CATALOGUE[listing.target]
        theirs = await whole(world, face, target)
        keys = [(target.by_name[x.removeprefix("-")], x.startswith("-")) for x in target.default_sort]
        for row in rows:
            expected = [x for x in theirs if x[listing.via] == row["id"]]
            assert [x["id"] for x in row[listing.name]] == ordered(expected, keys, zone), listing.name
            by_id = {x["id"]: x for x in theirs}
            assert all(x == by_id[x["id"]] for x in row[listing.name])


def equal(stored: Any, given: Any) -> bool:
    return stored == given or (isinstance(given, float) and abs(stored - given) < 1e-9)


@every_noun
async def test_every_record_is_found_by_its_names(world: World, face: Face, noun: Resource) -> None:
    key = await world.key()
    for row in await whole(world, face, noun):
        assert await must(face.get(key, noun, row["id"])) == row
        for name in row["external_ids"]:
            assert await must(face.get(key, noun, f"{name['source']}:{name['external_id']}")) == row
    for absent in ("01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10", "crm:nobody", "nonsense", "x:y:z"):
        refusal = await face.get(key, noun, absent)
        assert refusal == Refused(404, "not_found"), absent


@every_noun
@pytest.mark.parametrize("role", ROLES)
async def test_both_faces_answer_the_same_to_every_role(
    world: World, rest: Rest, graph: Graph, noun: Resource, role: str
) -> None:
    chance = random.Random(f"{noun.plural} {role}")
    zone = world.company.tenant.zone
    everything = await whole(world, rest, noun, expand=sorted(steps(noun)))
    placed = role in ("manager", "rep")
    for rep in chance.sample(world.make.known["reps"], 3) if placed else (None,):
        key = await world.key(role, rep)
        principal = world.company.principal(role)
        if not permits(principal, noun.permission_name, "read"):
            for face in (rest, graph):
                assert await face.list(key, noun, Question(), role) == Refused(403, "forbidden")
            continue
        questions = [Question(total=True), Question(expand=sorted(steps(noun))), Question(deleted=True)]
        for _ in range(3):
            tree, _ = condition(noun, everything, chance, zone)
            sortable = [x.name for x in noun.all_fields if x.sortable and x.readable_by(role)]
            sort = tuple(chance.choice(("", "-")) + x for x in chance.sample(sortable, 2))
            step = chance.sample(sorted(steps(noun)), min(1, len(steps(noun))))
            questions.append(
                Question(filter=tree, sort=sort, limit=chance.choice((3, 200)), expand=step, total=True)
            )
        if noun.tracked:
            questions.append(Question(as_of="2026-02-01T00:00:00Z", expand=sorted(steps(noun))))
        for question in questions:
            one = await rest.list(key, noun, question, role)
            two = await graph.list(key, noun, question, role)
            assert same(one) == same(two), question


def same(answer: Listed | Refused) -> Any:
    """Cursors are each face's own business as long as they are there."""
    if isinstance(answer, Refused):
        return answer.status, answer.code, {x[1] for x in answer.errors}
    return answer.rows, answer.total, answer.has_more
