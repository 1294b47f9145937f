"""Questions about one record that change nothing."""

from __future__ import annotations

from starlette.responses import Response

from app.faces.rest import accept, bodies
from app.faces.rest.edge import Call
from app.faces.rest.numbers import answered
from app.language.metrics.moment import SNAPSHOT
from app.language.resources.answers import with_money_as_text
from app.language.resources.inquire import inquire


async def asked(call: Call) -> Response:
    accept.chosen(call.request)
    body = await bodies.raw(call.request)
    if body:
        bodies.expect(call.request, bodies.JSON)
    data = bodies.json_object(body, optional=True)
    as_text = call.parameters.word("money", ("number", "string"), "number") == "string"
    call.parameters.nothing_else()
    found = await call.read(
        lambda session: inquire(session, call.principal, call.catalogue, call.inquiry, call.reference, data),
        isolation=SNAPSHOT,
    )
    return answered(with_money_as_text(call.inquiry.answer, found) if as_text else found)
