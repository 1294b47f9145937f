"""The processes that are measured."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Service:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def memory(self) -> int:
        """Megabytes that it holds, where the system tells (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return 0
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmRSS"].split()[0]) // 1024


@contextmanager
def product(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    """`attain serve` as a user starts it: one process, the settings of production."""
    port = free_port()
    given = {"ATTAIN_DATA_DIR": str(folder), "ATTAIN_PORT": str(port), "ATTAIN_HOST": "127.0.0.1"}
    given |= settings or {}
    with running([sys.executable, "-m", "app.cli", "serve"], port, folder / "service.log", given) as service:
        yield service


@contextmanager
def yardstick(folder: Path, url: str, tenant: str) -> Iterator[Service]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.yardstick", str(port), url, tenant]
    with running(command, port, folder / "yardstick.log", {}) as service:
        yield service


@contextmanager
def running(command: Sequence[str], port: int, log: Path, given: Mapping[str, str]) -> Iterator[Service]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATTAIN_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**environment, **given},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, port, log)
            yield Service(port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The process does not serve:\n{log.read_text()[-4000:]}") from None
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
