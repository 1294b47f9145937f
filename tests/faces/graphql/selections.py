"""Random valid documents: what a caller may write is drawn from the printed schema, what it may read from its role."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_list_type, is_object_type
from graphql.type import get_nullable_type

from app.faces.graphql.names import camel, type_name
from app.ground.access.permissions import permits
from app.ground.access.principal import Principal
from app.language.resources.resource import Catalogue, Resource

MOST_ROWS = 400
"""Rows that a list may come to, those around it multiplied: beyond this no list is opened."""

MOVING = frozenset({"last_used_at", "days_in_stage"})
"""What changes by itself while the two are asked."""

NOBODY = "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"


def quoted(text: str) -> str:
    return f'"{text}"'


@dataclass
class World:
    """`ids` are of every record by plural, also of those that a role may not see."""

    schema: GraphQLSchema
    catalogue: Catalogue
    ids: dict[str, list[str]]

    def __post_init__(self) -> None:
        self.by_type = {type_name(x): x for x in self.catalogue}


@dataclass
class Document:
    """One draw. An unaliased field has one set of arguments all over the document, an alias is never used for two
    things: so whatever is merged may be merged."""

    world: World
    principal: Principal
    dice: random.Random
    fragments: list[str] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    aliases: int = 0
    directives: int = 0
    fields: int = 0

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def write(self) -> str:
        roots = [self.root() for _ in range(self.dice.choice((1, 1, 1, 2, 3)))]
        if self.chance(0.1):
            roots.append("__typename")
        if self.chance(0.15):
            roots.append(self.fragment("Query", " ".join(roots)))
        # Where arguments were settled elsewhere, what was drawn for them is left over.
        used = set(re.findall(r"\$\w+", " ".join((*roots, *self.fragments))))
        self.declared = [x for x in self.declared if x.partition(":")[0] in used]
        self.variables = {name: value for name, value in self.variables.items() if f"${name}" in used}
        variables = f"({', '.join(self.declared)})" if self.declared else ""
        name = self.dice.choice(("", " Q"))
        head = f"query{name}{variables} " if name or variables else ""
        return f"{head}{{ {' '.join(roots)} }} {' '.join(self.fragments)}"

    # -- values ---------------------------------------------------------------------------------------------------

    def value(self, type_: str, literal: str, value: Any) -> str:
        """Written down, or as a variable, sometimes one that only has a default."""
        if self.chance(0.6):
            return literal
        name = f"v{len(self.declared)}"
        if self.chance(0.2):
            self.declared.append(f"${name}: {type_} = {literal}")
        else:
            self.declared.append(f"${name}: {type_}")
            self.variables[name] = value
        return f"${name}"

    def directive(self) -> str:
        if self.directives > 15 or not self.chance(0.12):
            return ""
        self.directives += 1
        word, holds = self.dice.choice(("include", "skip")), self.chance(0.5)
        return f" @{word}(if: {self.value('Boolean!', str(holds).lower(), holds)})"

    def alias(self) -> str:
        if self.aliases > 40 or not self.chance(0.2):
            return ""
        self.aliases += 1
        return f"{self.dice.choice(('a', 'json', 'r', 'total', 'X_'))}{self.aliases}: "

    # -- fields ---------------------------------------------------------------------------------------------------

    def root(self) -> str:
        nouns = [x for x in self.world.catalogue if self.world.ids.get(x.plural) and self.may(x)]
        noun = self.dice.choice(nouns)
        match self.dice.choice(("one", "one", "list", "list", "list", "node", "me")):
            case "one":
                id_ = self.dice.choice(self.world.ids[noun.plural])
                given = self.value("ID!", quoted(id_), id_)
                return self.rooted(camel(noun.name), f"(id: {given})", self.record(type_name(noun), 0, 1))
            case "node":
                id_ = self.dice.choice(self.world.ids[noun.plural])
                inner = f"__typename id ... on {type_name(noun)} {self.record(type_name(noun), 1, 1)}"
                return self.rooted("node", f'(id: "{id_}")', f"{{ {inner} }}")
            case "me":
                return self.rooted("me", "", self.plain("Me"))
        first = self.dice.randint(1, 6)
        given, rows = self.listed(noun, first)
        return self.rooted(camel(noun.plural), given, self.connection(noun, rows))

    def rooted(self, name: str, arguments: str, selection: str) -> str:
        """Under an alias of its own, or the one unaliased use of the document."""
        if name in self.arguments:
            self.aliases += 1
            return f"a{self.aliases}: {name}{arguments}{self.directive()} {selection}"
        self.arguments[name] = arguments
        return f"{name}{arguments}{self.directive()} {selection}"

    def listed(self, noun: Resource, first: int) -> tuple[str, int]:
        given = [f"first: {self.value('Int', str(first), first)}"]
        if self.chance(0.5):
            sorts = [x for x in noun.all_fields if x.sortable and x.readable_by(self.principal.role)]
            names = [
                f"{x.name.upper()}_{self.dice.choice(('ASC', 'DESC'))}"
                for x in self.dice.sample(sorts, self.dice.randint(1, 2))
            ]
            sort = self.value(f"[{type_name(noun)}Sort!]", f"[{', '.join(names)}]", names)
            given.append(f"sort: {sort}")
        if self.chance(0.4):
            given.append(f"filter: {self.filter(noun)}")
        self.dice.shuffle(given)
        return f"({', '.join(given)})", first

    def filter(self, noun: Resource) -> str:
        """`{name: {operator: value}}`, which REST says as `name[operator]=value`."""
        fields = [x for x in noun.all_fields if x.operators and x.readable_by(self.principal.role)]
        chosen = self.dice.choice(fields)
        name = camel(chosen.name)
        match chosen.kind:
            case "choice":
                value = self.dice.choice(chosen.values).upper()
                return f"{{{name}: {{{self.dice.choice(('eq', 'ne'))}: {value}}}}}"
            case "text" | "picklist":
                text = self.dice.choice(("Rep", "Deal", "retail", "a"))
                operator = self.dice.choice(
                    ("eq", "ne", "contains", "startsWith") if chosen.kind == "text" else ("eq", "ne")
                )
                return f"{{{name}: {{{operator}: {self.value('String', quoted(text), text)}}}}}"
            case "money" | "number":
                number = self.dice.choice((0.5, 300, 450.25))
                operator, value = self.dice.choice(("gte", "lt")), self.value("Decimal", str(number), number)
                return f"{{{name}: {{{operator}: {value}}}}}"
            case _:
                if "is_null" not in chosen.operators:
                    other = next(iter(self.world.ids[noun.plural]), NOBODY)
                    return f"{{{name}: {{ne: {quoted(other)}}}}}"
                return f"{{{name}: {{isNull: {self.value('Boolean', 'false', False)}}}}}"

    def connection(self, noun: Resource, rows: int) -> str:
        name = type_name(noun)
        parts = []
        for part in self.dice.sample(("nodes", "edges", "pageInfo", "totalCount", "__typename"), 3):
            match part:
                case "nodes":
                    parts.append(f"{self.alias()}nodes{self.directive()} {self.record(name, 1, rows)}")
                case "edges":
                    node = f"{self.alias()}node {self.record(name, 1, rows)}"
                    parts.append(f"{self.alias()}edges{self.directive()} {{ {node} __typename }}")
                case "pageInfo":
                    parts.append(f"{self.alias()}pageInfo {{ hasNextPage __typename hasPreviousPage }}")
                case _:
                    parts.append(f"{self.alias()}{part}{self.directive()}")
        return f"{{ {' '.join(parts)} }}"

    def record(self, name: str, depth: int, rows: int) -> str:
        """A selection on a noun, or on a kind of row inside one."""
        type_: Any = self.world.schema.type_map[name]
        resource = self.world.by_type.get(name)
        parts: list[str] = []
        leaves = [x for x in type_.fields if not is_object_type(get_named_type(type_.fields[x].type))]
        for leaf in self.dice.sample(leaves, min(len(leaves), self.dice.randint(1, 5))):
            if self.readable(resource, leaf):
                parts.append(f"{self.alias()}{leaf}{self.directive()}")
        if self.chance(0.2):
            parts.append(f"{self.alias()}__typename")
        nested = [x for x in type_.fields if x not in leaves]
        if nested and depth < 4 and self.fields < 250:
            for inner in self.dice.sample(nested, min(len(nested), self.dice.choice((0, 1, 1, 2, 3)))):
                parts += self.nested(name, type_, inner, depth, rows)
        if not parts:
            parts = ["id"]
        self.fields += len(parts)
        self.dice.shuffle(parts)
        if self.chance(0.15):
            parts.append(self.around(name, parts, is_noun=resource is not None))
        return f"{{ {' '.join(parts)} }}"

    def may(self, noun: Resource) -> bool:
        return permits(self.principal, noun.permission_name, "read")

    def readable(self, resource: Resource | None, leaf: str) -> bool:
        if resource is None:
            return True
        declared = {camel(x.name): x for x in resource.all_fields}[leaf]
        if declared.name in MOVING:
            return False
        return declared.readable_by(self.principal.role)

    def nested(self, owner: str, type_: Any, name: str, depth: int, rows: int) -> list[str]:
        definition = type_.fields[name]
        target = get_named_type(definition.type).name
        many = is_list_type(get_nullable_type(definition.type))
        noun = self.world.by_type.get(target)
        if (many and rows > MOST_ROWS // 20) or (noun is not None and not self.may(noun)):
            return []
        arguments = ""
        alias = self.alias()
        inside = rows
        if many and noun is not None:
            arguments, inside = self.listed(noun, self.dice.randint(1, 4))
            inside *= rows
            if not alias:
                arguments = self.arguments.setdefault(f"{owner}.{name}", arguments)
        elif many:
            inside = rows * 10
        written = f"{alias}{name}{arguments}{self.directive()}"
        found = [f"{written} {self.record(target, depth + 1, inside)}"]
        if self.chance(0.15) and inside < 50:
            # The same field again, with another selection: the two are merged.
            found.append(f"{written.partition('@')[0]} {self.record(target, depth + 2, inside)}")
        return found

    def around(self, name: str, parts: Sequence[str], *, is_noun: bool) -> str:
        """A part again, in a fragment: named, inline, inline without a type, or on the interface."""
        inner = self.dice.choice(parts)
        match self.dice.choice(("named", "inline", "bare", "node")):
            case "named":
                return self.fragment(name, inner)
            case "inline":
                return f"... on {name}{self.directive()} {{ {inner} }}"
            case "node" if is_noun:
                return f"... on Node{self.directive()} {{ {self.alias()}id __typename }}"
            case _:
                return f"...{self.directive()} {{ {inner} }}"

    def fragment(self, on: str, inner: str) -> str:
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {on} {{ {inner} }}")
        return f"...{name}{self.directive()}"

    def plain(self, name: str) -> str:
        """Values that are there already: every field may be asked for."""
        type_: Any = self.world.schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        chosen = self.dice.sample(list(type_.fields), self.dice.randint(1, len(type_.fields)))
        parts = [
            f"{self.alias()}{x}"
            + (
                f" {self.plain(inner.name)}"
                if is_object_type(inner := get_named_type(type_.fields[x].type))
                else self.directive()
            )
            for x in chosen
        ]
        return f"{{ {' '.join(parts)} __typename }}"
