"""The statements written by hand: one file a number, `<metric>.sql`.

Parameters are names: `$tenant`, `$starts` … (`Form.parameters` has them all). A line that ends with marks belongs to
those variants only:

    -- :reps      by rep               -- :whole    not by rep
    -- :manager   for a manager        -- :admin    for who sees all
    -- :now       as of now            -- :past     as of a past day       -- :known    and as it was known then

Marks of one kind stand for either (`-- :past :known`), of different kinds for both. `-- :include rates` stands for the
lines of `parts/rates.sql`: common table expressions that many statements begin with, and that PostgreSQL writes into
the place where they are used. `-- :include won by rep` stands for those by rep, whatever is asked for, and `-- :include
worked for all` for those for who sees all, whoever asks.

What a statement answers, a row for each bucket and rep of whom there is anything:

    i                        the bucket
    rep                      by rep
    value                    or `numerator` and `denominator`, which are divided exactly and afterwards
    n                        what was counted
    x_<reason>               what was left out for it
    any other name           a number beside; `<name>_over`, where there is one, is what it is divided by
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
KINDS = ({"reps", "whole"}, {"manager", "admin"}, {"now", "past", "known"})

_MARKS = re.compile(r"\s*--((?:\s:[a-z]+)+)\s*$")
_INCLUDE = re.compile(r"^-- :include ([a-z_]+)(?: (by rep|for all))?$")
_ANYWAY = {"by rep": ("whole", "reps"), "for all": ("manager", "admin")}
_NAME = re.compile(r"\$([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Text:
    sql: str
    order: tuple[str, ...]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        return [values[name] for name in self.order]


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


def written(metric: str, variants: frozenset[str]) -> Text:
    lines = _lines(FOLDER / f"{metric}.sql", variants, set())
    kept = [_MARKS.sub("", line) for line, wanted in lines if _belongs(line, wanted)]
    order: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] not in order:
            order.append(found[1])
        return f"${order.index(found[1]) + 1}"

    sql = _NAME.sub(place, "\n".join(line for line in kept if not line.lstrip().startswith("--")))
    return Text(sql, tuple(order))


def _lines(path: Path, variants: frozenset[str], included: set[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Each with the variants that it is wanted in. A part that several others include comes once."""
    for line in path.read_text("utf-8").splitlines():
        if found := _INCLUDE.match(line):
            if found[1] not in included:
                included.add(found[1])
                wanted = variants
                if found[2]:
                    without, instead = _ANYWAY[found[2]]
                    wanted = variants - {without} | {instead}
                yield from _lines(FOLDER / "parts" / f"{found[1]}.sql", wanted, included)
        else:
            yield line, variants


def _belongs(line: str, variants: frozenset[str]) -> bool:
    found = _MARKS.search(line)
    marks = {*re.findall(r"[a-z]+", found[1])} if found else set()
    unknown = marks.difference(*KINDS)
    if unknown:
        raise ValueError(f"There is no variant {unknown}.")
    return all(marks & kind & variants for kind in KINDS if marks & kind)


def variants(form: str, *, manager: bool) -> frozenset[str]:
    return frozenset({
        "reps" if form == "reps" else "whole",
        form if form in ("past", "known") else "now",
        "manager" if manager else "admin",
    })  # fmt: skip
