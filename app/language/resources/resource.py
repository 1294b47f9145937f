"""A noun, declared once. Every face is rendered from these declarations; nothing here knows a face or an area."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy import Table

from app.language.resources import fields as f
from app.language.resources.fields import Expression, Field

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement
    from sqlalchemy.sql.selectable import FromClause

    from app.language.query.binds import Binds
    from app.language.resources.batch import Batch, Draft, Point

Visible = Callable[["FromClause", "Binds"], "ColumnElement[bool] | None"]
"""`(from_clause, binds)` to the rows that the asking principal may see; None means all of the tenant."""

ALL_OPERATIONS = frozenset({"list", "get", "create", "update", "delete", "upsert"})


@dataclass(frozen=True, kw_only=True)
class Relation:
    """To one: expanding `reference` gives the record it points to."""

    name: str
    reference: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A factor that is the same for all records that agree in the fields of `over`, and reads nothing else of them."""

    over: tuple[str, ...]
    value: Expression


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What records are worth in the home currency, each at the rate of its own day; `sums` by name, weighted or not."""

    amount: str
    currency: str
    day: Expression
    sums: Mapping[str, Weight | None]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """To many: the records of another noun that refer to this one, say an account's opportunities."""

    name: str
    target: str
    via: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Follows:
    """Who sees a record of this noun hangs on records of another, so their changes are changes for it.

    `via` is this noun's reference to them, or with `backwards` theirs to this one; `when` names what of theirs decides
    (a deletion and a restoration always do).
    """

    noun: str
    via: str
    when: tuple[str, ...]
    backwards: bool = False
    child: str | None = None
    """Where a list inside of theirs refers to this one, its name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Child:
    """Rows that are part of a record and are written with it (`line_items`, `splits`, `team`).

    A list that is present replaces the stored one. `key` names the fields by which a row is recognised, so that it
    keeps its id and history; a row with an `external_id` is recognised by that first.
    """

    name: str
    singular: str
    table: Table
    history: Table
    parent: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    description: str
    check: Callable[[Sequence[Mapping[str, Any]]], str | None] | None = None
    complete: Callable[[dict[str, Any], int], None] | None = None
    """Fills what a child row leaves out (its position, its amount), before it is compared with the stored one."""
    refine: Callable[[dict[str, Any], Mapping[str, Any] | None, int, Draft, Batch], None] | None = None
    """`(row, stored, index, draft, batch)`: what else follows for a row, beside the stored one and what the noun's
    `prepare` has looked up; may refuse the draft."""

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {x.name: x for x in self.fields}


@dataclass(frozen=True, kw_only=True)
class Action:
    """A verb on one record: a plain async function from what is stored and the input to the fields to change.

    The change then takes the one write path, with its rules, history, events and receipt.
    """

    name: str
    noun: str
    title: str
    description: str
    input: type[BaseModel]
    run: Callable[[ActionCall], Awaitable[dict[str, Any]]]
    references: Mapping[str, str] = field(default_factory=dict)
    """Fields of the input that name a record, or several, with that record's plural; resolved before it runs."""
    ends: tuple[str, ...] = ()
    """Those of `references` whose records, of the same noun, it ends: nobody may begin to refer to them meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """A question about one record: an async function from what is stored and the input to a document that is reckoned.

    It changes nothing, and whoever sees the record may ask. An area declares it also on a noun of an area below, so
    `app/areas.py` lists inquiries by themselves. The names of their models are made by rule (`inquire.py`).
    """

    name: str
    noun: str
    title: str
    description: str
    input: type[BaseModel]
    answer: type[BaseModel]
    run: Callable[[ActionCall], Awaitable[Mapping[str, Any]]]
    """Its answer has the fields of `answer`, amounts as exact decimals."""
    references: Mapping[str, str] = field(default_factory=dict)
    """As an action's."""
    reads: tuple[str, ...] = ()
    """What the asker must be permitted to read beside the noun itself, the narrowest first."""


@dataclass(frozen=True, slots=True)
class ActionCall:
    """`record` holds the stored columns, locked for an action; `found` the ids of what the input refers to
    (`Action.references`), a list where it names several.

    The dict that an action returns is written as a patch. It may set what callers may not, and `at` says since when
    it holds.
    """

    session: Any
    principal: Any
    catalogue: Catalogue
    record: Mapping[str, Any]
    input: Any
    found: Mapping[str, Any]


