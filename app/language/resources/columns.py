"""Which fields an answer shows: all of them, or the columns that a stream was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from app.ground.access.custom import NONE, Custom
from app.ground.errors import Invalid, did_you_mean
from app.language.resources.fields import CUSTOM
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.shape import Item, Leaf, Parent, Picked, Shape, full

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
    custom: Custom = NONE,
    cells: bool = False,
) -> Shape:
    """Without `columns` every field that the role may read, and the expansions; for `cells` each field that the tenant
    has added by itself."""
    if not columns:
        shape = full(catalogue, resource, role, expand, money_as_text=money_as_text)
        return _apart(catalogue, resource, shape, custom) if cells else shape
    paths = list(dict.fromkeys(tuple(column.split(".")) for column in (*columns, *expand)))
    return _narrow(catalogue, resource, role, paths, money_as_text, pointer, custom)


def _apart(catalogue: Catalogue, resource: Resource, shape: Shape, custom: Custom) -> Shape:
    items: list[tuple[str, Item]] = []
    for name, item in shape.items:
        if name == CUSTOM:
            if added := custom.of(resource.plural):
                items.append((name, Picked(tuple(added.items()))))
        elif isinstance(item, Parent):
            target = catalogue[resource.relations[item.relation].target]
            items.append((name, Parent(item.relation, _apart(catalogue, target, item.shape, custom))))
        else:
            items.append((name, item))
    return Shape(tuple(items))


def _narrow(
    catalogue: Catalogue,
    resource: Resource,
    role: str,
    paths: Sequence[tuple[str, ...]],
    exact: bool,
    pointer: str,
    custom: Custom,
    steps: int = 0,
) -> Shape:
    behind: dict[str, list[tuple[str, ...]]] = {}
    items: dict[str, Item | None] = {}
    added = custom.of(resource.plural)
    picked: dict[str, str] = {}
    for head, *rest in paths:
        field = resource.by_name.get(head)
        if field is not None and field.readable_by(role) and not rest:
            items[head] = Leaf(head, "text" if exact and field.kind == "money" else "plain")
        elif head == CUSTOM and len(rest) == 1 and rest[0] in added:
            picked[rest[0]] = added[rest[0]]
            items.setdefault(head, None)
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
            hint = did_you_mean(head, known) if head != CUSTOM else did_you_mean(".".join(rest), added)
            raise Invalid.field(
                pointer,
                "unknown_column",
                f'{resource.title} has no column "{".".join((head, *rest))[:80]}".{hint}',
            )
    if picked and items[CUSTOM] is None:
        items[CUSTOM] = Picked(tuple(picked.items()))
    for name, inner in behind.items():
        target = catalogue[resource.relations[name].target]
        if items[name] is None:
            shape = _narrow(catalogue, target, role, inner, exact, pointer, custom, steps + 1)
            items[name] = Parent(name, shape)
    return Shape(tuple((name, item) for name, item in items.items() if item is not None))


def column_names(shape: Shape, prefix: str = "") -> tuple[str, ...]:
    """One for each cell of a line: what lies behind a reference is `account.name`, a list is one cell."""
    names: list[str] = []
    for alias, item in shape.items:
        if isinstance(item, Parent):
            names += column_names(item.shape, f"{prefix}{alias}.")
        elif isinstance(item, Picked):
            names += (f"{prefix}{alias}.{name}" for name, _ in item.fields)
        else:
            names.append(f"{prefix}{alias}")
    return tuple(names)
