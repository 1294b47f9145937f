"""A narrow key does not reach a noun through another one: not by expanding, not by filtering, not by sorting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.ground.access.permissions import demand
from app.ground.access.principal import Principal
from app.language.resources.filter import Condition, Filter
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.shape import Many, Parent, Shape


def demand_nouns(
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    shape: Shape,
    filter_: Filter | None = None,
    sort: Sequence[str] = (),
) -> None:
    """Raises Forbidden. Roles read every noun that a reference leads to, so only narrowed keys are asked."""
    if not principal.scopes:
        return
    paths = [
        *_shape_paths(shape),
        *_filter_paths(filter_),
        *(tuple(x.removeprefix("-").split(".")) for x in sort),
    ]
    for path in paths:
        for noun in _nouns(catalogue, resource, path):
            demand(principal, noun.permission_name, "read")


def _nouns(catalogue: Catalogue, resource: Resource, path: Sequence[str]) -> Iterator[Resource]:
    """The nouns that a path enters; what a path names and is no step is its field."""
    place = resource
    child = None
    for step in path:
        relations = {x.relation: x.target for x in (child or place).fields if x.relation and x.target}
        if step in relations:
            place, child = catalogue[relations[step]], None
        elif child is None and step in place.listings_by_name:
            place = catalogue[place.listings_by_name[step].target]
        elif child is None and step in place.children_by_name:
            child = place.children_by_name[step]
            continue
        else:
            return
        yield place


def _shape_paths(shape: Shape) -> Iterator[tuple[str, ...]]:
    for _, item in shape.items:
        if isinstance(item, Parent | Many):
            name = item.relation if isinstance(item, Parent) else item.name
            yield (name,)
            yield from ((name, *rest) for rest in _shape_paths(item.shape))
            if isinstance(item, Many):
                yield from ((name, *rest) for rest in _filter_paths(item.filter))


def _filter_paths(tree: Filter | None) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, Condition):
        yield tree.path
    elif tree is not None:
        for item in tree.items:
            yield from _filter_paths(item)
