"""An identity provider of one's own: keys, tokens, and a key set served over loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.ground.settings import Issuer

ISSUER = "https://id.example.com/"
AUDIENCE = "attain"


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Provider:
    """`keys` are what its key set shows; `fetches` counts who asked for it."""

    tenant: UUID
    keys: dict[str, Any] = field(default_factory=dict)
    extra_keys: list[dict[str, Any]] = field(default_factory=list)
    fetches: int = 0
    port: int = 0
    answer: bytes | None = None
    up: bool = True

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks"

    def issuer(self, **changes: Any) -> Issuer:
        own = {
            "issuer": ISSUER,
            "jwks_url": self.jwks_url,
            "audience": AUDIENCE,
            "algorithms": ["RS256", "ES256"],
        }
        if "tenant_claim" not in changes:
            own["tenant"] = self.tenant
        return Issuer.model_validate(own | {"source": "idp"} | changes)

    def add(self, kid: str, kind: str = "RSA", bits: int = 2048) -> None:
        self.keys[kid] = (
            rsa.generate_private_key(65537, bits)
            if kind == "RSA"
            else ec.generate_private_key(ec.SECP256R1())
        )

    def jwk(self, kid: str) -> dict[str, Any]:
        key = self.keys[kid].public_key()
        made = RSAAlgorithm.to_jwk(key) if isinstance(key, rsa.RSAPublicKey) else ECAlgorithm.to_jwk(key)
        return json.loads(made) | {"kid": kid, "use": "sig"}

    def pem(self, kid: str) -> bytes:
        return self.keys[kid].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def document(self) -> bytes:
        return json.dumps({"keys": [*map(self.jwk, self.keys), *self.extra_keys]}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        own = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + 600}
        return {k: v for k, v in (own | changes).items() if v is not None}

    def token(
        self,
        kid: str = "one",
        *,
        headers: dict[str, Any] | None = None,
        algorithm: str = "RS256",
        **claims: Any,
    ) -> str:
        given = {"kid": kid, "typ": "JWT"} | (headers or {})
        return jwt.encode(self.claims(**claims), self.keys[kid], algorithm=algorithm, headers=given)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.fetches += 1
            if self.up:
                body = self.document()
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                writer.write(self.answer if self.answer is not None else head + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Provider]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()
