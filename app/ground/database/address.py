"""One form of a database's address, whatever form it was given in."""

from __future__ import annotations

from urllib.parse import urlsplit

from app.ground.errors import Unavailable


def normalised(url: str) -> str:
    """`postgres://`, `postgresql+asyncpg://` and the like become the `postgresql://` that asyncpg reads."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise Unavailable(
            "ATTAIN_DATABASE_URL must look like postgresql://user:password@host:5432/database.",
            code="no_database",
        )
    return f"postgresql://{rest}"


def shown(url: str) -> str:
    """The address without its password, for logs and messages."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}", query="").geturl()
