"""Documents that are known beforehand, called by their hash."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.areas import CATALOGUE, METRIC_CATALOGUE
from app.faces.graphql import trusted
from app.faces.graphql.router import GraphQL
from app.ground.errors import Invalid
from app.ground.settings import Settings
from app.main import trust_documents
from tests.faces.graphql.conftest import Api

ME = "query Me { me { role } }"
OTHER = "{ me { name } }"


def serving(empty: Api, manifest: Path, documents: str) -> Api:
    app: Any = empty.client._transport.app  # pyright: ignore[reportAttributeAccessIssue]
    settings = app.settings.model_copy(
        update={"graphql_trusted_documents": manifest, "graphql_documents": documents}
    )
    made = GraphQL(app.database, settings, CATALOGUE, METRIC_CATALOGUE)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://attain")  # pyright: ignore[reportArgumentType]
    return replace(empty, client=client)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "documents.json"
    path.write_bytes(orjson.dumps({f"sha256:{trusted.hash_of(ME)}": ME}))
    return path


def named(text: str, *, apollo: bool = False) -> dict[str, Any]:
    if apollo:
        return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": trusted.hash_of(text)}}}
    return {"documentId": trusted.hash_of(text)}


async def outcome(api: Api, body: dict[str, Any]) -> Any:
    answer = (await api.post(body)).json()
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else answer["data"]


async def test_trusted_documents_are_called_by_their_hash(empty: Api, manifest: Path) -> None:
    for documents in ("any", "trusted"):
        api = serving(empty, manifest, documents)
        for body in (named(ME), named(ME, apollo=True), {"documentId": "sha256:" + trusted.hash_of(ME)}):
            assert await outcome(api, body) == {"me": {"role": "admin"}}
        assert await outcome(api, {"query": ME, **named(ME)}) == {"me": {"role": "admin"}}
        assert await outcome(api, {"query": ME}) == {"me": {"role": "admin"}}
        assert await outcome(api, {"query": ME, **named(OTHER)}) == "wrong_hash"
        assert await outcome(api, {}) == "required"
        assert await outcome(api, {"documentId": 5}) == "invalid_value"


async def test_no_caller_can_make_a_document_trusted(empty: Api, manifest: Path) -> None:
    open_, closed = serving(empty, manifest, "any"), serving(empty, manifest, "trusted")
    both = {"query": OTHER, **named(OTHER, apollo=True)}
    assert await outcome(open_, both) == {"me": {"name": "test admin"}}
    assert await outcome(closed, both) == "document_not_trusted"
    assert await outcome(closed, {"query": OTHER}) == "document_not_trusted"
    for api in (open_, closed):
        refused = (await api.post(named(OTHER, apollo=True))).json()["errors"]
        assert [x["message"] for x in refused] == ["PersistedQueryNotFound"]


async def test_a_new_document_is_found_without_a_restart(
    empty: Api, manifest: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trusted, "_LOOK_AGAIN_SECONDS", 0)
    api = serving(empty, manifest, "trusted")
    assert await outcome(api, named(OTHER)) == "document_not_found"
    source = tmp_path / "other.graphql"
    source.write_text(OTHER)
    mine = settings.model_copy(update={"graphql_trusted_documents": manifest})
    assert trust_documents(mine, [source]) == [(trusted.hash_of(OTHER), True)]
    assert trust_documents(mine, [source]) == [(trusted.hash_of(OTHER), False)]
    assert await outcome(api, named(OTHER)) == {"me": {"name": "test admin"}}
    manifest.write_text("{")
    os.utime(manifest, ns=(1, 1))
    assert await outcome(api, named("{ gone }")) == "document_not_found"
    assert await outcome(api, named(ME)) == {"me": {"role": "admin"}}


def test_what_would_be_refused_is_not_registered(manifest: Path, settings: Settings, tmp_path: Path) -> None:
    before = manifest.read_bytes()
    mine = settings.model_copy(update={"graphql_trusted_documents": manifest})
    good, bad = tmp_path / "good.graphql", tmp_path / "bad.graphql"
    good.write_text(OTHER)
    for text in ("{ nonsense }", "{", "{ me { name } } { me { role } }", "{ me { name } } #" + "x" * 20_000):
        bad.write_text(text)
        with pytest.raises(Invalid):
            trust_documents(mine, [good, bad])
    assert manifest.read_bytes() == before
    with pytest.raises(Invalid):
        trust_documents(settings, [good])


def test_a_file_with_a_wrong_hash_is_refused(manifest: Path) -> None:
    manifest.write_bytes(orjson.dumps({trusted.hash_of(OTHER): ME}))
    with pytest.raises(ValueError, match="SHA-256"):
        trusted.Store(manifest)
