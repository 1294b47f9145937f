"""What a request costs in processor time: it moves far less with the machine's other work than a rate does (Linux)."""

from __future__ import annotations

from pathlib import Path

from app.ground.database.embedded import Embedded

_PROC = Path("/proc")


def seconds(*pids: int) -> float:
    """What these processes have used so far, all threads; 0 where the system does not tell."""
    total = 0
    for pid in pids:
        for task in _PROC.glob(f"{pid}/task/*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                continue
    return total / 1e9


def backends(server: Embedded) -> list[int]:
    """PostgreSQL's processes below its first."""
    postmaster = (server.pgdata / "postmaster.pid").read_text().split()[0]
    found = []
    for status in _PROC.glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == postmaster:
            found.append(int(status.parent.name))
    return found
