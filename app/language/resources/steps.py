"""The steps of a write, in order, over a whole batch. No step knows whether it holds one row or ten thousand."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import any_, bindparam, select, true
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY

from app.ground.database import script
from app.ground.database.script import Part
from app.ground.database.session import Statement, compiled
from app.ground.database.turns import Turns
from app.ground.errors import Conflict, NotFound, VersionConflict
from app.language.query.binds import Binds
from app.language.resources import (
    aliases,
    custom,
    freshness,
    picklists,
    places,
    presumed,
    references,
    stubs,
    together,
    told,
    unchanged,
)
from app.language.resources import reply as replies
from app.language.resources.batch import BEGINNING, PIECE, Batch, Draft, Point
from app.language.resources.children import load_children, plan_children, store_children
from app.language.resources.outcome import record_history, tell_events
from app.language.resources.payload import child_names, unusable
from app.language.resources.places import Place
from app.language.resources.plan import compare, plan
from app.language.resources.presumed import PRESUMED
from app.language.resources.records import (
    CLAIMED,
    STORED,
    LostRace,
    claim_names,
    claim_new,
    refuse_out_of_reach,
    store_records,
    unclaim,
)
from app.language.resources.references import Lookups, Names
from app.language.resources.reply import ANSWER, UNSEEN, Reply
from app.language.resources.resource import Resource, defaults
from app.language.resources.together import Rider
from app.language.resources.words import store_words


async def run(batch: Batch, *, missing: str = "error", reply: Reply | None = None) -> str | None:
    """Takes the whole way; answers the record's JSON where a reply is wanted and could be given along."""
    resource = batch.resource
    await look_up(batch, missing, reply)
    if len(batch.drafts) > PIECE:
        await unchanged.set_aside(batch)
    if any(d.before is None for d in batch.standing):
        await load(batch)
    await freshness.set_aside(batch)
    if len(batch.drafts) > PIECE and resource.judges_rows:
        stored = await _judge_and_store(batch)
    else:
        await _complete(batch)
        await _judge(batch)
        claim_names(batch)
        freshness.remember(batch)
        stored = await store_all(batch, reply)
    await resource.settled(batch)
    if stored.unseen:
        await refuse_out_of_reach(batch)
    return stored.json


async def _complete(batch: Batch) -> None:
    for draft in batch.standing:
        _begin(draft, batch)
    custom.spread(batch)
    await batch.resource.prepare(batch)
    for draft in batch.standing:
        if draft.is_new:
            _require(draft, batch.resource)


async def _judge(batch: Batch) -> None:
    """What each record will be, what of it changed, and whether the rules let it in."""
    await load_children(batch)
    await plan(batch)
    for draft in batch.standing:
        plan_children(draft, batch)
        compare(draft, batch)
    await batch.resource.check(batch)
    custom.gather(batch)


@dataclass(frozen=True, slots=True)
class Stored:
    unseen: bool = False
    """Whether the statement could not tell that its writer sees all that is new."""
    json: str | None = None


async def _judge_and_store(batch: Batch) -> Stored:
    """Where the rules look at one row at a time, PostgreSQL stores a piece while the next is judged.

    The names of new rows are claimed first, all at once in their order; those of rows that are refused then are given
    back. What fails takes everything back with the savepoint of its part.
    """
    session = batch.session
    unseen = False
    async with Turns[Stored](session) as turns:
        batch.session = turns.session
        claim, ids = claim_new(batch)
        claim.session = session
        await turns.send(_claim(claim))
        await _complete(batch)
        for piece in batch.parts():
            for draft in piece.standing:
                if draft.is_new:
                    draft.record_id = draft.record_id or ids.get(draft.index)
            await _judge(piece)
            piece = piece.moving()
            claim_names(piece, claimed=True)
            for gather in _GATHERING:
                # The loop sends on what the socket had no room for.
                await asyncio.sleep(0)
                gather(piece)
            unseen |= _is_unseen(await turns.done())
            piece.session = session
            await turns.send(store(piece, None))
        unseen |= _is_unseen(await turns.done())
    batch.session = session
    last = replace(batch, drafts=[], clearing=[], storing=[], unheld=[], claims=0)
    unclaim(last, (d for d in batch.drafts if d.failed and d.index in ids))
    freshness.remember(last)
    await store(last, None)
    return Stored(unseen)


