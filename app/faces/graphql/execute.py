"""How an operation is run: each root field for itself, and its answer as it is.

A root field compiles its whole selection into one statement, and PostgreSQL writes the very JSON that was asked for.
graphql-core's executor would walk that JSON again, field by field, for 2.5 microseconds a field: the price of
everything else together. So it runs introspection alone, the one thing that is no statement.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
)
from graphql.execution.values import VariableValues, get_variable_values

from app.faces.graphql.arguments import reading
from app.faces.graphql.ask import Ask
from app.faces.graphql.build import Member, Run
from app.faces.graphql.documents import Documents, Operation, variables_in
from app.faces.graphql.errors import BadQuery, Failed
from app.faces.graphql.place import Place
from app.faces.graphql.selection import TYPENAME, Selected

NO_VARIABLES = VariableValues({}, {})
_INTROSPECTION = ("__schema", "__type")


@dataclass(slots=True)
class Result:
    data: dict[str, Any]
    failures: list[Failed]


class Executor:
    """`members` are the root fields by operation type and GraphQL name."""

    def __init__(self, documents: Documents, members: dict[OperationType, dict[str, Member]]) -> None:
        self.documents = documents
        self.members = members

    async def run(self, operation: Operation, sent: dict[str, Any], ask: Ask) -> Result:
        """Raises what refuses the operation as a whole, before any SQL is run."""
        kind = operation.node.operation
        if kind not in self.members:
            raise BadQuery("The schema has no subscriptions.")
        variables = self.variables(operation, sent)
        selected = Selected(self.documents.schema, operation.fragments, variables)
        root = self.documents.schema.get_root_type(kind)
        assert root is not None
        data: dict[str, Any] = {}
        failures: list[Failed] = []
        runs: list[tuple[str, FieldNode, Run]] = []
        for key, nodes in selected.within(root.name, operation.node.selection_set).items():
            name = nodes[0].name.value
            data[key] = None
            if name == TYPENAME:
                data[key] = root.name
            elif name in _INTROSPECTION:
                data[key] = self._introspected(operation, sent, key, nodes)
            else:
                place = Place(ask, self.documents, operation, variables, nodes, root.fields[name])
                try:
                    runs.append((key, nodes[0], self._prepared(place, self.members[kind][name])))
                except Exception as error:
                    failures.append(Failed(key, nodes[0], error))
        ask.demand_affordable()

        async def one(key: str, node: FieldNode, run: Run) -> None:
            try:
                data[key] = (await run()).value
            except Exception as error:
                failures.append(Failed(key, node, error))

        if kind is OperationType.MUTATION or len(runs) == 1:
            for each in runs:
                await one(*each)
        else:
            await asyncio.gather(*(one(*each) for each in runs))
        return Result(data, failures)

    def variables(self, operation: Operation, sent: dict[str, Any]) -> VariableValues:
        definitions = operation.node.variable_definitions
        if not definitions:
            return NO_VARIABLES
        found = get_variable_values(
            self.documents.schema,
            definitions,
            sent,
            max_errors=1,
            hide_suggestions=not self.documents.introspection,
        )
        if isinstance(found, list):
            raise found[0]
        return found

    def _prepared(self, place: Place, member: Member) -> Run:
        [node, *_] = place.nodes
        read = self.documents.planned(
            (place.operation, "arguments", id(node)),
            lambda: reading(place.definition, node, hide_suggestions=not self.documents.introspection),
        )
        given = read(place.variables)
        assert member.resolve is not None
        return member.resolve(place, {name: given[key] for key, name in member.keys if key in given})

    def _introspected(
        self, operation: Operation, sent: dict[str, Any], key: str, nodes: list[FieldNode]
    ) -> Any:
        """The schema never changes while the process lives, and to describe it all takes a tenth of a second."""
        names = variables_in(nodes, operation.fragments)
        values = {name: sent[name] for name in sorted(names) if name in sent}

        def described() -> Any:
            alone = OperationDefinitionNode(
                operation=OperationType.QUERY,
                variable_definitions=tuple(
                    x for x in operation.node.variable_definitions or () if x.variable.name.value in names
                ),
                directives=(),
                selection_set=SelectionSetNode(selections=tuple(nodes)),
            )
            document = DocumentNode(definitions=(alone, *operation.fragments.values()))
            result = execute_sync(self.documents.schema, document, variable_values=values)
            if result.errors or result.data is None:
                raise GraphQLError("The introspection failed.")
            return result.data[key]

        return self.documents.planned((operation, *map(id, nodes), repr(values)), described)
