"""The attacks on a GraphQL endpoint that everybody tries: tests see each refused, `make abuse` measures what they cost
somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Attack:
    """`code` is the one of the refusal, which comes with `status`."""

    name: str
    code: str
    body: bytes
    status: int = 200
    method: str = "POST"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


def _document(name: str, code: str, text: str, status: int = 200, **more: object) -> Attack:
    return Attack(name, code, orjson.dumps({"query": text, **more}), status)


def _nested(levels: int, inner: str = "id") -> str:
    return "{ accounts { nodes { " + "parent { " * levels + inner + " }" * levels + " } } }"


_FRAGMENTS = " ".join(
    f"fragment f{i} on Account {{ " + " ".join(f"a{n}: parent {{ ...f{i + 1} }}" for n in range(3)) + " }"
    for i in range(4)
)
_BATCH = orjson.dumps([{"query": "{ me { name } }"}] * 50)
_QUERY = {"query": "{ me { name } }"}
_MUTATION = {"query": 'mutation { createAccount(input: {name: "x"}) { outcome } }'}
_UPLOAD = (
    b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n' + orjson.dumps(_QUERY)
    + b'\r\n--x\r\ncontent-disposition: form-data; name="map"\r\n\r\n{}\r\n--x--\r\n'
)  # fmt: skip

ATTACKS = (
    _document("nesting 30 deep", "too_complex", _nested(30)),
    _document(
        "circular fragments", "invalid_query",
        "{ accounts { nodes { ...a } } } fragment a on Account { parent { ...b } }"
        " fragment b on Account { parent { ...a } }",
    ),
    _document(
        "200 aliases", "too_complex", "{ " + " ".join(f"a{i}: me {{ name }}" for i in range(200)) + " }"
    ),
    _document(
        "aliases multiplied by fragment spreads", "too_complex",
        f"{{ accounts {{ nodes {{ ...f0 }} }} }} {_FRAGMENTS} fragment f4 on Account {{ id }}",
    ),
    _document("990 duplicated fields", "too_complex", "{ me { " + "name " * 990 + "} }"),
    _document("5,000 duplicated fields", "document_too_large", "{ me { " + "name " * 5000 + "} }", 413),
    _document("450 unknown directives", "too_complex", "{ me { name " + "@x " * 450 + "} }"),
    _document("120 @include", "too_complex", "{ me { name " + "@include(if: true) " * 120 + "} }"),
    _document("introspection", "invalid_query", "{ __schema { types { name fields { name } } } }"),
    _document(
        "circular introspection", "too_complex",
        "{ __schema { types { " + "fields { type { " * 12 + "name" + " } }" * 12 + " } } }",
    ),
    _document(
        "lists of 100 by 100", "too_costly",
        "{ accounts(first: 100) { nodes { opportunities(first: 100) { id } } } }",
    ),
    _document(
        "lists of 20 by 50 by 50", "too_costly",
        "{ accounts(first: 20) { nodes { opportunities(first: 50) { activities(first: 50) { id } } } } }",
    ),
    _document("field suggestions", "invalid_query", "{ opportunites { nodes { nam } } }"),
    _document(
        "160 named operations", "several_operations",
        " ".join(f"query q{i} {{ me {{ name }} }}" for i in range(160)), operationName="q0",
    ),
    _document(
        "an integer over 32 bits", "invalid_query",
        "query ($n: Int) { accounts(first: $n) { totalCount } }", variables={"n": 2**40},
    ),
    _document("a comment of 500 KB", "document_too_large", "{ me { name } } #" + "x" * 500_000, 413),
    _document(
        "lines of comments behind, 200 KB", "document_too_large", "{ me { name } }" + "\n# x" * 50_000, 413
    ),
    _document(
        "150 nested inline fragments", "too_complex", "{ me { " + "... { " * 150 + "name" + " }" * 150 + " } }"
    ),
    _document(
        "a list literal nested 300 deep", "too_complex",
        '{ metrics(names: ' + "[" * 300 + '"x"' + "]" * 300 + ") { rows { n } } }",
    ),
    Attack("a batch of 50", "bad_request", _BATCH, 400),
    Attack("a query by GET", "method_not_allowed", b"", 405, "GET", urlencode(_QUERY), {}),
    Attack("a mutation by GET", "method_not_allowed", b"", 405, "GET", urlencode(_MUTATION), {}),
    Attack(
        "a form", "unsupported_media_type", urlencode(_QUERY).encode(), 415,
        headers={"content-type": "application/x-www-form-urlencoded"},
    ),
    Attack(
        "an upload", "unsupported_media_type", _UPLOAD, 415,
        headers={"content-type": "multipart/form-data; boundary=x"},
    ),
)  # fmt: skip
"""The first 19 are documents, the others ways of sending one: together one attack."""
