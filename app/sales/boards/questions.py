"""What a board may ask: what is right in itself, names what is there, and tells groups of records that all may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.ground.access.permissions import DIRECTORY
from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.ground.errors import FieldError, Invalid
from app.language.metrics.metric import Metric, MetricCatalogue
from app.language.metrics.nouns import Nouns
from app.language.metrics.plan import beside, prepare
from app.language.metrics.question import MetricQuery, from_json, told_in_json

POINTER = "/question"
LONGEST = 10_000
"""Bytes of a question."""


async def read(
    session: Session, principal: Principal, nouns: Nouns, metrics: MetricCatalogue, written: Mapping[str, Any]
) -> MetricQuery:
    """Raises for whatever is wrong with it, with pointers into it."""
    text = orjson.dumps(written)
    if len(text) > LONGEST:
        raise Invalid.field(POINTER, "too_long", f"A question has at most {LONGEST:,} bytes.")
    if b"\\u0000" in text:
        raise Invalid.field(POINTER, "bad_character", "U+0000 cannot be stored.")
    question = from_json(metrics, principal, written, pointer=POINTER)
    refuse_records(question, principal)
    with told_in_json(POINTER):
        # Its periods and buckets, and the records that its filters name.
        beside(await prepare(session, principal, nouns, question, None))
    return question


def refuse_records(question: MetricQuery, principal: Principal) -> None:
    """By account, or of one account, a sum is a deal's amount: such records are seen by some only. So is what a
    tenant's own field says of each of them, but for picklists and flags."""
    places = {name: f"{POINTER}/filters/{name}" for name in question.filters}
    places |= dict.fromkeys(question.by, f"{POINTER}/by")
    errors = [
        FieldError(
            place,
            "record_dimension",
            f"A board is not broken down or filtered by {name}: not everybody may see its records.",
        )
        for name, place in places.items()
        if any(_of_records(metric, name, principal) for metric in question.metrics)
    ]
    if errors:
        raise Invalid(errors[0].message, code=errors[0].code, errors=errors)


def _of_records(metric: Metric, name: str, principal: Principal) -> bool:
    if "." in name:
        return metric.custom(principal.tenant.custom)[name] not in ("picklist", "flag")
    return any(d.noun is not None and d.noun not in DIRECTORY for d in metric.dimensions if d.name == name)
