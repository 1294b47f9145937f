"""What each role may do with each noun: one table, read aloud.

Which *rows* somebody sees is another question, answered by the noun's visibility. A noun that is not named here is the
admin's alone, so a forgotten one is closed; a new noun usually declares the `permission` of one that is (`leads` that
of `opportunities`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.ground.access.principal import Principal
from app.ground.errors import Forbidden, Invalid

ACTIONS = ("read", "write")

DIRECTORY = frozenset(
    {
        "campaigns", "exchange_rates", "fiscal_calendars", "lead_queues", "picklist_values", "pipelines",
        "price_books", "prices", "products", "ramp_schedules", "reps", "scoring_rules", "stages", "teams",
        "territories", "working_calendars",
    }
)  # fmt: skip
WORK = frozenset(
    {"accounts", "activities", "campaign_members", "contacts", "leads", "opportunities", "touches"}
)
EXPECTATIONS = frozenset({"quotas"})
REQUESTS = frozenset({"quota_reliefs"})
"""What reps ask for; who grants it is a rule of the noun."""
PLANS = frozenset({"comp_periods", "comp_plan_versions", "comp_plans", "plan_assignments"})
"""What is paid for what. Whoever is paid reads the terms, who is in charge of pay writes them."""
PAY = frozenset({"ledger_entries", "payouts", "statement_lines", "statements"})
"""What comes of it: a rep's own, those above, and whoever is in charge of pay."""
BOARDS = frozenset({"boards"})
"""Numbers that a manager lets others have."""
ACCESS = frozenset({"api_keys", "users"})
SHAPE = frozenset({"custom_fields"})
"""What a record is made of: everyone reads it, the admin alone changes it."""
ANSWERS = frozenset({"events", "metrics"})
"""Read only, for every role: they follow from the records."""

NOUNS = DIRECTORY | WORK | EXPECTATIONS | REQUESTS | PLANS | PAY | BOARDS | ACCESS | SHAPE | ANSWERS


@dataclass(frozen=True, slots=True)
class Permissions:
    read: frozenset[str]
    write: frozenset[str]


ROLES: Mapping[str, Permissions] = {
    "admin": Permissions(read=NOUNS, write=NOUNS - ANSWERS),
    "manager": Permissions(
        read=NOUNS - {"api_keys"}, write=WORK | EXPECTATIONS | REQUESTS | BOARDS | {"statements"}
    ),
    "rep": Permissions(read=NOUNS - ACCESS, write=WORK | REQUESTS | {"statements"}),
    "analyst": Permissions(read=NOUNS - {"api_keys"} - PLANS - PAY, write=frozenset()),
    "integration": Permissions(
        read=NOUNS - ACCESS - PLANS - PAY, write=DIRECTORY | WORK | EXPECTATIONS | REQUESTS
    ),
}


def permits(principal: Principal, noun: str, action: str) -> bool:
    """Whether role and scopes together allow it. A scope narrows, it never widens."""
    if action not in ACTIONS:
        raise ValueError(f"{action!r} is no action")
    open_to = ROLES[principal.role]
    named = noun in (open_to.read if action == "read" else open_to.write)
    allowed = named or (noun not in NOUNS and principal.role == "admin")
    return allowed and _in_scope(principal.scopes, noun, action)


def demand(principal: Principal, noun: str, action: str) -> None:
    if not permits(principal, noun, action):
        raise Forbidden(
            f"{action.capitalize()} access to {noun} is not permitted to this {principal.role}'s key."
        )


def permitted(principal: Principal, nouns: Iterable[str] = NOUNS) -> dict[str, list[str]]:
    """By noun, what this principal may do: for `GET /v1/me` and `GET /v1/describe/{noun}`."""
    table = {
        noun: [action for action in ACTIONS if permits(principal, noun, action)] for noun in sorted(nouns)
    }
    return {noun: actions for noun, actions in table.items() if actions}


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """Scopes as stored: sorted, without repeats, each `<noun>:<read|write>` with `*` for every noun."""
    result = sorted(set(scopes))
    for scope in result:
        noun, _, action = scope.partition(":")
        if action not in ACTIONS or not (noun == "*" or noun.replace("_", "").isalpha()):
            raise Invalid.field(
                "/scopes", "unknown", f'"{scope}" is no scope; say for example opportunities:read.'
            )
    return result


def _in_scope(scopes: frozenset[str], noun: str, action: str) -> bool:
    """`opportunities:write` includes reading them: a write answers the whole record."""
    if not scopes:
        return True
    wanted = {f"{noun}:{action}", f"*:{action}"}
    if action == "read":
        wanted |= {f"{noun}:write", "*:write"}
    return not scopes.isdisjoint(wanted)
