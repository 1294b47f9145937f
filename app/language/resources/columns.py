"""Which fields an answer shows: all of them, or the columns that a stream was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from app.ground.errors import Invalid, did_you_mean
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.shape import Item, Leaf, Parent, Shape, full

MOST_STEPS = 2


def shape_of(
    catalogue: Catalogue,
    resource: Resource,
    role: str,
    *,
    expand: Sequence[str] = (),
    columns: Sequence[str] = (),
    money_as_text: bool = False,
    pointer: str = "?columns",
) -> Shape:
    """Without `columns` every field that the role may read, and the expansions."""
    if not columns:
        return full(catalogue, resource, role, expand, money_as_text=money_as_text)
    paths = list(dict.fromkeys(tuple(column.split(".")) for column in (*columns, *expand)))
    return _narrow(catalogue, resource, role, paths, money_as_text, pointer)


def _narrow(
    catalogue: Catalogue,
    resource: Resource,
    role: str,
    paths: Sequence[tuple[str, ...]],
    exact: bool,
    pointer: str,
    steps: int = 0,
) -> Shape:
    behind: dict[str, list[tuple[str, ...]]] = {}
    items: dict[str, Item | None] = {}
    for head, *rest in paths:
        field = resource.by_name.get(head)
        if field is not None and field.readable_by(role) and not rest:
            items[head] = Leaf(head, "text" if exact and field.kind == "money" else "plain")
        elif head in resource.relations and rest and steps < MOST_STEPS:
            behind.setdefault(head, []).append(tuple(rest))
            items.setdefault(head, None)
        elif not rest and (
            head in resource.relations
            or head in resource.children_by_name
            or head in resource.listings_by_name
        ):
            whole = full(catalogue, resource, role, [head], money_as_text=exact)
            items[head] = dict(whole.items)[head]
        else:
            known = [x.name for x in resource.all_fields if x.readable_by(role)]
            known += [*resource.relations, *resource.children_by_name, *resource.listings_by_name]
            raise Invalid.field(
                pointer,
                "unknown_column",
                f'{resource.title} has no column "{".".join((head, *rest))[:80]}".{did_you_mean(head, known)}',
            )
    for name, inner in behind.items():
        target = catalogue[resource.relations[name].target]
        if items[name] is None:
            items[name] = Parent(name, _narrow(catalogue, target, role, inner, exact, pointer, steps + 1))
    return Shape(tuple((name, item) for name, item in items.items() if item is not None))


def column_names(shape: Shape, prefix: str = "") -> tuple[str, ...]:
    """One for each cell of a line: what lies behind a reference is `account.name`, a list is one cell."""
    names: list[str] = []
    for alias, item in shape.items:
        if isinstance(item, Parent):
            names += column_names(item.shape, f"{prefix}{alias}.")
        else:
            names.append(f"{prefix}{alias}")
    return tuple(names)
