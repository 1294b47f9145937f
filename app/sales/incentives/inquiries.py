"""What is asked about pay and changes nothing: what terms would have paid, what a deal would earn."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field

from app.ground.errors import Conflict, Forbidden, Invalid
from app.language.query import periods
from app.language.resources.answers import Document, Money, Number
from app.language.resources.resource import ActionCall, Inquiry
from app.sales.incentives.actions import Nothing
from app.sales.incentives.estimate import concerned, estimated
from app.sales.incentives.ledger import Pay
from app.sales.incentives.what_if import MOST_DEALS, MOST_REPS, simulated

_ID = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"


def _now() -> datetime:
    return datetime.now(UTC)


class Named(Document):
    """A record by id and name."""

    id: UUID = Field(description="Its id.", examples=[_ID])
    name: str | None = Field(description="Its name.", examples=["Ada Park"])


class Days(Document):
    """Which days were reckoned."""

    id: UUID | None = Field(
        description="Id of the pay period; null where no pay period has these days.", examples=[_ID]
    )
    starts_on: date = Field(description="First day.", examples=["2026-01-01"])
    ends_on: date = Field(description="First day after the last one.", examples=["2026-04-01"])


# --- what terms would have paid --------------------------------------------------------------------------------------


class Simulate(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    period_id: str | None = Field(
        default=None, description="A pay period, by id or `source:external_id`; or `period`.", examples=[_ID]
    )
    period: str | None = Field(
        default=None,
        description="Its days by name, also of one that nobody is paid for; instead of `period_id`.",
        max_length=40,
    )
    rep_id: str | None = Field(
        default=None,
        description="Of this rep alone, by id or `source:external_id`; of everybody on the plan when left out.",
    )


class Totals(Document):
    """All reps of the plan together."""

    paid_now: Money = Field(description="What the posted lines of these days stand at.", examples=[120_000])
    would_pay: Money = Field(description="What the version pays.", examples=[131_500.5])
    difference: Money = Field(description="The second less the first.", examples=[11_500.5])
    credited: Money = Field(
        description="Credits that attainment is of, in the plan's currency.", examples=[1_315_005]
    )
    cost_share: Number | None = Field(
        description="`would_pay` ÷ `credited`; null where nothing is credited.", examples=[0.1]
    )
    reps: int = Field(description="How many are on the plan.", examples=[12])


class Rep(Document):
    """One rep, under the version and now."""

    rep: Named = Field(description="Who.")
    now: Money = Field(description="What the posted lines stand at.", examples=[10_000])
    would: Money = Field(description="What the version pays.", examples=[12_500])
    difference: Money = Field(description="The second less the first.", examples=[2_500])
    attainment: Number | None = Field(
        description="What is credited ÷ the target; null without a target.", examples=[1.05]
    )


class Deal(Document):
    """One deal, under the version and now."""

    opportunity: Named = Field(description="Which.")
    now: Money = Field(description="What the posted lines for it stand at.", examples=[1_000])
    would: Money = Field(description="What the version pays for it.", examples=[1_200])
    difference: Money = Field(description="The second less the first.", examples=[200])


class Distribution(Document):
    """Amounts that so many of the reps do not exceed; null without reps."""

    p10: Money | None = Field(description="A tenth of them.", examples=[2_000])
    p25: Money | None = Field(description="A quarter.", examples=[5_500])
    median: Money | None = Field(description="Half.", examples=[9_800])
    p75: Money | None = Field(description="Three quarters.", examples=[14_000])
    p90: Money | None = Field(description="Nine tenths.", examples=[21_000])


class Simulation(Document):
    """What a version would have paid, beside what was paid."""

    currency: str = Field(description="ISO 4217 code of the amounts: the plan's.", examples=["USD"])
    period: Days = Field(description="Of which days.")
    totals: Totals = Field(description="All reps together.")
    reps: list[Rep] = Field(description=f"At most {MOST_REPS:,}, those who differ most first.")
    has_more: bool = Field(description="Whether there are more reps.", examples=[False])
    deals: list[Deal] = Field(description=f"The {MOST_DEALS} that differ most.")
    distribution: Distribution = Field(description="How `would` is spread over the reps.")


_PERIOD = "select id, starts_on, ends_on from comp_periods where tenant_id = $1 and id = $2"
_WITH_DAYS = """
select id, starts_on, ends_on from comp_periods
where tenant_id = $1 and starts_on = $2 and ends_on = $3 and deleted_at is null
"""
_CURRENCY = "select currency from comp_plans where tenant_id = $1 and id = $2"


async def _simulate(call: ActionCall) -> dict[str, Any]:
    if call.principal.role != "admin":
        raise Forbidden("What terms would pay is for whoever writes them.", code="admins_only")
    session, record = call.session, call.record
    days, is_paid = await _days(call)
    pay = Pay.of(session, call.catalogue, call.principal)
    rep = call.found.get("rep_id")
    found = await simulated(
        pay, pay.period(days), record["plan_id"], record["id"], None if rep is None else [rep]
    )
    currency = await session.connection.fetchval(_CURRENCY, session.tenant_id, record["plan_id"])
    return {"currency": currency, "period": {**days, "id": days["id"] if is_paid else None}, **found}


async def _days(call: ActionCall) -> tuple[dict[str, Any], bool]:
    """The days, and whether a pay period has them; else their id is one that nothing is posted for."""
    session, text, id_ = call.session, call.input.period, call.found.get("period_id")
    if id_ is not None and text is not None:
        raise Invalid.field("/period", "contradiction", "Give `period_id` or `period`, not both.")
    if id_ is not None:
        return dict(await session.connection.fetchrow(_PERIOD, session.tenant_id, id_)), True
    if text is None:
        raise Invalid.field("/period", "required", "Say of which days: `period_id` or `period`.")
    today = _now().astimezone(call.principal.tenant.zone).date()
    first, last = periods.period(text, today, await periods.calendar(session), "/period")
    row = await session.connection.fetchrow(_WITH_DAYS, session.tenant_id, first, last)
    if row is not None:
        return dict(row), True
    return {"id": uuid4(), "starts_on": first, "ends_on": last}, False


# --- what a deal would earn ------------------------------------------------------------------------------------------


class Line(Document):
    """What one component pays for the deal in one tier."""

    component: str = Field(description="The component's code.", examples=["new_business"])
    kind: str = Field(description="The component's kind.", examples=["commission"])
    tier: int = Field(description="Which tier, from 1; 0 without tiers.", examples=[2])
    rate: Number | None = Field(description="At which rate; null where it is no rate.", examples=[0.12])
    amount: Money = Field(description="What it pays.", examples=[1_200])
    account: str = Field(
        description="`payable`, or `held` until the deal is booked or paid.", examples=["payable"]
    )
    reason: str | None = Field(description="Why it pays nothing, where it does.", examples=["no_quota"])


class Earning(Document):
    """What the deal is worth to a rep, by one plan."""

    rep: Named = Field(description="Who.")
    plan: Named = Field(description="By which plan.")
    currency: str = Field(description="ISO 4217 code of the amounts: the plan's.", examples=["USD"])
    earns: Money = Field(
        description="All that the period pays with the deal, less what it pays without it; draws left out.",
        examples=[2_000],
    )
    on_other_deals: Money = Field(
        description="What of `earns` are other deals and bonuses, say because a tier is reached.",
        examples=[800],
    )
    attainment_before: Number | None = Field(
        description="Without the deal; null without a target.", examples=[0.9]
    )
    attainment_after: Number | None = Field(description="With it.", examples=[1.05])
    lines: list[Line] = Field(description="What is paid for the deal itself.")


class Estimate(Document):
    """What an open deal would earn its reps."""

    opportunity: Named = Field(description="The deal.")
    day: date = Field(description="The day on which it is taken for won: today.", examples=["2026-03-31"])
    period: Days = Field(description="The pay period that holds the day.")
    reps: list[Earning] = Field(description="Those with credit of it whose pay you may see.")


_HOLDING = """
select id, starts_on, ends_on from comp_periods
where tenant_id = $1 and starts_on <= $2 and ends_on > $2 and deleted_at is null
"""


async def _estimate(call: ActionCall) -> dict[str, Any]:
    session, deal = call.session, call.record
    if deal["category"] != "open":
        raise Conflict("The deal is not open.", code="not_open")
    now = _now()
    day = now.astimezone(call.principal.tenant.zone).date()
    row = await session.connection.fetchrow(_HOLDING, session.tenant_id, day)
    if row is None:
        raise Conflict("No pay period holds this day.", code="no_period")
    pay = Pay.of(session, call.catalogue, call.principal)
    assumed = {"id": deal["id"], "at": now, "currency": deal["currency"], "day": day}
    reps = await concerned(session, call.principal, deal["id"])
    return {
        "opportunity": {"id": deal["id"], "name": deal["name"]},
        "day": day,
        "period": dict(row),
        "reps": await estimated(pay, pay.period(row), assumed, reps),
    }


INQUIRIES = (
    Inquiry(
        name="simulate", noun="comp_plan_versions", title="Simulate",
        description=(
            "What this version, a draft too, would have paid for a period, beside what its posted lines stand at: by "
            "rep, by deal and as a share of what was credited. Nothing is written; draws are left out. For admins."
        ),
        input=Simulate, answer=Simulation, run=_simulate,
        references={"period_id": "comp_periods", "rep_id": "reps"}, reads=("statements", "opportunities"),
    ),
    Inquiry(
        name="estimate", noun="opportunities", title="Estimate pay",
        description=(
            "What this open deal would earn its reps if it closed now, with what it changes for their other deals of "
            "the period. You see of it what you see of pay: your own, that of reps below you, as an admin all."
        ),
        input=Nothing, answer=Estimate, run=_estimate, reads=("statements",),
    ),
)  # fmt: skip
