"""Run every client against a service of their own: `make clients`, or some of them by name.

    python clients/run.py [NAME …]

A temporary data folder, a free loopback port, a small tenant; then the clients, two at a time. What a client says is
shown when it fails. The names are the scripts of `package.json` and those below.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import tenant

HERE = Path(__file__).parent
ATTAIN = Path(sys.executable).parent / "attain"
AT_A_TIME = 2
PATIENCE = 300
"""Seconds for one client."""


def commands() -> dict[str, list[str]]:
    scripts = json.loads((HERE / "package.json").read_text())["scripts"]
    python = ".venv/bin/python"
    return {
        **{name: ["npm", "run", "--silent", name] for name in scripts},
        "openapi-python-client": ["python/openapi-python-client.sh"],
        "dlt": [python, "python/dlt_source.py"],
        "pandas": [python, "python/pandas_csv.py"],
        "polars": [python, "python/polars_files.py"],
    }


@contextmanager
def service() -> Iterator[dict[str, str]]:
    """A running `attain serve` with the tenant filled; yields what tells the clients of it."""
    with tempfile.TemporaryDirectory(prefix="attain-clients-") as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = {k: v for k, v in os.environ.items() if not k.startswith("ATTAIN_")}
        env |= {"ATTAIN_DATA_DIR": folder, "ATTAIN_PORT": str(port), "ATTAIN_LOG_LEVEL": "WARNING"}
        url = f"http://127.0.0.1:{port}"
        server = subprocess.Popen([ATTAIN, "serve"], env=env)
        try:
            wait_until_ready(server, url)
            made = subprocess.run(
                [ATTAIN, "tenants", "create", "Clients"],
                env=env,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            key = made.stdout.strip()
            tenant.fill(url, key)
            yield {"ATTAIN_URL": url, "ATTAIN_KEY": key}
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            subprocess.run([ATTAIN, "stop"], env=env, stderr=subprocess.DEVNULL, check=True)


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit("attain serve ended before it was ready")
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("attain serve was not ready in a minute")


def run(name: str, command: list[str], live: Mapping[str, str]) -> bool:
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=HERE, env={**os.environ, **live}, timeout=PATIENCE, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        well, said = done.returncode == 0, done.stdout
    except subprocess.TimeoutExpired as late:
        well, said = False, f"{late.output or ''}\nnot done after {PATIENCE} s"
    print(f"{'ok  ' if well else 'FAIL'} {time.monotonic() - began:6.1f} s  {name}", flush=True)
    if not well:
        print(said, flush=True)
    return well


def main(wanted: list[str]) -> int:
    known = commands()
    if unknown := set(wanted) - set(known):
        raise SystemExit(f"no such client: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    with service() as live, ThreadPoolExecutor(AT_A_TIME) as pool:
        done = list(pool.map(lambda name: run(name, known[name], live), wanted or known))
    print(f"{sum(done)} of {len(done)} clients ran")
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
