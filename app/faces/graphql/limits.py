"""How large a document may be, judged before anything is run, and for the most part before it is parsed.

Parsing takes 4 microseconds a token and validation more than linear time, so whoever sends a hostile document is told
so from its tokens alone. What only shows once fragments are spread is counted on the tree. There a fragment is counted
once and its count reused: to walk it anew at every place where it is spread takes time that doubles with each
fragment, and 870 bytes held such a limiter for 1.6 seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from app.faces.graphql.errors import BadQuery
from app.ground.errors import TooLarge
from app.ground.settings import Settings

LONGEST_ALIAS = 60
"""Aliases become names of columns, and PostgreSQL cuts those at 63."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`depth` counts every level of braces, also those of inline fragments; `fields` those after fragments are
    spread, also in places where they are spread again."""

    bytes: int
    tokens: int
    depth: int
    aliases: int
    directives: int
    fields: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        return cls(
            bytes=settings.graphql_max_bytes,
            tokens=settings.graphql_max_tokens,
            depth=settings.graphql_max_depth,
            aliases=settings.graphql_max_aliases,
            directives=settings.graphql_max_directives,
            fields=settings.graphql_max_fields,
        )


def _refuse(what: str, most: int) -> BadQuery:
    return BadQuery(f"The document has more than the {most:,} {what} that are allowed.", code="too_complex")


_TOKEN = re.compile(
    r'''\#[^\n\r]* | """(?:\\"""|[^"]|"(?!""))*""" | "(?:\\.|[^"\\\n\r])*" | \.\.\. | \w+ | [!$&():=@|\[\]{}]''',
    re.VERBOSE | re.ASCII,
)


_NO_FIELD_BEHIND = frozenset({":", "@", "...", "on"})
"""An alias stands before its field, the others before names of directives, fragments and types."""


def scan(text: str, limits: Limits) -> None:
    """Raises TooLarge or BadQuery by the tokens alone. What is no GraphQL at all is left to the parser."""
    # A character takes at least a byte, so most need not be encoded to be counted.
    if len(text) > limits.bytes or (not text.isascii() and len(text.encode()) > limits.bytes):
        raise TooLarge(f"The document has more than {limits.bytes:,} bytes.", code="document_too_large")
    tokens = fields = aliases = directives = operations = 0
    before = ""
    braces = inside = 0  # `inside` counts what is open within arguments, where braces are values
    between = True  # definitions
    for found in _TOKEN.finditer(text):
        word = found[0]
        if word[0] == "#":
            continue
        tokens += 1
        if tokens > limits.tokens:
            raise _refuse("tokens", limits.tokens)
        if between:
            between = False
            operations += word != "fragment"
            if operations > 1:
                raise BadQuery("A document holds one operation.", code="several_operations")
        match word:
            case "{" | "[" | "(":
                if inside or word != "{":
                    inside += 1
                else:
                    braces += 1
                if braces > limits.depth or inside > limits.depth:
                    raise _refuse("levels", limits.depth)
            case "}" | "]" | ")":
                if inside:
                    inside -= 1
                else:
                    braces -= 1
                    between = braces == 0
            case ":" if not inside:
                aliases += 1
                if aliases > limits.aliases:
                    raise _refuse("aliases", limits.aliases)
            case "@":
                directives += 1
                if directives > limits.directives:
                    raise _refuse("directives", limits.directives)
            case _ if braces and not inside and word != "..." and before not in _NO_FIELD_BEHIND:
                fields += 1
                if fields > limits.fields:
                    raise _refuse("fields", limits.fields)
        before = word


class _Size(NamedTuple):
    depth: int = 0
    aliases: int = 0
    fields: int = 0


def measure(document: DocumentNode, limits: Limits) -> None:
    """Raises BadQuery by what the operation comes to once its fragments are spread."""
    sizes = _Sizes(document)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            found = sizes.of(definition.selection_set)
            for what in ("depth", "aliases", "fields"):
                if getattr(found, what) > getattr(limits, what):
                    raise _refuse("levels" if what == "depth" else what, getattr(limits, what))
    if sizes.longest > LONGEST_ALIAS:
        raise BadQuery(f"An alias has at most {LONGEST_ALIAS} characters.", code="too_complex")


class _Sizes:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, _Size] = {}
        self.longest = 0

    def of(self, selections: SelectionSetNode) -> _Size:
        depth = aliases = fields = 0
        for selection in selections.selections:
            inner = _Size()
            if isinstance(selection, FragmentSpreadNode):
                inner = self._of_fragment(selection.name.value)
            elif selection.selection_set is not None:  # pyright: ignore[reportAttributeAccessIssue]
                inner = self.of(selection.selection_set)  # pyright: ignore[reportAttributeAccessIssue]
            if isinstance(selection, FieldNode):
                fields += 1
                if selection.alias is not None:
                    aliases += 1
                    self.longest = max(self.longest, len(selection.alias.value))
            depth = max(depth, inner.depth)
            aliases += inner.aliases
            fields += inner.fields
        return _Size(depth + 1, aliases, fields)

    def _of_fragment(self, name: str) -> _Size:
        if name not in self._known:
            # A circle of fragments is refused by another rule; here it only must end.
            self._known[name] = _Size()
            if name in self._fragments:
                self._known[name] = self.of(self._fragments[name].selection_set)
        return self._known[name]
