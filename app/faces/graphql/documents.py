"""From a document's text to an operation that may be run, once for each text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from graphql import (
    FieldNode,
    FieldsOnCorrectTypeRule,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    Node,
    NoFragmentCyclesRule,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)

from app.faces.graphql.errors import BadQuery
from app.faces.graphql.limits import Limits, measure, scan

T = TypeVar("T")

MOST_KEPT = 512
MOST_CHARACTERS = 1_000_000
"""Of all kept documents; a tree takes some forty times its text."""

MOST_PLANS = 2_048

_FIRST_RULES = (FieldsOnCorrectTypeRule, NoFragmentCyclesRule)
"""Asked before the others: what they refuse costs a fifth of a whole validation, and somebody may send much of it."""


@dataclass(slots=True, eq=False)
class Operation:
    """One valid operation."""

    text: str
    node: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]
    shaping: tuple[str, ...]
    """Variables that stand anywhere below the root fields: in directives and in the arguments of nested lists."""
    argued: bool
    """Whether any list below the root fields has arguments: they may say `me`, a day, or a name of the tenant's own."""


class Documents:
    """The operations seen last, and what was worked out of them.

    What is refused is not kept: it costs little, and would push out what is asked often.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, introspection: bool) -> None:
        self.schema = schema
        self.limits = limits
        self.introspection = introspection
        first = [*_FIRST_RULES, *([] if introspection else [NoSchemaIntrospectionCustomRule])]
        self._rules = [first, [x for x in specified_rules if x not in first]]
        self._kept: OrderedDict[str, Operation] = OrderedDict()
        self._characters = 0
        self._plans: OrderedDict[Hashable, Any] = OrderedDict()

    def operation(self, text: str, name: str | None = None) -> Operation:
        """Raises TooLarge or BadQuery, or GraphQLError where the document does not fit the schema."""
        found = self._kept.get(text)
        if found is None:
            found = self.read(text)
            self._keep(found)
        else:
            self._kept.move_to_end(text)
        if name is not None and (found.node.name is None or found.node.name.value != name):
            raise BadQuery(f'The document holds no operation "{name[:80]}".')
        return found

    def planned(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes, once for each key; a key begins with its operation."""
        plans = self._plans
        if key in plans:
            plans.move_to_end(key)
            return cast(T, plans[key])
        made = plans[key] = make()
        if len(plans) > MOST_PLANS:
            plans.popitem(last=False)
        return made

    def read(self, text: str) -> Operation:
        scan(text, self.limits)
        try:
            document = parse(text)
        except RecursionError:
            raise BadQuery("The document is nested too deeply.", code="too_complex") from None
        measure(document, self.limits)
        # The first fault is told; the others follow from it as often as not.
        for rules in self._rules:
            errors = validate(
                self.schema, document, rules, max_errors=1, hide_suggestions=not self.introspection
            )
            if errors:
                raise errors[0]
        operations = [x for x in document.definitions if isinstance(x, OperationDefinitionNode)]
        if len(operations) != 1:
            raise BadQuery("A document holds one operation.", code="several_operations")
        fragments = {x.name.value: x for x in document.definitions if isinstance(x, FragmentDefinitionNode)}
        roots = [x.selection_set for x in _roots(operations[0].selection_set, fragments) if x.selection_set]
        shaping = variables_in(roots, fragments)
        below = _found([*roots, *fragments.values()])
        return Operation(text, operations[0], fragments, tuple(sorted(shaping)), below.argued)

    def _keep(self, operation: Operation) -> None:
        self._kept[operation.text] = operation
        self._characters += len(operation.text)
        while len(self._kept) > MOST_KEPT or self._characters > MOST_CHARACTERS:
            self._characters -= len(self._kept.popitem(last=False)[0])


class _Named(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.argued = False

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.argued = self.argued or bool(node.arguments)

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.names.add(node.name.value)


def variables_in(nodes: Iterable[Node], fragments: dict[str, FragmentDefinitionNode]) -> set[str]:
    """The names of the variables in these nodes, or in any fragment that they may spread."""
    return _found((*nodes, *fragments.values())).names


def _found(nodes: Iterable[Node]) -> _Named:
    found = _Named()
    for node in nodes:
        visit(node, found)
    return found


def _roots(selections: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> Iterable[FieldNode]:
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection
        elif isinstance(selection, InlineFragmentNode):
            yield from _roots(selection.selection_set, fragments)
        elif isinstance(selection, FragmentSpreadNode):
            yield from _roots(fragments[selection.name.value].selection_set, fragments)
