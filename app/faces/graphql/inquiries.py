"""The root fields that ask about one record and change nothing, with the types of what they answer."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry
from pydantic import BaseModel

from app.faces.graphql.ask import COUNT_COST
from app.faces.graphql.build import Argument, Member, Run, declare, fill
from app.faces.graphql.finished import Finished
from app.faces.graphql.inputs import Inputs, needs_input
from app.faces.graphql.names import action_field
from app.faces.graphql.place import Place
from app.faces.graphql.scalars import Amount, Day, Moment
from app.faces.graphql.types import Types
from app.language.metrics.moment import SNAPSHOT
from app.language.resources.answers import models, parts
from app.language.resources.inquire import demand_right, inquire, model_name
from app.language.resources.resource import Inquiry, Resource

_COST = 10 * COUNT_COST
_SCALARS: dict[type, Any] = {
    str: str, int: int, bool: bool, UUID: strawberry.ID, Decimal: Amount, date: Day, datetime: Moment,
}  # fmt: skip


def members(types: Types, inputs: Inputs) -> list[Member]:
    return [
        _ask(types, inputs, x) for noun in types.catalogue for x in types.catalogue.inquiries[noun.plural]
    ]


def _ask(types: Types, inputs: Inputs, inquiry: Inquiry) -> Member:
    catalogue = types.catalogue
    resource = catalogue[inquiry.noun]
    made = inputs.actions[resource.plural, inquiry.name]

    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        demand_right(ask.principal, catalogue, inquiry)
        ask.charge(_COST)
        data = made.reading(arguments.get("input")) or {}

        async def run() -> Finished:
            found = await ask.read(
                lambda session: inquire(session, ask.principal, catalogue, inquiry, arguments["id"], data),
                isolation=SNAPSHOT,
            )
            return Finished(place.take(found))

        return run

    given = Argument("input", made.type, "With what.", required=needs_input(inquiry))
    return Member(
        action_field(resource, inquiry),
        _answer(resource, inquiry) | None,
        inquiry.description,
        (
            Argument("id", strawberry.ID, "By id or `source:external_id`.", required=True),
            *([given] if inquiry.input.model_fields else []),
        ),
        resolve,
    )


def _answer(resource: Resource, inquiry: Inquiry) -> type:
    made: dict[type, Any] = dict(_SCALARS)
    for model in models(inquiry.answer):
        made[model] = fill(
            declare(model_name(resource, inquiry, model)),
            inquiry.description if model is inquiry.answer else _said(model),
            [
                Member(x.name, _typed(made[x.type], x.several, x.nullable), x.description)
                for x in parts(model)
            ],
        )
    return made[inquiry.answer]


def _typed(type_: Any, several: bool, nullable: bool) -> Any:
    whole = list[type_] if several else type_
    return whole | None if nullable else whole


def _said(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())
