"""What happened to a record: fields with old and new value, activities, one order."""

from __future__ import annotations

from typing import Any

from tests.faces.rest.conftest import Api, code

DEALS = "/v1/opportunities"


async def told(api: Api, path: str, **who: Any) -> list[Any]:
    """All pages, two entries each."""
    rows: list[Any] = []
    cursor = None
    while True:
        parameters = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        response = await api.get(f"{path}/timeline", params=parameters, **who)
        assert response.status_code == 200, response.text
        body = response.json()
        rows += body["data"]
        cursor = body["next_cursor"]
        if cursor is None:
            return rows


async def lived(api: Api) -> None:
    await api.patch(f"{DEALS}/crm:d3", {"amount": 5, "stage_id": "crm:deep", "next_step": "call"})
    calls = [
        {"external_id": "t1", "kind": "call", "subject": "Hello", "opportunity_id": "crm:d3",
         "occurred_at": "2026-01-20T10:00:00Z"},
        {"external_id": "t2", "kind": "note", "subject": "Other", "account_id": "crm:acme",
         "occurred_at": "2026-01-21T10:00:00Z"},
    ]  # fmt: skip
    await api.upsert("activities", calls)
    await api.post(f"{DEALS}/crm:d3:reassign", {"owner_id": "crm:r2"})


async def test_a_deals_timeline(api: Api) -> None:
    await lived(api)
    entries = await told(api, f"{DEALS}/crm:d3")
    assert [x["kind"] for x in entries[:2]] == ["changed", "changed"]
    [given] = entries[0]["changes"]
    assert (given["field"], given["old_label"], given["new_label"]) == ("owner_id", "Rep 1", "Rep 2")
    changes = {x["field"]: x for x in entries[1]["changes"]}
    assert set(changes) == {"stage_id", "amount", "next_step"}
    assert (changes["amount"]["old"], changes["amount"]["new"]) == (300.25, 5)
    assert (changes["stage_id"]["old_label"], changes["stage_id"]["new_label"]) == ("Open", "Deep")
    [call] = [x for x in entries if x["kind"] == "record"]
    assert (call["noun"], call["record"]["subject"], call["at"]) == (
        "activities", "Hello", "2026-01-20T10:00:00+00:00",
    )  # fmt: skip
    assert entries[-1]["kind"] == "created"
    assert [x["at"] for x in entries] == sorted((x["at"] for x in entries), reverse=True)
    whole = (await api.get(f"{DEALS}/crm:d3/timeline?limit=200")).json()
    assert whole["data"] == entries, "pages are the whole"
    assert not whole["has_more"]


async def test_an_accounts_timeline(api: Api) -> None:
    await lived(api)
    await api.patch("/v1/accounts/crm:acme", {"owner_id": "crm:r2", "industry": "energy"})
    entries = await told(api, "/v1/accounts/crm:acme")
    assert [x["kind"] for x in entries] == ["changed", "created", "record"] or [
        x["kind"] for x in entries
    ] == ["changed", "record", "created"]
    assert {x["field"]: x["new_label"] for x in entries[0]["changes"]} == {
        "owner_id": "Rep 2",
        "industry": None,
    }


async def test_what_happened_to_a_person(api: Api) -> None:
    """To a lead, and to a contact that took another one over."""
    await api.upsert("campaigns", [{"external_id": "fair", "name": "Fair"}])
    await api.upsert("leads", [{"external_id": "p", "name": "L", "received_at": "2026-01-02T08:00:00Z"}])
    people = [{"external_id": "p", "name": "P"}, {"external_id": "q", "name": "Q"}]
    await api.upsert("contacts", people)
    for of, name in (("lead_id", "l"), ("contact_id", "c")):
        person = {of: "crm:p" if name == "l" else "crm:q"}
        call = {
            "kind": "call",
            "subject": "Hello",
            "direction": "outbound",
            "occurred_at": "2026-01-05T10:00:00Z",
        }
        await api.upsert("activities", [{"external_id": name, **call, **person}])
        touch = {"external_id": name, "kind": "visit", "occurred_at": "2026-01-04T10:00:00Z", **person}
        await api.upsert("touches", [touch])
        member = {
            "external_id": name,
            "campaign_id": "crm:fair",
            "joined_at": "2026-01-03T10:00:00Z",
            **person,
        }
        await api.upsert("campaign_members", [member])
    await api.post("/v1/contacts/crm:p:merge", {"duplicate_ids": ["crm:q"]})
    for path in ("/v1/leads/crm:p", "/v1/contacts/crm:p", "/v1/contacts/crm:q"):
        entries = await told(api, path)
        records = [(x["noun"], x["at"][:10]) for x in entries if x["kind"] == "record"]
        assert records == [
            ("activities", "2026-01-05"), ("touches", "2026-01-04"), ("campaign_members", "2026-01-03"),
        ], path  # fmt: skip
    changes = [x["changes"] for x in await told(api, "/v1/leads/crm:p") if x["kind"] == "changed"]
    assert "first_response_at" in {y["field"] for x in changes for y in x}


async def test_it_is_seen_as_its_record_is(api: Api) -> None:
    await lived(api)
    assert code(await api.get(f"{DEALS}/crm:d3/timeline", role="rep", rep="r1")) == (404, "not_found")
    assert len(await told(api, f"{DEALS}/crm:d3", role="rep", rep="r2")) == len(
        await told(api, f"{DEALS}/crm:d3")
    )
    assert code(await api.get(f"{DEALS}/crm:nobody/timeline")) == (404, "not_found")
    narrow = await api.get(f"{DEALS}/crm:d3/timeline", scopes=("opportunities:read",))
    assert code(narrow) == (403, "forbidden")


async def test_a_cursor_is_bound_to_its_record(api: Api) -> None:
    await lived(api)
    cursor = (await api.get(f"{DEALS}/crm:d3/timeline?limit=1")).json()["next_cursor"]
    assert code(await api.get(f"{DEALS}/crm:d1/timeline?cursor={cursor}")) == (400, "bad_cursor")
    assert code(await api.get(f"{DEALS}/crm:d3/timeline?nome=x")) == (422, "unknown_parameter")
