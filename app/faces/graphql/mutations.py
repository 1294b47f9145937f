"""The root fields that write: the same five for each noun, and one for each of its actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import UUID

import orjson
import strawberry

from app.faces.graphql.ask import Ask
from app.faces.graphql.build import Argument, Member, Resolve, Run, declare, enum, fill
from app.faces.graphql.finished import Finished
from app.faces.graphql.inputs import Inputs, needs_input
from app.faces.graphql.names import action_field, camel, changed, pointer, type_name
from app.faces.graphql.place import Place
from app.faces.graphql.scalars import Json
from app.faces.graphql.select import Compiler
from app.faces.graphql.types import Types
from app.ground.access.permissions import demand
from app.ground.database.session import Session
from app.ground.errors import VersionConflict
from app.language.resources import read, write
from app.language.resources.batch import Receipt
from app.language.resources.payload import class_name
from app.language.resources.resource import Action, Resource
from app.language.resources.shape import Leaf, Shape

OUTCOMES = ("created", "updated", "unchanged", "restored", "deleted", "failed")

Outcome = enum("Outcome", [(x.upper(), x) for x in OUTCOMES], "What became of a row.")
MissingReference = enum(
    "MissingReference",
    [("ERROR", "error"), ("NULL", "null"), ("STUB", "stub")],
    "What becomes of a reference to a record that is not there: the row is refused, the field stays empty, or a record "
    "is made of which only the external id is known, for its own row to complete.",
)
Origin = enum(
    "Origin",
    [("LIVE", "live"), ("BACKFILL", "backfill")],
    "Whether this happens now or is told afterwards: a backfill marks its history and events.",
)

_ID = Argument("id", strawberry.ID, "By id or `source:external_id`.", required=True)
_VERSION = Argument(
    "expected_version", int, "Refuse unless the stored version is this one (`version_conflict`)."
)

Write = Callable[[Session, Ask], Awaitable[Receipt]]


@strawberry.type(description="How many rows had which outcome.")
class UpsertCounts:
    created: int
    updated: int
    unchanged: int
    restored: int
    deleted: int
    failed: int


_Receipt = fill(
    declare("UpsertReceipt"),
    "What became of one row.",
    [
        Member("index", int, "Its place in `rows`, from 0."),
        Member("external_id", str | None, "The record's id at the source."),
        Member("id", strawberry.ID | None, "The record's id here."),
        Member("outcome", Outcome, "What became of it."),
        Member("version", int | None, "Its version now."),
        Member("changed", list[str], "The fields that took another value."),
        Member("reason", str | None, "Why it was left unchanged, where that is not plain."),
        Member("error", Json | None, "Why it was refused: `code`, `detail`, `errors`."),
    ],
)

_Result = fill(
    declare("UpsertResult"),
    "What became of the rows.",
    [
        Member("counts", UpsertCounts, "How many rows had which outcome."),
        Member("rows", list[_Receipt], "A receipt for every row, in the order sent."),
    ],
)


def members(types: Types, inputs: Inputs) -> list[Member]:
    found: list[Member] = []
    for resource in types.catalogue:
        payload = _payload(types, resource)
        found += [make(types, inputs, resource, payload) for make in _writes(resource)]
        found += [_act(types, inputs, resource, payload, action) for action in resource.actions]
    return found


def _writes(resource: Resource) -> list[Callable[..., Member]]:
    by_operation = {
        "create": [_create],
        "update": [_update],
        "delete": [_delete, _restore],
        "upsert": [_upsert],
    }
    return [
        make
        for operation, makes in by_operation.items()
        if operation in resource.operations
        for make in makes
    ]


def _payload(types: Types, resource: Resource) -> type:
    record = types.records[resource.plural]
    return fill(
        declare(f"{type_name(resource)}Payload"),
        f"What became of the {resource.title.lower()}.",
        [
            Member(
                resource.name, record, "As it is now, also where this very change hands it to somebody else."
            ),
            Member("outcome", Outcome, "What was done."),
            Member("changed", list[str], "The fields that took another value."),
        ],
    )


def _create(types: Types, inputs: Inputs, resource: Resource, payload: type) -> Member:
    made = inputs.creates[resource.plural]

    def prepare(arguments: dict[str, Any]) -> Write:
        data = made.reading(arguments["input"])
        return lambda session, ask: write.create(session, ask.principal, types.catalogue, resource, data)

    return Member(
        f"create_{resource.name}",
        payload | None,
        f"Create one {_noun(resource)}.",
        (Argument("input", made.type, "Its fields.", required=True),),
        _single(types, inputs, resource, prepare),
    )


def _update(types: Types, inputs: Inputs, resource: Resource, payload: type) -> Member:
    made = inputs.patches[resource.plural]

    def prepare(arguments: dict[str, Any]) -> Write:
        data = made.reading(arguments["input"])
        return lambda session, ask: write.update(
            session, ask.principal, types.catalogue, resource, arguments["id"], data,
            if_version=arguments.get("expected_version"),
        )  # fmt: skip

    return Member(
        f"update_{resource.name}",
        payload | None,
        f"Change one {_noun(resource)}: absent leaves, null clears.",
        (_ID, Argument("input", made.type, "What changes.", required=True), _VERSION),
        _single(types, inputs, resource, prepare),
    )


def _delete(types: Types, inputs: Inputs, resource: Resource, payload: type) -> Member:
    def prepare(arguments: dict[str, Any]) -> Write:
        return lambda session, ask: write.delete(
            session, ask.principal, types.catalogue, resource, arguments["id"],
            if_version=arguments.get("expected_version"),
        )  # fmt: skip

    return Member(
        f"delete_{resource.name}",
        payload | None,
        f"Delete one {_noun(resource)}; `restore{class_name(resource.name)}` undoes it.",
        (_ID, _VERSION),
        _single(types, inputs, resource, prepare),
    )


def _restore(types: Types, inputs: Inputs, resource: Resource, payload: type) -> Member:
    def prepare(arguments: dict[str, Any]) -> Write:
        return lambda session, ask: write.restore(
            session, ask.principal, types.catalogue, resource, arguments["id"],
            if_version=arguments.get("expected_version"),
        )  # fmt: skip

    return Member(
        f"restore_{resource.name}",
        payload | None,
        f"Take the deletion of one {_noun(resource)} back.",
        (_ID, _VERSION),
        _single(types, inputs, resource, prepare),
    )


def _act(types: Types, inputs: Inputs, resource: Resource, payload: type, action: Action) -> Member:
    made = inputs.actions[resource.plural, action.name]
    given = Argument("input", made.type, "With what.", required=needs_input(action))

    def prepare(arguments: dict[str, Any]) -> Write:
        data = made.reading(arguments.get("input")) or {}
        return lambda session, ask: write.act(
            session, ask.principal, types.catalogue, resource, action, arguments["id"], data,
            if_version=arguments.get("expected_version"),
        )  # fmt: skip

    return Member(
        action_field(resource, action),
        payload | None,
        action.description,
        (_ID, *([given] if action.input.model_fields else []), _VERSION),
        _single(types, inputs, resource, prepare),
    )


def _single(
    types: Types, inputs: Inputs, resource: Resource, prepare: Callable[[dict[str, Any]], Write]
) -> Resolve:
    """One write and, in the same transaction, the record as the selection wants it."""
    payload_name = f"{type_name(resource)}Payload"

    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        demand(ask.principal, resource.permission_name, "write")
        made = Compiler(types, inputs, ask.principal, place.selected)
        keys = made.selected.fields(payload_name, place.nodes)
        shapes = {
            key: made.record(resource, nodes)
            for key, nodes in keys.items()
            if nodes[0].name.value == camel(resource.name)
        }
        ask.charge(made.cost)
        change = prepare(arguments)

        async def current(session: Session) -> str:
            """The record as the caller would have been answered; its version at the least."""
            shape = next(iter(shapes.values()), Shape((("id", Leaf("id")),)))
            versioned = dict(shape.items) | {"version": Leaf("version")}
            return await read.one(
                session, ask.principal, types.catalogue, resource, arguments["id"], Shape(tuple(versioned.items())),
                deleted=True, values=made.values,
            )  # fmt: skip

        async def work(session: Session) -> dict[str, Any]:
            receipt = await change(session, ask)
            answer: dict[str, Any] = {}
            for key, nodes in keys.items():
                match nodes[0].name.value:
                    case "outcome":
                        answer[key] = receipt.outcome.upper()
                    case "changed":
                        answer[key] = [changed(name) for name in receipt.changed]
                    case "__typename":
                        answer[key] = payload_name
                    case _:
                        text = await read.one(
                            session, ask.principal, types.catalogue, resource, cast(UUID, receipt.id), shapes[key],
                            written=True, values=made.values,
                        )  # fmt: skip
                        answer[key] = orjson.Fragment(text)
            return answer

        async def run() -> Finished:
            try:
                written = await ask.write(work)
                ask.hear(resource)
                return Finished(written)
            except VersionConflict as conflict:
                conflict.current = conflict.current or await ask.read(current)
                raise

        return run

    return resolve


def _upsert(types: Types, inputs: Inputs, resource: Resource, payload: type) -> Member:
    made = inputs.rows[resource.plural]

    def resolve(place: Place, arguments: dict[str, Any]) -> Run:
        ask = place.ask
        demand(ask.principal, resource.permission_name, "write")
        rows = [made.reading(row) for row in arguments["rows"]]
        missing, origin = arguments.get("missing"), arguments.get("origin")

        async def run() -> Finished:
            receipts = await ask.write(
                lambda session: write.upsert(
                    session, ask.principal, types.catalogue, resource, arguments["source"], rows,
                    atomic=bool(arguments.get("atomic")),
                    dry_run=bool(arguments.get("dry_run")),
                    missing=missing.value if missing else "error",
                    origin=origin.value if origin else "live",
                ),
                bulk=True,
            )  # fmt: skip
            ask.hear(resource)
            return Finished(place.take(_told(receipts)))

        return run

    return Member(
        f"upsert_{resource.plural}",
        _Result | None,
        f"Create or change {resource.plural.replace('_', ' ')} by external id, up to {write.MAX_ROWS:,} at once.",
        (
            Argument("source", str, "The tenant's own name of the source, `[a-z0-9_]+`.", required=True),
            Argument("rows", list[made.type], "The records.", required=True),
            Argument("atomic", bool, "All rows or none."),
            Argument("dry_run", bool, "Take the whole way and then take it back."),
            Argument("missing", MissingReference, "What becomes of references that are not there."),
            Argument("origin", Origin, "Whether this happens now."),
        ),
        resolve,
    )


def _told(receipts: list[Receipt]) -> dict[str, Any]:
    counts: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
    for receipt in receipts:
        counts[receipt.outcome] += 1
    return {"counts": counts, "rows": [_receipt(receipt) for receipt in receipts]}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "index": receipt.index,
        "external_id": receipt.external_id,
        "id": receipt.id,
        "outcome": receipt.outcome.upper(),
        "version": receipt.version,
        "changed": [changed(name) for name in receipt.changed],
        "reason": receipt.reason,
        "error": _row_error(receipt),
    }


def _row_error(receipt: Receipt) -> dict[str, Any] | None:
    if not receipt.errors:
        return None
    first = receipt.errors[0]
    return {
        "code": first.code,
        "detail": first.message,
        "errors": [{**fault.as_dict(), "pointer": pointer(fault.pointer)} for fault in receipt.errors],
    }


def _noun(resource: Resource) -> str:
    return resource.name.replace("_", " ")
