"""A worker beside the tests, and what they ask it for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.ground.database.locate import given
from app.ground.settings import Settings
from app.worker import working
from tests.faces.rest.conftest import Api


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[None]:
    assert settings.database_url is not None
    async with working(settings, given(settings.database_url, settings.app_database_url)):
        yield


async def ended(api: Api, operation_id: str, **who: Any) -> dict[str, Any]:
    """The operation when nothing more happens to it."""
    deadline = time.monotonic() + 60
    while True:
        found = (await api.get(f"/v1/operations/{operation_id}", **who)).json()
        if found["state"] not in ("pending", "running"):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def imported(api: Api, content: bytes | str, *, noun: str = "accounts", **asked: Any) -> dict[str, Any]:
    begun = await api.post("/v1/imports", {"noun": noun, "source": "file", **asked})
    assert begun.status_code == 201, begun.text
    id_ = begun.json()["id"]
    assert begun.headers["location"] == f"/v1/operations/{id_}"
    sent = await api.send("PUT", f"/v1/imports/{id_}/content", content=content)
    assert sent.status_code == 202, sent.text
    return await ended(api, id_)


async def refused(api: Api, operation_id: str) -> list[tuple[Any, ...]]:
    """Row, line, column and code of each error."""
    page = (await api.get(f"/v1/operations/{operation_id}/errors")).json()
    return [(x["row"], x["line"], x["column"], x["code"]) for x in page["data"]]
