"""The handbook of numbers: a page of Markdown for each, written from its declaration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from app.language.metrics.describe import describe
from app.language.metrics.metric import Metric
from app.language.metrics.question import needs_no_period

FOLDER = "docs/numbers"
_UNITS = {
    "money": "an amount in the currency asked for", "count": "a count", "ratio": "a share: 0.25 is 25 %",
    "days": "days", "months": "months", "seconds": "seconds", "money_per_day": "an amount a day",
}  # fmt: skip
_KINDS = {
    "flow": "flow: summed over the period",
    "stock": "stock: what is so at the end of each bucket, or now",
    "cohort": "cohort: what began in the period, followed until now",
    "ratio": "ratio: divided anew at every level, never averaged",
}


def pages(metrics: Iterable[Metric]) -> dict[str, str]:
    """By path in the repository: the list of all, and a page for each."""
    every = sorted(metrics, key=lambda metric: metric.name)
    lines = [f"| [`{m.name}`]({m.name}.md) | {m.title} | {m.description} |" for m in every]
    index = [
        "# The numbers", "", "Written from their declarations; `GET /v1/metrics` tells the same.", "",
        "| Name | Title | What it is |", "|---|---|---|", *lines,
    ]  # fmt: skip
    return {f"{FOLDER}/README.md": _text(index)} | {f"{FOLDER}/{m.name}.md": _text(_page(m)) for m in every}


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _page(metric: Metric) -> Iterator[str]:
    told = describe(metric)
    yield from (f"# {metric.title}", "", f"`{metric.name}`: {metric.description}", "")
    yield from ("| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _facts(metric, told)), "")
    yield from ("## Example", "", metric.example, "")
    yield from ("## Rules", "", *(f"* {rule}" for rule in metric.edge_rules), "")
    if metric.beside:
        yield from (
            "## Beside the value",
            "",
            *(f"* `{name}`: {what}" for name, what in metric.beside.items()),
            "",
        )
    if told["exclusions"]:
        yield from ("## Left out, and counted", "", *(f"* `{reason}`" for reason in told["exclusions"]), "")
    yield from ("## Broken down and filtered by", "")
    titles = {
        d["name"]: f"{d['title']}{' (a row can stand in several groups)' if d['multiplies'] else ''}"
        for d in told["dimensions"]
    }
    yield from (f"* {name}: {titles[first]}" for name, first in _named(titles))
    asked = "" if needs_no_period(metric) else "period=this_quarter"
    yield from (
        "",
        "## Ask",
        "",
        "```",
        f"GET /v1/metrics/query?{'&'.join(filter(None, (f'metric={metric.name}', asked)))}",
    )
    yield from (f"GET /v1/metrics/{metric.name}/rows{'?' if asked else ''}{asked}", "```")


_NUMBERED = re.compile(r"(.+_)\d+")


def _named(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each name as it is written, and itself; names that only a number tells apart as one, by the first of them."""

    def alike(name: str) -> str:
        found = _NUMBERED.fullmatch(name)
        return found[1] if found else name

    for _, group in groupby(names, alike):
        first, *others = group
        yield f"`{first}` … `{others[-1]}`" if others else f"`{first}`", first


def _facts(metric: Metric, told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Kind", _KINDS[metric.kind]
    yield "Unit", _UNITS[metric.unit]
    yield "Formula", metric.formula
    yield "Dated by", metric.date_field
    sums = [
        *(name for name, _ in _named(told["additive"]["dimensions"])),
        *(["time"] if told["additive"]["time"] else []),
    ]
    yield "May be summed over", ", ".join(sums) or "nothing"
    if metric.proportion:
        yield "How sure it is", "with its interval (95 %) and `small_sample`"
    yield "Version", metric.version
