"""The figures as tables, on the terminal and in `docs/benchmarks.md`."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.kpis.asking import Compared
from benchmarks.kpis.forms import FORMS, TITLES
from benchmarks.kpis.turns import Turns
from benchmarks.report import DOCUMENT, aligned

_BETWEEN = re.compile(r"(?<=<!-- numbers -->\n).*?(?=<!-- end of numbers -->)", re.DOTALL)


@dataclass(slots=True)
class Run:
    command: str
    load: float
    counts: dict[str, int] = field(default_factory=dict)
    postgres: str = ""
    figures: list[Compared] = field(default_factory=list)
    explained: list[Compared] = field(default_factory=list)
    dashboards: list[Compared] = field(default_factory=list)


def text(run: Run) -> str:
    rows = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in run.counts.items())
    facts = (
        f"{os.cpu_count()} cores; {platform.system()} {platform.machine()}; Python {platform.python_version()}; "
        f"PostgreSQL {run.postgres}, embedded; {rows}. Load average before the run: {run.load:.1f}."
    )
    parts = [f"`{run.command}`", facts]
    if run.figures:
        parts.append(_by_form(run.figures))
    if run.explained:
        parts.append(_explained(run.explained))
    parts += [
        f"A dashboard of {each.cells} numbers in one request, {each.asker}: {each.turns.ours:,.1f} ms, its statements "
        f"one after the other {each.turns.theirs:,.1f} ms, **{each.turns.ratio:.2f}**."
        for each in run.dashboards
    ]
    return "\n\n".join(parts)


def write(run: Run) -> None:
    found = text(run) + "\n"
    DOCUMENT.write_text(_BETWEEN.sub(lambda _: found, DOCUMENT.read_text("utf-8")), "utf-8")


def _by_form(figures: Sequence[Compared]) -> str:
    columns = [(form, asker) for form in FORMS for asker in ("admin", "manager")]
    by_place = {(f.metric, f.form, f.asker): f.turns for f in figures}
    metrics = list(dict.fromkeys(f.metric for f in figures))
    head = ["ms, by hand, ratio", *(f"{TITLES[form]}, {asker}" for form, asker in columns)]
    rows = [
        [f"`{metric}`", *(_told(by_place.get((metric, *column))) for column in columns)] for metric in metrics
    ]
    ratios = [[t.ratio for m in metrics if (t := by_place.get((m, *column)))] for column in columns]
    rows.append(["median", *(f"**{statistics.median(found):.2f}**" if found else "" for found in ratios)])
    return aligned(head, rows)


def _told(turns: Turns | None) -> str:
    return f"{turns.ours:,.1f}, {turns.theirs:,.1f}, **{turns.ratio:.2f}**" if turns else ""


def _explained(figures: Sequence[Compared]) -> str:
    metrics = list(dict.fromkeys(f.metric for f in figures))
    by_place = {(f.metric, f.asker): f.turns for f in figures}
    head = ["first page of explain, the number, ratio", "admin", "manager"]
    rows = [
        [f"`{metric}`", *(_told(by_place.get((metric, x))) for x in ("admin", "manager"))]
        for metric in metrics
    ]
    return aligned(head, rows)
