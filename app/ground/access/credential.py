"""What an Authorization header carries: an API key or a token, in the one scheme or the other."""

from __future__ import annotations

import base64
import binascii

from app.ground.errors import Unauthorized

LONGEST = 8 * 1024
"""Bytes of a token; an API key has 83."""


def credential(header: str | None) -> str:
    """`Bearer <key or token>`, or Basic with it as password (Excel and Power BI can send nothing else)."""
    if not header:
        raise Unauthorized("Send `Authorization: Bearer <API key>`, or Basic with the key as password.")
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if len(value) > LONGEST * 4 // 3 + 256:
        raise Unauthorized("The Authorization header is too long.", code="invalid_key")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode("ascii").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    elif scheme.lower() != "bearer":
        raise Unauthorized("The Authorization header takes Bearer or Basic.", code="invalid_key")
    return value
