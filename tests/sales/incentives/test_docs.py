"""What docs/pay-plans.md shows happens: every plan of the page, deal by deal and figure by figure."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from tests.sales.incentives.conftest import Payroll
from tests.sales.incentives.page import PATH, Section, Table, is_true, sections

SECTIONS = sections(PATH.read_text("utf-8"))
REPS = {"Rep 1": "crm:r1", "Rep 2": "crm:r2", "Manager": "crm:m"}
NAMES = {ref: name for name, ref in REPS.items()}
CLASSIC = (
    "Flat", "Tiers, marginal", "Tiers, retroactive", "Accelerator above 100 %", "Threshold", "Cap", "SPIFF",
    "Bonus on a goal", "Draw, recoverable", "Draw, not recoverable", "Clawback within 60 days", "Overlay split",
    "Override", "Margin", "Hold until paid",
)  # fmt: skip


def test_every_classic_plan_is_there() -> None:
    titles = [section.title for section in SECTIONS]
    assert [x for x in CLASSIC if not any(title.startswith(x) for title in titles)] == []


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_the_arithmetic_is_right(section: Section) -> None:
    assert section.sums, "figures worked by hand"
    assert [x for x in section.sums if not is_true(x)] == []


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
async def test_the_plan_pays_what_the_page_says(section: Section, payroll: Payroll) -> None:
    who = section.plan["assigned"]
    (first, terms), *others = who.items()
    plan = await payroll.plan(
        *section.plan["components"], tiers=section.plan.get("tiers"), rep=REPS[first], **terms
    )
    for name, terms in others:
        await payroll.assign(plan, REPS[name], **terms)
    for table in section.tables:
        head = table.heads[0]
        if head == "product":
            await _products(payroll, table)
        elif head == "deal":
            await payroll.firm.taken("opportunities", *map(_deal, table.rows))
        elif head.startswith("statement of "):
            assert await _statements(payroll, table) == table.rows
        elif head.startswith("payouts of "):
            assert await _payouts(payroll, head.removeprefix("payouts of ")) == _paid(table)
        else:
            period, done = head.split(", ")
            await {"calculated": payroll.calculate, "closed": payroll.close}[done](period)
            assert await _lines(payroll, period, table) == sorted(map(_key, table.rows))


async def _products(payroll: Payroll, table: Table) -> None:
    for row in table.rows:
        name, cost = row["product"], float(row["cost"])
        await payroll.firm.taken(
            "products",
            {"external_id": name, "name": name, "list_price": 100, "cost": cost, "currency": "USD"},
        )


def _deal(row: dict[str, str]) -> dict[str, Any]:
    """A row as it is sent: what the table leaves empty is not told."""
    told: dict[str, Any] = {"external_id": row["deal"]}
    for name, cell in row.items():
        if not cell or name == "deal":
            continue
        match name:
            case "owner":
                told |= {
                    "name": row["deal"],
                    "owner_id": REPS[cell],
                    "currency": "USD",
                    "opened_at": "2025-12-01",
                }
            case "closed":
                told |= {"stage_id": "crm:won", "closed_at": cell}
            case "amount":
                told["amount"] = float(cell.replace(",", ""))
            case "split" | "overlay":
                kind = "revenue" if name == "split" else "overlay"
                told["splits"] = [
                    {"rep_id": REPS[rep], "share": int(percent) / 100, "kind": kind}
                    for rep, percent in re.findall(r"(Rep \d) (\d+) %", cell)
                ]
            case "line":
                quantity, product, price = re.fullmatch(r"(\d+) (\w+) at (\d+)", cell).groups()  # pyright: ignore[reportOptionalMemberAccess]
                told["line_items"] = [
                    {"product_id": f"crm:{product}", "quantity": int(quantity), "unit_price": int(price),
                     "amount": int(quantity) * int(price)}
                ]  # fmt: skip
            case "open again on":
                told["history"] = [{"at": cell, "stage_id": "crm:s1"}]
            case _:
                told[name.replace(" ", "_")] = cell
    return told


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _key(row: dict[str, str]) -> tuple[str, ...]:
    """A row with whom it pays under one name, whatever the period is called."""
    rep, *rest = row.values()
    return rep, *rest


async def _lines(payroll: Payroll, period: str, table: Table) -> list[tuple[str, ...]]:
    """All lines of the period as rows of such a table, added up where it tells two of them apart by nothing."""
    sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    shown = table.heads[1:]
    for name in REPS:
        for line in await payroll.lines(period, name):
            cells = {**line, "for": line["deal"] or line["component"], "amount": ""}
            sums[name, *("" if cells[x] is None else str(cells[x]) for x in shown)] += line["amount"]
    place = shown.index("amount") + 1
    return sorted((*key[:place], _money(amount), *key[place + 1 :]) for key, amount in sums.items())


async def _statements(payroll: Payroll, table: Table) -> list[dict[str, str]]:
    head, *sums = table.heads
    found = []
    for row in table.rows:
        told = await payroll.statement(head.removeprefix("statement of "), row[head])
        found.append({head: row[head], **{x: _money(told[x]) for x in sums}})
    return found


async def _payouts(payroll: Payroll, period: str) -> list[tuple[str, str]]:
    rows = await payroll.fetch(
        """select r.name, o.amount from payouts o
           join comp_periods p on p.tenant_id = $1 and p.id = o.period_id
           join reps r on r.tenant_id = $1 and r.id = o.rep_id
           where o.tenant_id = $1 and p.period = $2 and o.state = 'due' order by r.name""",
        period,
    )  # fmt: skip
    return [(row["name"], _money(row["amount"])) for row in rows]


def _paid(table: Table) -> list[tuple[str, str]]:
    return [(row[table.heads[0]], row["amount"]) for row in table.rows]
