"""The contract as schemathesis reads it, and where a check of its own is to judge by what this API promises."""

from __future__ import annotations

import copy
import os
import random
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    response_schema_conformance,
    use_after_free,
)

from tests.faces.rest.test_contract import DOCUMENT, with_money_as_text

EXAMPLES = int(os.environ.get("ATTAIN_FUZZ_EXAMPLES", "8"))
"""Per operation and for each identity."""

LONG = "ATTAIN_FUZZ_EXAMPLES" in os.environ
"""`make fuzz`: other data each time. Else the same each time: a change is judged by the change alone."""

REFUSED = ["400", "401", "403", "404", "405", "406", "409", "410", "412", "413", "415", "416", "422"]
CONFIG: dict[str, Any] = {
    # Who asks is no matter of chance: every identity asks everything.
    "generation": {"allow-x00": True, "with-security-parameters": False},
    # What streams may go on for ever.
    "max-stream-events": 1,
    "request-timeout": 10,
    "checks": {
        # A schema cannot say that a reference leads somewhere, or that a cursor was once given out.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", *REFUSED]},
        # An absent record or a stale `If-Match` may be told before the fault in the rest of the request.
        "negative_data_rejection": {"expected-statuses": REFUSED},
    },
}


FILTERS = 24
"""Of the hundreds of filters of a list, as many are drawn from: they are alike, and each has tests of its own."""

CONDITIONS = 8
"""Of the fields of a filter in a body. Filters nest into each other without end, and a strategy knows all of them."""


def fewer_filters(document: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(document)
    for path in made["paths"].values():
        for operation in path.values():
            listed = operation.get("parameters", [])
            filters = [x for x in listed if x.get("in") == "query" and not x["required"] and "style" not in x]
            chance = random.Random(None if LONG else operation["operationId"])
            left_out = chance.sample(filters, max(0, len(filters) - FILTERS))
            operation["parameters"] = [x for x in listed if x not in left_out]
    for name, schema in made["components"]["schemas"].items():
        if name.endswith("Filter"):
            _narrow(name, schema)
    return made


def _narrow(name: str, schema: dict[str, Any]) -> None:
    """To some fields, and to `not` of all that leads on to another filter."""
    fields = {x: y for x, y in schema["properties"].items() if "Filter" not in repr(y)}
    chosen = random.Random(None if LONG else name).sample(list(fields), min(len(fields), CONDITIONS))
    first = next(iter(schema["example"]))
    schema["properties"] = {x: fields[x] for x in fields if x in chosen or x == first}
    schema["properties"]["not"] = {"$ref": f"#/components/schemas/{name}"}


def loaded(document: dict[str, Any]) -> Any:
    return schemathesis.openapi.from_dict(
        fewer_filters(document), config=schemathesis.Config.from_dict(CONFIG)
    )


SCHEMA = loaded(DOCUMENT)
MONEY_AS_TEXT = loaded(with_money_as_text())


def as_text(case: Any) -> bool:
    """Whether it asks for money as text, which no schema of numbers can judge: `MONEY_AS_TEXT` does."""
    query, body = case.query or {}, case.body
    return query.get("money") == "string" or (isinstance(body, dict) and body.get("money") == "string")


def beyond(case: Any, response: Any) -> list[Any]:
    """The checks that know less of this case than the contract says."""
    query, path = case.query or {}, case.operation.path
    checks: list[Any] = []
    if as_text(case):
        checks.append(response_schema_conformance)
    if response.status_code == 200 and '"outcome":"failed"' in response.text and path.endswith(":upsert"):
        # An upsert is answered well where a row is wrong: its receipt says so, and the others go on.
        checks.append(negative_data_rejection)
    if any(value in ("", [""]) for value in query.values()):
        # `include=` is an empty list, which the contract takes, as well as a list of one wrong word.
        checks.append(negative_data_rejection)
    if path.endswith(("/history", "/timeline")) or "as_of" in query or "deleted" in str(query.get("include")):
        # What is deleted has a past, and can be asked for.
        checks.append(use_after_free)
    return checks


SUPPRESSED = [
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
    HealthCheck.too_slow,
]
"""The contract's parameters are many and its patterns narrow; what that costs is known."""


def drawn(examples: int = EXAMPLES, **more: Any) -> settings:
    more.setdefault("phases", (Phase.generate, Phase.shrink) if LONG else (Phase.generate,))
    return settings(
        max_examples=examples,
        derandomize=not LONG,
        deadline=None,
        database=None,
        suppress_health_check=SUPPRESSED,
        **more,
    )