async def _nothing(_: Batch) -> None:
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One noun.

    The hooks of a write, in the order in which they run over a whole batch (none of them commits):

    `lookups`   what the rules need of small tables, asked in the statement that looks up everything else
    `prepare`   loads what else the rules need, set-wise, into `batch.facts`
    `infer`     a new record without history: the points of time at which its values changed (`kpis.md`, 14)
    `advance`   pure: what follows from a change (`category` from the stage); runs for every version of a record
    `since`     from when a change holds, and what of it: a deal was won on the day that it says
    `check`     refuses drafts by `draft.refuse(field, code, message)`
    `settled`   after the rows are written: what other tables must follow (the closure of the hierarchy)
    """

    name: str
    plural: str
    title: str
    description: str
    table: Table
    history: Table | None
    fields: tuple[Field, ...]
    label: str = "name"
    visible: Visible = lambda _from, _binds: None
    standing: Callable[[Binds], ColumnElement[str]] | None = None
    """The asker's place as one text, where `visible` hangs on it: once it is another, so is what is seen."""
    follows: tuple[Follows, ...] = ()
    past_is_told: bool = True
    """Whether a source may tell the past of a tracked noun; not where its verbs alone write what counts."""
    children: tuple[Child, ...] = ()
    listings: tuple[Listing, ...] = ()
    actions: tuple[Action, ...] = ()
    operations: frozenset[str] = ALL_OPERATIONS
    default_sort: tuple[str, ...] = ("-created_at",)
    timeline: tuple[str, ...] = ()
    """Listings whose records stand in this noun's timeline, beside the changes of its own fields."""
    happens: tuple[str, ...] = ("created_at",)
    """When a record of this noun took place: the first of these fields that is filled."""
    search: tuple[str, ...] = ()
    """Texts that `q=` finds by the beginnings of their words. Everyone who sees the record may read them."""
    worth: Worth | None = None
    """What a board sums for each of its columns."""
    permission: str | None = None
    lookups: Mapping[str, str] = field(default_factory=dict)
    """What its rules need of small tables: a name in `batch.facts` to a select of one JSON value, `$1` the tenant."""
    rests_on: tuple[str, ...] | None = None
    """The nouns from whose records `lookups` are read: few records, which all of the tenant see. Where this is told, a
    create need not look before it stores (`presumed.py`); its rules ask for nothing else, and compare no moment."""
    prepare: Callable[[Batch], Awaitable[None]] = _nothing
    infer: Callable[[Draft, Batch], list[Point]] | None = None
    advance: Callable[[Mapping[str, Any] | None, dict[str, Any], Any, Batch], None] | None = None
    since: Callable[[Draft, Batch], Any] | None = None
    check: Callable[[Batch], Awaitable[None]] = _nothing
    check_by_row: bool = False
    """Whether `check` judges each row for itself, so that it may also be asked of a part of a batch."""
    settled: Callable[[Batch], Awaitable[None]] = _nothing
    event_types: Callable[[Draft], Iterable[str]] | None = None
    numbers: Callable[[Any, Any, Catalogue, str], Awaitable[Any]] | None = None
    """Where its records hold a question about numbers that whoever sees the record may have the answer to:
    `(session, principal, catalogue, reference)` to what is asked, and as whom (`metrics/held.py`)."""
    heard_at_once: bool = False
    """Whether its records decide what is known of whoever comes in, so that a change must not wait for them to come
    anew."""
    unique: tuple[tuple[str, ...], ...] = field(default=())
    """Fields whose combination is unique among live rows, by a unique index of the table."""

    def __post_init__(self) -> None:
        if f.CUSTOM in self.table.columns:
            object.__setattr__(self, "fields", (*self.fields, f.custom()))

    @cached_property
    def all_fields(self) -> tuple[Field, ...]:
        """The declared fields between those that every record carries."""
        return (
            f.Field(
                name="id", kind="id", write="never", description=f"Id of the {self.title.lower()} (UUIDv7).",
                example="01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10",
            ),
            *self.fields,
            f.json_list(
                "external_ids", "Every name that a source gives this record.",
                [{"source": "salesforce", "external_id": "006Ab00000AbCdE", "url": None}], write="never",
            ),
            f.integer("version", "Counts writes; the ETag.", 1, write="never"),
            f.moment("created_at", "When the record was first stored here.", write="never"),
            f.moment("updated_at", "When the record was last changed here.", write="never"),
            f.moment("deleted_at", "When it was deleted; null while it lives.", write="never"),
        )  # fmt: skip

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {x.name: x for x in self.all_fields}

    def hidden_from(self, role: str) -> tuple[str, ...]:
        """Fields that this role may not read, not even as names."""
        return tuple(x.name for x in self.fields if not x.readable_by(role))

    @cached_property
    def writable(self) -> tuple[Field, ...]:
        return tuple(x for x in self.fields if x.write != "never")

    @cached_property
    def relations(self) -> dict[str, Relation]:
        return {
            x.relation: Relation(name=x.relation, reference=x.name, target=x.target)
            for x in self.fields
            if x.relation and x.target
        }

    @property
    def amounts(self) -> tuple[str, ...]:
        """The sums of a board, by name."""
        return tuple(self.worth.sums) if self.worth else ()

    @cached_property
    def children_by_name(self) -> dict[str, Child]:
        return {x.name: x for x in self.children}

    @cached_property
    def listings_by_name(self) -> dict[str, Listing]:
        return {x.name: x for x in self.listings}

    @cached_property
    def actions_by_name(self) -> dict[str, Action]:
        return {x.name: x for x in self.actions}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The business columns of the table: what a draft holds and a history row repeats."""
        from app.ground.database.tables import BOOKKEEPING

        return tuple(c.name for c in self.table.columns if c.name not in BOOKKEEPING)

    @cached_property
    def stored_names(self) -> frozenset[str]:
        """Every column of the table."""
        return frozenset(self.table.columns.keys())

    @cached_property
    def child_keys(self) -> frozenset[str]:
        """Under which names a payload may hold children: `line_items`, `line_items_merge`."""
        return frozenset(x.name + end for x in self.children for end in ("", "_merge"))

    @cached_property
    def own_columns(self) -> tuple[str, ...]:
        """Those of them that a write of this noun stores; others are kept up by other nouns' writes."""
        return tuple(x for x in self.columns if not self.table.columns[x].info.get("untracked"))

    @cached_property
    def plain_columns(self) -> tuple[str, ...]:
        """Those without the tenant's own fields, which a write takes apart."""
        return tuple(x for x in self.own_columns if x != f.CUSTOM)

    @property
    def judges_rows(self) -> bool:
        """Whether a large batch may be stored in part while the rest of it is judged."""
        return self.check is _nothing or self.check_by_row

    @property
    def is_settled(self) -> bool:
        """Whether other tables follow once its rows are written."""
        return self.settled is not _nothing

    @property
    def tracked(self) -> bool:
        return self.history is not None

    @property
    def takes_past(self) -> bool:
        """Whether an upsert's row may have a `history`."""
        return self.tracked and self.past_is_told

    @property
    def permission_name(self) -> str:
        return self.permission or self.plural


