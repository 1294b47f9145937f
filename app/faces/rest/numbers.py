"""Numbers: their catalogue, what they come to, and the rows behind them, as JSON, CSV or NDJSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from app.faces.rest import accept, bodies
from app.faces.rest.edge import Call
from app.faces.rest.streaming import Streamed
from app.ground.database.session import Session
from app.ground.errors import Invalid, NotFound, did_you_mean
from app.language.files import tabular
from app.language.metrics import moment, tidy
from app.language.metrics.answer import Answer
from app.language.metrics.describe import describe
from app.language.metrics.explain import explain
from app.language.metrics.held import give
from app.language.metrics.metric import Metric
from app.language.metrics.question import MetricQuery, from_json, from_parameters

FORMS = (accept.JSON, accept.NDJSON, accept.CSV)
MOST_QUERIES = 20
LARGEST_PAGE = 1000
_CHUNK = 1000
_HEADERS = {"Vary": "Accept, Authorization", "Cache-Control": "private, no-store"}


async def catalogue(call: Call) -> Response:
    accept.chosen(call.request)
    call.parameters.nothing_else()
    custom = call.principal.tenant.custom
    return answered({"data": [describe(metric, custom) for metric in call.edge.metrics]})


async def one(call: Call) -> Response:
    accept.chosen(call.request)
    call.parameters.nothing_else()
    return answered(describe(_named(call), call.principal.tenant.custom))


async def asked(call: Call) -> Response:
    """The question is in the parameters."""
    form = accept.chosen(call.request, FORMS)
    question = from_parameters(call.edge.metrics, call.principal, call.parameters.items)
    [found] = await _answers(call, [question])
    return _shown(form, found, question)


async def queried(call: Call) -> Response:
    """The question is in the body, or up to twenty of them, all answered of one moment."""
    form = accept.chosen(call.request, FORMS)
    call.parameters.nothing_else()
    bodies.expect(call.request, bodies.JSON)
    body = bodies.json_object(await bodies.raw(call.request))
    if "queries" not in body:
        question = from_json(call.edge.metrics, call.principal, body)
        [found] = await _answers(call, [question])
        return _shown(form, found, question)
    many = body["queries"]
    if len(body) > 1 or not isinstance(many, list) or not 1 <= len(many) <= MOST_QUERIES:
        raise Invalid.field(
            "/queries", "invalid_value", f"`queries` stands alone: 1 to {MOST_QUERIES} questions."
        )
    if form != accept.JSON:
        raise Invalid.field("/queries", "not_streamed", "Several questions at once are answered as JSON.")
    questions = [_one_of(call, index, each) for index, each in enumerate(many)]
    return answered({"answers": [_whole(x) for x in await _answers(call, questions)]})


def _one_of(call: Call, index: int, body: Any) -> MetricQuery:
    if not isinstance(body, dict):
        raise Invalid.field(f"/queries/{index}", "not_an_object", "A question is a JSON object.")
    return from_json(call.edge.metrics, call.principal, body, pointer=f"/queries/{index}")


async def _answers(call: Call, questions: Sequence[MetricQuery]) -> list[Answer]:
    edge = call.edge
    timeout = edge.settings.metric_statement_timeout_ms
    return await moment.answers(
        edge.database, call.principal, call.catalogue, edge.metrics, questions, timeout_ms=timeout
    )


def _shown(form: str, found: Answer, question: MetricQuery) -> Response:
    if form == accept.JSON:
        return answered(_whole(found))
    return table(form, tidy.columns(question), map(tidy.tidy, found.data))


def table(form: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Response:
    return Response(_lines(form, columns, rows, first=True), headers=_HEADERS, media_type=form)


def _whole(found: Answer) -> dict[str, Any]:
    return {"data": found.data, "meta": found.meta}


async def held(call: Call) -> Response:
    """The question is in the record that the path names."""
    form = accept.chosen(call.request, FORMS)
    call.parameters.nothing_else()
    hold, edge = call.resource.numbers, call.edge
    assert hold is not None
    found = await give(
        edge.database, call.principal, call.catalogue, edge.metrics,
        await call.read(lambda session: hold(session, call.principal, call.catalogue, call.reference)),
        timeout_ms=edge.settings.metric_statement_timeout_ms,
    )  # fmt: skip
    if form == accept.JSON:
        return answered(_whole(found.answer) | {"as_seen_by": found.as_seen_by})
    columns = [*tidy.columns(found.question), "as_seen_by"]
    name = {"as_seen_by": found.as_seen_by["name"]}
    return table(form, columns, (tidy.tidy(row) | name for row in found.answer.data))


async def explained(call: Call) -> Response:
    form = accept.chosen(call.request, FORMS)
    metric = _named(call)
    limit = call.parameters.number("limit", 50, most=LARGEST_PAGE)
    cursor = call.parameters.one("cursor")
    question = from_parameters(call.edge.metrics, call.principal, call.parameters.items, metric=metric.name)
    if form == accept.JSON:
        found = await call.read(
            lambda session: _page(call, session, question, limit, cursor), isolation=moment.SNAPSHOT
        )
        return answered({"data": found.data, "has_more": found.has_more, "next_cursor": found.next_cursor})
    if cursor is not None:
        raise Invalid.field("?cursor", "not_streamed", "A stream starts at the beginning, without cursor.")
    return _stream(call, form, question)


def _stream(call: Call, form: str, question: MetricQuery) -> Response:
    columns = tidy.explained_columns(question)

    async def chunks() -> AsyncGenerator[bytes]:
        cursor, first = None, True
        async with call.snapshot() as session:
            while first or cursor:
                found = await _page(call, session, question, _CHUNK, cursor)
                yield _lines(form, columns, map(tidy.tidy, found.data), first=first)
                cursor, first = found.next_cursor, False

    return Streamed(chunks(), f"{form}; charset=utf-8" if form == accept.CSV else form, _HEADERS)


async def _page(call: Call, session: Session, question: MetricQuery, limit: int, cursor: str | None) -> Any:
    return await explain(
        session, call.principal, call.catalogue, call.edge.metrics, question, limit=limit, cursor=cursor
    )


def _named(call: Call) -> Metric:
    metrics = call.edge.metrics.by_name
    found = metrics.get(call.reference)
    if found is None:
        hint = did_you_mean(call.reference, metrics)
        raise NotFound(f'There is no metric "{call.reference[:80]}".{hint}')
    return found


def _lines(form: str, columns: Sequence[str], rows: Iterable[dict[str, Any]], *, first: bool) -> bytes:
    if form == accept.CSV:
        return (tabular.header(columns) if first else b"") + tabular.lines(columns, map(_plain, rows))
    return b"".join(_dumps({name: row.get(name) for name in columns}) + b"\n" for row in rows)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: orjson.loads(_dumps(v)) if isinstance(v, dict) else _text(v) for k, v in row.items()}


def _text(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def answered(body: Any) -> Response:
    return Response(_dumps(body), headers=_HEADERS, media_type=accept.JSON)


def _plainly(value: Any) -> Any:
    """Digit by digit: a double would round what was added up exactly."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, UUID):  # the driver's own class
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _dumps(body: Any) -> bytes:
    return orjson.dumps(body, default=_plainly)
