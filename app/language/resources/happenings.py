"""What happened to a record, newest first: changes of its fields out of its history, and records that belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.dialects.postgresql import UUID as SQL_UUID

from app.ground.access.principal import Principal
from app.ground.database.session import Session, Statement, compiled
from app.ground.database.tables import MOMENT
from app.language.query import paging
from app.language.query.binds import Binds, constant
from app.language.resources import read
from app.language.resources.custom import PREFIX, flat
from app.language.resources.read import Page
from app.language.resources.resource import Catalogue, Resource
from app.language.resources.scopes import demand_nouns
from app.language.resources.select import record_json
from app.language.resources.shape import Leaf, Many, Shape, full
from app.language.resources.sight import visible

_ONLY_ID = Shape((("id", Leaf("id")),))


async def page(
    session: Session,
    principal: Principal,
    catalogue: Catalogue,
    resource: Resource,
    reference: str,
    *,
    limit: int,
    after: str | None,
) -> Page:
    """NotFound where the record is not there for this principal. Related records are those that the asker sees."""
    found = await read.one(session, principal, catalogue, resource, reference, _ONLY_ID)
    record_id = orjson.loads(found)["id"]
    inside = Shape(tuple((name, Many(name, _ONLY_ID)) for name in resource.timeline))
    demand_nouns(principal, catalogue, resource, inside)
    mark = paging.fingerprint((principal.tenant_id, "timeline", resource.plural, record_id))
    binds = Binds.of(principal)
    cursor = paging.decode(after, mark, 2).values if after is not None else None
    place = {"k0": cursor[0], "k1": cursor[1]} if cursor else {}
    rows = await session.fetch(
        _statement(catalogue, resource, binds.signature, cursor is not None),
        **binds.standing(principal), **place, record_id=record_id, page_size=limit + 1,
    )  # fmt: skip
    shown = rows[:limit]
    entries = [_entry(resource, principal, row) for row in shown]
    await _label(session, catalogue, resource, entries)
    return Page(
        rows=[orjson.dumps(x).decode() for x in entries],
        keys=[(row["k0"], row["k1"]) for row in shown],
        has_more=len(rows) > limit,
        has_previous=False,
        question=mark,
    )


def _entry(resource: Resource, principal: Principal, row: Any) -> dict[str, Any]:
    entry = {
        "id": row["k1"], "at": row["at_text"], "kind": row["kind"], "actor": None, "origin": None, "source": None,
        "inferred": False, "changes": [], "noun": None, "record": None,
    }  # fmt: skip
    if row["kind"] == "record":
        return entry | {"noun": row["noun"], "record": orjson.Fragment(row["record"])}
    new, old = row["new"], row["old"]
    entry |= {name: new[name] for name in ("actor", "origin", "source", "inferred")}
    if old is None:
        return entry | {"kind": "created"}
    told = [x.name for x in resource.fields if x.write != "never" and x.readable_by(principal.role)]
    old, new = flat(old), flat(new)
    told += (PREFIX + name for name in principal.tenant.custom.of(resource.plural))
    changes = [
        {"field": name, "old": old.get(name), "new": new.get(name), "old_label": None, "new_label": None}
        for name in told
        if old.get(name) != new.get(name)
    ]
    changes += [
        {"field": name, "old": None, "new": None, "old_label": None, "new_label": None}
        for name in new["changed"]
        if name in resource.children_by_name
    ]
    resumed = old["valid_to"] != new["valid_from"]
    return entry | {"kind": "restored" if resumed else "changed", "changes": changes}


async def _label(
    session: Session, catalogue: Catalogue, resource: Resource, entries: Sequence[dict[str, Any]]
) -> None:
    """Put names beside ids with one look-up. Who sees a record sees what those are called that it points to."""
    wanted: dict[str, set[str]] = {}
    targets = {x.name: x.target for x in resource.fields if x.target}
    for change in _changes(entries):
        if target := targets.get(change["field"]):
            wanted.setdefault(target, set()).update(x for x in (change["old"], change["new"]) if x)
    users = {x["actor"] for x in entries if x["actor"]}
    if users:
        wanted.setdefault("users", set()).update(users)
    if not wanted:
        return
    parts = [
        f"select id::text, {catalogue[noun].label} as label, "
        f"{'email' if noun == 'users' else 'null::text'} as email from {catalogue[noun].table.name} "
        f"where tenant_id = $1 and id = any(${index}::uuid[])"
        for index, noun in enumerate(wanted, start=2)
    ]
    rows = await session.connection.fetch(
        " union all ".join(parts), session.tenant_id, *(sorted(ids) for ids in wanted.values())
    )
    names: Mapping[str, Any] = {row["id"]: row for row in rows}
    for change in _changes(entries):
        if change["field"] in targets:
            for side in ("old", "new"):
                change[f"{side}_label"] = names[change[side]]["label"] if change[side] in names else None
    for entry in entries:
        if entry["actor"]:
            who = names.get(entry["actor"])
            entry["actor"] = {"id": who["id"], "name": who["label"], "email": who["email"]} if who else None


def _changes(entries: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return (change for entry in entries for change in entry["changes"])


@lru_cache(maxsize=256)
def _statement(catalogue: Catalogue, resource: Resource, asker: tuple[Any, ...], behind: bool) -> Statement:
    """`(at, id, kind, …)` of all that happened, by one key; a history row comes with the version before it."""
    binds = Binds.signed(asker)
    record_id = bindparam("record_id", type_=SQL_UUID(as_uuid=True), required=True)
    no_json, no_record = null().cast(JSONB), null().cast(JSON)
    parts: list[Any] = []
    if resource.history is not None:
        h = resource.history.alias("h")
        now = resource.table.alias("now")
        made = (
            select(now.c.created_at)
            .where(now.c.tenant_id == binds.tenant, now.c.id == record_id)
            .scalar_subquery()
        )
        begins = case(
            (h.c.valid_from == literal_column("'-infinity'::timestamptz", MOMENT), made), else_=h.c.valid_from
        )
        version = func.to_jsonb(literal_column("h"), type_=JSONB)
        parts.append(
            select(
                begins.label("at"), h.c.entry_id.label("id"), constant("changed").label("kind"),
                null().cast(Text).label("noun"), version.label("new"),
                func.lag(version, type_=JSONB).over(order_by=h.c.valid_from).label("old"), no_record.label("record"),
            )
            .select_from(h)
            .where(
                h.c.tenant_id == binds.tenant, h.c.record_id == record_id,
                h.c.superseded_at == literal_column("'infinity'::timestamptz", MOMENT),
            )
        )  # fmt: skip
    for name in resource.timeline:
        listing = resource.listings_by_name[name]
        target = catalogue[listing.target]
        row = target.table.alias(f"t_{name}")
        wheres = [
            row.c.tenant_id == binds.tenant,
            row.c[listing.via] == record_id,
            row.c.deleted_at.is_(None),
        ]
        if (seen := visible(target, row, binds)) is not None:
            wheres.append(seen)
        body = record_json(catalogue, binds, target, full(catalogue, target, binds.role), row)
        parts.append(
            select(
                func.coalesce(*(row.c[x] for x in target.happens)).label("at"), row.c.id, constant("record"),
                constant(target.plural), no_json, no_json, body,
            ).where(*wheres)
        )  # fmt: skip
    all_ = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("happened")
    # Fixed digits and zone, so that a cursor's text is the same moment again.
    statement = select(
        cast(all_.c.at, Text).label("k0"), cast(all_.c.id, Text).label("k1"),
        func.to_json(all_.c.at).op("#>>")(literal_column("'{}'::text[]")).label("at_text"),
        all_.c.kind, all_.c.noun, all_.c.new, all_.c.old, all_.c.record,
    )  # fmt: skip
    if behind:
        here = tuple_(
            cast(bindparam("k0", type_=Text(), required=True), MOMENT),
            cast(bindparam("k1", type_=Text(), required=True), SQL_UUID),
        )
        statement = statement.where(tuple_(all_.c.at, all_.c.id) < here)
    return compiled(
        statement.order_by(all_.c.at.desc(), all_.c.id.desc()).limit(bindparam("page_size", required=True))
    )
