"""Chains of requests on each noun as every role: what was created is there, what was deleted is not, on links that are
inferred. All nouns at once have ten thousand links, most of which say nothing, and more than hypothesis looks through.

What a chain draws next depends on what was answered, and the same request is not always answered alike: its name may be
taken by now. Hypothesis remembers what it drew where, and gives up when that no longer fits; it then begins anew, and
what was refuted before counts, whether or not it comes again.
"""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import Phase
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.internal.conjecture import datatree
from schemathesis.generation.stateful import run_state_machine_as_test
from schemathesis.specs.openapi.checks import use_after_free

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
            ended = 0
            refuted: ClassVar[list[BaseException]] = []

            def setup(self) -> None:
                super().setup()
                self.back: set[str] = set()

            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return {
                    "base_url": live.url,
                    "session": live.session,
                    "headers": {"Authorization": f"Bearer {self.key}"},
                }

            def validate_response(self, response: Any, case: Any, *_: Any, **sent: Any) -> None:
                follow(self.back, case, response)
                there = not self.back.isdisjoint(words_for(case, response))
                try:
                    case.validate_response(
                        response,
                        excluded_checks=[*beyond(case, response), *([use_after_free] if there else [])],
                        transport_kwargs=sent,
                        recorder=self.recorder,
                    )
                except BaseException as failure:
                    self.refuted.append(failure)
                    raise

            def teardown(self) -> None:
                super().teardown()
                type(self).ended += 1

        run(Chains, EXAMPLES if LONG else 4, 20 if LONG else 6)


def follow(back: set[str], case: Any, response: Any) -> None:
    """Which records are there again after their deletion: a contract cannot say of an operation that it restores."""
    path = case.operation.path
    if response.status_code >= 300:
        return
    if case.operation.method.upper() == "DELETE":
        back -= words_for(case, response)
    elif path.endswith(":restore"):
        back |= words_for(case, response)
    elif path.endswith(":upsert"):
        back |= {x["id"] for x in response.json()["rows"] if x["outcome"] == "restored"}


def words_for(case: Any, response: Any) -> set[str]:
    """What one record was called, and its id where that is answered."""
    words = {case.path_parameters["id"]} if "{id}" in case.operation.path else set[str]()
    if response.status_code < 300 and case.operation.path.endswith(("{id}", ":restore")):
        words.add(response.json()["id"])
    return words


def run(chains: Any, examples: int, steps: int) -> None:
    while chains.ended < examples:
        try:
            run_state_machine_as_test(
                chains,
                settings=drawn(examples - chains.ended, stateful_step_count=steps, phases=(Phase.generate,)),
            )
            return
        except (FlakyStrategyDefinition, AssertionError) as error:
            if chains.refuted:
                raise chains.refuted[0] from None
            if not (isinstance(error, FlakyStrategyDefinition) or _is_of_the_tree(error)):
                raise


def _is_of_the_tree(error: BaseException) -> bool:
    """Hypothesis asserts that a run draws no further than an equal one before."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return at is not None and at.tb_frame.f_globals["__name__"] == datatree.__name__
