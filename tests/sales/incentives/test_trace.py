"""A line explains itself: its amount comes out of its trace alone, by a script that knows nothing else."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from examples.recompute_pay import mismatches, read
from tests.sales.conftest import Firm
from tests.sales.incentives import test_plans
from tests.sales.incentives.conftest import Payroll
from tests.sales.incentives.lives import Life

SCRIPT = Path(__file__).parents[3] / "examples" / "recompute_pay.py"
CLASSIC = [x for name, x in vars(test_plans).items() if name.startswith("test_")]
_LINES = "select to_jsonb(l)::text as line from statement_lines l where l.tenant_id = $1"


async def _lines(who: Any) -> list[Any]:
    """As JSON tells them."""
    return [read(x["line"]) for x in await who.fetch(_LINES)]


@pytest.mark.parametrize("plan", CLASSIC, ids=lambda x: x.__name__.removeprefix("test_"))
async def test_each_classic_plan(payroll: Payroll, plan: Any) -> None:
    await plan(payroll)
    lines = await _lines(payroll)
    assert lines
    assert [*mismatches(lines)] == []


FORMULAS = (
    "if(attainment >= 1, amount * 0.1 * min(attainment, 1.5), amount * 7%)",
    "round(amount / 3, 2) + amount * 0.01 - coalesce(margin, 5)",
    "if(type in ('renewal', \"expansion\") and not term_months > 12, 100, if(type = 'other' or share < 0.5, 2, 1))",
    "days_between(date('2026-01-01'), closed_on) * 1.5 * amount / max(share, 100)",
    "-amount * variable_share + on_target_earnings * 0.001 - (target - credited) * 0.0001",
)
BONUSES = (
    "if(count(amount) >= 2, sum(amount) * 0.01, 3)",
    "max(amount) - min(amount) + avg(amount) * 0 + median(amount) * 0.01 + sum(amount * 2) + (sum(amount*2))",
    "if(attainment < 0.5, target * variable_share, on_target_earnings)",
)


async def test_formulas(payroll: Payroll) -> None:
    """Each word of the language, read by the script's own reader."""
    parts = [{"code": f"c{i}", "kind": "commission", "formula": x} for i, x in enumerate(FORMULAS)]
    parts += [{"code": f"b{i}", "kind": "bonus", "formula": x} for i, x in enumerate(BONUSES)]
    await payroll.plan(*parts, target=50_000, on_target_earnings=90_000, variable_share=0.4)
    await payroll.win("a", 12_345.67, "2026-01-10", type="new_business", term_months=24)
    await payroll.win("b", 777.77, "2026-02-10", type="renewal", term_months=12)
    await payroll.win("c", 99.9, "2026-03-10", type="expansion",
                      splits=[{"rep_id": "crm:r1", "share": 0.3}, {"rep_id": "crm:r2", "share": 0.7}])  # fmt: skip
    await payroll.calculate()
    lines = await _lines(payroll)
    assert len(lines) == 3 * len(FORMULAS) + len(BONUSES)
    assert [*mismatches(lines)] == []
    assert sum(x["amount"] != 0 for x in lines) > len(lines) / 2


async def test_a_life(make_tenant: Any, database: Any) -> None:
    """With adjustments of closed periods, periods opened again, draws, caps, holds and three currencies."""
    company = await make_tenant()
    life = Life(Firm(company, company.principal(), database), Random(11), "UTC", ties=False)
    await life.begin()
    await life.hire()
    for _ in range(15):
        await life.win()
    for step in range(40):
        if step in (0, 1, 20, 21):
            await life.close_period()
        elif step in (15, 30):
            await life.reopen_period()
        await life.step()
        await life.calculate()
        assert [*mismatches(await _lines(life))] == [], life.told
    lines = await _lines(life)
    assert {"earning", "adjustment", "clawback", "draw"} <= {x["posting"] for x in lines}


async def test_the_command(payroll: Payroll) -> None:
    """A line that was tampered with is told, whichever figure it is."""
    await payroll.plan({"code": "commission", "kind": "commission", "rate": 0.1})
    await payroll.win("a", 1_234.56, "2026-01-10")
    await payroll.calculate()
    [line] = await _lines(payroll)

    def run(given: Any) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, SCRIPT], input=orjson.dumps(given, default=str), capture_output=True, check=False
        )
        return done.returncode, done.stdout.decode()

    whole = orjson.loads(orjson.dumps(line, default=float))
    assert run(whole) == (0, "")
    for name, value in (("amount", 123.47), ("trace.rate", 0.2), ("trace.credited", 5), ("trace.exact", 1)):
        wrong = copy.deepcopy(whole)
        place = wrong["trace"] if name.startswith("trace.") else wrong
        place[name.removeprefix("trace.")] = value
        code, told = run(wrong)
        assert code == 1, name
        assert line["id"] in told