async def _claim(batch: Batch) -> Stored:
    try:
        return await store(batch, None)
    except asyncpg.UniqueViolationError:
        raise LostRace from None


def _is_unseen(stored: Stored | None) -> bool:
    return stored is not None and stored.unseen


async def store_all(batch: Batch, reply: Reply | None) -> Stored:
    """PostgreSQL stores one piece while the next is made ready: each keeps a processor busy."""
    if batch.presumed is not None and not _stands(batch):
        raise script.Refused(presumed=True)
    if (rider := together.rider(batch, reply)) is not None:
        return await _store_together(rider)
    unseen = False
    sending: asyncio.Future[Stored] | None = None
    try:
        for piece in batch.pieces():
            for gather in _GATHERING:
                gather(piece)
                if sending is not None:
                    # The loop sends on what the socket had no room for.
                    await asyncio.sleep(0)
            if piece is batch:
                return await store(batch, reply)
            if sending is not None:
                unseen |= (await sending).unseen
            sending = asyncio.ensure_future(store(piece, reply))
        assert sending is not None
        return Stored(unseen or (await sending).unseen)
    finally:
        if sending is not None and not sending.done():
            sending.cancel()
            await asyncio.wait([sending])


async def _store_together(rider: Rider) -> Stored:
    async def alone() -> str | None:
        _gather(rider.batch)
        return (await store(rider.batch, rider.reply)).json

    return Stored(json=await together.store(rider, alone, _gather))


def _gather(batch: Batch) -> None:
    for gather in _GATHERING:
        gather(batch)


_GATHERING = (record_history, store_records, store_children, told.remember, store_words, tell_events)
"""What is stored, put into the parts of one statement."""


async def store(batch: Batch, reply: Reply | None) -> Stored:
    """What stands in the way goes first; all the rest is one statement, whatever the tables."""
    session, principal, resource = batch.session, batch.principal, batch.resource
    if batch.clearing:
        await script.execute(session, batch.clearing)
    if not batch.storing:
        return Stored()
    parts: list[Part] = list(batch.storing)
    told: dict[str, str] = {}
    if batch.claims:
        told["claimed"] = f"(select count(*) from {CLAIMED})"
    creates = any(d.outcome == "created" for d in batch.standing)
    unseen = replies.unseen(principal, resource) if creates else None
    answer = None
    if reply is not None and any(part.name == STORED for part in parts):
        answer = replies.answer(principal, batch.catalogue, resource, reply.shape, seen=unseen is not None)
    if unseen is not None and answer is not None:
        told["unseen"] = f"(select unseen from {ANSWER})"
    elif unseen is not None:
        parts.append(unseen)
        told["unseen"] = f"(select n > 0 from {UNSEEN})"
    if reply is not None and answer is not None:
        parts.append(answer)
        told["json"] = f"(select json from {ANSWER})"
        after = next(d for d in batch.standing).after
        if reply.keep is not None:
            parts.append(reply.keep(after["id"], after["version"]).part)
    left = [
        references.gone(session.tenant_id, noun, ids, f"left_{place}")
        for place, (noun, ids) in enumerate(batch.unheld)
    ]
    if left:
        parts += left
        told = {"gone": " or ".join(f"(select gone from {part.name})" for part in left)} | told
    if batch.presumed is not None:
        parts.append(batch.presumed.part)
        told = {PRESUMED: f"(select holds from {PRESUMED})"} | told
    elif reply is not None and reply.claim is not None:
        parts.append(reply.claim.hold)
        told = {"held": "(select free from held)"} | told
    # What is answered and kept by the statement itself is a transaction by itself, unless something may follow.
    if session.alone and "json" in told and not (batch.claims or batch.clearing or resource.is_settled):
        # What is stored with it may show it to its writer, but that can be seen only afterwards.
        told |= {name: script.refusal(told[name]) for name in (PRESUMED, "gone", "unseen") if name in told}
        row = await script.finish(session, parts, _answers(told), presumed=batch.presumed is not None)
        return Stored(json=row["json"])
    if batch.presumed is not None:
        raise script.Refused(presumed=True)
    row = await script.execute(session, parts, _answers(told))
    if row.get("gone"):
        raise script.Refused
    if batch.claims and row["claimed"] < batch.claims:
        raise LostRace
    return Stored(bool(row.get("unseen")), row.get("json"))


