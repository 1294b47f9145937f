"""The part of a request's head that a refusal needs: whose it is, and where the request ends.

A caller sends the same header lines over and over. What they say is kept by their bytes, so that all but the first cost
one look into a dictionary.
"""

from __future__ import annotations

from typing import NamedTuple

_ELSEWHERE = frozenset({b"expect", b"transfer-encoding", b"upgrade", b"origin"})
"""A request with one of these is read by the parser, and by who puts the headers of CORS on an answer."""
_MOST_KNOWN = 1_000
_MOST_BYTES = 4 * 1024
"""Together four megabytes."""


class Told(NamedTuple):
    authorization: bytes
    length: int
    """Of the body, in bytes."""


class Heads:
    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, Told | None] = {}

    def told(self, lines: bytes) -> Told | None:
        """What the header lines say, without the request's own line before and the empty one behind them; None where
        they name nobody, or say anything for which the request must be read as a whole."""
        try:
            return self._known[lines]
        except KeyError:
            told = _read(lines)
        if len(lines) <= _MOST_BYTES:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[lines] = told
        return told


_ONCE = frozenset({b"authorization", b"content-length"})


def _read(lines: bytes) -> Told | None:
    """Whatever the parser might read otherwise is left to it: where a request ends must not be in dispute."""
    authorization: bytes | None = None
    length = 0
    seen: set[bytes] = set()
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or name.strip() != name or b"\n" in line or b"\r" in line:
            return None
        name, value = name.lower(), value.strip()
        if name in _ELSEWHERE or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
        if name in _ONCE and name in seen:
            return None
        seen.add(name)
        if name == b"content-length":
            if not value.isdigit() or len(value) > 9:
                return None
            length = int(value)
        elif name == b"authorization":
            authorization = value
    return None if authorization is None else Told(authorization, length)
