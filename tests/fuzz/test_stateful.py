"""Chains of requests as every role: what was created is there, what was deleted is not, on links that are inferred."""

from __future__ import annotations

from typing import Any

import pytest
from schemathesis.generation.stateful import run_state_machine_as_test

from app.ground.access.principal import ROLES
from tests.fuzz.conftest import Live
from tests.fuzz.contract import EXAMPLES, LONG, SCHEMA, drawn


@pytest.mark.parametrize("role", ROLES)
def test_chains_of_requests_are_answered_as_the_contract_says(role: str, live: Live) -> None:
    class Chains(SCHEMA.as_state_machine()):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {
                "base_url": live.url,
                "session": live.session,
                "headers": {"Authorization": f"Bearer {live.keys[role]}"},
            }

    run_state_machine_as_test(
        Chains, settings=drawn(EXAMPLES if LONG else 4, stateful_step_count=20 if LONG else 6)
    )
