"""Two records that were one all along: the survivor takes over what hangs on the duplicate, and answers to its names.

The duplicate stays as a deleted record that says into which it was merged. Whatever refers to it, in a record of any
noun or in a list inside one, is found from the catalogue and changed by its own noun's write path, with history and
events, under the reach of the service: also what the caller does not see must not be left behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Column, Index, text
from sqlalchemy.dialects.postgresql import JSONB

from app.ground.database.tables import ref
from app.ground.errors import Conflict, NotFound
from app.language.resources import custom
from app.language.resources import fields as f
from app.language.resources.aliases import LINK
from app.language.resources.batch import Batch, Draft
from app.language.resources.follow import follow
from app.language.resources.records import now
from app.language.resources.references import parse
from app.language.resources.resource import Action, ActionCall, Child, Resource

MOST_DUPLICATES = 20
_TAKEN = "merged_ids"

Names = list[dict[str, Any]]


# -- what a noun declares that can be merged --------------------------------------------------------------------------


def columns(plural: str) -> tuple[Any, ...]:
    return (
        ref(LINK, plural),
        Column(_TAKEN, JSONB, nullable=False, server_default=text("'[]'::jsonb")),
        Index(f"ix_{plural}_{LINK}", "tenant_id", LINK, postgresql_where=text(f"{LINK} is not null")),
    )


def fields(plural: str) -> tuple[f.Field, ...]:
    return (
        f.reference(
            LINK, plural, "The record that took this one over; only deleted records have one.", write="never"
        ),
        f.json_list(
            _TAKEN, "Ids of the records that were merged into this one; each still leads here.",
            ["01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"], write="never", default=[],
        ),
    )  # fmt: skip


class Merge(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    duplicate_ids: Annotated[list[str], Field(min_length=1, max_length=MOST_DUPLICATES)] = Field(
        description=(
            "The records that become part of this one, by id or `source:external_id`. Of several that have a value "
            "which is missing here, the first gives it."
        ),
        examples=[["01929b6e-7a10-7cc3-9f5e-0d2a4b6c8e10"]],
    )


async def _merge(call: ActionCall, resource: Resource) -> dict[str, Any]:
    for word in call.input.duplicate_ids:
        name = parse(word)
        named = isinstance(name, tuple) and any(
            (x["source"], x["external_id"]) == name and not x.get("merged") for x in call.record["external_ids"]
        )  # fmt: skip
        if named or name == call.record["id"]:
            raise Conflict("A record cannot be merged with itself.", code="merged_with_itself")
    moment = await now(call.session)
    cause = Batch(call.session, call.principal, call.catalogue, resource, [], moment)
    return await absorb(cause, call.record, call.found["duplicate_ids"])


def verb(plural: str) -> Action:
    async def run(call: ActionCall) -> dict[str, Any]:
        return await _merge(call, call.catalogue[plural])

    return Action(
        name="merge", noun=plural, title="Merge duplicates",
        description=(
            "Take duplicates over: whatever refers to them, their external ids, and their values where this record has "
            "none. A duplicate is deleted for good; its id and its external ids lead here from now on."
        ),
        input=Merge, run=run, references={"duplicate_ids": plural}, ends=("duplicate_ids",),
    )  # fmt: skip


def event_types(draft: Draft) -> list[str]:
    return ["merged" if draft.intent == "merge" and draft.outcome == "updated" else draft.outcome]


# -- taking over ------------------------------------------------------------------------------------------------------


async def absorb(
    cause: Batch, survivor: Mapping[str, Any], duplicates: Sequence[UUID], *, deleted: bool = False
) -> dict[str, Any]:
    """Move all that hangs on the duplicates to `survivor`, a locked record of `cause.resource`, and end them.

    Returns what changes of the survivor itself. One that is part of it already is passed over; `deleted` allows for
    duplicates that were deleted before.
    """
    state = dict(survivor)
    for id_ in dict.fromkeys(duplicates):
        duplicate = await _locked(cause, id_)
        if duplicate["id"] == survivor["id"]:
            continue
        if duplicate["deleted_at"] is not None and not deleted:
            raise NotFound(f"There is no such {cause.resource.title.lower()}.", code="reference_not_found")
        await _repoint(cause, duplicate["id"], survivor["id"])
        await _take_names(cause, cause.resource, duplicate["id"], survivor["id"])
        await _end(cause, duplicate, survivor["id"])
        state |= await _place(cause, state, duplicate) | _gaps(cause, cause.resource, state, duplicate)
        state["external_ids"] = together(state["external_ids"], duplicate["external_ids"])
        state[_TAKEN] = [*state[_TAKEN], str(duplicate["id"]), *duplicate[_TAKEN]]
    return {name: value for name, value in state.items() if value != survivor[name]}


async def _locked(cause: Batch, id_: UUID) -> Mapping[str, Any]:
    """The record, or the one that it has become part of meanwhile."""
    while True:
        found = await cause.session.connection.fetchrow(
            f"select * from {cause.resource.table.name} where tenant_id = $1 and id = $2 for update",
            cause.session.tenant_id, id_,
        )  # fmt: skip
        assert found is not None, "records are deleted softly"
        if found[LINK] is None:
            return found
        id_ = found[LINK]


def together(own: Iterable[Mapping[str, Any]], taken: Iterable[Mapping[str, Any]]) -> Names:
    """The names of both; those that are taken over say so."""
    return [*map(dict, own), *({k: v for k, v in x.items() if k != "stub"} | {"merged": True} for x in taken)]


def _gaps(
    cause: Batch, resource: Resource, mine: Mapping[str, Any], theirs: Mapping[str, Any]
) -> dict[str, Any]:
    """What the one says where the other says nothing."""
    found = {
        x.name: theirs[x.name]
        for x in resource.writable
        if x.kind != "custom"
        and x.target != resource.plural
        and mine[x.name] is None
        and theirs[x.name] is not None
    }
    if f.CUSTOM in resource.stored_names:
        found |= custom.gaps(cause.principal.tenant.custom.of(resource.plural), mine, theirs)
    return found


async def _place(cause: Batch, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Where the survivor stands among its own kind: in its place, else in the duplicate's, never above itself."""
    found: dict[str, Any] = {}
    for field in cause.resource.writable:
        if field.target != cause.resource.plural:
            continue
        for place in (mine[field.name], theirs[field.name], None):
            above = await cause.session.connection.fetch(
                f"with recursive above (id) as (select $2::uuid union select r.{field.name} from above "
                f"join {cause.resource.table.name} r on r.tenant_id = $1 and r.id = above.id) select id from above",
                cause.session.tenant_id, place,
            )  # fmt: skip
            if not {row["id"] for row in above} & {mine["id"], theirs["id"]}:
                found[field.name] = place
                if place is not None:
                    break
    return found


