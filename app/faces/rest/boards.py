"""`GET /v1/{noun}:grouped`: a board in one call."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from app.faces.rest import accept, question
from app.faces.rest.edge import Call
from app.faces.rest.lists import VARIES, demand_references
from app.ground.errors import Invalid
from app.language.resources import board
from app.language.resources.board import MOST_ROWS, USUAL_ROWS
from app.language.resources.columns import shape_of
from app.language.resources.filter import Values
from app.language.resources.read import Query


async def grouped(call: Call) -> Response:
    accept.chosen(call.request)
    by = call.parameters.one("group_by")
    if by is None:
        raise Invalid.field("?group_by", "required", "Say by which field: `group_by=stage_id`.")
    asked = question.of_board(call, USUAL_ROWS, MOST_ROWS)
    values = Values()
    query = Query(
        resource=call.resource,
        shape=shape_of(
            call.catalogue, call.resource, call.principal.role,
            expand=tuple(asked.expand), money_as_text=asked.money == "string",
        ),
        filter=asked.filtered(call, values), values=values, sort=tuple(asked.sort), limit=asked.limit or USUAL_ROWS,
    )  # fmt: skip

    async def work(session: Any) -> board.Board:
        found = await board.grouped(session, call.principal, call.catalogue, query, by)
        if not any(x.count for x in found.columns):
            await demand_references(session, call, query)
        return found

    found = await call.read(work)
    kind = call.resource.by_name[by].kind
    groups = b",".join(_group(x, kind, as_text=asked.money == "string") for x in found.columns)
    return Response(
        b'{"groups":[%s],"has_more":%s}' % (groups, orjson.dumps(found.has_more)),
        headers=VARIES, media_type=accept.JSON,
    )  # fmt: skip


def _group(column: board.Column, kind: str, *, as_text: bool) -> bytes:
    key: Any = column.key
    if kind == "flag" and key is not None:
        key = key == "true"
    head = orjson.dumps({"key": key, "label": column.label, "count": column.count})[:-1]
    amounts = b"".join(
        b',"%s":%s' % (name.encode(), _amount(value, as_text)) for name, value in column.amounts.items()
    )
    rows = ",".join(column.rows).encode()
    return head + amounts + b',"data":[%s],"next_cursor":%s}' % (rows, orjson.dumps(column.next_cursor))


def _amount(digits: str | None, as_text: bool) -> bytes:
    if digits is None:
        return b"null"
    return orjson.dumps(digits) if as_text else digits.encode()
