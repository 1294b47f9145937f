"""Trusted documents: written by those who build the frontends, named by their SHA-256, and where so set the only ones.

They come as one JSON object from hash to text, which is what graphql-codegen and Relay's compiler write beside a
build. A caller names one as `documentId` or, in the words of Apollo's clients, as `extensions.persistedQuery`. That no
caller can add one by sending it is the point.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLError

from app.faces.graphql.documents import Documents
from app.faces.graphql.errors import BadQuery
from app.faces.graphql.limits import Limits
from app.faces.graphql.schema import schema
from app.ground.errors import AttainError, Forbidden, Invalid
from app.ground.settings import Settings
from app.language.metrics.metric import MetricCatalogue
from app.language.resources.resource import Catalogue

_LOOK_AGAIN_SECONDS = 1.0


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path) -> dict[str, str]:
    """By plain hash. Raises ValueError for a file that says of a text what is not so."""
    found = orjson.loads(path.read_bytes())
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not a JSON object from hashes to documents.")
    documents: dict[str, str] = {}
    for name, text in found.items():
        if not isinstance(text, str) or hash_of(text) != _plain(name):
            raise ValueError(f'{path}: "{name[:80]}" is not the SHA-256 of its document.')
        documents[_plain(name)] = text
    return documents


def trust(
    settings: Settings, catalogue: Catalogue, metrics: MetricCatalogue, files: Sequence[Path]
) -> list[tuple[str, bool]]:
    """Put the documents of `files` among those of the settings' file: their hashes, and whether they are new. Raises
    Invalid for the first that would be refused when it is asked, and then none is kept."""
    path = settings.graphql_trusted_documents
    if path is None:
        raise Invalid("ATTAIN_GRAPHQL_TRUSTED_DOCUMENTS names the file that keeps them.")
    documents = Documents(schema(catalogue, metrics).core, Limits.of(settings), introspection=True)
    known = load(path) if path.exists() else {}
    told: list[tuple[str, bool]] = []
    for file in files:
        text = file.read_text("utf-8")
        try:
            documents.read(text)
        except (AttainError, GraphQLError) as error:
            raise Invalid(f"{file}: {error}") from None
        name = hash_of(text)
        told.append((name, name not in known))
        known[name] = text
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    # In one step: a service may be reading it.
    beside.replace(path)
    return told


class Store:
    """The documents of a file. An unknown one has the file looked at again, so that a frontend may be put out
    without restarting the service; a file that has become unreadable leaves what was known."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._documents = load(path) if path is not None else {}
        self._written = os.stat(path).st_mtime_ns if path is not None else 0
        self._looked = time.monotonic()

    def get(self, name: str) -> str | None:
        found = self._documents.get(name)
        if found is None and self.path is not None and time.monotonic() - self._looked > _LOOK_AGAIN_SECONDS:
            self._looked = time.monotonic()
            self._look_again(self.path)
            found = self._documents.get(name)
        return found

    def _look_again(self, path: Path) -> None:
        try:
            written = os.stat(path).st_mtime_ns
            if written != self._written:
                self._documents = load(path)
                self._written = written
        except (OSError, ValueError):
            return


def text_of(sent: Mapping[str, Any], store: Store, *, only: bool) -> str:
    """The document that a request means. `only` lets none pass but the trusted ones."""
    name, text = _named(sent), sent.get("query")
    if text is not None and (not isinstance(text, str) or not text.strip()):
        raise Invalid.field("/query", "required", "`query` is the text of a GraphQL document.")
    if name is None:
        if text is None:
            raise Invalid.field("/query", "required", "`query` is the text of a GraphQL document.")
        if only and store.get(hash_of(text)) is None:
            raise Forbidden("Only trusted documents are answered here.", code="document_not_trusted")
        return text
    known = store.get(name)
    if text is not None and hash_of(text) != name:
        raise Invalid.field("/extensions", "wrong_hash", "The hash is not that of `query`.")
    if known is not None:
        return known
    if text is not None and not only:
        return text
    if text is not None:
        raise Forbidden("Only trusted documents are answered here.", code="document_not_trusted")
    # Apollo's clients wait for this very text, and then send the document itself.
    raise BadQuery("PersistedQueryNotFound", code="document_not_found")


def _named(sent: Mapping[str, Any]) -> str | None:
    extensions = sent.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, Mapping) else None
    name = persisted.get("sha256Hash") if isinstance(persisted, Mapping) else sent.get("documentId")
    if name is None:
        return None
    if not isinstance(name, str):
        raise Invalid.field("/documentId", "invalid_value", "A document is named by its SHA-256.")
    return _plain(name)


def _plain(name: str) -> str:
    return name.removeprefix("sha256:").lower()
