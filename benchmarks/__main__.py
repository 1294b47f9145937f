"""`make bench`: fill, start both, see that they answer alike, measure them in turns, print the table."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import uvloop

from app.ground.database import embedded, migrate
from app.ground.database.embedded import SUPERUSER, Embedded
from app.ground.database.ids import new_id
from app.ground.database.session import connect
from benchmarks import bulk, cases, company, processor, report, services
from benchmarks.cases import Case
from benchmarks.load import Measured, Slice
from benchmarks.postgraphile import process
from benchmarks.report import Figure, Run, Side
from benchmarks.services import Service

CONNECTIONS = 16
UPSERT = "upsert"


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
    print(f"\n{run.facts}\n\n{report.table(run)}")
    if asked.write:
        report.write(run)


def _arguments() -> argparse.Namespace:
    names = (*cases.NAMES, UPSERT)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scale", type=int, default=1_000_000, help="opportunities (1,000,000)")
    parser.add_argument("--seconds", type=float, default=10, help="of load on each side of a case (10)")
    parser.add_argument("--rounds", type=int, default=5, help="in which the two take turns (5)")
    parser.add_argument("--only", choices=names, action="append", help="this case alone; repeatable")
    parser.add_argument("--upsert-rows", type=int, default=100_000, help="in requests of 10,000 (100,000)")
    parser.add_argument("--keep", action="store_true", help="leave the filled database, or take the one left")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="where the database lies")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    parser.add_argument(
        "--postgraphile",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure PostGraphile beside the lists; installed by npm (yes)",
    )
    parser.add_argument(
        "--careless", action="store_true", help="a database without fsync: for tests of this program"
    )
    asked = parser.parse_args()
    if asked.write and (asked.only or asked.careless):
        parser.error("--write takes all cases, on a database that keeps what it acknowledges")
    return asked


async def _run(server: Embedded, asked: argparse.Namespace) -> Run:
    load = os.getloadavg()[0]
    await company.fill(server, asked.scale, _say)
    begin = new_id()
    known = await company.company(server)
    wanted = asked.only or (*cases.NAMES, UPSERT)
    figures: list[Figure] = []
    if asked.postgraphile:
        process.install()
    with (
        services.product(asked.folder) as service,
        services.yardstick(asked.folder, server.url(SUPERUSER), str(known.tenant_id)) as yardstick,
        process.postgraphile(asked.folder, server) if asked.postgraphile else nullcontext() as peer,
    ):
        for case in await cases.cases(server, known):
            if case.name in wanted:
                _say(f"{case.title} …")
                cases.demand_same(case, service, yardstick)
                if peer is not None and case.peer is not None:
                    cases.demand_same_rows(case, service, peer)
                figures.append(await _compared(server, case, service, yardstick, peer, asked))
        if UPSERT in wanted:
            _say(f"upsert of {asked.upsert_rows:,} …")
            rounds = await bulk.measure(server, service, known, asked.upsert_rows, asked.rounds)
            figures += _bulk_figures(rounds, asked.upsert_rows)
        memory = service.memory
    if asked.keep:
        await company.forget_since(server, begin)
    return Run(
        report.command("benchmarks", *sys.argv[1:]),
        asked.scale,
        await _version(server),
        memory,
        load,
        figures,
    )


async def _compared(
    server: Embedded,
    case: Case,
    service: Service,
    yardstick: Service,
    peer: Service | None,
    asked: argparse.Namespace,
) -> Figure:
    """In turns, each round beginning with another one, so that the machine's drift is nobody's advantage."""
    sides = [(service, case.service, Measured()), (yardstick, case.yardstick, Measured())]
    if peer is not None and case.peer is not None:
        sides.append((peer, case.peer, Measured()))
    ratios: list[list[float]] = [[] for _ in sides]
    number = 0
    for round_ in range(asked.rounds + 1):
        rates: dict[int, float] = {}
        for turn in range(len(sides)):
            side = (turn + round_) % len(sides)
            target, requests, total = sides[side]
            used = [target.process.pid, *processor.backends(server)]
            before = processor.seconds(*used)
            part = await Slice(target.port, requests, number, CONNECTIONS).run(asked.seconds / asked.rounds)
            part.processor = processor.seconds(*used) - before
            rates[side] = part.rate
            if round_:
                total.seconds += part.seconds
                total.processor += part.processor
                total.latencies += part.latencies
        number += 1000
        # The first round only warms both up.
        if round_:
            for side, found in enumerate(ratios):
                found.append(rates[0] / rates[side])
    ours, theirs, *more = (_side(measured) for _, _, measured in sides)
    figure = Figure(case.title, "/s", ours, theirs, ratios[1])
    return replace(figure, peer=more[0], peer_ratios=ratios[2]) if more else figure


def _side(measured: Measured) -> Side:
    return Side(
        measured.rate, measured.percentile(0.5) * 1000, measured.percentile(0.99) * 1000, measured.micros
    )


def _bulk_figures(rounds: Sequence[bulk.Round], rows: int) -> list[Figure]:
    copy = _bulk_side([x.copy for x in rounds], rows)
    return [
        Figure(title, "rows/s", _bulk_side(seconds, rows), copy,
               [x.copy / took for x, took in zip(rounds, seconds, strict=True)])
        for title, seconds in (
            (f"upsert of {rows:,} new in requests of {bulk.REQUEST:,}, beside one COPY", [x.new for x in rounds]),
            ("the same again, unchanged, beside the same COPY", [x.unchanged for x in rounds]),
        )
    ]  # fmt: skip


def _bulk_side(seconds: Sequence[float], rows: int) -> Side:
    middle = statistics.median(seconds)
    return Side(rows / middle, middle * 1000, max(seconds) * 1000)


async def _version(server: Embedded) -> str:
    connection = await connect(server.owner_url)
    try:
        return await connection.fetchval("show server_version")
    finally:
        await connection.close()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
