"""What of a record is wanted: which fields under which names, which parents and which lists inside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import lru_cache
from typing import Literal

from app.ground.errors import Invalid, did_you_mean
from app.language.resources.filter import Filter
from app.language.resources.resource import Catalogue, Child, Resource

MAX_EXPANSION = 2
NESTED_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field. `upper` writes a choice as GraphQL names it, `text` an amount as an exact string."""

    field: str
    form: Literal["plain", "upper", "text"] = "plain"


@dataclass(frozen=True, slots=True)
class Constant:
    text: str


@dataclass(frozen=True, slots=True)
class Parent:
    relation: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Many:
    """A child list or a listing: at most `first` rows, by `sort` or the noun's own order."""

    name: str
    shape: Shape
    first: int | None = None
    filter: Filter | None = None
    sort: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picked:
    """Some of the fields that the tenant has added, each with its kind."""

    fields: tuple[tuple[str, str], ...]


Item = Leaf | Constant | Parent | Many | Picked


@dataclass(frozen=True, slots=True)
class Shape:
    items: tuple[tuple[str, Item], ...]
    _hash: int = attribute(init=False, repr=False, compare=False)
    """Reckoned once: a shape is looked up by at every request, and may hold hundreds of items."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.items))

    def __hash__(self) -> int:
        return self._hash


def full(
    catalogue: Catalogue,
    resource: Resource | Child,
    role: str,
    expand: Iterable[str] = (),
    *,
    money_as_text: bool = False,
) -> Shape:
    """Every field that the role may read, in the order of the declaration, with the expansions asked for.

    `expand` takes references (`account`), children (`line_items`) and listings (`activities`), and one step more
    behind a point (`account.owner`).
    """
    return _full(catalogue, resource, role, tuple(expand), money_as_text)


@lru_cache(maxsize=1024)
def _full(
    catalogue: Catalogue, resource: Resource | Child, role: str, expand: tuple[str, ...], money_as_text: bool
) -> Shape:
    inner: dict[str, list[str]] = {}
    for path in expand:
        head, _, rest = path.partition(".")
        if path.count(".") >= MAX_EXPANSION:
            raise Invalid.field(
                "?expand", "path_too_long", f"An expansion takes at most {MAX_EXPANSION} steps."
            )
        inner.setdefault(head, []).extend([rest] if rest else [])
    fields = resource.all_fields if isinstance(resource, Resource) else resource.fields
    items: list[tuple[str, Item]] = []
    if isinstance(resource, Child):
        items.append(("id", Leaf("id")))
    for field in fields:
        if field.readable_by(role):
            exact = money_as_text and field.kind == "money"
            items.append((field.name, Leaf(field.name, "text" if exact else "plain")))
    for name, rest in inner.items():
        items.append((name, _expansion(catalogue, resource, role, name, rest, money_as_text)))
    return Shape(tuple(items))


def _expansion(
    catalogue: Catalogue,
    resource: Resource | Child,
    role: str,
    name: str,
    rest: list[str],
    money_as_text: bool,
) -> Item:
    relations = {x.relation: x.target for x in resource.fields if x.relation and x.target}
    if name in relations:
        target = catalogue[relations[name]]
        return Parent(name, full(catalogue, target, role, rest, money_as_text=money_as_text))
    if isinstance(resource, Resource) and name in resource.children_by_name:
        child = resource.children_by_name[name]
        return Many(name, full(catalogue, child, role, rest, money_as_text=money_as_text))
    if isinstance(resource, Resource) and name in resource.listings_by_name:
        target = catalogue[resource.listings_by_name[name].target]
        return Many(name, full(catalogue, target, role, rest, money_as_text=money_as_text), NESTED_LIMIT)
    known = [*relations]
    if isinstance(resource, Resource):
        known += [*resource.children_by_name, *resource.listings_by_name]
    raise Invalid.field(
        "?expand", "unknown_expansion", f'"{name[:80]}" cannot be expanded.' + did_you_mean(name, known)
    )