async def _end(cause: Batch, duplicate: Mapping[str, Any], survivor: UUID) -> None:
    if duplicate["deleted_at"] is None:
        await follow(cause, cause.resource.plural, {duplicate["id"]: {LINK: survivor}}, delete=True)
    else:
        await cause.session.connection.execute(
            f"update {cause.resource.table.name} set {LINK} = $3, version = version + 1, "
            "updated_at = greatest(updated_at, $4), deleted_at = greatest(deleted_at, $4) "
            "where tenant_id = $1 and id = $2",
            cause.session.tenant_id, duplicate["id"], survivor, cause.moment,
        )  # fmt: skip


async def _take_names(cause: Batch, noun: Resource, old: UUID, new: UUID) -> None:
    """In the index of names, where each keeps its source's clock."""
    await cause.session.connection.execute(
        "update external_ids set record_id = $4 where tenant_id = $1 and noun = $2 and record_id = $3",
        cause.session.tenant_id, noun.plural, old, new,
    )  # fmt: skip


# -- who refers to it -------------------------------------------------------------------------------------------------


async def _repoint(cause: Batch, old: UUID, new: UUID) -> None:
    target = cause.resource.plural
    for noun in cause.catalogue:
        names = [x.name for x in noun.fields if x.target == target and x.name in noun.stored_names]
        names = [x for x in names if x != LINK]
        inside = [(x, y.name) for x in noun.children for y in x.fields if y.target == target]
        if names or inside:
            await _repoint_noun(cause, noun, names, inside, old, new)


