"""Two records become one: what hangs on the duplicate, its names, its past, and what sources go on telling of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.ground.database import script
from tests.faces.rest.conftest import Api, code


async def ids(api: Api, plural: str) -> dict[str, str]:
    """By external id of the source `crm`."""
    rows = await api.data(f"/v1/{plural}?limit=200")
    return {x["external_id"]: row["id"] for row in rows for x in row["external_ids"]}


GRAPH = "mutation($id: ID!, $input: AccountMerge!) { mergeAccount(id: $id, input: $input) { outcome account { id } } }"


async def merged(api: Api, noun: str, survivor: str, *duplicates: str, **more: Any) -> dict[str, Any]:
    answer = await api.post(f"/v1/{noun}/{survivor}:merge", {"duplicate_ids": list(duplicates)}, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def two(api: Api) -> dict[str, str]:
    """Acme and Globex with all that may refer to an account or a contact."""
    people = [
        {"external_id": "ann", "name": "Ann", "account_id": "crm:acme", "email": "ann@acme.test"},
        {"external_id": "bob", "name": "Bob", "account_id": "crm:globex", "phone": "1", "title": "CEO"},
        {"external_id": "eve", "name": "Eve", "account_id": "crm:globex"},
    ]
    deals = [
        {"external_id": "both", "name": "Both", "account_id": "crm:globex", "stage_id": "crm:open", "contact_roles": [
            {"contact_id": "crm:ann", "role": "decision_maker"},
            {"contact_id": "crm:bob", "role": "decision_maker", "is_primary": True},
            {"contact_id": "crm:eve", "role": "user"},
        ]},
        {"external_id": "one", "name": "One", "account_id": "crm:acme", "stage_id": "crm:open", "contact_roles": [
            {"contact_id": "crm:bob", "role": "user"},
        ]},
        {"external_id": "gone", "name": "Gone", "account_id": "crm:globex", "stage_id": "crm:open",
         "contact_roles": [{"contact_id": "crm:bob"}]},
    ]  # fmt: skip
    for plural, rows in (
        ("accounts", [{"external_id": "sub", "name": "Sub", "parent_id": "crm:globex"}]),
        ("contacts", people),
        ("opportunities", deals),
        ("campaigns", [{"external_id": "fair", "name": "Fair"}, {"external_id": "mail", "name": "Mail"}]),
        ("leads", [{"external_id": "l", "name": "L", "status": "converted", "converted_at": "2026-02-01",
                    "converted_account_id": "crm:globex", "converted_contact_id": "crm:bob"}]),
        ("activities", [{"external_id": "call", "kind": "call", "subject": "Call", "account_id": "crm:globex",
                         "contact_id": "crm:bob"}]),
        ("touches", [{"external_id": "t", "contact_id": "crm:bob", "kind": "visit", "occurred_at": "2026-01-05"}]),
        ("campaign_members", [
            {"external_id": "m1", "campaign_id": "crm:fair", "contact_id": "crm:ann", "status": "invited"},
            {"external_id": "m2", "campaign_id": "crm:fair", "contact_id": "crm:bob", "status": "attended",
             "responded_at": "2026-02-02"},
            {"external_id": "m3", "campaign_id": "crm:mail", "contact_id": "crm:bob"},
        ]),
    ):  # fmt: skip
        report = await api.upsert(plural, rows)
        assert report["counts"]["created"] == len(rows), report
    assert (await api.delete("/v1/opportunities/crm:gone")).status_code == 200
    return (await ids(api, "accounts")) | (await ids(api, "contacts"))


async def test_everything_that_refers_to_an_account_follows(api: Api, two: dict[str, str]) -> None:
    before = (await api.get("/v1/opportunities/crm:both")).json()
    survivor = await merged(api, "accounts", "crm:acme", "crm:globex")
    assert (survivor["id"], survivor["name"], survivor["industry"]) == (two["acme"], "Acme", "retail")
    assert survivor["merged_ids"] == [two["globex"]]
    for path, field in (
        ("opportunities/crm:both", "account_id"), ("contacts/crm:eve", "account_id"), ("accounts/crm:sub", "parent_id"),
        ("leads/crm:l", "converted_account_id"), ("activities/crm:call", "account_id"),
    ):  # fmt: skip
        assert (await api.get(f"/v1/{path}")).json()[field] == two["acme"], path
    after = (await api.get("/v1/opportunities/crm:both")).json()
    assert after["version"] == before["version"] + 1
    versions = await api.data("/v1/opportunities/crm:both/history")
    assert [x["account_id"] for x in versions if x["is_current"]] == [two["acme"]]
    assert versions[-1]["changed"] == ["account_id"]
    back = await api.post("/v1/opportunities/crm:gone:restore")
    assert back.json()["account_id"] == two["acme"], "also what was deleted when they were merged"


async def test_everything_that_refers_to_a_contact_follows(api: Api, two: dict[str, str]) -> None:
    role = next(
        x["id"]
        for x in (await api.get("/v1/opportunities/crm:one?expand=contact_roles")).json()["contact_roles"]
    )
    ann = await merged(api, "contacts", "crm:ann", "crm:bob")
    assert (ann["email"], ann["phone"], ann["title"], ann["account_id"]) == (
        "ann@acme.test", "1", "CEO", two["acme"],
    )  # fmt: skip
    for path, field in (
        ("leads/crm:l", "converted_contact_id"), ("activities/crm:call", "contact_id"), ("touches/crm:t", "contact_id"),
        ("campaign_members/crm:m3", "contact_id"),
    ):  # fmt: skip
        assert (await api.get(f"/v1/{path}")).json()[field] == two["ann"], path
    [kept] = (await api.get("/v1/opportunities/crm:one?expand=contact_roles")).json()["contact_roles"]
    assert (kept["id"], kept["contact_id"]) == (role, two["ann"]), "a row keeps its id"
    both = (await api.get("/v1/opportunities/crm:both?expand=contact_roles")).json()["contact_roles"]
    assert sorted((x["contact_id"], x["role"], x["is_primary"]) for x in both) == sorted(
        [(two["ann"], "decision_maker", True), (two["eve"], "user", False)]
    )
    gone = (await api.post("/v1/opportunities/crm:gone:restore?expand=contact_roles")).json()
    assert [x["contact_id"] for x in gone["contact_roles"]] == [two["ann"]]


async def test_members_of_the_same_campaign_become_one(api: Api, two: dict[str, str]) -> None:
    await merged(api, "contacts", "crm:ann", "crm:bob")
    members = await api.data("/v1/campaign_members?campaign_id=crm:fair")
    assert [(x["status"], x["responded_at"][:10]) for x in members] == [("invited", "2026-02-02")]
    assert (await api.get("/v1/campaign_members/crm:m2")).json()["id"] == members[0]["id"]
    rows = [{"external_id": "m1", "status": "attended"}, {"external_id": "m2", "status": "left"}]
    told = (await api.upsert("campaign_members", rows))["rows"]
    assert [(x["outcome"], x["reason"]) for x in told] == [("updated", None), ("unchanged", "merged")]


async def test_the_duplicate_is_told_as_merged_and_lives_nowhere(
    api: Api, two: dict[str, str], settled: Any
) -> None:
    await settled()
    cursor = (await api.get("/v1/accounts?changes_since=now")).json()["next_cursor"]
    feed = (await api.get("/v1/events?limit=1000")).json()["next_cursor"]
    await merged(api, "accounts", two["acme"], two["globex"])
    assert two["globex"] not in (await ids(api, "accounts")).values()
    [gone] = await api.data(f"/v1/accounts?include=deleted&merged_into_id={two['acme']}")
    assert (gone["id"], gone["merged_into_id"], gone["deleted_at"] is None) == (
        two["globex"], two["acme"], False,
    )  # fmt: skip
    raw = (await api.get(f"/v1/accounts/{two['globex']}?include=deleted&expand=merged_into")).json()
    assert (raw["id"], raw["merged_into"]["name"]) == (two["globex"], "Acme")
    assert code(await api.post(f"/v1/accounts/{two['globex']}:restore")) == (409, "merged")
    await settled()
    changes = (await api.get("/v1/accounts", params={"changes_since": cursor})).json()
    assert [x["id"] for x in changes["tombstones"]] == [two["globex"]]
    told = (await api.get("/v1/events", params={"after": feed, "limit": 1000})).json()["data"]
    assert {(x["type"], x["record_id"]) for x in told if x["noun"] == "accounts"} == {
        ("account.merged", two["acme"]), ("account.deleted", two["globex"]), ("account.updated", two["sub"]),
    }  # fmt: skip
    assert {x["type"] for x in told if x["noun"] != "accounts"} == {
        "opportunity.updated", "contact.updated", "lead.updated", "activity.updated",
    }  # fmt: skip


async def test_old_names_lead_to_the_survivor_everywhere(api: Api, two: dict[str, str]) -> None:
    await merged(api, "accounts", "crm:acme", "crm:globex")
    deals = {x["id"] for x in await api.data(f"/v1/opportunities?account_id={two['acme']}")}
    assert len(deals) == 11
    for name in (two["globex"], "crm:globex"):
        assert (await api.get(f"/v1/accounts/{name}")).json()["id"] == two["acme"]
        assert (await api.get(f"/v1/accounts/{name}/timeline")).status_code == 200
        for text in (f"account_id={name}", f"account_id[in]={name}", f"account.id={name}"):
            assert {x["id"] for x in await api.data(f"/v1/opportunities?{text}")} == deals, text
        assert {x["id"] for x in await api.data(f"/v1/opportunities?account_id[nin]={name}")} == set()
        tree = {"filter": {"not": {"account_id": name}}}
        assert (await api.post("/v1/opportunities:query", tree)).json()["data"] == []
        assert [x["id"] for x in await api.data(f"/v1/accounts?id={two['globex']}")] == [two["acme"]]
        made = await api.post("/v1/contacts", {"name": "New", "account_id": name})
        assert made.json()["account_id"] == two["acme"]
        patched = await api.patch(f"/v1/accounts/{name}", {"segment": name[:3]})
        assert (patched.json()["id"], patched.json()["segment"]) == (two["acme"], name[:3])
        answer = await api.get("/v1/metrics/query", params={"metric": "open_deals", "account": name})
        assert [x["value"] for x in answer.json()["data"]] == [11], answer.text
        deals_of = "opportunities(filter: {accountId: {eq: $id}}) { totalCount }"
        graph = f"query($id: ID!) {{ account(id: $id) {{ id }} {deals_of} }}"
        told = await api.post("/graphql", {"query": graph, "variables": {"id": name}})
        assert told.json()["data"] == {"account": {"id": two["acme"]}, "opportunities": {"totalCount": 11}}, (
            told.text
        )
    node = {"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": two["globex"]}}
    assert (await api.post("/graphql", node)).json()["data"]["node"]["id"] == two["acme"]


async def test_the_past_shows_the_duplicate(api: Api, two: dict[str, str]) -> None:
    moment = (await api.get("/v1/accounts/crm:globex")).json()["updated_at"]
    await merged(api, "accounts", "crm:acme", "crm:globex")
    then = {"as_of": moment}
    for name in (two["globex"], "crm:globex"):
        assert (await api.get(f"/v1/accounts/{name}", params=then)).json()["name"] == "Globex"
        found = await api.data("/v1/opportunities", params={"account_id": name, "limit": 200} | then)
        assert {x["name"] for x in found} == {"Deal 2", "Deal 4", "Deal 6", "Deal 8"}
        asked = {"metric": "open_deals", "account": name} | then
        [row] = (await api.get("/v1/metrics/query", params=asked)).json()["data"]
        assert row["value"] == 4
    assert {x["name"] for x in await api.data("/v1/accounts", params=then)} == {"Acme", "Globex", "Sub"}
    versions = await api.data(f"/v1/accounts/{two['globex']}/history")
    assert {x["name"] for x in versions} == {"Globex"}
    assert versions[-1]["valid_to"] is not None


async def test_merging_again_changes_nothing(api: Api, two: dict[str, str]) -> None:
    first = await merged(api, "accounts", "crm:acme", "crm:globex")
    for name in (two["globex"], "crm:globex"):
        again = await merged(api, "accounts", "crm:acme", name, name)
        assert again == first
    assert code(await api.post("/v1/accounts/crm:acme:merge", {"duplicate_ids": ["crm:acme"]})) == (
        409, "merged_with_itself",
    )  # fmt: skip
    assert code(await api.post(f"/v1/accounts/{two['globex']}:merge", {"duplicate_ids": [two["acme"]]})) == (
        409,
        "merged_with_itself",
    )
    refused = await api.post("/v1/accounts/crm:acme:merge", {"duplicate_ids": [two["sub"], "crm:nobody"]})
    assert code(refused) == (404, "reference_not_found")
    assert refused.json()["errors"][0]["pointer"] == "/duplicate_ids/1"
    assert code(await api.post("/v1/accounts/crm:acme:merge", {"duplicate_ids": []})) == (422, "invalid")
    assert code(await api.post("/v1/accounts/crm:acme:merge")) == (422, "invalid")
    stale = await api.post(
        "/v1/accounts/crm:acme:merge", {"duplicate_ids": ["crm:sub"]}, headers={"if-match": '"1"'}
    )
    assert code(stale) == (412, "version_conflict")


async def test_an_account_never_stands_above_itself(api: Api, two: dict[str, str]) -> None:
    rows = [
        {"external_id": "top", "name": "Top"},
        {"external_id": "globex", "parent_id": "crm:top"},
    ]
    for row in rows:
        await api.upsert("accounts", [row])
    rows = [{"external_id": "low", "name": "Low", "parent_id": "crm:sub"}]
    await api.upsert("accounts", rows)
    low = await merged(api, "accounts", "crm:low", "crm:globex")
    assert low["parent_id"] == (await api.get("/v1/accounts/crm:top")).json()["id"]
    assert (await api.get("/v1/accounts/crm:sub")).json()["parent_id"] == low["id"]


async def test_a_source_that_deletes_or_goes_on_changing_its_duplicate_does_no_harm(api: Api) -> None:
    await merged(api, "accounts", "crm:acme", "crm:globex")
    rows = [
        {"external_id": "globex", "name": "Globex"},
        {"external_id": "acme", "name": "Acme Ltd"},
    ]
    told = (await api.upsert("accounts", rows))["rows"]
    assert [(x["outcome"], x["reason"]) for x in told] == [("unchanged", "merged"), ("updated", None)]
    assert told[0]["id"] == told[1]["id"]
    told = (await api.upsert("accounts", [{"external_id": "globex", "deleted": True}]))["rows"]
    assert [(x["outcome"], x["reason"]) for x in told] == [("unchanged", "merged")]
    assert code(await api.delete("/v1/accounts/crm:globex")) == (409, "merged")
    assert (await api.get("/v1/accounts/crm:acme")).json()["name"] == "Acme Ltd"
    assert (await api.delete("/v1/accounts/crm:acme")).status_code == 200


async def test_another_source_is_heard_under_the_name_that_it_brought(api: Api) -> None:
    rows = [{"external_id": "77", "name": "Globex", "employees": 5}]
    await api.post("/v1/accounts:upsert", {"source": "hub", "rows": rows})
    await merged(api, "accounts", "crm:acme", "hub:77")
    for row, outcome in (
        (rows[0] | {"employees": 6}, "updated"),
        ({"external_id": "77", "deleted": True}, "unchanged"),
    ):
        told = await api.post("/v1/accounts:upsert", {"source": "hub", "rows": [row]})
        assert told.json()["rows"][0]["outcome"] == outcome, told.text
    assert (await api.get("/v1/accounts/hub:77")).json()["employees"] == 6


async def test_reconciling_counts_the_names_of_duplicates(api: Api) -> None:
    await merged(api, "accounts", "crm:acme", "crm:globex")
    for listed in (["acme", "globex"], ["acme"]):
        told = await api.post("/v1/accounts:reconcile", {"source": "crm", "external_ids": listed})
        assert told.json()["counts"] == {
            "external_ids": len(listed), "missing_at_source": 0, "missing_here": 0,
        }, told.text  # fmt: skip


async def test_a_source_tells_what_it_merged_itself(api: Api, two: dict[str, str]) -> None:
    rows = [
        {"external_id": "globex", "merged_into": "crm:new", "deleted": True, "name": "ignored"},
        {"external_id": "never", "merged_into": "crm:globex"},
        {"external_id": "new", "name": "New"},
        {"external_id": "acme", "merged_into": "crm:nobody"},
        {"external_id": "sub", "merged_into": "crm:sub"},
    ]
    report = await api.upsert("accounts", rows)
    assert [(x["outcome"], x["reason"]) for x in report["rows"]] == [
        ("updated", "merged"), ("updated", "merged"), ("created", None), ("failed", None), ("failed", None),
    ]  # fmt: skip
    assert [x["error"]["code"] for x in report["rows"][3:]] == ["reference_not_found", "merged_with_itself"]
    new = report["rows"][2]["id"]
    assert [x["id"] for x in report["rows"][:2]] == [new, new]
    for name in ("crm:globex", "crm:never", two["globex"]):
        found = (await api.get(f"/v1/accounts/{name}")).json()
        assert (found["id"], found["name"]) == (new, "New")
    assert (await api.get("/v1/opportunities/crm:both")).json()["account_id"] == new
    again = await api.upsert("accounts", rows[:2])
    assert [(x["outcome"], x["reason"]) for x in again["rows"]] == [("unchanged", "merged")] * 2


async def test_what_was_deleted_first_is_merged_all_the_same(api: Api, two: dict[str, str]) -> None:
    await api.upsert("accounts", [{"external_id": "globex", "deleted": True}])
    told = await api.upsert("accounts", [{"external_id": "globex", "merged_into": "crm:acme"}])
    assert told["rows"][0]["outcome"] == "updated", told
    assert (await api.get(f"/v1/accounts/{two['globex']}")).json()["id"] == two["acme"]
    assert (await api.get("/v1/opportunities/crm:both")).json()["account_id"] == two["acme"]


async def test_the_clock_of_a_name_goes_with_it(api: Api) -> None:
    new, old = "2026-03-03T12:00:00Z", "2026-03-02T12:00:00Z"
    await api.upsert("accounts", [{"external_id": "globex", "source_updated_at": new}])
    late = {"external_id": "globex", "merged_into": "crm:acme", "source_updated_at": old}
    told = await api.upsert("accounts", [late])
    assert [(x["outcome"], x["reason"]) for x in told["rows"]] == [("unchanged", "stale")]
    newer = late | {"source_updated_at": "2026-03-04T12:00:00Z"}
    assert (await api.upsert("accounts", [newer]))["rows"][0]["outcome"] == "updated"
    assert (await api.upsert("accounts", [late | {"source_updated_at": new}]))["rows"][0]["reason"] == "stale"


async def test_a_source_that_kept_the_other_one_is_heard_under_that(api: Api) -> None:
    await merged(api, "accounts", "crm:acme", "crm:globex")
    told = await api.upsert("accounts", [{"external_id": "acme", "merged_into": "crm:globex"}])
    assert told["rows"][0]["outcome"] == "updated"
    rows = [{"external_id": "acme", "name": "A"}, {"external_id": "globex", "name": "G"}]
    told = (await api.upsert("accounts", rows))["rows"]
    assert [(x["outcome"], x["reason"]) for x in told] == [("unchanged", "merged"), ("updated", None)]


async def test_whoever_merges_must_see_both_and_all_of_it_moves(api: Api, two: dict[str, str]) -> None:
    who: dict[str, Any] = {"role": "rep", "rep": "r1"}
    await api.upsert(
        "opportunities", [{"external_id": f"d{i}", "owner_id": "crm:other"} for i in range(2, 9, 2)]
    )
    await api.upsert("opportunities", [{"external_id": "both", "owner_id": "crm:other"}])
    refused = await api.post("/v1/accounts/crm:acme:merge", {"duplicate_ids": ["crm:globex"]}, **who)
    assert code(refused) == (404, "reference_not_found")
    other: dict[str, Any] = {"role": "rep", "rep": "other"}
    await api.upsert("opportunities", [{"external_id": f"d{i}", "owner_id": "crm:r2"} for i in (1, 5, 7)])
    await api.upsert("opportunities", [{"external_id": x, "owner_id": "crm:r2"} for x in ("d3", "d9", "one")])
    assert code(await api.post("/v1/accounts/crm:acme:merge", {"duplicate_ids": ["crm:globex"]}, **other)) == (
        404, "not_found",
    )  # fmt: skip
    await api.upsert(
        "opportunities",
        [{"external_id": "d3", "owner_id": "crm:r1"}, {"external_id": "d2", "owner_id": "crm:r1"}],
    )
    await merged(api, "accounts", "crm:acme", "crm:globex", **who)
    found = await api.data(f"/v1/opportunities?account_id={two['acme']}&limit=200")
    assert len(found) == 11, "also what the rep does not see"
    assert code(await api.post("/v1/accounts/crm:acme:merge", {"duplicate_ids": ["crm:sub"]}, role="analyst")) == (
        403, "forbidden",
    )  # fmt: skip


async def test_who_refers_to_it_meanwhile_is_not_left_behind(api: Api, two: dict[str, str]) -> None:
    async def make(number: int) -> None:
        if number % 3 == 0:
            row = {"name": f"New {number}", "account_id": two["globex"], "stage_id": "crm:open"}
            assert (await api.post("/v1/opportunities", row)).status_code == 201
        elif number % 3 == 1:
            rows = [{"external_id": f"new{number}", "name": "N", "account_id": "crm:globex"}]
            assert (await api.upsert("contacts", rows))["counts"]["created"] == 1
        else:
            row = {"account_id": two["globex"], "next_step": str(number)}
            assert (await api.patch(f"/v1/opportunities/crm:d{number % 9 + 1}", row)).status_code == 200

    await asyncio.gather(
        *(make(i) for i in range(12)),
        merged(api, "accounts", "crm:acme", "crm:globex"),
        *(make(i) for i in range(12, 24)),
    )
    for noun in ("opportunities", "contacts"):
        assert {x["account_id"] for x in await api.data(f"/v1/{noun}?limit=200")} == {two["acme"]}


async def test_a_record_that_is_created_just_behind_a_merge_refers_to_the_survivor(
    api: Api, two: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was looked up before: the statement that stores it finds the duplicate gone, and all of it is done again."""
    finish, merges = script.finish, 0

    async def late(*given: Any, **options: Any) -> Any:
        nonlocal merges
        merges += 1
        await merged(api, "accounts", "crm:acme", "crm:globex")
        return await finish(*given, **options)

    monkeypatch.setattr(script, "finish", late)
    body = {"name": "Late", "account_id": two["globex"], "stage_id": "crm:open"}
    made = await api.post("/v1/opportunities", body, headers={"idempotency-key": "late"})
    assert (made.status_code, made.json()["account_id"], merges) == (201, two["acme"], 1)
    assert len(await api.data("/v1/opportunities?name=Late")) == 1


