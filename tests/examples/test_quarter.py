"""The quarter's page by the example's own command, over the whole demo and a real socket."""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
import uvicorn
from rich.console import Console

from app.demo import fill
from app.ground.database.locate import Location
from app.ground.database.session import Database
from app.ground.settings import Settings
from app.main import create_app

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "quarter"
PAGE = EXAMPLE / "page.md"


@dataclass
class Served:
    url: str
    key: str


@pytest_asyncio.fixture
async def demo(new_database: Callable[[], tuple[str, str]], tmp_path: Path) -> AsyncIterator[Served]:
    owner_url, app_url = new_database()
    settings = Settings(
        database_url=owner_url, app_database_url=app_url, data_dir=tmp_path, log_level="WARNING"
    )  # fmt: skip
    # In a thread, since the command has an event loop of its own.
    quiet = Console(file=io.StringIO())
    await asyncio.to_thread(fill.fill, settings, Location(owner_url, app_url, None), quiet)
    database = await Database.open(app_url, size=4, pool_timeout=10)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, database), host="127.0.0.1", port=0, lifespan="off", log_level="warning"
        )
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", (tmp_path / "demo.key").read_text().strip())
    finally:
        server.should_exit = True
        await serving
        await database.close()


async def test_the_page_holds_what_the_service_answers(demo: Served) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE / "page.py"), "2026-Q2", "--url", demo.url, "--key", demo.key,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, fault = await process.communicate()
    assert process.returncode == 0, fault.decode()
    assert said.decode() == PAGE.read_text("utf-8"), (
        "`python examples/quarter/page.py --out …` writes it anew"
    )


def test_the_page_holds_what_plain_python_makes_of_the_rows() -> None:
    """docs/demo.md is written without the metrics engine."""
    quarter, _ = re.findall(
        r"^\| 2026-Q2 \| (.+) \|$", (ROOT / "docs" / "demo.md").read_text("utf-8"), re.MULTILINE
    )
    bookings, won, _, rate, size, cycle, created, _, attainment = quarter.split(" | ")
    [open_deals, amount, weighted] = re.findall(
        r"^\| 2026-07-01 \| (.+) \|$", (ROOT / "docs" / "demo.md").read_text("utf-8"), re.MULTILINE
    )[0].split(" | ")
    page = PAGE.read_text("utf-8")
    for title, figure in {
        "Bookings": bookings, "Won deals": won, "Win rate": rate, "Average deal size": size,
        "Sales cycle": f"{float(cycle):.1f}", "Pipeline created": created, "Quota attainment": attainment,
    }.items():  # fmt: skip
        assert f"| {title} | {figure} |" in page
    for title, figure in (
        ("Open deals", open_deals),
        ("Open pipeline", amount),
        ("Weighted pipeline", weighted),
    ):
        [line] = re.findall(rf"^\| {title} \|.*$", page, re.MULTILINE)
        assert line.split(" | ")[2].replace(",", "") == figure.replace(",", "")
