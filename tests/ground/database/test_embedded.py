"""The server from the package: made once, found again, left alone while used, there again after a crash."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from app.ground.database import embedded
from app.ground.database.embedded import Embedded

FAST = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="attain-embedded-"))
    yield made
    embedded.stop(made)
    shutil.rmtree(made)


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def postmaster(server: Embedded) -> int:
    return int((server.pgdata / "postmaster.pid").read_text().split()[0])


async def test_made_left_and_found_again(folder: Path) -> None:
    server = embedded.start(folder, settings=FAST)
    assert await ask(server.app_url, "select current_user::text") == "attain_app"
    await ask(server.owner_url, "create table kept (a int)")
    assert server.leave()
    again = embedded.start(folder)
    assert await ask(again.owner_url, "select count(*) from kept") == 0
    assert again.leave()


async def test_the_last_one_stops_it(folder: Path) -> None:
    first = embedded.start(folder, settings=FAST)
    second = embedded.start(folder)
    assert not first.leave()
    assert await ask(second.app_url, "select 1") == 1
    assert second.leave()
    assert not second.leave()


async def test_a_killed_user_does_not_count(folder: Path) -> None:
    server = embedded.start(folder, settings=FAST)
    program = (
        "import pathlib, sys, time; from app.ground.database import embedded\n"
        "e = embedded.start(pathlib.Path(sys.argv[1])); print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "up\n"
        other.kill()
        other.wait()
    assert server.leave()


async def test_it_comes_back_after_a_kill(folder: Path) -> None:
    server = embedded.start(folder, settings=FAST)
    await ask(server.owner_url, "create table kept (a int)")
    os.kill(postmaster(server), signal.SIGKILL)
    again = embedded.start(folder)
    assert await ask(again.owner_url, "select count(*) from kept") == 0
    server.leave()
    assert again.leave()


async def test_nobody_else_gets_at_it(folder: Path) -> None:
    server = embedded.start(folder, settings=FAST)
    assert await ask(server.app_url, "show listen_addresses") == ""
    mode = server.socket_dir.stat().st_mode
    assert not mode & (stat.S_IRWXG | stat.S_IRWXO)
    assert server.pgdata.stat().st_uid != 0
    for role in ("attain_owner", "attain_app"):
        question = (
            f"select not (rolsuper or rolbypassrls or rolcreaterole) from pg_roles where rolname = '{role}'"
        )
        assert await ask(server.app_url, question)
    server.leave()


async def test_a_path_too_long_for_a_socket_gets_one_elsewhere(folder: Path) -> None:
    server = embedded.start(folder / ("x" * 60) / ("y" * 60), settings=FAST)
    try:
        assert await ask(server.app_url, "select 1") == 1
        assert server.socket_dir != server.pgdata
        assert not server.socket_dir.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    finally:
        server.leave()
    assert not server.socket_dir.exists()


async def test_a_torn_attempt_is_not_kept(folder: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        embedded.start(folder, settings={"shared_buffers": "nonsense"})
    assert any("shared_buffers" in note for note in failed.value.__notes__)
    assert not list(folder.glob("postgres*"))
    embedded.start(folder, settings=FAST).leave()


async def test_it_never_runs_as_root(folder: Path) -> None:
    """Root's server runs as somebody else; an ordinary user's is that user's own."""
    server = embedded.start(folder, settings=FAST)
    owner = server.pgdata.stat().st_uid
    assert owner != 0
    assert os.geteuid() in (0, owner)
    assert await ask(server.owner_url, "select rolname::text from pg_roles where oid = 10") == "postgres"
    server.leave()
