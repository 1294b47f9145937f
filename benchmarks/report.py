"""The figures as a table, on the terminal and in `docs/benchmarks.md`."""

from __future__ import annotations

import os
import platform
import re
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
_BETWEEN = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def command(program: str, *arguments: str) -> str:
    """What was called, without what is no matter of its figures: where its files lie, and what becomes of them."""
    told, left_out = [], {"--write": 0, "--keep": 0, "--folder": 1}
    rest = iter(arguments)
    for argument in rest:
        name, given, _ = argument.partition("=")
        if name not in left_out:
            told.append(argument)
        elif left_out[name] and not given:
            next(rest, None)
    return shlex.join(["python", "-m", program, *told])


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: what it did in a second, and how long one took (milliseconds)."""

    rate: float
    p50: float
    p99: float
    micros: float | None = None
    """Microseconds of processor time of one, the service's and PostgreSQL's together."""


@dataclass(frozen=True, slots=True)
class Figure:
    title: str
    unit: str
    service: Side
    yardstick: Side
    ratios: Sequence[float]
    """Of each round."""
    peer: Side | None = None
    peer_ratios: Sequence[float] = ()

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


@dataclass(frozen=True, slots=True)
class Run:
    command: str
    rows: int
    postgres: str
    memory: int
    load: float
    """What else ran on the machine when this began: the load average of the minute before."""
    figures: Sequence[Figure]

    @property
    def facts(self) -> str:
        return (
            f"{os.cpu_count()} cores shared by service, load and PostgreSQL; {platform.system()} "
            f"{platform.machine()}; Python {platform.python_version()}; PostgreSQL {self.postgres}, embedded; "
            f"{self.rows:,} opportunities. The service's process held {self.memory} MB at the end. "
            f"Load average before the run: {self.load:.1f}"
            + (", so that others took part of the cores." if self.load > 0.5 else ".")
        )


def table(run: Run) -> str:
    """In Markdown, aligned so that a terminal shows it as well."""
    columns = ["p50 ms", "p99 ms", "CPU µs"]
    head = ["", "service", *columns, "yardstick", *columns, "ratio", "of the rounds", "by CPU"]
    rows = [
        [
            figure.title, *_side(figure.service, figure.unit), *_side(figure.yardstick, figure.unit),
            *_ratio(figure.ratios), _by_processor(figure.service, figure.yardstick),
        ]
        for figure in run.figures
    ]  # fmt: skip
    tables = [aligned(head, rows)]
    beside = [
        [
            figure.title, *_side(figure.service, figure.unit), *_side(figure.peer, figure.unit),
            *_ratio(figure.peer_ratios), _by_processor(figure.service, figure.peer),
        ]
        for figure in run.figures
        if figure.peer is not None
    ]  # fmt: skip
    if beside:
        tables.append(aligned([name.replace("yardstick", "PostGraphile 5") for name in head], beside))
    return "\n\n".join(tables)


def _ratio(ratios: Sequence[float]) -> list[str]:
    return [f"**{statistics.median(ratios):.2f}**", f"{min(ratios):.2f} to {max(ratios):.2f}"]


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [head, *rows]
    ]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)


def _side(side: Side, unit: str) -> list[str]:
    micros = f"{side.micros:,.0f}" if side.micros else ""
    return [f"{side.rate:,.0f} {unit}", f"{side.p50:,.2f}", f"{side.p99:,.2f}", micros]


def _by_processor(service: Side, other: Side) -> str:
    return f"{other.micros / service.micros:.2f}" if service.micros and other.micros else ""


def write(run: Run) -> None:
    text = f"`{run.command}`\n\n{run.facts}\n\n{table(run)}\n"
    DOCUMENT.write_text(_BETWEEN.sub(lambda _: text, DOCUMENT.read_text("utf-8")), "utf-8")
