"""How the declarations' names are written in GraphQL. One rule per kind of name, so that none is chosen by hand."""

from __future__ import annotations

import keyword

from app.language.resources.fields import CUSTOM, Field
from app.language.resources.payload import class_name
from app.language.resources.resource import Action, Child, Inquiry, Resource


def camel(name: str) -> str:
    """`line_items` to `lineItems`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def snake(name: str) -> str:
    """`lineItems` to `line_items`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def attribute(name: str) -> str:
    """A name that a Python class may carry: `in` and `and` are words of the language."""
    return f"{name}_" if keyword.iskeyword(name) else name


def type_name(resource: Resource) -> str:
    return class_name(resource.name)


def child_type_name(resource: Resource, child: Child) -> str:
    return class_name(resource.name) + class_name(child.singular)


def enum_name(owner: str, field: Field) -> str:
    return owner + class_name(field.name)


def action_field(resource: Resource, action: Action | Inquiry) -> str:
    """`closeWonOpportunity`."""
    return camel(action.name) + class_name(resource.name)


def action_input_name(resource: Resource, action: Action | Inquiry) -> str:
    """`OpportunityCloseWon`, the name that REST gives the same body."""
    return class_name(resource.name) + class_name(action.name)


def pointer(path: str) -> str:
    """A JSON pointer of the languages (`/line_items/0/list_price`) in the names that a GraphQL caller wrote."""
    head, custom, rest = path.partition(f"/{CUSTOM}/")
    parts = (camel(part) if part.isidentifier() and part.islower() else part for part in head.split("/"))
    return "/".join(parts) + custom + rest


def changed(name: str) -> str:
    """A changed field; those that the tenant has added keep their names."""
    return name if name.startswith(f"{CUSTOM}.") else camel(name)
