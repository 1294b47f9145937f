"""Every operation of REST under drawn requests, right and wrong ones, each sent by every identity.

Drawing a request costs more than answering it, so each is drawn once and sent by everybody, the weakest first.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.rest import routes
from app.language.resources.resource import Resource
from tests.catalogue.company import Maker
from tests.fuzz.conftest import Live
from tests.fuzz.contract import MONEY_AS_TEXT, SCHEMA, as_text, beyond, drawn

OPERATIONS = {x.id: x for x in routes.operations(CATALOGUE, METRIC_CATALOGUE)}
IDENTITIES = ("anonymous", "analyst", "rep", "manager", "integration", "admin")
ANY = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_request_is_answered_as_the_contract_says(name: str, live: Live) -> None:
    operation = OPERATIONS[name]
    described = SCHEMA[operation.path][operation.method]
    strategies = {mode: described.as_strategy(generation_mode=mode) for mode in GenerationMode}

    @drawn()
    @given(data=st.data())
    def fuzz(data: st.DataObject) -> None:
        case = data.draw(strategies[data.draw(ANY)])
        aim(case, operation, live, data.draw(st.randoms(use_true_random=False)))
        for identity in IDENTITIES:
            send(live, case, identity)

    fuzz()


def aim(case: Any, operation: Any, live: Live, chance: random.Random) -> None:
    """Half of the requests at records that exist, and half of the bodies right but for a field or two."""
    resource: Resource | None = operation.resource
    if resource is None:
        return
    if "id" in (case.path_parameters or {}) and chance.random() < 0.7:
        case.path_parameters["id"] = chance.choice(live.ids[resource.plural])
    if (
        operation.id.startswith(("create", "update"))
        and isinstance(case.body, dict)
        and chance.random() < 0.5
    ):
        creating = operation.method == "POST"
        maker = Maker(chance.random(), live.ids)
        maker.count = chance.randrange(10**5)
        kept = chance.sample(sorted(case.body), min(len(case.body), chance.randrange(3)))
        case.body = maker.payload(resource, creating=creating) | {x: case.body[x] for x in kept}


def send(live: Live, case: Any, identity: str) -> None:
    key = live.keys.get(identity)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = case.call(live.url, live.session, headers)
    if identity == "anonymous" and operation_is_closed(case):
        assert response.status_code == 401, response.text
    # Whoever asks, the same gate lets in: asked once, of who is let in most often.
    excluded = beyond(case, response) + ([] if identity == "admin" else [ignored_auth])
    case.validate_response(
        response, headers=headers, excluded_checks=excluded, transport_kwargs={"session": live.session}
    )
    if as_text(case):
        MONEY_AS_TEXT[case.operation.path][case.operation.method].validate_response(response)


def operation_is_closed(case: Any) -> bool:
    """All but the links that carry a signature."""
    return OPERATIONS[case.operation.definition.raw["operationId"]].identify is None
