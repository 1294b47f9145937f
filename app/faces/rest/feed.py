"""`GET /v1/events`: what changed, in the order in which it was committed."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from sqlalchemy import select, true
from starlette.responses import Response

from app.faces.rest import accept
from app.faces.rest.edge import Call
from app.ground.access.permissions import permits
from app.ground.events import feed
from app.language.query.binds import Binds
from app.language.resources.resource import Resource


async def read(call: Call) -> Response:
    accept.chosen(call.request)
    parameters = call.parameters
    after = parameters.one("after")
    types = parameters.many("types")
    limit = parameters.number("limit", 100, most=1000)
    parameters.nothing_else()
    binds = Binds.of(call.principal)
    nouns = {
        resource.plural: partial(_visible, resource, binds)
        for resource in call.catalogue
        if permits(call.principal, resource.permission_name, "read")
    }

    async def work(session: Any) -> feed.Batch:
        return await feed.read(
            session, after, types=types, nouns=nouns, limit=limit, values=binds.standing(call.principal)
        )

    batch = await call.read(work)
    body = {
        "data": [entry.as_dict() for entry in batch.entries],
        "has_more": batch.has_more,
        "next_cursor": batch.cursor,
    }
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "private, no-store"}, media_type=accept.JSON
    )


def _visible(resource: Resource, binds: Binds, events: Any) -> Any:
    """An event is seen by whoever sees its record, by the noun's own predicate; deleted records keep theirs."""
    record = resource.table.alias("record")
    condition = resource.visible(record, binds)
    if condition is None:
        return None
    seen = select(record.c.id).where(
        record.c.tenant_id == binds.tenant, record.c.id == events.c.record_id, condition
    )
    return true() & seen.exists()
