"""The verbs of pay: terms are published, periods closed, statements agreed upon, payouts paid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.ground.errors import Conflict, Forbidden, Invalid
from app.language.resources.resource import Action, ActionCall
from app.sales.incentives import payouts
from app.sales.incentives.ledger import Pay, calculate
from app.sales.incentives.left_out import left_out
from app.sales.incentives.lock import lock


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Dispute(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reason: str = Field(
        description="What is wrong.", examples=["The split is missing."], min_length=1, max_length=2000
    )


class Resolve(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    resolution: str = Field(
        description="What became of it.",
        examples=["Split added, recalculated."],
        min_length=1,
        max_length=2000,
    )


class Calculate(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    rep_id: str | None = Field(
        default=None,
        description="Of this rep alone, by id or `source:external_id`; of everybody when left out.",
        examples=["01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"],
    )


class PaidOut(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    paid_on: str | None = Field(
        default=None, description="The day; today when left out.", examples=["2026-04-25"]
    )


def _now() -> datetime:
    return datetime.now(UTC)


# --- terms -----------------------------------------------------------------------------------------------------------

_SAME_DAY = """
select 1 from comp_plan_versions
where tenant_id = $1 and plan_id = $2 and effective_from = $3 and id <> $4
  and state = 'published' and deleted_at is null
