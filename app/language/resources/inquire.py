"""Asking about one record: who may, what it is asked of, and how the models of its answer are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel

from app.ground.access.permissions import demand
from app.ground.access.principal import Principal
from app.ground.database.session import Session
from app.language.resources import read, references
from app.language.resources.payload import checked_input, class_name
from app.language.resources.resource import ActionCall, Catalogue, Inquiry, Resource
from app.language.resources.shape import Leaf, Shape

_ID = Shape((("id", Leaf("id")),))


def demand_right(principal: Principal, catalogue: Catalogue, inquiry: Inquiry) -> None:
    for noun in (*inquiry.reads, catalogue[inquiry.noun].permission_name):
        demand(principal, noun, "read")


async def inquire(
    session: Session, principal: Principal, catalogue: Catalogue, inquiry: Inquiry, reference: str, data: Any
) -> Mapping[str, Any]:
    """Raises NotFound for a record that the asker does not see, Invalid for the input. `session` sees one state of the
    world, and reads only."""
    demand_right(principal, catalogue, inquiry)
    resource = catalogue[inquiry.noun]
    input_ = checked_input(inquiry.input, data)
    text = await read.one(session, principal, catalogue, resource, reference, _ID)
    stored = f"select * from {resource.table.name} where tenant_id = $1 and id = $2"
    [row] = await session.connection.fetch(stored, session.tenant_id, UUID(orjson.loads(text)["id"]))
    found = await references.named(session, principal, catalogue, inquiry.references, input_)
    return await inquiry.run(ActionCall(session, principal, catalogue, dict(row), input_, found))


def model_name(resource: Resource, inquiry: Inquiry, model: type[BaseModel]) -> str:
    """`OpportunityEstimateAnswer`, and of what is inside of it `OpportunityEstimateRep`."""
    own = "Answer" if model is inquiry.answer else model.__name__
    return class_name(resource.name) + class_name(inquiry.name) + own
