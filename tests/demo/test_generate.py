"""What the generated rows promise, whatever the seed."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise

import pytest

from app.demo.calendar import FIRST_DAY, NOW, TODAY
from app.demo.generate import Demo, generate

SMALL = {"opportunities": 2_000, "accounts": 150, "internal_activities": 300}


@pytest.fixture(scope="module", params=["attain", "another"])
def demo(request: pytest.FixtureRequest) -> Demo:
    return generate(request.param, **SMALL)


def moments(row: dict, name: str) -> list[datetime]:
    return [datetime.fromisoformat(point[name]) for point in row["history"]]


def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    assert generate("attain", **SMALL) == generate("attain", **SMALL)
    assert generate("attain", **SMALL) != generate("another", **SMALL)


def test_forty_reps_in_four_levels_without_a_person_s_name(demo: Demo) -> None:
    reps = {f"demo:{row['external_id']}": row for row in demo["reps"]}
    assert len(reps) == 40

    def level(rep: str | None) -> int:
        return 0 if rep is None else 1 + level(reps[rep]["manager_id"])

    assert [sum(level(rep) == depth for rep in reps) for depth in (1, 2, 3, 4)] == [1, 3, 6, 30]
    assert all(re.fullmatch(r"Rep \d\d", row["name"]) for row in reps.values())


def test_every_reference_is_written_before_it_is_used(demo: Demo) -> None:
    known: set[str] = set()
    for _, rows in demo.steps:
        for row in rows:
            text = str({name: value for name, value in row.items() if name != "external_id"})
            assert set(re.findall(r"demo:[a-z0-9-]+", text)) <= known, row
        known |= {f"demo:{row['external_id']}" for row in rows}


def test_nothing_has_happened_from_today_on_and_nothing_closed_before_the_two_years(demo: Demo) -> None:
    for row in demo["opportunities"]:
        points = moments(row, "at")
        assert points[0] == datetime.fromisoformat(row["opened_at"])
        assert all(earlier < later for earlier, later in pairwise(points))
        assert points[-1] < NOW
        for at, point in zip(points, row["history"], strict=True):
            if point.get("stage_id", "").endswith(("-won", "-lost", "-abandoned")):
                assert at.date() >= FIRST_DAY
    for row in demo["activities"]:
        happened = row.get("occurred_at")
        assert row["done"] == (happened is not None)
        assert happened is None or datetime.fromisoformat(happened) < NOW
        assert happened is not None or datetime.fromisoformat(row["due_at"]).date() >= TODAY


def test_a_row_is_what_its_history_adds_up_to(demo: Demo) -> None:
    for row in demo["opportunities"]:
        state: dict = {}
        for point in row["history"]:
            assert any(state.get(name) != value for name, value in point.items() if name != "at"), row
            state |= point
        assert (
            state.items() - {"at": state["at"]}.items()
            <= {name: value for name, value in row.items() if not isinstance(value, list)}.items()
        )


def test_it_has_something_of_everything(demo: Demo) -> None:
    deals = demo["opportunities"]

    def stages(row: dict) -> list[str]:
        return [point["stage_id"].rpartition("-")[2] for point in row["history"] if "stage_id" in point]

    def reopened(row: dict) -> bool:
        return any(
            a in ("won", "lost") and b not in ("won", "lost", "abandoned") for a, b in pairwise(stages(row))
        )

    assert {row["currency"] for row in deals} == {"USD", "EUR", "GBP"}
    assert {stages(row)[-1] for row in deals} >= {"won", "lost", "abandoned", "qualification", "trial"}
    assert any(reopened(row) for row in deals)
    assert any("owner_id" in point for row in deals for point in row["history"][1:])
    kinds = {split["kind"] for row in deals for split in row.get("splits", ())}
    assert kinds == {"revenue", "overlay"}
    for row in deals:
        shares = [x["share"] for x in row.get("splits", ()) if x["kind"] == "revenue"]
        assert not shares or round(sum(shares), 9) == 1
    assert any("versions" in row for row in demo["quotas"])
    assert any("team_id" in row for row in demo["quotas"])
    assert sum("history" in row for row in demo["reps"]) == 3
