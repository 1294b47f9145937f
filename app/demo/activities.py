"""What the reps did: calls, mails and meetings on their deals, what is planned, and work that belongs to no deal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.demo.calendar import FIRST_DAY, NOW, TODAY, at, written
from app.demo.company import Company, Row
from app.demo.deals import Deal
from app.demo.dice import Dice, Weighted

_KINDS = Weighted((("call", 45), ("email", 30), ("meeting", 20), ("note", 5)))
_PURPOSES = Weighted((("selling", 70), ("prospecting", 15), ("preparation", 15)))
_ALONE = Weighted((("admin", 35), ("learning", 20), ("prospecting", 35), ("coaching", 10)))
_SUBJECTS = {
    "call": ("First call", "Follow-up call", "Price call"),
    "email": ("Offer sent", "Answers to questions", "Meeting notes"),
    "meeting": ("Demonstration", "Workshop", "Contract review"),
    "task": ("Call back", "Prepare the offer", "Check references"),
    "note": ("Note",),
}
_MINUTES = {"call": (2, 35), "meeting": (25, 90)}


def done_and_planned(company: Company, deals: list[Deal], seed: str, alone: int) -> Iterator[Row]:
    dice = Dice(f"{seed}:activities")
    number = 0
    for deal in deals:
        until = deal.ended_at or NOW
        for _ in range(dice.between(0, 2) + dice.chance(0.3)):
            number += 1
            moment = deal.opened_at + (until - deal.opened_at) * dice.around(0.02, 0.97)
            yield _done(number, moment, deal.owner, deal, _PURPOSES.draw(dice), dice)
        if deal.ended_at is None and dice.chance(0.5):
            number += 1
            yield _planned(number, deal, dice)
    for _ in range(alone):
        seller = dice.pick(company.sellers)
        moment = at(dice.day(FIRST_DAY, TODAY - timedelta(days=1)), dice.between(7, 17), dice.between(0, 59))
        if seller.works_on(moment.date()):
            number += 1
            yield _done(number, moment, seller.ref, None, _ALONE.draw(dice), dice)


def _done(number: int, moment: datetime, owner: str, deal: Deal | None, purpose: str, dice: Dice) -> Row:
    kind = _KINDS.draw(dice) if deal else "meeting"
    low, high = _MINUTES.get(kind, (0, 0))
    row: Row = {
        "external_id": f"activity-{number:05d}", "kind": kind, "purpose": purpose, "done": True,
        "subject": dice.pick(_SUBJECTS[kind]) if deal else purpose.capitalize(),
        "occurred_at": written(moment), "owner_id": owner,
    }  # fmt: skip
    if high:
        row["duration_seconds"] = 60 * dice.between(low, high)
    if kind in ("call", "email"):
        row["direction"] = "outbound" if dice.chance(0.7) else "inbound"
    if kind == "call":
        row["outcome"] = "connected" if dice.chance(0.6) else "voicemail"
    if deal:
        row |= {"opportunity_id": deal.ref, "account_id": deal.account}
    return row


def _planned(number: int, deal: Deal, dice: Dice) -> Row:
    kind = dice.pick(("task", "task", "call", "meeting"))
    due = at(TODAY + timedelta(days=dice.between(0, 45)), dice.between(8, 16))
    return {
        "external_id": f"activity-{number:05d}", "kind": kind, "purpose": "selling", "done": False,
        "subject": dice.pick(_SUBJECTS[kind]), "due_at": written(due), "owner_id": deal.owner,
        "opportunity_id": deal.ref, "account_id": deal.account,
    }  # fmt: skip
