"""Kill whoever works, again and again, while a large file is merged; then count.

`python -m tests.kills.import_kills 50000 10` kills the service ten times and PostgreSQL ten times, each with SIGKILL at
a random moment of an import of 50,000 rows: `make kills`. The tests do the same with less.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.ground.database import embedded

HEARTBEAT = "2"
DRAIN = "1.5"


@dataclass
class Victim:
    """A service with its own PostgreSQL, and a tenant in it."""

    folder: Path
    port: int
    key: str = ""
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "app.cli", *arguments]

    def start(self) -> None:
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command("serve"), env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.until(lambda: self.ask("/readyz").status_code == 200, 120)

    def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        headers = ({"authorization": f"Bearer {self.key}"} if self.key else {}) | more.pop("headers", {})
        url = f"http://127.0.0.1:{self.port}{path}"
        # To read the certificates of the world takes longer than most that is asked here.
        return httpx.request(method, url, headers=headers, timeout=120, verify=False, **more)

    def until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with suppress(httpx.TransportError, KeyError):
                if done():
                    return
            assert time.monotonic() < deadline, (self.folder / "service.log").read_text()[-3000:]
            time.sleep(0.02)

    def kill_service(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.start()

    def kill_postgres(self, number: int = signal.SIGKILL) -> None:
        """The service goes on running; PostgreSQL is started again by nobody but this test. To PostgreSQL SIGINT means
        to end fast, SIGQUIT to end without tidying up."""
        assert self.process is not None
        postmaster = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, number)
        time.sleep(random.uniform(0, 0.5))
        embedded.start(self.folder).leave()
        assert self.process.poll() is None, "the service outlives its database"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def victim() -> Iterator[Victim]:
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="attain-chaos-"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ATTAIN_")}
    mine = {
        "ATTAIN_DATA_DIR": str(folder),
        "ATTAIN_PORT": str(port),
        "ATTAIN_JOB_HEARTBEAT_SECONDS": HEARTBEAT,
        "ATTAIN_DRAIN_SECONDS": DRAIN,
    }
    made = Victim(folder, port, environment=inherited | mine)
    try:
        made.start()
        made.key = subprocess.run(
            made.command("tenants", "create", "Chaos"),
            env=made.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        yield made
    finally:
        if made.process is not None:
            made.process.kill()
            made.process.wait()
        embedded.stop(folder)
        shutil.rmtree(folder)


def content(rows: int, mark: str) -> bytes:
    """Every hundredth row is refused."""
    lines = [f"{mark}{i},{'' if i % 100 == 99 else f'Account {i}'},retail\n" for i in range(rows)]
    return ("external_id,name,industry\n" + "".join(lines)).encode()


def killed_import(
    made: Victim, rows: int, kills: int, kill: Callable[[], None], seed: int, mark: str
) -> float:
    """Seconds that it took. Every row is there once, and none was counted twice."""
    chance = random.Random(seed)
    body = {"noun": "accounts", "source": "chaos"}
    begun = made.ask("/v1/imports", "POST", json=body).json()
    path = f"/v1/operations/{begun['id']}"

    def read() -> int:
        return made.ask(path).json()["progress"]["rows_read"]

    began = time.monotonic()
    sent = made.ask(f"/v1/imports/{begun['id']}/content", "PUT", content=content(rows, mark))
    assert sent.status_code == 202, sent.text
    for place in sorted(chance.sample(range(rows * 9 // 10), kills)):
        made.until(lambda place=place: read() >= place, 300)
        time.sleep(chance.uniform(0, 0.3))
        kill()
    made.until(lambda: made.ask(path).json()["state"] not in ("pending", "running"), 300)
    seconds = time.monotonic() - began
    done = made.ask(path).json()
    bad = rows // 100
    assert done["state"] == "succeeded", done
    assert done["progress"]["rows_read"] == rows
    assert done["counts"] == {
        "created": rows - bad, "updated": 0, "unchanged": 0, "restored": 0, "deleted": 0, "failed": bad,
    }, done["counts"]  # fmt: skip
    assert _errors(made, path) == [100 * (i + 1) for i in range(bad)]
    names = _names(made)
    mine = sorted((x for x in names if x[0].startswith(mark)), key=lambda x: int(x[0][len(mark) :]))
    assert mine == [(f"{mark}{i}", f"Account {i}", 1) for i in range(rows) if i % 100 != 99]
    return seconds


def _errors(made: Victim, path: str) -> list[int]:
    found, cursor = [], ""
    while True:
        page = made.ask(f"{path}/errors?limit=1000{cursor}").json()
        found += [x["row"] for x in page["data"]]
        if not page["has_more"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def _names(made: Victim) -> list[tuple[str, str, int]]:
    """External id, name and version: a row that was merged twice would have had a second version or been counted."""
    headers = {"accept": "application/x-ndjson"}
    lines = made.ask("/v1/accounts?columns=external_ids,name,version", headers=headers).text.splitlines()
    records = [httpx.Response(200, content=line).json() for line in lines]
    return [
        (x["external_ids"][0]["external_id"], x["name"], x["version"]) for x in records if x["external_ids"]
    ]


def main(rows: int, kills: int) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    with victim() as made:
        for mark, kill in (("service-", made.kill_service), ("postgres-", made.kill_postgres)):
            seconds = killed_import(made, rows, kills, kill, seed, mark)
            print(  # noqa: T201
                f"{mark}: {kills} kills, {rows:,} rows in {seconds:.1f} s, all there, none twice", flush=True
            )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