@lru_cache
def defaults(resource: Resource, home: str) -> tuple[tuple[str, Any], ...]:
    """What a null means in the fields where it means something; `home` is the tenant's currency."""
    found = ((x.name, home if x.currency and not x.required else x.default) for x in resource.fields)
    return tuple((name, default) for name, default in found if default is not None)


_BUILT_IN = frozenset({"restore", "upsert", "reconcile", "query", "history"})
"""What every noun's paths may end in, behind a colon."""


class Catalogue:
    """Every noun of the service by its plural, handed down by `app/areas.py`; the languages look nouns up here, and
    what is asked about their records."""

    def __init__(self, resources: Iterable[Resource], inquiries: Iterable[Inquiry] = ()) -> None:
        self.by_plural = {x.plural: x for x in resources}
        self.by_name = {x.name: x for x in self.by_plural.values()}
        self.verbs = {x.plural: _BUILT_IN | frozenset(x.actions_by_name) for x in self}
        """By plural, what may follow a record's name in a path. No external id ends so."""
        self.inquiries: dict[str, tuple[Inquiry, ...]] = {x.plural: () for x in self}
        for inquiry in inquiries:
            noun = inquiry.noun
            if inquiry.name in self.verbs[noun]:
                raise ValueError(f"{noun}:{inquiry.name} is there already")
            self.verbs[noun] |= {inquiry.name}
            self.inquiries[noun] += (inquiry,)

    def __iter__(self) -> Any:
        return iter(self.by_plural.values())

    def __getitem__(self, plural: str) -> Resource:
        return self.by_plural[plural]
