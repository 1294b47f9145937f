"""`attain demo` on a database of its own: filled once, taken up again after an interruption, one key."""

from __future__ import annotations

import asyncio
import io
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from app.demo import fill, load
from app.demo.generate import generate
from app.ground.database.locate import Location
from app.ground.database.session import connect
from app.ground.settings import Settings
from app.language.resources import write

MakeDatabase = Callable[[], tuple[str, str]]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fill, "generate", partial(generate, opportunities=300, accounts=60, internal_activities=20)
    )


async def run(location: Location, folder: Path) -> str:
    """What is said. In a thread, since the command has an event loop of its own."""
    said = Console(file=io.StringIO(), width=200)
    await asyncio.to_thread(fill.fill, Settings(data_dir=folder, port=8123), location, said)
    return said.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


async def test_filled_once_resumed_and_opened_by_one_key(
    new_database: MakeDatabase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner_url, app_url = new_database()
    location, path = Location(owner_url, app_url, None), tmp_path / "data" / "demo.key"
    owner = await connect(owner_url)
    try:
        # Somebody's own tenant of this name stays as it is.
        await owner.execute("insert into control.tenants (name) values ('Demo')")

        store = load._store

        async def interrupted(*given: Any) -> Any:
            if "activities" in given:
                raise KeyboardInterrupt
            return await store(*given)

        with monkeypatch.context() as patched:
            patched.setattr(load, "_store", interrupted)
            with pytest.raises(KeyboardInterrupt):
                await run(location, path.parent)
        assert not path.exists()

        act = write.act
        acts = 0

        async def interrupted_while_paying(*given: Any) -> Any:
            nonlocal acts
            acts += 1
            if acts > 60:
                raise KeyboardInterrupt
            return await act(*given)

        with monkeypatch.context() as patched:
            patched.setattr(write, "act", interrupted_while_paying)
            with pytest.raises(KeyboardInterrupt):
                await run(location, path.parent)
        await owner.execute(
            "select set_config('app.tenant_id', id::text, false) from control.tenants where settings ? 'demo'"
        )
        states = await owner.fetch("select state, count(*) as n from comp_periods group by state")
        assert {row["state"] for row in states} == {"open", "closed"}, "some are paid, some are not"

        said = await run(location, path.parent)
        key = path.read_text().strip()
        assert key in said
        assert "http://localhost:8123/v1/metrics/query" in said
        assert "2026-Q3" in said, "the table of the closed quarters"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        states = await owner.fetch(
            "select state, count(*) as n from comp_periods group by state order by state"
        )
        assert [(row["state"], row["n"]) for row in states] == [("closed", 7), ("open", 1)]

        again = await run(location, path.parent)
        assert path.read_text().strip() == key
        assert key in again
        assert "Filling" not in again
        tenants = await owner.fetch(
            "select settings ->> 'demo' as demo from control.tenants order by created_at, id"
        )
        assert [row["demo"] for row in tenants] == [None, "full"]

        path.write_text("attain_0_of-another-database\n")
        assert key not in await run(location, path.parent), "a key that opens nothing is replaced"
        assert path.read_text().startswith("attain_")
    finally:
        await owner.close()
