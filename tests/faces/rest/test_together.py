"""Creates that meet are stored by one statement, and each is answered as if it had been alone."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import httpx
import pytest

from app.ground.database import script
from app.ground.database.session import Database
from tests.faces.rest.conftest import Api, code
from tests.faces.rest.test_presumed import DEALS, REP, Messages, deal
from tests.faces.rest.test_presumed import ids as ids
from tests.faces.rest.test_presumed import messages as messages

MANY = 24


async def made(
    api: Api, bodies: list[dict[str, Any]], *, keyed: bool = True, **who: Any
) -> list[httpx.Response]:
    keys = [{"idempotency-key": f"k{n}"} if keyed else {} for n in range(len(bodies))]
    return await asyncio.gather(
        *(api.post(DEALS, body, headers=key, **who) for body, key in zip(bodies, keys, strict=True))
    )


def deals(ids: dict[str, str]) -> list[dict[str, Any]]:
    """All different; what is null, empty, quoted or far from ASCII among them."""
    texts = ['"quoted", {braced}', "back\\slash", "null", "", "日本 \U0001f600", "line\nend", "a,b"]
    return [
        deal(
            ids, name=f"Together {n} {texts[n % len(texts)]}", amount=None if n % 5 == 0 else f"{n}.{n % 100:02}",
            account_id=ids["acme" if n % 2 else "globex"], next_step=texts[n % len(texts)] or None,
            expected_close_on=None if n % 3 else f"2031-01-{n + 1:02}", probability=n / 100 if n % 4 else None,
        )
        for n in range(MANY)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "who", [{}, REP, {"role": "manager", "rep": "boss"}, {"role": "integration"}], ids=str
)
@pytest.mark.parametrize("keyed", [True, False])
async def test_each_is_answered_and_remembered_as_if_it_were_alone(
    api: Api, ids: dict[str, str], messages: Messages, settled: Any, who: dict[str, Any], keyed: bool
) -> None:
    assert (await api.post(DEALS, deal(ids), **who)).status_code == 201
    messages.since()
    bodies = deals(ids)
    answers = await made(api, bodies, keyed=keyed, **who)
    assert {x.status_code for x in answers} == {201}
    looks, stores = messages.since()
    assert looks == 0
    assert stores < MANY / 2
    records = [x.json() for x in answers]
    assert len({x["id"] for x in records}) == MANY
    alone = (await api.post(DEALS, {**bodies[1], "opened_at": None}, **who)).json()
    assert messages.since() == (1, 1), "with a moment of its own it is looked up, and goes alone"
    moments = {"opened_at", "stage_entered_at", "created_at", "updated_at"}
    await settled()
    told = {x["record_id"]: x for x in await api.data("/v1/events?types=opportunity.created&limit=1000")}
    for body, answer, record in zip(bodies, answers, records, strict=True):
        sent = {**body, "amount": None if body["amount"] is None else float(body["amount"])}
        assert {name: record[name] for name in sent} == sent
        assert {record[x] for x in moments} == {record["created_at"]}
        assert record.keys() == alone.keys()
        assert answer.headers["location"] == f"{DEALS}/{record['id']}"
        assert answer.headers["etag"] == '"1"'
        assert (await api.get(f"{DEALS}/{record['id']}", **who)).json() == record
        [version] = await api.data(f"{DEALS}/{record['id']}/history", **who)
        assert (version["valid_from"], version["recorded_at"]) == (record["created_at"],) * 2
        assert version["changed"] == []
        known = ("name", "amount", "account_id", "next_step", "expected_close_on", "probability")
        assert {x: version[x] for x in known} == {x: record[x] for x in known}
        names = {x for x, value in record.items() if value not in (None, [], {})}
        assert set(told[record["id"]]["changed"]) <= names
        assert {x for x in sent if sent[x] is not None} <= set(told[record["id"]]["changed"])
    assert {x["id"] for x in await api.data(f"{DEALS}?q=toge&limit=100", **who)} >= {x["id"] for x in records}
    if keyed:
        again = await made(api, bodies, **who)
        assert [(x.content, x.headers["location"]) for x in again] == [
            (x.content, x.headers["location"]) for x in answers
        ]
        assert {x.headers["idempotency-replayed"] for x in again} == {"true"}
        assert len(await api.data(f"{DEALS}?q=together&limit=100", **who)) == MANY + 1


@pytest.mark.parametrize("fault", ["no account", "hidden", "of another", "incomplete", "invalid", "all"])
async def test_who_is_refused_is_so_alone(api: Api, ids: dict[str, str], fault: str) -> None:
    boss = (await api.get("/v1/reps/crm:boss")).json()["id"]
    hidden = (await api.post("/v1/accounts", {"name": "Hidden", "owner_id": "crm:other"})).json()["id"]
    assert (await api.post(DEALS, deal(ids), **REP)).status_code == 201
    faults: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
        "no account": ({"account_id": ids["r1"]}, (404, "reference_not_found")),
        "hidden": ({"account_id": hidden}, (404, "reference_not_found")),
        "of another": ({"owner_id": boss}, (403, "out_of_reach")),
        "incomplete": ({"stage_id": ids["deep"], "next_step": None}, (422, "stage_requirements")),
        "invalid": ({"amount": "1e40"}, (422, "invalid")),
    }
    bodies, expected = deals(ids), {}
    for place, (name, (change, refusal)) in enumerate(faults.items(), start=3):
        if fault in (name, "all"):
            bodies[place] |= change
            expected[place] = refusal
    answers = await made(api, bodies, **REP)
    assert {n: code(x) for n, x in enumerate(answers) if x.status_code != 201} == expected
    assert {x["name"] for x in await api.data(f"{DEALS}?q=together&limit=100")} == {
        x["name"] for n, x in enumerate(bodies) if n not in expected
    }


async def test_what_the_small_tables_say_now_counts(api: Api, ids: dict[str, str]) -> None:
    path = f"/v1/stages/{ids['open']}"
    assert (await api.patch(path, {"required_fields": ["competitor"]})).status_code == 200
    assert {code(x) for x in await made(api, deals(ids), keyed=False)} == {(422, "stage_requirements")}
    assert (await api.patch(path, {"required_fields": []})).status_code == 200
    assert {x.status_code for x in await made(api, deals(ids))} == {201}


async def test_what_the_database_says_of_one_is_not_said_to_the_others(
    api: Api, ids: dict[str, str], messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it refuses together is done alone."""
    finish, refused = script.finish, 0

    async def failing(session: Any, parts: Any, *given: Any, **more: Any) -> Any:
        nonlocal refused
        if any("unnest" in part.sql and part.name == "given" for part in parts):
            refused += 1
            raise asyncpg.UniqueViolationError("of one of them")
        return await finish(session, parts, *given, **more)

    monkeypatch.setattr(script, "finish", failing)
    answers = await made(api, deals(ids))
    assert {x.status_code for x in answers} == {201}
    assert refused
    assert len(await api.data(f"{DEALS}?q=together&limit=100")) == MANY


