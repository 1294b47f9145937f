"""A root field where it stands in its operation: what a resolver is given beside its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from graphql import FieldNode, GraphQLField
from graphql.execution.values import VariableValues

from app.faces.graphql.ask import Ask
from app.faces.graphql.documents import Documents, Operation
from app.faces.graphql.selection import Selected

T = TypeVar("T")

_LONGEST_KEY = 2_000
"""Of the shaping variables as text. A longer one is hardly asked twice."""


@dataclass(slots=True)
class Place:
    """`nodes` are several where the same field is selected in several places."""

    ask: Ask
    documents: Documents
    operation: Operation
    variables: VariableValues
    nodes: list[FieldNode]
    definition: GraphQLField

    @property
    def selected(self) -> Selected:
        return Selected(self.documents.schema, self.operation.fragments, self.variables)

    def take(self, values: Any) -> Any:
        """`values`, keyed by declared names, as this field's type and selection want them."""
        return self.selected.taker(self.definition.type, self.nodes)(values)

    def planned(self, make: Callable[[], T]) -> T:
        """What this selection comes to, worked out once for each kind of caller and each set of variables in it."""
        principal = self.ask.principal
        key: tuple[Any, ...] = (self.operation, *map(id, self.nodes), principal.role, principal.scopes)
        if self.operation.argued:
            # A filter below may say `me`, a day of the tenant's zone, or a field that the tenant has added.
            key = (*key, principal.tenant_id, principal.rep_id, principal.tenant.custom)
        if shaping := self.operation.shaping:
            coerced = self.variables.coerced
            values = repr([coerced.get(name, Ellipsis) for name in shaping])
            if len(values) > _LONGEST_KEY:
                return make()
            key = (*key, values)
        return self.documents.planned(key, make)
