"""The schema as a whole, rendered from the catalogue."""

from __future__ import annotations

from functools import lru_cache

import strawberry
from graphql import GraphQLSchema, OperationType
from strawberry.schema.config import StrawberryConfig

from app.faces.graphql import (
    around,
    calendar_days,
    inputs,
    inquiries,
    mutations,
    numbers,
    queries,
    subscriptions,
    types,
)
from app.faces.graphql.build import Member, declare, fill
from app.faces.graphql.names import camel
from app.faces.graphql.scalars import SCALARS
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Catalogue


class AttainSchema(strawberry.Schema):
    """`members` are the root fields by operation type and GraphQL name."""

    members: dict[OperationType, dict[str, Member]]

    @property
    def core(self) -> GraphQLSchema:
        return self._schema


@lru_cache(maxsize=4)
def schema(catalogue: Catalogue, metrics: MetricCatalogue) -> AttainSchema:
    """Made once: it takes half a second."""
    made = types.make(catalogue)
    given = inputs.make(made)
    types.complete(
        made, {plural: x.type for plural, x in given.filters.items()}, given.sorts, inputs.CUSTOM_SORT
    )
    asked = [
        *queries.members(made, given),
        *inquiries.members(made, given),
        *around.members(catalogue),
        *numbers.members(catalogue, metrics),
        calendar_days.member(),
    ]
    done = mutations.members(made, given)
    rendered = AttainSchema(
        query=fill(declare("Query"), "Everything that can be asked.", asked),
        mutation=fill(declare("Mutation"), "Everything that can be done.", done),
        subscription=fill(declare("Subscription"), "What can be followed.", [subscriptions.EVENTS]),
        types=list(made.records.values()),
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    rendered.members = {
        OperationType.QUERY: {camel(x.name): x for x in asked},
        OperationType.MUTATION: {camel(x.name): x for x in done},
    }
    return rendered


def sdl(catalogue: Catalogue, metrics: MetricCatalogue) -> str:
    """The text of `openapi/schema.graphql`."""
    return _printed(catalogue, metrics)


@lru_cache(maxsize=4)
def _printed(catalogue: Catalogue, metrics: MetricCatalogue) -> str:
    return schema(catalogue, metrics).as_str() + "\n"
