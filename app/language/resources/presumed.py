"""A create that does not look first: the statement that stores it asks whether what it presumes is so.

What a look-up found of a tenant's small tables is kept with their revision, the sum of all versions in them. Every
write of theirs raises it and none is ever taken out, so where it is the same, everything is. The statement compares it,
looks whether the key is free and the references are there, and undoes itself (`script.refusal`) where one of that is
not so. Then, as where a rule refuses, all of it is done again the long way, which says exactly what is wrong: from what
is presumed alone nobody is ever refused.

The moment of such a write is the statement's own, `now()`. Rules see a guess of it, with which nothing is compared: a
record that is told a moment of its own is looked up.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from app.ground.access import idempotency
from app.ground.access.idempotency import Claim
from app.ground.database import script
from app.ground.database.script import Part
from app.language.resources import custom, picklists, places, references
from app.language.resources.batch import Batch
from app.language.resources.places import Place
from app.language.resources.references import Asker
from app.language.resources.reply import Reply
from app.language.resources.resource import Catalogue, Resource

PRESUMED = "presumed"

_MOST = 1024
"""Tenants and nouns whose small tables a process keeps."""


@dataclass(slots=True)
class Known:
    """What was found at a revision. `living` are ids, as callers write them, of nouns that the revision counts."""

    revision: int
    facts: Mapping[str, str]
    spellings: str | None
    moment: datetime
    at: float
    """When that was, by the process's own clock."""
    living: dict[str, UUID] = field(default_factory=dict)

    def now(self) -> datetime:
        """A guess; and one object, by which the writing knows it again."""
        return self.moment + timedelta(seconds=time.monotonic() - self.at)


@dataclass(frozen=True, slots=True)
class Presumed:
    """That the small tables are at `revision`, these references are there, and the key is free."""

    tenant_id: UUID
    resource: Resource
    catalogue: Catalogue
    asker: Asker
    revision: int
    references: Sequence[tuple[Resource, UUID]]
    claim: Claim | None

    @property
    def part(self) -> Part:
        """The conditions under which the write must not be: one row, `presumed (holds)`."""
        missing = [references.missing(self.asker, noun, id_) for noun, id_ in self.references]
        taken = [self.claim.taken] if self.claim is not None else []
        return script.any_of([*taken, self._changed, *missing], PRESUMED)

    @property
    def _changed(self) -> Part:
        sql = revision(self.resource, self.catalogue)
        return Part(f"{sql} <> $2::bigint", [self.tenant_id, self.revision])

    @staticmethod
    def together(presumed: Sequence[Presumed]) -> Part:
        """The same of several writes of one caller, all at one revision, and all with a key or all without."""
        first = presumed[0]
        wanted: dict[Resource, set[UUID]] = {}
        for one in presumed:
            for noun, id_ in one.references:
                wanted.setdefault(noun, set()).add(id_)
        # In one order, so that no two hold what the other waits for.
        missing = [
            references.any_missing(first.asker, noun, sorted(wanted[noun]))
            for noun in sorted(wanted, key=lambda x: x.plural)
        ]
        claims = [x.claim for x in presumed if x.claim is not None]
        taken = [idempotency.any_taken(claims)] if claims else []
        return script.any_of([*taken, first._changed, *missing], PRESUMED)


_known: OrderedDict[tuple[UUID, str], Known] = OrderedDict()


def like(batch: Batch, reply: Reply | None) -> bool:
    """Whether this is such a write: then the next may need no look, and what this one finds is worth keeping. What a
    transaction sees that has written may never be."""
    if reply is None or batch.resource.rests_on is None or not batch.session.alone or len(batch.drafts) != 1:
        return False
    draft = batch.drafts[0]
    return draft.record_id is None and draft.external_key is None


@lru_cache
def revision(resource: Resource, catalogue: Catalogue) -> str:
    """Of the small tables on which it rests; behind row-level security these are the tenant's rows."""
    tables = (catalogue[noun].table.name for noun in _small(resource))
    rows = " union all ".join(f"select version from {x} where tenant_id = $1" for x in tables)
    return f"coalesce((select sum(version) from ({rows}) x), 0)"


@lru_cache
def _small(resource: Resource) -> tuple[str, ...]:
    return (*(resource.rests_on or ()), picklists.NOUN)


def learn(
    batch: Batch, revision: int, facts: Mapping[str, str], spellings: str | None,
    living: Mapping[str, Mapping[Any, UUID]],
) -> None:  # fmt: skip
    """Keep what a look-up has found; `living` are the references, by noun."""
    key = (batch.session.tenant_id, batch.resource.plural)
    fresh = Known(revision, facts, spellings, batch.moment, time.monotonic())
    old = _known.pop(key, None)
    if old is not None and old.revision == revision:
        fresh.living, fresh.spellings = old.living, spellings or old.spellings
    for noun in _small(batch.resource):
        fresh.living |= {word: id_ for word, id_ in living.get(noun, {}).items() if word == str(id_)}
    _known[key] = fresh
    if len(_known) > _MOST:
        _known.popitem(last=False)


def presume(batch: Batch, reply: Reply) -> bool:
    """Stands for a look-up, from what is known, for the storing statement to ask whether it is so. Says no, and has
    done nothing, where something has to be looked up."""
    [draft] = batch.drafts
    known = _known.get((batch.session.tenant_id, batch.resource.plural))
    if known is None or not _is_plain(batch.resource, draft.changes):
        return False
    ask = picklists.sent(batch)
    if ask and known.spellings is None:
        return False
    found: list[tuple[Place, UUID]] = []
    asked: list[tuple[Resource, UUID]] = []
    for target, slots in places.of(batch).items():
        for place in slots:
            word = place.values[place.name]
            if target in _small(batch.resource):
                id_ = known.living.get(word)
            elif isinstance(id_ := _meant(batch, target, word), UUID):
                asked.append((batch.catalogue[target], id_))
            if not isinstance(id_, UUID):
                return False
            found.append((place, id_))
    custom.check(batch)
    for place, id_ in found:
        place.values[place.name] = id_
    batch.moment = known.now()
    batch.facts |= known.facts
    if ask and known.spellings is not None:
        picklists.rewrite_aliases(batch, known.spellings)
    asker = references.Asker.of(batch.principal)
    batch.presumed = Presumed(
        batch.session.tenant_id, batch.resource, batch.catalogue, asker, known.revision, asked, reply.claim
    )
    return True


@lru_cache
def _told_apart(resource: Resource) -> frozenset[str]:
    """What a payload may hold that more than this statement is needed for."""
    moments = (x.name for x in resource.fields if x.kind == "moment")
    return frozenset({"external_ids", "history", *resource.child_keys, *moments})


def _is_plain(resource: Resource, changes: Mapping[str, Any]) -> bool:
    return _told_apart(resource).isdisjoint(changes)


def _meant(batch: Batch, target: str, word: str) -> UUID | tuple[str, str] | None:
    return batch.principal.rep_id if (word, target) == ("me", "reps") else references.parse(word)
