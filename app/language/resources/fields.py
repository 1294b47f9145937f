"""The kinds of value that a noun's fields can hold, and a short constructor for each.

A kind fixes four things once for every face: the filter operators, the JSON schema, the GraphQL scalar and how
PostgreSQL writes the value into JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import FromClause

    from app.language.query.binds import Binds

KindName = Literal[
    "id",
    "reference",
    "text",
    "choice",
    "picklist",
    "integer",
    "money",
    "number",
    "flag",
    "day",
    "moment",
    "json",
    "numbers",
    "question",
    "custom",
]

_EQUALITY = ("eq", "ne", "in", "nin", "is_null")
_ORDER = ("lt", "lte", "gt", "gte")

OPERATORS: dict[str, tuple[str, ...]] = {
    "id": ("eq", "ne", "in", "nin"),
    "reference": _EQUALITY,
    "text": (*_EQUALITY, "contains", "starts_with"),
    "choice": _EQUALITY,
    "picklist": _EQUALITY,
    "integer": (*_EQUALITY, *_ORDER),
    "money": (*_EQUALITY, *_ORDER),
    "number": (*_EQUALITY, *_ORDER),
    "flag": ("eq", "ne", "is_null"),
    "day": (*_EQUALITY, *_ORDER, "in_period"),
    "moment": (*_EQUALITY, *_ORDER, "in_period"),
    "json": (),
    "numbers": (),
    "question": (),
    "custom": (),
}

SORTABLE = frozenset(
    {"id", "text", "choice", "picklist", "integer", "money", "number", "flag", "day", "moment"}
)

CUSTOM = "custom"
"""What a tenant has added lies under this name."""

Expression = Callable[["FromClause", "Binds"], "ColumnElement[Any]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a noun.

    `write`: `always`, `create` (fixed afterwards) or `never` (derived). `expression` computes a field that is no
    column. `read_roles` hides the field from every other role in select, filter, sort, expand and error text.
    `relation` is what expanding a reference is called; `target` the plural of the noun it points to. `shows` says that
    whoever sees a living record sees what it refers to: the target's own rule says so too, at the price of asking.
    """

    name: str
    kind: KindName
    description: str
    example: Any
    required: bool = False
    default: Any = None
    write: Literal["always", "create", "never"] = "always"
    values: tuple[str, ...] = ()
    target: str | None = None
    relation: str | None = None
    shows: bool = False
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    expression: Expression | None = None
    read_roles: frozenset[str] | None = None
    board: tuple[str, ...] = ()
    """For a reference: a board by it shows every record that it may point to, the empty ones too. Names the fields
    that both share, by which a condition on this noun leaves out some of those."""
    currency: bool = False
    """A text that must be an ISO 4217 code."""

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.kind]

    @property
    def sortable(self) -> bool:
        return self.kind in SORTABLE

    def readable_by(self, role: str) -> bool:
        return self.read_roles is None or role in self.read_roles


def text(name: str, description: str, example: str, *, max_length: int = 255, **rest: Any) -> Field:
    return Field(
        name=name, kind="text", description=description, example=example, max_length=max_length, **rest
    )


def choice(name: str, description: str, values: tuple[str, ...], **rest: Any) -> Field:
    """A closed list: an unknown value is refused."""
    rest.setdefault("example", values[0])
    return Field(name=name, kind="choice", description=description, values=values, **rest)


def picklist(name: str, description: str, example: str, **rest: Any) -> Field:
    """An open list kept by the tenant in `picklist_values`: an unknown value is kept, and `describe` reports it."""
    return Field(name=name, kind="picklist", description=description, example=example, max_length=120, **rest)


def reference(name: str, target: str, description: str, **rest: Any) -> Field:
    rest.setdefault("example", "01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10")
    rest.setdefault("relation", name.removesuffix("_id"))
    return Field(name=name, kind="reference", description=description, target=target, **rest)


def integer(name: str, description: str, example: int, **rest: Any) -> Field:
    rest.setdefault("minimum", -2_147_483_648)
    rest.setdefault("maximum", 2_147_483_647)
    return Field(name=name, kind="integer", description=description, example=example, **rest)


def money(name: str, description: str, example: float, **rest: Any) -> Field:
    """An amount with at most 15 significant digits and 4 decimals, its currency in another field of the record."""
    return Field(name=name, kind="money", description=description, example=example, **rest)


def number(name: str, description: str, example: float, **rest: Any) -> Field:
    return Field(name=name, kind="number", description=description, example=example, **rest)


def ratio(name: str, description: str, example: float, **rest: Any) -> Field:
    return Field(
        name=name, kind="number", description=description, example=example, minimum=0.0, maximum=1.0, **rest
    )  # fmt: skip


def flag(name: str, description: str, *, example: bool = True, **rest: Any) -> Field:
    return Field(name=name, kind="flag", description=description, example=example, **rest)


def day(name: str, description: str, example: str = "2026-03-31", **rest: Any) -> Field:
    return Field(name=name, kind="day", description=description, example=example, **rest)


def moment(name: str, description: str, example: str = "2026-03-31T16:30:00Z", **rest: Any) -> Field:
    return Field(name=name, kind="moment", description=description, example=example, **rest)


def json_list(name: str, description: str, example: Any, **rest: Any) -> Field:
    return Field(name=name, kind="json", description=description, example=example, **rest)


def numbers(
    name: str, description: str, example: list[float], *, most: int, maximum: float, **rest: Any
) -> Field:
    """A list of at least one and at `most` so many numbers from 0 to `maximum`, each of four decimals at most."""
    return Field(
        name=name, kind="numbers", description=description, example=example, minimum=0.0, maximum=maximum,
        max_length=most, **rest,
    )  # fmt: skip


def json_object(name: str, description: str, example: dict[str, Any], **rest: Any) -> Field:
    """Names and values that hang on the record, which no filter looks into."""
    return Field(name=name, kind="json", description=description, example=example, **rest)


def question(name: str, description: str, example: Any, **rest: Any) -> Field:
    """A question about numbers, as `/v1/metrics:query` takes it. What it asks is judged by the noun's `check`."""
    return Field(name=name, kind="question", description=description, example=example, **rest)


def custom() -> Field:
    """Every field that the tenant has added to the noun, by name; each has its own kind (`custom_fields`)."""
    return Field(
        name=CUSTOM,
        kind="custom",
        description=(
            "Fields that the tenant has added (`custom_fields`), by name. A change names those that change; null "
            "clears. Filter and sort by `custom.<name>`."
        ),
        example={},
    )