def _stands(batch: Batch) -> bool:
    """Whether what is presumed refused nothing, and made no more of it than one version from the statement's moment."""
    standing = batch.standing
    return bool(standing) and all(d.versions is None or len(d.versions) == 1 for d in standing)


def _answers(told: Mapping[str, str]) -> str:
    return f"select {', '.join(f'{sql} as {name}' for name, sql in told.items()) or '1 as done'}"


async def look_up(batch: Batch, missing: str, reply: Reply | None = None) -> None:
    """Everything that the batch must know before its rows are locked, in one statement: the moment, which rows name a
    record that is there, whom they refer to, and what the rules need of small tables."""
    presuming = presumed.like(batch, reply)
    if presuming and reply is not None and batch.session.presuming and presumed.presume(batch, reply):
        return
    lookups = Lookups(batch.session, batch.principal)
    moment = lookups.value("select to_json(clock_timestamp())") if batch.moment == BEGINNING else None
    claim, holding = reply.claim if reply else None, not batch.session.alone
    claimed = lookups.value(claim.question.sql, *claim.question.arguments) if claim else None
    known = _identify(batch, lookups)
    custom.check(batch)
    slots = places.of(batch)
    ahead = batch.ahead
    living = {
        target: lookups.living(
            batch.catalogue[target],
            {place.values[place.name] for place in found}.difference(
                ahead.words.get(target, ()) if ahead else ()
            ),
            holding=holding,
        )
        for target, found in slots.items()
    }
    resource = batch.resource
    facts = {name: lookups.value(sql, batch.session.tenant_id) for name, sql in resource.lookups.items()}
    asked = picklists.aliases(resource) if picklists.sent(batch) else None
    spellings = lookups.value(asked, batch.session.tenant_id) if asked else None
    revision = (
        lookups.value(
            f"select to_json({presumed.revision(resource, batch.catalogue)})", batch.session.tenant_id
        )
        if presuming
        else None
    )
    await lookups.run()
    if claim is not None and claimed is not None:
        claim.hear(claimed[None])
    if moment is not None:
        batch.moment = datetime.fromisoformat(orjson.loads(moment[None]))
    if revision is not None:
        presumed.learn(
            batch,
            int(revision[None]),
            {name: found[None] for name, found in facts.items()},
            spellings[None] if spellings else None,
            {target: living[target].ids() for target in slots},
        )
    ids = known.ids() | (ahead.names() if ahead else {})
    for draft in batch.standing:
        if draft.external_key and draft.record_id is None:
            draft.record_id = ids.get(draft.external_key)
    for target, found in slots.items():
        ids = living[target].ids() | (ahead.living(target) if ahead else {})
        words = {place.values[place.name] for place in found}
        ids |= await references.led(
            batch.session, batch.principal, batch.catalogue[target], words - ids.keys(), holding=holding
        )
        if not holding and ids and aliases.mergeable(batch.catalogue[target]):
            batch.unheld.append((batch.catalogue[target], set(ids.values())))
        if missing == "stub":
            ids |= await _stubs(batch, target, words - ids.keys())
        _put(batch, target, found, ids, missing)
    batch.facts |= {name: found[None] for name, found in facts.items()}
    if spellings is not None:
        picklists.rewrite_aliases(batch, spellings[None])
    for draft in batch.standing:
        _refuse_future(draft, batch.moment)


