"""A lead's way: received, answered, qualified, converted; whose it is, and what is kept of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.ground.errors import Conflict, Forbidden, Invalid, NotFound
from app.language.resources import history


async def test_the_first_outgoing_activity_answers_a_lead(firm: Any) -> None:
    came = "2026-03-02T09:00:00+00:00"
    await firm.taken("leads", {"external_id": "l", "name": "L", "received_at": came})

    async def done(key: str, at: str, **more: Any) -> str | None:
        row = {
            "external_id": key,
            "kind": "call",
            "direction": "outbound",
            "lead_id": "crm:l",
            "occurred_at": at,
        }
        await firm.taken("activities", {**row, **more})
        return (await firm.get("leads", "crm:l"))["first_response_at"]

    assert await done("a", "2026-03-02T08:59:59Z") is None, "before it came in"
    assert await done("b", "2026-03-02T09:01:00Z", direction="inbound") is None
    assert await done("c", "2026-03-02T09:02:00Z", kind="note") is None
    assert await done("d", "2026-03-02T09:03:00Z", done=False) is None, "planned"
    assert await done("e", "2026-03-02T10:00:00Z") == "2026-03-02T10:00:00+00:00"
    assert await done("f", "2026-03-02T11:00:00Z") == "2026-03-02T10:00:00+00:00"
    assert await done("g", "2026-03-02T09:20:00Z", kind="email") == "2026-03-02T09:20:00+00:00", "told late"
    assert await done("d", "2026-03-02T09:03:00Z", done=True) == "2026-03-02T09:03:00+00:00"
    told = "2026-03-02T09:00:30+00:00"
    await firm.taken("leads", {"external_id": "l", "first_response_at": told})
    assert await done("h", "2026-03-02T12:00:00Z") == told


async def test_conversion_makes_all_three_and_says_so(firm: Any, settled: Any) -> None:
    await firm.create("campaigns", {"name": "Fair", "external_ids": [{"source": "crm", "external_id": "c"}]})
    lead = await firm.create(
        "leads",
        {
            "name": "Visitor", "company": "Isdom", "email": "v@example.com", "industry": "retail", "employees": 40,
            "lead_source": "event", "campaign_id": "crm:c", "owner_id": "crm:r1",
        },
    )  # fmt: skip
    call = {"kind": "call", "lead_id": str(lead.id), "subject": "First call"}
    await firm.create("activities", call)
    asked = {
        "create_opportunity": True,
        "amount": 1200.5,
        "stage_id": "crm:s2",
        "expected_close_on": "2026-12-31",
    }
    receipt = await firm.act("leads", "convert", lead.id, asked)
    assert (receipt.outcome, receipt.id) == ("updated", lead.id)
    steps = ("account", "contact", "opportunity")
    assert {f"converted_{x}_id" for x in steps} | {"converted_at", "qualified_at", "status"} == set(
        receipt.changed
    )
    got = await firm.get("leads", lead.id, *(f"converted_{x}" for x in steps), "activities")
    account, contact, deal = (got[f"converted_{x}"] for x in steps)
    assert (account["name"], account["industry"], account["employees"]) == ("Isdom", "retail", 40)
    assert (contact["name"], contact["email"], contact["account_id"]) == (
        "Visitor",
        "v@example.com",
        account["id"],
    )
    assert (deal["name"], deal["amount"], deal["expected_close_on"]) == ("Isdom", 1200.5, "2026-12-31")
    assert (deal["lead_source"], deal["campaign_id"]) == ("event", got["campaign_id"])
    assert len({x["owner_id"] for x in (account, contact, deal, got)}) == 1
    roles = (await firm.get("opportunities", deal["id"], "contact_roles"))["contact_roles"]
    assert [(x["contact_id"], x["is_primary"]) for x in roles] == [(contact["id"], True)]
    assert got["converted_at"] == got["qualified_at"]
    assert [x["subject"] for x in got["activities"]] == ["First call"]
    told = await firm.told(settled)
    assert {("lead.qualified", lead.id), ("lead.converted", lead.id)} <= set(told)
    assert {"account.created", "contact.created", "opportunity.created"} <= {x for x, _ in told}
    with pytest.raises(Conflict) as again:
        await firm.act("leads", "convert", lead.id, asked)
    assert again.value.code == "already_converted"
    for verb in ("qualify", "convert"):
        with pytest.raises(Conflict) as again:
            await firm.act("leads", verb, lead.id)
        assert again.value.code == "already_converted"


async def test_conversion_links_what_is_there(firm: Any) -> None:
    await firm.taken("contacts", {"external_id": "p", "name": "P", "account_id": "crm:a1"})
    await firm.taken("leads", *({"external_id": f"l{i}", "name": "L"} for i in range(3)))
    await firm.act("leads", "convert", "crm:l0", {"contact_id": "crm:p"})
    got = await firm.get("leads", "crm:l0", "converted_account", "converted_contact")
    assert (got["converted_account"]["name"], got["converted_contact"]["name"]) == ("Acme", "P")
    assert got["converted_opportunity_id"] is None
    await firm.act("leads", "convert", "crm:l1", {"account_id": "crm:a1", "converted_at": "2026-02-01"})
    got = await firm.get("leads", "crm:l1", "converted_contact")
    assert got["converted_contact"]["name"] == "L"
    assert got["converted_at"].startswith("2026-02-01")
    with pytest.raises(NotFound) as missing:
        await firm.act("leads", "convert", "crm:l2", {"account_id": "crm:nobody"})
    assert [(e.pointer, e.code) for e in missing.value.errors] == [("/account_id", "reference_not_found")]


async def test_a_conversion_that_fails_leaves_nothing_behind(firm: Any, database: Any) -> None:
    lead = await firm.create("leads", {"name": "L", "company": "Half"})
    with pytest.raises(NotFound) as refused:
        await firm.act("leads", "convert", lead.id, {"create_opportunity": True, "stage_id": "crm:nowhere"})
    assert [e.pointer for e in refused.value.errors] == ["/opportunity/stage_id"]
    async with database.transaction(firm.principal.tenant_id) as session:
        count = "select count(*) from accounts where tenant_id = $1 and name = 'Half'"
        assert await session.connection.fetchval(count, session.tenant_id) == 0
    assert (await firm.get("leads", lead.id))["converted_at"] is None
    narrow = firm.company.principal(scopes=("leads:write",))
    firm.principal = narrow
    with pytest.raises(Forbidden):
        await firm.act("leads", "convert", lead.id)


async def test_qualified_once_and_disqualified_as_long_as_it_lasts(firm: Any, settled: Any) -> None:
    lead = (await firm.create("leads", {"name": "L"})).id
    await firm.act("leads", "qualify", lead, {"qualified_at": "2026-03-01"})
    got = await firm.get("leads", lead)
    assert (got["status"], got["qualified_at"][:10]) == ("qualified", "2026-03-01")
    with pytest.raises(Conflict) as again:
        await firm.act("leads", "qualify", lead)
    assert again.value.code == "already_qualified"
    await firm.patch("leads", lead, {"status": "disqualified", "disqualified_reason": "no_budget"})
    assert (await firm.get("leads", lead))["disqualified_at"] is not None
    await firm.act("leads", "qualify", lead)
    got = await firm.get("leads", lead)
    assert (got["disqualified_at"], got["disqualified_reason"], got["qualified_at"][:10]) == (
        None,
        None,
        "2026-03-01",
    )
    with pytest.raises(Invalid) as refused:
        await firm.patch("leads", lead, {"status": "converted"})
    assert refused.value.code == "use_convert"
    told = [x for x, id_ in await firm.told(settled) if id_ == lead]
    assert told == ["lead.created", "lead.qualified", "lead.disqualified", "lead.updated"]


async def test_owner_or_queue(firm: Any) -> None:
    await firm.taken("lead_queues", {"external_id": "q", "name": "Inbound"})
    rep = await firm.get("reps", "crm:r1")
    mine = firm.acting("rep", UUID(rep["id"]))
    lead = (await mine.create("leads", {"name": "L", "queue_id": "crm:q"})).id
    got = await mine.get("leads", lead)
    assert (got["owner_id"], got["queue_id"] is not None) == (None, True)
    await mine.patch("leads", lead, {"owner_id": "me"})
    got = await mine.get("leads", lead)
    assert (got["owner_id"], got["queue_id"]) == (rep["id"], None)
    with pytest.raises(Invalid) as refused:
        await firm.patch("leads", lead, {"owner_id": "crm:r2", "queue_id": "crm:q"})
    assert refused.value.code == "owner_or_queue"


async def test_a_synced_lead_gets_its_past_from_its_milestones(firm: Any, database: Any) -> None:
    row = {
        "external_id": "l", "name": "L", "received_at": "2026-01-10T08:00:00Z", "status": "converted",
        "qualified_at": "2026-01-20T08:00:00Z", "converted_at": "2026-02-01T08:00:00Z",
        "converted_account_id": "crm:a1",
    }  # fmt: skip
    [made] = await firm.taken("leads", row)
    [again] = await firm.taken("leads", row)
    assert (made.outcome, again.outcome) == ("created", "unchanged")
    async with database.transaction(firm.principal.tenant_id) as session:
        page = await history.page(
            session, firm.principal, firm.catalogue, firm.catalogue["leads"], "crm:l", limit=10, after=None
        )
    versions = [firm.json(x) for x in page.rows]
    assert [(x["valid_from"][:10], x["status"], x["converted_account_id"] is None) for x in versions] == [
        ("2026-01-10", "new", True), ("2026-01-20", "qualified", True), ("2026-02-01", "converted", False),
    ]  # fmt: skip
    assert all(x["inferred"] for x in versions)
