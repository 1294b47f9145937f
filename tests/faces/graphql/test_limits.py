"""What is refused before anything is run."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import httpx
import pytest
from graphql import Lexer, Source, TokenKind, parse

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql.limits import Limits, scan
from app.faces.graphql.router import GraphQL
from app.ground.errors import AttainError
from tests.faces.graphql.conftest import Api

CODES = ("invalid_query", "too_complex", "several_operations")


async def code_of(api: Api, document: str, variables: Any = None) -> str:
    return (await api.refusal(document, variables))["extensions"]["code"]


def scanned(text: str, **limits: int) -> str:
    """The code of the refusal, or nothing."""
    try:
        scan(text, dataclasses.replace(WIDE, **limits))
    except AttainError as refusal:
        return refusal.code
    return ""


WIDE = Limits(bytes=10**6, tokens=10**6, depth=10**6, aliases=10**6, directives=10**6, fields=10**6)

TRICKY = r'''
# query { @a @b }
query Q($a: [String!] = ["{ {", "x: y"], $b: I = {c: {d: 1}}) @one {
  first: field(a: {b: [{c: "\" }", d: """{ \""" { @ """}]}) @two { leaf ... on T @three { other } }
  ...F
}
fragment F on query { on more }
'''


def tokens_of(text: str) -> int:
    lexer = Lexer(Source(text))
    count = 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    return count


@pytest.mark.parametrize(
    ("limit", "right"),
    [
        ("tokens", tokens_of(TRICKY)),
        ("depth", 4),
        ("aliases", 1),
        ("directives", 3),
        ("fields", 4),
        ("bytes", len(TRICKY)),
    ],
)
def test_tokens_are_counted_as_the_parser_sees_them(limit: str, right: int) -> None:
    parse(TRICKY)
    assert scanned(TRICKY, **{limit: right}) == ""
    assert scanned(TRICKY, **{limit: right - 1}) == (
        "document_too_large" if limit == "bytes" else "too_complex"
    )


def test_operations_are_counted_by_how_definitions_begin() -> None:
    assert scanned("{ a } fragment query on mutation { query } fragment f on T { x }") == ""
    for second in ("{ a }", "query { a }", "mutation M($x: I = {a: 1}) { a }", "subscription @x { a }"):
        assert scanned(f"fragment f on T {{ x }} query Q {{ a }} {second}") == "several_operations"


def test_bytes_are_bytes() -> None:
    assert scanned("é" * 10, bytes=20) == ""
    assert scanned("é" * 10, bytes=19) == "document_too_large"


async def test_limits_are_settings(empty: Api) -> None:
    app: Any = empty.client._transport.app  # pyright: ignore[reportAttributeAccessIssue]
    document = "{ me { a: name b: role } }"
    assert await empty.data(document)
    for name in ("bytes", "tokens", "depth", "aliases", "fields"):
        strict = app.settings.model_copy(update={f"graphql_max_{name}": 1})
        limited = GraphQL(app.database, strict, CATALOGUE, METRIC_CATALOGUE)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(limited), base_url="http://attain")  # pyright: ignore[reportArgumentType]
        assert (await code_of(dataclasses.replace(empty, client=client), document)).endswith(
            ("too_complex", "too_large")
        )
    long = "{ accounts { nodes { " + "a" * 61 + ": id } } }"
    assert await code_of(empty, long) == "too_complex"


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
    assert {x["extensions"]["code"] for x in answer["errors"]} == {"too_complex"}


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
        assert error["extensions"]["code"] in CODES, error
        assert error["extensions"]["status"] == 400
        assert len(error["message"]) <= 400


async def test_a_document_with_many_errors_tells_the_first(empty: Api) -> None:
    answer = await empty("{ accounts { nodes { " + " ".join(f"n{i}" for i in range(400)) + " } } }")
    assert len(answer["errors"]) == 1