async def _stubs(batch: Batch, target: str, unknown: set[str]) -> dict[str, UUID]:
    """What rows refer to and is not there, made from its name. A row of this batch may be what another refers to: it
    completes the record that was just made for it."""
    made = await stubs.make(batch, target, unknown, run) if unknown else {}
    if target == batch.resource.plural:
        for draft in batch.standing:
            if draft.external_key and draft.record_id is None:
                draft.record_id = made.get(":".join(draft.external_key))
    return made


def _identify(batch: Batch, lookups: Lookups) -> Names:
    """Which rows name a record that is there; the others will be new. A source's address goes with its id."""
    keys: list[tuple[str, str]] = []
    for draft in batch.standing:
        if draft.external_key and draft.record_id is None:
            keys.append(draft.external_key)
            name = {"source": draft.external_key[0], "external_id": draft.external_key[1]}
            stub = {"stub": True} if draft.stub else {}
            draft.changes["external_ids"] = [{**name, "url": draft.changes.pop("url", None), **stub}]
        elif draft.changes.get("external_ids"):
            _name(draft, batch.catalogue.verbs[batch.resource.plural])
    if batch.ahead is not None:
        keys = [key for key in keys if key not in batch.ahead.keys]
    return lookups.names(batch.resource.plural, keys)


def _name(draft: Draft, verbs: Collection[str]) -> None:
    """Names given by the record itself, not by an upsert: judged as strictly, and stored in the same form."""
    named: dict[tuple[str, str], dict[str, Any]] = {}
    for index, given in enumerate(draft.changes["external_ids"]):
        if why := unusable(given["external_id"], verbs):
            draft.refuse(f"external_ids/{index}/external_id", "invalid_value", why)
        key = (given["source"], given["external_id"])
        if key in named:
            draft.refuse(
                f"external_ids/{index}", "duplicate_row", "Another row of this list has the same name."
            )
        named[key] = {"source": key[0], "external_id": key[1], "url": given.get("url")}
        named[key] |= {mark: True for mark in ("stub", "merged") if given.get(mark)}
    draft.changes["external_ids"] = list(named.values())


def _put(batch: Batch, target: str, slots: list[Place], ids: Mapping[str, Any], missing: str) -> None:
    """Ids in the place of what callers call records."""
    for draft, values, name, path in slots:
        if (id_ := ids.get(values[name])) is not None or missing == "null":
            values[name] = id_
        else:
            noun = batch.catalogue[target].title.lower()
            draft.refuse(path + name, "reference_not_found", f"There is no such {noun}.")


def _refuse_future(draft: Draft, moment: datetime) -> None:
    if draft.since is not None and draft.since > moment:
        draft.refuse("at", "in_the_future", "A change cannot hold from the future on.")
    for index, row in enumerate(draft.changes.get("history") or ()):
        if row["at"] > moment:
            draft.refuse(f"history/{index}/at", "in_the_future", "History cannot begin in the future.")


async def load(batch: Batch) -> None:
    """Lock the stored rows in the order of their ids, so that two writers of the same rows queue up. One that was
    merged, maybe while they queued, leads to the record that took it over."""
    wanted: dict[UUID, list[Draft]] = {}
    for draft in batch.standing:
        if draft.record_id is not None:
            wanted.setdefault(draft.record_id, []).append(draft)
    while wanted:
        rows = await batch.session.fetch(
            _locking_select(batch.resource, Binds.of(batch.principal).signature),
            **Binds.of(batch.principal).standing(batch.principal),
            ids=list(wanted),
        )
        for row in rows:
            for draft in wanted[row["id"]]:
                draft.before = row if row["visible"] else None
        wanted = await _follow_merged(batch, [row["id"] for row in rows if row.get(aliases.LINK)], wanted)
    for draft in batch.standing:
        if draft.record_id is None:
            continue
        if draft.before is None or (
            draft.before["deleted_at"] and not draft.external_key and not draft.restore
        ):
            draft.fail(NotFound(f"There is no such {batch.resource.title.lower()}."))
        elif draft.called and _is_of_a_duplicate(draft):
            draft.fail(_merged(batch.resource))
        elif draft.if_version is not None and draft.if_version != draft.before["version"]:
            draft.fail(
                VersionConflict(
                    f"The record is at version {draft.before['version']}, not {draft.if_version}."
                )
            )


