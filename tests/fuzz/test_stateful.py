"""Chains of requests on each noun as every role: what was created is there, what was deleted is not, on links that are
inferred. All nouns at once have ten thousand links, most of which say nothing, and more than hypothesis looks through.
"""

from __future__ import annotations

from typing import Any

import pytest
from schemathesis.generation.stateful import run_state_machine_as_test

from app.areas import CATALOGUE
from app.ground.access.principal import ROLES
from tests.fuzz.conftest import Live
from tests.fuzz.contract import EXAMPLES, LONG, SCHEMA, beyond, drawn

CHAINS = {"create", "get"}


@pytest.mark.parametrize("noun", [x.plural for x in CATALOGUE if x.operations >= CHAINS])
def test_chains_of_requests_are_answered_as_the_contract_says(noun: str, live: Live) -> None:
    own = SCHEMA.include(path_regex=rf"^/v1/{noun}([:/]|$)")
    for role in ROLES:

        class Chains(own.as_state_machine()):
            key = live.keys[role]

            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return {
                    "base_url": live.url,
                    "session": live.session,
                    "headers": {"Authorization": f"Bearer {self.key}"},
                }

            def validate_response(self, response: Any, case: Any, *_: Any, **sent: Any) -> None:
                case.validate_response(
                    response,
                    excluded_checks=beyond(case, response),
                    transport_kwargs=sent,
                    recorder=self.recorder,
                )

        run_state_machine_as_test(
            Chains, settings=drawn(EXAMPLES if LONG else 4, stateful_step_count=20 if LONG else 6)
        )
