"""`python -m benchmarks.pay`: all statements of 2,000 reps, beside one pass by hand over the same credits."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
from pathlib import Path

import uvloop

from app.ground.database import embedded, migrate
from app.ground.database.embedded import Embedded
from app.server import settle_collector
from benchmarks import report as benchmark
from benchmarks.pay import firm
from benchmarks.pay.measured import Measured, measure


def main() -> None:
    asked = _arguments()
    folder: Path = asked.folder
    if folder.exists():
        embedded.stop(folder)
        shutil.rmtree(folder)
    server = embedded.start(folder, settings={"fsync": "off"} if asked.careless else None)
    try:
        migrate.upgrade(server.owner_url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(server, asked))
    finally:
        server.leave()
        shutil.rmtree(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pay", description=__doc__)
    parser.add_argument(
        "--credits", type=int, action="append", help="in a period (10,000, then 100,000); repeatable"
    )
    parser.add_argument("--reps", type=int, default=firm.REPS, help="who are paid (2,000)")
    parser.add_argument(
        "--closed", type=int, default=4, help="periods before it, closed, for another run (4)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="in which all take turns (5)")
    parser.add_argument("--folder", type=Path, default=Path("build/pay"), help="where the database lies")
    parser.add_argument(
        "--careless", action="store_true", help="a database without fsync: for tests of this program"
    )
    return parser.parse_args()


async def _run(server: Embedded, asked: argparse.Namespace) -> None:
    load = os.getloadavg()[0]
    settle_collector()
    sizes = asked.credits or [10_000, 100_000]
    runs = [(size, 0) for size in sizes] + ([(sizes[-1], asked.closed)] if asked.closed else [])
    rows = []
    for credits, earlier in runs:
        _say(f"{credits:,} credits, {earlier} closed periods before …")
        rows.append(await measure(server, credits, earlier, asked.reps, asked.rounds, _say))
    print(f"`{benchmark.command('benchmarks.pay', *sys.argv[1:])}`")
    print(f"\n{os.cpu_count()} cores, load average before the run {load:.1f}.\n")
    print(_table(rows))


_HEAD = (
    "credits a period", "closed before", "by hand s", "first s", "ratio", "µs a credit", "again s", "ratio",
    "what-if s", "÷ first", "one deal ms", "1/ of the first", "lines", "entries",
)  # fmt: skip


def _table(rows: list[Measured]) -> str:
    """Medians of the rounds, and of the ratios from the least to the most."""
    told = [_HEAD, ("---",) * len(_HEAD)]
    for row in rows:
        told.append((
            f"{row.credits:,}", str(row.earlier), _middle(row.by_hand), _middle(row.first),
            _spread(row.first, row.by_hand), f"{statistics.median(row.first) / row.credits * 1e6:.0f}",
            _middle(row.again), _spread(row.again, row.by_hand), _middle(row.what_if),
            _spread(row.what_if, row.first), f"{statistics.median(row.one_deal) * 1000:.0f}",
            _spread(row.first, [statistics.median(row.one_deal)] * len(row.first)),
            f"{row.lines:,}", f"{row.entries:,}",
        ))  # fmt: skip
    return "\n".join("| " + " | ".join(cells) + " |" for cells in told)


def _middle(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f}"


def _spread(ours: list[float], theirs: list[float]) -> str:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
