"""The verbs of a lead: qualified, and made an account, a contact and, where wanted, a deal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.ground.access.permissions import demand
from app.ground.errors import AttainError, Conflict
from app.language.resources import write
from app.language.resources.resource import Action, ActionCall

_ID = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"


class Qualify(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    qualified_at: str | None = Field(
        default=None, description="When it was (moment or day); now when left out.", examples=["2026-03-31"]
    )


class Convert(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    account_id: str | None = Field(
        default=None,
        description="An account that is there already; else the contact's, else one is made of the lead's company.",
        examples=[_ID],
    )
    contact_id: str | None = Field(
        default=None,
        description="A contact that is there already; else one is made of the lead.",
        examples=[_ID],
    )
    opportunity_id: str | None = Field(
        default=None, description="A deal that is there already.", examples=[_ID]
    )
    create_opportunity: bool = Field(
        default=False, description="Whether a deal is made as well.", examples=[True]
    )
    opportunity_name: str | None = Field(
        default=None, description="What the new deal is called; as its account when left out.",
        examples=["Isdom, first order"],
    )  # fmt: skip
    stage_id: str | None = Field(
        default=None,
        description="Where the new deal begins; the first open stage when left out.",
        examples=[_ID],
    )
    amount: float | None = Field(default=None, description="The new deal's amount.", examples=[4514])
    currency: str | None = Field(
        default=None, description="Its currency, ISO 4217; the home currency when left out.", examples=["USD"]
    )
    expected_close_on: str | None = Field(
        default=None, description="The day on which the new deal should close.", examples=["2026-06-30"]
    )
    owner_id: str | None = Field(
        default=None, description="Who gets what is made; the lead's owner when left out.", examples=[_ID]
    )
    converted_at: str | None = Field(
        default=None, description="When it was (moment or day); now when left out.", examples=["2026-03-31"]
    )


async def _qualify(call: ActionCall) -> dict[str, Any]:
    _refuse_converted(call)
    if call.record["status"] == "qualified":
        raise Conflict("The lead is already qualified.", code="already_qualified")
    given = {"qualified_at": call.input.qualified_at} if call.input.qualified_at else {}
    return {"status": "qualified", **given}


def _refuse_converted(call: ActionCall) -> None:
    if call.record["converted_at"] is not None:
        raise Conflict("The lead is already converted; it says into what.", code="already_converted")


async def _convert(call: ActionCall) -> dict[str, Any]:
    """What is made is written like any other record, in this transaction: all of it stands, or nothing does."""
    _refuse_converted(call)
    asked = call.input
    contact = call.found.get("contact_id")
    account = call.found.get("account_id") or await _account_of(call, contact)
    account = account or await _made(call, "accounts", {
        "name": call.record["company"] or call.record["name"], "industry": call.record["industry"],
        "employees": call.record["employees"], "country": call.record["country"],
    })  # fmt: skip
    contact = contact or await _made(call, "contacts", {
        "account_id": str(account), **{name: call.record[name] for name in ("name", "title", "email", "phone")},
    })  # fmt: skip
    deal = call.found.get("opportunity_id")
    if deal is None and asked.create_opportunity:
        told = ("stage_id", "amount", "currency", "expected_close_on")
        deal = await _made(call, "opportunities", {
            "name": asked.opportunity_name or call.record["company"] or call.record["name"],
            "account_id": str(account), "lead_source": call.record["lead_source"],
            "campaign_id": _text(call.record["campaign_id"]),
            "contact_roles": [{"contact_id": str(contact), "is_primary": True}],
            **{name: value for name in told if (value := getattr(asked, name)) is not None},
        })  # fmt: skip
    at = asked.converted_at or datetime.now(UTC).isoformat()
    return {
        "status": "converted", "converted_at": at, "converted_account_id": str(account),
        "converted_contact_id": str(contact), "converted_opportunity_id": _text(deal),
        **({} if call.record["qualified_at"] else {"qualified_at": at}),
    }  # fmt: skip


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)


async def _account_of(call: ActionCall, contact: UUID | None) -> UUID | None:
    """The living account where a contact that is there already works."""
    return await call.session.connection.fetchval(
        "select a.id from contacts c join accounts a on a.tenant_id = c.tenant_id and a.id = c.account_id "
        "where c.tenant_id = $1 and c.id = $2 and a.deleted_at is null",
        call.session.tenant_id,
        contact,
    )


async def _made(call: ActionCall, plural: str, data: dict[str, Any]) -> UUID:
    """A new record of another noun, by the caller's own rights. What it refuses is told with its noun before it."""
    noun = call.catalogue[plural]
    demand(call.principal, noun.permission_name, "write")
    owner = _text(call.found.get("owner_id") or call.record["owner_id"])
    if owner is not None:
        data["owner_id"] = owner
    try:
        receipt = await write.create(call.session, call.principal, call.catalogue, noun, data)
    except AttainError as error:
        error.errors = tuple(replace(e, pointer=f"/{noun.name}{e.pointer}") for e in error.errors)
        raise
    assert receipt.id is not None
    return receipt.id


ACTIONS = (
    Action(
        name="qualify", noun="leads", title="Qualify",
        description="Take a lead as worth pursuing. The first time counts, also if it comes back later.",
        input=Qualify, run=_qualify,
    ),
    Action(
        name="convert", noun="leads", title="Convert",
        description=(
            "Make a lead an account, a contact and, where asked for, a deal; each may be there already. The lead "
            "stays, says into what it was converted, and keeps its activities. It is converted once."
        ),
        input=Convert, run=_convert,
        references={
            "account_id": "accounts", "contact_id": "contacts", "opportunity_id": "opportunities", "owner_id": "reps",
        },
    ),
)  # fmt: skip
