"""Where the database is: one of your own by ATTAIN_DATABASE_URL, else the embedded one in the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.ground.database import embedded
from app.ground.database.address import normalised
from app.ground.settings import Settings, get_settings


@dataclass(frozen=True, slots=True)
class Location:
    """`owner_url` migrates and makes tenants; the service itself logs in at `app_url` and becomes `role` there."""

    owner_url: str
    app_url: str
    role: str | None


@contextmanager
def database(settings: Settings | None = None) -> Iterator[Location]:
    """Holds the embedded server while the block runs, where that is the one in use."""
    settings = settings or get_settings()
    if settings.database_url:
        yield given(settings.database_url, settings.app_database_url)
        return
    server = embedded.start(settings.data_dir)
    try:
        yield Location(server.owner_url, server.app_url, None)
    finally:
        server.leave()


def given(database_url: str, app_database_url: str | None) -> Location:
    owner_url = normalised(database_url)
    if app_database_url:
        return Location(owner_url, normalised(app_database_url), None)
    return Location(owner_url, owner_url, embedded.APP)
