"""Who may publish, calculate, close, dispute, approve and pay; when not, and what the refusal is called."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.sales.incentives.office import ROLES, Office

PERIOD = "2026-Q1"
FORBIDDEN = (403, "forbidden")
ABSENT = (404, "not_found")
WHY = {"reason": "The split is missing."}
SO = {"resolution": "Split added."}


@pytest_asyncio.fixture
async def paid(office: Office) -> Office:
    """Every rep has won a deal, the quarter is calculated. `boss` is an admin who is `r1` as well."""
    await office.key("boss", "admin", "r1")
    await office.period(PERIOD)
    await office.plan("plan", {"code": "own", "kind": "commission", "rate": 0.1})
    for rep in ("r1", "r2", "r3", "bea", "top"):
        await office.assign("plan", rep)
        await office.win(f"deal-{rep}", rep, 1_000)
        office.ids[f"of-{rep}"] = ""
    await office.act("ada", f"comp_periods/x:{PERIOD}:calculate")
    for rep in ("r1", "r2", "r3", "bea", "top"):
        office.ids[f"of-{rep}"] = (await office.statement(rep, PERIOD))["id"]
    return office


def of(office: Office, rep: str, verb: str) -> str:
    return f"statements/{office.ids[f'of-{rep}']}:{verb}"


async def close(office: Office, period: str = PERIOD) -> None:
    for verb in ("calculate", "approve", "close"):
        await office.act("ada", f"comp_periods/x:{period}:{verb}")


@pytest.mark.parametrize("who", [x for x, role in ROLES.items() if role != "admin"])
async def test_plans_periods_and_payouts_are_the_admins(paid: Office, who: str) -> None:
    draft = {"external_id": "draft", "plan_id": "x:plan", "effective_from": "2026-06-01"}
    await paid.put(
        "comp_plan_versions", {**draft, "components": [{"code": "a", "kind": "draw", "amount": 1}]}
    )
    assert await paid.refused(who, "comp_plan_versions/x:draft:publish") == FORBIDDEN
    for verb in ("calculate", "approve", "close", "reopen"):
        assert await paid.refused(who, f"comp_periods/x:{PERIOD}:{verb}") == FORBIDDEN, verb
    await close(paid)
    [payout] = (await paid.must("ada", "GET", "/v1/payouts?rep_id=x:r1"))["data"]
    assert await paid.refused(who, f"payouts/{payout['id']}:pay") == FORBIDDEN
    for plural, data in (
        ("comp_plans", {"name": "Mine"}), ("comp_periods", {"period": "2027"}),
        ("comp_plan_versions", {"plan_id": "x:plan", "effective_from": "2026-01-01"}),
        ("plan_assignments", {"plan_id": "x:plan", "rep_id": "x:r1", "starts_on": "2027-01-01"}),
    ):  # fmt: skip
        assert await paid.refused(who, plural, data) == FORBIDDEN, plural
    for path in ("comp_plans/x:plan", "plan_assignments/x:plan-r1", f"comp_periods/x:{PERIOD}"):
        assert await paid.refusal(who, "PATCH", f"/v1/{path}", {}) == FORBIDDEN
        assert await paid.refusal(who, "DELETE", f"/v1/{path}") == FORBIDDEN


async def test_what_is_published_never_changes(paid: Office) -> None:
    terms = "/v1/comp_plan_versions/x:plan-terms"
    assert await paid.refused("ada", "comp_plan_versions/x:plan-terms:publish") == (409, "already_published")
    changes: tuple[dict[str, Any], ...] = (
        {"effective_from": "2026-01-01"}, {"components": []},
        {"tiers": [{"component": "own", "above": 0, "rate": 0.2}]},
        {"components_merge": [{"code": "own", "kind": "commission", "rate": 0.2}]},
    )  # fmt: skip
    for change in changes:
        assert await paid.refusal("ada", "PATCH", terms, change) == (409, "version_published"), change
    assert await paid.refusal("ada", "DELETE", terms) == (409, "version_published")
    await paid.must("ada", "PATCH", terms, {"note": "As agreed."})
    other = {"external_id": "other", "plan_id": "x:plan", "effective_from": "2024-01-01"}
    await paid.put("comp_plan_versions", other)
    assert await paid.refused("ada", "comp_plan_versions/x:other:publish") == (422, "required")
    same_day = {"effective_from": "2025-01-01", "components": [{"code": "a", "kind": "draw", "amount": 1}]}
    await paid.put("comp_plan_versions", {**other, **same_day})
    other = await paid.refused("ada", "comp_plan_versions/x:other:publish")
    assert other == (409, "another_version_of_the_day")


async def test_a_period_goes_one_step_at_a_time(paid: Office) -> None:
    quarter = f"comp_periods/x:{PERIOD}"
    await paid.period("2026-Q2")
    assert await paid.refused("ada", f"{quarter}:reopen") == (409, "not_closed")
    assert await paid.refused("ada", f"{quarter}:close") == (409, "not_approved")
    assert await paid.refused("ada", "comp_periods/x:2026-Q2:approve") == (409, "not_calculated")
    await paid.act("ada", f"{quarter}:approve")
    assert await paid.refused("ada", f"{quarter}:approve") == (409, "not_calculated")
    again = await paid.act("ada", f"{quarter}:calculate")
    assert (again["state"], again["approved_at"]) == ("calculated", None), "what changes is approved anew"
    await close(paid)
    assert await paid.refused("ada", f"{quarter}:approve") == (409, "not_calculated")
    assert await paid.refused("ada", f"{quarter}:close") == (409, "not_approved")
    assert await paid.refusal("ada", "DELETE", f"/v1/{quarter}") == (422, "already_calculated")
    await close(paid, "2026-Q2")
    assert await paid.refused("ada", f"{quarter}:calculate") == (409, "no_open_period")
    assert await paid.refused("ada", f"{quarter}:reopen") == (409, "later_period_closed")
    await paid.act("ada", "comp_periods/x:2026-Q2:reopen")
    assert (await paid.act("ada", f"{quarter}:reopen"))["state"] == "calculated"
    assert await paid.refused("ada", f"{quarter}:calculate", {"rep_id": "x:nobody"}) == (
        404,
        "reference_not_found",
    )


async def test_what_came_in_its_place_keeps_a_deleted_one_away(paid: Office) -> None:
    await paid.period("2027-Q1")
    await paid.must("ada", "DELETE", "/v1/comp_periods/x:2027-Q1")
    await paid.period("2027-01")
    assert await paid.refused("ada", "comp_periods/x:2027-Q1:restore") == (422, "overlaps")
    await paid.must("ada", "DELETE", "/v1/plan_assignments/x:plan-r1")
    again = {"external_id": "again", "plan_id": "x:plan", "rep_id": "x:r1", "starts_on": "2026-02-01"}
    await paid.put("plan_assignments", again)
    assert await paid.refused("ada", "plan_assignments/x:plan-r1:restore") == (422, "already_assigned")


async def test_a_rep_disputes_its_own(paid: Office) -> None:
    for who in ("r2", "otto", "r3"):
        assert await paid.refused(who, of(paid, "r1", "dispute"), WHY) == ABSENT, who
    for who in ("ann", "ina"):
        assert await paid.refused(who, of(paid, "r1", "dispute"), WHY) == FORBIDDEN
    assert await paid.refused("r1", of(paid, "r1", "dispute"), {}) == (422, "invalid")
    disputed = await paid.act("r1", of(paid, "r1", "dispute"), WHY)
    assert (disputed["state"], disputed["dispute"]) == ("disputed", WHY["reason"])
    assert await paid.refused("r1", of(paid, "r1", "dispute"), WHY) == (409, "already_disputed")
    # Whoever has reps below without being a manager sees their pay, and speaks for none of them.
    await paid.put("reps", {"external_id": "r3", "manager_id": "x:r2"})
    assert await paid.refused("r2", of(paid, "r3", "dispute"), WHY) == (403, "not_your_statement")
    await paid.act("top", of(paid, "r3", "dispute"), WHY)


async def test_those_above_decide_and_nobody_for_himself(paid: Office) -> None:
    await paid.act("r1", of(paid, "r1", "dispute"), WHY)
    for who, answer in (
        ("r1", (403, "not_yours_to_decide")), ("boss", (403, "not_yours_to_decide")), ("r2", ABSENT),
        ("otto", ABSENT), ("ann", FORBIDDEN), ("ina", FORBIDDEN),
    ):  # fmt: skip
        assert await paid.refused(who, of(paid, "r1", "resolve"), SO) == answer, who
        assert await paid.refused(who, of(paid, "r1", "approve")) == answer, who
    assert await paid.refused("bea", of(paid, "r1", "approve")) == (409, "is_disputed")
    assert await paid.refused("bea", of(paid, "r1", "resolve"), {}) == (422, "invalid")
    resolved = await paid.act("bea", of(paid, "r1", "resolve"), SO)
    assert (resolved["state"], resolved["resolution"]) == ("draft", SO["resolution"])
    assert await paid.refused("bea", of(paid, "r1", "resolve"), SO) == (409, "not_disputed")
    approved = await paid.act("bea", of(paid, "r1", "approve"))
    assert (approved["state"], approved["approved_by_id"]) == ("approved", paid.ids["bea"])
    assert await paid.refused("top", of(paid, "r1", "approve")) == (409, "is_approved")
    assert await paid.refused("bea", of(paid, "bea", "approve")) == (403, "not_yours_to_decide")
    assert (await paid.act("top", of(paid, "bea", "approve")))["approved_by_id"] == paid.ids["top"]
    assert await paid.refused("top", of(paid, "top", "approve")) == (403, "not_yours_to_decide")
    assert (await paid.act("ada", of(paid, "top", "approve")))["approved_by_id"] is None
    again = await paid.act("r1", of(paid, "r1", "dispute"), WHY)
    assert (again["approved_at"], again["approved_by_id"]) == (None, None), (
        "what is disputed is agreed to no more"
    )


async def test_another_total_is_agreed_to_anew(paid: Office) -> None:
    for rep in ("r1", "r2"):
        await paid.act("bea", of(paid, rep, "approve"))
    await paid.win("deal-r1", "r1", 2_000)
    await paid.act("ada", f"comp_periods/x:{PERIOD}:calculate")
    one, two = [await paid.statement(rep, PERIOD) for rep in ("r1", "r2")]
    assert (one["state"], one["total"], one["approved_at"], one["approved_by_id"]) == (
        "draft",
        200,
        None,
        None,
    )
    assert (two["state"], two["approved_by_id"]) == ("approved", paid.ids["bea"])


async def test_nothing_disputed_is_approved_or_closed(paid: Office) -> None:
    quarter = f"comp_periods/x:{PERIOD}"
    await paid.act("r1", of(paid, "r1", "dispute"), WHY)
    assert await paid.refused("ada", f"{quarter}:approve") == (409, "statements_disputed")
    await paid.act("bea", of(paid, "r1", "resolve"), SO)
    await paid.act("ada", f"{quarter}:approve")
    await paid.act("r1", of(paid, "r1", "dispute"), WHY)
    assert await paid.refused("ada", f"{quarter}:close") == (409, "statements_disputed")
    await paid.act("bea", of(paid, "r1", "resolve"), SO)
    await paid.act("ada", f"{quarter}:close")


async def test_statements_of_a_closed_period_stay(paid: Office) -> None:
    await close(paid)
    assert await paid.refused("r1", of(paid, "r1", "dispute"), WHY) == (409, "period_closed")
    assert await paid.refused("bea", of(paid, "r1", "approve")) == (409, "period_closed")
    assert await paid.refused("bea", of(paid, "r1", "resolve"), SO) == (409, "period_closed")


async def test_a_payout_is_paid_once(paid: Office) -> None:
    await close(paid)
    [payout] = (await paid.must("ada", "GET", "/v1/payouts?rep_id=x:r1"))["data"]
    path = f"payouts/{payout['id']}:pay"
    assert await paid.refused("ada", path, {"paid_on": "soon"}) == (422, "not_a_day")
    done = await paid.act("ada", path, {"paid_on": "2026-04-25"})
    assert (done["state"], done["paid_on"], done["amount"]) == ("paid", "2026-04-25", 100)
    assert await paid.refused("ada", path) == (409, "is_paid")
    await paid.act("ada", f"comp_periods/x:{PERIOD}:reopen")
    [void] = (await paid.must("ada", "GET", "/v1/payouts?rep_id=x:r2"))["data"]
    assert await paid.refused("ada", f"payouts/{void['id']}:pay") == (409, "is_void")
    assert (await paid.must("ada", "GET", "/v1/payouts?rep_id=x:r1"))["data"] == [done], (
        "what is paid is paid"
    )


async def test_a_verb_asks_for_the_version_that_was_read(paid: Office) -> None:
    """`If-Match` of another version leaves everything as it is."""
    draft = {"external_id": "draft", "plan_id": "x:plan", "effective_from": "2026-06-01"}
    await paid.put(
        "comp_plan_versions", {**draft, "components": [{"code": "a", "kind": "draw", "amount": 1}]}
    )

    async def only(path: str, verb: str, who: str = "ada", json: Any = None) -> None:
        before = await paid.must(who, "GET", f"/v1/{path}")
        stale = {"if-match": f'"{before["version"] + 1}"'}
        assert await paid.refused(who, f"{path}:{verb}", json, **stale) == (412, "version_conflict"), verb
        assert await paid.must(who, "GET", f"/v1/{path}") == before
        await paid.act(who, f"{path}:{verb}", json, **{"if-match": f'"{before["version"]}"'})

    await only("comp_plan_versions/x:draft", "publish")
    await only(f"comp_periods/x:{PERIOD}", "calculate")
    own = f"statements/{paid.ids['of-r1']}"
    await only(own, "dispute", "r1", WHY)
    await only(own, "resolve", "bea", SO)
    await only(own, "approve", "bea")
    await only(f"comp_periods/x:{PERIOD}", "approve")
    await only(f"comp_periods/x:{PERIOD}", "close")
    [payout] = (await paid.must("ada", "GET", "/v1/payouts?rep_id=x:r1"))["data"]
    await only(f"payouts/{payout['id']}", "pay")
    await only(f"comp_periods/x:{PERIOD}", "reopen")
