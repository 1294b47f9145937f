"""PostGraphile and the Node that it needs, from a lock of their own; nothing of it is part of the service."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.ground.database.embedded import DATABASE, SUPERUSER, Embedded
from benchmarks.services import Service, free_port, running

HERE = Path(__file__).parent


def install() -> None:
    """Needs npm. What is installed already as the lock has it is left alone."""
    stamp = HERE / "node_modules" / ".package-lock.json"
    if stamp.exists() and stamp.stat().st_mtime >= (HERE / "package-lock.json").stat().st_mtime:
        return
    subprocess.run(["npm", "ci", "--loglevel=error"], cwd=HERE, check=True)


def _node() -> str:
    """The one of the lock, where it has one for this machine; else whatever is there, which must be 22 or newer."""
    found = sorted(HERE.glob("node_modules/node-*/bin/node"))
    node = str(found[0]) if found else shutil.which("node")
    if node is None:
        raise RuntimeError("PostGraphile needs Node 22 or newer.")
    return node


@contextmanager
def postgraphile(folder: Path, server: Embedded) -> Iterator[Service]:
    """As the superuser, like the yardstick: row-level security costs it nothing."""
    port = free_port()
    database = {"PGHOST": str(server.socket_dir), "PGUSER": SUPERUSER, "PGDATABASE": DATABASE}
    production = {"NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    command = [_node(), str(HERE / "server.mjs"), str(port)]
    with running(command, port, folder / "postgraphile.log", database | production) as service:
        yield service
