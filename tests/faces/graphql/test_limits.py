"""What is refused before anything is run."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.faces.graphql.conftest import Api


async def code_of(api: Api, document: str, variables: Any = None) -> str:
    return (await api.refusal(document, variables))["extensions"]["code"]


async def test_documents_that_are_too_large(empty: Api) -> None:
    deep = "{ accounts { nodes { " + "parent { " * 15 + "id" + " }" * 15 + " } } }"
    aliases = "{ accounts { nodes { " + " ".join(f"a{i}: id" for i in range(201)) + " } } }"
    tokens = "{ accounts { nodes { " + "id " * 4001 + " } } }"
    long = "{ accounts { nodes { " + "a" * 61 + ": id } } }"
    for document in (deep, aliases, tokens, long):
        assert await code_of(empty, document) == "invalid_query"
    answer = await empty.post({"query": "{ me { name } } #" + "x" * 100_000})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (
        413,
        "document_too_large",
    )


async def test_fragments_that_double_do_not_hold_the_server(empty: Api) -> None:
    count = 60
    fragments = " ".join(
        f"fragment f{i} on Account {{ a: parent {{ ...f{i + 1} }} b: parent {{ ...f{i + 1} }} }}"
        for i in range(count)
    )
    document = f"{{ accounts {{ nodes {{ ...f0 }} }} }} {fragments} fragment f{count} on Account {{ id }}"
    began = time.monotonic()
    answer = await empty(document)
    assert time.monotonic() - began < 2
    assert {x["extensions"]["code"] for x in answer["errors"]} == {"invalid_query"}


async def test_lists_in_lists_are_reckoned_before_they_are_read(empty: Api) -> None:
    inner = "opportunities(first: 200) { activities(first: 200) { id } }"
    assert await code_of(empty, f"{{ accounts(first: 200) {{ nodes {{ {inner} }} }} }}") == "too_costly"
    answer = await empty(
        "{ accounts(first: 3) { nodes { opportunities(first: 4) { owner { name } lineItems { amount } } } } }"
    )
    assert answer["extensions"]["cost"] == 3 + 12 + 12 + 120


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{", None),
        ("{ opportunity }", None),
        ("{ nonsense }", None),
        ("{ accounts { nodes { nam } } }", None),
        ("query ($x: Int!) { accounts(first: $x) { totalCount } }", {}),
        ('query ($x: DateTime) { account(id: "a", asOf: $x) { id } }', {"x": 5}),
        ('mutation { createAccount(input: {name: "x", employees: "y"}) { outcome } }', None),
        ("query A { me { name } } query B { me { name } }", None),
        ("{ a: accounts(first: 1) { totalCount } a: accounts(first: 2) { totalCount } }", None),
        ("query { ...f } fragment f on Query { ...f }", None),
        ("subscription { x }", None),
        ("{ accounts" + "{ nodes { parent" * 700, None),
    ],
)
async def test_documents_that_do_not_fit(empty: Api, document: str, variables: Any) -> None:
    answer = await empty(document, variables)
    assert answer.get("data") is None
    for error in answer["errors"]:
        assert error["extensions"]["code"] in ("invalid_query", "too_deep"), error
        assert error["extensions"]["status"] == 400
        assert len(error["message"]) <= 400


async def test_a_document_with_many_errors_tells_the_first(empty: Api) -> None:
    answer = await empty("{ accounts { nodes { " + " ".join(f"n{i}" for i in range(500)) + " } } }")
    assert len(answer["errors"]) <= 20
