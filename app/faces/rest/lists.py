"""Many records: a page as JSON, or all of them as a stream of NDJSON or CSV."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote, unquote_plus

import orjson
from starlette.responses import Response

from app.faces.rest import accept, bodies, question
from app.faces.rest.edge import Call
from app.faces.rest.question import Question
from app.faces.rest.streaming import Streamed
from app.ground.errors import Invalid, NotFound
from app.language.files import tabular
from app.language.resources import read, sync
from app.language.resources.columns import column_names, shape_of
from app.language.resources.filter import Values
from app.language.resources.read import Page, Query
from app.language.resources.shape import Shape

FORMS = (accept.JSON, accept.NDJSON, accept.CSV)
_STANDS = "%!$&'()*+,/:;=?@[]"
"""What stands for itself in a query string, and in a header between `<` and `>`."""

VARIES = {"Vary": "Accept, Authorization", "Cache-Control": "private, no-store"}


async def listed(call: Call) -> Response:
    since = call.parameters.one("changes_since")
    if since is not None:
        return await _changes(call, since)
    form = accept.chosen(call.request, FORMS)
    asked = question.from_parameters(call, streaming=form != accept.JSON)
    return await _answer(call, asked, form, "?")


async def _changes(call: Call, cursor: str) -> Response:
    accept.chosen(call.request)
    asked = question.of_changes(call)
    values = Values()
    filter_ = asked.filtered(call, values)
    query = Query(
        resource=call.resource, shape=_shape(call, asked), filter=filter_, values=values,
        limit=asked.limit or question.USUAL_LIMIT,
    )  # fmt: skip
    found = await call.read(
        lambda session: sync.since(session, call.principal, call.catalogue, query, cursor),
        isolation="repeatable read read only",
    )
    body = b'{"data":[%s],"tombstones":[%s],' % (
        ",".join(found.rows).encode(),
        ",".join(found.tombstones).encode(),
    )
    rest = {"has_more": found.has_more, "next_cursor": found.next_cursor, "previous_cursor": None}
    headers = {}
    if found.has_more:
        headers = {"Link": f'<{_here_but(call, changes_since=found.next_cursor)}>; rel="next"'}
    return Response(body + orjson.dumps(rest)[1:], headers=VARIES | headers, media_type=accept.JSON)


def _shape(call: Call, asked: Question) -> Shape:
    return shape_of(
        call.catalogue, call.resource, call.principal.role,
        expand=tuple(asked.expand), money_as_text=asked.money == "string",
    )  # fmt: skip


async def queried(call: Call) -> Response:
    form = accept.chosen(call.request, FORMS)
    bodies.expect(call.request, bodies.JSON)
    body = bodies.json_object(await bodies.raw(call.request), optional=True)
    asked = question.from_body(call, body, streaming=form != accept.JSON)
    return await _answer(call, asked, form, "/")


async def _answer(call: Call, asked: Question, form: str, prefix: str) -> Response:
    if asked.columns and form == accept.JSON:
        raise Invalid.field(
            f"{prefix}columns",
            "only_streamed",
            "Records in JSON are whole; `columns` goes with CSV and NDJSON, and GraphQL asks for single fields.",
        )
    values = Values()
    filter_ = asked.filtered(call, values)
    as_of, known_at = asked.moments(call, prefix)
    shape = shape_of(
        call.catalogue, call.resource, call.principal.role,
        expand=tuple(asked.expand), columns=tuple(asked.columns),
        money_as_text=asked.money == "string" or form == accept.CSV, pointer=f"{prefix}columns",
        custom=call.principal.tenant.custom, cells=form == accept.CSV,
    )  # fmt: skip
    query = Query(
        resource=call.resource,
        shape=shape,
        filter=filter_,
        values=values,
        sort=tuple(asked.sort) or call.resource.default_sort,
        limit=asked.limit or question.USUAL_LIMIT,
        after=asked.cursor,
        before=asked.before,
        deleted="deleted" in asked.include,
        total="total" in asked.include,
        as_of=as_of,
        known_at=known_at,
    )
    if form == accept.JSON:
        return await _page(call, query)
    for name, value in (("cursor", asked.cursor), ("before", asked.before)):
        if value is not None:
            raise Invalid.field(
                f"{prefix}{name}", "not_streamed", "A stream starts at the beginning, without cursor."
            )
    return _stream(call, query, form, asked.limit)


async def _page(call: Call, query: Query) -> Response:
    async def work(session: Any) -> Page:
        page = await read.page(session, call.principal, call.catalogue, query)
        if not page.rows:
            await demand_references(session, call, query)
        return page

    page = await call.read(work)
    return Response(
        page_body(page, with_total=query.total),
        headers=VARIES | links(call, page),
        media_type=accept.JSON,
    )


async def demand_references(session: Any, call: Call, query: Query) -> None:
    """An empty page may be a question about nothing: a record that is another tenant's, invisible, or was never
    there. All three get the same answer."""
    absent = await read.missing_reference(session, call.principal, call.catalogue, query.values)
    if absent is not None:
        raise NotFound(f"There is no such {absent}.")


def page_body(page: Page, *, with_total: bool) -> bytes:
    rest: dict[str, Any] = {
        "has_more": page.has_more,
        "next_cursor": page.next_cursor,
        "previous_cursor": page.previous_cursor,
    }
    if with_total:
        rest["total"] = page.total
    return b'{"data":[' + ",".join(page.rows).encode() + b"]," + orjson.dumps(rest)[1:]


def links(call: Call, page: Page) -> dict[str, str]:
    """RFC 8288; relative, since only the caller knows by which name it reached us."""
    if call.request.method == "POST":
        return {}
    found = []
    if page.next_cursor is not None:
        found.append(f'<{_here_but(call, cursor=page.next_cursor, before=None)}>; rel="next"')
    if page.previous_cursor is not None:
        found.append(f'<{_here_but(call, cursor=None, before=page.previous_cursor)}>; rel="prev"')
    return {"Link": ", ".join(found)} if found else {}


def _here_but(call: Call, **parameters: str | None) -> str:
    """The path and the query string as they were sent, with other values of these parameters.

    As they were sent, since to take apart and encode anew costs as much as everything else about a filter.
    """
    scope = call.request.scope
    sent = scope["query_string"].decode("ascii").split("&")
    kept = [part for part in sent if part and unquote_plus(part.partition("=")[0]) not in parameters]
    kept += [f"{name}={quote(value, safe='')}" for name, value in parameters.items() if value is not None]
    return f"{scope['path']}?{quote('&'.join(kept), safe=_STANDS)}"


def _stream(call: Call, query: Query, form: str, limit: int | None) -> Response:
    columns = column_names(query.shape)
    name = call.resource.plural

    async def chunks() -> AsyncGenerator[bytes]:
        # The header waits for the first rows, since a refusal can only come before the first byte.
        head = tabular.header(columns) if form == accept.CSV else b""
        left, found = limit, False
        async with call.snapshot() as session:
            async for rows in read.stream(session, call.principal, call.catalogue, query):
                taken = rows if left is None else rows[:left]
                if taken:
                    yield head + _encoded(taken, form, columns)
                    head, found = b"", True
                if left is not None:
                    left -= len(taken)
                    if left <= 0:
                        return
            if not found:
                await demand_references(session, call, query)
                yield head

    kind = "csv" if form == accept.CSV else "ndjson"
    headers = VARIES | {"Content-Disposition": f'inline; filename="{name}.{kind}"'}
    return Streamed(chunks(), f"{form}; charset=utf-8" if form == accept.CSV else form, headers)


def _encoded(rows: list[str], form: str, columns: tuple[str, ...]) -> bytes:
    if form == accept.CSV:
        return tabular.lines(columns, map(orjson.loads, rows))
    return ("\n".join(rows) + "\n").encode()