async def _follow_merged(
    batch: Batch, merged: list[UUID], wanted: dict[UUID, list[Draft]]
) -> dict[UUID, list[Draft]]:
    """The drafts of records that were merged, by the ids to be loaded in their place."""
    moved = await aliases.survivors(batch.session, batch.resource, merged) if merged else {}
    following: dict[UUID, list[Draft]] = {}
    for id_ in merged:
        for draft in wanted[id_]:
            if (draft.restore or (draft.delete and not draft.external_key)) and draft.before is not None:
                draft.fail(_merged(batch.resource))
            else:
                draft.before, draft.record_id = None, moved[id_]
                following.setdefault(moved[id_], []).append(draft)
    return following


def _merged(resource: Resource) -> Conflict:
    return Conflict(
        f"This {resource.title.lower()} was merged into another one, which has names of its own.",
        code="merged",
    )


def _is_of_a_duplicate(draft: Draft) -> bool:
    assert draft.before is not None
    name = references.parse(draft.called or "")
    return isinstance(name, tuple) and aliases.is_alias(draft.before["external_ids"], name)


@lru_cache(maxsize=512)
def _locking_select(resource: Resource, asker: tuple[Any, ...]) -> Statement:
    binds = Binds.signed(asker)
    record = resource.table.alias("record")
    visible = resource.visible(record, binds)
    ids = bindparam("ids", type_=ARRAY(postgresql.UUID(as_uuid=True)), required=True)
    return compiled(
        select(record, (true() if visible is None else visible).label("visible"))
        .where(record.c.tenant_id == binds.tenant, record.c.id == any_(ids))
        .order_by(record.c.id)
        .with_for_update(key_share=True, of=record)
    )


def _begin(draft: Draft, batch: Batch) -> None:
    """Take apart what a row says: children and history apart from the record's own fields."""
    changes, resource = draft.changes, batch.resource
    for name in child_names(resource, changes):
        rows = changes.pop(name)
        child = name.removesuffix("_merge")
        draft.children[child] = rows
        if name != child:
            draft.merged_children.add(child)
    home = batch.principal.tenant.home_currency
    _fill(changes, resource, home, also_absent=draft.is_new)
    for row in changes.pop("history", None) or ():
        _fill(row, resource, home)
        draft.history.append(Point(row["at"], {k: v for k, v in row.items() if k != "at"}))
    draft.history.sort(key=lambda point: point.at)
    draft.moment = batch.moment
    if draft.before is not None:
        draft.moment = max(batch.moment, draft.before["updated_at"] + timedelta(microseconds=1))
        if draft.before["deleted_at"] is not None and not draft.delete:
            draft.restore = True
        names = {(x["source"], x["external_id"]): x for x in draft.before["external_ids"]}
        if draft.external_key and "external_ids" in changes:
            given = changes["external_ids"][0]
            stored = names.get(draft.external_key)
            merged = {"merged": True} if stored and stored.get("merged") else {}
            names[draft.external_key] = {**given, "url": given["url"] or (stored or {}).get("url"), **merged}
            changes["external_ids"] = list(names.values())


def _fill(changes: dict[str, Any], resource: Resource, home: str, *, also_absent: bool = False) -> None:
    """A null means the default where there is one, at the first write as at the tenth: so the same row is unchanged."""
    for name, default in defaults(resource, home):
        if (also_absent or name in changes) and changes.get(name) is None:
            changes[name] = default


@lru_cache
def _required(resource: Resource) -> tuple[str, ...]:
    return tuple(x.name for x in resource.fields if x.required)


def _require(draft: Draft, resource: Resource) -> None:
    for name in _required(resource):
        if draft.changes.get(name) is None:
            draft.refuse(name, "required", "This field is required for a new record.")
