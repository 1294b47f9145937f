"""What a tenant's tables hold, as plain data for the oracle: read table by table, put together in loops."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision

from tests.sales.incentives.oracle import (
    Assignment,
    Component,
    Deal,
    Plan,
    Rate,
    Split,
    Version,
    World,
)

_OF_TYPE = re.compile(r"type = '(\w+)'")
_ATTAINED = re.compile(r"attainment >= ([\d.]+)")
FORMULAS = {
    "if(attainment >= 1, amount * 0.1 * min(attainment, 1.5), amount * 0.07)": lambda amount, attainment: (
        None if attainment is None
        else amount * Fraction(1, 10) * min(attainment, Fraction(3, 2)) if attainment >= 1
        else amount * Fraction(7, 100)
    ),
}  # fmt: skip
"""Those that a life pays by, in words of Python."""


def _exact(value: Decimal | None) -> Fraction | None:
    return None if value is None else Fraction(value)


def _component(row: Any, tiers: list[Any]) -> Component:
    condition = row["applies_when"] or ""
    type_, attained = _OF_TYPE.fullmatch(condition), _ATTAINED.fullmatch(condition)
    assert not condition or type_ or attained, condition
    return Component(
        code=row["code"], kind=row["kind"], rate=_exact(row["rate"]), amount=_exact(row["amount"]),
        tiers=tuple(sorted((Fraction(x["above"]), Fraction(x["rate"])) for x in tiers)),
        tiered_by=row["tiered_by"], tiering=row["tiering"], threshold=_exact(row["threshold"]), cap=_exact(row["cap"]),
        starts_on=row["starts_on"], ends_on=row["ends_on"], hold_until=row["hold_until"],
        clawback_days=row["clawback_days"], of_type=type_ and type_[1], attained=attained and Fraction(attained[1]),
        formula=row["formula"] and FORMULAS[row["formula"]],
    )  # fmt: skip


def _deals(tables: dict[str, list[Any]], zone: ZoneInfo) -> list[Deal]:
    splits: dict[Any, list[Split]] = defaultdict(list)
    for row in tables["opportunity_splits"]:
        splits[row["opportunity_id"]].append(Split(row["rep_id"], row["kind"], Fraction(row["share"])))
    won: dict[Any, list[Any]] = defaultdict(list)
    for row in tables["opportunities_history"]:
        if row["category"] == "won" and row["superseded_at"].year == 9999:
            won[row["record_id"]].append(row)
    found = []
    for deal in tables["opportunities"]:
        if deal["deleted_at"] is not None:
            continue
        if deal["category"] == "won":
            row, until = deal, None
        elif won[deal["id"]]:
            row = max(won[deal["id"]], key=lambda x: x["valid_to"])
            until = row["valid_to"]
        else:
            continue
        if row["closed_at"] is None:
            continue
        amount = row["amount"]
        exponent = 0 if amount is None else amount.normalize().as_tuple().exponent
        assert isinstance(exponent, int)
        found.append(Deal(
            id=deal["id"], amount=_exact(amount), currency=row["currency"],
            owner=row["credited_owner_id"] or row["owner_id"], closed_at=row["closed_at"],
            closed_on=row["closed_at"].astimezone(zone).date(), splits=tuple(splits[deal["id"]]), reversed_at=until,
            type=row["type"], booked=row["booked_on"] is not None, paid=row["paid_on"] is not None,
            decimals=max(0, -exponent),
        ))  # fmt: skip
    return found


_TABLES = (
    "opportunities", "opportunities_history", "opportunity_splits", "reps_history", "exchange_rates", "comp_plans",
    "comp_plan_versions", "comp_plan_components", "comp_plan_tiers", "plan_assignments",
)  # fmt: skip


async def world(connection: Any, tenant_id: Any, zone: str, home: str = "USD") -> World:
    tables = {
        name: await connection.fetch(f"select * from {name} where tenant_id = $1", tenant_id)
        for name in _TABLES
    }
    components: dict[Any, list[Component]] = defaultdict(list)
    for row in tables["comp_plan_components"]:
        tiers = [
            x for x in tables["comp_plan_tiers"]
            if x["version_id"] == row["version_id"] and x["component"] == row["code"]
        ]  # fmt: skip
        components[row["version_id"]].append(_component(row, tiers))
    plans = {
        plan["id"]: Plan(plan["currency"], tuple(
            Version(x["effective_from"], tuple(components[x["id"]]))
            for x in tables["comp_plan_versions"]
            if x["plan_id"] == plan["id"] and x["state"] == "published" and x["deleted_at"] is None
        ))
        for plan in tables["comp_plans"] if plan["deleted_at"] is None
    }  # fmt: skip
    managers: dict[Any, list[tuple[datetime, Any]]] = defaultdict(list)
    for row in tables["reps_history"]:
        if row["superseded_at"].year == 9999:
            # Infinity comes without a zone.
            managers[row["record_id"]].append((row["valid_from"].replace(tzinfo=UTC), row["manager_id"]))
    for told in managers.values():
        told.sort(key=lambda x: x[0])
    currencies = {x.currency for x in plans.values()} | {x["currency"] for x in tables["opportunities"]}
    return World(
        deals=_deals(tables, ZoneInfo(zone)),
        plans=plans,
        assignments=[
            Assignment(x["id"], x["plan_id"], x["rep_id"], x["starts_on"], x["ends_on"], _exact(x["target"]))
            for x in tables["plan_assignments"] if x["deleted_at"] is None and x["plan_id"] in plans
        ],
        rates=[
            Rate(x["from_currency"], x["to_currency"], x["on_day"], Fraction(x["rate"]))
            for x in tables["exchange_rates"] if x["deleted_at"] is None
        ],
        managers=managers,
        digits={x: get_currency_precision(x) for x in currencies},
        home=home,
    )  # fmt: skip
