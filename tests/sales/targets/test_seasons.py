"""What a quota may say of its seasons, its ramp and the number that it is for."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.ground.errors import Invalid
from app.ground.fiscal import Calendar, Rule
from app.sales.targets.seasons import parts
from tests.sales.conftest import Firm

QUARTER: dict[str, Any] = {"rep_id": "crm:r1", "period": "2026-Q1", "amount": 100}
WEEKS = Calendar.of(Rule(pattern="weeks_4_4_5", start_month=2))


async def test_weights_are_for_months_or_quarters(firm: Firm) -> None:
    made = await firm.create("quotas", {**QUARTER, "seasonality": [1, 1.5, 0]})
    found = await firm.get("quotas", made.id)
    assert found["seasonality"] == [1, 1.5, 0]
    assert found["seasons"] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    await firm.patch("quotas", made.id, {"period": "2026", "seasonality": [1, 2, 3, 4]})
    found = await firm.get("quotas", made.id)
    assert found["seasons"] == ["2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01"]
    await firm.patch("quotas", made.id, {"seasonality": None})
    found = await firm.get("quotas", made.id)
    assert (found["seasonality"], found["seasons"]) == (None, None)


async def test_the_same_told_again_changes_nothing(firm: Firm) -> None:
    row = {"external_id": "q", **QUARTER, "seasonality": [1.0, 0.25, 2]}
    await firm.taken("quotas", row)
    [receipt] = await firm.put("quotas", [row])
    assert receipt.outcome == "unchanged"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"seasonality": [1, 1]}, "seasons_misfit"),
        ({"seasonality": [1] * 12}, "seasons_misfit"),
        ({"period": "2026", "seasonality": [1, 1, 1]}, "seasons_misfit"),
        ({"period": "2026-03", "seasonality": [1]}, "seasons_misfit"),
        ({"seasonality": [0, 0, 0]}, "no_weight"),
        ({"seasonality": [1, -1, 1]}, "too_small"),
        ({"seasonality": [1, 5_001, 1]}, "too_large"),
        ({"seasonality": [1, 1.23456, 1]}, "number_digits"),
        ({"seasonality": ["much", 1, 1]}, "not_a_number"),
        ({"metric": "won_deal"}, "unknown_metric"),
        ({"metric": "win_rate"}, "unknown_metric"),
    ],
)  # fmt: skip
async def test_what_is_no_quota_is_refused(firm: Firm, change: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        await firm.create("quotas", {**QUARTER, **change})
    assert refused.value.errors[0].code == code


async def test_a_patch_is_judged_by_what_it_makes(firm: Firm) -> None:
    made = await firm.create("quotas", {**QUARTER, "seasonality": [1, 2, 3]})
    with pytest.raises(Invalid) as refused:
        await firm.patch("quotas", made.id, {"period": "2026"})
    assert refused.value.errors[0].code == "seasons_misfit"
    told = {"external_id": "x", **QUARTER, "history": [{"at": "2026-01-01", "seasonality": [1, 2]}]}
    [receipt] = await firm.put("quotas", [told])
    assert [x.code for x in receipt.errors] == ["seasons_misfit"], "not by telling a past either"


async def test_only_a_reps_quota_ramps(firm: Firm) -> None:
    await firm.taken("ramp_schedules", {"external_id": "three", "name": "Three", "months": [0.25, 0.5, 0.75]})
    await firm.taken("teams", {"external_id": "red", "name": "Red"})
    made = await firm.create("quotas", {**QUARTER, "ramp_schedule_id": "crm:three"})
    found = await firm.get("quotas", made.id, "ramp_schedule")
    assert found["ramp_schedule"]["months"] == [0.25, 0.5, 0.75]
    with pytest.raises(Invalid) as refused:
        await firm.create(
            "quotas", {**QUARTER, "rep_id": None, "team_id": "crm:red", "ramp_schedule_id": "crm:three"}
        )
    assert refused.value.errors[0].code == "ramp_of_a_rep"
    for months, code in (([], "required"), ([1.5], "too_large"), ([0.5] * 37, "too_long")):
        with pytest.raises(Invalid) as refused:
            await firm.create("ramp_schedules", {"name": "No", "months": months})
        assert refused.value.errors[0].code == code


def test_fiscal_parts_are_fiscal_and_calendar_parts_calendar() -> None:
    year = WEEKS.unit("fiscal_year", date(2026, 6, 1))
    assert year is not None
    starts = [p.starts_on for p in Rule(pattern="weeks_4_4_5", start_month=2).year(2027)]
    assert parts(year, 12, WEEKS) == starts
    assert parts(year, 4, WEEKS) == starts[::3]
    assert parts(year, 6, WEEKS) is None
    assert parts((date(2026, 1, 1), date(2026, 4, 1)), 3, WEEKS) == [date(2026, n, 1) for n in (1, 2, 3)]
