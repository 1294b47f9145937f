"""The second create of its kind goes without a look. What it takes for granted is asked by the statement that stores,
and where that is no longer so, the answer is as if it had looked."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from app.areas import CATALOGUE
from app.ground.database import script
from app.ground.database.session import Database
from app.language.query.binds import Binds
from tests.faces.rest.conftest import Api, code
from tests.faces.rest.test_merge import merged

DEALS = "/v1/opportunities"
REP: dict[str, Any] = {"role": "rep", "rep": "r1"}


class Messages:
    """How many looks there were, and how many statements that store by themselves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = self.stores = 0
        ask, finish = script.ask, script.finish

        async def asking(*given: Any) -> Any:
            self.looks += 1
            return await ask(*given)

        async def finishing(*given: Any, **more: Any) -> Any:
            self.stores += 1
            return await finish(*given, **more)

        monkeypatch.setattr(script, "ask", asking)
        monkeypatch.setattr(script, "finish", finishing)

    def since(self) -> tuple[int, int]:
        told = self.looks, self.stores
        self.looks = self.stores = 0
        return told


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    return Messages(monkeypatch)


@pytest_asyncio.fixture
async def ids(api: Api, messages: Messages) -> dict[str, str]:
    """Of what deals refer to; and one deal is made, from which the process learns."""
    nouns = {
        "stages": ("open", "deep", "won"),
        "pipelines": ("p",),
        "accounts": ("acme", "globex"),
        "reps": ("r1",),
    }
    found = {
        name: (await api.get(f"/v1/{noun}/crm:{name}")).json()["id"]
        for noun, names in nouns.items()
        for name in names
    }
    for stage in ("deep", "open"):
        assert (
            await api.post(DEALS, deal(found, stage_id=found[stage], next_step="Call"))
        ).status_code == 201
    messages.since()
    return found


def deal(ids: dict[str, str], **more: Any) -> dict[str, Any]:
    named = {"account_id": ids["acme"], "stage_id": ids["open"], "lead_source": "referral", "amount": 5}
    return {"name": "Quick", "owner_id": ids["r1"], **named, **more}


async def test_the_second_create_stores_at_once_what_the_first_did(
    api: Api, ids: dict[str, str], messages: Messages, database: Database, settled: Any
) -> None:
    async def clock() -> Any:
        async with database.transaction(api.company.id) as session:
            return await session.connection.fetchval("select clock_timestamp()")

    begun = await clock()
    quick = await api.post(DEALS, deal(ids), headers={"idempotency-key": "quick"})
    ended = await clock()
    assert (quick.status_code, messages.since()) == (201, (0, 1))
    slow = await api.post(
        DEALS, deal(ids, opened_at=None, stage_id="crm:open"), headers={"idempotency-key": "slow"}
    )
    assert (slow.status_code, messages.since()) == (201, (1, 1))
    record, other = quick.json(), slow.json()
    moments = ("opened_at", "stage_entered_at", "created_at", "updated_at")
    assert {record[x] for x in moments} == {record["created_at"]}
    assert begun <= datetime.fromisoformat(record["created_at"]) <= ended
    own = {"id": None, **dict.fromkeys(moments)}
    assert record | own == other | own
    assert (await api.get(f"{DEALS}/{record['id']}")).json() == record
    versions = [await api.data(f"{DEALS}/{x['id']}/history") for x in (record, other)]
    assert [len(x) for x in versions] == [1, 1]
    assert (versions[0][0]["valid_from"], versions[0][0]["recorded_at"]) == (record["created_at"],) * 2
    assert versions[0][0]["changed"] == versions[1][0]["changed"] == []
    await settled()
    told = {x["record_id"]: x for x in await api.data("/v1/events?types=opportunity.created&limit=1000")}
    assert datetime.fromisoformat(told[record["id"]]["at"]) == datetime.fromisoformat(record["created_at"])
    assert told[record["id"]]["changed"] == told[other["id"]]["changed"]
    assert record["id"] in {x["id"] for x in await api.data(f"{DEALS}?q=qui")}


