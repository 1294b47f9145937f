"""Relief of a quota: who asks and who decides, and what is left of the quota by its working days."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.areas import METRIC_CATALOGUE
from app.ground.database.session import Database
from app.ground.errors import Conflict, Forbidden, Invalid, NotFound
from tests.language.metrics.world import World, new_world
from tests.sales.conftest import Firm

D = Decimal
LEAVE: dict[str, Any] = {
    "rep_id": "crm:r1", "starts_on": "2026-03-09", "ends_on": "2026-03-16", "reason": "leave", "share": 1,
}  # fmt: skip


async def rep(firm: Firm, name: str) -> Any:
    return (await firm.get("reps", f"crm:{name}"))["id"]


async def acting(firm: Firm, role: str, name: str) -> Firm:
    return firm.acting(role, UUID(await rep(firm, name)))


# --- who decides ------------------------------------------------------------------------------------------------------


async def test_a_rep_asks_and_the_manager_above_approves(firm: Firm, settled: Any) -> None:
    ann, boss = await acting(firm, "rep", "r1"), await acting(firm, "manager", "m")
    asked = (await ann.create("quota_reliefs", LEAVE)).id
    assert (await ann.get("quota_reliefs", asked))["state"] == "requested"
    before = datetime.now(UTC)
    await boss.act("quota_reliefs", "approve", asked)
    found = await ann.get("quota_reliefs", asked)
    assert (found["state"], found["decided_by_id"]) == ("approved", await rep(firm, "m"))
    assert datetime.fromisoformat(found["decided_at"]) >= before
    with pytest.raises(Conflict) as again:
        await boss.act("quota_reliefs", "approve", asked)
    assert again.value.code == "already_approved"
    await boss.act("quota_reliefs", "reject", asked)
    rejected = await ann.get("quota_reliefs", asked)
    assert rejected["state"] == "rejected"
    assert rejected["decided_at"] > found["decided_at"]
    told = [type_ for type_, id_ in await firm.told(settled) if str(id_) == str(asked)]
    assert told == ["quota_relief.created", "quota_relief.approved", "quota_relief.rejected"]


async def test_nobody_else_decides(firm: Firm) -> None:
    asked = (await firm.create("quota_reliefs", LEAVE)).id
    for role, name in (("rep", "r1"), ("manager", "r1"), ("integration", "m")):
        other = await acting(firm, role, name)
        for verb in ("approve", "reject"):
            with pytest.raises(Forbidden) as refused:
                await other.act("quota_reliefs", verb, asked)
            assert refused.value.code == "not_yours_to_decide", (role, name)
        with pytest.raises(Invalid) as told:
            await other.patch("quota_reliefs", asked, {"state": "approved"})
        assert told.value.code == "not_yours_to_decide"
        [receipt] = await other.put("quota_reliefs", [
            {"external_id": "x", **LEAVE, "history": [{"at": "2026-01-01", "state": "approved"}]}
        ])  # fmt: skip
        assert [x.code for x in receipt.errors] == ["not_yours_to_decide"], "not by telling a past either"
    with pytest.raises(NotFound):
        await (await acting(firm, "manager", "r2")).act("quota_reliefs", "approve", asked)
    with pytest.raises(Forbidden):
        await (await acting(firm, "admin", "r1")).act("quota_reliefs", "approve", asked)
    assert (await firm.get("quota_reliefs", asked))["state"] == "requested"


async def test_a_manager_asks_for_his_own_and_cannot_grant_it(firm: Firm) -> None:
    boss = await acting(firm, "manager", "m")
    own = (await boss.create("quota_reliefs", {**LEAVE, "rep_id": "crm:m"})).id
    with pytest.raises(Forbidden):
        await boss.act("quota_reliefs", "approve", own)
    with pytest.raises(Invalid):
        await boss.create("quota_reliefs", {**LEAVE, "rep_id": "crm:m", "state": "approved"})
    await firm.act("quota_reliefs", "approve", own)
    assert (await firm.get("quota_reliefs", own))["decided_by_id"] is None, "an admin who is no rep"


@pytest.mark.parametrize("change", [{"share": 0.5}, {"ends_on": "2026-03-20"}, {"share": None, "amount": 10}])
async def test_what_was_approved_is_asked_for_anew_once_it_changes(
    firm: Firm, change: dict[str, Any]
) -> None:
    ann = await acting(firm, "rep", "r1")
    asked = (await ann.create("quota_reliefs", LEAVE)).id
    await firm.act("quota_reliefs", "approve", asked)
    await ann.patch("quota_reliefs", asked, {"note": "Parental leave"})
    assert (await firm.get("quota_reliefs", asked))["state"] == "approved"
    await ann.patch("quota_reliefs", asked, change)
    found = await firm.get("quota_reliefs", asked)
    assert (found["state"], found["decided_at"], found["decided_by_id"]) == ("requested", None, None)


async def test_who_decided_is_who_wrote(firm: Firm) -> None:
    boss = await acting(firm, "manager", "m")
    made = (await boss.create("quota_reliefs", {**LEAVE, "state": "approved", "decided_by_id": "crm:r2"})).id
    assert (await firm.get("quota_reliefs", made))["decided_by_id"] == await rep(firm, "m")
    await boss.patch("quota_reliefs", made, {"decided_by_id": "crm:r2"})
    assert (await firm.get("quota_reliefs", made))["decided_by_id"] == await rep(firm, "m")


async def test_a_sync_that_tells_the_same_leaves_the_decision(firm: Firm) -> None:
    sync = firm.acting("integration")
    row = {"external_id": "x", **LEAVE}
    await sync.taken("quota_reliefs", row)
    await (await acting(firm, "manager", "m")).act("quota_reliefs", "approve", "crm:x")
    [receipt] = await sync.taken("quota_reliefs", {**row, "state": "approved"})
    assert receipt.outcome == "unchanged"
    assert (await firm.get("quota_reliefs", "crm:x"))["decided_by_id"] == await rep(firm, "m")


async def test_a_decision_is_dated_and_the_past_keeps_it(firm: Firm) -> None:
    await firm.taken("quota_reliefs", {"external_id": "x", **LEAVE})
    known = datetime.now(UTC)
    await firm.act("quota_reliefs", "approve", "crm:x", {"at": "2026-02-27"})
    for moment, state in (("2026-02-26T12:00:00Z", "requested"), ("2026-02-28T12:00:00Z", "approved")):
        then = await firm.get("quota_reliefs", "crm:x", as_of=datetime.fromisoformat(moment))
        assert then["state"] == state
    assert (await firm.get("quota_reliefs", "crm:x"))["decided_at"].startswith("2026-02-27")
    earlier = await firm.get(
        "quota_reliefs", "crm:x", as_of=datetime(2026, 2, 28, 12, tzinfo=UTC), known_at=known
    )
    assert earlier["state"] == "requested", "as was known then"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"share": None}, "one_measure"), ({"amount": 5}, "one_measure"), ({"share": 1.5}, "too_large"),
        ({"share": None, "amount": -1}, "too_small"), ({"reason": "mood"}, "not_in_list"),
        ({"ends_on": "2026-03-09"}, "ends_before_start"),
    ],
)  # fmt: skip
async def test_what_is_no_relief_is_refused(firm: Firm, change: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        await firm.create("quota_reliefs", {**LEAVE, **change})
    assert refused.value.errors[0].code == code


# --- what it is of ----------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module")
async def world(owner_url: str, database: Database) -> AsyncIterator[World]:
    """Ann and Bob have quotas of March 2026, 22 working days by the usual calendar; Bob has Mondays and Tuesdays only.
    Cleo has one of the quarter."""
    world = await new_world(owner_url, database)
    await world.put(
        "working_calendars",
        {"external_id": "usual", "name": "Usual", "is_default": True},
        {
            "external_id": "half",
            "name": "Half",
            **{f"{d}_hours": 0 for d in ("wednesday", "thursday", "friday")},
        },
    )
    await world.put("reps", {"external_id": "boss", "name": "Boss"})
    await world.put("reps", *(
        {"external_id": name.lower(), "name": name, "manager_id": "t:boss", **more}
        for name, more in {"Ann": {}, "Bob": {"working_calendar_id": "t:half"}, "Cleo": {}}.items()
    ))  # fmt: skip
    await world.put(
        "quotas",
        {"external_id": "ann", "rep_id": "t:ann", "period": "2026-03", "amount": 88_000},
        {"external_id": "bob", "rep_id": "t:bob", "period": "2026-03", "amount": 100_000},
        {"external_id": "cleo", "rep_id": "t:cleo", "period": "2026-Q1", "amount": 90_000,
         "versions": [{"effective_from": "2026-02-15", "amount": 180_000}]},
        {"external_id": "boss", "rep_id": "t:boss", "period": "2026-03", "amount": 1},
    )  # fmt: skip
    week = {
        "reason": "leave",
        "share": 1,
        "starts_on": "2026-03-09",
        "ends_on": "2026-03-14",
        "state": "approved",
    }
    await world.put(
        "quota_reliefs",
        {"external_id": "1", "rep_id": "t:ann", **week,
         "history": [{"at": "2026-01-01", "state": "requested"}, {"at": "2026-03-20", "state": "approved"}]},
        {"external_id": "2", "rep_id": "t:ann", **week, "state": "requested"},
        {"external_id": "3", "rep_id": "t:ann", **week, "state": "rejected"},
        {"external_id": "4", "rep_id": "t:bob", **week, "share": 0.5},
        {"external_id": "5", "rep_id": "t:bob", **week, "share": None, "amount": 700, "reason": "territory_change",
         "starts_on": "2026-02-23", "ends_on": "2026-03-09"},
        {"external_id": "6", "rep_id": "t:bob", **week, "metric": "won_deals"},
        {"external_id": "7", "rep_id": "t:boss", **week},
        {"external_id": "8", "rep_id": "t:cleo", **week, "share": None, "amount": 5, "currency": "JPY"},
    )  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    deal = {"stage_id": "t:won", "opened_at": "2026-01-02", "closed_at": "2026-03-02"}
    await world.put(
        "opportunities",
        {"external_id": "1", "name": "1", "owner_id": "t:ann", "amount": 34_000, **deal},
        {"external_id": "2", "name": "2", "owner_id": "t:cleo", "amount": 33_000, **deal},
    )
    yield world


MARCH: dict[str, Any] = {"period": "2026-03"}


async def test_a_share_is_of_the_working_days(world: World) -> None:
    row = await world.one("quota_relief", **MARCH, filters={"rep": "Ann"})
    assert (row["numerator"], row["denominator"]) == (20_000, 88_000), "5 of 22 days"
    assert row["value"] == D(20_000) / 88_000
    assert (row["n"], row["excluded"]) == (1, {"requested": 1, "rejected": 1})
    assert row["beside"] == {"after_relief": 68_000}
    assert "20,000" in METRIC_CATALOGUE.by_name["quota_relief"].example


async def test_each_rep_has_a_calendar_and_an_amount_has_days_of_its_own(world: World) -> None:
    """Of Bob's ten days two lie in the half week, and of the amount's four working days two in March."""
    row = await world.one("quota_relief", **MARCH, filters={"rep": "Bob"})
    assert row["numerator"] == D("0.5") * 2 * 100_000 / 10 + D(700) / 2
    assert row["n"] == 2, "another metric's is none of this quota"


async def test_it_stands_beside_the_quota_and_the_attainment(world: World) -> None:
    quota = await world.one("quota", **MARCH, filters={"rep": "Ann"})
    assert quota["value"] == 88_000
    assert (quota["beside"]["relief"], quota["beside"]["after_relief"]) == (20_000, 68_000)
    assert quota["excluded"] == {}, "what relief leaves out is not left out of the quota"
    attained = await world.one("quota_attainment", **MARCH, filters={"rep": "Ann"})
    assert attained["value"] == D(34_000) / 88_000
    assert attained["beside"]["after_relief"] == D("0.5")
    cleo = await world.one("quota", **MARCH, filters={"rep": "Cleo"})
    assert (cleo["value"], cleo["beside"]["relief"], cleo["beside"]["after_relief"]) == (62_000, None, None)
    nobody = await world.one("quota", period="2026-05")
    assert (nobody["value"], nobody["beside"]["after_relief"]) == (None, None)


async def test_a_quota_that_does_not_count_relieves_nobody(world: World) -> None:
    row = await world.one("quota_relief", **MARCH, by=["manager"], filters={"rep": "Boss"})
    assert (row["value"], row["null_reason"], row["excluded"]) == (None, "no_quota", {"assigned": 2})


async def test_what_has_no_rate_is_no_relief(world: World) -> None:
    row = await world.one("quota_relief", **MARCH, filters={"rep": "Cleo"})
    assert (row["value"], row["null_reason"], row["excluded"]) == (None, "missing_fx", {"missing_fx": 1})


async def test_before_it_was_approved_it_did_not_count(world: World) -> None:
    asked: dict[str, Any] = {**MARCH, "filters": {"rep": "Ann"}}
    for moment, value in (("2026-03-19T12:00:00Z", 0), ("2026-03-21T12:00:00Z", D(20_000) / 88_000)):
        assert await world.value("quota_relief", **asked, as_of=moment) == value


async def test_a_part_of_the_period_is_of_its_own_days(world: World) -> None:
    """The quota of a week is 7 of 31 days, of which the five that are worked are all relieved."""
    week = await world.one("quota_relief", period="2026-03-09/2026-03-16", filters={"rep": "Ann"})
    assert (week["value"], week["beside"]["after_relief"]) == (1, 0)
    assert (await world.one("quota_attainment", period="2026-03-09/2026-03-16", filters={"rep": "Ann"}))[
        "beside"
    ]["after_relief"] is None, "nothing is left of the quota"
    weekend = await world.one("quota_relief", period="2026-03-07/2026-03-09", filters={"rep": "Ann"})
    assert weekend["value"] == 0


async def test_each_row_of_it_is_explained(world: World) -> None:
    found = await world.contributions("quota_relief", page=2, **MARCH, by=["manager"])
    counted = [c for c in found if "relief" in c.parts]
    assert sorted(c.parts["relief"] for c in counted) == [350, 10_000, 20_000]
    assert {c.row["noun"] for c in counted} == {"quota_reliefs"}
    assert sorted(c.reason for c in found if c.reason) == [
        "assigned",
        "assigned",
        "missing_fx",
        "rejected",
        "requested",
    ]


# --- how far the period is --------------------------------------------------------------------------------------------


async def test_what_is_due_follows_the_working_days(world: World) -> None:
    """On the morning of Tuesday the 10th seven of Ann's 22 days have begun, four of Bob's ten."""
    asked: dict[str, Any] = {**MARCH, "as_of": "2026-03-10T09:00:00Z"}
    ann = await world.one("quota_attainment_to_date", **asked, filters={"rep": "Ann"})
    assert (ann["numerator"], ann["denominator"]) == (34_000, 28_000)
    bob = await world.one("quota_attainment_to_date", **asked, filters={"rep": "Bob"})
    assert bob["denominator"] == 40_000
    sunday = await world.one("quota_attainment_to_date", **{**MARCH, "as_of": "2026-03-01T09:00:00Z"})
    assert (sunday["value"], sunday["null_reason"]) == (None, "not_begun"), "no day of work has begun"
    for metric in ("quota_attainment_to_date", "pacing"):
        assert await world.value(metric, **MARCH) == await world.value("quota_attainment", **MARCH), (
            "it is over"
        )
        assert (await world.one(metric, period="2026-05"))["null_reason"] == "no_quota"
        early = await world.one(metric, **MARCH, as_of="2026-02-24")
        assert (early["value"], early["null_reason"]) == (None, "not_begun")


async def test_pacing_is_by_days_and_not_by_what_they_expect(world: World) -> None:
    """Of Cleo's quarter, 32 + 32 working days, all of the first amount's and 12 of the second's have begun."""
    row = await world.one("pacing", period="2026-Q1", as_of="2026-03-03T12:00:00Z", filters={"rep": "Cleo"})
    elapsed = (45 + 45 * D(12) / 32) / 90
    assert row["beside"] == {"elapsed": elapsed}
    assert row["denominator"] == 135_000
    assert row["numerator"] == pytest.approx(33_000 / elapsed)
    assert row["value"] == pytest.approx(33_000 / elapsed / 135_000)
    due = await world.one(
        "quota_attainment_to_date", period="2026-Q1", as_of="2026-03-03T12:00:00Z", filters={"rep": "Cleo"}
    )
    assert due["denominator"] == 45_000 + 90_000 * D(12) / 32


async def test_pacing_by_the_example(owner_url: str, database: Database) -> None:
    """60 working days: without a calendar, of a quarter's 90 days 30 are as far as 20 of 60."""
    world = await new_world(owner_url, database)
    await world.put("reps", {"external_id": "ann", "name": "Ann"})
    await world.put(
        "quotas",
        {"external_id": "q", "rep_id": "t:ann", "period": "2026-Q1", "amount": 90_000,
         "versions": [{"effective_from": "2026-02-15", "amount": 180_000}]},
    )  # fmt: skip
    await world.put("pipelines", {"external_id": "p", "name": "P", "is_default": True})
    await world.put("stages", {"external_id": "won", "name": "won", "pipeline_id": "t:p", "category": "won"})
    await world.put("opportunities", {
        "external_id": "1", "name": "1", "owner_id": "t:ann", "amount": 33_000, "stage_id": "t:won",
        "opened_at": "2026-01-02", "closed_at": "2026-01-20",
    })  # fmt: skip
    row = await world.one("pacing", period="2026-Q1", as_of="2026-01-30T12:00:00Z")
    assert (row["numerator"], row["denominator"]) == (99_000, 135_000)
    assert row["value"] == D(99) / 135
