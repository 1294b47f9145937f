"""The schema as a whole, rendered from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

import strawberry
from graphql import GraphQLError, OperationDefinitionNode
from strawberry.extensions import (
    AddValidationRules,
    DisableIntrospection,
    MaxTokensLimiter,
    ParserCache,
    SchemaExtension,
    ValidationCache,
)
from strawberry.schema.config import StrawberryConfig

from app.faces.graphql import around, inputs, mutations, numbers, queries, types
from app.faces.graphql.build import Member, declare, fill
from app.faces.graphql.executor import PassingThrough
from app.faces.graphql.limits import MOST_TOKENS, DocumentSize
from app.faces.graphql.scalars import SCALARS
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Catalogue

CACHED_DOCUMENTS = 512


class NamedOperation(SchemaExtension):
    """Of several operations in a document the caller names one; Strawberry would take the first."""

    def on_parse(self) -> Iterator[None]:
        yield
        context = self.execution_context
        document = context.graphql_document
        if document is None or context._provided_operation_name is not None:
            return
        if sum(isinstance(x, OperationDefinitionNode) for x in document.definitions) > 1:
            raise GraphQLError("The document holds several operations; `operationName` says which is meant.")


class AttainSchema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Errors are logged where they are translated, and only those that nobody foresaw."""


@lru_cache(maxsize=4)
def schema(catalogue: Catalogue, metrics: MetricCatalogue, *, introspection: bool = True) -> AttainSchema:
    """Made once: it takes half a second."""
    made = types.make(catalogue)
    given = inputs.make(made)
    types.complete(made, {plural: x.type for plural, x in given.filters.items()}, given.sorts)
    query = _root(
        "Query",
        "Everything that can be asked.",
        [*queries.members(made, given), *around.members(catalogue), *numbers.members(catalogue, metrics)],
    )
    mutation = _root("Mutation", "Everything that can be done.", mutations.members(made, given))
    return AttainSchema(
        query=query,
        mutation=mutation,
        types=list(made.records.values()),
        execution_context_class=PassingThrough,
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not introspection),
        extensions=_extensions(introspection=introspection),
    )


def sdl(catalogue: Catalogue, metrics: MetricCatalogue) -> str:
    """The text of `openapi/schema.graphql`."""
    return _printed(catalogue, metrics)


def _root(name: str, description: str, members: Iterable[Member]) -> type:
    return fill(declare(name), description, members)


def _extensions(*, introspection: bool) -> list[Any]:
    # The size of a document is judged inside the validation, so a cached document is not judged again.
    made: list[Any] = [
        partial(MaxTokensLimiter, max_token_count=MOST_TOKENS),
        partial(ParserCache, maxsize=CACHED_DOCUMENTS),
        NamedOperation,
        partial(AddValidationRules, [DocumentSize]),
        partial(ValidationCache, maxsize=CACHED_DOCUMENTS),
    ]
    if not introspection:
        made.append(DisableIntrospection)
    return made


@lru_cache(maxsize=4)
def _printed(catalogue: Catalogue, metrics: MetricCatalogue) -> str:
    return schema(catalogue, metrics).as_str() + "\n"