async def test_nobody_does_again_what_may_be_done(
    api: Api, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that breaks leaves open whether all was stored: whoever has no key must not be stored twice."""
    finish = script.finish

    async def breaking(session: Any, parts: Any, *given: Any, **more: Any) -> Any:
        row = await finish(session, parts, *given, **more)
        if any("unnest" in part.sql and part.name == "given" for part in parts):
            raise asyncpg.ConnectionDoesNotExistError("broken behind it")
        return row

    monkeypatch.setattr(script, "finish", breaking)
    answers = await made(api, deals(ids), keyed=False)
    monkeypatch.undo()
    assert 503 in {x.status_code for x in answers} <= {201, 503}
    stored = [x["name"] for x in await api.data(f"{DEALS}?q=together&limit=100")]
    assert len(stored) == len(set(stored)) == MANY


async def test_whoever_goes_away_takes_nothing_along(
    api: Api, ids: dict[str, str], database: Database
) -> None:
    """Two of five are cancelled wherever they are. One effect of each key, and nobody waits for ever."""
    chance = random.Random(7)
    bodies = [deal(ids, name=f"Leaving {n}") for n in range(160)]
    answers: dict[int, bytes] = {}

    async def one(n: int) -> None:
        await asyncio.sleep(chance.uniform(0, 0.15))
        answer = await api.post(DEALS, bodies[n], headers={"idempotency-key": f"leaving {n}"})
        if answer.status_code == 201:
            answers[n] = answer.content

    tasks = [asyncio.create_task(one(n)) for n in range(len(bodies))]
    for task in chance.sample(tasks, 64):
        asyncio.get_running_loop().call_later(chance.uniform(0, 0.4), task.cancel)
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks, return_exceptions=True)
        while database.queue.held or database.convoys._tasks:
            await asyncio.sleep(0.01)
    assert not database.convoys._lanes
    assert 0 < sum(x.cancelled() for x in tasks) < len(bodies)
    for n, body in enumerate(bodies):
        again = await api.post(DEALS, body, headers={"idempotency-key": f"leaving {n}"})
        assert again.status_code == 201, again.text
        assert again.content == answers.get(n, again.content)
    stored = [x["name"] for x in await api.data(f"{DEALS}?q=leaving&limit=200")]
    assert sorted(stored) == sorted(x["name"] for x in bodies)


async def test_callers_do_not_go_together(
    api: Api, ids: dict[str, str], messages: Messages, database: Database
) -> None:
    callers: list[dict[str, Any]] = [{}, REP, {"role": "integration"}]
    for who in callers:
        assert (await api.post(DEALS, deal(ids), **who)).status_code == 201
    messages.since()
    answers = await asyncio.gather(
        *(api.post(DEALS, deal(ids, name=f"Mixed {n}"), **callers[n % 3]) for n in range(MANY))
    )
    assert {x.status_code for x in answers} == {201}
    assert messages.stores >= 2 * len(callers)
    async with database.transaction(api.company.id) as session:
        rows = await session.connection.fetch(
            "select actor, count(distinct txid) from events e join opportunities o on o.id = e.record_id "
            "where o.name like 'Mixed%' group by actor"
        )
    assert rows


@pytest.mark.parametrize("noun", ["accounts", "contacts"])
async def test_other_nouns_go_together_too(api: Api, messages: Messages, noun: str) -> None:
    for n in range(2):
        assert (await api.post(f"/v1/{noun}", {"name": f"First {n}"})).status_code == 201
    messages.since()
    answers = await asyncio.gather(
        *(
            api.post(f"/v1/{noun}", {"name": f"Fellow {n}"}, headers={"idempotency-key": str(n)})
            for n in range(MANY)
        )
    )
    assert {x.status_code for x in answers} == {201}
    assert messages.stores < MANY / 2
    assert [x.json()["name"] for x in answers] == [f"Fellow {n}" for n in range(MANY)]
    for answer in answers:
        record = answer.json()
        assert (await api.get(f"/v1/{noun}/{record['id']}")).json() == record