async def test_its_key_is_kept_and_heard(api: Api, ids: dict[str, str], messages: Messages) -> None:
    key = {"idempotency-key": "once"}
    first = await api.post(DEALS, deal(ids), headers=key)
    assert messages.since() == (0, 1)
    again = await api.post(DEALS, deal(ids), headers=key)
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
    assert (again.headers["etag"], again.headers["location"]) == (
        first.headers["etag"],
        first.headers["location"],
    )
    assert messages.since() == (1, 1), "the statement says that the key is taken, the look what was answered"
    assert code(await api.post(DEALS, deal(ids, amount=6), headers=key)) == (422, "idempotency_key_reused")
    assert len(await api.data(f"{DEALS}?name=Quick")) == 3


async def test_retries_at_once_have_one_effect(api: Api, ids: dict[str, str]) -> None:
    key = {"idempotency-key": "many"}
    answers = await asyncio.gather(*(api.post(DEALS, deal(ids, name="Many"), headers=key) for _ in range(40)))
    refused = [x for x in answers if x.status_code != 201]
    assert {x.status_code for x in refused} <= {409, 429, 503}
    assert len({x.content for x in answers if x.status_code == 201}) == 1
    assert len(await api.data(f"{DEALS}?name=Many")) == 1


@pytest.mark.parametrize("quick", [True, False])
async def test_what_the_small_tables_say_now_counts(api: Api, ids: dict[str, str], quick: bool) -> None:
    """By `quick` from what is known, else by a look: one behaviour."""
    more = {} if quick else {"account_id": "crm:acme"}
    assert (
        await api.patch(f"/v1/stages/{ids['open']}", {"required_fields": ["competitor"]})
    ).status_code == 200
    refused = await api.post(DEALS, deal(ids, **more))
    assert code(refused) == (422, "stage_requirements")
    assert (await api.patch(f"/v1/stages/{ids['open']}", {"required_fields": []})).status_code == 200
    assert (await api.post(DEALS, deal(ids, **more))).status_code == 201
    listed = {"field": "opportunity.lead_source", "value": "word", "label": "Word", "aliases": ["referral"]}
    assert (await api.post("/v1/picklist_values", listed)).status_code == 201
    assert (await api.post(DEALS, deal(ids, **more))).json()["lead_source"] == "word"
    assert (await api.delete(f"/v1/stages/{ids['open']}")).status_code in (200, 204)
    refused = await api.post(DEALS, deal(ids, **more))
    assert code(refused) == (404, "reference_not_found")
    assert refused.json()["errors"][0]["pointer"] == "/stage_id"


async def test_nobody_is_refused_by_what_was_so(api: Api, ids: dict[str, str], messages: Messages) -> None:
    """`deep` demands a next step while the process learns; it no longer does."""
    assert code(await api.post(DEALS, deal(ids, stage_id=ids["deep"]))) == (422, "stage_requirements")
    assert (await api.patch(f"/v1/stages/{ids['deep']}", {"required_fields": []})).status_code == 200
    messages.since()
    made = await api.post(DEALS, deal(ids, stage_id=ids["deep"]))
    assert (made.status_code, messages.since()) == (201, (1, 1))


