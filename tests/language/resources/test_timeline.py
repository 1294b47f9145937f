"""A record's past: what folds from points, and what stays true of it while anything at all is written."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.areas import CATALOGUE
from app.ground.errors import AttainError, NotFound
from app.language.resources import read, write
from app.language.resources.batch import Point, Version
from app.language.resources.resource import Resource
from app.language.resources.shape import full
from app.language.resources.timeline import fold, points_of
from app.sales.pipeline import progress
from tests.language.resources.test_write import deal, seed

# -- pure -------------------------------------------------------------------------------------------------------------

STAGES: Mapping[Any, Mapping[str, Any]] = {
    name: {"category": category, "pipeline_id": "p"}
    for name, category in (
        ("s1", "open"),
        ("s2", "open"),
        ("won", "won"),
        ("lost", "lost"),
        ("gone", "abandoned"),
    )
}
TOLD = ("stage_id", "owner_id", "amount", "expected_close_on", "closed_at", "name")
DERIVED = ("category", "pipeline_id", "stage_entered_at", "push_count", "credited_owner_id")
COLUMNS = (*TOLD, *DERIVED)
START = datetime(2026, 1, 1, tzinfo=UTC)


def advance(before: Mapping[str, Any] | None, after: dict[str, Any], at: datetime) -> None:
    if before is None:
        after["category"] = after["category"] or "open"
        after["push_count"] = after["push_count"] or 0
    progress.advance(before, after, at, STAGES)


changes = st.fixed_dictionaries(
    {},
    optional={
        "stage_id": st.sampled_from(sorted(STAGES)),
        "owner_id": st.sampled_from(["a", "b", None]),
        "amount": st.integers(0, 3),
        "expected_close_on": st.sampled_from([None, *(START.date() + timedelta(days=x) for x in (1, 5, 9))]),
        "name": st.sampled_from(["x", "y"]),
    },
)
hours = st.integers(0, 30).map(lambda x: START + timedelta(hours=x))
points = st.lists(st.builds(Point, hours, changes, st.booleans()), min_size=1, max_size=12)
once_each = st.lists(
    st.builds(Point, hours, changes, st.booleans()), min_size=1, max_size=12, unique_by=lambda point: point.at
)


def folded(told: Sequence[Point]) -> list[Version]:
    return fold(told, COLUMNS, advance)


@given(once_each, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_the_order_of_arrival_does_not_matter(told: list[Point], chance: random.Random) -> None:
    shuffled = list(told)
    chance.shuffle(shuffled)
    assert folded(shuffled) == folded(told)


@given(points)
@settings(max_examples=200, deadline=None)
def test_versions_follow_one_another_without_gap_or_overlap(told: list[Point]) -> None:
    versions = folded(told)
    assert versions[0].valid_from == min(x.at for x in told)
    assert versions[-1].valid_to is None
    for earlier, later in itertools.pairwise(versions):
        assert earlier.valid_to == later.valid_from
        assert earlier.valid_from < later.valid_from
        assert earlier.values != later.values
    assert {x.valid_from for x in versions} <= {x.at for x in told}


@given(points)
@settings(max_examples=200, deadline=None)
def test_what_was_told_before_changes_nothing(told: list[Point]) -> None:
    assert folded([*told, *told]) == folded(told)


@given(points)
@settings(max_examples=200, deadline=None)
def test_versions_fold_from_the_points_taken_from_them(told: list[Point]) -> None:
    versions = folded(told)
    assert folded(points_of(versions, TOLD)) == versions


@given(points)
@settings(max_examples=200, deadline=None)
def test_what_was_told_last_of_a_field_is_how_it_stands(told: list[Point]) -> None:
    last = folded(told)[-1].values
    state: dict[str, Any] = {}
    for point in sorted(told, key=lambda x: x.at):
        state |= point.changes
    assert {name: last[name] for name in state} == state


@given(points)
@settings(max_examples=200, deadline=None)
def test_a_deal_is_closed_credited_and_pushed_as_its_stages_say(told: list[Point]) -> None:
    before: dict[str, Any] | None = None
    for version in folded(told):
        now = version.values
        stage = STAGES.get(now["stage_id"])
        if stage:
            assert now["category"] == stage["category"]
        if now["category"] == "open":
            assert (now["closed_at"], now["credited_owner_id"]) == (None, None)
        elif before is not None and before["category"] == "open":
            assert now["closed_at"] is not None
        if before is not None:
            assert now["push_count"] - before["push_count"] in (0, 1)
            if now["stage_id"] == before["stage_id"]:
                assert now["stage_entered_at"] == before["stage_entered_at"]
                assert now["closed_at"] == before["closed_at"]
                assert now["credited_owner_id"] == before["credited_owner_id"]
            else:
                assert now["stage_entered_at"] == version.valid_from
            if before["category"] != "open" and now["category"] == before["category"]:
                assert now["credited_owner_id"] == before["credited_owner_id"], (
                    "a closed deal keeps its credit"
                )
        before = now


# -- in the database --------------------------------------------------------------------------------------------------

DEALS, REPS = CATALOGUE["opportunities"], CATALOGUE["reps"]
EXPAND = {"opportunities": ("line_items", "splits", "team"), "reps": ()}
NOT_HISTORY = {"version", "updated_at", "deleted_at", "days_in_stage"}
"""What history does not repeat, and what runs on with the clock."""

_OVERLAPS = """
select count(*) from (
    select valid_from, lag(valid_to) over (partition by record_id order by valid_from) as ended
    from {0}_history where tenant_id = $1 and superseded_at = 'infinity'
) x where ended > valid_from
"""
_EMPTY = """
select count(*) from {0}_history where tenant_id = $1 and (valid_from >= valid_to or recorded_at >= superseded_at)
"""


class Story:
    """Random writes of a few records, and what was read after each of them."""

    def __init__(self, database: Any, principal: Any, number: int) -> None:
        self.database = database
        self.principal = principal
        self.random = random.Random(number)
        self.begin = datetime.now(UTC) - timedelta(days=60)
        self.seen: list[tuple[Resource, str, datetime, dict[str, Any] | None]] = []
        self.told: list[str] = []

    def day(self) -> str:
        return (
            self.begin + timedelta(days=self.random.randrange(58), hours=self.random.randrange(24))
        ).isoformat()

    def stage(self) -> str:
        return "crm:" + self.random.choice(("s1", "s2", "won", "lost"))

    def rep(self) -> str:
        return f"crm:r{self.random.randrange(3)}"

    def row(self, key: str) -> dict[str, Any]:
        chance = self.random
        some = deal(0, external_id=key, opened_at=self.day())
        more: dict[str, Any] = {
            "stage_id": self.stage(), "amount": chance.randrange(5), "owner_id": self.rep(), "closed_at": self.day(),
            "expected_close_on": self.day()[:10], "name": chance.choice(("A", "B")), "opened_at": self.day(),
            "line_items": some["line_items"] * chance.randrange(2), "splits": some["splits"] * chance.randrange(2),
            "team": [], "history": [self.point() for _ in range(chance.randrange(4))],
        }  # fmt: skip
        chosen = {k: v for k, v in more.items() if chance.random() < 0.4}
        return {"external_id": key, **({"name": "A", "stage_id": "crm:s1"} | chosen)}

    def point(self) -> dict[str, Any]:
        fields = {"stage_id": self.stage(), "amount": self.random.randrange(5), "owner_id": self.rep()}
        return {"at": self.day(), **{k: v for k, v in fields.items() if self.random.random() < 0.6}}

    async def write(self, session: Any, noun: Resource, key: str) -> None:
        chance = self.random
        who = session, self.principal, CATALOGUE, noun
        reference = f"crm:{key}"
        if noun is REPS:
            match chance.choice(("patch", "assign", "assign", "upsert", "delete", "restore")):
                case "patch":
                    patch = {"title": chance.choice("ab"), "team_id": chance.choice([None, "crm:t1"])}
                    await write.update(*who, reference, patch)
                case "assign":
                    data = {
                        "manager_id": chance.choice([None, "crm:m"]),
                        "at": chance.choice([None, self.day()]),
                    }
                    await write.act(*who, REPS.actions_by_name["reassign_manager"], reference, data)
                case "upsert":
                    points = [
                        {"at": self.day(), "manager_id": chance.choice([None, "crm:m"])} for _ in range(2)
                    ]
                    row = {"external_id": key, "title": chance.choice("ab"), "history": points}
                    await write.upsert(*who, "crm", [row])
                case "delete":
                    await write.delete(*who, reference)
                case _:
                    await write.restore(*who, reference)
            return
        verbs = ("patch", "move", "close_won", "close_lost", "reopen", "reassign", "delete", "restore")
        match chance.choice(("upsert", "upsert", "upsert", *verbs)):
            case "upsert":
                await write.upsert(*who, "crm", [self.row(key)])
            case "patch":
                row = self.row(key)
                patch = {k: v for k, v in row.items() if k not in ("external_id", "history")}
                await write.update(*who, reference, patch)
            case "delete":
                await write.delete(*who, reference)
            case "restore":
                await write.restore(*who, reference)
            case verb:
                data: dict[str, Any] = {
                    "move": {"stage_id": self.stage()},
                    "close_won": {"closed_at": chance.choice([None, self.day()])},
                    "close_lost": {"closed_at": chance.choice([None, self.day()]), "loss_reason": "price"},
                    "reassign": {"owner_id": self.rep()},
                }.get(verb, {})
                await write.act(*who, DEALS.actions_by_name[verb], reference, data)

    async def step(self, noun: Resource, key: str) -> None:
        try:
            async with self.database.transaction(self.principal.tenant_id) as session:
                await self.write(session, noun, key)
        except AttainError as refusal:
            self.told.append(refusal.code)
        async with self.database.transaction(self.principal.tenant_id) as session:
            moment = await session.connection.fetchval("select clock_timestamp()")
            self.seen.append((noun, key, moment, await self.look(session, noun, key)))

    async def look(self, session: Any, noun: Resource, key: str, moment: datetime | None = None) -> Any:
        shape = full(CATALOGUE, noun, "admin", EXPAND[noun.plural])
        try:
            text = await read.one(
                session, self.principal, CATALOGUE, noun, f"crm:{key}", shape, as_of=moment, known_at=moment
            )
        except NotFound:
            return None
        row = orjson.loads(text)
        for name in EXPAND[noun.plural]:
            row[name].sort(key=lambda x: x["id"])
        return {name: value for name, value in row.items() if name not in NOT_HISTORY}


@pytest.mark.parametrize("number", range(12))
async def test_what_was_known_stays_known_whatever_is_written(
    database: Any, tenant: Any, number: int
) -> None:
    principal = tenant.principal()
    await seed(database, principal)
    story = Story(database, principal, number)
    for _ in range(30):
        noun, key = story.random.choice(((DEALS, "d1"), (DEALS, "d1"), (DEALS, "d2"), (REPS, "r0")))
        await story.step(noun, key)
        async with database.transaction(principal.tenant_id) as session:
            for table in ("opportunities", "reps", "opportunity_line_items", "opportunity_splits"):
                for rule in (_OVERLAPS, _EMPTY):
                    count = await session.connection.fetchval(rule.format(table), principal.tenant_id)
                    assert count == 0, (table, story.told)
            await _open_versions_are_current(session, principal)
    async with database.transaction(principal.tenant_id) as session:
        for index, (noun, key, moment, row) in enumerate(story.seen):
            then = await story.look(session, noun, key, moment)
            assert then == row, f"step {index} of story {number}: {key} at {moment}"
    assert len([row for _, _, _, row in story.seen if row]) > 5
    assert {"not_found"} >= {code for code in story.told if code in ("internal", "rule_broken")}


async def _open_versions_are_current(session: Any, principal: Any) -> None:
    for noun in (DEALS, REPS):
        assert noun.history is not None
        names = [name for name in noun.columns if name in noun.history.columns]
        now, then = (", ".join(f"{alias}.{name}" for name in names) for alias in ("t", "h"))
        astray = await session.connection.fetch(
            f"select t.id from {noun.table.name} t left join {noun.history.name} h on h.tenant_id = t.tenant_id "
            "and h.record_id = t.id and h.valid_to = 'infinity' and h.superseded_at = 'infinity' "
            "where t.tenant_id = $1 and (t.deleted_at is null) = (h.record_id is null or "
            f"({now}) is distinct from ({then}))",
            principal.tenant_id,
        )
        assert astray == [], noun.plural


async def test_a_verb_may_say_since_when(database: Any, tenant: Any) -> None:
    """The past is rewritten from there on, also over what was believed of the time between."""
    principal = tenant.principal()
    await seed(database, principal)
    assign = REPS.actions_by_name["reassign_manager"]

    async def manager(moment: datetime | None) -> str | None:
        async with database.transaction(principal.tenant_id) as session:
            shape = full(CATALOGUE, REPS, "admin", ["manager"])
            row = orjson.loads(
                await read.one(session, principal, CATALOGUE, REPS, "crm:r0", shape, as_of=moment)
            )
            return row["manager"]["name"] if row["manager"] else None

    async def since(to: str | None, at: str | None) -> str:
        async with database.transaction(principal.tenant_id) as session:
            data = {"manager_id": to, "at": at}
            return (await write.act(session, principal, CATALOGUE, REPS, assign, "crm:r0", data)).outcome

    days = [datetime(2026, 1, x, tzinfo=UTC) for x in (5, 15, 25)]
    assert await since(None, "2026-01-20") == "updated"
    assert [await manager(x) for x in (*days, None)] == ["Manager", "Manager", None, None]
    assert await since("crm:r1", "2026-01-10") == "updated"
    assert [await manager(x) for x in (*days, None)] == ["Manager", "Rep 1", "Rep 1", "Rep 1"]
    assert await since("crm:r1", "2026-01-10") == "unchanged"
    assert await since("crm:r1", "2026-01-01") == "updated", "it is so now, and was for longer than believed"
    assert [await manager(x) for x in (*days, None)] == ["Rep 1"] * 4
    with pytest.raises(NotFound) as refused:
        await since("crm:nobody", "2026-01-01")
    assert [x.pointer for x in refused.value.errors] == ["/manager_id"]