async def _repoint_noun(
    cause: Batch,
    noun: Resource,
    names: Sequence[str],
    inside: Sequence[tuple[Child, str]],
    old: UUID,
    new: UUID,
) -> None:
    """Each record is written once, whatever of it refers to the old one."""
    for name in names:
        for key in noun.unique:
            if name in key:
                await _join_twins(cause, noun, name, [x for x in key if x != name], old, new)
    fetch, tenant, table = cause.session.connection.fetch, cause.session.tenant_id, noun.table.name
    changes: dict[UUID, dict[str, Any]] = {}
    lists: dict[UUID, dict[str, list[dict[str, Any]]]] = {}
    for name in names:
        for row in await fetch(
            f"select id from {table} where tenant_id = $1 and {name} = $2 and id <> all($3) and deleted_at is null",
            tenant, old, [old, new],
        ):  # fmt: skip
            changes.setdefault(row["id"], {})[name] = new
    for child, name in inside:
        for id_, rows in (await _lists(cause, noun, child, name, old, new)).items():
            changes.setdefault(id_, {})
            lists.setdefault(id_, {})[child.name] = rows
    await follow(cause, noun.plural, changes, children=lists)
    # What is deleted has no version that holds, and no list that is shown; restored, it begins with what stands here.
    for place, name in [(table, name) for name in names] + [(x.table.name, name) for x, name in inside]:
        gone = " and deleted_at is not null and id <> $2" if place == table else ""
        await cause.session.connection.execute(
            f"update {place} set {name} = $3 where tenant_id = $1 and {name} = $2{gone}", tenant, old, new
        )


async def _lists(
    cause: Batch, noun: Resource, child: Child, name: str, old: UUID, new: UUID
) -> dict[UUID, list[dict[str, Any]]]:
    """By record, the lists of which the old one is part, with the new one in its place; what both have, once."""
    table, parent = child.table.name, child.parent
    rows = await cause.session.connection.fetch(
        f"select c.* from {table} c join {noun.table.name} r on r.tenant_id = $1 and r.id = c.{parent} "
        f"where c.tenant_id = $1 and r.deleted_at is null and c.{parent} in "
        f"(select {parent} from {table} where tenant_id = $1 and {name} = $2) order by c.id",
        cause.session.tenant_id, old,
    )  # fmt: skip
    found: dict[UUID, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row[name] == old):
        values: dict[str, Any] = {"id": row["id"], **{x: row[x] for x in child.by_name}}
        values[name] = new if values[name] == old else values[name]
        of_record = found.setdefault(row[child.parent], {})
        stored = of_record.setdefault(tuple(values[x] for x in child.key), values)
        if stored is not values:
            for field in child.fields:
                # A flag that either has says something of the person: the primary contact remains one.
                if stored[field.name] is None or (field.kind == "flag" and values[field.name]):
                    stored[field.name] = values[field.name]
    return {id_: list(lists.values()) for id_, lists in found.items()}


async def _join_twins(
    cause: Batch, noun: Resource, name: str, others: Sequence[str], old: UUID, new: UUID
) -> None:
    """Where both have one that each may have once (both are members of a campaign), the two become one as well."""
    same = " and ".join(f"mine.{x} = theirs.{x}" for x in others) or "true"
    table, tenant = noun.table.name, cause.session.tenant_id
    pairs = await cause.session.connection.fetch(
        f"select mine.id as mine, theirs.id as theirs from {table} theirs join {table} mine on mine.tenant_id = $1 "
        f"and mine.{name} = $3 and mine.deleted_at is null and {same} "
        f"where theirs.tenant_id = $1 and theirs.{name} = $2 and theirs.deleted_at is null order by mine.id",
        tenant, old, new,
    )  # fmt: skip
    ids = [x for pair in pairs for x in pair]
    rows = await cause.session.connection.fetch(
        f"select * from {table} where tenant_id = $1 and id = any($2) order by id for no key update",
        tenant,
        ids,
    )
    stored = {row["id"]: row for row in rows}
    changes: dict[UUID, dict[str, Any]] = {}
    for pair in pairs:
        mine, theirs = stored[pair["mine"]], stored[pair["theirs"]]
        names = together(mine["external_ids"], theirs["external_ids"])
        changes[pair["mine"]] = _gaps(cause, noun, mine, theirs) | {"external_ids": names}
        await _take_names(cause, noun, pair["theirs"], pair["mine"])
    await follow(cause, noun.plural, {pair["theirs"]: {} for pair in pairs}, delete=True)
    await follow(cause, noun.plural, changes)
