"""The signing keys of one identity provider, fetched seldom and kept long.

Nobody can make this service fetch more than once in `COOLDOWN` seconds, whatever tokens they send; a provider that is
down for hours changes nothing for keys that are known; and a new key is found by the first token that it signed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from app.ground.errors import Invalid, Unavailable

COOLDOWN = 30.0
"""Seconds between two fetches, also where the first one failed."""
REFRESH = 300.0
"""After so many seconds the keys are fetched again, while the known ones still serve."""
KEEP = 24 * 3600.0
"""So long the last known keys serve while the provider cannot be reached."""

_SECONDS = 5.0
_MOST_BYTES = 256 * 1024
_MOST_KEYS = 100
_MOST_WAITING = 64
_LEAST_RSA_BITS = 2048
_KINDS = frozenset({"RSA", "EC", "OKP"})

_log = structlog.get_logger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]


class KeySet:
    def __init__(self, url: str, *, fetch: Fetch | None = None, allow_loopback: bool = False) -> None:
        self.url = checked(url, allow_loopback=allow_loopback)
        self._fetch = fetch or fetched
        self._keys: dict[str, dict[str, Any]] = {}
        self._made: dict[tuple[str, str], PyJWK] = {}
        self._tried_at = self._got_at = float("-inf")
        self._running: asyncio.Task[None] | None = None
        self._waiting = 0

    async def key(self, kid: str, algorithm: str) -> PyJWK | None:
        """None where the provider has no such key. Raises Unavailable where nobody can say which keys it has."""
        now = time.monotonic()
        if now - self._got_at > KEEP:
            await self._wait()
            if time.monotonic() - self._got_at > KEEP:
                raise Unavailable(
                    "The identity provider cannot be reached.",
                    code="identity_provider_unreachable",
                    headers={"Retry-After": str(int(COOLDOWN))},
                )
        elif kid not in self._keys:
            await self._wait()
        elif now - self._got_at > REFRESH:
            self._start()
        return self._key(kid, algorithm)

    def _key(self, kid: str, algorithm: str) -> PyJWK | None:
        data = self._keys.get(kid)
        if data is None or data.get("alg", algorithm) != algorithm:
            return None
        made = self._made.get((kid, algorithm))
        if made is None:
            try:
                made = PyJWK(data, algorithm)
            except (PyJWTError, ValueError, TypeError):
                return None
            if getattr(made.key, "key_size", _LEAST_RSA_BITS) < _LEAST_RSA_BITS and data["kty"] == "RSA":
                return None
            self._made[kid, algorithm] = made
        return made

    def _start(self) -> asyncio.Task[None] | None:
        """The one fetch that runs; None where it is too soon for another."""
        if self._running is None and time.monotonic() - self._tried_at >= COOLDOWN:
            self._tried_at = time.monotonic()
            # A task of its own: a caller who goes away does not end what others wait for.
            self._running = asyncio.create_task(self._refresh())
        return self._running

    async def _wait(self) -> None:
        running = self._start()
        if running is None or self._waiting >= _MOST_WAITING:
            return
        self._waiting += 1
        try:
            await asyncio.shield(running)
        finally:
            self._waiting -= 1

    async def _refresh(self) -> None:
        try:
            self._keys = _read(await self._fetch(self.url))
            self._made = {}
            self._got_at = time.monotonic()
        except Exception as error:
            _log.warning("jwks_fetch_failed", url=self.url, error=type(error).__name__)
        finally:
            self._running = None


def checked(url: str, *, allow_loopback: bool) -> str:
    """`url` where it may be fetched: https, or http on this machine where that is allowed."""
    parts = urlsplit(url)
    loopback = parts.hostname == "localhost" or _is_loopback(parts.hostname or "")
    secure = parts.scheme == "https" or (parts.scheme == "http" and loopback)
    if not secure or not parts.hostname or parts.username is not None or (loopback and not allow_loopback):
        raise Invalid("Keys are fetched over https only, and from this machine only where that is allowed.")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


async def fetched(url: str) -> bytes:
    """No redirects, no proxy or credentials from the environment, bounded in time and size."""
    async with (
        asyncio.timeout(_SECONDS),
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=_SECONDS) as client,
        client.stream(
            "GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity"}
        ) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"status {answer.status_code}")
        body = bytearray()
        async for part in answer.aiter_raw():
            body += part
            if len(body) > _MOST_BYTES:
                raise ValueError("too long")
    return bytes(body)


def _read(body: bytes) -> dict[str, dict[str, Any]]:
    """The keys that may sign, by their ids. None at all is taken for an error: it would lock everybody out."""
    document = orjson.loads(body)
    found = {
        key["kid"]: key
        for key in document["keys"][:_MOST_KEYS]
        if isinstance(key, dict)
        and isinstance(key.get("kid"), str)
        and key.get("kty") in _KINDS
        and key.get("use", "sig") == "sig"
        and "verify" in key.get("key_ops", ("verify",))
    }
    if not found:
        raise ValueError("no keys")
    return found
