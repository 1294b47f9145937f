"""What a list is asked for: by query parameters or by the JSON body of `:query`, the same options either way."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.faces.rest.edge import Call
from app.faces.rest.parameters import Parameters, moment_of, unknown
from app.ground.errors import FieldError, Invalid
from app.language.resources import filter as filters
from app.language.resources.payload import faults
from app.language.resources.resource import Resource
from app.language.resources.words import LONGEST_SEARCH

USUAL_LIMIT, LARGEST_LIMIT = 50, 200

Included = Literal["total", "deleted"]
Money = Literal["number", "string"]


class Question(BaseModel):
    """The body of `:query`: a tree of conditions, and options that mean what the parameters of their names do."""

    model_config = ConfigDict(extra="forbid", strict=True)

    place: ClassVar[str] = "/"
    filter: dict[str, Any] | None = Field(
        default=None,
        description=(
            "Conditions by field: a value, or operators on one. Keys beside each other are all to hold; `and`, `or` "
            "take lists, `not` one tree."
        ),
    )
    q: str | None = Field(
        default=None,
        max_length=LONGEST_SEARCH,
        description="Beginnings of words, all of which a record has; in any case, without accents.",
    )
    sort: list[str] = Field(default=[], max_length=5, description="Fields; `-` before a name turns it round.")
    expand: list[str] = Field(
        default=[], max_length=20, description="Relations, children and listings to write out."
    )
    columns: list[str] = Field(
        default=[], max_length=200, description="For CSV and NDJSON: fields in their order."
    )
    include: list[Included] = Field(
        default=[], description="`total` counts all matches; `deleted` shows deleted ones."
    )
    limit: int | None = Field(default=None, ge=1, description="Records in this page.")
    cursor: str | None = Field(
        default=None, max_length=2000, description="`next_cursor` of the page before this one."
    )
    before: str | None = Field(
        default=None, max_length=2000, description="`previous_cursor` of the page behind this one."
    )
    as_of: str | None = Field(default=None, description="Records as they were then; a moment or a day.")
    known_at: str | None = Field(default=None, description="… by what was known then; a moment or a day.")
    money: Money = Field(default="number", description="`string` writes money as exact decimal text.")

    def filtered(self, call: Call, values: filters.Values) -> filters.Filter | None:
        """The conditions, and the words of `q` beside them."""
        found = self.conditions(call, values)
        if self.q is None:
            return found
        past = self.as_of is not None
        words = filters.searched(call.resource, self.q, values, f"{self.place}q", past=past)
        return filters.both(found, words)

    def conditions(self, call: Call, values: filters.Values) -> filters.Filter | None:
        if self.filter is None:
            return None
        return filters.from_tree(call.catalogue, call.resource, call.principal, self.filter, values)

    def moments(self, call: Call, prefix: str) -> tuple[datetime | None, datetime | None]:
        zone = call.principal.tenant.zone
        as_of = None if self.as_of is None else moment_of(self.as_of, f"{prefix}as_of", zone)
        known_at = None if self.known_at is None else moment_of(self.known_at, f"{prefix}known_at", zone)
        return as_of, known_at


class Asked(Question):
    """A question that came by parameters: its filter is what no option claimed."""

    place: ClassVar[str] = "?"
    items: list[tuple[str, str]] = []

    def conditions(self, call: Call, values: filters.Values) -> filters.Filter | None:
        if not self.items:
            return None
        return filters.from_parameters(call.catalogue, call.resource, call.principal, self.items, values)


def from_parameters(call: Call, *, streaming: bool) -> Asked:
    parameters = call.parameters
    question = Asked.model_construct(
        sort=parameters.many("sort"),
        expand=parameters.many("expand"),
        columns=parameters.many("columns"),
        include=sorted(parameters.words("include", ("total", "deleted"))),
        limit=_limit(parameters, streaming=streaming),
        cursor=parameters.one("cursor"),
        before=parameters.one("before"),
        as_of=parameters.one("as_of") if call.resource.tracked else None,
        known_at=parameters.one("known_at") if call.resource.tracked else None,
        money=parameters.word("money", ("number", "string"), "number"),
        filter=None,
        q=call.parameters.one("q"),
        items=[],
    )
    question.items = _filters(parameters, call.resource)
    return question


def of_changes(call: Call) -> Asked:
    """What may be asked beside `changes_since`: which records, and how much of them; their order is the feed's."""
    parameters = call.parameters
    question = Asked.model_construct(
        expand=parameters.many("expand"),
        limit=_limit(parameters, streaming=False),
        money=parameters.word("money", ("number", "string"), "number"),
        filter=None,
        q=call.parameters.one("q"),
        items=[],
    )
    for name in ("sort", "cursor", "before", "include", "as_of", "known_at", "columns"):
        if parameters.many(name):
            raise Invalid.field(f"?{name}", "contradiction", f"`{name}` does not go with `changes_since`.")
    question.items = _filters(parameters, call.resource)
    return question


def of_board(call: Call, usual: int, most: int) -> Asked:
    """What may be asked of a board: which records, in which order in each column, and how much of them."""
    parameters = call.parameters
    question = Asked.model_construct(
        sort=parameters.many("sort"),
        expand=parameters.many("expand"),
        limit=parameters.number("limit", usual, most=most),
        money=parameters.word("money", ("number", "string"), "number"),
        filter=None,
        q=call.parameters.one("q"),
        items=[],
    )
    question.items = _filters(parameters, call.resource)
    return question


def from_body(call: Call, body: dict[str, Any], *, streaming: bool) -> Question:
    call.parameters.nothing_else()
    try:
        question = Question.model_validate(body)
    except ValidationError as error:
        raise Invalid("The question is not valid.", errors=faults(error, Question.model_fields)) from None
    if question.limit is not None and question.limit > LARGEST_LIMIT and not streaming:
        raise Invalid.field("/limit", "out_of_range", f"`limit` is a whole number from 1 to {LARGEST_LIMIT}.")
    if not call.resource.tracked and (question.as_of or question.known_at):
        raise Invalid.field("/as_of", "not_tracked", f"{call.resource.title} keeps no history.")
    return question


def _limit(parameters: Parameters, *, streaming: bool) -> int | None:
    if "limit" not in {name for name, _ in parameters.items}:
        parameters.known.add("limit")
        return None
    return parameters.number("limit", USUAL_LIMIT, most=999_999_999 if streaming else LARGEST_LIMIT)


def _filters(parameters: Parameters, resource: Resource) -> list[tuple[str, str]]:
    """What is left can only be a filter. A first step that the noun does not have is judged here, where the options
    are known too: `limt` was meant for one of them."""
    errors: list[FieldError] = []
    steps = {*resource.by_name, *resource.relations, *resource.children_by_name, *resource.listings_by_name}
    for name, _ in parameters.items:
        first = name.partition(".")[0].partition("[")[0]
        if first in steps:
            continue
        nearest = get_close_matches(first, [*parameters.known, *steps], n=1)
        if nearest and nearest[0] in parameters.known:
            errors.append(unknown(name, parameters.known))
    if errors:
        raise Invalid("A parameter is not known here.", code="unknown_parameter", errors=errors)
    return parameters.items
