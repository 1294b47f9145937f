"""How large a document may be, judged before anything is run.

A fragment is counted once and its count reused. Walking it anew at every place where it is spread, as limiters
usually do, takes time that doubles with each fragment: 870 bytes held such a limiter for 1.6 seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.validation import ValidationContext, ValidationRule

LONGEST_DOCUMENT = 100_000
MOST_TOKENS = 4_000
DEEPEST = 15
"""The introspection query of the usual tools is 13 deep."""
MOST_ALIASES = 200
MOST_FIELDS = 2_000
"""Fields after fragments are spread, also in places where they are spread again."""


LONGEST_ALIAS = 60
"""Aliases become names of columns, and PostgreSQL cuts those at 63."""


class Size(NamedTuple):
    depth: int = 0
    aliases: int = 0
    fields: int = 0


class DocumentSize(ValidationRule):
    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        sizes = _Sizes(context.document)
        for definition in context.document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                for what, found, most in zip(
                    ("levels", "aliases", "fields"),
                    sizes.of(definition.selection_set),
                    (DEEPEST, MOST_ALIASES, MOST_FIELDS),
                    strict=True,
                ):
                    if found > most:
                        self.report_error(
                            GraphQLError(f"The operation has more than the {most} {what} that are allowed.")
                        )

        if sizes.longest > LONGEST_ALIAS:
            self.report_error(GraphQLError(f"An alias has at most {LONGEST_ALIAS} characters."))


class _Sizes:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}
        self.longest = 0

    def of(self, selections: SelectionSetNode) -> Size:
        depth = aliases = fields = 0
        for selection in selections.selections:
            inner = Size()
            if isinstance(selection, FragmentSpreadNode):
                inner = self._of_fragment(selection.name.value)
            elif selection.selection_set is not None:  # pyright: ignore[reportAttributeAccessIssue]
                inner = self.of(selection.selection_set)  # pyright: ignore[reportAttributeAccessIssue]
            own = isinstance(selection, FieldNode)
            if own and selection.alias is not None:
                self.longest = max(self.longest, len(selection.alias.value))
            depth = max(depth, inner.depth + own)
            aliases += inner.aliases + (own and selection.alias is not None)  # pyright: ignore[reportAttributeAccessIssue]
            fields += inner.fields + own
        return Size(depth, aliases, fields)

    def _of_fragment(self, name: str) -> Size:
        if name not in self._known:
            # A circle of fragments is refused by another rule; here it only must end.
            self._known[name] = Size()
            if name in self._fragments:
                self._known[name] = self.of(self._fragments[name].selection_set)
        return self._known[name]