async def test_merges_that_meet_end_in_one(api: Api) -> None:
    names = [f"n{i}" for i in range(8)]
    await api.upsert("accounts", [{"external_id": x, "name": x} for x in names])
    pairs = [(names[i], names[(i + 1) % 8]) for i in range(8)]
    answers = await asyncio.gather(
        *(api.post(f"/v1/accounts/crm:{a}:merge", {"duplicate_ids": [f"crm:{b}"]}) for a, b in pairs)
    )
    assert {x.status_code for x in answers} <= {200, 409}, [x.text for x in answers]
    for a, b in pairs:
        await api.post(f"/v1/accounts/crm:{a}:merge", {"duplicate_ids": [f"crm:{b}"]})
    assert len({(await api.get(f"/v1/accounts/crm:{x}")).json()["id"] for x in names}) == 1
    living = [x for x in await api.data("/v1/accounts?limit=200") if x["name"] in names]
    assert len(living) == 1
    assert len(living[0]["merged_ids"]) == 7


async def test_graphql_merges_too(api: Api, two: dict[str, str]) -> None:
    variables = {"id": "crm:acme", "input": {"duplicateIds": ["crm:globex", two["sub"]]}}
    for outcome in ("UPDATED", "UNCHANGED"):
        told = (await api.post("/graphql", {"query": GRAPH, "variables": variables})).json()
        assert told["data"]["mergeAccount"] == {"outcome": outcome, "account": {"id": two["acme"]}}, told
    rows = [{"externalId": "x", "mergedInto": "crm:acme"}]
    rows_told = 'upsertAccounts(source: "crm", rows: $rows) { rows { id reason } }'
    upsert = f"mutation($rows: [AccountUpsertRow!]!) {{ {rows_told} }}"
    told = (await api.post("/graphql", {"query": upsert, "variables": {"rows": rows}})).json()
    assert told["data"]["upsertAccounts"]["rows"] == [{"id": two["acme"], "reason": "merged"}], told
    node = {"query": "query($id: ID!) { node(id: $id) { id } }", "variables": {"id": two["sub"]}}
    assert (await api.post("/graphql", node)).json()["data"]["node"]["id"] == two["acme"]


async def test_a_row_of_a_source_brings_the_tenants_own_fields_along(api: Api) -> None:
    for name in ("tier", "reason"):
        declared = await api.post(
            "/v1/custom_fields", {"noun": "accounts", "name": name, "kind": "text", "title": name}
        )
        assert declared.status_code == 201, declared.text
    rows = [
        {"external_id": "acme", "custom": {"tier": "gold"}},
        {"external_id": "globex", "custom": {"tier": "tin", "reason": "price"}},
    ]
    assert (await api.upsert("accounts", rows))["counts"]["updated"] == 2
    told = await api.upsert("accounts", [{"external_id": "globex", "merged_into": "crm:acme"}])
    assert told["counts"]["updated"] == 1, told
    acme = (await api.get("/v1/accounts/crm:acme")).json()
    assert acme["custom"] == {"tier": "gold", "reason": "price"}
    versions = await api.data("/v1/accounts/crm:acme/history")
    assert versions[-1]["custom"] == acme["custom"]