async def test_what_it_refers_to_is_there_and_seen(api: Api, ids: dict[str, str], messages: Messages) -> None:
    assert (await api.post(DEALS, deal(ids), **REP)).status_code == 201
    messages.since()
    assert (await api.post(DEALS, deal(ids), **REP)).status_code == 201
    assert messages.since() == (0, 1)
    hidden = (await api.post("/v1/accounts", {"name": "Hidden", "owner_id": "crm:other"})).json()["id"]
    refused = await api.post(DEALS, deal(ids, account_id=hidden), **REP)
    assert code(refused) == (404, "reference_not_found")
    shown = {"name": "Theirs", "account_id": hidden, "owner_id": "crm:other", "stage_id": "crm:open"}
    team = [{"rep_id": "crm:r1", "role": "se"}]
    assert (await api.post(DEALS, {**shown, "team": team})).status_code == 201
    messages.since()
    made = await api.post(DEALS, deal(ids, account_id=hidden), **REP)
    assert (made.status_code, messages.since()) == (201, (1, 2)), (
        "seen through a team, which takes more than a look"
    )
    assert (await api.delete(f"/v1/accounts/{hidden}")).status_code in (200, 204)
    assert code(await api.post(DEALS, deal(ids, account_id=hidden))) == (404, "reference_not_found")
    assert (await api.delete(f"/v1/reps/{ids['r1']}")).status_code in (200, 204, 409)


async def test_what_was_merged_leads_on(api: Api, ids: dict[str, str]) -> None:
    await merged(api, "accounts", ids["acme"], ids["globex"])
    made = await api.post(DEALS, deal(ids, account_id=ids["globex"]))
    assert made.json()["account_id"] == ids["acme"]


async def test_a_writer_that_would_not_see_it_is_refused(api: Api, ids: dict[str, str]) -> None:
    boss = (await api.get("/v1/reps/crm:boss")).json()["id"]
    assert (await api.post(DEALS, deal(ids), **REP)).status_code == 201
    assert code(await api.post(DEALS, deal(ids, owner_id=boss), **REP)) == (403, "out_of_reach")
    assert len(await api.data(f"{DEALS}?owner_id={boss}")) == 0


async def test_tenants_know_nothing_of_each_other(api: Api, ids: dict[str, str], make_tenant: Any) -> None:
    other = await make_tenant()
    key = await other.key()
    answer = await api.client.post(DEALS, json=deal(ids), headers={"authorization": f"Bearer {key}"})
    assert code(answer) == (404, "reference_not_found")


def test_what_a_noun_rests_on_is_seen_by_all() -> None:
    asking = Binds(role="rep", sees_all=False)
    for resource in CATALOGUE:
        for name in resource.rests_on or ():
            noun = CATALOGUE[name]
            assert noun.visible(noun.table, asking) is None, name
        assert resource.rests_on is None or not resource.is_settled
    assert CATALOGUE["picklist_values"].visible(CATALOGUE["picklist_values"].table, asking) is None


SMALL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pipelines": ({"name": "Fresh"}, {"name": "Fresher"}),
    "stages": ({"name": "Fresh", "pipeline_id": "crm:p", "position": 90}, {"name": "Fresher"}),
    "picklist_values": (
        {"field": "opportunity.lead_source", "value": "fresh", "label": "Fresh"}, {"label": "Fresher"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("noun", sorted({*SMALL, *(x for y in CATALOGUE for x in y.rests_on or ())}))
async def test_every_write_of_a_small_table_raises_its_revision(
    api: Api, database: Database, noun: str
) -> None:
    """What a process keeps of it holds while the sum of the versions is the same: so no write may leave it."""
    made, change = SMALL[noun]
    table = CATALOGUE[noun].table.name

    async def revision() -> int:
        async with database.transaction(api.company.id) as session:
            found = await session.connection.fetchval(f"select coalesce(sum(version), 0) from {table}")
        assert found is not None
        return int(found)

    before = await revision()
    path = f"/v1/{noun}"
    record = await api.post(path, made)
    assert record.status_code == 201, record.text
    own = f"{path}/{record.json()['id']}"
    for write in (
        lambda: api.patch(own, change),
        lambda: api.delete(own),
        lambda: api.post(f"{own}:restore", {}),
    ):
        after = await revision()
        assert after > before
        before = after
        answer = await write()
        assert answer.status_code in (200, 204), answer.text
    assert await revision() > before
