"""`make kpis`: every number beside the statement that somebody wrote for it by hand; both must say the same.

Both over the same tables in one process: the product as a request has it (the service's role, row-level security,
rates, names, formulas), the statement on a bare connection of the superuser.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from app.ground.database import embedded, migrate
from app.ground.database.embedded import Embedded
from app.server import settle_collector
from benchmarks import company
from benchmarks import report as benchmark
from benchmarks.kpis import growth, hand, report
from benchmarks.kpis.asking import Asking
from benchmarks.kpis.forms import FORMS
from benchmarks.kpis.report import Run

ASKERS = ("admin", "manager")
WAYS = (*FORMS, "explain", "dashboard")


def main() -> None:
    asked = _arguments()
    folder: Path = asked.folder
    if folder.exists() and not asked.keep:
        embedded.stop(folder)
        shutil.rmtree(folder)
    server = embedded.start(folder, settings={"fsync": "off"} if asked.careless else None)
    try:
        migrate.upgrade(server.owner_url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            run = runner.run(_run(server, asked))
    finally:
        server.leave()
    if not asked.keep:
        shutil.rmtree(folder)
    if not asked.check:
        print(f"\n{report.text(run)}")
    if asked.write:
        report.write(run)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kpis", description=__doc__)
    parser.add_argument("--scale", type=int, default=1_000_000, help="opportunities (1,000,000)")
    parser.add_argument("--check", action="store_true", help="compare the answers, and time nothing")
    parser.add_argument("--rounds", type=int, default=5, help="in which the two take turns (5)")
    parser.add_argument("--only", choices=hand.names(), action="append", help="this number alone; repeatable")
    parser.add_argument("--form", choices=WAYS, action="append", help="this way of asking alone; repeatable")
    parser.add_argument("--asker", choices=ASKERS, action="append", help="for this one alone; repeatable")
    parser.add_argument("--keep", action="store_true", help="leave the filled database, or take the one left")
    parser.add_argument("--folder", type=Path, default=Path("build/kpis"), help="where the database lies")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    parser.add_argument(
        "--careless", action="store_true", help="a database without fsync: for tests of this program"
    )
    asked = parser.parse_args()
    if asked.write and (asked.only or asked.form or asked.asker or asked.careless or asked.check):
        parser.error("--write takes all numbers, on a database that keeps what it acknowledges")
    return asked


async def _run(server: Embedded, asked: argparse.Namespace) -> Run:
    load = os.getloadavg()[0]
    await company.fill(server, asked.scale, _say, growth.fill_one)
    settle_collector()
    run = Run(benchmark.command("benchmarks.kpis", *sys.argv[1:]), load)
    ways = asked.form or (FORMS if asked.check else WAYS)
    async with Asking.of(server, datetime.now(UTC)) as asking:
        run.counts = await asking.counts()
        run.postgres = await asking.version()
        for metric in asked.only or hand.names():
            for form in (way for way in ways if way in FORMS):
                for asker in asked.asker or ASKERS:
                    if asked.check:
                        _say(
                            f"{metric} {form} {asker}: {await asking.cells(metric, form, asker)} cells alike"
                        )
                        continue
                    figure = await asking.compared(metric, form, asker, asked.rounds)
                    run.figures.append(figure)
                    _say(f"{metric} {form} {asker}: {figure.turns.ratio:.2f}, {figure.turns.ours:.1f} ms, "
                         f"{figure.turns.theirs:.1f} by hand")  # fmt: skip
        for asker in asked.asker or ASKERS:
            for metric in asked.only or hand.names() if "explain" in ways else ():
                figure = await asking.explained(metric, asker, asked.rounds)
                run.explained.append(figure)
                _say(f"{metric} explain {asker}: {figure.turns.ratio:.2f}")
            if "dashboard" in ways and not asked.only:
                run.dashboards.append(await asking.dashboard(asker, asked.rounds))
    return run


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
