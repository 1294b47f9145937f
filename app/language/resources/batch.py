"""What a write holds in hand between reading its rows and storing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from app.ground.access.principal import Principal
from app.ground.database.script import Part
from app.ground.database.session import Session
from app.ground.errors import FieldError, Invalid, NotFound

if TYPE_CHECKING:
    from app.language.resources.ahead import Ahead
    from app.language.resources.presumed import Presumed
    from app.language.resources.resource import Catalogue, Resource

PIECE = 1_000
"""Drafts that are stored by one statement."""

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""`-infinity`: a value carried back as far as anyone may ask."""


@dataclass(frozen=True, slots=True)
class Point:
    """At `at` these fields took these values. `inferred` when nobody told us so.

    A record that is deleted `ends`, and `resumes` when it is restored; between the two it is not there.
    """

    at: datetime
    changes: Mapping[str, Any]
    inferred: bool = False
    life: Literal["", "ends", "resumes"] = ""


@dataclass(slots=True)
class Version:
    """A record from one moment to the next (`valid_to` None: still so), in every business column."""

    valid_from: datetime
    valid_to: datetime | None
    values: dict[str, Any]
    inferred: bool = False


@dataclass(slots=True)
class Draft:
    """One record on its way through a write.

    `before` is the stored row (None when it is new), `changes` what the request sets, columns by name with references
    resolved, `after` the row as it will be stored, `versions` its whole history where the past changes too.
    """

    index: int
    changes: dict[str, Any]
    record_id: UUID | None = None
    external_key: tuple[str, str] | None = None
    before: Mapping[str, Any] | None = None
    after: dict[str, Any] = field(default_factory=dict)
    children: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    merged_children: set[str] = field(default_factory=set)
    history: list[Point] = field(default_factory=list)
    versions: list[Version] | None = None
    if_version: int | None = None
    source_updated_at: datetime | None = None
    """How new this row is by its source's own clock."""
    moment: datetime = BEGINNING
    delete: bool = False
    restore: bool = False
    live: bool = True
    intent: str | None = None
    """The verb that asked for this change, where one did."""
    since: datetime | None = None
    """From when the change holds, where the verb says so."""
    called: str | None = None
    """By which name its deletion is asked for: one that it has from a duplicate is no word for all of it."""
    into: str | None = None
    """The record into which its source has merged it, as the source calls that one."""
    same: bool = False
    """Whether its own fields are what they were: then only its children can differ."""
    stub: bool = False
    """Whether it is made because another row refers to it."""
    aside: bool = False
    """Whether it has left the way because it changes nothing; `reason` says why."""
    left: bool = False
    """Whether it has left the way, set aside or refused."""
    outcome: str = "unchanged"
    reason: str | None = None
    changed: list[str] = field(default_factory=list)
    errors: list[FieldError] = field(default_factory=list)
    failure: Exception | None = None

    @property
    def is_new(self) -> bool:
        return self.before is None

    @property
    def failed(self) -> bool:
        return bool(self.errors) or self.failure is not None

    def refuse(self, name: str, code: str, message: str) -> None:
        """Refuse this row; the others of the batch go on. `name` is a path inside the row, say `splits/0/share`."""
        self.errors.append(FieldError(f"/{name}" if name else "", code, message))
        self.left = True

    def refuse_all(self, errors: list[FieldError]) -> None:
        self.errors += errors
        self.left = True

    def fail(self, failure: Exception) -> None:
        """Refuse this row for what is wrong with it as a whole."""
        self.failure = failure
        self.left = True

    def leave(self, reason: str | None = None) -> None:
        self.aside = self.left = True
        self.reason = reason


def raise_first(draft: Draft) -> None:
    """Raises what refused it, if anything did."""
    if draft.failure is not None:
        raise draft.failure
    if draft.errors:
        missing = [e for e in draft.errors if e.code == "reference_not_found"]
        if missing:
            raise NotFound(missing[0].message, code="reference_not_found", errors=missing)
        raise Invalid(draft.errors[0].message, code=draft.errors[0].code, errors=draft.errors)


@dataclass(slots=True)
class Batch:
    """The drafts of one write of one noun, with what its rules looked up in `facts`."""

    session: Session
    principal: Principal
    catalogue: Catalogue
    resource: Resource
    drafts: list[Draft]
    moment: datetime = BEGINNING
    """When this write began, by the database's clock; known once it has looked up, or given where it follows from
    another write."""
    origin: str = "live"
    source: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    clearing: list[Part] = field(default_factory=list)
    """What must be out of the way before the rest is stored: one statement."""
    storing: list[Part] = field(default_factory=list)
    """What is stored, whatever the table: one statement."""
    unheld: list[tuple[Resource, set[UUID]]] = field(default_factory=list)
    """What it refers to and might be merged away before it is stored: looked up outside of the transaction."""
    presumed: Presumed | None = None
    """What was not looked up, where the statement that stores is to ask for it."""
    ahead: Ahead | None = None
    """What was looked up already while its rows were checked."""
    claims: int = 0
    """How many external ids it names for the first time."""
    firsts: tuple[str, ...] | None = None
    """The columns in which the first versions of new records differ from the records, where any has one before."""
    custom: tuple[str, ...] = ()
    """The tenant's own fields that stand in any of its rows, `custom.tier`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What a version of a record consists of."""
        return (*self.resource.plain_columns, *self.custom)

    def pieces(self) -> Iterator[Batch]:
        """Itself, or where it is large what it has gathered so far, then its drafts a piece at a time."""
        if len(self.drafts) <= PIECE:
            yield self
            return
        yield replace(self, drafts=[])
        yield from self.parts()

    def parts(self) -> Iterator[Batch]:
        """Its drafts a piece at a time, with nothing gathered."""
        for first in range(0, len(self.drafts), PIECE):
            drafts = self.drafts[first : first + PIECE]
            yield replace(self, drafts=drafts, clearing=[], storing=[], unheld=[], claims=0)

    def moving(self) -> Batch:
        """Those of its drafts that may leave anything to be stored, once they are judged."""
        drafts = [d for d in self.standing if d.outcome != "unchanged" or d.children or d.history]
        return replace(self, drafts=drafts)

    @property
    def standing(self) -> list[Draft]:
        """The drafts that are still on their way: neither refused nor set aside."""
        return [d for d in self.drafts if not d.left]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one row. `outcome`: created, updated, unchanged, restored, deleted or failed."""

    index: int
    outcome: str
    id: UUID | None = None
    external_id: str | None = None
    version: int | None = None
    changed: tuple[str, ...] = ()
    reason: str | None = None
    errors: tuple[FieldError, ...] = ()
    failure: Exception | None = None
    json: str | None = None
    """The record as it was stored, where a reply was asked for and the statement that stored it could tell."""
