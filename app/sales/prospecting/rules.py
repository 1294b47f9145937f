"""Scoring rules as they are written: checked against the lead's fields, and every open lead scored anew."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import orjson

from app.ground.errors import did_you_mean
from app.language.resources import fields as f
from app.language.resources.batch import Batch
from app.language.resources.follow import CHUNK, follow
from app.sales.prospecting.scoring import Rule, score

_KINDS = ("text", "picklist", "integer", "reference")
_NUMERIC = ("gte", "lte")
_WHOLE = r"-?\d{1,9}"

RULES = """
select coalesce(json_agg(json_build_array(field, operator, value, points)), '[]')
from scoring_rules where tenant_id = $1 and active and deleted_at is null
"""

_OPEN = """
select * from leads
where tenant_id = $1 and id > $2 and converted_at is null and disqualified_at is null and deleted_at is null
order by id limit $3
"""


def read(told: str) -> list[Rule]:
    return [Rule(*row) for row in orjson.loads(told)]


def _operators(field: f.Field) -> tuple[str, ...]:
    """Of the operators that filters know for this kind, those that a rule may use."""
    known = {"eq", "ne", "contains", "starts_with", "is_null", *_NUMERIC}
    return tuple(x for x in field.operators if x in known)


async def check(batch: Batch) -> None:
    leads = batch.catalogue["leads"]
    scored = {x.name: x for x in leads.fields if x.kind in _KINDS and x.write != "never"}
    for draft in batch.standing:
        name, operator, value = (draft.after[x] for x in ("field", "operator", "value"))
        field = scored.get(name)
        if field is None:
            draft.refuse(
                "field", "unknown_field", f'No lead is scored by "{name[:80]}".{did_you_mean(name, scored)}'
            )
        elif operator not in _operators(field):
            known = ", ".join(_operators(field))
            draft.refuse("operator", "unknown_operator", f"{name} can be compared by {known}.")
        elif operator == "is_null" and value not in ("true", "false"):
            draft.refuse("value", "invalid_value", "is_null is true or false.")
        elif field.kind == "integer" and operator != "is_null" and not re.fullmatch(_WHOLE, value):
            draft.refuse("value", "invalid_value", f"{name} is compared with a whole number.")


async def rescore(batch: Batch) -> None:
    """A rule that changed changes the score of every lead that is still open, through the leads' own write path."""
    if all(d.outcome == "unchanged" for d in batch.standing):
        return
    last, connection = UUID(int=0), batch.session.connection
    told: Any = await connection.fetchval(RULES, batch.session.tenant_id)
    rules = read(told)
    while leads := await connection.fetch(_OPEN, batch.session.tenant_id, last, CHUNK):
        last = leads[-1]["id"]
        scores = {lead["id"]: (score(lead, rules), lead["score"]) for lead in leads}
        await follow(
            batch, "leads", {id_: {"score": new} for id_, (new, old) in scores.items() if new != old}
        )