"""


async def _publish(call: ActionCall) -> dict[str, Any]:
    record = call.record
    if record["state"] == "published":
        raise Conflict("The version is already published.", code="already_published")
    same = await call.session.connection.fetchval(
        _SAME_DAY, call.session.tenant_id, record["plan_id"], record["effective_from"], record["id"]
    )
    if same is not None:
        raise Conflict(
            "Another version of the plan is published for this day.", code="another_version_of_the_day"
        )
    return {"state": "published", "published_at": _now()}


OF_VERSIONS = (
    Action(
        name="publish", noun="comp_plan_versions", title="Publish",
        description="Let the terms pay. From then on they never change: other terms are another version.",
        input=Nothing, run=_publish,
    ),
)  # fmt: skip

# --- periods ---------------------------------------------------------------------------------------------------------


async def _calculate(call: ActionCall) -> dict[str, Any]:
    pay = Pay.of(call.session, call.catalogue, call.principal)
    rep = call.found.get("rep_id")
    await calculate(pay, call.record["id"], None if rep is None else [rep])
    if call.record["state"] == "closed":
        return {}
    told = {} if rep is not None else {"left_out": await left_out(pay, call.record)}
    return {"state": "calculated", "calculated_at": _now(), "approved_at": None, **told}


_DISPUTED = """
select count(*) from statements where tenant_id = $1 and period_id = $2 and state = 'disputed'
"""


async def _demand_undisputed(call: ActionCall) -> None:
    disputed = await call.session.connection.fetchval(_DISPUTED, call.session.tenant_id, call.record["id"])
    if disputed:
        raise Conflict(f"{disputed} of its statements are disputed.", code="statements_disputed")


async def _approve(call: ActionCall) -> dict[str, Any]:
    if call.record["state"] != "calculated":
        raise Conflict(
            "A period is approved once it is calculated, and before it is closed.", code="not_calculated"
        )
    await _demand_undisputed(call)
    return {"state": "approved", "approved_at": _now()}


async def _close(call: ActionCall) -> dict[str, Any]:
    if call.record["state"] != "approved":
        raise Conflict("A period is closed once it is approved.", code="not_approved")
    await lock(call.session)
    await _demand_undisputed(call)
    await payouts.owe(call.session, call.record["id"])
    return {"state": "closed", "closed_at": _now()}


_LATER = """
select 1 from comp_periods
where tenant_id = $1 and starts_on > $2 and state = 'closed' and deleted_at is null limit 1
"""


async def _reopen(call: ActionCall) -> dict[str, Any]:
    if call.record["state"] != "closed":
        raise Conflict("The period is open.", code="not_closed")
    await lock(call.session)
    if await call.session.connection.fetchval(_LATER, call.session.tenant_id, call.record["starts_on"]):
        raise Conflict("A later period is closed already.", code="later_period_closed")
    await payouts.withdraw(call.session, call.record["id"])
    return {"state": "calculated", "closed_at": None, "approved_at": None}


OF_PERIODS = (
    Action(
        name="calculate", noun="comp_periods", title="Calculate",
        description=(
            "Reckon what the period has earned, and post what differs from what stands. The first open period also "
            "takes what closed ones have earned otherwise since; of a closed period the first behind it that is not "
            "approved yet."
        ),
        input=Calculate, run=_calculate, references={"rep_id": "reps"},
    ),
    Action(
        name="approve", noun="comp_periods", title="Approve",
        description="Say that what is calculated is right. Nothing of it may be disputed.",
        input=Nothing, run=_approve,
    ),
    Action(
        name="close", noun="comp_periods", title="Close",
        description=(
            "Make payouts of what its statements leave; from then on nothing of it changes. None may be disputed."
        ),
        input=Nothing, run=_close,
    ),
    Action(
        name="reopen", noun="comp_periods", title="Open again",
        description="Take back what is not paid yet, so that it can be calculated again. Later periods must be open.",
        input=Nothing, run=_reopen,
    ),
)  # fmt: skip

# --- statements ------------------------------------------------------------------------------------------------------

_PERIOD_STATE = "select state from comp_periods where tenant_id = $1 and id = $2"


async def _demand_open(call: ActionCall) -> None:
    state = await call.session.connection.fetchval(
        _PERIOD_STATE, call.session.tenant_id, call.record["period_id"]
    )
    if state == "closed":
        raise Conflict("The statement's period is closed.", code="period_closed")


async def _dispute(call: ActionCall) -> dict[str, Any]:
    if call.principal.role == "rep" and call.principal.rep_id != call.record["rep_id"]:
        raise Forbidden("A rep disputes its own statement.", code="not_your_statement")
    await _demand_open(call)
    if call.record["state"] == "disputed":
        raise Conflict("The statement is already disputed.", code="already_disputed")
    return {
        "state": "disputed", "dispute": call.input.reason, "resolution": None, "approved_at": None,
        "approved_by_id": None,
    }  # fmt: skip


def _demand_above(call: ActionCall) -> None:
    """Nobody agrees to his own pay, an admin who sells neither."""
    principal = call.principal
    if principal.role not in ("admin", "manager") or principal.rep_id == call.record["rep_id"]:
        raise Forbidden("A manager above the rep does this, or an admin.", code="not_yours_to_decide")


async def _resolve(call: ActionCall) -> dict[str, Any]:
    _demand_above(call)
    await _demand_open(call)
    if call.record["state"] != "disputed":
        raise Conflict("The statement is not disputed.", code="not_disputed")
    return {"state": "draft", "resolution": call.input.resolution}


async def _agree(call: ActionCall) -> dict[str, Any]:
    _demand_above(call)
    await _demand_open(call)
    if call.record["state"] != "draft":
        raise Conflict(f"The statement is {call.record['state']}.", code=f"is_{call.record['state']}")
    return {"state": "approved", "approved_at": _now(), "approved_by_id": call.principal.rep_id}


def _of_statements(
    name: str, title: str, description: str, run: Callable[[ActionCall], Awaitable[dict[str, Any]]],
    input_: type[BaseModel] = Nothing,
) -> Action:  # fmt: skip
    return Action(name=name, noun="statements", title=title, description=description, input=input_, run=run)


OF_STATEMENTS = (
    _of_statements("dispute", "Dispute", "Say that something is wrong; the period cannot be approved meanwhile.",
                   _dispute, Dispute),
    _of_statements("resolve", "Resolve", "Say what became of a dispute. A manager above the rep does, or an admin.",
                   _resolve, Resolve),
    _of_statements("approve", "Approve", "Agree to it. A manager above the rep does, or an admin, never the rep.",
                   _agree),
)  # fmt: skip

# --- payouts ---------------------------------------------------------------------------------------------------------


async def _pay(call: ActionCall) -> dict[str, Any]:
    if call.record["state"] != "due":
        raise Conflict(f"The payout is {call.record['state']}.", code=f"is_{call.record['state']}")
    day = _day(call.input.paid_on, datetime.now(call.principal.tenant.zone).date())
    await payouts.pay(call.session, call.record, day)
    return {"state": "paid", "paid_on": day}


def _day(text: str | None, today: date) -> date:
    try:
        return today if text is None else date.fromisoformat(text)
    except ValueError:
        raise Invalid.field("/paid_on", "not_a_day", "Must be a day such as 2026-04-25.") from None


OF_PAYOUTS = (
    Action(
        name="pay", noun="payouts", title="Pay", description="Say that it was paid, and when.",
        input=PaidOut, run=_pay,
    ),
)  # fmt: skip
